"""A node as a service, with real links over the network in memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, refusals, vocabulary
from securecom.errors import DirectoryAway
from securecom.identity import Name
from securecom.server.cluster.cluster_switchboard import ClusterSwitchboard
from securecom.server.cluster.node_service import NodeService, NodeSettings
from securecom.server.database import in_memory
from securecom.server.session import no_pause
from securecom.tests.support.memory_cluster import PatientNetwork
from securecom.tests.support.memory_directory import MemoryDirectory, MemoryEngine
from securecom.tests.support.memory_server import (
    ManualClient,
    MemoryServer,
    Shared,
    chatting,
    new_ca,
    numbered,
)


class ServedNode(MemoryServer):
    """A server whose other nodes are real ones."""

    def __init__(self, shared: Shared, engine: MemoryEngine, number: int) -> None:
        self.engine, self.number = engine, number
        super().__init__(shared=shared)
        self.service.join(self.reception)

    def new_switchboard(self, random: Callable[[int], bytes]) -> ClusterSwitchboard:
        network, source = self.network, numbered()
        self.service = NodeService(
            network.clock,
            time.time(),
            lambda length: bytes([self.number]) + source(length)[1:],
            self.shared.ca,
            lambda _host, port: network.client_endpoint(port),
            NodeSettings(
                MemoryDirectory(self.engine), network.server_endpoint(), "node.example.org"
            ),
            no_pause,
        )
        return self.service.switchboard

    def start(self) -> Any:
        """As `Server` does."""
        self.service.privilegedStartService()
        self.service.startService()
        return self.service.listening.addCallback(self.service.begin)


class NodeServiceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = PatientNetwork()
        self.engine = MemoryEngine(self.network.clock)
        self.shared = Shared(self.network, new_ca(), in_memory(), None)
        self.nodes = [ServedNode(self.shared, self.engine, number) for number in (1, 2)]

    def start(self) -> None:
        for node in self.nodes:
            self.successResultOf(node.start())
        self.network.advance(limits.HEARTBEAT + limits.NODE_RETRY_LAST)

    def people(self) -> tuple[ManualClient, ManualClient]:
        """Alice on one node, and Bob on the other."""
        one, two = self.nodes
        return one.client("alice"), two.client("bob")

    def test_nodes_find_each_other(self) -> None:
        """From the first heartbeat of the last one on, their people can chat."""
        self.start()
        alice, bob = (
            node.client(name) for node, name in zip(self.nodes, ("alice", "bob"), strict=True)
        )
        stream = chatting(alice, bob, "bob")
        alice.send(stream, b"hello")
        bob.send(stream, b"and back")
        self.network.advance(1)
        self.assertEqual((bob.received, alice.received), (b"hello", b"and back"))
        alice.done(alice.ask(vocabulary.EndChat, stream=stream))
        self.network.advance(1)
        self.assertEqual(bob.said("closed"), [stream])

    def test_a_link_that_breaks_while_somebody_is_asked(self) -> None:
        """The callee is free as soon as there is another link; the caller hears nothing."""
        self.start()
        link = list(self.network.wires)
        alice, bob = self.people()
        asked = alice.ask(vocabulary.RequestChat, callee=Name("bob"))
        self.assertEqual(len(bob.said("offer")), 1)
        for wire in link:
            wire.cut()
        self.network.advance(limits.NODE_RETRY_LAST)
        self.assertEqual(bob.said("withdrawn"), ["gone"])
        self.assertNoResult(asked)
        self.network.advance(limits.REQUEST_STANDS + 1)
        self.failureResultOf(asked, refusals.NoAnswer)

    def test_the_directory_has_forgotten_everything(self) -> None:
        """The first one to announce itself does not take the others for gone: chats go on."""
        self.start()
        alice, bob = self.people()
        stream = chatting(alice, bob, "bob")
        self.engine.wipe()
        self.network.advance(2 * limits.HEARTBEAT)
        alice.send(stream, b"still here")
        self.network.advance(1)
        self.assertEqual(bob.received, b"still here")
        self.assertEqual((alice.said("closed"), bob.said("closed")), ([], []))

    def test_a_node_that_stops(self) -> None:
        """Its people are gone at once, and its ports are closed."""
        self.start()
        alice, bob = (
            node.client(name) for node, name in zip(self.nodes, ("alice", "bob"), strict=True)
        )
        stream = chatting(alice, bob, "bob")
        self.nodes[1].reception.sessions.end_all()
        stopped = self.nodes[1].service.stopService()
        self.network.advance(1)
        self.successResultOf(stopped)
        self.assertEqual(alice.said("closed"), [stream])
        asked = alice.ask(vocabulary.RequestChat, callee=Name("bob"))
        self.network.advance(limits.REQUEST_STANDS + 1)
        self.failureResultOf(asked, refusals.NoAnswer)

    def test_no_directory_no_start(self) -> None:
        self.engine.is_away = True
        self.failureResultOf(self.nodes[0].start(), DirectoryAway)

    def test_its_heart_goes_on(self) -> None:
        """Longer than a node that says nothing would be there."""
        self.start()
        self.network.advance(2 * limits.NODE_LAPSE)
        alice, bob = (
            node.client(name) for node, name in zip(self.nodes, ("alice", "bob"), strict=True)
        )
        chatting(alice, bob, "bob")

    def test_waking(self) -> None:
        """It announces itself before its next heartbeat."""
        self.start()
        self.engine.wipe()
        self.nodes[0].service.woke()
        directory = MemoryDirectory(self.engine)
        [node] = self.successResultOf(directory.nodes())
        self.assertEqual(node.host, "node.example.org")

    def test_a_new_certificate(self) -> None:
        """Links that are made from then on show it."""
        self.start()
        for node in self.nodes:
            node.service.renew(time.time())
        for wire in self.network.wires:
            wire.cut()
        self.network.advance(limits.NODE_RETRY_LAST)
        alice, bob = (
            node.client(name) for node, name in zip(self.nodes, ("alice", "bob"), strict=True)
        )
        chatting(alice, bob, "bob")
