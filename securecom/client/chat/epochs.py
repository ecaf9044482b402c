"""The transport of a chat session: its epochs, one TLS session after the other, in one stream.

What the session writes is sealed in one epoch, what the peer writes is opened in one. At the end of
a rekey each direction changes over at a moment of its own. A TLS record belongs to one epoch, so
the peer's bytes are taken record by record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from OpenSSL import SSL
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IDelayedCall,
    IProducer,
    IPushProducer,
    IReactorTime,
    ITransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from securecom import limits, tls
from securecom.client.chat.stream import Stream
from securecom.connection import Connection
from securecom.errors import WireError

_HEADER = 5
#: The longest body of a record in TLS 1.3 (RFC 8446, section 5.2).
_MAX_BODY = 16 * 1024 + 256


class Records:
    """Cuts a stream into TLS records; holds one unfinished record at the most."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The records that `data` completes, headers and all.

        :raises WireError: at the first that is too long; the records before it are given.
        """
        if self._rest:
            data, self._rest = self._rest + data, b""
        elif _end(data, 0) == len(data):  # as it mostly is
            yield data
            return
        at = 0
        while (end := _end(data, at)) <= len(data):
            yield data[at:end]
            at = end
        self._rest = data[at:]


def _end(data: bytes, at: int) -> int:
    """Where the record at `at` ends; with less than a header, where that would end."""
    if len(data) - at < _HEADER:
        return at + _HEADER
    length = int.from_bytes(data[at + 3 : at + _HEADER], "big")
    if length > _MAX_BODY:
        raise WireError(f"a TLS record of {length} bytes")
    return at + _HEADER + length


# --- One epoch: a TLS session, bytes in and bytes out -----------------------------------------

_READ = 64 * 1024


class EpochOver(Exception):
    """TLS cannot go on: the peer closed it, or its bytes are not what they must be."""


class Epoch:
    """One TLS session: a handshake, then what its keys carry.

    :param number: 0 for the first epoch of a chat, one more for each that follows.
    """

    def __init__(self, number: int, tls: SSL.Connection) -> None:
        self.number = number
        self.tls = tls
        #: The handshake is done: from now on it carries what the peers say.
        self.is_open = False
        #: Bytes of TLS so far, by direction.
        self.sent = 0
        self.received = 0

    @property
    def bytes_so_far(self) -> int:
        """Of the direction that has had more."""
        return max(self.sent, self.received)

    def start(self) -> None:
        """Begin the handshake; a TLS client has bytes to `take` then."""
        self._read()

    def feed(self, data: bytes) -> bytes:
        """The peer's bytes, one record if the epoch is open; what they say, which is nothing
        before that.

        :raises EpochOver: if TLS cannot go on; there may be an alert to `take`.
        """
        self.received += len(data)
        self.tls.bio_write(data)
        return self._read_one() if self.is_open else self._read()

    def sealed(self, data: bytes) -> bytes:
        """Something to say, in sealed form."""
        self.tls.sendall(data)
        return self.take()

    def close(self) -> None:
        """Tell the peer's TLS that nothing more comes."""
        try:
            self.tls.shutdown()
        except SSL.Error:  # in the middle of a handshake there is nothing to close
            return

    def take(self) -> bytes:
        """What is to be sent."""
        data = b"".join(self._outgoing())
        self.sent += len(data)
        return data

    def _outgoing(self) -> Iterator[bytes]:
        try:
            while True:
                data = self.tls.bio_read(_READ)
                yield data
                if len(data) < _READ:  # that was all
                    return
        except SSL.WantReadError:
            return

    def _read_one(self) -> bytes:
        """What one record says. To ask for more would cost as much again, and give nothing."""
        try:
            return self.tls.recv(_MAX_BODY)
        except SSL.WantReadError:
            return b""
        except SSL.Error:
            raise EpochOver from None

    def _read(self) -> bytes:
        parts: list[bytes] = []
        try:
            if not self.is_open:
                self.tls.do_handshake()
                self.is_open = True
            while True:
                parts.append(self.tls.recv(_READ))
        except SSL.WantReadError:
            return b"".join(parts)
        except SSL.Error:
            raise EpochOver from None


# --- The epochs of a chat -----------------------------------------------------------------------

#: Bytes that wait for the reactor's next turn; more leave at once.
_MAX_WAITING = 64 * 1024


def _nobody_minds(_epoch: Epoch) -> None:
    """Before the chat stands."""


