"""Several nodes of one server in memory, for tests of what happens between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from securecom import limits
from securecom.identity import Identity
from securecom.server.cluster.cluster_switchboard import ClusterSwitchboard
from securecom.server.cluster.directory import Node
from securecom.server.cluster.membership import Membership
from securecom.server.cluster.other_channels import Channels
from securecom.server.cluster.places import Places
from securecom.server.database import in_memory
from securecom.server.session import no_pause
from securecom.tests.support.memory_directory import MemoryDirectory, MemoryEngine
from securecom.tests.support.memory_links import MemoryLinks, MemoryNetwork
from securecom.tests.support.memory_server import (
    ManualClient,
    MemoryServer,
    Shared,
    new_ca,
    numbered,
)
from securecom.tests.support.network import Network


class PatientNetwork(Network):
    """One that comes to rest only when nothing is due any more."""

    def pump(self) -> None:
        super().pump()
        while any(call.getTime() <= self.clock.seconds() for call in self.clock.getDelayedCalls()):
            super().pump()


class MemoryCluster:
    """Nodes that share network, CA, registry and directory.

    :param random: the switchboards'; None: bytes that are the same in every run.
    """

    def __init__(self, nodes: int = 2, random: Callable[[int], bytes] | None = None) -> None:
        self.random = random
        self.network = PatientNetwork()
        clock = self.network.clock
        self.engine = MemoryEngine(clock)
        self.between = MemoryNetwork(clock)
        self.shared = Shared(self.network, new_ca(), in_memory(), None)
        self.nodes = [MemoryNode(self, number) for number in range(1, nodes + 1)]
        for _ in range(2):  # the first of them hear of the last
            for node in self.nodes:
                node.membership.join()
            self.network.pump()
        self.network.clock.callLater(limits.HEARTBEAT, self._beat)

    def _beat(self) -> None:
        """Every node tells that it lives, and sees who else does."""
        self.network.clock.callLater(limits.HEARTBEAT, self._beat)
        for _ in range(2):  # if time went by in one step, all had lapsed
            for node in self.nodes:
                if node.own.ident not in self.between.cut and not node.is_standing_still:
                    node.membership.announce()

    def kill(self, node: MemoryNode) -> None:
        """A node is gone, with all its connections."""
        self.between.cut.add(node.own.ident)
        for client in node.clients:
            client.standard_wire.cut()
            if client.request_wire is not None:
                client.request_wire.cut()
        self.between.lose(node.own.ident)
        self.network.pump()


class MemoryNode(MemoryServer):
    """One node. Its clients need not have their request channel here."""

    def __init__(self, cluster: MemoryCluster, number: int) -> None:
        self.cluster = cluster
        self.own = Node(bytes([number]) * 16, "192.0.2.100", 4244 + number)
        self.directory = MemoryDirectory(cluster.engine)
        self.links = cast(Any, MemoryLinks(cluster.between, self.own.ident))
        self.clients: list[ManualClient] = []
        #: Whether its heart beats no more for now.
        self.is_standing_still = False
        super().__init__(random=cluster.random or _of_node(number), shared=cluster.shared)
        reception, switchboard = self.reception, self.switchboard
        assert isinstance(switchboard, ClusterSwitchboard)
        places = Places(self.own, self.directory, self.links, switchboard, reception.sessions)
        self.channels = Channels(
            self.links, reception.sessions, self.directory, _of_node(100 + number)
        )
        sessions = reception.sessions
        self.membership = Membership(
            self.own, self.directory, switchboard, sessions, places, self.channels, self.links
        )
        self.links.handler = self.membership
        reception.sessions.claims, reception.channels = places, self.channels

    def new_switchboard(self, random: Callable[[int], bytes]) -> ClusterSwitchboard:
        clock = self.network.clock
        return ClusterSwitchboard(
            clock, random, self.own.ident, self.directory, self.links, no_pause
        )

    def came(self, identity: Identity, channel_at: MemoryNode | None = None) -> ManualClient:
        """Somebody who is enrolled logs in here; the request channel may be on another node."""
        client = ManualClient(self, identity)
        self.clients.append(client)
        client.log_in(takeover=True)
        client.request_at = (channel_at or self).request
        client.prove()
        return client


def _of_node(number: int) -> Callable[[int], bytes]:
    """Bytes that no other node has."""
    source = numbered()
    return lambda length: bytes([number]) + source(length)[1:]
