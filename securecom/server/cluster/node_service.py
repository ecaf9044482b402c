"""This node as a Twisted service: its port for other nodes, its heart, its end."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any, cast

from twisted.application.internet import TimerService
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.interfaces import (
    IReactorCore,
    IReactorTime,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.protocols import amp

from securecom import limits
from securecom.server import certificates
from securecom.server.cluster.cluster_switchboard import ClusterSwitchboard
from securecom.server.cluster.directory import IDENT_BYTES, Directory, Node
from securecom.server.cluster.links import Links
from securecom.server.cluster.membership import Membership
from securecom.server.cluster.other_channels import Channels
from securecom.server.cluster.places import Places
from securecom.server.listening import ListeningPort
from securecom.server.reception import Reception
from securecom.tls import Credentials


@dataclass(frozen=True)
class NodeSettings:
    """What makes a server one node of several.

    :param listen: where other nodes connect to this one.
    :param host: the name or address at which they reach it.
    """

    directory: Directory
    listen: IStreamServerEndpoint
    host: str


class NodeService(MultiService):
    """One node of a server.

    :param authority: the CA that all nodes have in common, with its key.
    :param endpoint: makes an endpoint for another node's host and port.
    :param pause: draws the seconds after which something is done for somebody elsewhere.
    """

    def __init__(
        self,
        clock: IReactorTime,
        now: float,
        random: Callable[[int], bytes],
        authority: Credentials,
        endpoint: Callable[[str, int], IStreamClientEndpoint],
        settings: NodeSettings,
        pause: Callable[[], float],
    ) -> None:
        super().__init__()
        self._clock, self._random, self._authority = clock, random, authority
        self._own = Node(random(IDENT_BYTES), settings.host, 0)
        self._directory = settings.directory
        leaf = certificates.new_node_leaf(authority, now)
        self._links = Links(clock, self._own, leaf, endpoint, self)
        self.switchboard = ClusterSwitchboard(
            clock, random, self._own.ident, self._directory, self._links, pause
        )
        self._membership: Membership
        self._port = ListeningPort(settings.listen, self._links.factory)
        self._port.setServiceParent(self)
        #: Fires with the port's real number.
        self.listening = self._port.listening

    def join(self, reception: Reception) -> None:
        """Have this node's log-ins and request channels look at the other nodes, too."""
        sessions, directory, links = reception.sessions, self._directory, self._links
        places = Places(self._own, directory, links, self.switchboard, sessions)
        channels = Channels(links, sessions, directory, self._random)
        membership = Membership(
            self._own, directory, self.switchboard, sessions, places, channels, links
        )
        sessions.claims, reception.channels = places, channels
        self._membership = membership

    def begin(self, port: int) -> Deferred[None]:
        """Take a place among the nodes. Fails with `DirectoryAway`.

        :param port: the number at which other nodes reach this one.
        """
        self._membership.own = replace(self._own, port=port)
        joined = self._membership.join()
        return joined.addCallback(lambda _: self._beat())

    def _beat(self) -> None:
        timer = TimerService(limits.HEARTBEAT, self._membership.announce)
        timer.clock = cast(IReactorCore, self._clock)
        timer.setServiceParent(self)

    def woke(self) -> None:
        """This machine stood still: others may have taken the node for gone."""
        self._membership.announce()

    def renew(self, now: float) -> None:
        """Take a new certificate."""
        self._links.renew(certificates.new_node_leaf(self._authority, now))

    @inlineCallbacks
    def stopService(self) -> Generator[Deferred[Any], Any, None]:
        yield super().stopService()
        yield self._membership.depart()

    # --- links.NodeHandler ------------------------------------------------------------------

    def responders(self, node: bytes) -> amp.IResponderLocator:
        """Who answers this node."""
        return self._membership.responders(node)

    def node_lost(self, node: bytes) -> None:
        """Nobody on this node can be reached."""
        self._membership.node_lost(node)
