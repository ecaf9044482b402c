"""Nodes of one server on a network in memory, with links between them."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import TimeoutError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from securecom import limits, refusals
from securecom.peers import NODE_NAME
from securecom.refusals import by_word
from securecom.server.cluster.directory import Node
from securecom.server.cluster.links import Links
from securecom.tests.support.network import MemoryClientEndpoint, Network, Wire
from securecom.tests.support.server_certificates import CLIENT, SERVER, Authority
from securecom.tls import Credentials

BOTH = (*SERVER, *CLIENT)


class Repeat(amp.Command):
    """Answered with the same text, or refused."""

    arguments = [(b"text", amp.String())]
    response = [(b"text", amp.String())]
    errors = by_word(refusals.Busy)


class Remark(amp.Command):
    """Wants no answer."""

    arguments = [(b"text", amp.String())]
    requiresAnswer = False


class Consider(amp.Command):
    """Answered when the test says so."""


class Answers(amp.CommandLocator):
    """What one node answers another one."""

    def __init__(self, node: bytes, memory: MemoryNode) -> None:
        self.node, self.memory = node, memory

    @Repeat.responder
    def repeat(self, text: bytes) -> dict[str, Any]:
        self.memory.heard.append((self.node, text))
        if text == b"busy":
            raise refusals.Busy()
        return {"text": text}

    @Remark.responder
    def remark(self, text: bytes) -> dict[str, Any]:
        self.memory.heard.append((self.node, text))
        return {}

    @Consider.responder
    def consider(self) -> Deferred[dict[str, Any]]:
        self.memory.considered.append(Deferred())
        return self.memory.considered[-1]


@implementer(IStreamClientEndpoint)
class Nowhere:
    """An address that nobody answers for."""

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803
        return fail(TimeoutError())


class MemoryNode:
    """One node, and what it was asked and told."""

    def __init__(self, network: Network, number: int, credentials: Credentials) -> None:
        self.network, self.number = network, number
        self.node = Node(bytes([number]) * 16, "node.example.org", 4000 + number)
        self.heard: list[tuple[bytes, bytes]] = []
        self.considered: list[Deferred[dict[str, Any]]] = []
        self.lost: list[bytes] = []
        #: Whether whatever it dials leads nowhere.
        self.is_cut_off = False
        #: Ports that were dialled, with the time.
        self.dialled: list[tuple[int, float]] = []
        self.links = Links(network.clock, self.node, credentials, self.endpoint, self)
        self.listen()

    @property
    def ident(self) -> bytes:
        return self.node.ident

    def listen(self) -> None:
        self.network.ports[self.node.port] = self.links.factory

    def endpoint(self, host: str, port: int) -> IStreamClientEndpoint:
        assert host == self.node.host
        self.dialled.append((port, self.network.clock.seconds()))
        if self.is_cut_off:
            return Nowhere()
        endpoint: MemoryClientEndpoint = self.network.client_endpoint(port)
        return endpoint

    def responders(self, node: bytes) -> amp.IResponderLocator:
        return Answers(node, self)

    def node_lost(self, node: bytes) -> None:
        self.lost.append(node)

    def link_with(self, other: MemoryNode) -> Any:
        """Our end of the link, past what is private."""
        return self.links._others[other.ident].link


class Chat:
    """One node's end of a chat with another one, and what came."""

    def __init__(self, here: MemoryNode, there: MemoryNode, chat: bytes) -> None:
        self.received, self.ends = b"", 0
        self.congestion: list[bool] = []
        self.carrier = here.links.carrier(
            there.ident, chat, self.take, self.congestion.append, self.ended
        )

    def take(self, raw: bytes) -> None:
        self.received += raw

    def ended(self) -> None:
        self.ends += 1


class NodesCase(SynchronousTestCase):
    """Some nodes on a network, which has to be at rest when they have stopped."""

    def setUp(self) -> None:
        self.network = Network()
        self.clock = self.network.clock
        self.authority = Authority()
        self.nodes: list[MemoryNode] = []
        self.addCleanup(self.assert_at_rest)

    def assert_at_rest(self) -> None:
        for node in self.nodes:
            node.links.stop()
        self.network.pump()
        for wire in self.network.wires:
            wire.cut()
        self.network.pump()
        self.network.advance(limits.CARRIED_WAIT)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def credentials(self, authority: Authority | None = None, **other: Any) -> Credentials:
        """A node's, good unless told otherwise."""
        named = {"names": (NODE_NAME,), "usage": BOTH} | other
        return (authority or self.authority).credentials(**named)

    def node(self, number: int, credentials: Credentials | None = None) -> MemoryNode:
        node = MemoryNode(self.network, number, credentials or self.credentials())
        self.nodes.append(node)
        return node

    def meet(self) -> None:
        """All nodes hear of each other."""
        for node in self.nodes:
            node.links.meet([one.node for one in self.nodes])
        self.network.pump()

    def linked(self, *numbers: int) -> list[MemoryNode]:
        """Nodes that have links."""
        made = [self.node(number) for number in numbers]
        self.meet()
        for node in made:
            for other in made:
                self.assertEqual(node.links.is_linked(other.ident), node is not other)
        return made

    def cut(self) -> None:
        """All wires are cut."""
        for wire in self.network.wires:
            wire.cut()
        self.network.pump()

    def wire(self) -> Wire:
        """The only wire."""
        (wire,) = self.network.wires
        return wire

    def chat(self, one: MemoryNode, other: MemoryNode, number: int = 1) -> tuple[Chat, Chat]:
        """A chat between people on two nodes."""
        chat = number.to_bytes(16, "big")
        return Chat(one, other, chat), Chat(other, one, chat)
