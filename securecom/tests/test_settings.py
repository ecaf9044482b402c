"""Settings of a whole client: who may ask at all, who is told busy; at once, and for good."""

from __future__ import annotations

from typing import Any

from securecom import limits, refusals, vocabulary
from securecom.client import events
from securecom.client.events import Availability, Problem, RequestOver, Suggestion
from securecom.client.terms import (
    NOBODY,
    AvailabilityTerms,
    BusyAudience,
    Choices,
    KeptChoices,
    Pause,
)
from securecom.errors import BadArgument, IsBusy, NotNow, ProfileProblem, StateDamaged
from securecom.identity import Name
from securecom.tests.support.memory_client import MemoryClient
from securecom.tests.support.scripted_server_case import ALICE, BOB, CAROL, AliceTestCase


class SettingsCase(AliceTestCase):
    def meet(self, *names: Name) -> None:
        keys = {BOB: self.bob, CAROL: self.carol}
        for name in names:
            self.person.contacts.meet(name, keys[name].public_key)

    def set(self, text: str) -> Any:
        """What was changed, as it is shown."""
        (came,) = self.told(self.alice.settings.change(text))
        return came

    def last(self, person: Any = None) -> Any:
        """Available or not, to whom, and who sees busy, as the server was told last."""
        end = person or self.end
        _, audience = end.said("terms")[-1]
        return end.said("available")[-1], audience, end.said("busy_to")[-1]

    def again(self) -> Any:
        """The line is lost and comes back; Alice, as the server has her then."""
        self.end.standard.close()
        self.pump()
        self.network.advance(limits.RECONNECT_FIRST)
        return self.server.people[ALICE]


class ShowingTests(SettingsCase):
    def test_all_with_their_values_and_what_they_do(self) -> None:
        shown = self.alice.settings.all()
        self.assertEqual(
            [(one.name, one.value) for one in shown.settings],
            [
                ("ask", "anyone"),
                ("busy", "nobody"),
                ("notify", "bell"),
                ("notify-names", "off"),
                ("typing", "off"),
                ("downloads", "default"),
            ],
        )
        self.assertTrue(all(one.about for one in shown.settings))

    def test_a_change_shows_what_is_chosen_now(self) -> None:
        shown = self.set("busy to bob carol")
        self.assertIsInstance(shown, events.AllSettings)
        values = [one.value for one in shown.settings]
        self.assertEqual(values, ["anyone", "to bob carol", "bell", "off", "off", "default"])
        self.assertEqual(self.alice.settings.all(), shown)

    def test_what_calls_a_person_who_is_not_looking(self) -> None:
        shown = self.set("notify desktop")
        self.assertEqual(shown.settings[2].value, "desktop")
        self.set("Notify-Names ON")
        choices = self.alice.settings.choices
        self.assertEqual((choices.notify, choices.notify_names), ("desktop", True))
        for wrong in ("notify", "notify loud", "notify-names", "notify-names perhaps"):
            self.assertRaises(BadArgument, self.alice.settings.change, wrong)
        self.assertEqual(self.alice.settings.choices, choices)


class NobodyTests(SettingsCase):
    """`ask nobody`."""

    def setUp(self) -> None:
        super().setUp()
        self.set("ask nobody")

    # Promise T55
    def test_a_running_lease_ends(self) -> None:
        self.assertFalse(self.alice.is_available)
        self.assertEqual(self.last(), (False, None, None))
        self.assertEqual(self.notes.last(Availability), Availability(False))
        self.assertEqual(self.notes.of(Problem), [], "it was asked for")
        self.assertEqual(self.offer(), ["unavailable"])

    def test_nor_does_it_come_back_by_itself(self) -> None:
        self.set("ask anyone")
        self.assertFalse(self.alice.is_available)
        self.told(self.alice.set_away(Pause(60)))
        self.set("ask nobody")
        self.notes.events.clear()
        self.network.advance(61)
        self.assertEqual(self.notes.events, [])
        self.assertFalse(self.alice.is_available)
        self.assertEqual(self.again().said("available"), [])

    # Promise C20
    def test_available_says_how_to_change_it(self) -> None:
        self.meet(BOB)
        for terms in (
            AvailabilityTerms(),
            AvailabilityTerms(people=True),
            AvailabilityTerms(60, names=(BOB,)),
        ):
            error = self.fails(self.told(self.alice.set_available(terms)), NotNow)
            self.assertIn(("set", "ask people"), error.suggested)
        self.assertFalse(self.alice.is_available)
        self.set("ask anyone")
        self.told(self.alice.set_available())
        self.assertTrue(self.alice.is_available)

    def test_others_can_still_be_asked(self) -> None:
        came = self.ask(BOB)
        self.assertEqual((self.alice.asking, came), (BOB, []))

    def test_nobody_is_missed(self) -> None:
        assert self.end.request is not None
        self.end.request.control.tell(vocabulary.MissedRequest, caller=BOB)
        self.pump()
        self.assertEqual(self.alice.requests().missed, [])


