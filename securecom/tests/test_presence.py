"""For how long, to whom, and what comes then: as people type it, and as the client keeps it."""

from __future__ import annotations

import os
import time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.events import Availability, Problem
from securecom.client.terms import (
    DAY,
    AvailabilityTerms,
    Pause,
    next_time,
    read_pause,
    read_terms,
    shown_time,
)
from securecom.errors import BadArgument, BadName
from securecom.identity import Name
from securecom.tests.support.scripted_server_case import BOB, CAROL, STATES, AliceTestCase


class ReadingTests(SynchronousTestCase):
    def test_terms(self) -> None:
        told = {
            "": AvailabilityTerms(),
            "45m": AvailabilityTerms(2700),
            "90s": AvailabilityTerms(90),
            "2h": AvailabilityTerms(7200),
            "7d": AvailabilityTerms(limits.MAX_LEASE),
            "people": AvailabilityTerms(people=True),
            "45m people": AvailabilityTerms(2700, people=True),
            "to Bob carol bob": AvailabilityTerms(names=(BOB, CAROL)),
            " 2h  to people": AvailabilityTerms(7200, names=(Name("people"),)),
            "to 45m": AvailabilityTerms(names=(Name("45m"),)),
        }
        for text, terms in told.items():
            self.assertEqual(read_terms(text), terms, text)

    def test_what_are_no_terms(self) -> None:
        for text in (
            "bob",
            "45",
            "to",
            "45m to",
            "people bob",
            "45m 45m",
            "0m",
            "8d",
            "people 45m",
        ):
            self.assertRaises(BadArgument, read_terms, text)
        self.assertRaises(BadName, read_terms, "to b/b")
        names = " ".join(f"u{number}" for number in range(limits.MAX_AUDIENCE + 1))
        self.assertRaises(BadArgument, read_terms, f"to {names}")

    def test_pauses(self) -> None:
        told = {"": Pause(), "45m": Pause(2700), "until 15:00": Pause(until=54_000)}
        told |= {"until 9:05": Pause(until=32_700)}
        for text, pause in told.items():
            self.assertEqual(read_pause(text), pause, text)
        for text in ("15:00", "until", "until 24:00", "until 15", "until 15:60", "0s", "9d", "x"):
            self.assertRaises(BadArgument, read_pause, text)

    def test_a_time_of_day_is_the_next_one(self) -> None:
        noon, days = 43_200, 20_000 * DAY
        for of_day, wait in ((noon + 60, 60), (noon - 60, DAY - 60), (noon, DAY)):
            self.assertEqual(next_time(of_day, days + noon), days + noon + wait)

    # Promise R12
    def test_what_the_wall_shows(self) -> None:
        """Also when the machine's time zone is changed under a running process."""
        former = os.environ.get("TZ")
        self.addCleanup(time.tzset)
        self.addCleanup(_set_zone, former)
        for zone, hours in (("UTC0", 0), ("East-5", 5), ("West8", -8)):
            _set_zone(zone)
            self.assertApproximates(shown_time() - time.time(), hours * 3600, 60)


def _set_zone(zone: str | None) -> None:
    if zone is None:
        os.environ.pop("TZ", None)
    else:
        os.environ["TZ"] = zone


