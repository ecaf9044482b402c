"""The engine's end of connections in memory: what reached it, and what it answers."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

#: Why tests are skipped, for `tests.suite`.
NO_TXREDISAPI = "there is no txredisapi"
_ADDRESS = IPv4Address("TCP", "192.0.2.1", 6379)


class Wire(StringTransport):
    """A connection, as the engine sees it."""

    def __init__(self, protocol: Protocol) -> None:
        super().__init__()
        self._protocol = protocol
        self.is_aborted = False

    def abortConnection(self) -> None:
        if not self.is_aborted:
            self.is_aborted = True
            self._protocol.connectionLost(Failure(ConnectionAborted()))

    def lose(self) -> None:
        self._protocol.connectionLost(Failure(ConnectionDone()))

    def asked(self) -> list[list[bytes]]:
        """The commands that have come since the last look."""
        lines = self.value().split(b"\r\n")
        self.clear()
        commands = []
        while lines[0]:
            words = int(lines[0][1:])
            commands.append(lines[2 : 2 * words + 1 : 2])
            del lines[: 2 * words + 1]
        return commands

    def answer(self, raw: bytes) -> None:
        self._protocol.dataReceived(raw)


@implementer(IStreamClientEndpoint)
class Way:
    """An endpoint whose attempts the test decides."""

    def __init__(self) -> None:
        self._attempts: list[tuple[IProtocolFactory, Deferred[Any]]] = []
        self.cancelled = 0

    @property
    def attempts(self) -> int:
        """How many are waiting for `open` or `refuse`."""
        return len(self._attempts)

    def connect(self, factory: IProtocolFactory) -> Deferred[Any]:
        connected: Deferred[Any] = Deferred(self._cancel)
        self._attempts.append((factory, connected))
        return connected

    def _cancel(self, connected: Deferred[Any]) -> None:
        self._attempts = [one for one in self._attempts if one[1] is not connected]
        self.cancelled += 1

    def open(self) -> Wire:
        """The oldest attempt succeeds."""
        factory, connected = self._attempts.pop(0)
        protocol = cast(Protocol, factory.buildProtocol(_ADDRESS))
        wire = Wire(protocol)
        protocol.makeConnection(wire)
        connected.callback(protocol)
        return wire

    def refuse(self, error: Exception) -> None:
        """The oldest attempt fails."""
        self._attempts.pop(0)[1].errback(error)
