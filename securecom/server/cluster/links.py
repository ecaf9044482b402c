"""Links between the nodes of a server: one TLS connection for each pair.

Both ends show a node's certificate of the server's own CA, and each says which process it is
(`MeetNode`). The node with the smaller ident connects, and does so again whenever the link is
gone. A command that is in flight then fails with `NodeGone` and is never repeated by itself; chats
go on over the next link (`carrier`), unless the other node could not be reached for
`limits.NODE_DEAD`, or its process has ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, cast

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.error import ConnectionLost, ConnectionRefusedError
from twisted.internet.interfaces import (
    IDelayedCall,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.logger import Logger
from twisted.protocols import amp
from twisted.python.failure import Failure

from securecom import framing, limits, tls, vocabulary
from securecom.connection import Connection
from securecom.errors import NodeGone, PeerFault, SecurecomError, WireError
from securecom.liveness import Liveness
from securecom.looks import Looks
from securecom.server.admission import AdmittingFactory
from securecom.server.cluster.carrier import Carrier, Carriers
from securecom.server.cluster.directory import Node
from securecom.server.cluster.node_vocabulary import MeetNode
from securecom.tls import Credentials
from securecom.transport.choice import TLSFactory

_log = Logger()


class NodeHandler(Protocol):
    """What other nodes ask of this one."""

    def responders(self, node: bytes) -> amp.IResponderLocator:
        """Who answers the commands of this node. Called once for each node that is met."""

    def node_lost(self, node: bytes) -> None:
        """This node has been unreachable for `limits.NODE_DEAD`, has ended, or has left.

        Its chats have ended before this is called.
        """


class NotMetYet(WireError):
    """Another process than we expect, perhaps because we have not heard of it yet."""


class NodeConnection(Connection, amp.CommandLocator):
    """One end of a link, until both nodes have met and after that.

    :param sought: the node that was dialled; None if it has dialled us.
    """

    lanes = frozenset({framing.CONTROL, framing.NODE})
    alpn = frozenset({tls.ALPN_NODE})
    most_read = most_sent = limits.MAX_SERVER_BODY
    most_unanswered = limits.NODE_UNANSWERED
    most_unread = limits.NODE_UNREAD_ANSWERS
    patience = limits.NODE_DEAD
    awaits = "the meeting of two nodes"

    def __init__(self, links: Links, sought: OtherNode | None = None) -> None:
        super().__init__(links.clock, limits.MEETING_DEADLINE)
        self._links, self._sought = links, sought
        #: Who is at the other end, once it has said so.
        self.other: OtherNode | None = None
        self.is_met = False
        #: Our commands that wait for an answer.
        self.open_calls = 0
        pings = Looks(self.clock, limits.NODE_PING)
        self.liveness = Liveness(self, True, pings, limits.NODE_SILENT)
        #: What is sent in this turn of the reactor, in order, and how many bytes that is.
        self._gathered: list[bytes] = []
        self._gathered_bytes = 0

    def responders(self) -> amp.IResponderLocator:
        """Itself: it takes `MeetNode`, and whatever may come after that."""
        return self

    def locateResponder(self, name: bytes) -> Any:  # noqa: N802
        if name == MeetNode.commandName or self.other is None:
            return super().locateResponder(name) if name == MeetNode.commandName else None
        return super().locateResponder(name) or self.other.locator.locateResponder(name)

    # --- the meeting ------------------------------------------------------------------------

    def secured(self, alpn: bytes) -> None:
        """Say who we are."""
        answer = self.control.call(MeetNode, ident=self._links.own.ident)
        answer.addCallbacks(self._known_there, lambda _: None)  # it fails if the connection is lost

    @MeetNode.responder
    def meet_node(self, ident: bytes) -> dict[str, Any]:
        """:raises WireError: this process should not be at the other end."""
        if self.other is not None:
            raise WireError("a node that says twice who it is")
        self.other = self._links.expected(ident, self._sought)
        return {}

    @vocabulary.Ping.responder
    def ping(self) -> dict[str, Any]:
        """Answer a ping."""
        return {}

    def _known_there(self, _: dict[str, Any]) -> None:
        if self.other is None:
            self.fault(WireError("a node that does not say who it is"))
            return
        self.is_met = True
        self.established()
        self.liveness.start()
        self.other.linked(self)

    # --- what comes -------------------------------------------------------------------------

    def frame_received(self, frame: framing.Frame) -> None:
        """Something about a chat came. :raises WireError: it may not."""
        if self.other is None or not self.is_met:
            raise WireError("a frame of a node before the meeting")
        self.other.carriers.frame_received(frame.body)

    def congestion_changed(self) -> None:
        if not self.is_congested and self.is_met and self.other is not None:
            self.other.carriers.go_on()

    # --- what is sent -----------------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        """Write whole frames: a command at once, chat bytes at the end of the reactor's turn.

        Many people's messages come in one turn. As many records and writes would cost more than all
        else that is done with them here.
        """
        if frame[0] != framing.NODE:
            self._flush()
            super().send(frame)
            return
        if not self._gathered:
            self.clock.callLater(0, self._flush)
        self._gathered.append(frame)
        self._gathered_bytes += len(frame)
        if self._gathered_bytes >= limits.NODE_GATHERED:
            self._flush()

    def _flush(self) -> None:
        gathered, self._gathered, self._gathered_bytes = self._gathered, [], 0
        if gathered:
            super().send(b"".join(gathered))

    def close(self) -> None:
        """Send what is written, and end."""
        self._flush()
        super().close()

    def ask(self, command: type[amp.Command], facts: dict[str, Any]) -> Deferred[dict[str, Any]]:
        """Send a command. What the other node does wrong, or its end, is `NodeGone`."""
        if self.open_calls >= self.most_unanswered - 1:  # one is left for pings and what is told
            return fail(NodeGone("too many commands to another node have no answer yet"))
        answer = self.control.call(command, **facts)
        self.open_calls += 1
        return answer.addBoth(self._answered)

    def _answered(self, result: Any) -> Any:
        self.open_calls -= 1
        if isinstance(result, Failure) and result.check(ConnectionLost, WireError):
            return Failure(NodeGone("the link with another node broke before its answer"))
        return result

    # --- the end ----------------------------------------------------------------------------

    def lost(self, reason: Failure) -> None:
        """The connection is gone."""
        self.liveness.stop()
        node = self.other or self._sought
        if isinstance(reason.value, SecurecomError) and not isinstance(reason.value, NotMetYet):
            who = node.ident.hex() if node else "an unknown node"
            _log.warn("link with {node} cut: {why}", node=who, why=reason.value.what)
        if node is not None:
            node.unlinked(self)


class _Order:
    """A command that waits for a link."""

    def __init__(self, command: type[amp.Command], facts: dict[str, Any]) -> None:
        self.command, self.facts = command, facts
        #: None: it wants no answer.
        self.result: Deferred[dict[str, Any]] | None = None
        #: Once it was sent.
        self.answer: Deferred[dict[str, Any]] | None = None
        self.deadline: IDelayedCall | None = None


class OtherNode:
    """Another node of the server, linked or not."""

    def __init__(self, links: Links, node: Node) -> None:
        self.node = node
        self.carriers = Carriers(links.clock)
        self.locator = links.handler.responders(node.ident)
        #: The link, once both have met.
        self.link: NodeConnection | None = None
        self._links, self._clock = links, links.clock
        self._connection: NodeConnection | None = None  # dialled, met or not
        self._attempt: Deferred[Any] | None = None
        self._retry: IDelayedCall | None = None
        self._dead: IDelayedCall | None = None
        self._wait = limits.NODE_RETRY_FIRST
        self._refusals = 0  # in a row
        #: When both directions of a link last worked.
        self._worked = self._since = self._clock.seconds()
        self._is_left = False
        self._dies_later()
        if self.is_dialled:
            self._dial()

    @property
    def ident(self) -> bytes:
        """Which process it is."""
        return self.node.ident

    @property
    def is_dialled(self) -> bool:
        """Whether we connect to it, and not it to us."""
        return self._links.own.ident < self.ident

    @property
    def is_dead(self) -> bool:
        """Whether its chats have ended because it cannot be reached."""
        return self.link is None and self._dead is None

    # --- to and fro -------------------------------------------------------------------------

    def linked(self, link: NodeConnection) -> None:
        """Both have met. A link that there was before is replaced."""
        if self._is_left:
            link.close()
            return
        if self.link is not None:
            self.link.fault(PeerFault("another link with this node has replaced this one"))
            self._no_link()
        self.link, self._since = link, self._clock.seconds()
        self._refusals = 0
        self._stop("_dead")
        self._stop("_retry")
        _log.info("link with {node} stands", node=self.ident.hex())
        # In this order: a command may open a chat there that has bytes to send here.
        self._links.deliver(self.ident, link)
        self.carriers.linked(link)

    def unlinked(self, connection: NodeConnection) -> None:
        """This connection is gone, whether it was the link or not."""
        was_link = connection is self.link
        if was_link:
            self._no_link()
        if connection is self._connection or (was_link and not self.is_dialled):
            self._connection = None
            self._try_later()

    def _no_link(self) -> None:
        if self.link is None:
            return
        self._worked = self.link.liveness.worked_at
        if self._clock.seconds() - self._since >= limits.NODE_SETTLED:
            self._wait = limits.NODE_RETRY_FIRST
        self.link = None
        self.carriers.unlinked()
        self._dies_later()

    # --- connecting -------------------------------------------------------------------------

    def _dial(self) -> None:
        """Connect. If it is the other who has to dial, only see whether it is still there."""
        self._retry = None
        making: IProtocolFactory = _Looking()
        if self.is_dialled:
            inner = _Making(self._links, self)
            making = TLSFactory(self._links.options, True, inner, self._clock)
        self._attempt = maybeDeferred(self._connect, making)
        self._attempt.addCallbacks(self._reached, self._not_reached)

    def _connect(self, making: IProtocolFactory) -> Deferred[IProtocol]:
        """Fails for an address that is none, too: what the directory says is another node's."""
        return self._links.endpoint(self.node.host, self.node.port).connect(making)

    def _reached(self, made: IProtocol) -> None:
        self._attempt, self._refusals = None, 0
        if self.is_dialled:
            self._connection = cast(NodeConnection, cast(Any, made).wrappedProtocol)
        else:
            self._try_later()

    def _not_reached(self, failure: Failure) -> None:
        self._attempt = None
        self._refusals = self._refusals + 1 if failure.check(ConnectionRefusedError) else 0
        self._try_later()
        if self._refusals == limits.NODE_REFUSALS and self._dead is not None:
            self._stop("_dead")
            self._is_dead()

    def _try_later(self) -> None:
        if self._is_left or self._retry is not None or self.link is not None:
            return
        self._retry = self._clock.callLater(self._wait, self._dial)
        self._wait = min(2 * self._wait, limits.NODE_RETRY_LAST)

    # --- the end ----------------------------------------------------------------------------

    def _dies_later(self) -> None:
        if self._dead is None and not self._is_left:
            left = self._worked + limits.NODE_DEAD - self._clock.seconds()
            self._dead = self._clock.callLater(max(left, 0), self._is_dead)

    def _is_dead(self) -> None:
        self._dead = None
        _log.warn("{node} cannot be reached; chats with its people end", node=self.ident.hex())
        self._lost()

    def _lost(self) -> None:
        self.carriers.end_all()
        self._links.drop_orders(self.ident)
        self._links.handler.node_lost(self.ident)

    def leave(self, is_told: bool) -> None:
        """It is no longer among the living, or this node stops."""
        self._is_left = True
        self._stop("_retry")
        self._stop("_dead")
        if self._attempt is not None:
            self._attempt.cancel()
        if is_told:
            self._lost()
        else:
            self.carriers.end_all()
        for connection in {self.link, self._connection} - {None}:
            connection.close()  # type: ignore[union-attr]

    def _stop(self, timer: str) -> None:
        call: IDelayedCall | None = getattr(self, timer)
        setattr(self, timer, None)
        if call is not None:
            call.cancel()


