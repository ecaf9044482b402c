"""What holds somebody back follows them to another node, and never lasts longer for it."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.identity import Name
from securecom.refusals import Refusal, TooManyRequests, TooSoon
from securecom.server.restraint_facts import NOTHING_KEPT, Kept, PastRefusal, RestraintFacts, encode
from securecom.server.restraints import Restraints

ALICE, BOB, CAROL = Name("alice"), Name("bob"), Name("carol")


class ElsewhereTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.here_clock, self.there_clock = Clock(), Clock()
        self.there_clock.advance(1_000_000)  # the clocks of two machines
        self.here, self.there = Restraints(self.here_clock), Restraints(self.there_clock)

    def advance(self, seconds: float) -> None:
        self.here_clock.advance(seconds)
        self.there_clock.advance(seconds)

    def move(self, name: Name, on_the_way: float = 0.0) -> None:
        """From here to there, which takes so long."""
        facts = self.here.of(name)
        self.advance(on_the_way)
        self.there.take(name, Kept(facts, on_the_way))

    def asks(self, caller: Name, callee: Name = BOB) -> type[Refusal] | None:
        """What keeps the caller from asking there."""
        refusal = self.there.against_request(caller, callee)
        return None if refusal is None else type(refusal)

    # --- rates ------------------------------------------------------------------------------

    def test_requests_count_there(self) -> None:
        for _ in range(limits.REQUESTS_BY_CALLER - 1):
            self.here.against_request(ALICE, BOB)
        self.advance(20)
        self.here.against_request(ALICE, BOB)
        self.move(ALICE)
        self.assertIs(self.asks(ALICE), TooManyRequests)
        self.assertIsNone(self.asks(CAROL))
        self.advance(limits.REQUEST_WINDOW - 20)
        self.assertIsNone(self.asks(ALICE))

    def test_time_on_the_way_counts(self) -> None:
        for _ in range(limits.REQUESTS_BY_CALLER):
            self.here.against_request(ALICE, BOB)
        self.move(ALICE, limits.REQUEST_WINDOW - 1)
        self.assertIs(self.asks(ALICE), TooManyRequests)
        self.advance(1)
        self.assertIsNone(self.asks(ALICE))

    def test_what_is_too_old_when_it_arrives_is_not_remembered(self) -> None:
        self.here.against_request(ALICE, BOB)
        self.here.insists(ALICE, BOB)
        self.here.cooldowns.refused(ALICE, BOB)
        self.move(ALICE, limits.COOLDOWN_FORGOTTEN)
        self.assertEqual(list(self.there.by_caller), [])
        self.assertEqual(list(self.there.by_pair), [])
        self.assertEqual(len(self.there.cooldowns._refusals), 0)

    def test_lists_count_there(self) -> None:
        for _ in range(limits.LISTS_BY_ASKER):
            self.here.against_list(ALICE)
        self.move(ALICE)
        self.assertIsNotNone(self.there.against_list(ALICE))

    def test_requests_that_reached_somebody_count_there(self) -> None:
        for _ in range(limits.REQUESTS_TO_CALLEE):
            self.here.reach(BOB)
        self.move(BOB)
        self.assertTrue(self.there.is_full(BOB))

    def test_requests_in_vain_count_there(self) -> None:
        for _ in range(limits.REQUESTS_BY_PAIR):
            self.assertFalse(self.here.insists(ALICE, BOB))
        self.here.insists(CAROL, BOB)
        self.move(ALICE)
        self.assertTrue(self.there.insists(ALICE, BOB))
        self.assertFalse(self.there.insists(ALICE, CAROL))
        self.assertEqual(self.there.by_pair.count((CAROL, BOB)), 0)

    def test_what_is_known_here_is_not_lowered(self) -> None:
        """Facts that were kept before the last requests give none of them back."""
        facts = self.here.of(ALICE)
        for _ in range(limits.REQUESTS_BY_CALLER):
            self.here.against_request(ALICE, BOB)
        self.here.take(ALICE, Kept(facts, 0.0))
        self.assertTrue(self.here.by_caller.is_full(ALICE))

    def test_a_limit_that_was_lowered_still_holds(self) -> None:
        for _ in range(limits.LISTS_BY_ASKER):
            self.here.against_list(ALICE)
        self.patch(limits, "LISTS_BY_ASKER", 2)
        self.there = Restraints(self.there_clock)
        self.move(ALICE)
        self.assertEqual(self.there.lists.count(ALICE), 2)

    # --- cool-downs -------------------------------------------------------------------------

    def test_a_refusal_counts_there(self) -> None:
        self.here.cooldowns.refused(ALICE, BOB)
        self.advance(20)
        self.move(ALICE, 10)
        self.assertIs(self.asks(ALICE), TooSoon)
        self.assertEqual(self.there.cooldowns.left(ALICE, BOB), 30)
        self.assertIsNone(self.asks(ALICE, CAROL))
        self.advance(30)
        self.assertIsNone(self.asks(ALICE))
        self.assertEqual(self.there.cooldowns.refused(ALICE, BOB), 120)

    def test_a_chat_there_made_up_for_a_refusal(self) -> None:
        self.there.cooldowns.refused(ALICE, BOB)
        self.there.insists(ALICE, BOB)
        self.move(ALICE)
        self.assertEqual(self.there.cooldowns.of(ALICE), [])
        self.assertEqual(self.there.by_pair.count((ALICE, BOB)), 0)

    def test_refusals_by_the_person_stay(self) -> None:
        self.there.cooldowns.refused(BOB, ALICE)
        self.move(ALICE)
        self.assertEqual(self.there.cooldowns.left(BOB, ALICE), 60)

    def test_refusals_are_forgotten_in_time_whatever_came_before(self) -> None:
        self.here.cooldowns.refused(ALICE, BOB)
        self.advance(limits.COOLDOWN_FORGOTTEN - 60)
        self.there.cooldowns.refused(CAROL, BOB)
        self.move(ALICE)
        self.advance(60)
        self.there.drop_old()
        self.assertEqual(list(self.there.cooldowns._refusals), [(CAROL, BOB)])

    def test_a_wait_is_never_longer_than_the_longest(self) -> None:
        facts = RestraintFacts([], [], [], [PastRefusal(BOB, 60_000.0, 0.0)], {})
        self.there.take(ALICE, Kept(encode(facts), 0.0))
        self.assertEqual(self.there.cooldowns.left(ALICE, BOB), limits.COOLDOWN_LAST)

    def test_no_more_are_remembered_than_may_be(self) -> None:
        for number in range(5):
            callee = Name(f"callee{number}")
            self.here.cooldowns.refused(ALICE, callee)
            self.here.insists(ALICE, callee)
        self.there.cooldowns._pairs = 3
        self.there.by_pair._keys = 3
        self.move(ALICE)
        self.assertEqual(len(self.there.cooldowns.of(ALICE)), 3)
        self.assertEqual(len(list(self.there.by_pair)), 3)

    # --- bytes ------------------------------------------------------------------------------

    def test_nothing_kept_changes_nothing(self) -> None:
        self.there.cooldowns.refused(ALICE, BOB)
        self.there.take(ALICE, NOTHING_KEPT)
        self.assertEqual(self.there.cooldowns.left(ALICE, BOB), 60)

    def test_damaged_facts_count_as_nothing_and_are_logged_once(self) -> None:
        self.there.cooldowns.refused(ALICE, BOB)
        with capturedLogs() as logs:
            for _ in range(3):
                self.there.take(ALICE, Kept(b"\xff", 0.0))
        self.assertEqual([str(event["error"]) for event in logs], ["another version"])
        self.assertEqual(self.there.cooldowns.left(ALICE, BOB), 60)

    def test_an_age_below_zero_is_none(self) -> None:
        """The engine's clock was set back."""
        self.here.cooldowns.refused(ALICE, BOB)
        self.there.take(ALICE, Kept(self.here.of(ALICE), -500.0))
        self.assertEqual(self.there.cooldowns.left(ALICE, BOB), 60)
