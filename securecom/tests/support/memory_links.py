"""Links between nodes in one process: commands as boxes, chat bytes as they are, all in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.protocols import amp
from twisted.python.failure import Failure

from securecom.errors import NodeGone
from securecom.server.cluster.links import NodeHandler

Ends = tuple[bytes, bytes, bytes]


class MemoryNetwork:
    """What the links of all nodes go through. Everything takes one turn of the clock."""

    def __init__(self, clock: IReactorTime) -> None:
        self.clock = clock
        self.links: dict[bytes, MemoryLinks] = {}
        #: Nodes that nobody reaches.
        self.cut: set[bytes] = set()
        self.carriers: dict[Ends, MemoryCarrier] = {}
        #: Who sent what to whom, by command.
        self.sent: list[tuple[bytes, bytes, str]] = []

    def lose(self, node: bytes) -> None:
        """A node is gone: the others have been told so, and it has been told of them."""
        self.cut.add(node)
        others = [one for one in self.links.values() if one.own != node]
        for one in others:
            one.lost(node)
            self.links[node].lost(one.own)

    def pass_on(self, work: Callable[[], None], *nodes: bytes) -> None:
        """Do it in the next turn, unless one of these nodes is gone by then."""
        self.clock.callLater(0, lambda: work() if not self.cut & set(nodes) else None)


class MemoryLinks:
    """One node's links: what tests need of `links.Links`."""

    def __init__(self, network: MemoryNetwork, own: bytes) -> None:
        self.network, self.own = network, own
        self.handler: NodeHandler
        network.links[own] = self
        self._waiting: dict[Deferred[Any], bytes] = {}

    def meet(self, nodes: list[Any]) -> None:
        """Everybody is linked already."""

    def is_linked(self, node: bytes) -> bool:
        return node in self.network.links and not {node, self.own} & self.network.cut

    def stop(self) -> None:
        """Nothing is left to close."""

    def lost(self, node: bytes) -> None:
        """This node cannot be reached any more."""
        for answer, who in list(self._waiting.items()):
            if who == node and self._waiting.pop(answer, b""):
                answer.errback(Failure(NodeGone("the node is gone")))
        for ends, carrier in list(self.network.carriers.items()):
            if ends[:2] == (self.own, node):
                carrier.over()
        self.handler.node_lost(node)

    def tell(self, node: bytes, command: type[amp.Command], **facts: Any) -> None:
        if self.is_linked(node):
            self.call(node, command, **facts).addErrback(lambda _: None)

    def call(self, node: bytes, command: type[amp.Command], **facts: Any) -> Deferred[Any]:
        if not self.is_linked(node):
            return fail(NodeGone("the node is gone"))
        self.network.sent.append((self.own, node, command.__name__))
        box = command.makeArguments(facts, None)
        answer: Deferred[Any] = Deferred(self._give_up)
        self._waiting[answer] = node

        def arrive() -> None:
            locator = self.network.links[node].handler.responders(self.own)
            responder = locator.locateResponder(command.commandName)
            responder(amp.AmpBox(box)).addBoth(leave)

        def leave(result: Any) -> None:
            self.network.pass_on(lambda: self._answered(answer, command, result), node, self.own)

        self.network.pass_on(arrive, node, self.own)
        return answer

    def _give_up(self, answer: Deferred[Any]) -> None:
        self._waiting.pop(answer, None)

    def _answered(self, answer: Deferred[Any], command: type[amp.Command], result: Any) -> None:
        if self._waiting.pop(answer, None) is None:
            if isinstance(result, Failure):
                result.trap(amp.RemoteAmpError)
            return
        if not isinstance(result, Failure):
            answer.callback(command.parseResponse(result, None))
            return
        result.trap(amp.RemoteAmpError)
        error: Any = result.value
        kind = {word: kind for kind, word in command.errors.items()}[error.errorCode]
        answer.errback(Failure(kind(error.description)))

    def carrier(
        self,
        node: bytes,
        chat: bytes,
        received: Callable[[bytes], None],
        congested: Callable[[bool], None],
        ended: Callable[[], None],
    ) -> MemoryCarrier:
        return MemoryCarrier(self.network, (self.own, node, chat), received, ended)


class MemoryCarrier:
    """One end of a chat between two nodes, never congested."""

    is_congested = False

    def __init__(
        self,
        network: MemoryNetwork,
        ends: Ends,
        received: Callable[[bytes], None],
        ended: Callable[[], None],
    ) -> None:
        self._network, self._ends = network, ends
        self._received, self._ended = received, ended
        self.holders: set[str] = set()
        network.carriers[ends] = self

    def _at_the_other_end(self, work: Callable[[MemoryCarrier], None]) -> None:
        here, there, chat = self._ends

        def arrive() -> None:
            if (other := self._network.carriers.get((there, here, chat))) is not None:
                work(other)
            elif self._network.carriers.get(self._ends) is self:
                self.over()

        self._network.pass_on(arrive, here, there)

    def send(self, raw: bytes) -> None:
        self._at_the_other_end(lambda other: other._received(raw))

    def hold(self, who: str) -> None:
        self.holders.add(who)

    def release(self, who: str) -> None:
        self.holders.discard(who)

    def end(self) -> None:
        if self._network.carriers.pop(self._ends, None) is self:
            self._at_the_other_end(MemoryCarrier.over)

    def over(self) -> None:
        """The other end has ended it."""
        if self._network.carriers.pop(self._ends, None) is self:
            self._ended()
