"""TLS that reads and writes at once, by the public methods of pyOpenSSL alone."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.protocol import connectionDone
from twisted.internet.tcp import Connection as TCPConnection
from twisted.protocols.policies import ProtocolWrapper
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure

from securecom import limits

#: What could be decrypted; whether to ask again; and why nothing will follow, if that is so.
Decrypted = tuple[bytes, bool, SSL.Error | None]


class DirectTLS(TLSMemoryBIOProtocol):
    """A TLS transport. Twisted's class does the handshake, the end, and what producers are told.

    Bytes that come together are delivered together, so a protocol that aborts, or raises, has seen
    all of them. If one of the records that came together is broken, whatever the protocol writes
    about those before it is not sent.
    """

    #: Why nothing more can be read; kept until what came before it has been delivered.
    _end: SSL.Error | None = None
    #: The transport below no longer knows the producer, since TLS is over.
    _has_let_go = False

    def makeConnection(self, transport: Any) -> None:
        """As Twisted's, in one go; but a server that nobody has greeted has nothing to say yet."""
        #: The TCP connection below, if there is nothing between it and us.
        self._tcp = transport if isinstance(transport, TCPConnection) else None
        if not self._connectWrapped:
            super().makeConnection(transport)
            return
        self._tlsConnection = self.factory._creatorCallable(self)
        self._appSendBuffer = []
        ProtocolWrapper.makeConnection(self, transport)
        if not self._is_server:
            self._checkHandshakeStatus()

    @property
    def _is_server(self) -> bool:
        """Whether the peer is known to begin the handshake."""
        return not getattr(self.factory, "is_client", True)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._has_let_go and self._producer is not None:
            self._producer.stopProducing()
        super().connectionLost(reason)
        self._producer = None  # who knows its transport, as that knows it

    # --- reading ----------------------------------------------------------------------------

    def _flushReceiveBIO(self) -> None:  # noqa: N802
        """Decrypt and deliver everything that has come, and act on its end."""
        more = True
        while more and not self._lostTLSConnection:
            if self._end is not None:
                self._ended(self._end)
                break
            data, more, self._end = self._decrypt()
            if data and not self._aborted:
                self.wrappedProtocol.dataReceived(data)
        if self._tlsConnection is not None:
            self._flushSendBIO()

    def _ended(self, why: SSL.Error) -> None:
        """The peer has closed TLS, or broken it."""
        if isinstance(why, SSL.ZeroReturnError):
            self._shutdownTLS()
            self._tlsShutdownFinished(None)
        else:
            self._tlsShutdownFinished(Failure(why))

    def _tlsShutdownFinished(self, reason: Failure | None) -> None:  # noqa: N802
        """Close the transport below. It would wait for a paused producer, who may write no more."""
        if self._producer is not None and not (self._has_let_go or self._aborted):
            self._has_let_go = True
            self.transport.unregisterProducer()  # type: ignore[union-attr]
        super()._tlsShutdownFinished(reason)

    def _decrypt(self) -> Decrypted:
        """Decrypt what has come, or a good part of it."""
        parts: list[bytes] = []
        try:
            while len(parts) < limits.RECORDS_AT_ONCE:
                parts.append(self._tlsConnection.recv(limits.TLS_RECORD))
        except SSL.WantReadError:
            return b"".join(parts), False, None
        except SSL.Error as error:
            return b"".join(parts), True, error.with_traceback(None)  # which would keep our frames
        return b"".join(parts), True, None

    # --- writing ----------------------------------------------------------------------------

    def _write(self, data: bytes) -> None:
        if not data or self._lostTLSConnection or self._is_broken():
            return
        if self._appSendBuffer:  # this waits for the end of the handshake, and comes first
            self._bufferedWrite(data)
        else:
            super()._write(data)

    def _is_broken(self) -> bool:
        """Whether OpenSSL has found a broken record; the protocol hears of it in a moment."""
        return self._end is not None and not isinstance(self._end, SSL.ZeroReturnError)

    def _flushSendBIO(self) -> None:  # noqa: N802
        """Send what OpenSSL has encrypted."""
        try:
            while self._tlsConnection is not None:
                self._send(self._tlsConnection.bio_read(limits.TLS_BUFFER))
        except SSL.WantReadError:
            pass

    def _send(self, data: bytes) -> None:
        """Give encrypted bytes to the kernel, and let the reactor write what it does not take."""
        if rest := data[self._offer(data) :]:
            self.transport.write(rest)  # type: ignore[union-attr]

    def _offer(self, data: bytes | memoryview) -> int:
        """Offer encrypted bytes to the kernel. Returns how many it took.

        None, if others wait before them; if the connection was aborted, since its peer must not see
        it close; and if it is broken, which the reactor's own try will show.
        """
        tcp = self._tcp
        if tcp is None or tcp.dataBuffer or tcp._tempDataLen or self._aborted or not tcp.connected:
            return 0
        try:
            return tcp.socket.send(data)
        except OSError:
            return 0
