"""A whole server with its registry in PostgreSQL: starts, faults, admins, moving there and back."""

from __future__ import annotations

import signal
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest

from securecom.server import postgres
from securecom.server.postgres import Address
from securecom.server.state import read_state
from securecom.tests.support.server_certificates import blank, called
from tests.support.postgres_case import shared
from tests.support.postgres_server import PostgresServer, missing
from tests.support.programs import ADMIN, Client, Server
from tests.support.system_case import SystemCase

WITHOUT_PSYCOPG = (
    sys.executable,
    "-c",
    "import sys; sys.modules['psycopg'] = None; from securecom.tap import main; main()",
)


class PostgresSystemCase(SystemCase):
    def setUp(self):  # type: ignore[no-untyped-def]
        if why := missing():
            raise SkipTest(why)
        return super().setUp()

    def new_database(self, server: PostgresServer | None = None) -> str:
        """The address of a new, empty one."""
        self.postgres = server or shared()
        self.name = self.postgres.database()
        return self.postgres.url(self.name)

    async def moved(self, server: PostgresServer | None = None) -> str:
        """The state with alice, bob and carol, its registry in PostgreSQL."""
        await self.settle()
        url = self.new_database(server)
        await self.admin("migrate", "--to", url)
        return url

    async def blocks(self, client: Client, *names: str) -> None:
        """The client is told these as the people whom it has blocked."""
        await client.do("blocked")
        (told,) = client.told("block-list")
        self.assertEqual([one["name"] for one in told["users"]], list(names))

    async def refused(self, *words: str) -> str:
        """The line of `securecom-admin` when it refuses."""
        done = await self.finished(*ADMIN, "--state", str(self.home / "state"), *words)
        self.assertEqual(done.exit_code, 1, str(done))
        (line,) = done.errors.splitlines()
        return line


class StartTests(PostgresSystemCase):
    async def prepare(self) -> None:
        """Each test makes its own state."""

    async def test_a_first_start_and_a_later_one_without_the_option(self) -> None:
        url = self.new_database()
        first = await self.server("--registry", url)
        (link,) = await self.invite("alice")
        alice = await self.enrolling(link, "alice").online()
        alice.send("exit")
        await alice.ended()
        await first.stop()
        self.assertFalse((self.home / "state" / "server" / "registry.sqlite").exists())
        for options in ((), ("--registry", url), ("--registry", f"{url}&sslmode=disable")):
            server = await self.server(*options)
            self.assertIn("users: 1", server.output)
            await server.stop()
        self.assertIn("sslmode=disable", await self.admin("check"))
        line = await self.fails(self.start_server("--registry", "sqlite"))
        self.assertIn("migrate", line)

    async def test_the_option_does_not_move_a_registry(self) -> None:
        await (await self.server()).stop()
        line = await self.fails(self.start_server("--registry", self.new_database()))
        self.assertIn("securecom-admin migrate --to", line)

    async def fails(self, server: Server) -> str:
        """The one line with which it ends."""
        self.assertEqual(await server.ended(), 1, str(server))
        (line,) = server.errors.splitlines()
        self.assertTrue(line.startswith("securecom: SC-"), line)
        self.assertNotIn("Traceback", server.output)
        self.assertNotIn("wrong-secret", server.output + server.errors)
        return line

    async def test_what_cannot_work_is_one_line_and_makes_nothing(self) -> None:
        good = self.new_database()
        database, port, folder = self.name, self.postgres.port, self.postgres.folder
        postgres.begin(Address.parse(self.new_database()), b"o" * 32)
        others = self.postgres.url(self.name)
        for url, part in (
            (f"postgresql://securecom@127.0.0.1:1/{database}", "refused"),
            (f"postgresql://securecom@/nowhere?host={folder}&port={port}", "nowhere"),
            (f"postgresql://nobody@/{database}?host={folder}&port={port}", "nobody"),
            (f"postgresql://securecom@/{database}?host={folder}/none&port={port}", "none"),
            (others, "not empty"),
            (f"postgresql://securecom:wrong-secret@127.0.0.1/{database}", "passfile"),
            (f"{good}&passfile=/nowhere/pass", "missing"),
            (f"{good}&password=x", "passfile"),
            (f"{good}&sslmode=maybe", "sslmode"),
            ("mysql://securecom@localhost/x", "URL"),
        ):
            line = await self.fails(self.start_server("--registry", url))
            self.assertIn(part, line)
            self.assertFalse((self.home / "state" / "server").exists(), url)
        without = self.start_server("--registry", good, command=WITHOUT_PSYCOPG)
        self.assertIn("securecom-chat[cluster]", await self.fails(without))

    async def test_another_servers_or_a_newer_or_none(self) -> None:
        await self.moved()
        folder = self.home / "state"
        address = read_state(folder, 1.8e9).address
        assert address is not None
        for change, part in (
            ("UPDATE registry SET version = 99", "newer"),
            ("UPDATE registry SET version = 1, moved = true", "moved"),
            ("UPDATE registry SET moved = false, server = sha256('x')", "another"),
            ("DROP TABLE registry", "no registry"),
        ):
            with self.postgres.admin(self.name) as admin:
                admin.execute(f"SET search_path = {postgres.SCHEMA}")
                admin.execute(change)
            self.assertIn(part, await self.fails(self.start_server()))
            self.assertIn(part, await self.refused("users"))
        path = folder / "server" / "registry.url"
        for damage in (b"", b"postgresql://a:b@c/d\n", b"\xff"):
            path.write_bytes(damage)
            self.assertIn("registry.url", await self.fails(self.start_server()))


