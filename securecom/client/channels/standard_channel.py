"""The standard channel: log-in, commands to the server, and the streams of chats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.protocols import amp
from twisted.python.failure import Failure

from securecom import framing, limits, peers, tls, vocabulary
from securecom.client.chat.stream import Stream
from securecom.client.coordination.coordinator import Coordinator
from securecom.connection import Connection
from securecom.control import Locator
from securecom.errors import ConnectionWasLost, PeerSilent
from securecom.identity import Identity, Name
from securecom.liveness import Liveness
from securecom.values import Value


class Login(Value):
    """A log-in: our name, and what the request channel needs to join it.

    :param ident: the session's public handle (16 bytes).
    :param key: the session key (32 bytes).
    :param dial_port: the port the server may dial, 0 for any; None: it does not dial.
    :param time: the server's, in Unix seconds, if it said so. Nothing may depend on it.
    """

    name: Name
    ident: bytes
    key: bytes
    request_port: int
    dial_port: int | None
    time: int | None = None


class StandardChannel(Connection, Locator):
    """Our end.

    :param coordinator: knows whether we agreed to a chat that the server opens.
    :param identity: ours, as the handshake shows it.
    :param server: the server's id (32 bytes).
    :param takeover: end a session that this key already has.
    :param lost: called once, when the channel is over.
    """

    lanes: ClassVar[frozenset[int]] = frozenset({framing.CONTROL, framing.CHAT})
    most_read: ClassVar[int] = limits.MAX_SERVER_BODY
    alpn: ClassVar[frozenset[bytes]] = frozenset({tls.ALPN_STANDARD})
    patience: ClassVar[float] = limits.CLIENT_PATIENCE

    def __init__(
        self,
        coordinator: Coordinator,
        identity: Identity,
        server: bytes,
        takeover: bool,
        clock: IReactorTime,
        lost: Callable[[StandardChannel], None],
    ) -> None:
        super().__init__(clock, limits.LOGIN_PATIENCE)
        self._coordinator, self._tell_lost = coordinator, lost
        self._identity, self._server, self._takeover = identity, server, takeover
        self._liveness = Liveness(self, sends_pings=True)
        self._streams: dict[int, Stream] = {}
        self._read_since = clock.seconds()
        #: Fires with the session, or fails with the refusal or the reason of the loss.
        self.logged_in: Deferred[Login] = Deferred()
        #: Our person is leaving: what has no answer yet gets none, and nothing was lost.
        self.is_left = False
        #: Why the server ends the session, if it said so.
        self.goodbye: str | None = None

    # --- log-in -----------------------------------------------------------------------------

    def secured(self, alpn: bytes) -> None:
        """TLS stands, and it is the pinned server: log in."""
        proof = peers.signed_for_server(self.tls, self._server, self._identity, peers.LOG_IN)
        answer = self.control.call(vocabulary.LogIn, takeover=self._takeover, **proof)
        answer.addCallbacks(self._welcomed, self._refused)

    def _welcomed(self, answer: dict[str, Any]) -> None:
        self.established()
        self._liveness.start()
        session = Login(
            answer["name"],
            peers.session_id(self.tls),
            peers.request_key(self.tls),
            answer["request_port"],
            answer.get("dial_port"),
            answer.get("time"),
        )
        self.logged_in.callback(session)

    def _refused(self, failure: Failure) -> None:
        if not failure.check(ConnectionLost):  # `lost` tells that, and knows why
            self.logged_in.errback(failure)
            self.close()

    @property
    def peer_host(self) -> str | None:
        """The address that we reached the server at."""
        peer = self.transport.getPeer()  # type: ignore[union-attr]
        return getattr(peer, "host", None)

    def check(self) -> None:
        """This process stood still: see at once whether the server is still there."""
        self._liveness.check()

    # --- commands ---------------------------------------------------------------------------

    def ask(
        self,
        command: type[amp.Command],
        patience: float = limits.CLIENT_PATIENCE,
        **arguments: Any,
    ) -> Deferred[dict[str, Any]]:
        """Send a command; its answer or refusal, or `ConnectionWasLost`.

        :param patience: seconds; a server that takes longer is given up. It may well stop reading
            from us for `limits.NO_PROGRESS`, while it waits for our peer. The time in which we do
            not read does not count.
        """
        answer = self.control.call(command, **arguments)
        self._limit(answer, patience)
        return answer.addErrback(self._unanswered)

    def _limit(self, answer: Deferred[dict[str, Any]], patience: float) -> None:
        """Give the server up if it takes longer."""
        started = self.clock.seconds()
        timer: IDelayedCall

        def look() -> None:
            nonlocal started, timer
            now = self.clock.seconds()
            if self.is_held or self._read_since > started:
                started = now if self.is_held else self._read_since
                timer = self.clock.callLater(max(0.0, started + patience - now), look)
            else:
                self.fault(PeerSilent("the server did not answer"))
                answer.cancel()

        def stop(result: Any) -> Any:
            if timer.active():
                timer.cancel()
            return result

        timer = self.clock.callLater(patience, look)
        answer.addBoth(stop)

    def _unanswered(self, failure: Failure) -> Failure:
        if not failure.check(ConnectionLost, CancelledError):
            return failure
        if self.is_left:
            return Failure(ConnectionWasLost("you left before the server answered"))
        return Failure(ConnectionWasLost("the connection to the server was lost"))

    def responders(self) -> amp.IResponderLocator:
        """`Ping`, `OpenStream`, `StreamClosed`, `Goodbye`."""
        return self

    @vocabulary.Ping.responder
    def ping(self) -> dict[str, Any]:
        """Here."""
        return {}

    @vocabulary.OpenStream.responder
    def stream_opens(self, chat: bytes, stream: int) -> dict[str, Any]:
        """A chat that we accepted begins, or one that we know nothing of."""
        self._coordinator.stream_opened(chat, stream)
        return {}

    @vocabulary.StreamClosed.responder
    def stream_closes(self, stream: int) -> dict[str, Any]:
        """The other end is gone."""
        closed = self._streams.pop(stream, None)
        if closed is not None:
            closed.closed()
        return {}

    @vocabulary.Goodbye.responder
    def server_leaves(self, reason: str) -> dict[str, Any]:
        """The session is over; nothing more is to be expected."""
        self.goodbye = reason
        self.close()
        return {}

    # --- streams ----------------------------------------------------------------------------

    def open_stream(self, number: int) -> Stream:
        """The stream that the server has opened to us."""
        stream = self._streams[number] = Stream(number, self, self.clock)
        return stream

    def end_stream(self, number: int) -> None:
        """Tell the server that the chat is over, unless it told us."""
        if self._streams.pop(number, None) is not None:
            self.ask(vocabulary.EndChat, stream=number).addErrback(lambda _: None)

    def release(self, who: str) -> None:
        """From now on the server's silence is its own."""
        if self.is_held:
            self._read_since = self.clock.seconds()
        super().release(who)

    def run_received(self, run: framing.Run) -> None:
        """Of a chat; what comes for one that is over is dropped."""
        stream = self._streams.get(run.stream)
        if stream is not None:
            stream.received(framing.chat_bytes(run))

    def congestion_changed(self) -> None:
        """The server reads too slowly, or caught up."""
        for stream in list(self._streams.values()):
            stream.congestion_changed()

    # --- the end ----------------------------------------------------------------------------

    def lost(self, reason: Failure) -> None:
        """With it go all its streams."""
        self._liveness.stop()
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.lost()
        if not self.logged_in.called:
            self.logged_in.errback(reason)
        self._tell_lost(self)
