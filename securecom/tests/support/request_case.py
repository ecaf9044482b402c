"""A server in memory with two clients, for tests of chat requests."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, refusals, vocabulary
from securecom.identity import Name
from securecom.tests.support.memory_server import ManualClient, MemoryServer, chatting


class RequestCase(SynchronousTestCase):
    """Alice, Bob and Carol, available."""

    def setUp(self) -> None:
        self.house = MemoryServer()
        self.alice = self.house.hand("alice")
        self.bob = self.house.hand("bob")
        self.carol = self.house.hand("carol")

    def ask(self, who: ManualClient, name: str) -> Deferred[Any]:
        return who.ask(vocabulary.RequestChat, callee=Name(name))

    def assert_no_answer(self, asked: Deferred[Any]) -> None:
        """Not now, whatever the server knows, but when the time that was drawn is up."""
        self.assertNoResult(asked)
        self.house.network.advance(limits.REQUEST_STANDS + 1)  # the house draws small numbers
        self.failureResultOf(asked, refusals.NoAnswer)

    def assert_free(self, *hands: ManualClient) -> None:
        """Each can have a chat with Dave, who came just now."""
        dave = self.house.hand("dave")
        for hand in hands:
            stream = chatting(hand, dave, "dave")
            hand.done(hand.ask(vocabulary.EndChat, stream=stream))