class KeepingTests(AliceTestCase):
    def last(self) -> Any:
        """Available or not, and the terms, as the server was told last."""
        return self.end.said("available")[-1], self.end.said("terms")[-1]

    # Promise C17
    def test_for_a_while(self) -> None:
        self.told(self.alice.set_available(AvailabilityTerms(60)))
        self.assertEqual(self.last(), (True, (60, None)))
        self.assertEqual(self.notes.last(Availability), Availability(True, 60))
        self.network.advance(60)
        self.assertFalse(self.alice.is_available)
        self.assertEqual(self.last(), (False, (None, None)))
        self.assertEqual(self.notes.last(Availability), Availability(False))

    # Promise C19
    def test_away_for_a_while_and_back_to_the_same_people(self) -> None:
        self.told(self.alice.set_available(AvailabilityTerms(3600, names=(BOB,))))
        self.told(self.alice.set_away(Pause(60)))
        self.assertEqual(self.notes.last(Availability), Availability(False, 60))
        self.network.advance(60)
        self.assertEqual(self.last(), (True, (None, [BOB])))
        self.assertEqual(self.notes.last(Availability), Availability(True, None, [BOB]))

    def test_nothing_is_due_any_more_when_the_client_is_over(self) -> None:
        for state in STATES:
            self.setUp()
            self.told(self.alice.set_available(AvailabilityTerms(3600)))
            self.reach(state)
            self.told(self.alice.log_out())
            self.network.advance(limits.BYE_DEADLINE + limits.CLOSE_DEADLINE)
            self.assertEqual(self.person.done, [None], state)
            self.assertEqual(self.network.clock.getDelayedCalls(), [], state)

    def test_what_is_said_later_counts(self) -> None:
        self.told(self.alice.set_available(AvailabilityTerms(60)))
        self.told(self.alice.set_available())
        self.network.advance(61)
        self.assertTrue(self.alice.is_available)

    # Promise C18
    def test_people_are_those_whom_we_have_met_here(self) -> None:
        self.person.contacts.meet(CAROL, self.carol.public_key)
        self.person.contacts.meet(BOB, self.bob.public_key)
        self.told(self.alice.set_available(AvailabilityTerms(people=True)))
        self.assertEqual(self.last(), (True, (None, [BOB, CAROL])))

    def test_who_has_met_nobody_has_no_people(self) -> None:
        self.told(self.alice.set_available(AvailabilityTerms(people=True)))
        self.assertEqual(self.last(), (True, (None, [])))
        self.assertEqual(self.offer(), ["unavailable"])

    def test_more_people_than_the_server_takes(self) -> None:
        self.patch(limits, "MAX_AUDIENCE", 1)
        for name, identity in ((BOB, self.bob), (CAROL, self.carol)):
            self.person.contacts.meet(name, identity.public_key)
        self.fails(self.told(self.alice.set_available(AvailabilityTerms(people=True))), BadArgument)

    def test_more_of_them_at_the_next_log_in_than_the_server_takes(self) -> None:
        """Rather away, and told so, than available as far as the client knows and nowhere else."""
        self.patch(limits, "MAX_AUDIENCE", 1)
        self.person.contacts.meet(BOB, self.bob.public_key)
        self.told(self.alice.set_available(AvailabilityTerms(people=True)))
        self.person.contacts.meet(CAROL, self.carol.public_key)
        self.end.standard.close()
        self.pump()
        self.network.advance(limits.RECONNECT_FIRST)
        self.assertTrue(self.alice.is_online)
        self.assertFalse(self.alice.is_available)
        self.assertEqual(self.server.people[Name("alice")].said("available"), [])
        self.assertIn("more than 1", self.notes.last(Problem).what)
        self.assertEqual(self.notes.last(Availability), Availability(False))

    def test_more_of_them_when_we_are_back_than_the_server_takes(self) -> None:
        self.patch(limits, "MAX_AUDIENCE", 1)
        self.person.contacts.meet(BOB, self.bob.public_key)
        self.told(self.alice.set_available(AvailabilityTerms(people=True)))
        self.told(self.alice.set_away(Pause(60)))
        self.person.contacts.meet(CAROL, self.carol.public_key)
        self.network.advance(60)
        self.assertFalse(self.alice.is_available)
        self.assertEqual(self.last(), (False, (None, None)))
        self.assertIn("more than 1", self.notes.last(Problem).what)

    # Promise T55
    def test_others_are_refused_here_too_whatever_the_server_thinks(self) -> None:
        self.told(self.alice.set_available(AvailabilityTerms(names=(CAROL,))))
        self.assertEqual(self.offer(caller="bob"), ["unavailable"])
        self.assertEqual(self.offer(caller="carol"), [])

    def test_a_reconnect_keeps_what_is_left(self) -> None:
        self.told(self.alice.set_available(AvailabilityTerms(60, names=(BOB,))))
        self.network.advance(20)
        self.end.standard.close()
        self.pump()
        self.network.advance(limits.RECONNECT_FIRST)
        end = self.server.people[Name("alice")]
        self.assertEqual(end.said("terms"), [(39, [BOB])])

    def test_it_ends_off_line_too(self) -> None:
        self.told(self.alice.set_available(AvailabilityTerms(2)))
        self.server.shut()
        self.end.standard.close()
        self.network.advance(3)
        self.server.listen()
        self.network.advance(limits.RECONNECT_LAST)
        self.assertTrue(self.alice.is_online)
        self.assertEqual(self.server.people[Name("alice")].said("available"), [])
