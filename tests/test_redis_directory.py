"""The directory over a real engine: the contract, and what engines and connections suffer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import Certificate
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from securecom import limits
from securecom.errors import DirectoryAway
from securecom.identity import Name
from securecom.server.cluster.directory import Directory, NodeUnknown
from securecom.server.cluster.engine_address import EngineAddress
from securecom.tests.support.directory_contract import (
    ALICE,
    AWKWARD,
    BOB,
    SERVER,
    DirectoryContract,
    ident,
    node,
    outcomes,
    place,
)
from securecom.tests.support.memory_engine import NO_TXREDISAPI
from securecom.tests.support.server_certificates import Authority
from tests.support.engines import RunningEngine
from tests.support.ports import OwnPort
from tests.support.processes import DEADLINE, reactor

try:
    from securecom.server.cluster.engine import Engine, EngineError
    from securecom.server.cluster.redis_directory import RedisDirectory
except ModuleNotFoundError:
    skip = NO_TXREDISAPI

#: The commands that a user of the engine needs, for its access list.
NEEDED = (
    *("ping", "select", "evalsha", "eval", "exists", "get"),
    *("set", "del", "pexpire", "sadd", "srem", "smembers", "time"),
)


#: Seconds; whatever takes half as long has waited for a deadline.
FAR = 2 * DEADLINE


class EngineCase(TestCase):
    """An engine, and directories over it."""

    timeout = 120.0
    engine_options: tuple[str, ...] = ()
    #: The engine's program; None for any.
    program: str | None = None

    def setUp(self) -> Deferred[None]:  # type: ignore[override]
        return Deferred.fromCoroutine(self.prepare())

    async def prepare(self) -> None:
        self.engine = RunningEngine(*self.engine_options, name=self.program)
        self.addCleanup(self.engine.close)
        await self.engine.ready()

    def way(self, url: str | None = None, **log_in: Any) -> Engine:
        """A connection to it."""
        endpoint = EngineAddress.parse(url or self.engine.url).endpoint(reactor)
        return Engine(reactor, endpoint, **log_in)

    def open(self, server: bytes = SERVER, **log_in: Any) -> Directory:
        directory = RedisDirectory(reactor, self.way(**log_in), server)
        self.addCleanup(directory.close)
        return directory

    async def command(self, *words: str | int) -> Any:
        """Say something to the engine, on a connection of its own."""
        way = self.way()
        try:
            return await way.ask(*words)
        finally:
            await way.close()

    async def pass_time(self, seconds: float) -> None:
        await deferLater(reactor, seconds)


class AnyContract(EngineCase, DirectoryContract):
    """Over the engine that is installed."""

    moment = 2.0

    def setUp(self) -> Deferred[None]:  # type: ignore[override]
        self.patch(limits, "NODE_LAPSE", 3.0)
        return super().setUp()

    async def pass_time(self, seconds: float) -> None:
        """And what was due meanwhile has come to its end, even if it was due just now."""
        await super().pass_time(seconds)
        for _ in range(3):
            await super().pass_time(0)

    async def wipe(self) -> None:
        await self.command("FLUSHALL")

    def freeze(self) -> None:
        """From now on deadlines are waited for, so they are short."""
        self.patch(limits, "DIRECTORY_DEADLINE", 0.4)
        self.patch(limits, "DIRECTORY_HASTE", 0.2)
        self.engine.freeze()

    def thaw(self) -> None:
        self.patch(limits, "DIRECTORY_DEADLINE", FAR)
        self.engine.thaw()


class ValkeyContract(AnyContract):
    """The same, where Valkey is installed; the other cases take what there is."""

    program = "valkey-server"


class FaultTests(EngineCase):
    """With the real deadlines, or one that is far where nothing may wait for it."""

    engine_options = ("--lua-time-limit", "60000")

    async def prepare(self) -> None:
        await super().prepare()
        self.one, self.other = self.open(), self.open()
        await self.one.announce(node(1))
        await self.other.announce(node(2))

    async def at_once(self, result: Deferred[Any]) -> Any:
        """What it fires with, long before a deadline that is `FAR`."""
        start = reactor.seconds()
        try:
            return await result
        finally:
            self.assertLess(reactor.seconds() - start, FAR / 2)

    async def test_a_killed_engine_fails_what_it_was_asked_at_once(self) -> None:
        self.patch(limits, "DIRECTORY_DEADLINE", FAR)
        self.engine.freeze()
        asked = [self.one.where(ALICE) for _ in range(20)]
        caught = DeferredList(asked, consumeErrors=True)
        await self.engine.kill()
        found = outcomes(await self.at_once(caught))
        self.assertEqual(found, [DirectoryAway] * 20)

    async def test_while_it_is_away_everything_fails_at_once(self) -> None:
        self.patch(limits, "DIRECTORY_DEADLINE", FAR)
        await self.engine.kill()
        for _ in range(3):
            failure = self.assertFailure(self.one.announce(node(1)), DirectoryAway)
            error = await self.at_once(failure)
            self.assertIn("cannot be reached", str(error))

    async def test_a_restarted_engine_is_found_and_knows_nobody(self) -> None:
        await self.one.claim(ALICE, place(1, 1), False)
        await self.engine.restart()
        self.assertIs(await self.one.announce(node(1)), False)
        self.assertIsNone(await self.other.where(ALICE))
        self.assertIsNone(await self.one.claim(ALICE, place(1, 1), False))
        self.assertEqual(await self.other.where(ALICE), place(1, 1))

    async def test_a_frozen_engine_is_found_again(self) -> None:
        """Two questions wait for their deadline, the next one knows better."""
        real = limits.DIRECTORY_DEADLINE
        self.engine.freeze()
        for deadline in (real, real, FAR):
            self.patch(limits, "DIRECTORY_DEADLINE", deadline)
            await self.at_once(self.assertFailure(self.one.announce(node(1)), DirectoryAway))
        self.patch(limits, "DIRECTORY_DEADLINE", real)
        self.engine.thaw()
        await self.found_again(self.one)

    async def found_again(self, directory: Directory) -> None:
        """Within the time that a node has."""
        end = reactor.seconds() + limits.NODE_LAPSE
        while True:
            try:
                await directory.announce(node(1))
                return
            except DirectoryAway:
                self.assertLess(reactor.seconds(), end)
                await self.pass_time(0.2)

    async def test_an_engine_that_pauses_for_less_than_the_deadline_answers(self) -> None:
        self.patch(limits, "DIRECTORY_DEADLINE", FAR)
        self.engine.freeze()
        claimed = self.one.claim(ALICE, place(1, 1), False)
        await self.pass_time(1)
        self.engine.thaw()
        self.assertIsNone(await claimed)

    async def test_a_connection_that_the_engine_ends_is_made_again(self) -> None:
        for _ in range(3):
            await self.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            await self.pass_time(0.1)
            self.assertIs(await self.one.announce(node(1)), True)

    async def test_scripts_that_the_engine_forgot_are_given_again(self) -> None:
        await self.command("SCRIPT", "FLUSH")
        self.assertIsNone(await self.one.claim(ALICE, place(1, 1), False))
        self.assertEqual(await self.other.where(ALICE), place(1, 1))

    async def test_a_slow_script_of_somebody_else_is_waited_for(self) -> None:
        """However slow, on a machine that is busy: no deadline is near."""
        self.patch(limits, "DIRECTORY_DEADLINE", FAR)
        loop = "local n = 0; for i = 1, 2e7 do n = n + i end; return 1"
        other = self.way()
        await other.ask("PING")
        slow = other.ask("EVAL", loop, 0)
        await self.pass_time(0.1)
        self.assertIsNone(await self.one.where(ALICE))
        await slow
        await other.close()

    async def test_a_wiped_engine_in_the_midst_of_claims(self) -> None:
        claims = [self.one.claim(ALICE, place(1, n), True) for n in range(100)]
        wiped = Deferred.fromCoroutine(self.command("FLUSHALL"))
        found = outcomes(await DeferredList(claims, consumeErrors=True))
        await wiped
        self.assertTrue(all(one is None or one is NodeUnknown or one.node for one in found))
        await self.one.announce(node(1))
        self.assertIn(await self.one.claim(ALICE, place(1, 200), True), [None, place(1, 99)])
        self.assertEqual(await self.other.where(ALICE), place(1, 200))

    async def test_every_key_expires(self) -> None:
        await self.one.claim(ALICE, place(1, 1), False)
        await self.one.keep(ALICE, b"facts", 60)
        keys = sorted(await self.command("KEYS", "*"))
        prefix = b"securecom:0101010101010101:"
        self.assertEqual(
            [key.removeprefix(prefix).split(b":")[0] for key in keys],
            [b"node", b"node", b"nodes", b"person", b"restraints", b"session"],
        )
        left = [await self.command("PTTL", key) for key in keys]
        longest = [limits.NODE_LAPSE] * 3 + [limits.PLACE_LAPSE, 60, limits.PLACE_LAPSE]
        for key, found, most in zip(keys, left, longest, strict=True):
            self.assertTrue(0 < found <= most * 1000, key)

    async def test_a_place_that_was_lost_comes_back(self) -> None:
        await self.one.claim(ALICE, place(1, 1), False)
        await self.command("DEL", "securecom:0101010101010101:person:alice")
        await self.one.announce(node(1))
        self.assertEqual(await self.one.where(ALICE), place(1, 1))

    async def test_a_place_that_lapses_is_told_again(self) -> None:
        key = "securecom:0101010101010101:person:alice"
        await self.one.claim(ALICE, place(1, 1), False)
        await self.command("PEXPIRE", key, 5000)
        await self.one.announce(node(1))
        await self.one.where(ALICE)
        self.assertGreater(await self.command("PTTL", key), 10_000)

    async def test_a_place_that_another_took_is_left_alone(self) -> None:
        await self.one.claim(ALICE, place(1, 1), False)
        await self.other.claim(ALICE, place(2, 2), True)
        await self.one.announce(node(1))
        await self.one.where(ALICE)
        self.assertEqual(await self.one.where(ALICE), place(2, 2))
        self.assertIsNone(await self.one.holder(place(1, 1).session))

    async def test_whoever_is_asked_for_the_engine_does_the_same(self) -> None:
        await self.one.claim(ALICE, place(1, 1), False)
        await self.one.depart(ident(1))  # alice is on a dead node
        await self.other.claim(BOB, place(2, 2), False)
        seen = []
        for name in (ALICE, BOB, Name("carol")):
            await self.command("CONFIG", "RESETSTAT")
            await self.one.where(name)
            stats = (await self.command("INFO", "commandstats")).decode()
            calls = re.findall(r"cmdstat_(evalsha|get|exists|set|del):calls=(\d+)", stats)
            seen.append(sorted(calls))
        self.assertEqual(seen[0], [("evalsha", "1"), ("exists", "1"), ("get", "1")])
        self.assertEqual(seen[1:], seen[:1] * 2)


class AccessTests(EngineCase):
    """Passwords, users and databases."""

    engine_options = ("--requirepass", "secret")

    async def command(self, *words: str | int) -> Any:
        way = self.way(password="secret")
        try:
            return await way.ask(*words)
        finally:
            await way.close()

    async def test_the_password(self) -> None:
        good = self.open(password="secret")
        self.assertIs(await good.announce(node(1)), False)
        wrong: list[dict[str, Any]] = [
            {},
            {"password": "wrong"},
            {"password": "secret", "user": "nobody"},
        ]
        for log_in in wrong:
            bad = self.open(**log_in)
            for _ in range(2):
                error: Any = await self.assertFailure(bad.announce(node(1)), DirectoryAway)
                self.assertRegex(str(error), "NOAUTH|WRONGPASS")

    async def test_a_password_that_is_set_right_later_is_taken(self) -> None:
        one = self.open(password="new")
        await self.assertFailure(one.announce(node(1)), DirectoryAway)
        await self.command("CONFIG", "SET", "requirepass", "new")
        self.assertIs(await one.announce(node(1)), False)

    async def test_a_user_with_what_the_directory_needs(self) -> None:
        rights = [f"+{word}" for word in NEEDED]
        allowed = "~securecom:0101010101010101:*"
        await self.command("ACL", "SETUSER", "node", "on", ">word", allowed, *rights)
        one = self.open(user="node", password="word")
        await one.announce(node(1))
        await one.claim(ALICE, place(1, 1), False)
        await one.keep(ALICE, b"facts", 60)
        self.assertEqual((await one.recall(ALICE)).facts, b"facts")
        await one.forget(frozenset({ALICE}))
        self.assertEqual(await one.where(ALICE), place(1, 1))
        self.assertEqual(await one.nodes(), [node(1)])
        await one.release(ALICE, place(1, 1))
        await one.depart(ident(1))
        other = self.open(b"\x02" * 32, user="node", password="word")
        error: Any = await self.assertFailure(other.announce(node(1)), EngineError)
        self.assertEqual(error.word, "NOPERM")

    async def test_a_database_of_its_own(self) -> None:
        one, other = (self.open(password="secret", db=db) for db in (0, 3))
        await one.announce(node(1))
        self.assertIs(await other.announce(node(1)), False)
        wrong = self.open(password="secret", db=99)
        error: Any = await self.assertFailure(wrong.announce(node(1)), DirectoryAway)
        self.assertIn("DB index is out of range", str(error))

    async def test_memory_that_is_full(self) -> None:
        one = self.open(password="secret")
        await one.announce(node(1))
        await self.command("CONFIG", "SET", "maxmemory", "1")
        error: Any = await self.assertFailure(one.claim(ALICE, place(1, 1), False), EngineError)
        self.assertEqual(error.word, "OOM")
        self.assertIsNone(await one.where(ALICE))


class TLSTests(EngineCase):
    """The engine has to be the one that the URL names."""

    async def prepare(self) -> None:
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir()
        authority = Authority()
        self.ca = self.write("ca", authority.certificate)
        self.stranger = self.write("stranger", Authority().certificate)
        self.credentials = authority.credentials(names=("localhost",))
        self.certificate = self.write("certificate", self.credentials.certificate)
        self.key = self.home / "key"
        key = self.credentials.key
        raw = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.key.write_bytes(raw)

    def write(self, name: str, certificate: Certificate) -> Path:
        path = self.home / name
        path.write_bytes(certificate.public_bytes(Encoding.PEM))
        return path

    def over_tls(self, host: str, port: int, ca: Path | None) -> Engine:
        address = EngineAddress.parse(f"rediss://{host}:{port}")
        engine = Engine(reactor, address.endpoint(reactor, ca), password="secret")
        self.addCleanup(engine.close)
        return engine

    async def test_the_engine_that_is_meant(self) -> None:
        own = OwnPort()
        self.addCleanup(own.release)
        port = own.number
        files = ("--tls-cert-file", self.certificate, "--tls-key-file", self.key)
        trusted = ("--tls-ca-cert-file", self.ca, "--tls-auth-clients", "no")
        places = ("--tls-port", port, "--bind", "127.0.0.1", "--requirepass", "secret")
        self.engine = RunningEngine(*map(str, (*files, *trusted, *places)))
        self.addCleanup(self.engine.close)
        await self.engine.ready()
        engine = self.over_tls("localhost", port, self.ca)
        directory = RedisDirectory(reactor, engine, SERVER)
        self.assertIs(await directory.announce(node(1)), False)
        await directory.keep(ALICE, AWKWARD * 5000, 60)
        self.assertEqual((await directory.recall(ALICE)).facts, AWKWARD * 5000)
        self.engine.freeze()
        await self.assertFailure(directory.announce(node(1)), DirectoryAway)
        self.engine.thaw()

    async def test_no_other_one_hears_the_password(self) -> None:
        heard: list[bytes] = []

        class Impostor(Protocol):
            def dataReceived(self, data: bytes) -> None:
                heard.append(data)

        context = PrivateCertificate.loadPEM(
            self.certificate.read_bytes() + self.key.read_bytes()
        ).options()
        listening = reactor.listenSSL(
            0, Factory.forProtocol(Impostor), context, interface="127.0.0.1"
        )
        self.addCleanup(listening.stopListening)
        port = listening.getHost().port
        wrong = {
            "its certificate is for another name": ("127.0.0.1", self.ca),
            "TLS: certificate verify failed": ("localhost", self.stranger),
            "certificate verify failed": ("localhost", None),  # the system's CAs
        }
        for why, (host, ca) in wrong.items():
            engine = self.over_tls(host, port, ca)
            error = await self.assertFailure(engine.ask("PING"), DirectoryAway)
            self.assertIn(why, str(error))
        self.assertEqual(heard, [])
        right = self.over_tls("localhost", port, self.ca)  # the impostor hears what it may
        await self.assertFailure(right.ask("PING"), DirectoryAway)
        self.assertIn(b"secret", b"".join(heard))

    async def test_an_engine_without_tls_hears_no_password(self) -> None:
        heard: list[bytes] = []

        class Plain(Protocol):
            def dataReceived(self, data: bytes) -> None:
                heard.append(data)
                assert self.transport is not None
                self.transport.loseConnection()

        listening = reactor.listenTCP(0, Factory.forProtocol(Plain), interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        engine = self.over_tls("localhost", listening.getHost().port, self.ca)
        await self.assertFailure(engine.ask("PING"), DirectoryAway)
        self.assertNotIn(b"secret", b"".join(heard))
