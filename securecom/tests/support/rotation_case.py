"""Alice at a server in memory, taking a new identity key."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.events import Asked
from securecom.client.key_events import KeyRenewed
from securecom.client.profile.identity_file import make_identity_file, read_identity_file
from securecom.client.profile.own_key import NEXT_FILE, OwnKey
from securecom.client.profile.passphrase import Given
from securecom.client.profile.profile import IDENTITY_FILE, Profile, read_profile
from securecom.client.profile.profiles import Profiles
from securecom.client.program import who
from securecom.client.program.command_line import parser
from securecom.client.rotation import Keeping
from securecom.errors import (
    ConnectionWasLost,
)
from securecom.identity import Name, PublicKey
from securecom.invitation import Host, token_hash
from securecom.server.session import Session
from securecom.tests.support.memory_client import MemoryClient
from securecom.tests.support.memory_server import NOW, MemoryServer, result
from securecom.tests.support.scripted_server import outcome

ALICE, BOB = Name("alice"), Name("bob")


class RotationCase(SynchronousTestCase):
    """Alice is online, with a profile on the disk; so is Bob, without one."""

    pass_phrase: bytes | None = None

    def setUp(self) -> None:
        self.patch(limits, "BCRYPT_ROUNDS", 1)
        self.elsewhere: Callable[[Callable[[], Any]], Deferred[Any]] = maybeDeferred
        self.server = MemoryServer()
        self.network = self.server.network
        self.data = Path(self.mktemp())
        self.folder = self.data / "profiles" / "alice"
        self.folder.mkdir(0o700, parents=True)
        self.identity = self.folder / IDENTITY_FILE
        self.coming = self.folder / NEXT_FILE
        self.make_profile(Path(IDENTITY_FILE))
        self.old = make_identity_file(self.identity_path, self.pass_phrase)
        self.enrol("alice", self.old.public_key)
        self.bob = MemoryClient(self.network, self.server.enrolled("bob"), self.server.pin).start()
        self.bob.notes.on_event = self.accept
        self.alice = self.start()

    @property
    def identity_path(self) -> Path:
        return read_profile(self.folder).identity_path

    def make_profile(self, identity: Path) -> None:
        host = Host("chat.example.org")
        Profile(self.folder, ALICE, host, 4241, self.server.pin, identity).save()

    def enrol(self, name: str, key: PublicKey) -> None:
        ticket = token_hash(key.raw)
        self.server.invite(name, ticket)
        result(self.server.registry.spend(ticket, key, NOW))

    def accept(self, event: object, person: MemoryClient | None = None) -> None:
        if isinstance(event, Asked):
            (person or self.bob).main.accept().addErrback(lambda _: None)

    def _elsewhere(self, call: Callable[[], Any]) -> Deferred[Any]:
        return self.elsewhere(call)

    def start(self, **settings: Any) -> MemoryClient:
        """A client of Alice's, from the disk."""
        asked = parser().parse_args([])
        source = Given(lambda: self.pass_phrase or b"")
        member = who.member(asked, Profiles(self.data), source)
        keeping = Keeping(OwnKey(member.profile), self._elsewhere, member.coming)
        person = MemoryClient(
            self.network,
            member.identity,
            member.profile.server,
            name=ALICE,
            keeping=keeping,
            **{"takeover": True, **settings},
        )
        return person.start()

    def end(self) -> None:
        """Alice's client, as it is when the power goes."""
        self.alice.client._service.stopService()
        self.cut_alices()
        self.network.pump()

    def cut_alices(self) -> None:
        if ALICE in self.server.reception.sessions._by_name:
            self.session.leg.fault(ConnectionWasLost("cut"))

    @property
    def session(self) -> Session:
        """Alice's, at the server."""
        return self.server.reception.sessions._by_name[ALICE]

    def renew(self, *secrets: str) -> list[Any]:
        self.alice.notes.secrets += secrets
        came = outcome(self.alice.main.keys.renew())
        self.network.pump()
        return came

    def fails(self, came: list[Any], kind: type[Exception]) -> Any:
        self.assertEqual([type(one) for one in came], [kind], came)
        return came[0]

    def on_disk(self) -> PublicKey:
        return read_identity_file(self.identity_path).unlock(self.pass_phrase).public_key

    def at_server(self) -> PublicKey:
        key: PublicKey = result(self.server.registry.user(ALICE)).key
        return key

    def check_old(self, came: list[Any], kind: type[Exception]) -> Any:
        """It came to nothing, and all is as before."""
        error = self.fails(came, kind)
        old = self.old.public_key
        self.assertEqual((self.on_disk(), self.at_server()), (old, old))
        self.assertFalse(os.path.lexists(self.coming))
        self.check_talks()
        return error

    def check_new(self, event: KeyRenewed, kept: str | None = None) -> None:
        """There is a new key, everywhere, and it works."""
        new = self.on_disk()
        self.assertNotEqual(new, self.old.public_key)
        self.assertEqual(new, self.at_server())
        self.assertEqual(self.alice.main.keys.own().fingerprint, new.fingerprint)
        told = KeyRenewed(self.old.public_key.fingerprint, new.fingerprint, kept)
        self.assertEqual(event, told)
        self.assertEqual([path.name for path in self.folder.glob("*.next*")], [])
        self.check_talks()

    def check_talks(self) -> None:
        self.assertEqual(outcome_now(self.network, self.alice.main.request_chat(BOB)), [None])
        self.alice.main.stop()
        self.network.pump()


def outcome_now(network: Any, deferred: Deferred[Any]) -> list[Any]:
    came = outcome(deferred)
    network.pump()
    return came
