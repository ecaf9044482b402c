"""A network in memory: real protocols, real TLS, no sockets, no threads, no waiting.

For securecom's own tests and for those of people who build on it. A `Network` has one clock and
any number of wires; `pump` moves bytes until nothing moves, `advance` lets time pass.

>>> network = Network()
>>> wire = network.connect(client_factory, server_factory)  # doctest: +SKIP
>>> network.pump()
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import (
    CannotListenError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
)
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IListeningPort,
    IProtocol,
    IProtocolFactory,
    IPushProducer,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
    ITCPTransport,
)
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

#: What a transport buffers before it pauses its producer, as Twisted's TCP transport.
BUFFER = 64 * 1024
_FIRST_EPHEMERAL = 49152


@implementer(ITCPTransport, IConsumer, IPushProducer)
class MemoryTransport:
    """One end of a wire. It pauses its producer when full, and holds input while paused."""

    def __init__(self, host: IPv4Address, peer: IPv4Address) -> None:
        self.host, self.address = host, peer
        self.protocol: IProtocol | None = None
        self.other: MemoryTransport = self
        self.outgoing = b""
        self.disconnecting = False
        self.aborted = False
        self.connected = True
        self.reading = True
        self.producer: Any = None
        self.producer_paused = False
        #: Sees, and may change, what leaves here: `bytes -> bytes`.
        self.tap: Callable[[bytes], bytes] | None = None
        self.sent = 0

    # writing

    def write(self, data: bytes) -> None:
        if self.aborted or (self.disconnecting and self.producer is None):
            return
        self.outgoing += data
        self.sent += len(data)
        if len(self.outgoing) > BUFFER and self.producer is not None and not self.producer_paused:
            self.producer_paused = True
            self.producer.pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        if self.producer is not None:
            raise RuntimeError("a producer is registered already")
        self.producer, self.producer_paused = producer, False
        if not self.connected:
            self.producer = None
            producer.stopProducing()

    def unregisterProducer(self) -> None:
        self.producer = None

    def loseConnection(self) -> None:
        self.disconnecting = True

    def abortConnection(self) -> None:
        self.disconnecting = self.aborted = True
        self.outgoing = b""

    def loseWriteConnection(self) -> None:
        raise NotImplementedError("there is no half-close under TLS")

    # reading

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        self.reading = True

    def stopProducing(self) -> None:
        self.loseConnection()

    # the rest of a TCP transport

    def getPeer(self) -> IPv4Address:
        return self.address

    def getHost(self) -> IPv4Address:
        return self.host

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: N802
        pass

    def getTcpNoDelay(self) -> bool:  # noqa: N802
        return True

    def setTcpKeepAlive(self, enabled: bool) -> None:  # noqa: N802
        pass

    def getTcpKeepAlive(self) -> bool:  # noqa: N802
        return False

    # moving

    def deliver(self) -> bool:
        """Hand what was written here to the other end; say whether anything moved."""
        if self.other.disconnecting:  # nobody reads it any more
            self.outgoing = b""
        if self.outgoing and self.other.reading:
            data, self.outgoing = self.outgoing[:BUFFER], self.outgoing[BUFFER:]
            data = self.tap(data) if self.tap else data
            if data and self.other.protocol is not None:
                self.other.protocol.dataReceived(data)
            self._drained()
            return True
        if self._is_done():
            self._disconnect(self._reason())
            return True
        return False

    def _drained(self) -> None:
        if self.producer is not None and self.producer_paused and not self.outgoing:
            self.producer_paused = False
            self.producer.resumeProducing()

    def _is_done(self) -> bool:
        flushed = not self.outgoing and (self.aborted or self.producer is None)
        return self.connected and ((self.disconnecting and flushed) or not self.other.connected)

    def _reason(self) -> Exception:
        if self.aborted:
            return ConnectionAborted()
        return ConnectionLost() if self.other.aborted else ConnectionDone()

    def _disconnect(self, reason: Exception) -> None:
        self.connected, self.disconnecting = False, True
        producer, self.producer = self.producer, None
        if producer is not None:
            producer.stopProducing()
        if self.protocol is not None:
            self.protocol.connectionLost(Failure(reason))


class Wire:
    """Two transports and the protocols on them (TLS wrappers included)."""

    def __init__(self, client: MemoryTransport, server: MemoryTransport) -> None:
        self.client, self.server = client, server
        client.other, server.other = server, client

    def cut(self) -> None:
        """Both ends lose the connection at once, as when a machine dies."""
        for end in (self.client, self.server):
            end.abortConnection()


class Network:
    """Wires, listening ports, and one clock."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.wires: list[Wire] = []
        self.ports: dict[int, IProtocolFactory] = {}
        self._ephemeral = _FIRST_EPHEMERAL

    def connect(
        self, client: IProtocolFactory, server: IProtocolFactory, source: str = "192.0.2.1"
    ) -> Wire:
        """A new wire between protocols of two factories."""
        self._ephemeral += 1
        here = IPv4Address("TCP", source, self._ephemeral)
        there = IPv4Address("TCP", "192.0.2.100", 1)
        wire = Wire(MemoryTransport(here, there), MemoryTransport(there, here))
        ends = ((server, wire.server, here), (client, wire.client, there))
        for factory, transport, address in ends:
            transport.protocol = factory.buildProtocol(address)
            if transport.protocol is None:
                transport.abortConnection()
        self.wires.append(wire)
        for _, transport, _ in ends:
            if transport.protocol is not None:
                transport.protocol.makeConnection(transport)
        return wire

    def pump(self) -> None:
        """Let everything that can happen without time passing happen."""
        for _ in range(10_000):
            self.clock.advance(0)
            ends = [end for wire in self.wires for end in (wire.client, wire.server)]
            moved = [end.deliver() for end in ends]  # each of them, not only up to the first
            if not any(moved):
                self.wires = [w for w in self.wires if w.client.connected or w.server.connected]
                return
        raise RuntimeError("the network never comes to rest")

    def advance(self, seconds: float, step: float = 1.0) -> None:
        """Let time pass, a step at a time, and everything happen on the way."""
        self.pump()
        while seconds > 0:
            self.clock.advance(min(step, seconds))
            seconds -= step
            self.pump()

    def client_endpoint(self, port: int, source: str = "192.0.2.1") -> MemoryClientEndpoint:
        """Connects to what listens on `port` of this network, from `source`."""
        return MemoryClientEndpoint(self, port, source)

    def server_endpoint(self, port: int = 0) -> MemoryServerEndpoint:
        """Listens on `port` of this network; 0 takes a free one."""
        return MemoryServerEndpoint(self, port)


