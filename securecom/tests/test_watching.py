"""Watching the people we know: what is shown of them, and how often the server is asked."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail

from securecom import limits, refusals
from securecom.client.events import PeopleNow, PersonNow
from securecom.client.terms import AvailabilityTerms
from securecom.identity import Identity, Name
from securecom.tests.support.scripted_server_case import ALICE, BOB, CAROL, AliceTestCase
from securecom.tests.support.two_clients_case import TwoClientsCase


class WholeTests(TwoClientsCase):
    """Alice knows Bob; a whole server."""

    def setUp(self) -> None:
        super().setUp()
        self.met()
        self.alice.notes.events.clear()

    def seen(self) -> list[tuple[str, str]]:
        """What Alice was shown of Bob since the last look."""
        shown = [event.people for event in self.alice.notes.of(PeopleNow)]
        self.alice.notes.events.clear()
        return [(one.name, one.presence) for people in shown for one in people]

    def wait(self) -> None:
        self.network.advance(limits.WATCH_INTERVAL)

    def test_it_comes_at_once_and_with_every_change_and_only_then(self) -> None:
        self.alice.main.watch_people(True)
        self.network.pump()
        self.assertEqual(self.seen(), [(BOB, "silent"), (BOB, "available")])
        self.wait()
        self.assertEqual(self.seen(), [])
        self.bob.main.set_away()
        self.network.pump()
        self.wait()
        self.assertEqual(self.seen(), [(BOB, "silent")])

    # Promise C111
    def test_nobody_is_watched_who_is_not_available_to_us(self) -> None:
        """Exactly what /users shows: available to others, blocking us, and offline are the same."""
        self.alice.main.watch_people(True)
        self.network.pump()
        self.seen()
        self.bob.main.set_available(AvailabilityTerms(names=(CAROL,)))
        self.network.pump()
        self.wait()
        self.assertEqual(self.seen(), [(BOB, "silent")])
        self.bob.main.set_available(AvailabilityTerms())
        self.bob.main.block(ALICE)
        self.network.pump()
        self.wait()
        self.assertEqual(self.seen(), [])
        self.bob.main.log_out()
        self.network.pump()
        self.wait()
        self.assertEqual(self.seen(), [])

    # Promise C111
    def test_busy_only_if_they_let_us_see_it(self) -> None:
        carol = self.person(self.server.enrolled("carol"))
        self.alice.main.watch_people(True)
        self.bob.main.settings.change("busy to alice")
        self.network.pump()
        self.chat(carol, BOB)
        self.wait()
        self.assertEqual(self.seen()[-1], (BOB, "busy"))
        self.bob.main.settings.change("busy nobody")
        self.network.pump()
        self.wait()
        self.assertEqual(self.seen()[-1], (BOB, "available"))

    def test_somebody_new_and_a_comparison_show_at_once(self) -> None:
        self.alice.main.watch_people(True)
        self.server.enrolled("dora")
        self.network.pump()
        self.alice.notes.events.clear()
        self.chat(self.alice, BOB)
        self.alice.main.keys.safety_number()
        self.alice.main.keys.compared(True)
        (people,) = self.alice.notes.last(PeopleNow).people
        self.assertEqual((people.name, people.trust), (BOB, "verified"))

    def test_a_lost_line_leaves_nobody_available(self) -> None:
        self.alice.main.watch_people(True)
        self.network.pump()
        self.seen()
        self.alice.client._channel.close()  # type: ignore[union-attr]
        self.network.pump()
        self.assertEqual(self.seen(), [(BOB, "silent")])
        self.network.advance(limits.RECONNECT_FIRST)
        self.assertEqual(self.seen(), [(BOB, "available")])

    def test_nothing_more_when_it_is_not_wanted(self) -> None:
        self.alice.main.watch_people(True)
        self.network.pump()
        self.alice.main.watch_people(False)
        self.seen()
        self.bob.main.set_away()
        self.network.pump()
        self.network.advance(10 * limits.WATCH_INTERVAL)
        self.assertEqual(self.seen(), [])


class PaceTests(AliceTestCase):
    """A server that answers as the test says, and counts."""

    def setUp(self) -> None:
        super().setUp()
        self.asked: list[str] = []
        self.page: Any = {"names": [], "more": False}
        self.end.standard.pages = self.answer
        self.person.contacts.meet(BOB, self.bob.public_key)
        self.person.contacts.meet(Name("zoe"), Identity.generate().public_key)

    def answer(self, after: str, text: str) -> Any:
        self.asked.append(after)
        self.assertEqual(text, "")
        return self.page(after) if callable(self.page) else self.page

    def watch(self) -> None:
        self.alice.watch_people(True)
        self.pump()

    def minutes(self, count: int) -> int:
        """How many pages were asked for in so many minutes."""
        before = len(self.asked)
        for _ in range(count * 60):
            self.network.advance(1)
        return len(self.asked) - before

    # Promise T212
    def test_two_pages_a_minute_and_nothing_that_says_whom_we_know(self) -> None:
        self.watch()
        self.assertEqual(self.minutes(10), 20)
        self.assertEqual(set(self.asked), {""})

    def test_a_long_list_is_read_slowly_and_not_without_end(self) -> None:
        def endless(after: str) -> Any:
            number = int(after[1:] or "0") + 1 if after else 1
            return {"names": [Name(f"n{number:05}")], "more": True}

        self.page = endless
        self.watch()
        pace = 60 / limits.WATCH_PAGE_INTERVAL
        self.assertLessEqual(self.minutes(10), 10 * pace)
        self.assertLess(10 * pace, 10 * limits.LISTS_BY_ASKER)
        self.assertIn("", self.asked[1:], "a new look began")

    # Promise T212
    def test_it_reads_to_the_end_whoever_we_know(self) -> None:
        first, second = [BOB, Name("zz")], [Name("zzz")]
        self.page = lambda after: {"names": second if after else first, "more": not after}
        self.watch()
        for _ in range(2):
            self.network.advance(limits.WATCH_PAGE_INTERVAL)
        self.assertEqual(self.asked, ["", "zz"])
        shown = self.notes.last(PeopleNow).people
        self.assertEqual(shown[0], PersonNow(BOB, "met", "available"))

    def test_nobody_is_shown_as_gone_before_the_look_is_over(self) -> None:
        self.page = {"names": [BOB, Name("zoe")], "more": False}
        self.watch()
        self.notes.events.clear()
        self.page = lambda after: {"names": [BOB if not after else Name("zoe")], "more": not after}
        self.network.advance(limits.WATCH_INTERVAL)
        self.network.advance(limits.WATCH_PAGE_INTERVAL)
        self.assertEqual(self.notes.events, [])

    def test_a_refusal_a_lie_and_no_answer_are_not_shown_and_it_goes_on(self) -> None:
        for bad in (
            lambda after: fail(refusals.TooManyRequests()),
            {"names": [Name("zoe"), BOB], "more": True},
            lambda after: Deferred(),
        ):
            self.asked.clear()
            self.notes.events.clear()
            self.page = bad
            self.alice.watch_people(False)
            self.watch()
            self.assertEqual(len(self.notes.events), 1, "nobody is available so far")
            self.assertGreater(len(self.asked), 0)
            pages = self.minutes(2)
            self.assertLessEqual(pages, 4)

    def test_it_asks_nothing_for_somebody_who_knows_nobody(self) -> None:
        self.patch(self.person.contacts, "names", list)
        self.watch()
        self.assertEqual(self.minutes(5), 0)
        self.assertEqual(self.notes.last(PeopleNow), PeopleNow([]))

    def test_one_question_at_a_time(self) -> None:
        self.page = lambda after: Deferred()
        self.watch()
        for _ in range(20):
            self.alice.watch_people(False)
            self.alice.watch_people(True)
            self.pump()
        self.assertEqual(len(self.asked), 1)

    def test_wanting_it_twice_asks_once(self) -> None:
        self.watch()
        self.watch()
        self.assertEqual(self.asked, [""])

    def test_nothing_is_left_over_at_the_end(self) -> None:
        self.watch()
        self.told(self.alice.log_out())
        self.pump()
        self.asked.clear()
        self.network.advance(10 * limits.WATCH_INTERVAL)
        self.assertEqual(self.asked, [])
