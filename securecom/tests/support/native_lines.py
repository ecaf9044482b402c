"""Connections of the TLS transport with shared buffers, on sockets in memory."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.tests.support.tls_ends import Peer, options
from securecom.tests.support.turned_reactor import FakeSocket, SocketFloor, TurnedReactor
from securecom.transport.native import NativeTLS


class Noting(Protocol):
    """Keeps what comes, and does with it what it is told to."""

    def __init__(self) -> None:
        self.received = b""
        self.calls: list[int] = []
        self.when_received: Callable[[bytes], None] = lambda data: None
        self.lost: list[type] = []

    def dataReceived(self, data: bytes) -> None:
        self.calls.append(len(data))
        self.received += data
        self.when_received(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.append(type(reason.value))


class Line:
    """A connection on a socket in memory, its protocol, and its peer."""

    def __init__(self, reactor: TurnedReactor) -> None:
        self.reactor, self.protocol = reactor, Noting()
        self.peer, self.wire = Peer(True), FakeSocket(limits.READ_AT_ONCE)
        made = Factory.forProtocol(lambda: self.protocol)
        factory = TLSMemoryBIOFactory(options(False), False, made, reactor)
        self.tls = NativeTLS(factory, self.protocol)
        self.floor = SocketFloor(reactor, self.tls, self.wire)
        self.tls.makeConnection(self.floor)
        self.floor.startReading()
        for _ in range(3):
            self.pass_on()
        self.peer.send(1, 0)  # so that the short way is open
        self.pass_on()
        self.protocol.received, self.protocol.calls = b"", []

    def deliver(self) -> None:
        """What the peer has sent is there to be read."""
        self.wire.incoming += self.peer.take(len(self.peer.wire))

    def pass_on(self) -> None:
        """Let both read what the other has sent."""
        self.deliver()
        self.reactor.turn()
        data = bytes(self.wire.outgoing)
        self.wire.outgoing.clear()
        self.peer.feed(data)


class NativeCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = TurnedReactor()
        self.one, self.two, self.three = (Line(self.reactor) for _ in range(3))
