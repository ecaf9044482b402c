"""What all connections share: TLS checked, frames decoded, flow held back, a clean end.

The same class carries the standard channel, the request channel and, over a stream as its
transport, the end-to-end session of a chat. Nothing is read before TLS has been checked, and
nothing after closing has begun. On the server, commands wait until they are due (`Pacer`) and take
turns with those of other connections (`Turns`), so that one person's commands cost others little:
the server reads no further from a connection until its next command may come. Nothing that was
sent is lost or refused for that.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any, ClassVar, TypeGuard

from OpenSSL import SSL
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import (
    IDelayedCall,
    IHandshakeListener,
    IPushProducer,
    IReactorTime,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.protocols import amp
from twisted.python.failure import Failure
from zope.interface import implementer

from securecom import framing, limits, tls, vocabulary
from securecom.control import ControlLane, our_fault, parse_box
from securecom.errors import PeerFault, PeerSilent, SecurecomError, WireError
from securecom.looks import Later, Looks
from securecom.paces import Pacer, Turns

_log = Logger()
#: The name under which waiting commands hold reading.
_COMMANDS = "commands that wait"
#: Holds reading of nobody. Python makes a new empty set of 216 bytes each time it is asked for one.
_NOBODY: frozenset[str] = frozenset()


def _is_control(item: framing.Frame | framing.Run) -> TypeGuard[framing.Frame]:
    """Whether this is a command or an answer, and not bytes of a chat."""
    return isinstance(item, framing.Frame) and item.lane == framing.CONTROL


def _size(item: framing.Frame | framing.Run) -> int:
    """What it counts for in a turn: a command for one, and one more for each KiB of it."""
    return 1 if isinstance(item, framing.Run) else 1 + len(item.body) // 1024


def _nothing() -> None:
    """The default of `on_established`."""


@implementer(IHandshakeListener, IPushProducer)
class Connection(Protocol):
    """One TLS connection that carries frames.

    Subclasses say which lanes and which ALPN may come, give the responders, and fill in
    `secured`, `frames_received` and `lost`.

    A server has thousands of them, all silent most of the time, so what is empty takes no memory.
    The slots are for that, too: with more than 30 attributes, an instance in Python 3.11 has a
    dictionary of its own, of 1.6 kB.

    :param clock: for every deadline.
    :param deadline: seconds from the connection to `established`.
    """

    __slots__ = (
        "_answers_before",
        "_box",
        "_deadline",
        "_deadline_after",
        "_decoder",
        "_flow_changed",
        "_holders",
        "_is_waiting",
        "_item",
        "_items",
        "_paced",
        "_pacer",
        "_pass",
        "_patience_left",
        "_person",
        "_relayed",
        "_stalled",
        "_straight",
        "_unread",
        "clock",
        "control",
        "is_closing",
        "is_congested",
        "is_established",
        "is_secured",
        "on_established",
        "reason",
    )

    lanes: ClassVar[frozenset[int]] = frozenset({framing.CONTROL})
    alpn: ClassVar[frozenset[bytes]] = frozenset()
    padding: ClassVar[int] = 0
    #: Bytes of a frame's body that the peer may send, and that we may.
    most_read: ClassVar[int] = limits.MAX_BODY
    most_sent: ClassVar[int] = limits.MAX_BODY
    #: Commands of the peer that may wait for our answer, and bytes of answers that it may leave
    #: unread.
    most_unanswered: ClassVar[int] = limits.MAX_UNANSWERED
    most_unread: ClassVar[int] = limits.MAX_UNREAD_ANSWERS
    #: What has to happen before the deadline; subject of "was not finished within 10 s".
    awaits: ClassVar[str] = "the log-in"
    #: Shares our time with other connections; None: there is nobody to share it with.
    turns: Turns | None = None
    #: One timer for the deadlines of many connections, which wait as long as ours; None: our own.
    deadlines: Looks | None = None
    #: How many seconds the peer may read nothing of what we write.
    patience: ClassVar[float] = limits.NO_PROGRESS

    def __init__(self, clock: IReactorTime, deadline: float = limits.LOGIN_DEADLINE) -> None:
        self.clock = clock
        #: Why this connection is over, where we know better than the transport.
        self.reason: Exception | None = None
        self.is_secured = False
        self.is_established = False
        #: Called when log-in, proof or HELLO is done.
        self.on_established: Callable[[], None] = _nothing
        self.is_closing = False
        self.is_congested = False
        #: Something came since `Liveness` looked.
        self.is_heard = False
        self._deadline_after = deadline
        self._deadline: IDelayedCall | Later | None = None
        self._stalled: IDelayedCall | None = None
        self._flow_changed = 0.0
        self._patience_left = self.patience
        self._answers_before = 0
        self._holders = _NOBODY
        self._decoder = framing.Decoder(self.lanes, self.most_read)
        self._unread: tuple[bytes, ...] = ()  # few, since reading is held meanwhile
        self._items: Iterator[framing.Frame | framing.Run] | None = None
        self._item: framing.Frame | framing.Run | None = None
        self._box: amp.AmpBox | None = None  # of the item, if it has been looked into
        self._is_waiting = False
        self._pacer: Pacer | None = None
        self._person: Hashable = None
        self._paced: IDelayedCall | None = None
        self._pass = self._relayed = 0  # chat frames in that pass of the reactor
        #: The stream whose runs go straight to somebody, and who takes them.
        self._straight: tuple[int, Callable[[bytes], None]] | None = None
        self.control = ControlLane(
            self, self.responders(), self.padding, self.most_sent, self.most_unanswered
        )

    # --- for subclasses ---------------------------------------------------------------------

    def responders(self) -> amp.IResponderLocator:
        """Who answers the peer's commands."""
        raise NotImplementedError

    def secured(self, alpn: bytes) -> None:
        """TLS is up and has been checked."""

    def run_received(self, run: framing.Run) -> None:
        """Chat frames came. :raises PeerFault: if they may not."""
        raise WireError("chat frames where no chat can be")

    def frame_received(self, frame: framing.Frame) -> None:
        """A frame of another lane than control and chat came. :raises PeerFault: if it may not."""
        raise WireError("a frame of a lane that nobody reads here")

    def congestion_changed(self) -> None:
        """`is_congested` changed: the peer reads too slowly, or has caught up."""

    def lost(self, reason: Failure) -> None:
        """The connection is over, whoever ended it. Called once."""

    # --- the handshake ----------------------------------------------------------------------

    @property
    def tls(self) -> SSL.Connection:
        """OpenSSL's connection, for exporters."""
        handle: SSL.Connection = self.transport.getHandle()  # type: ignore[union-attr]
        return handle

    def connectionMade(self) -> None:
        no_delay = getattr(self.transport, "setTcpNoDelay", None)
        if no_delay is not None:
            no_delay(True)
        if self.deadlines is None:
            self._deadline = self.clock.callLater(self._deadline_after, self._too_late)
        else:
            self._deadline = self.deadlines.later(self._too_late)

    def handshakeCompleted(self) -> None:
        try:
            alpn = tls.check_handshake(self.tls, self.alpn)
        except PeerFault as error:
            self.fault(error)
            return
        self.is_secured = True
        self.transport.registerProducer(self, True)  # type: ignore[union-attr]
        self.secured(alpn)

    def certificate_refused(self, why: SecurecomError) -> None:
        """tls.Listener. The handshake fails after this."""
        self.reason = self.reason or why

    def established(self) -> None:
        """Log-in, proof or HELLO is done: the deadline is lifted."""
        if self.is_closing:  # the deadline is now the one for closing
            return
        self.is_established = True
        self._cancel("_deadline")
        told, self.on_established = self.on_established, _nothing
        told()

    def pace(self, pacer: Pacer, person: Hashable) -> None:
        """Take this person's commands when they are due; before that, all at once.

        :param person: who has logged in.
        """
        self._pacer, self._person = pacer, person

    def _too_late(self) -> None:
        self._deadline = None
        self.fault(WireError(f"{self.awaits} was not finished within {self._deadline_after:g} s"))

    # --- frames -----------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        self.is_heard = True
        if self.is_closing:
            return
        if not self.is_secured:
            self.fault(WireError("bytes before the end of the handshake"))
            return
        if self._straight and not self.is_busy and not self._decoder.held:
            data = self._pass_on(data, *self._straight)
            if not data:
                return
        self._unread += (data,)
        if self._is_waiting:
            self.hold(_COMMANDS)  # commands that wait already come first
        else:
            self._read_on(None)

    def _pass_on(self, data: bytes, stream: int, forward: Callable[[bytes], None]) -> bytes:
        """Forward the run that `data` begins with, if it need not wait; return what is left.

        This is the short way of nearly all that the server reads. It leaves to `_read_on`, which
        does the same step by step, whatever else may come.
        """
        end, frames = framing.whole_run(data, stream, self.most_read)
        if not frames or not self.may_pass(frames, end == len(data)):
            return data
        try:
            forward(data[:end])
        except Exception as error:
            self._failed(error)
        return data[end:]

    def _read_on(self, share: int | None) -> None:
        """Work on what has come.

        :param share: how many commands are left in this turn; None if no turn has begun.
        """
        self._is_waiting = False
        try:
            while not self.is_closing and (item := self._next()) is not None:
                frame = item if _is_control(item) else None
                if self.turns is not None and (frame is not None or self._is_much(item)):
                    if share is None and (not self.is_established or self.turns.take()):
                        share = limits.COMMANDS_A_TURN
                    if not share:
                        self._is_waiting = True
                        self.turns.queue(self._take_turn)
                        return
                    if frame is not None and (wait := self._early(frame)):
                        self._is_waiting = True
                        self.hold(_COMMANDS)
                        self._paced = self.clock.callLater(wait, self._is_due)
                        return
                    share = max(0, share - _size(item))
                self._item = None
                self._received(item)
        except Exception as error:
            self._failed(error)
        if _COMMANDS in self._holders:
            self.release(_COMMANDS)

    def _failed(self, error: Exception) -> None:
        """What came could not be worked on. Call it in the `except`.

        No error may reach what carries us, which may be another connection.
        """
        self.fault(error if isinstance(error, SecurecomError) else our_fault(Failure()))

    def _take_turn(self) -> None:
        self._read_on(limits.COMMANDS_A_TURN)

    def _is_due(self) -> None:
        self._paced = None
        self._read_on(None)

    def _next(self) -> framing.Frame | framing.Run | None:
        """The next thing to work on; it stays the next until `_item` is cleared."""
        while self._item is None:
            if self._items is None:
                if not self._unread:
                    return None
                data, self._unread = self._unread[0], self._unread[1:]
                self._item = self._decoder.alone(data)
                if self._item is not None:
                    break
                self._items = self._decoder.feed(data)
            self._item = next(self._items, None)
            if self._item is None:
                self._items = None
        return self._item

    def _is_much(self, item: framing.Frame | framing.Run) -> bool:
        """Count chat frames; whether they are more than this connection may send without a turn."""
        if not isinstance(item, framing.Run):
            return False
        self._relayed = self._work(item.frames)
        return self._relayed > limits.CHAT_SHARE

    def may_pass(self, frames: int, is_all: bool) -> bool:
        """Count a run of so many chat frames, if it may be forwarded now.

        :param is_all: no other whole frame came behind it. Then a run beyond this connection's
            share may have a turn of its own, as in `_read_on`, which would have to see to that.
        """
        work = self._work(frames)
        if work > limits.CHAT_SHARE and not (is_all and self.turns and self.turns.take()):
            return False
        self._relayed = work
        return True

    def grant(self, frames: int) -> int:
        """`may_pass`, and how much more of this pass's share was left. All of it is counted now.

        Returns -1 if this run may not pass.
        """
        if not self.may_pass(frames, True):
            return -1
        left = max(0, limits.CHAT_SHARE - self._relayed)
        self._relayed += left
        return left

    def _work(self, frames: int) -> int:
        """What this connection's chat frames cost in this pass, counting a run of so many more."""
        if self.turns is None:
            return 0
        if self._pass != self.turns.passes:
            self._pass, self._relayed = self.turns.passes, 0
        return self._relayed + limits.RUN_WORK + frames

    def _early(self, frame: framing.Frame) -> float:
        """How many seconds a command comes too early; if 0, it is counted now."""
        if self._box is None:
            self._box = parse_box(frame.body)
        command = vocabulary.BY_NAME.get(self._box.get(amp.COMMAND, b""))
        if self._pacer is None or command is None or not isinstance(command.pace, vocabulary.Pace):
            return 0.0
        return self._pacer.wait(self._person, command, command.pace)

    def _received(self, item: framing.Frame | framing.Run) -> None:
        if isinstance(item, framing.Run):
            self.run_received(item)
            return
        if item.lane != framing.CONTROL:
            self.frame_received(item)
            return
        box, self._box = self._box, None
        if box is None:
            self.control.receive(item.body)
        else:
            self.control.take(box)
        unread = self.control.answer_bytes - self._answers_before if self.is_congested else 0
        if unread > self.most_unread:
            raise WireError(f"a peer that leaves {unread} bytes of answers unread")

    def send(self, frame: bytes) -> None:
        """Write whole frames."""
        if not self.is_closing and self.transport is not None:
            self.transport.write(frame)

    def forward_straight(
        self, stream: int, forward: Callable[[bytes], None], target: object = None
    ) -> None:
        """Give the whole frames of this stream to `forward`, one run a call, as they are.

        From then on they do not come to `run_received`, or only if they have to wait.

        :param target: the connection to which `forward` sends them. If both transports can, they
            pass runs on by themselves then, where `forward` would be called.
        """
        self._straight = stream, forward
        splice = getattr(self.transport, "splice", None)
        if splice is not None and isinstance(target, Connection):
            splice(target.transport, Gate(self, stream, target, self._decoder))

    def forward_no_more(self) -> None:
        """Have all chat frames come to `run_received` again."""
        if self._straight is None:
            return
        self._straight = None
        unsplice = getattr(self.transport, "unsplice", None)
        if unsplice is not None:
            unsplice()

    @property
    def is_busy(self) -> bool:
        """Whether something that came has not been worked on yet, and comes first."""
        return self._items is not None or self._item is not None

    @property
    def is_mid_frame(self) -> bool:
        """A frame has begun and not ended."""
        return bool(self._decoder.held)

    # --- flow -------------------------------------------------------------------------------

    def pauseProducing(self) -> None:
        """Our transport is full because the peer does not read.

        We go on reading: if both ends stopped when full, neither would ever drain. `_received`
        bounds what a peer can pile up by sending commands.
        """
        if self.is_congested:
            return
        self.is_congested = True
        self._answers_before = self.control.answer_bytes
        rested = self.clock.seconds() - self._flow_changed
        self._patience_left = min(self.patience, self._patience_left + rested)
        self._flow_changed = self.clock.seconds()
        self._stalled = self.clock.callLater(self._patience_left, self._no_progress)
        self.congestion_changed()

    def resumeProducing(self) -> None:
        """Our transport has room again."""
        if not self.is_congested:
            return
        self.is_congested = False
        self._cancel("_stalled")
        stalled = self.clock.seconds() - self._flow_changed
        self._flow_changed = self.clock.seconds()
        earned = self._patience_left - stalled + limits.DRAIN_CREDIT
        self._patience_left = min(self.patience, earned)
        self.congestion_changed()

    def stopProducing(self) -> None:
        """Our transport is gone; `connectionLost` follows."""

    @property
    def is_held(self) -> bool:
        """Whether somebody holds reading."""
        return bool(self._holders)

    def hold(self, who: str) -> None:
        """Stop reading until every holder has released."""
        if not self._holders and not self.is_closing:
            self.transport.pauseProducing()  # type: ignore[union-attr]
        self._holders |= {who}

    def release(self, who: str) -> None:
        """End one holder's hold, if they have one."""
        if who not in self._holders:
            return
        self._holders = self._holders - {who} or _NOBODY
        if not self._holders and not self.is_closing:
            self.transport.resumeProducing()  # type: ignore[union-attr]

    def _no_progress(self) -> None:
        self._stalled = None
        self.fault(PeerSilent(f"the peer took too little for {self.patience:g} s"))

    # --- the end ----------------------------------------------------------------------------

    def close(self) -> None:
        """Send what is written and close TLS; cut the connection after a deadline."""
        if self.is_closing or self.transport is None:
            return
        self._begin_closing()
        self._deadline = self.clock.callLater(limits.CLOSE_DEADLINE, self._cut)
        self.transport.loseConnection()

    def fault(self, error: Exception) -> None:
        """Cut the connection, since the peer or we cannot go on."""
        if self.is_closing or self.transport is None:
            return
        self.reason = self.reason or error
        _log.debug("connection cut: {reason}", reason=type(error).__name__)
        self._begin_closing()
        self._cut()

    def _begin_closing(self) -> None:
        held, self._holders = self._holders, _NOBODY
        self.is_closing = True
        self._cancel("_deadline")
        self._cancel("_stalled")
        self._cancel("_paced")
        if self.is_secured:  # a registered producer would keep the transport open
            self.transport.unregisterProducer()  # type: ignore[union-attr]
        if held:  # or the peer's close would never be read
            self.transport.resumeProducing()  # type: ignore[union-attr]

    def _cut(self) -> None:
        self._deadline = None
        self.transport.abortConnection()  # type: ignore[union-attr]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.is_closing = True
        self._cancel("_deadline")
        self._cancel("_stalled")
        self._cancel("_paced")
        if self.reason is not None:
            reason = Failure(self.reason)
        self.control.stop(Failure(ConnectionLost()))
        self.lost(reason)

    def _cancel(self, timer: str) -> None:
        call: Any = getattr(self, timer)
        setattr(self, timer, None)
        if call is not None and call.active():
            call.cancel()


