"""A reactor that a test turns by hand, and connections on it that end in memory.

`SocketFloor` is Twisted's own TCP transport on a double of a socket, so a TLS transport that reads
from or sends to the socket itself meets what it meets in the kernel: short counts,
`BlockingIOError`, `ConnectionResetError`. `MemoryFloor` has no socket to reach for, as below a
nested TLS session or a pipe.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from itertools import count
from typing import Any

from twisted.internet import abstract, main, tcp
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IPushProducer, IReactorFDSet, ITCPTransport
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

#: Seconds after which a cooperator goes on, and of one turn: so it goes on once in a turn.
AT_ONCE, TURN = 1e-8, 1e-6
#: A connection that is still busy after this many rounds of one turn never comes to rest.
MOST_ROUNDS = 10_000

_numbers = count(7)

HOST, PEER = ("192.0.2.100", 1), ("192.0.2.1", 49152)


class FakeSocket:
    """What a connected, non-blocking socket does, with the peer's side as two byte strings.

    :param most: the most bytes that one `recv` gives; a kernel may give fewer than asked for.
    :param spring: bytes for which there is room again as soon as a part was taken.
    """

    def __init__(self, most: int, spring: int = 0) -> None:
        self.most, self._spring = most, spring
        self._number = next(_numbers)
        #: What the peer sent and nobody has read, and whether the peer has sent its end.
        self.incoming = bytearray()
        self.is_ended = False
        #: What was sent and the peer has not read; there is room for this many bytes more.
        self.outgoing = bytearray()
        self.room = 1 << 62
        self.is_reset = self.is_closed = False
        #: What a linger of zero seconds makes of `close`.
        self.linger = b""

    def recv(self, size: int) -> bytes:
        self._check()
        if self.incoming:
            size = min(size, self.most)
            data = bytes(self.incoming[:size])
            del self.incoming[:size]
            return data
        if self.is_ended:
            return b""
        raise BlockingIOError(errno.EAGAIN, "nothing to read")

    def recv_into(self, buffer: Any, size: int = 0) -> int:
        view = memoryview(buffer).cast("B")
        data = self.recv(size or len(view))
        view[: len(data)] = data
        return len(data)

    def send(self, data: Any) -> int:
        self._check()
        view = memoryview(data).cast("B")
        size = min(len(view), self.room)
        self.outgoing += view[:size]
        self.room -= size
        if 0 < size < len(view):
            self.room += self._spring
        if not size and len(view):
            raise BlockingIOError(errno.EAGAIN, "no room")
        return size

    def _check(self) -> None:
        if self.is_closed:
            raise OSError(errno.EBADF, "closed")
        if self.is_reset:
            raise ConnectionResetError(errno.ECONNRESET, "reset")

    @property
    def is_readable(self) -> bool:
        return bool(self.incoming) or self.is_ended or self.is_reset

    @property
    def is_writable(self) -> bool:
        return self.room > 0 or self.is_reset

    def fileno(self) -> int:
        return -1 if self.is_closed else self._number

    def getsockname(self) -> tuple[str, int]:
        return HOST

    def close(self) -> None:
        self.is_closed = True

    def shutdown(self, how: int) -> None:
        self._check()

    def setblocking(self, blocking: bool) -> None:
        assert not blocking

    def setsockopt(self, level: int, option: int, value: Any) -> None:
        self.linger = value

    def getsockopt(self, level: int, option: int) -> int:
        return 0


@implementer(IReactorFDSet)
class TurnedReactor(Clock):
    """Calls `doRead` and `doWrite` as Twisted's reactors do, when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[Any] = set()
        self.writers: set[Any] = set()
        #: What connections raised; a real reactor logs it.
        self.raised: list[BaseException] = []

    def addReader(self, reader: Any) -> None:  # noqa: N802
        self.readers.add(reader)

    def addWriter(self, writer: Any) -> None:  # noqa: N802
        self.writers.add(writer)

    def removeReader(self, reader: Any) -> None:  # noqa: N802
        self.readers.discard(reader)

    def removeWriter(self, writer: Any) -> None:  # noqa: N802
        self.writers.discard(writer)

    def removeAll(self) -> list[Any]:  # noqa: N802
        both = list(self.readers | self.writers)
        self.readers.clear()
        self.writers.clear()
        return both

    def getReaders(self) -> list[Any]:  # noqa: N802
        return list(self.readers)

    def getWriters(self) -> list[Any]:  # noqa: N802
        return list(self.writers)

    def turn(self) -> None:
        """One round of time, then reads and writes until there is nothing to do."""
        self.advance(TURN)
        for _ in range(MOST_ROUNDS):
            # those made first are served first, so that a run can be repeated
            both = sorted(self.readers | self.writers, key=lambda one: one.fileno())
            busy = [one for one in both if self._serve(one)]
            self.advance(0)
            if not busy:
                return
        raise RuntimeError("the connection never comes to rest")

    def _serve(self, floor: Any) -> bool:
        """Let a connection read, and write if it is still there. Returns whether it did either."""
        wire: FakeSocket = floor.wire
        served = False
        if floor in self.readers and wire.is_readable:
            served = True
            if self._call(floor, floor.doRead, is_read=True):
                return True
        if floor in self.writers and wire.is_writable:
            served = True
            self._call(floor, floor.doWrite, is_read=False)
        return served

    def _call(self, floor: Any, do: Callable[[], Any], is_read: bool) -> bool:
        """Call it, and end the connection if that is the answer. Returns whether it was."""
        try:
            why = do()
        except BaseException as error:
            self.raised.append(error)
            why = error
        if not why:
            return False
        self.removeReader(floor)
        if is_read and type(why) is ConnectionDone:
            floor.readConnectionLost(Failure(why))
        else:
            self.removeWriter(floor)
            floor.connectionLost(Failure(why))
        return True


