"""The virtual transport of a chat: the chat lane of the standard channel, one stream of it.

What is written leaves at once as chat frames. Nothing is kept here: when the standard channel is
congested, whoever writes is paused; when the chat does not want to read, the standard channel
stops reading. So both directions are bounded by what the two TLS layers hold.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, cast

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IProducer,
    IProtocol,
    IPushProducer,
    IReactorTime,
    ITransport,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from securecom import framing
from securecom.values import Value


class StreamCarrier(Protocol):
    """What a stream needs of the standard channel."""

    is_congested: bool

    def send(self, frame: bytes) -> None:
        """Write whole frames."""

    def hold(self, who: str) -> None:
        """Stop reading until released."""

    def release(self, who: str) -> None:
        """Read on, if nobody else holds."""


@implementer(IAddress)
class StreamAddress(Value):
    """A stream has a number and no other address."""

    number: int


@implementer(ITransport, IConsumer, IPushProducer)
class Stream:
    """One chat's bytes, in and out.

    `connectionLost` comes from the reactor, never from inside a call of the protocol's.
    """

    def __init__(self, number: int, carrier: StreamCarrier, clock: IReactorTime) -> None:
        self.number = number
        self.disconnecting = False
        self._carrier = carrier
        self._clock = clock
        self._holder = f"stream {number}"
        self._protocol: IProtocol | None = None
        self._producer: IPushProducer | None = None

    def carry(self, protocol: IProtocol) -> None:
        """Join the protocol whose transport this is."""
        self._protocol = protocol
        protocol.makeConnection(self)

    # --- from the standard channel ----------------------------------------------------------

    def received(self, data: bytes) -> None:
        """Bytes of the peer came."""
        if not self.disconnecting and self._protocol is not None:
            self._protocol.dataReceived(data)

    def closed(self) -> None:
        """The server closed the stream."""
        self._end(ConnectionDone())

    def lost(self) -> None:
        """The standard channel is gone."""
        self._end(ConnectionLost())

    def congestion_changed(self) -> None:
        """The standard channel is full, or has room again."""
        if self._producer is None:
            return
        if self._carrier.is_congested:
            self._producer.pauseProducing()
        else:
            self._producer.resumeProducing()

    # --- ITransport, IConsumer, IPushProducer -----------------------------------------------

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if not self.disconnecting and data:
            self._carrier.send(framing.encode_chat(self.number, data))

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send pieces, in frames of their own."""
        if not self.disconnecting:
            frames = b"".join(framing.encode_chat(self.number, piece) for piece in data)
            self._carrier.send(frames)

    def loseConnection(self) -> None:
        """End; all that was written has left already."""
        self._end(ConnectionDone())

    def abortConnection(self) -> None:
        """End at once."""
        self._end(ConnectionAborted())

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Whoever writes is paused while the standard channel is congested."""
        if self._producer is not None or not streaming:
            raise RuntimeError("a stream takes one push producer")
        if self.disconnecting:
            producer.stopProducing()
            return
        self._producer = cast(IPushProducer, producer)
        if self._carrier.is_congested:
            self._producer.pauseProducing()

    def unregisterProducer(self) -> None:
        """The producer is done."""
        self._producer = None

    def pauseProducing(self) -> None:
        """The chat does not want to read: nor does the standard channel, then."""
        if not self.disconnecting:
            self._carrier.hold(self._holder)

    def resumeProducing(self) -> None:
        """The chat wants to read."""
        self._carrier.release(self._holder)

    def stopProducing(self) -> None:
        """The chat wants no more."""
        self.loseConnection()

    def getPeer(self) -> StreamAddress:
        """The stream."""
        return StreamAddress(self.number)

    def getHost(self) -> StreamAddress:
        """The stream."""
        return StreamAddress(self.number)

    # --- the end ----------------------------------------------------------------------------

    def _end(self, reason: Exception) -> None:
        if self.disconnecting:
            return
        self.disconnecting = True
        self._producer = None
        self._carrier.release(self._holder)
        self._clock.callLater(0, self._ended, Failure(reason))

    def _ended(self, reason: Failure) -> None:
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.connectionLost(reason)
