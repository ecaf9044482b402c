"""Two kinds of time: what runs on which clock, and what is noticed when they part."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from twisted.internet.base import DelayedCall
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

import securecom
from securecom import clocks, limits
from securecom.clocks import ClockWatch, steady, use_steady_time


class Reactor:
    """What counts of one: its clock, and who waits for it."""

    def __init__(self) -> None:
        self.running = False
        self.wall = 1e9
        self.seconds = self.read
        self.waiting: list[DelayedCall] = []

    def read(self) -> float:
        return self.wall

    def callLater(self, delay: float) -> DelayedCall:  # noqa: N802
        due = self.seconds() + delay
        call = DelayedCall(due, lambda: None, (), {}, _ignore, _ignore, self.seconds)
        self.waiting.append(call)
        return call

    def getDelayedCalls(self) -> list[DelayedCall]:  # noqa: N802
        return self.waiting


def _ignore(_: object) -> None:
    """Nobody waits."""


class SteadyTimeTests(SynchronousTestCase):
    def test_it_counts_while_the_machine_sleeps(self) -> None:
        """Where the kernel has such a clock; the difference to the other is what it slept."""
        clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        self.assertApproximates(steady(), time.clock_gettime(clock), 60)

    def test_a_kernel_without_that_clock(self) -> None:
        real = time.clock_gettime

        def old(clock: int) -> float:
            if clock == getattr(time, "CLOCK_BOOTTIME", None):
                raise OSError("Invalid argument")
            return real(clock)

        self.patch(time, "clock_gettime", old)
        self.assertApproximates(clocks._steady()(), real(time.CLOCK_MONOTONIC), 60)

    # Promise R5
    def test_a_reactor_reads_it_from_then_on(self) -> None:
        """Who has been waiting before waits no longer and no shorter for it."""
        reactor = Reactor()
        before = reactor.callLater(30)
        use_steady_time(reactor)
        use_steady_time(reactor)
        after = reactor.callLater(30)
        reactor.wall += 3600
        for call in (before, after):
            self.assertApproximates(call.getTime() - reactor.seconds(), 30, 10)
            call.reset(50)
            self.assertApproximates(call.getTime() - reactor.seconds(), 50, 10)

    def test_a_running_one_is_left_alone(self) -> None:
        reactor = Reactor()
        reactor.running = True
        self.assertRaises(RuntimeError, use_steady_time, reactor)
        self.assertEqual(reactor.seconds(), reactor.wall)

    # Promise R7
    def test_nobody_else_imports_the_reactor(self) -> None:
        """Or something would run on the wall clock again."""
        self.assertEqual(_files_with(r"import react(or)?\b|internet\.reactor"), {"clocks.py"})

    # Promise R7
    def test_nobody_reads_the_wall_clock_for_a_duration(self) -> None:
        """Only these modules read the wall clock; all others use a clock that they were given."""
        allowed = {
            "clocks.py",
            "tap.py",
            "demo.py",
            "peers.py",  # the dates of certificates
            "admin/__main__.py",
            "client/terms.py",
            "client/program/who.py",
            "client/program/running.py",
            "client/program/doctor_run.py",  # compared with the server's clock
            "client/frontends/fullscreen/frontend.py",  # the day above the rows
            "client/files/parts.py",  # a file system's dates
            "client/program/standard_io.py",  # monotonic: after the reactor has ended
        }
        self.assertEqual(_files_with(r"\btime\.(time|monotonic)\b|datetime\.now|utcnow"), allowed)


def _files_with(pattern: str) -> set[str]:
    """The files of the product that this stands in."""
    root = Path(securecom.__file__).parent
    return {
        str(file.relative_to(root))
        for file in root.rglob("*.py")
        if root / "tests" not in file.parents and re.search(pattern, file.read_text("utf-8"))
    }


class WatchTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.set_by = 0.0
        self.moved: list[float] = []
        self.woke: list[float] = []
        self.watch = ClockWatch(self.clock, self.wall, self.moved.append, self.woke.append)

    def wall(self) -> float:
        return 1e9 + self.clock.seconds() + self.set_by

    def look(self, after: float = limits.CLOCK_LOOK) -> tuple[list[Any], list[Any]]:
        """What is noticed."""
        self.clock.advance(after)
        self.moved.clear()
        self.woke.clear()
        self.watch.look()
        return [round(seconds) for seconds in self.moved], self.woke

    def test_nothing(self) -> None:
        for _ in range(100):
            self.assertEqual(self.look(), ([], []))

    # Promise R10
    def test_the_wall_clock_was_set(self) -> None:
        """It is told once, for both ways and every distance."""
        for seconds in (1, -1, 60, -60, 3600, -3600, 8_640_000, -8_640_000):
            self.set_by += seconds
            self.assertEqual(self.look(), ([seconds], []))
            self.assertEqual(self.look(), ([], []))

    def test_little_by_little(self) -> None:
        told = []
        for _ in range(100):
            self.set_by += 0.02
            self.look()
            told += self.moved
        self.assertApproximates(sum(told), 2.0, limits.CLOCK_DRIFT)
        self.assertLessEqual(len(told), 4)

    def test_the_machine_slept(self) -> None:
        self.assertEqual(self.look(limits.STOOD_STILL), ([], []))  # it is only slow
        [], [seconds] = self.look(3601)
        self.assertEqual(seconds, 3600)
        self.assertEqual(self.look(), ([], []))

    def test_it_was_set_while_the_machine_slept(self) -> None:
        self.set_by = -3600
        self.assertEqual(self.look(3601), ([-3600], [3600]))
