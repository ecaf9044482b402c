"""TLS by OpenSSL's own functions, from the socket to the protocol and back without detours."""

from __future__ import annotations

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from securecom.transport import openssl
from securecom.transport.direct import DirectTLS


class NativeTLS(DirectTLS):
    """A TLS transport; `openssl.MISSING` must be empty.

    Once the handshake is over, a TCP connection below is read by this class: it stands in for the
    connection's own `doRead`, as Twisted itself does when it connects or aborts.
    """

    _has_renewed = False

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._tcp is not None:
            vars(self._tcp).pop("doRead", None)
        self._tcp = None
        super().connectionLost(reason)

    # --- reading ----------------------------------------------------------------------------

    def _checkHandshakeStatus(self) -> None:  # noqa: N802
        super()._checkHandshakeStatus()
        if self._tcp is not None and self._handshakeDone and not self._aborted:
            self._tcp.doRead = self._read_socket  # type: ignore[method-assign]

    def _read_socket(self) -> ConnectionDone | ConnectionLost | None:
        """IReadDescriptor.doRead: what `tcp.Connection` does, without a bytes object."""
        try:
            count = self._tcp.socket.recv_into(openssl.received)  # type: ignore[union-attr]
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if not count:
            return CONNECTION_DONE
        openssl.take_received(self._tlsConnection, count)
        if self._appSendBuffer:
            self._unbufferPendingWrites()
        self._flushReceiveBIO()
        return None

    def _flushReceiveBIO(self) -> None:  # noqa: N802
        super()._flushReceiveBIO()
        if not self._has_renewed and self._handshakeDone and self._tlsConnection is not None:
            self._has_renewed = openssl.renew_memory(self._tlsConnection)

    def _decrypt(self) -> tuple[bytes, SSL.Error | None]:
        return openssl.decrypt(self._tlsConnection)

    # --- writing ----------------------------------------------------------------------------

    def _write(self, data: bytes) -> None:
        if not self._handshakeDone:
            super()._write(data)
            return
        while data and not self._lostTLSConnection and not self._is_broken():
            count, error = openssl.encrypt(self._tlsConnection, data)
            self._flushSendBIO()
            data = data[count:]
            if isinstance(error, SSL.WantReadError):
                self._bufferedWrite(data)
                return
            if error is not None:
                self._tlsShutdownFinished(Failure(error))

    def _flushSendBIO(self) -> None:  # noqa: N802
        while self._tlsConnection is not None:
            data = openssl.encrypted(self._tlsConnection)
            if not data:
                return
            count = self._offer(data) if self._is_idle() else 0
            if count < len(data):
                self.transport.write(bytes(data[count:]))  # type: ignore[union-attr]