class PasswordTests(PostgresSystemCase):
    """By TCP with TLS and a password, as from another machine."""

    async def prepare(self) -> None:
        key, certificate, root = _certificates()
        server = PostgresServer(ssl="on", ssl_cert_file="cert.pem", ssl_key_file="key.pem")
        self.addCleanup(server.remove)
        for name, data in (("key.pem", key), ("cert.pem", certificate)):
            server.write(f"data/{name}", data)
        server.write("data/pg_hba.conf", "local all all trust\nhostssl all all all scram-sha-256\n")
        server.start()
        self.new_database(server)
        self.root = self.home / "root.pem"
        self.root.write_text(root)
        self.passfile = self.home / "pass"
        self.passfile.write_text("*:*:*:*:secret\n")
        self.passfile.chmod(0o600)

    def url_at(self, host: str, *more: str) -> str:
        words = "&".join((f"passfile={self.passfile}", f"sslrootcert={self.root}", *more))
        return f"postgresql://securecom@{host}:{self.postgres.port}/{self.name}?{words}"

    async def test_a_good_one_and_what_is_refused(self) -> None:
        for url, part in (
            (self.url_at("127.0.0.1", "sslmode=verify-full"), "127.0.0.1"),  # it is localhost's
            (self.url_at("localhost", "sslmode=verify-full", "sslrootcert=/nowhere"), "nowhere"),
            (self.url_at("localhost", "sslmode=disable"), "no encryption"),
        ):
            server = self.start_server("--registry", url)
            self.assertEqual(await server.ended(), 1)
            self.assertIn(part, server.errors)
        self.passfile.chmod(0o640)
        good = self.url_at("localhost", "sslmode=verify-full")
        server = self.start_server("--registry", good)
        self.assertEqual(await server.ended(), 1)
        self.assertIn("chmod 600", server.errors)
        self.passfile.chmod(0o600)
        self.passfile.write_text("*:*:*:*:wrong\n")
        server = self.start_server("--registry", good)
        self.assertEqual(await server.ended(), 1)
        self.assertIn("password authentication failed", server.errors)
        self.passfile.write_text("*:*:*:*:secret\n")
        server = await self.server("--registry", good)
        self.assertNotIn("secret", server.output + server.errors)
        with self.postgres.admin() as admin:
            (row,) = admin.execute(
                "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
                "WHERE application_name = 'securecom'"
            ).fetchall()
        self.assertEqual(row, (True,))


