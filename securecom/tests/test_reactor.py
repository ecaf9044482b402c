"""The lean reactor: what a descriptor is asked, and what ends it, are as in Twisted."""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any

from twisted.internet import main
from twisted.internet.epollreactor import EPollReactor
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.transport.reactor import NAMES, LeanReactor
from securecom.transport.sieve import missing_in

READ, WRITE, HANG_UP = select.EPOLLIN, select.EPOLLOUT, select.EPOLLHUP


class Poller:
    """Has these events once."""

    def __init__(self, *events: tuple[int, int]) -> None:
        self._events = list(events)
        self.asked: list[tuple[float | None, int]] = []

    def poll(self, timeout: float | None, most: int) -> list[tuple[int, int]]:
        self.asked.append((timeout, most))
        events, self._events = self._events, []
        return events


class Descriptor:
    """Notes what it is asked."""

    def __init__(self, number: int, read: Callable[[], Any] = lambda: None) -> None:
        self.number, self.read = number, read
        self.calls: list[Any] = []

    def fileno(self) -> int:
        return self.number

    def doRead(self) -> Any:  # noqa: N802
        self.calls.append("read")
        return self.read()

    def doWrite(self) -> Any:  # noqa: N802
        self.calls.append("write")

    def connectionLost(self, reason: Failure) -> None:
        self.calls.append(type(reason.value).__name__)


class Reactor(LeanReactor):
    """One that has no sockets: Twisted's constructor would open some."""

    def __init__(self, poller: Poller, *descriptors: Descriptor) -> None:
        self._poller = poller
        self._selectables = {one.number: one for one in descriptors}
        self._reads = set(self._selectables)

    def removeReader(self, selectable: Any) -> None:  # noqa: N802
        selectable.calls.append("no more reading")
        self._selectables.pop(selectable.number, None)

    def removeWriter(self, selectable: Any) -> None:  # noqa: N802
        selectable.calls.append("no more writing")


class LeanReactorTests(SynchronousTestCase):
    def poll(self, event: int, read: Callable[[], Any] = lambda: None) -> list[Any]:
        one = Descriptor(5, read)
        Reactor(Poller((5, event)), one).doPoll(0.0)
        return one.calls

    def test_it_waits_as_long_as_it_is_asked_to(self) -> None:
        for timeout in (None, 0.0, 2.5):
            poller = Poller()
            Reactor(poller).doPoll(timeout)
            self.assertEqual(poller.asked, [(timeout, limits.EVENTS_AT_ONCE)])

    def test_read(self) -> None:
        self.assertEqual(self.poll(READ), ["read"])

    def test_write_and_both(self) -> None:
        self.assertEqual(self.poll(WRITE), ["write"])
        self.assertEqual(self.poll(READ | WRITE), ["read", "write"])

    def test_what_reading_returns_ends_it(self) -> None:
        for why in (main.CONNECTION_DONE, main.CONNECTION_LOST):
            calls = self.poll(READ, lambda why=why: why)  # type: ignore[misc]
            end = ["no more reading", "no more writing", type(why).__name__]
            self.assertEqual(calls, ["read", *end])

    def test_what_reading_raises_is_logged_and_ends_it_alone(self) -> None:
        def fails() -> None:
            raise ZeroDivisionError

        bad, good = Descriptor(5, fails), Descriptor(6)
        Reactor(Poller((5, READ), (6, READ)), bad, good).doPoll(0.0)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        end = ["no more reading", "no more writing", "ZeroDivisionError"]
        self.assertEqual(bad.calls, ["read", *end])
        self.assertEqual(good.calls, ["read"])

    def test_a_hang_up_goes_twisted_s_way(self) -> None:
        end = ["no more reading", "no more writing", "ConnectionDone"]
        self.assertEqual(self.poll(HANG_UP), end)
        self.assertEqual(self.poll(READ | HANG_UP), ["read"])

    def test_one_that_an_earlier_event_has_ended_is_not_asked(self) -> None:
        second = Descriptor(6)
        first = Descriptor(5, lambda: reactor.removeReader(second))
        reactor = Reactor(Poller((5, READ), (6, READ)), first, second)
        reactor.doPoll(0.0)
        self.assertNotIn("read", second.calls)

    def test_each_private_name_of_twisted_is_looked_for(self) -> None:
        class Other:
            """A reactor of another Twisted."""

        self.assertEqual(missing_in(EPollReactor, NAMES), ())
        self.assertEqual(missing_in(Other, NAMES), NAMES)