class PeopleTests(SettingsCase):
    """`ask people`: Bob is known, Carol is not."""

    def setUp(self) -> None:
        super().setUp()
        self.meet(BOB)

    # Promise T55, C20
    def test_a_running_lease_is_for_them_only(self) -> None:
        self.set("ask people")
        self.assertEqual(self.last(), (True, [BOB], None))
        self.assertEqual(self.notes.last(Availability), Availability(True, None, [BOB]))
        self.assertEqual(self.offer(caller="carol"), ["unavailable"])
        self.assertEqual(self.offer(caller="bob"), [])

    def test_a_lease_to_some_keeps_those_whom_we_know(self) -> None:
        self.told(self.alice.set_available(AvailabilityTerms(3600, names=(BOB, CAROL))))
        self.network.advance(60)
        self.set("ask people")
        self.assertEqual(self.last(), (True, [BOB], None))
        self.assertEqual(self.end.said("terms")[-1][0], 3540)
        self.set("ask anyone")
        self.assertEqual(self.last(), (True, [BOB, CAROL], None))

    # Promise T97
    def test_available_is_to_them(self) -> None:
        self.set("ask people")
        for terms in (
            AvailabilityTerms(),
            AvailabilityTerms(people=True),
            AvailabilityTerms(names=(BOB,)),
        ):
            self.told(self.alice.set_available(terms))
            self.assertEqual(self.last(), (True, [BOB], None))

    def test_a_stranger_cannot_be_let_in(self) -> None:
        self.set("ask people")
        count = len(self.end.said("available"))
        error = self.fails(
            self.told(self.alice.set_available(AvailabilityTerms(names=(CAROL,)))), BadArgument
        )
        self.assertIn("never met carol", error.what)
        self.assertEqual(error.suggested, (("set", "ask anyone"),))
        self.assertEqual(len(self.end.said("available")), count)
        self.assertEqual(self.offer(caller="carol"), ["unavailable"])

    def test_strangers_are_not_missed(self) -> None:
        self.set("ask people")
        assert self.end.request is not None
        for name in (BOB, CAROL):
            self.end.request.control.tell(vocabulary.MissedRequest, caller=name)
        self.pump()
        self.assertEqual([one.name for one in self.alice.requests().missed], [BOB])

    def test_it_counts_after_the_line_was_lost(self) -> None:
        self.end.standard.close()
        self.pump()
        self.assertFalse(self.alice.is_online)
        self.set("ask people")
        self.network.advance(limits.RECONNECT_FIRST)
        self.assertEqual(self.last(self.server.people[ALICE]), (True, [BOB], None))

    def test_unreadable_pins_let_nobody_ask(self) -> None:
        """Neither here nor at the next log-in, which goes on."""
        self.set("ask people")

        def broken() -> list[Name]:
            raise StateDamaged("the pins are damaged")

        self.patch(self.person.contacts, "names", broken)
        end = self.again()
        self.assertTrue(self.alice.is_online)
        self.assertEqual(end.said("available"), [])
        self.assertEqual(self.notes.last(Problem).code, StateDamaged.code)
        self.assertEqual(self.notes.last(Availability), Availability(False))
        self.fails(self.told(self.alice.set_available()), StateDamaged)

    def test_more_than_the_server_takes(self) -> None:
        self.patch(limits, "MAX_AUDIENCE", 1)
        self.meet(CAROL)
        self.told(self.alice.set_available(AvailabilityTerms(60)))
        self.set("ask people")
        self.assertFalse(self.alice.is_available)
        self.assertEqual(self.last(), (False, None, None))
        self.assertIn("more than 1", self.notes.last(Problem).what)
        count = len(self.end.heard)
        self.network.advance(60)
        self.assertEqual(len(self.end.heard), count, "the end of a lease that is over is none")
        self.told(self.alice.set_available(AvailabilityTerms(names=(BOB,))))
        self.assertEqual(self.last(), (True, [BOB], None))


class LaterTests(SettingsCase):
    """Carol is known, Bob is not yet."""

    def setUp(self) -> None:
        super().setUp()
        self.meet(CAROL)

    def test_whoever_is_met_later_is_one_of_them(self) -> None:
        self.told(self.alice.set_available(AvailabilityTerms(people=True)))
        self.assertEqual(self.last(), (True, [CAROL], None))
        self.ask(BOB)
        self.peer("callee").open()
        self.grant()
        self.assertEqual(self.alice.peer, BOB)
        self.assertEqual(self.last(), (True, [BOB, CAROL], None))
        self.assertEqual(len(self.notes.of(Availability)), 1, "nothing that they have to read")


