"""The standard channel: log-in, commands to the server, and the streams of chats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IReactorTime
from twisted.protocols import amp
from twisted.python.failure import Failure

from securecom import commands, framing, limits, tls
from securecom.client.chat.stream import Stream
from securecom.connection import Connection
from securecom.errors import ConnectionWasLost, PeerSilent
from securecom.identity import Name
from securecom.liveness import Liveness


@dataclass(frozen=True)
class Session:
    """A log-in: our name, and what the request channel needs to join it.

    :param ident: the session's public handle (16 bytes).
    :param key: the session key (32 bytes).
    :param dial_port: the port the server may dial, 0 for any; None: it does not dial.
    """

    name: Name
    ident: bytes
    key: bytes
    request_port: int
    dial_port: int | None


class Guest(Protocol):
    """Who uses a standard channel."""

    def stream_opened(self, chat: bytes, number: int) -> None:
        """:raises commands.NothingToEnd: if we agreed to no such chat."""

    def channel_lost(self, channel: StandardChannel, reason: Failure) -> None:
        """It is over; called once."""


class StandardChannel(Connection, amp.CommandLocator):
    """Our end.

    :param takeover: end a session that this key already has.
    """

    lanes: ClassVar[frozenset[int]] = frozenset({framing.CONTROL, framing.CHAT})
    alpn: ClassVar[frozenset[bytes]] = frozenset({tls.ALPN_STANDARD})
    patience: ClassVar[float] = limits.CLIENT_PATIENCE

    def __init__(self, guest: Guest, takeover: bool, clock: IReactorTime) -> None:
        super().__init__(clock)
        self._guest = guest
        self._takeover = takeover
        self._liveness = Liveness(self, sends_pings=True)
        self._streams: dict[int, Stream] = {}
        #: Fires with the session, or fails with the refusal or the reason of the loss.
        self.logged_in: Deferred[Session] = Deferred()
        #: Why the server ends the session, if it said so.
        self.goodbye: str | None = None

    # --- log-in -----------------------------------------------------------------------------

    def secured(self, alpn: bytes) -> None:
        """TLS stands, and it is the pinned server: log in."""
        answer = self.control.call(commands.LogIn, takeover=self._takeover)
        answer.addCallbacks(self._welcomed, self._refused)

    def _welcomed(self, answer: dict[str, Any]) -> None:
        self.established()
        self._liveness.start()
        session = Session(
            answer["name"],
            tls.session_id(self.tls),
            tls.request_key(self.tls),
            answer["request_port"],
            answer.get("dial_port"),
        )
        self.logged_in.callback(session)

    def _refused(self, failure: Failure) -> None:
        if not failure.check(ConnectionLost):  # `lost` tells that, and knows why
            self.logged_in.errback(failure)
            self.close()

    # --- commands ---------------------------------------------------------------------------

    def ask(
        self,
        command: type[amp.Command],
        patience: float = limits.CLIENT_PATIENCE,
        **arguments: Any,
    ) -> Deferred[dict[str, Any]]:
        """Send a command; its answer or refusal, or `ConnectionWasLost`.

        :param patience: seconds; a server that takes longer is given up. It may well stop reading
            from us for `limits.NO_PROGRESS`, while it waits for our peer.
        """
        answer = self.control.call(command, **arguments)
        answer.addTimeout(patience, self.clock)
        return answer.addErrback(self._unanswered)

    def _unanswered(self, failure: Failure) -> Failure:
        if failure.check(TimeoutError):
            self.fault(PeerSilent("the server did not answer"))
        elif not failure.check(ConnectionLost):
            return failure
        return Failure(ConnectionWasLost("the connection to the server was lost"))

    def responders(self) -> amp.IResponderLocator:
        """`Ping`, `OpenStream`, `StreamClosed`, `Goodbye`."""
        return self

    @commands.Ping.responder
    def ping(self) -> dict[str, Any]:
        """Here."""
        return {}

    @commands.OpenStream.responder
    def stream_opens(self, chat: bytes, stream: int) -> dict[str, Any]:
        """A chat that we accepted begins, or one that we know nothing of."""
        self._guest.stream_opened(chat, stream)
        return {}

    @commands.StreamClosed.responder
    def stream_closes(self, stream: int) -> dict[str, Any]:
        """The other end is gone."""
        closed = self._streams.pop(stream, None)
        if closed is not None:
            closed.closed()
        return {}

    @commands.Goodbye.responder
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
            self.ask(commands.EndChat, stream=number).addErrback(lambda _: None)

    def dataReceived(self, data: bytes) -> None:
        self._liveness.heard()
        super().dataReceived(data)

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
        self._guest.channel_lost(self, reason)
