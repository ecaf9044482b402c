"""Rounds: how often, how soon in a hurry, and that they end."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from securecom.server.rounds import Rounds


class RoundsTests(SynchronousTestCase):
    """What is called, and when."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.called: list[float] = []
        #: What the next calls return.
        self.answer: Deferred[float] | None = None
        self.rounds = Rounds(self.clock, self.call)

    def call(self) -> Deferred[float]:
        self.called.append(self.clock.seconds())
        return succeed(10.0) if self.answer is None else self.answer

    def test_each_call_asks_for_the_pause_after_it(self) -> None:
        self.rounds.startService()
        self.clock.pump([5] * 6)
        self.assertEqual(self.called, [0, 10, 20, 30])

    def test_the_pause_begins_when_the_call_is_over(self) -> None:
        self.answer = Deferred()
        self.rounds.startService()
        self.clock.advance(100)
        self.answer.callback(1)
        self.answer = None
        self.clock.advance(1)
        self.assertEqual(self.called, [0, 101])

    def test_a_hurry_brings_the_next_call_and_no_other_forward(self) -> None:
        self.rounds.startService()
        self.clock.advance(2)
        self.rounds.hurry(1)
        self.clock.pump([1] * 11)
        self.assertEqual(self.called, [0, 3, 13])

    def test_a_hurry_puts_nothing_off(self) -> None:
        self.rounds.startService()
        self.clock.advance(9.5)
        self.rounds.hurry(1)
        self.clock.advance(0.5)
        self.assertEqual(self.called, [0, 10])

    def test_a_hurry_when_there_is_no_next_call_yet(self) -> None:
        self.rounds.hurry(1)
        self.answer = Deferred()
        self.rounds.startService()
        self.rounds.hurry(1)
        self.clock.advance(5)
        self.assertEqual(self.called, [0])

    def test_stop(self) -> None:
        self.rounds.startService()
        self.assertIsNone(self.rounds.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop_waits_for_a_call_that_is_under_way(self) -> None:
        self.answer = Deferred()
        self.rounds.startService()
        stopped = self.rounds.stopService()
        assert stopped is not None
        self.assertNoResult(stopped)
        self.answer.callback(1)
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])
