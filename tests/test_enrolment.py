"""Who may come in: invitations, enrolment, and the pass phrase of one's key."""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
import stat
from pathlib import Path

from twisted.internet.defer import gatherResults
from twisted.trial.unittest import SkipTest

from securecom import peers, refusals, tls, vocabulary
from securecom.identity import Identity
from securecom.invitation import Invitation
from securecom.tests.support.identity_file_case import key_file
from tests.support.intermediaries import Modified, connect, identity_of, soon
from tests.support.processes import environment
from tests.support.programs import CLIENT, Client
from tests.support.system_case import SystemCase

IDENTITY_PROBLEM, INVITATION_REFUSED = 210, 502


class EnrolmentTests(SystemCase):
    async def test_from_a_link(self) -> None:
        server = await self.server()
        (link,) = await self.invite("dave")
        dave = await self.enrolling(link, "dave", "--no-pass", "--available").online()
        self.assertEqual(dave.told("online")[0]["name"], "dave")
        self.assertEqual(dave.told("online")[0]["server"], server.fingerprint)
        alice = await self.client("alice", server).online()
        await self.chat(alice, dave, "dave", "alice")
        await self.say(alice, dave, "welcome")
        for path in (self.home / "dave").rglob("*"):
            mode = stat.S_IMODE(path.stat().st_mode)
            self.assertEqual(mode, 0o700 if path.is_dir() else 0o600, path)
        self.assertIn("dave", [user["name"] for user in await self._users()])

    async def test_a_spent_invitation(self) -> None:
        await self.server()
        (link,) = await self.invite("dave")
        dave = await self.enrolling(link, "dave").online()
        dave.end_input()
        self.assertEqual(await dave.ended(), 0)
        await self._is_refused(link)

    async def test_a_revoked_invitation(self) -> None:
        await self.server()
        (link,) = await self.invite("dave")
        await self.admin("revoke", "dave")
        await self._is_refused(link)

    async def test_an_expired_invitation(self) -> None:
        """It was good for a day, and is put back by 26 hours in the registry."""
        await self.server()
        (link,) = await self.invite("dave")
        self._a_day_passes()
        await self._is_refused(link)

    async def test_an_invented_invitation(self) -> None:
        await self.server()
        (link,) = await self.invite("dave")
        real = Invitation.parse(link)
        token = bytes(len(real.token))
        await self._is_refused(Invitation(real.host, real.standard_port, real.server, token).link())
        await self.enrolling(link, "dave").online()

    async def test_fifty_at_once(self) -> None:
        """Fifty connections, each with a key of its own, from as many addresses: one wins."""
        server = await self.server()
        (link,) = await self.invite("dave")
        invitation = Invitation.parse(link)
        visitors = []
        for number in range(50):
            visitor = self.ends(Modified(tls.ALPN_ENROL))
            identity = Identity.generate()
            options = tls.enrol_client(identity, invitation.server)
            await connect(visitor, server.standard, options, f"127.0.1.{number + 1}")
            visitors.append((visitor, identity))
        answers = []
        for visitor, identity in visitors:
            await soon(visitor.ready)
            proof = peers.signed_for_server(visitor.tls, invitation.server, identity, peers.ENROL)
            enrolled = visitor.control.call(vocabulary.Enrol, token=invitation.token, **proof)
            answers.append(enrolled)
        outcomes = await soon(gatherResults([answer.addBoth(_outcome) for answer in answers]))
        self.assertEqual(sorted(outcomes), ["bad"] * 49 + ["dave"])
        self.assertEqual(len([u for u in await self._users() if u["name"] == "dave"]), 1)

    async def test_ten_processes_at_once(self) -> None:
        await self.server()
        (link,) = await self.invite("dave")
        racers = [self.enrolling(link, f"racer{number}") for number in range(10)]
        for racer in racers:
            racer.end_input()
        codes = sorted([await racer.ended() for racer in racers])
        self.assertEqual(codes, [0] + [5] * 9)

    async def test_an_identity_of_ones_own(self) -> None:
        if shutil.which("ssh-keygen") is None:
            raise SkipTest("there is no ssh-keygen here")
        path = self.home / "id_ed25519"
        make = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "sesame", "-a", "4", "-f", str(path))
        self.assertEqual((await self.finished(*make)).exit_code, 0)
        shown = (await self.finished("ssh-keygen", "-l", "-f", str(path))).output.split()[1]
        before = path.read_bytes()
        server = await self.server()
        (link,) = await self.invite("dave")
        word = self._secret("sesame")
        options = ("--identity", str(path), "--pass-file", word, "--available")
        dave = await self.enrolling(link, "dave", *options).online()
        alice = await self.client("alice", server).online()
        await self.chat(alice, dave, "dave", "alice")
        own = identity_of(path.read_bytes(), b"sesame").public_key
        self.assertEqual(own.first.fingerprint, shown)
        self.assertEqual(alice.told("chat-started")[0]["fingerprint"], own.fingerprint)
        self.assertEqual(path.read_bytes(), before)
        self.assertEqual(list((self.home / "dave").rglob("identity")), [])
        again = ("ssh-keygen", "-q", "-p", "-P", "sesame", "-N", "open", "-a", "4", "-f", str(path))
        self.assertEqual((await self.finished(*again)).exit_code, 0)
        self.assertEqual(identity_of(path.read_bytes(), b"open").public_key, own)

    async def test_a_key_without_a_seed_is_refused_before_anything_is_spent(self) -> None:
        await self.server()
        (link,) = await self.invite("dave")
        path = self.home / "id_ed25519_sk"
        path.write_bytes(key_file(b"none", b"none", kind=b"sk-ssh-ed25519@openssh.com"))
        path.chmod(0o600)
        argv = [*CLIENT, link, "--data-dir", str(self.home / "dave"), "--identity", str(path)]
        refused = await self.finished(*argv, "--plain")
        self.assertEqual(refused.exit_code, 1, refused)
        self.assertIn(f"SC-{IDENTITY_PROBLEM}", refused.errors)
        self.assertIn("in a security key, not in the file: no second key", refused.errors)
        self.assertFalse((self.home / "dave").exists())
        await self.enrolling(link, "dave").online()

    def _secret(self, text: str) -> str:
        path = self.home / "word"
        path.write_text(text + "\n")
        path.chmod(0o600)
        return str(path)

    def _a_day_passes(self) -> None:
        path = self.home / "state" / "server" / "registry.sqlite"
        with sqlite3.connect(path) as registry:
            registry.execute("UPDATE invitations SET expires = expires - 26 * 3600")
        registry.close()

    async def _is_refused(self, link: str) -> None:
        late = self.enrolling(link, "late")
        await late.event("problem", code=INVITATION_REFUSED)
        self.assertEqual(await late.ended(), 5)
        names = [user["name"] for user in await self._users()]
        self.assertLessEqual(set(names), {"alice", "bob", "carol", "dave"})

    async def _users(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in (await self.admin("users", "--json")).splitlines()]


