"""A reactor that a test turns by hand, with a nest beside it."""

from __future__ import annotations

import errno
import select
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from securecom.tests.support.turned_reactor import FakeSocket, TurnedReactor
from securecom.transport.nest import Nest


class Poller:
    """An epoll object that asks doubles of sockets."""

    def __init__(self, reactor: TurnedReactor) -> None:
        self._reactor = reactor
        self.wires: dict[int, FakeSocket] = {}
        #: What it says of a socket besides, once.
        self.events: dict[int, int] = {}
        self.is_full = False
        #: The most events that it was asked for, each time.
        self.most: list[int] = []

    def fileno(self) -> int:
        return 5

    def register(self, number: int, mask: int) -> None:
        if self.is_full:
            raise OSError(errno.ENOSPC, "too many")
        assert number not in self.wires
        assert mask == select.EPOLLIN
        (tcp,) = (one for one in self._reactor.readers if one.fileno() == number)
        self.wires[number] = tcp.wire

    def unregister(self, number: int) -> None:
        assert not self.wires[number].is_closed
        del self.wires[number]

    @property
    def is_readable(self) -> bool:
        return bool(self.events) or any(wire.is_readable for wire in self.wires.values())

    def poll(self, timeout: float, most: int) -> list[tuple[int, int]]:
        assert timeout == 0
        self.most.append(most)
        found = {number: select.EPOLLIN for number, wire in self.wires.items() if wire.is_readable}
        found |= self.events
        self.events = {}
        return list(found.items())


class NestReactor(TurnedReactor):
    """As Twisted's epoll reactor is to a nest."""

    def __init__(self) -> None:
        super().__init__()
        self.poller = Poller(self)
        self.nest = Nest(self, self.poller)

    @property
    def _reads(self) -> set[int]:
        return {one.fileno() for one in self.readers}

    @property
    def _writes(self) -> set[int]:
        return {one.fileno() for one in self.writers}

    def _disconnectSelectable(self, selectable: Any, why: Any, is_read: bool) -> None:  # noqa: N802
        assert selectable in self.readers
        self.removeReader(selectable)
        if is_read and type(why) is ConnectionDone:
            selectable.readConnectionLost(Failure(why))
        else:
            self.removeWriter(selectable)
            selectable.connectionLost(Failure(why))

    def _serve(self, floor: Any) -> bool:
        if floor is not self.nest:
            return super()._serve(floor)
        if floor not in self.readers or not self.poller.is_readable:
            return False
        floor.doRead()
        return True