class Gate:
    """What a transport asks whether bytes may pass as they are, while a stream is open.

    It says what `Connection._pass_on` would forward. All of it is at hand in slots, since it is
    asked for each message.

    :param source: who sends them.
    :param target: where they would go.
    :param decoder: the source's.
    """

    __slots__ = ("_decoder", "_target", "most", "source", "stream")

    def __init__(
        self, source: Connection, stream: int, target: Connection, decoder: framing.Decoder
    ) -> None:
        self.source, self.stream, self._target = source, stream, target
        self._decoder, self.most = decoder, source.most_read

    def begun(self) -> bytes | None:
        """The beginning of a frame that came with earlier bytes, and belongs before the next.

        None: nothing may pass now, whatever comes.
        """
        source = self.source
        if source.is_closing or self._target.is_closing or source.is_busy:
            return None
        return self._decoder.begun

    def admit(self, data: bytes, begun: int, size: int) -> int:
        """How many of these bytes may pass now: whole frames of the stream, in one run.

        Then whatever is behind them is the beginning of a frame, and has been taken here. If it is
        0, nothing was, and the bytes after `begun` are to be delivered.

        :param begun: so many of them are what `begun` returns.
        :param size: only the first so many count.
        """
        source, decoder = self.source, self._decoder
        if source.is_closing or self._target.is_closing or len(decoder.begun) != begun:
            return 0
        if source._items is not None or source._item is not None:  # `is_busy`, without a call
            return 0
        end, frames = framing.whole_run(data, self.stream, self.most, 0, size)
        if not frames:
            return 0
        if end != size and not decoder.is_begun(
            data[end : min(size, end + limits.FRAME_HEADER)], size - end
        ):
            return 0
        if not source.may_pass(frames, True):
            return 0
        if begun or end != size:
            decoder.hold(data[end:size])
        source.is_heard = True
        return end

    def keep(self, rest: bytes) -> bool:
        """Take what is behind the frames that pass: the beginning of one, or nothing.

        Returns False, and takes nothing, if it is anything else. What `begun` returned is gone.
        """
        if rest and not self._decoder.is_begun(rest[: limits.FRAME_HEADER], len(rest)):
            return False
        self._decoder.hold(rest)
        return True

    def grant(self, frames: int) -> int:
        """Whether a run of so many frames may pass, for who counts the following ones itself.

        It is asked again when these have cost what it returns, in frames; -1 means no. Nobody else
        may use that part of this pass's share.
        """
        return self.source.grant(frames)
