"""A reactor that a test turns by hand, with a sieve in it."""

from __future__ import annotations

import select
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from securecom.tests.support.turned_reactor import TurnedReactor
from securecom.transport.sieve import Sieve


class Kernel:
    """An epoll object that says what it is told to, once."""

    def __init__(self) -> None:
        self.events: list[tuple[int, int]] = []
        #: How it was called.
        self.calls: list[tuple[Any, ...]] = []

    def poll(self, timeout: float, most: int) -> list[tuple[int, int]]:
        self.calls.append(("poll", timeout, most))
        events, self.events = self.events, []
        return events

    def register(self, number: int, mask: int) -> None:
        self.calls.append(("register", number, mask))

    def modify(self, number: int, mask: int) -> None:
        self.calls.append(("modify", number, mask))

    def unregister(self, number: int) -> None:
        self.calls.append(("unregister", number))


class Watched:
    """The connections that a reactor watches at the moment, by number."""

    def __init__(self, reactor: TurnedReactor) -> None:
        self._reactor = reactor

    def _all(self) -> dict[int, Any]:
        return {one.fileno(): one for one in self._reactor.readers | self._reactor.writers}

    def get(self, number: int) -> Any:
        return self._all().get(number)

    def __len__(self) -> int:
        return len(self._all())


class SieveReactor(TurnedReactor):
    """As Twisted's epoll reactor is to a sieve."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = Kernel()
        self._poller: Any = self.kernel
        self._selectables = Watched(self)
        self.sieve = Sieve(self)

    def poll(self, *events: tuple[int, int]) -> list[tuple[int, int]]:
        """These events come. Returns those that are left to the reactor."""
        self.kernel.events = list(events)
        left: list[tuple[int, int]] = self._poller.poll(0, len(self._selectables))
        return left

    def _disconnectSelectable(self, selectable: Any, why: Any, is_read: bool) -> None:  # noqa: N802
        assert selectable in self.readers
        self.removeReader(selectable)
        if is_read and type(why) is ConnectionDone:
            selectable.readConnectionLost(Failure(why))
        else:
            self.removeWriter(selectable)
            selectable.connectionLost(Failure(why))

    def _serve(self, floor: Any) -> bool:
        event = select.EPOLLIN if floor in self.readers and floor.wire.is_readable else 0
        if floor in self.writers and floor.wire.is_writable:
            event |= select.EPOLLOUT
        if not event:
            return False
        return super()._serve(floor) if self.poll((floor.fileno(), event)) else True
