"""Many timers on one of the reactor's: what a reactor does, and no more is kept than it would."""

from __future__ import annotations

import random
import sys
import weakref
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from securecom.timers import Timers

SECONDS = st.integers(1, 20).map(float)
STEPS = st.lists(
    st.tuples(st.just("later"), SECONDS)
    | st.tuples(st.sampled_from(["cancel", "reset", "delay"]), st.integers(0, 10))
    | st.tuples(st.just("advance"), SECONDS),
    max_size=40,
)


class Story:
    """The same steps on any clock, and what was called when."""

    def __init__(self, reactor: Clock, clock: Any) -> None:
        self.reactor, self.clock = reactor, clock
        self.calls: list[Any] = []
        self.called: list[tuple[int, float]] = []

    def play(self, steps: list[tuple[str, Any]]) -> None:
        for word, value in steps:
            getattr(self, word)(value)
            self.called.append((-1, len([one for one in self.calls if one.active()])))

    def later(self, seconds: float) -> None:
        self.calls.append(self.clock.callLater(seconds, self.note, len(self.calls)))

    def note(self, number: int) -> None:
        self.called.append((number, self.clock.seconds()))
        if number % 5 == 4:  # what is called may make timers, too
            self.later(float(number % 3 + 1))

    def advance(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.reactor.advance(1)

    def change(self, number: int, do: Callable[[Any], None]) -> None:
        if number < len(self.calls):
            call = self.calls[number]
            if call.active():
                do(call)
                self.called.append((number, call.getTime() if call.active() else 0.0))

    def cancel(self, number: int) -> None:
        self.change(number, lambda call: call.cancel())

    def reset(self, number: int) -> None:
        self.change(number, lambda call: call.reset(3.0))

    def delay(self, number: int) -> None:
        self.change(number, lambda call: call.delay(2.0))


class StrictClock(Clock):
    """As a reactor, it takes no time that has passed; and time passes while something is done."""

    def callLater(  # noqa: N802
        self, delay: float, callable: Callable[..., object], *args: Any, **kw: Any
    ) -> Any:
        if delay < 0:
            raise ValueError(f"{delay} s from now")
        return super().callLater(delay, callable, *args, **kw)

    def work(self, seconds: float) -> None:
        """Take so long."""
        self.rightNow += seconds


class Thing:
    """Something that may be let go."""

    def take(self, one: object, other: object) -> None:
        """What a timer may call."""


class TimersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Clock()
        self.timers = Timers(self.reactor)
        self.called: list[Any] = []

    def later(self, seconds: float, what: Any = "called") -> Any:
        return self.timers.callLater(seconds, self.called.append, what)

    @given(STEPS)
    def test_everything_is_called_as_by_a_reactor(self, steps: list[tuple[str, Any]]) -> None:
        plain, own = Clock(), Clock()
        one, other = Story(plain, plain), Story(own, Timers(own))
        one.play(steps)
        other.play(steps)
        self.assertEqual(sorted(one.called), sorted(other.called))
        self.assertEqual([at for _, at in one.called], [at for _, at in other.called])

    def test_the_reactor_has_one(self) -> None:
        for seconds in (5.0, 3.0, 9.0, 4.0):
            self.later(seconds, seconds)
        self.assertEqual([call.getTime() for call in self.reactor.getDelayedCalls()], [3.0])
        self.reactor.advance(4.0)
        self.assertEqual(self.called, [3.0, 4.0])
        self.assertEqual([call.getTime() for call in self.reactor.getDelayedCalls()], [5.0])
        self.assertEqual(len(self.timers.getDelayedCalls()), 2)

    def test_the_next_turn_is_the_reactors(self) -> None:
        self.later(0)
        self.assertEqual(self.timers.getDelayedCalls(), [])
        self.reactor.advance(0)
        self.assertEqual(self.called, ["called"])

    def test_one_that_is_over_can_no_longer_be_changed(self) -> None:
        over, cancelled = self.later(1.0), self.later(2.0)
        cancelled.cancel()
        self.reactor.advance(5.0)
        self.assertEqual(
            (self.called, over.active(), cancelled.active()), (["called"], False, False)
        )
        for call, error in ((over, AlreadyCalled), (cancelled, AlreadyCancelled)):
            for change in (
                call.cancel,
                lambda call=call: call.reset(1),
                lambda call=call: call.delay(1),
            ):
                self.assertRaises(error, change)

    def test_a_mistake_in_one_takes_nobody_else_theirs(self) -> None:
        self.timers.callLater(1.0, lambda: 1 // 0)
        self.later(1.0)
        self.later(2.0, "later")
        self.reactor.advance(1.0)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.reactor.advance(1.0)
        self.assertEqual(self.called, ["called", "later"])

    def test_an_end_in_one_takes_nobody_else_theirs(self) -> None:
        self.timers.callLater(1.0, sys.exit)
        self.later(2.0)
        self.assertRaises(SystemExit, self.reactor.advance, 1.0)
        self.reactor.advance(1.0)
        self.assertEqual(self.called, ["called"])

    def test_which_ones_wait(self) -> None:
        first, second, third = (self.later(seconds) for seconds in (1.0, 2.0, 3.0))
        second.cancel()
        third.reset(4.0)
        self.reactor.advance(1.0)
        self.assertEqual((first.active(), self.timers.getDelayedCalls()), (False, [third]))

    def test_cancelled_ones_are_not_kept(self) -> None:
        for _ in range(1000):
            self.later(100.0).cancel()
            self.later(100.0).reset(200.0)
            self.assertLess(len(self.timers._queue), 2 * len(self.timers.getDelayedCalls()) + 103)
        self.reactor.advance(300.0)
        self.assertEqual(len(self.called), 1000)
        self.assertEqual((self.timers._queue, self.timers._stale), ([], 0))

    def test_many_that_are_cancelled_leave_the_others_in_order(self) -> None:
        draw = random.Random(1)
        expected, cancelled = [], []
        for number in range(1000):
            seconds = float(draw.randrange(1, 500))
            timer = self.later(seconds, (seconds, number))
            if draw.random() < 0.3:
                expected.append((seconds, number))
            else:
                cancelled.append(timer)
        draw.shuffle(cancelled)
        for timer in cancelled:
            timer.cancel()
        self.reactor.pump([1.0] * 500)
        self.assertEqual(self.called, sorted(expected))

    def test_one_that_takes_longer_than_the_next_one_has(self) -> None:
        self.reactor = StrictClock()
        self.timers = Timers(self.reactor)
        self.timers.callLater(1.0, self.reactor.work, 5.0)
        self.later(3.0)
        self.later(7.0, "later")
        self.reactor.advance(1.0)
        self.reactor.advance(0)
        self.assertEqual(self.called, ["called"])
        self.reactor.advance(1.0)
        self.assertEqual(self.called, ["called", "later"])

    def test_what_one_that_is_over_was_to_call_is_let_go(self) -> None:
        kept: list[Any] = []
        for is_cancelled in (True, False):
            held, timer = self.held_by_one()
            kept.append(timer)
            if is_cancelled:
                timer.cancel()
            self.reactor.advance(100.0)
            self.assertEqual([one() for one in held], [None, None, None])

    def held_by_one(self) -> tuple[list[weakref.ref[Any]], Any]:
        """A timer, and whatever it alone holds."""
        what, one, other = Thing(), Thing(), Thing()
        timer = self.timers.callLater(100.0, what.take, one, other=other)
        return [weakref.ref(held) for held in (what, one, other)], timer