@implementer(ITransport, IConsumer, IPushProducer)
class Epochs(Protocol):
    """A stream's protocol and a session's transport.

    :param is_client: the TLS role, the same in all epochs.
    """

    transport: Stream
    #: What each epoch shows and demands; to be set before there is a stream.
    options: tls.TLSOptions
    #: Where our words are sealed and the peer's are opened, as long as there is a stream.
    _sealing: Epoch
    _opening: Epoch

    def __init__(self, session: Connection, is_client: bool, clock: IReactorTime) -> None:
        self._session, self._is_client, self._clock = session, is_client, clock
        #: Called with an epoch that has carried as much as one should, whenever more was sealed in
        #: it or came for it, before that passes.
        self.on_worn: Callable[[Epoch], None] = _nobody_minds
        #: The peer's last word in an epoch is being read.
        self.is_switching = False
        #: The chat is over. Nothing more is read, so that our last answers leave whatever comes.
        self.is_over = False
        self._waiting = bytearray()
        self._flush_soon: IDelayedCall | None = None
        self._records = Records()
        self._last_number = -1

    # --- epochs -----------------------------------------------------------------------------

    def fresh(self) -> Epoch:
        """The next epoch, its handshake begun."""
        self._last_number += 1
        epoch = Epoch(self._last_number, self.options.in_memory(self._is_client, self._session))
        epoch.start()
        return epoch

    @property
    def present(self) -> Epoch:
        """The epoch that the peer's words are in."""
        return self._opening

    def seal_in(self, epoch: Epoch) -> None:
        """What is written from now on is of this epoch."""
        self._flush()
        self._sealing = epoch

    def open_in(self, epoch: Epoch) -> None:
        """The record at hand is the present epoch's last; those that follow are of this one."""
        self.is_switching = True
        self.transport.write(self._opening.take())
        self._opening = epoch

    # --- the stream's protocol --------------------------------------------------------------

    def connectionMade(self) -> None:
        self._sealing = self._opening = epoch = self.fresh()
        self._session.makeConnection(self)
        self.transport.write(epoch.take())

    def dataReceived(self, data: bytes) -> None:
        if self.is_over:
            return
        try:
            for record in self._records.feed(data):
                self._receive(record)
                if self.disconnecting or self.is_over:
                    return
            self.transport.write(self._opening.take())
        except WireError as error:
            self._session.fault(error)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._session.connectionLost(reason)
        del self._sealing, self._opening  # and with them the keys
        self.on_worn = _nobody_minds

    def _receive(self, record: bytes) -> None:
        epoch = self._opening
        was_open = epoch.is_open
        try:
            said = epoch.feed(record)
        except EpochOver:
            self.transport.write(epoch.take())
            self.transport.loseConnection()
            return
        self._count(epoch)
        if not was_open:
            self.transport.write(epoch.take())
        if epoch.is_open and not was_open:
            self._session.handshakeCompleted()
        if said:
            self._hand_on(said)

    def _count(self, epoch: Epoch) -> None:
        if epoch.bytes_so_far >= min(limits.REKEY_BYTES, limits.EPOCH_BYTES):
            self.on_worn(epoch)

    def _hand_on(self, said: bytes) -> None:
        self._session.dataReceived(said)
        if self.is_switching and self._session.is_mid_frame:
            self._session.fault(WireError("bytes behind SWITCH in its epoch"))
        self.is_switching = False

    # --- the session's transport ------------------------------------------------------------

    @property
    def disconnecting(self) -> bool:
        """Nothing is written or read any more."""
        return self.transport.disconnecting

    def getHandle(self) -> SSL.Connection:  # noqa: N802
        """The present epoch's TLS."""
        return self._opening.tls

    def write(self, data: bytes) -> None:
        """Say something: sealed with what else is said in this turn."""
        self._waiting += data
        if len(self._waiting) > _MAX_WAITING:
            self._flush()
        elif self._flush_soon is None:
            self._flush_soon = self._clock.callLater(0, self._flush)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Say pieces at once, each in a record and a chat frame of its own, so that no reader has
        to put one together; what waited goes before.
        """
        self._flush()
        if not self.disconnecting:
            epoch = self._sealing
            sealed = [epoch.sealed(piece) for piece in data]
            self._count(epoch)
            self.transport.writeSequence(sealed)

    def _flush(self) -> None:
        self._forget_flush()
        data = bytes(self._waiting)
        self._waiting.clear()
        if data and not self.disconnecting:
            epoch = self._sealing
            sealed = epoch.sealed(data)
            self._count(epoch)
            self.transport.write(sealed)

    def _forget_flush(self) -> None:
        call, self._flush_soon = self._flush_soon, None
        if call is not None and call.active():
            call.cancel()

    def loseConnection(self) -> None:
        """End, after what was written."""
        self._flush()
        self._close_epoch()
        self.transport.loseConnection()

    def abortConnection(self) -> None:
        """End at once; the peer need not wait for the server to say so."""
        self._close_epoch()
        self.transport.abortConnection()

    def _close_epoch(self) -> None:
        if not self.disconnecting:
            self._sealing.close()
            self.transport.write(self._sealing.take())

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Nothing is kept here, so the stream's word counts."""
        self.transport.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """The producer is done."""
        self.transport.unregisterProducer()

    def pauseProducing(self) -> None:
        """The session does not want to read."""
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """The session wants to read."""
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """The session wants no more."""
        self.transport.stopProducing()

    def getPeer(self) -> IAddress:
        """The stream."""
        return self.transport.getPeer()

    def getHost(self) -> IAddress:
        """The stream."""
        return self.transport.getHost()
