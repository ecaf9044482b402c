"""TLS connections on sockets in memory, each with a protocol that notes and a peer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from securecom import limits
from securecom.tests.support.tls_ends import Peer, options
from securecom.tests.support.turned_reactor import (
    FakeSocket,
    MemoryFloor,
    SocketFloor,
    TurnedReactor,
)
from securecom.transport.choice import TLSFactory


def nothing(*_: object) -> None:
    """Does nothing."""


@implementer(IHandshakeListener)
class Noting(Protocol):
    """Keeps what comes, and does with it what it is told to."""

    def __init__(self) -> None:
        self.received = b""
        self.calls: list[int] = []
        self.when_made: Callable[[], object] = nothing
        self.when_shaken: Callable[[], object] = nothing
        self.when_received: Callable[[bytes], object] = nothing
        self.handshakes = 0
        self.lost: list[type] = []

    def connectionMade(self) -> None:
        self.when_made()

    def handshakeCompleted(self) -> None:
        self.handshakes += 1
        self.when_shaken()

    def dataReceived(self, data: bytes) -> None:
        self.calls.append(len(data))
        self.received += data
        self.when_received(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.append(type(reason.value))


class NotingProducer:
    """Notes what it is asked."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda: self.calls.append(name)


class Line:
    """A connection, its protocol, and its peer; nothing has passed between them."""

    def __init__(
        self,
        reactor: TurnedReactor,
        kind: type[TLSMemoryBIOProtocol],
        protocol: Noting | None = None,
        on_socket: bool = True,
    ) -> None:
        self.reactor, self.protocol = reactor, protocol or Noting()
        self.peer, self.wire = Peer(True), FakeSocket(limits.READ_AT_ONCE)
        made = Factory.forProtocol(lambda: self.protocol)
        factory = TLSFactory(options(False), False, made, reactor)
        self.tls = kind(factory, self.protocol)
        floor = SocketFloor if on_socket else MemoryFloor
        self.floor: Any = floor(reactor, self.tls, self.wire)
        self.tls.makeConnection(self.floor)
        self.floor.startReading()

    def shake(self) -> None:
        """The handshake, and one byte, so that the short way is open."""
        for _ in range(3):
            self.pass_on()
        self.peer.send(1, 0)
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