@implementer(IStreamClientEndpoint)
class MemoryClientEndpoint:
    """Connects within a `Network`."""

    def __init__(self, network: Network, port: int, source: str) -> None:
        self.network, self.port, self.source = network, port, source

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803
        if self.port not in self.network.ports:
            return fail(ConnectionRefusedError())
        protocolFactory.doStart()
        server = self.network.ports[self.port]
        wire = self.network.connect(protocolFactory, server, self.source)
        if wire.client.protocol is None:
            return fail(ConnectionRefusedError())
        return succeed(wire.client.protocol)


@implementer(IStreamServerEndpoint)
class MemoryServerEndpoint:
    """Listens within a `Network`."""

    def __init__(self, network: Network, port: int) -> None:
        self.network, self.port = network, port

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:  # noqa: N803
        port = self.port or max([_FIRST_EPHEMERAL - 1000, *self.network.ports]) + 1
        if port in self.network.ports:
            return fail(CannotListenError(None, port, OSError("taken")))
        protocolFactory.doStart()
        self.network.ports[port] = protocolFactory
        return succeed(MemoryPort(self.network, port))


@implementer(IListeningPort)
class MemoryPort:
    """A port of a `Network` that listens."""

    def __init__(self, network: Network, port: int) -> None:
        self.network, self.port = network, port

    def startListening(self) -> None:  # noqa: N802
        pass

    def stopListening(self) -> Deferred[None]:  # noqa: N802
        factory = self.network.ports.pop(self.port, None)
        if factory is not None:
            factory.doStop()
        return succeed(None)

    def getHost(self) -> IAddress:
        return IPv4Address("TCP", "192.0.2.100", self.port)