class Links:
    """This node's links with all others.

    :param credentials: what `certificates.new_node_leaf` made, with the CA's certificate.
    :param endpoint: makes an endpoint for another node's host and port, with a deadline of its own.
    """

    def __init__(
        self,
        clock: IReactorTime,
        own: Node,
        credentials: Credentials,
        endpoint: Callable[[str, int], IStreamClientEndpoint],
        handler: NodeHandler,
    ) -> None:
        self.clock, self.own, self.endpoint, self.handler = clock, own, endpoint, handler
        self.options = tls.node_end(credentials)
        self._factory = AdmittingFactory(self.options, _Making(self), clock)
        self._others: dict[bytes, OtherNode] = {}
        #: Commands that wait for a link, by node, in order.
        self._orders: dict[bytes, deque[_Order]] = {}

    @property
    def factory(self) -> IProtocolFactory:
        """Accepts the links of nodes with a smaller ident; for the node's own port."""
        return self._factory

    def renew(self, credentials: Credentials) -> None:
        """Show this certificate on all links made from now on."""
        self.options.renew(credentials)

    def meet(self, nodes: list[Node]) -> None:
        """These nodes are alive, this one possibly among them: link with new ones, drop others.

        One whose link stands is alive, whatever the directory says: it may have been wiped, or be
        out of that node's reach. A node that leaves ends its links itself.
        """
        living = {node.ident: node for node in nodes if node.ident != self.own.ident}
        for ident in [ident for ident in self._others if ident not in living]:
            if not self.is_linked(ident):
                self._others.pop(ident).leave(is_told=True)
        for ident, node in living.items():
            if ident not in self._others:
                self._others[ident] = OtherNode(self, node)

    def stop(self) -> None:
        """Close all links and end all chats; the handler is not told."""
        others, self._others = self._others, {}
        for ident in list(self._orders):
            self.drop_orders(ident)
        for other in others.values():
            other.leave(is_told=False)

    def is_linked(self, node: bytes) -> bool:
        """Whether there is a link with this node now."""
        return self._link(node) is not None

    # --- commands ---------------------------------------------------------------------------

    def call(
        self, node: bytes, command: type[amp.Command], **facts: Any
    ) -> Deferred[dict[str, Any]]:
        """Send a command to this node. Fires with its answer, or fails with a refusal of it.

        Waits up to `limits.LINK_DEADLINE` for a link; fails with `NodeGone` if there is none by
        then, or if the link breaks: whether the command was carried out is then not known.
        Commands and chat bytes to one node keep their order as long as the link stands.
        """
        if (link := self._link(node)) is not None:
            return link.ask(command, facts)
        order = _Order(command, facts)

        def give_up(_: Deferred[dict[str, Any]]) -> None:
            if order.answer is None:
                self._take_back(node, order, None)
            else:
                order.answer.cancel()

        result = Deferred[dict[str, Any]](give_up)
        order.result = result
        self._wait_for_link(node, order)
        return result

    def tell(self, node: bytes, command: type[amp.Command], **facts: Any) -> None:
        """Send a command that wants no answer, as `call` does; without a link it is dropped."""
        if (link := self._link(node)) is not None:
            link.control.tell(command, **facts)
        else:
            self._wait_for_link(node, _Order(command, facts))

    def _link(self, node: bytes) -> NodeConnection | None:
        other = self._others.get(node)
        link = other.link if other is not None else None
        return link if link is not None and not link.is_closing else None

    def _wait_for_link(self, node: bytes, order: _Order) -> None:
        why = NodeGone("another node of this server cannot be reached; nothing was sent to it")
        order.deadline = self.clock.callLater(
            limits.LINK_DEADLINE, self._take_back, node, order, why
        )
        self._orders.setdefault(node, deque()).append(order)

    def _take_back(self, node: bytes, order: _Order, why: Exception | None) -> None:
        """This order is not sent any more."""
        orders = self._orders.get(node, deque())
        if order not in orders:  # it was cancelled by what the end of another one has caused
            return
        orders.remove(order)
        if not orders:
            del self._orders[node]
        if order.deadline is not None and order.deadline.active():
            order.deadline.cancel()
        if why is not None and order.result is not None:
            order.result.errback(why)

    def drop_orders(self, node: bytes) -> None:
        """No link comes: whatever waits for one fails."""
        for order in list(self._orders.get(node, ())):
            self._take_back(node, order, NodeGone("another node of this server is gone"))

    def deliver(self, node: bytes, link: NodeConnection) -> None:
        """Send what has waited for this link."""
        for order in list(self._orders.get(node, ())):
            if order.result is not None and order.result.called:
                continue
            self._take_back(node, order, None)
            if order.result is None:
                link.control.tell(order.command, **order.facts)
            else:
                order.answer = link.ask(order.command, order.facts)
                order.answer.chainDeferred(order.result)

    # --- chats ------------------------------------------------------------------------------

    def carrier(
        self,
        node: bytes,
        chat: bytes,
        received: Callable[[bytes], None],
        congested: Callable[[bool], None],
        ended: Callable[[], None],
    ) -> Carrier:
        """This node's end of a chat (id of 16 bytes) whose other leg is on that node.

        Either node may send once both have called this: bytes for a chat that a node does not have
        end it. So make it before answering the command that opens the chat, and in the answer.

        :param received: gets whole chat frames, in order.
        :param congested: `is_congested` has changed to this.
        :param ended: the other node ended the chat, or is gone. Called once at the most, and never
            from within this call, nor after our own `end`.
        """
        other = self._others.get(node)
        carriers = other.carriers if other is not None else Carriers(self.clock)
        carrier = carriers.open(chat, received, congested, ended)
        if other is None or other.is_dead:
            self.clock.callLater(0, carrier.cut_off)
        return carrier

    # --- for connections --------------------------------------------------------------------

    def expected(self, ident: bytes, sought: OtherNode | None) -> OtherNode:
        """Who says so. :raises WireError: it is not who should be at the other end."""
        other = self._others.get(ident)
        if sought is not None and sought is not other:
            raise NotMetYet("another process than the one that was dialled")
        if other is None:
            raise NotMetYet("a process that is not among the living nodes")
        if sought is None and other.is_dialled:
            raise WireError("a node that should have waited to be dialled")
        return other


class _Looked(TwistedProtocol):
    """A connection that only shows that somebody listens."""

    def connectionMade(self) -> None:
        self.transport.abortConnection()  # type: ignore[union-attr]


class _Looking(Factory):
    """Makes such connections."""

    noisy = False

    def buildProtocol(self, addr: object) -> _Looked:
        return _Looked()


class _Making(Factory):
    """Makes our ends of links, those that we open and those that others do."""

    noisy = False

    def __init__(self, links: Links, sought: OtherNode | None = None) -> None:
        self._links, self._sought = links, sought

    def buildProtocol(self, addr: object) -> NodeConnection:
        return NodeConnection(self._links, self._sought)
