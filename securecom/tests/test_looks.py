"""One timer for many: each looks when it is due, as with timers of their own."""

from __future__ import annotations

import random
from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from securecom.looks import Looks

WAIT = 30.0


class Watcher:
    """Notes when it looks."""

    def __init__(self, clock: Clock, looks: Looks) -> None:
        self.clock, self.looks = clock, looks
        self.due = 0.0
        self.looked: list[float] = []
        self.then: Callable[[], None] = lambda: None

    def start(self) -> None:
        self.looks.add(self)

    def look(self) -> None:
        self.looked.append(self.clock.seconds())
        self.then()


class LooksTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.looks = Looks(self.clock, WAIT)

    def watcher(self) -> Watcher:
        watcher = Watcher(self.clock, self.looks)
        watcher.start()
        return watcher

    def test_each_when_it_is_due(self) -> None:
        watchers = []
        for _ in range(3):
            watchers.append(self.watcher())
            self.clock.advance(10.0)
        self.clock.pump([10.0] * 3)
        self.assertEqual([one.looked for one in watchers], [[30.0], [40.0], [50.0]])

    def test_nobody_early(self) -> None:
        watcher = self.watcher()
        self.clock.advance(WAIT - 0.1)
        self.assertEqual(watcher.looked, [])
        self.assertIn(watcher, self.looks)
        self.clock.advance(0.1)
        self.assertEqual(watcher.looked, [WAIT])
        self.assertNotIn(watcher, self.looks)

    def test_one_timer(self) -> None:
        for _ in range(5):
            self.watcher()
            self.clock.advance(1.0)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_who_was_dropped_looks_no_more(self) -> None:
        first, second, third = (self.watcher() for _ in range(3))
        self.looks.drop(first)
        self.looks.drop(first)
        second.then = lambda: self.looks.drop(third)
        self.clock.advance(WAIT)
        self.assertEqual([one.looked for one in (first, second, third)], [[], [WAIT], []])

    def test_who_was_dropped_and_came_again_waits_again(self) -> None:
        first, second = self.watcher(), self.watcher()

        def again() -> None:
            self.looks.drop(second)
            second.start()

        first.then = again
        self.clock.pump([WAIT, WAIT - 0.1])
        self.assertEqual(second.looked, [])
        self.clock.advance(0.1)
        self.assertEqual(second.looked, [2 * WAIT])

    def test_no_timer_is_left_when_nobody_waits(self) -> None:
        first, second = self.watcher(), self.watcher()
        self.looks.drop(first)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.looks.drop(second)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_work_to_be_done_later(self) -> None:
        done: list[float] = []
        calls = [self.looks.later(lambda: done.append(self.clock.seconds())) for _ in range(3)]
        calls[1].cancel()
        calls[1].cancel()
        self.assertEqual([call.active() for call in calls], [True, False, True])
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(WAIT)
        self.assertEqual(done, [WAIT, WAIT])
        self.assertEqual([call.active() for call in calls], [False, False, False])

    def test_once_more(self) -> None:
        watcher, other = self.watcher(), self.watcher()
        watcher.then = watcher.start
        self.clock.pump([WAIT] * 3)
        self.assertEqual((watcher.looked, other.looked), ([30.0, 60.0, 90.0], [30.0]))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_whoever_goes_on_makes_nobody_else_late(self) -> None:
        first = self.watcher()
        first.then = first.start
        self.clock.advance(0.1)
        second = self.watcher()
        self.clock.pump([WAIT - 0.1, 0.1])
        self.assertEqual((len(first.looked), len(second.looked)), (1, 1))

    def test_whose_look_fails_takes_nobody_else_theirs(self) -> None:
        first, second = self.watcher(), self.watcher()

        def fail() -> None:
            raise ZeroDivisionError

        first.then = fail
        self.assertRaises(ZeroDivisionError, self.clock.advance, WAIT + 1)
        [timer] = self.clock.getDelayedCalls()
        self.assertEqual(timer.getTime(), self.clock.seconds())
        self.clock.advance(0.0)
        self.assertEqual(second.looked, [WAIT + 1])

    def test_as_with_timers_of_their_own(self) -> None:
        """Whatever comes and goes, at times that do not add up evenly."""
        draw = random.Random(1)
        expected: dict[Watcher, float] = {}
        gone: list[Watcher] = []
        for _ in range(2000):
            if draw.random() < 0.6:
                watcher = self.watcher()
                expected[watcher] = watcher.due
            elif expected:
                watcher = draw.choice(list(expected))
                self.looks.drop(watcher)
                gone.append(watcher)
                del expected[watcher]
            self.clock.advance(draw.random())
            for watcher in [one for one, due in expected.items() if due <= self.clock.seconds()]:
                self.assertEqual(len(watcher.looked), 1)
                del expected[watcher]
            self.assertFalse(any(one.looked for one in expected))
        self.assertGreater(len(gone), 100)
        self.assertFalse(any(one.looked for one in gone))
        self.assertLessEqual(len(self.clock.getDelayedCalls()), 1)
