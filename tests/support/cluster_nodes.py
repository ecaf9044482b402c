"""Several nodes as one server: real processes, an engine, a PostgreSQL, and the ways between them.

A node may announce an address of its own, at which a `Way` passes on what other nodes send, or does
not: that is how links are cut while everything else goes on.
"""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from tests.support.intermediaries import HOST
from tests.support.ports import OwnPort
from tests.support.processes import environment, reactor
from tests.support.programs import Server

_LOOPBACK = f"tcp:0:interface={HOST}"
_SHORTENED = (sys.executable, "-m", "tests.support.shortened")
_TWISTD = ("-n", "--pidfile=", "securecom")


def _made(make: Callable[[], Protocol]) -> Any:
    factory = Factory.forProtocol(make)
    factory.noisy = False
    return factory


class _End(Protocol):
    """One of a way's two connections. `inward`: it comes from another node."""

    def __init__(self, way: Way, inward: bool) -> None:
        self._way, self._inward = way, inward
        self.other: _End | None = None
        self._early: list[bytes] = []

    def connectionMade(self) -> None:
        self._way.ends.add(self)
        if self._inward:
            there = TCP4ClientEndpoint(reactor, HOST, self._way.port)
            joined = there.connect(_made(lambda: _End(self._way, inward=False)))
            joined.addCallbacks(self._joined, lambda _: self.cut())

    def _joined(self, other: _End) -> None:
        self.other, other.other = other, self
        for data in self._early:
            other.transport.write(data)  # type: ignore[union-attr]
        if not self.connected:
            other.cut()

    def dataReceived(self, data: bytes) -> None:
        if self._way.is_lost(self._inward):
            return
        if self.other is None:
            self._early.append(data)
        else:
            self.other.transport.write(data)  # type: ignore[union-attr]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._way.ends.discard(self)
        if self.other is not None and self.other.connected:
            self.other.transport.loseConnection()  # type: ignore[union-attr]

    def cut(self) -> None:
        if self.connected:
            self.transport.abortConnection()  # type: ignore[union-attr]


class Way:
    """What stands in front of a node's port for other nodes."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.ends: set[_End] = set()
        #: Whether what other nodes send is lost, and what this node sends to them.
        self.loses_inward = self.loses_outward = False
        self._listening: IListeningPort | None = None

    async def open(self) -> Way:
        endpoint = TCP4ServerEndpoint(reactor, self.port, interface=self.host)
        self._listening = await endpoint.listen(_made(lambda: _End(self, inward=True)))
        return self

    def is_lost(self, inward: bool) -> bool:
        return self.loses_inward if inward else self.loses_outward

    def lose(self, inward: bool, outward: bool) -> None:
        """From now on, bytes in these directions are lost: they have to be cut to flow again."""
        was = self.loses_inward or self.loses_outward
        self.loses_inward, self.loses_outward = inward, outward
        if was and not (inward or outward):
            self.cut()

    def cut(self) -> None:
        """Cut all links here."""
        for end in list(self.ends):
            end.cut()

    async def close(self) -> None:
        listening, self._listening = self._listening, None
        if listening is not None:
            stopped = listening.stopListening()
            if isinstance(stopped, Deferred):
                await stopped
        self.cut()


class ClusterNode:
    """One node, whichever process it is just now.

    :param state: the state folder that it has a copy of.
    :param limits: NAME=VALUE each, for `tests.support.shortened`.
    :param has_way: other nodes reach it through a `Way`, which is there as long as its process is.
    """

    def __init__(
        self,
        number: int,
        home: Path,
        state: Path,
        switchboard: str,
        limits: tuple[str, ...] = (),
        where: tuple[str, ...] = ("--standard", _LOOPBACK, "--request", _LOOPBACK),
        has_way: bool = False,
    ) -> None:
        self.number, self._home, self._limits = number, home, limits
        self.state = home / f"node{number}"
        shutil.copytree(state, self.state, dirs_exist_ok=True)
        #: Where it listens for other nodes.
        self._own_port = OwnPort()
        self.port = self._own_port.number
        self.way = Way(f"127.0.1.{number + 1}", self.port) if has_way else None
        node = f"tcp:{self.port}:interface={HOST}"
        address = self.way.host if self.way else HOST
        self._options = (
            *where,
            *("--no-dial", "--switchboard", switchboard),
            *("--node", node, "--node-address", address, "--state", str(self.state)),
        )
        #: All its processes; the last one is the present one.
        self.processes: list[Server] = []

    @property
    def process(self) -> Server:
        return self.processes[-1]

    @property
    def runs(self) -> bool:
        """Whether clients can connect."""
        return (
            bool(self.processes) and self.process.exit_code is None and bool(self.process.request)
        )

    def begin(self, *options: str) -> Server:
        """A process that is not ready yet."""
        argv = [*_SHORTENED, *self._limits, *_TWISTD, *self._options, *options]
        process = Server(argv, environment(self._home))
        self.processes.append(process)
        return process

    async def start(self, *options: str) -> ClusterNode:
        if self.way is not None:
            await self.way.open()
        await self.begin(*options).ready()
        return self

    async def end(self, number: signal.Signals) -> None:
        """Have its process end; from then on nothing listens there."""
        self.process.signal(number)
        await self.process.ended()
        if self.way is not None:
            await self.way.close()

    async def close(self) -> None:
        """End it for certain."""
        if self.processes:
            await self.process.kill()
        if self.way is not None:
            await self.way.close()
        self._own_port.release()

    def said(self) -> str:
        """All that it ever said."""
        return "\n".join(one.output + one.errors for one in self.processes)


def met(node: ClusterNode) -> Any:
    """Fires when a link of this node stands."""
    return node.process.text(r" stands")
