"""TLS that reads and writes at once, by the public methods of pyOpenSSL alone."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.tcp import Connection as TCPConnection
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure

from securecom import limits


class DirectTLS(TLSMemoryBIOProtocol):
    """A TLS transport. Twisted's class does the handshake, the end, and what producers are told.

    Bytes that come together are delivered together, so a protocol that aborts, or raises, has seen
    all of them. If one of the records that came together is broken, whatever the protocol writes
    about those before it is not sent.
    """

    #: Why nothing more can be read; kept until what came before it has been delivered.
    _end: SSL.Error | None = None

    def makeConnection(self, transport: Any) -> None:
        #: The TCP connection below, if there is nothing between it and us.
        self._tcp = transport if isinstance(transport, TCPConnection) else None
        super().makeConnection(transport)

    # --- reading ----------------------------------------------------------------------------

    def _flushReceiveBIO(self) -> None:  # noqa: N802
        """Decrypt and deliver everything that has come, and act on its end."""
        while not self._lostTLSConnection:
            if self._end is None:
                data, self._end = self._decrypt()
                if data and not self._aborted:
                    self.wrappedProtocol.dataReceived(data)
                elif not data and self._end is None:
                    break
            else:
                self._ended(self._end)
        if self._tlsConnection is not None:
            self._flushSendBIO()

    def _ended(self, why: SSL.Error) -> None:
        """The peer has closed TLS, or broken it."""
        if isinstance(why, SSL.ZeroReturnError):
            self._shutdownTLS()
            self._tlsShutdownFinished(None)
        else:
            self._tlsShutdownFinished(Failure(why))

    def _decrypt(self) -> tuple[bytes, SSL.Error | None]:
        """Return what can be decrypted now, and why nothing will ever follow, if that is so.

        No bytes and no reason: everything has been returned.
        """
        parts: list[bytes] = []
        ended = None
        try:
            while len(parts) < limits.RECORDS_AT_ONCE:
                parts.append(self._tlsConnection.recv(limits.TLS_RECORD))
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            ended = error
        return b"".join(parts), ended

    # --- writing ----------------------------------------------------------------------------

    def _write(self, data: bytes) -> None:
        if not self._is_broken():
            super()._write(data)

    def _is_broken(self) -> bool:
        """Whether OpenSSL has found a broken record; the protocol hears of it in a moment."""
        return self._end is not None and not isinstance(self._end, SSL.ZeroReturnError)

    def _flushSendBIO(self) -> None:  # noqa: N802
        """Send what OpenSSL has encrypted."""
        try:
            while True:
                self._send(self._tlsConnection.bio_read(limits.TLS_BUFFER))
        except SSL.WantReadError:
            pass

    def _send(self, data: bytes) -> None:
        """Give encrypted bytes to the kernel, and let the reactor write what it does not take."""
        if self._is_idle():
            data = data[self._offer(data) :]
        if data:
            self.transport.write(data)  # type: ignore[union-attr]

    def _is_idle(self) -> bool:
        """Whether the next bytes may go to the kernel at once.

        Not those of a connection that was aborted: its peer must not see it close.
        """
        tcp = self._tcp
        if tcp is None or self._aborted or not tcp.connected:
            return False
        return not (tcp.dataBuffer or tcp._tempDataLen)

    def _offer(self, data: bytes | memoryview) -> int:
        """Offer bytes to the kernel. Returns how many it took.

        If the connection is broken that is none, and the reactor's own try will tell.
        """
        try:
            return self._tcp.socket.send(data)  # type: ignore[union-attr]
        except OSError:
            return 0