class BusyTests(SettingsCase):
    def test_the_server_is_told_at_once_and_nothing_else_changes(self) -> None:
        self.told(self.alice.set_available(AvailabilityTerms(60, names=(BOB, CAROL))))
        self.notes.events.clear()
        self.set("busy to bob")
        self.assertEqual(self.last(), (True, [BOB, CAROL], [BOB]))
        self.assertEqual(self.end.said("terms")[-1][0], 60)
        self.assertEqual(self.notes.of(Availability), [])
        self.set("busy nobody")
        self.assertEqual(self.last(), (True, [BOB, CAROL], None))

    def test_to_our_people(self) -> None:
        self.meet(BOB)
        self.set("busy people")
        self.assertEqual(self.last(), (True, None, [BOB]))
        self.meet(CAROL)
        self.assertEqual(self.last(self.again()), (True, None, [BOB, CAROL]))

    def test_while_away_nobody_is_told_anything(self) -> None:
        self.told(self.alice.set_away())
        count = len(self.end.heard)
        self.set("busy to bob")
        self.assertEqual(len(self.end.heard), count)
        self.told(self.alice.set_available())
        self.assertEqual(self.last(), (True, None, [BOB]))

    def test_more_people_than_the_server_takes(self) -> None:
        self.patch(limits, "MAX_AUDIENCE", 1)
        self.meet(BOB)
        self.set("busy people")
        self.meet(CAROL)
        self.assertEqual(self.last(self.again()), (True, None, None), "rather nobody than some")
        self.set("busy nobody")
        self.assertRaises(BadArgument, self.alice.settings.change, "busy people")
        self.assertEqual(self.alice.settings.all().settings[1].value, "nobody")

    def test_one_who_is_busy_for_us(self) -> None:
        came = self.ask(BOB)
        self.deny(refusals.Busy())
        self.fails(came, IsBusy)
        self.assertEqual(self.notes.last(RequestOver), RequestOver(BOB, "busy"))

    def test_the_list_shows_who_is(self) -> None:
        page = {"names": [BOB, CAROL], "more": False, "busy": [CAROL, Name("dave")]}
        self.end.standard.pages = lambda after, text: page
        (users,) = self.told(self.alice.users())
        self.assertEqual(users.busy, [CAROL], "and nobody who is not in it")


class KeepingTests(SettingsCase):
    def come(self, choices: Choices, **more: Any) -> MemoryClient:
        """Dave, with these choices in his profile."""
        self.kept: list[Choices] = []
        kept = KeptChoices(choices, self.kept.append)
        identity = self.server.enrol("dave")
        return MemoryClient(self.network, identity, self.server.pin, kept=kept, **more).start()

    def test_a_change_is_kept(self) -> None:
        dave = self.come(Choices("people", NOBODY)).main
        self.told(dave.settings.change("busy people"))
        self.told(dave.settings.change("ask nobody"))
        self.assertEqual(
            self.kept,
            [
                Choices("people", BusyAudience(people=True)),
                Choices("nobody", BusyAudience(people=True)),
            ],
        )

    # Promise C20
    def test_what_was_kept_counts_at_the_next_start(self) -> None:
        self.come(Choices("people", BusyAudience(names=(BOB,))))
        self.assertEqual(self.last(self.server.people[Name("dave")]), (True, [], [BOB]))

    # Promise C20
    def test_available_at_the_start_does_not_go_past_it(self) -> None:
        dave = self.come(Choices("nobody", NOBODY), available=True)
        self.assertFalse(dave.main.is_available)
        self.assertEqual(self.server.people[Name("dave")].said("available"), [])
        self.assertIn(Suggestion("set", "ask people"), dave.notes.last(Problem).suggested)
        self.assertEqual(dave.notes.last(Availability), Availability(False))

    def test_what_cannot_be_kept_changes_nothing(self) -> None:
        def full(_: Choices) -> None:
            raise ProfileProblem("no room")

        self.patch(self.alice.settings, "_keep", full)
        self.assertRaises(ProfileProblem, self.alice.settings.change, "ask nobody")
        self.assertTrue(self.alice.is_available)
        self.assertEqual(self.alice.settings.all().settings[0].value, "anyone")

    def test_what_is_no_setting_changes_nothing(self) -> None:
        self.assertRaises(BadArgument, self.alice.settings.change, "ask everybody")
        self.assertTrue(self.alice.is_available)