def _certificates() -> tuple[str, str, str]:
    """A key with its certificate for localhost, and its CA.

    Not Ed25519, as elsewhere: libpq knows no digest for a certificate with such a signature, and
    needs one to bind the password to the connection.
    """
    encoding = serialization.Encoding.PEM
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    ca_key, key = keys
    made = []
    for own, name in zip(keys, ("a CA", "localhost"), strict=True):
        builder = blank().subject_name(called(name)).issuer_name(called("a CA"))
        builder = builder.public_key(own.public_key())
        is_ca = x509.BasicConstraints(own is ca_key, None)
        builder = builder.add_extension(is_ca, critical=True)
        if own is key:
            names = x509.SubjectAlternativeName([x509.DNSName(name)])
            builder = builder.add_extension(names, critical=False)
        made.append(builder.sign(ca_key, hashes.SHA256()).public_bytes(encoding).decode("ascii"))
    private = key.private_bytes(
        encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode("ascii"), made[1], made[0]


class AdminTests(PostgresSystemCase):
    async def test_beside_a_running_server(self) -> None:
        await self.moved()
        server = await self.server()
        await self.check_chat(server)
        alice, bob = await self.clients(server, "alice", "bob")
        await self.admin("disable", "alice")
        self.assertEqual(await alice.ended(), 5)
        self.assertIn("alice", await self.admin("users"))
        await self.admin("enable", "alice")
        await self.client("alice", server).online()
        await bob.do("block", name="carol")

    async def test_two_admins_at_once(self) -> None:
        await self.moved()
        where = ("--state", str(self.home / "state"))
        for name in ("alice", "bob", "carol"):
            two = [self.run_process(*ADMIN, *where, "remove", name, "--yes") for _ in range(2)]
            codes = sorted([await one.ended() for one in two])
            self.assertEqual(codes, [0, 1], two)
            self.assertTrue(any("SC-220" in one.errors for one in two), two)
        many = [self.run_process(*ADMIN, *where, "invite", f"u{n}", "v") for n in range(6)]
        for one in many:
            self.assertEqual(await one.ended(), 0, one)
        told = await self.admin("invites", "--json")
        self.assertEqual(told.count('"name": "v"'), 6)
        self.assertEqual(len(set(told.splitlines())), 12)


class MovingTests(PostgresSystemCase):
    async def test_there_and_back(self) -> None:
        await self.settle()
        server = await self.server()
        bob = await self.client("bob", server).online()
        await bob.do("block", name="mallory")
        await self.admin("invite", "dave", "erin")
        await self.admin("revoke", "I5")
        await self.admin("remove", "carol", "--yes")
        url = self.new_database()
        self.assertIn("SC-111", await self.refused("migrate", "--to", url))
        bob.send("exit")
        await bob.ended()
        await server.stop()
        before = await self._all()
        told = await self.admin("migrate", "--to", url)
        self.assertIn("users: 2, open invitations: 1, blocks: 1, names in quarantine: 1", told)
        self.assertEqual(await self._all(), before)
        folder = self.home / "state" / "server"
        self.assertFalse((folder / "registry.sqlite").exists())
        self.assertEqual((folder / "registry.sqlite.moved").stat().st_mode & 0o777, 0o600)
        self.assertIn("already", await self.refused("migrate", "--to", url))
        server = await self.server()
        await self.check_chat(server)
        bob = await self.client("bob", server).online()
        await self.blocks(bob, "mallory")
        self.assertIn("SC-111", await self.refused("migrate", "--to", "sqlite"))
        bob.send("exit")
        await bob.ended()
        await server.stop()
        await self.admin("migrate", "--to", "sqlite")
        self.assertFalse((folder / "registry.url").exists())
        self.assertEqual(await self._all(), before)
        (link,) = (await self.admin("invite", "--json", "frank")).splitlines()
        self.assertIn('"I6"', link)  # no number is used twice
        self.assertIn("not empty", await self.refused("migrate", "--to", url))
        await self.check_chat(await self.server())

    async def _all(self) -> list[str]:
        return [
            await self.admin(command, "--json") for command in ("users", "invites", "quarantine")
        ]

    async def test_not_while_another_machine_uses_it(self) -> None:
        url = await self.moved()
        address = read_state(self.home / "state", 1.8e9).address
        assert address is not None
        state = read_state(self.home / "state", 1.8e9)
        other = await deferToThread(postgres.connect, Address.parse(url), state.server_id)
        self.assertIn("SC-111", await self.refused("migrate", "--to", "sqlite"))
        other.close()
        await self.admin("migrate", "--to", "sqlite")

    async def test_into_a_database_that_is_away_or_not_ours_nothing_moves(self) -> None:
        await self.settle()
        self.new_database()
        before = await self._all()
        for url in (
            "postgresql://securecom@127.0.0.1:1/x",
            f"postgresql://securecom@/postgres?host={self.postgres.folder}&port={self.postgres.port}",
        ):
            await self.refused("migrate", "--to", url)
        self.assertEqual(await self._all(), before)
        self.assertEqual(
            sorted(path.name for path in (self.home / "state" / "server").iterdir()),
            ["ca.pem", "registry.sqlite", "server.pem", "settings.json"],
        )


class AwayTests(PostgresSystemCase):
    async def test_chats_go_on_log_ins_are_refused_and_all_is_well_when_it_is_back(self) -> None:
        own = PostgresServer()
        self.addCleanup(own.remove)
        own.start()
        await self.moved(own)
        server = await self.start_server().ready()
        alice, bob = await self.clients(server, "alice", "bob")
        await self.chat(alice, bob, "bob", "alice")
        await self.say(alice, bob, "before")
        await deferToThread(own.end, signal.SIGKILL)
        await self.say(alice, bob, "meanwhile")
        await alice.refused(305, "block", name="mallory")
        carol = self.client("carol", server)
        why = await carol.event("offline")
        self.assertIn("internal problem", why["why"])
        self.assertIn("SC-117", await self.refused("users"))
        await deferToThread(own.start)
        await carol.online()
        await self.say(bob, alice, "afterwards")
        await alice.do("block", name="mallory")
        await self.admin("disable", "bob")
        self.assertEqual(await bob.ended(), 5)
        self.assertNotIn("Traceback", server.output)
        await self.blocks(alice, "mallory")
