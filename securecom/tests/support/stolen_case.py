"""Alice, who made twelve words, Bob, who has met her or will, and the thief of her key."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securecom.client.channels.enrol import retire
from securecom.client.events import (
    Asked,
    Event,
)
from securecom.identity import Identity, Name
from securecom.retirement import RetirementSecret
from securecom.tests.support.memory_client import MemoryClient
from securecom.tests.support.memory_server import STANDARD, MemoryServer
from securecom.tests.support.scripted_server import outcome
from securecom.tests.support.scripted_server_case import ALICE, BOB


class StolenCase(SynchronousTestCase):
    """Alice's key is about to be stolen; Bob has met her since she made her words."""

    def setUp(self) -> None:
        self.server = MemoryServer()
        self.network = self.server.network
        self.key = self.server.enrolled("alice")
        self.alice = self.person(self.key)
        self.bob = self.person(self.server.enrolled("bob"))
        (self.made,) = self.told(self.alice.main.keys.make_retirement())
        self.words = " ".join(self.made.words)

    def person(self, identity: Identity, **settings: Any) -> MemoryClient:
        person = MemoryClient(self.network, identity, self.server.pin, **settings)
        person.notes.on_event = lambda event: self.accept(person, event)
        return person.start()

    def accept(self, person: MemoryClient, event: Event) -> None:
        if isinstance(event, Asked):
            person.main.accept().addErrback(lambda _: None)

    def told(self, deferred: Any) -> list[Any]:
        came = outcome(deferred)
        self.network.pump()
        return came

    def chat(self, caller: MemoryClient, callee: Name) -> list[Any]:
        return self.told(caller.main.request_chat(callee))

    def meet(self) -> None:
        self.assertEqual(self.chat(self.alice, BOB), [None])
        self.told(self.alice.main.stop())

    def steal(self) -> MemoryClient:
        """The thief's client, with Alice's key; hers is out."""
        return self.person(self.key, takeover=True)

    def retire(self, who: MemoryClient, words: str = "", name: Name = ALICE) -> list[Any]:
        who.notes.secrets.append(words or self.words)
        return self.told(who.main.keys.retire(name))

    def retire_without_a_client(self, words: str = "", server: bytes = b"") -> list[Any]:
        """`securecom --retire`."""
        secret = RetirementSecret.from_words(words or self.words)
        pin = server or self.server.pin
        said = (pin, ALICE, secret.public, secret.retire(pin, ALICE))
        endpoint = self.network.client_endpoint(STANDARD)
        return self.told(retire(endpoint, *said, self.network.clock))

    def log_in(self, identity: Identity) -> list[Any]:
        """What a log-in comes to that is not given up."""
        return self.person(identity, attempts=1).done
