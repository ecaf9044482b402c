"""TLS transports with one fault each, which the comparison with Twisted's has to find."""

from __future__ import annotations

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from securecom.tests.support.tls_variants import Make
from securecom.transport.direct import Decrypted
from securecom.transport.native import NativeTLS


class Overtakes(NativeTLS):
    """Does not see that others wait before what it offers to the socket."""

    def _offer(self, data: bytes | memoryview) -> int:
        if self._tcp is None or not self._tcp.connected or self._aborted:
            return 0
        try:
            return self._tcp.socket.send(data)
        except OSError:
            return 0


class LooksClosed(NativeTLS):
    """Closes TLS when it is aborted."""

    def abortConnection(self) -> None:
        self._shutdownTLS()
        super().abortConnection()


class KeepsSilent(NativeTLS):
    """Does not answer the peer's close."""

    def _shutdownTLS(self) -> None:  # noqa: N802
        if self._end is None:
            super()._shutdownTLS()


class WritesOn(NativeTLS):
    """Writes after closing."""

    def write(self, data: bytes) -> None:
        self.disconnecting, before = False, self.disconnecting
        super().write(data)
        self.disconnecting = before


class DropsTheLast(NativeTLS):
    """Forgets what came before a close or a broken record."""

    def _decrypt(self) -> Decrypted:
        data, more, end = super()._decrypt()
        return (data if end is None else b""), more, end


class DropsTheRest(NativeTLS):
    """Loses a byte that the kernel did not take."""

    def _offer(self, data: bytes | memoryview) -> int:
        count = super()._offer(data)
        return count + 1 if 0 < count < len(data) else count


class TellsTwice(NativeTLS):
    """Tells of the handshake again."""

    def _flushReceiveBIO(self) -> None:  # noqa: N802
        if self._handshakeDone and not self._is_settled:
            self.wrappedProtocol.handshakeCompleted()  # type: ignore[attr-defined]
        super()._flushReceiveBIO()


class NeverPauses(NativeTLS):
    """Reads on in a pause."""

    def pauseProducing(self) -> None:
        """Not here."""


class StopsNobody(NativeTLS):
    """Does not stop the producer that it has let go."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._has_let_go = False
        super().connectionLost(reason)


class SaysDone(NativeTLS):
    """Hides why it ended."""

    def _tlsShutdownFinished(self, reason: Failure | None) -> None:  # noqa: N802
        super()._tlsShutdownFinished(None)


class ReversesEarly(NativeTLS):
    """Sends what waited for the end of the handshake last."""

    def _unbufferPendingWrites(self) -> None:  # noqa: N802
        self._appSendBuffer.reverse()
        super()._unbufferPendingWrites()


#: Each with a seed whose sequence shows its fault.
MUTANTS: dict[Make, int] = {
    Overtakes: 365,
    LooksClosed: 3,
    KeepsSilent: 14,
    WritesOn: 20,
    DropsTheLast: 68,
    DropsTheRest: 173,
    TellsTwice: 0,
    NeverPauses: 6,
    StopsNobody: 20,
    SaysDone: 0,
    ReversesEarly: 4,
}
