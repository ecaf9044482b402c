"""Alice on one node and Bob on another, for tests of what happens between nodes."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, refusals, vocabulary
from securecom.identity import Name
from securecom.tests.support.memory_cluster import MemoryCluster
from securecom.tests.support.memory_server import ManualClient, chatting

AVAILABLE = {"available": True}


class ClusterCase(SynchronousTestCase):
    """Alice on the first node, Bob on the second, both available."""

    def setUp(self) -> None:
        self.cluster = MemoryCluster()
        self.one, self.two = self.cluster.nodes
        self.identities = {name: self.one.enrolled(name) for name in ("alice", "bob", "carol")}
        self.alice = self.came("alice", 0)
        self.bob = self.came("bob", 1)

    def came(self, name: str, node: int, channel_at: int | None = None) -> ManualClient:
        """Somebody logs in at this node and is available."""
        nodes = self.cluster.nodes
        at = None if channel_at is None else nodes[channel_at]
        client = nodes[node].came(self.identities[name], at)
        client.done(client.ask(vocabulary.SetAvailability, **AVAILABLE))
        return client

    def ask(self, who: ManualClient, name: str, **more: Any) -> Deferred[Any]:
        return who.ask(vocabulary.RequestChat, callee=Name(name), **more)

    def assert_no_answer(self, asked: Deferred[Any]) -> None:
        """Not now, but when the time that was drawn is up."""
        self.assertNoResult(asked)
        self.cluster.network.advance(limits.REQUEST_STANDS + 1)
        self.failureResultOf(asked, refusals.NoAnswer)

    def assert_free(self, *clients: ManualClient) -> None:
        """Each can chat with Carol, who is on the first node."""
        carol = self.came("carol", 0)
        for client in clients:
            stream = chatting(client, carol, "carol")
            client.done(client.ask(vocabulary.EndChat, stream=stream))
