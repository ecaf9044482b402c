"""TLS by OpenSSL's own functions, from the socket to the protocol and back without detours."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.protocol import connectionDone
from twisted.internet.tcp import Server
from twisted.python.failure import Failure

from securecom import limits
from securecom.transport import fast, openssl, sieve, splice
from securecom.transport.direct import Decrypted, DirectTLS

#: Waits for the end of the handshake, or for OpenSSL, at nearly no connection; a list of its own
#: takes 64 bytes.
_NOTHING: Any = ()


class NativeTLS(DirectTLS):
    """A TLS transport; `openssl.MISSING` must be empty.

    A TCP connection below is read by this class: it stands in for the connection's own `doRead`, as
    Twisted itself does when it connects or aborts.
    """

    #: The handshake is over, and the memory that it took is gone: bytes may go the short way.
    _is_settled = False
    #: The transport below is gone.
    _is_lost = False
    #: To whom what comes is passed on, and from whom something is passed on to us.
    _splice: NativeTLS | None = None
    _source: NativeTLS | None = None

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._leave_splices()
        if self._tcp is not None:
            vars(self._tcp).pop("doRead", None)
        self._tcp, self._is_settled, self._is_lost = None, False, True
        super().connectionLost(reason)

    # --- reading ----------------------------------------------------------------------------

    def makeConnection(self, transport: Any) -> None:
        super().makeConnection(transport)
        if self._tcp is not None and not self._aborted:
            self._tcp.doRead = self._read_socket  # type: ignore[method-assign]

    def _checkHandshakeStatus(self) -> None:  # noqa: N802
        """As Twisted's, without exceptions for what happens in each handshake."""
        if self._aborted:
            return
        is_done, error = openssl.shake_hands(self._tlsConnection)
        if is_done:
            self._handshakeDone = True
            if IHandshakeListener.providedBy(self.wrappedProtocol):
                self.wrappedProtocol.handshakeCompleted()
        elif error is None:
            self._flushSendBIO()
        else:
            self._tlsShutdownFinished(Failure(error))

    def dataReceived(self, data: bytes) -> None:
        self._tlsConnection.bio_write(data)
        self._take_in()

    def _take_in(self) -> None:
        """Do all that can be done with what OpenSSL was given."""
        if not self._handshakeDone:
            self._checkHandshakeStatus()
            if not self._handshakeDone:
                return
            if self._is_server and self._tlsConnection is not None and self._has_nothing_to_do():
                return
        if self._appSendBuffer:
            self._unbufferPendingWrites()
        self._flushReceiveBIO()

    def _has_nothing_to_do(self) -> bool:
        """Whether the peer's bytes end with the handshake, and nothing waits to be written.

        What OpenSSL has to say then, it says along with what is written next.
        """
        if self._appSendBuffer or self._lostTLSConnection:
            return False
        return not openssl.holds_received(self._tlsConnection)

    def _read_socket(self) -> ConnectionDone | ConnectionLost | None:
        """IReadDescriptor.doRead: what `tcp.Connection` does, without a bytes object."""
        try:
            count = self._tcp.socket.recv_into(  # type: ignore[union-attr]
                openssl.received, limits.READ_AT_ONCE
            )
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if not count:
            return CONNECTION_DONE
        if self._appSendBuffer or not self._is_settled or self._end is not None:
            openssl.take_received(self._tlsConnection, count)
            self._take_in()
            return None
        # The usual case: whole records, and nothing that OpenSSL has to answer.
        data, more, self._end = openssl.decrypt_received(self._tlsConnection, count)
        self.deliver(data, more)
        return None

    def deliver(self, data: bytes, more: bool) -> None:
        """Give the protocol what was decrypted, and see to the rest if there is more."""
        if data and not self._aborted:
            self.wrappedProtocol.dataReceived(data)
        if more and self._tlsConnection is not None:
            self._flushReceiveBIO()

    def _flushReceiveBIO(self) -> None:  # noqa: N802
        super()._flushReceiveBIO()
        if self._is_settled or self._is_lost or not self._handshakeDone:
            return
        if self._tlsConnection is not None:
            self._is_settled = openssl.renew_memory(self._tlsConnection)
            if self._is_settled and not self._appSendBuffer:
                self._appSendBuffer = _NOTHING

    def _decrypt(self) -> Decrypted:
        return openssl.decrypt(self._tlsConnection)

    # --- passing on -------------------------------------------------------------------------

    def splice(self, target: object, gate: splice.Admission) -> bool:
        """From now on, write what comes and the gate admits to the target, and deliver the rest.

        It ends when either connection does. Returns False, and does nothing, if it cannot be.
        """
        self.unsplice()
        if not (isinstance(target, NativeTLS) and self._is_plain() and target._is_plain()):
            return False
        if target._source is not None:
            target._source.unsplice()
        self._splice, target._source = target, self
        sieve.hold(self._tcp, fast.reader(self, target, gate))
        return True

    def unsplice(self) -> None:
        """Deliver whatever comes, as before."""
        if self._splice is None:
            return
        self._splice._source = None
        self._splice = None
        sieve.leave(self._tcp)
        self._tcp.doRead = self._read_socket  # type: ignore[union-attr,method-assign]

    def _leave_splices(self) -> None:
        self.unsplice()
        if self._source is not None:
            self._source.unsplice()

    def _is_plain(self) -> bool:
        """Whether bytes come and go as they are encrypted, and nothing else is to be done."""
        return (
            self._tcp is not None
            and self._is_settled
            and self._end is None
            and not (self.disconnecting or self._lostTLSConnection or self._appSendBuffer)
        )

    def loseConnection(self) -> None:
        self._leave_splices()
        super().loseConnection()

    def abortConnection(self) -> None:
        self._leave_splices()
        super().abortConnection()

    def _tlsShutdownFinished(self, reason: Failure | None) -> None:  # noqa: N802
        self._leave_splices()
        super()._tlsShutdownFinished(reason)

    def _bufferedWrite(self, octets: bytes) -> None:  # noqa: N802
        self._leave_splices()
        if self._appSendBuffer is _NOTHING:
            self._appSendBuffer = []
        super()._bufferedWrite(octets)

    # --- writing ----------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        if (
            not self.disconnecting
            and not self._lostTLSConnection
            and self._end is None
            and self._is_settled
            and not self._appSendBuffer
        ):
            sealed = openssl.seal(self._tlsConnection, data)
            if sealed is not None:
                if (count := self._offer(sealed)) < len(sealed):
                    self.transport.write(bytes(sealed[count:]))  # type: ignore[union-attr]
                return
        super().write(data)

    def _write(self, data: bytes) -> None:
        if not self._handshakeDone or self._appSendBuffer:
            super()._write(data)
            return
        while data and not self._lostTLSConnection and not self._is_broken():
            sealed, count, error = openssl.encrypt(self._tlsConnection, data)
            self._send_shared(sealed)
            data = data[count:]
            if isinstance(error, SSL.WantReadError):
                self._bufferedWrite(data)
                return
            if error is not None:
                self._tlsShutdownFinished(Failure(error))

    def _flushSendBIO(self) -> None:  # noqa: N802
        while data := openssl.encrypted(self._tlsConnection):
            size = len(data)
            self._send_shared(data)
            if size < limits.TLS_BUFFER or self._tlsConnection is None:
                return

    def _send_shared(self, data: memoryview) -> None:
        """`_send` for bytes in a buffer that the next connection will use."""
        if (count := self._offer(data)) < len(data):
            self.transport.write(bytes(data[count:]))  # type: ignore[union-attr]


# In CPython, the instances of a class share one table of the names of their attributes, and each
# has an array of values. Once some thirty instances exist, the table takes in no further names, and
# an instance that gets an attribute of another name has a dictionary of its own from then on, of
# 0.5 to 0.8 kB. When many connect at once, that would be all who ever connect: they are accepted
# together, and have attributes that only the end of a handshake brings.
_LATE = ("_handshakeDone", "_producer", "_end", "_is_settled", "_is_lost", "_splice", "_source")
_LATE_OF_TCP = ("producer", "streamingProducer", "doRead")


def expect(kind: type, names: tuple[str, ...]) -> None:
    """Have Python know the names of these attributes, before there are instances of this class."""
    first: object = object.__new__(kind)
    for name in names:
        setattr(first, name, None)


expect(NativeTLS, _LATE)
expect(Server, _LATE_OF_TCP)
