"""Two whole clients at a whole server, all in memory."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from securecom.client.events import (
    Asked,
    ChatStarted,
    Event,
    Message,
)
from securecom.errors import PeerKeyChanged
from securecom.identity import Identity, Name
from securecom.tests.support.memory_client import MemoryClient
from securecom.tests.support.memory_server import MemoryServer
from securecom.tests.support.scripted_server import outcome
from securecom.tests.support.scripted_server_case import BOB


class TwoClientsCase(SynchronousTestCase):
    """The real server and whole clients, in memory."""

    def setUp(self) -> None:
        self.server = MemoryServer()
        self.network = self.server.network
        self.alice = self.person(self.server.enrolled("alice"))
        self.bob_key = self.server.enrolled("bob")
        self.bob = self.person(self.bob_key)

    def person(self, identity: Identity) -> MemoryClient:
        person = MemoryClient(self.network, identity, self.server.pin)
        person.notes.on_event = lambda event: self.accept(person, event)
        return person.start()

    def accept(self, person: MemoryClient, event: Event) -> None:
        if isinstance(event, Asked):
            person.main.accept().addErrback(lambda _: None)

    def chat(self, caller: MemoryClient, callee: Name) -> list[object]:
        came = outcome(caller.main.request_chat(callee))
        self.network.pump()
        return came

    def met(self) -> None:
        """Alice and Bob have had a chat, and it is over."""
        self.assertEqual(self.chat(self.alice, BOB), [None])
        self.alice.main.say("hello")
        self.alice.main.stop()
        self.network.pump()

    def check_caught(self, came: list[object], other: MemoryClient) -> None:
        """Alice's client let nobody in, and said nothing."""
        self.assertEqual([type(one) for one in came], [PeerKeyChanged])
        self.assertEqual(len(self.alice.notes.of(ChatStarted)), 1)
        self.assertEqual(other.notes.of(Message)[1:], [])
        self.assertEqual(other.notes.of(ChatStarted)[1:], [])
