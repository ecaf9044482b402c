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
        #: Alice's server, or her node of it, and that of the others.
        self.home, self.server = self.servers()
        self.alice = self.home.client("alice")
        self.bob = self.server.client("bob")
        self.carol = self.server.client("carol")

    @staticmethod
    def servers() -> tuple[MemoryServer, MemoryServer]:
        """One server for all."""
        server = MemoryServer()
        return server, server

    def ask(self, who: ManualClient, name: str) -> Deferred[Any]:
        return who.ask(vocabulary.RequestChat, callee=Name(name))

    def assert_no_answer(self, asked: Deferred[Any]) -> None:
        """Not now, whatever the server knows, but when the time that was drawn is up."""
        self.assertNoResult(asked)
        self.server.network.advance(limits.REQUEST_STANDS + 1)  # MemoryServer draws small numbers
        self.failureResultOf(asked, refusals.NoAnswer)

    def assert_free(self, *clients: ManualClient) -> None:
        """Each can have a chat with Dave, who came just now."""
        dave = self.server.client("dave")
        for client in clients:
            stream = chatting(client, dave, "dave")
            client.done(client.ask(vocabulary.EndChat, stream=stream))
