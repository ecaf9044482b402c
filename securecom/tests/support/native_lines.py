"""Connections of the TLS transport with shared buffers, on sockets in memory."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from securecom.tests.support import tls_lines
from securecom.tests.support.turned_reactor import TurnedReactor
from securecom.transport.native import NativeTLS


class Line(tls_lines.Line):
    """One of them, whose handshake is over."""

    tls: NativeTLS

    def __init__(self, reactor: TurnedReactor) -> None:
        super().__init__(reactor, NativeTLS)
        self.shake()


class NativeCase(SynchronousTestCase):
    def make_reactor(self) -> TurnedReactor:
        return TurnedReactor()

    def setUp(self) -> None:
        self.reactor = self.make_reactor()
        self.one, self.two, self.three = (Line(self.reactor) for _ in range(3))