def _outcome(result: object) -> str:
    if isinstance(result, dict):
        return str(result["name"])
    return "bad" if result.check(refusals.BadInvitation) else repr(result)  # type: ignore[attr-defined]


class PassPhraseTests(SystemCase):
    async def test_from_a_file_and_from_a_descriptor(self) -> None:
        server = await self.server()
        (link,) = await self.invite("dave")
        right, wrong, empty, open_to_all = (
            self._file(name, text)
            for name, text in (("r", "open\n"), ("w", "shut\n"), ("e", ""), ("o", "open\n"))
        )
        open_to_all.chmod(0o644)
        dave = await self.enrolling(link, "dave", "--pass-file", str(right)).online()
        dave.end_input()
        self.assertEqual(await dave.ended(), 0)
        self.point("dave", server.standard)
        (key,) = (self.home / "dave").rglob("identity")
        self.assertIn(b"bcrypt", _decoded(key))
        for options in (
            ("--pass-file", str(wrong)),
            ("--pass-file", str(empty)),
            ("--pass-file", str(open_to_all)),
            ("--pass-file", str(self.home / "nowhere")),
            ("--no-pass",),
            (),  # nobody can be asked: standard input is no terminal
        ):
            refused = self._dave(*options)
            self.assertEqual(await refused.ended(), 1, options)
            self.assertEqual(refused.errors.count("\n"), 1)
            self.assertIn("SC-", refused.errors)
            self.assertEqual(refused.events, [])
        again = self._dave("--pass-file", str(right))
        again.end_input()
        self.assertEqual(await again.ended(), 0)
        for word, code in ((b"open\nmore", 0), (b"shut\n", 1)):
            given = self._dave("--pass-fd", "3", files={0: "w", 1: "r", 2: "r", 3: "w"})
            given.give(3, word)
            given.end_input()
            self.assertEqual(await given.ended(), code, f"{word!r}\n{given}")

    def _dave(self, *options: str, **named: object) -> Client:
        argv = [*CLIENT, "--json", "--data-dir", str(self.home / "dave"), *options]
        client: Client = self.started(Client(argv, environment(self.home), **named))
        return client

    def _file(self, name: str, text: str) -> Path:
        path = self.home / name
        path.write_text(text)
        path.chmod(0o600)
        return path


def _decoded(path: Path) -> bytes:
    return base64.b64decode(b"".join(path.read_bytes().splitlines()[1:-1]))
