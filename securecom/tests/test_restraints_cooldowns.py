"""How long to wait after a no: twice as long each time, up to a bound, forgotten after a day."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.identity import Name
from securecom.server.restraints import Cooldowns

ALICE, BOB, CAROL = Name("alice"), Name("bob"), Name("carol")


class CooldownTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.cooldowns = Cooldowns(self.clock.seconds, pairs=2)

    def left(self) -> int:
        return self.cooldowns.left(ALICE, BOB)

    # Promise T100, C23
    def test_twice_as_long_each_time_and_never_longer_than_the_last(self) -> None:
        self.assertEqual(self.left(), 0)
        waits = []
        for _ in range(9):
            waits.append(self.cooldowns.refused(ALICE, BOB))
            self.assertEqual(self.left(), waits[-1])
            self.clock.advance(waits[-1])
            self.assertEqual(self.left(), 0)
        self.assertEqual(waits, [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600])

    def test_seconds_are_rounded_up(self) -> None:
        self.cooldowns.refused(ALICE, BOB)
        self.clock.advance(limits.COOLDOWN_FIRST - 0.25)
        self.assertEqual(self.left(), 1)

    def test_after_a_day_it_begins_anew(self) -> None:
        self.cooldowns.refused(ALICE, BOB)
        self.clock.advance(limits.COOLDOWN_FORGOTTEN - 1)
        self.assertEqual(self.cooldowns.refused(ALICE, BOB), 2 * limits.COOLDOWN_FIRST)
        self.clock.advance(limits.COOLDOWN_FORGOTTEN)
        self.assertEqual(self.cooldowns.refused(ALICE, BOB), limits.COOLDOWN_FIRST)

    def test_a_chat_makes_both_directions_new(self) -> None:
        self.cooldowns.refused(ALICE, BOB)
        self.cooldowns.refused(BOB, ALICE)
        self.cooldowns.forget(ALICE, BOB)
        self.assertEqual((self.left(), self.cooldowns.left(BOB, ALICE)), (0, 0))

    def test_memory_is_bounded(self) -> None:
        self.cooldowns.refused(ALICE, BOB)
        self.cooldowns.refused(CAROL, BOB)
        self.cooldowns.refused(ALICE, BOB)
        self.cooldowns.refused(BOB, CAROL)
        self.assertGreater(self.left(), 0)
        self.assertEqual(self.cooldowns.left(CAROL, BOB), 0)

    # Promise R127
    def test_refusals_are_dropped_after_a_day(self) -> None:
        self.cooldowns.refused(ALICE, BOB)
        self.clock.advance(1.0)
        self.cooldowns.refused(CAROL, BOB)
        self.clock.advance(limits.COOLDOWN_FORGOTTEN - 1.0)
        self.cooldowns.drop_old()
        self.assertEqual(list(self.cooldowns._refusals), [(CAROL, BOB)])
        self.clock.advance(1.0)
        self.cooldowns.drop_old()
        self.assertEqual(list(self.cooldowns._refusals), [])