class SocketFloor(tcp.Server):
    """Twisted's TCP transport on a `FakeSocket`."""

    def __init__(self, reactor: TurnedReactor, protocol: Any, wire: FakeSocket) -> None:
        self.wire = wire
        # The types ask for a real socket, and for the port that Twisted does without.
        super().__init__(wire, protocol, PEER, None, 0, reactor)  # type: ignore[arg-type]
        self.repstr = "<SocketFloor>"


@implementer(ITCPTransport, IPushProducer)
class MemoryFloor(abstract.FileDescriptor):
    """A transport like TCP's, but without a socket."""

    def __init__(self, reactor: TurnedReactor, protocol: Any, wire: FakeSocket) -> None:
        super().__init__(reactor)
        self.wire, self.protocol = wire, protocol
        self.connected = 1
        self._is_aborting = False
        self._clock = reactor
        self.startReading()

    def fileno(self) -> int:
        return self.wire.fileno()

    def doRead(self) -> Any:  # noqa: N802
        if self._is_aborting:
            return None
        try:
            data = self.wire.recv(self.bufferSize)
        except BlockingIOError:
            return None
        except OSError:
            return main.CONNECTION_LOST
        if not data:
            return main.CONNECTION_DONE
        self.protocol.dataReceived(data)
        return None

    def writeSomeData(self, data: bytes) -> Any:
        if self._is_aborting:
            return 0
        try:
            return self.wire.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            return main.CONNECTION_LOST

    def connectionLost(self, reason: Failure) -> None:
        if self.wire.is_closed:
            return
        super().connectionLost(reason)
        self.wire.close()
        self.protocol.connectionLost(reason)

    def loseConnection(self) -> None:
        if not self._is_aborting:
            super().loseConnection()

    def abortConnection(self) -> None:
        if self.disconnected or self._is_aborting:
            return
        self._is_aborting = True
        self.stopReading()
        self.stopWriting()
        self._clock.callLater(0, self.connectionLost, Failure(ConnectionAborted()))

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", *PEER)

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", *HOST)

    def getTcpNoDelay(self) -> bool:  # noqa: N802
        return True

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: N802
        pass

    def getTcpKeepAlive(self) -> bool:  # noqa: N802
        return False

    def setTcpKeepAlive(self, enabled: bool) -> None:  # noqa: N802
        pass
