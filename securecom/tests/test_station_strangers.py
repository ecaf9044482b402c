"""Whom one has met comes before strangers, and strangers keep no one away: the callee's client."""

from __future__ import annotations

from securecom import limits
from securecom.client.coordination.station import MissedRequests
from securecom.client.events import Asked, AskedOver, MissedCaller, RefusedForYou, Trust
from securecom.identity import Identity, Name
from securecom.tests.support.scripted_server_case import BOB, CAROL, OTHER_CHAT, AliceTestCase


class PreferenceTests(AliceTestCase):
    """Carol asks while Bob does."""

    def know(self, name: Name, verified: bool = False) -> None:
        """Alice has met this person."""
        key = (self.carol if name == CAROL else self.bob).public_key
        self.person.contacts.meet(name, key)
        if verified:
            self.person.contacts.compared(name, key, True)

    # Promise T92, C26, R92
    def test_somebody_we_know_takes_the_place_of_a_stranger(self) -> None:
        for state in ("considering", "deciding"):
            self.setUp()
            self.know(CAROL)
            self.consent.is_slow = state == "deciding"
            bobs, carols = self.offer(), self.offer(OTHER_CHAT, "carol")
            self.assertEqual((bobs, carols), (["unavailable"], []))
            if self.consent.is_slow:
                self.consent.decision.callback("ask")
                self.pump()
            self.assertEqual(self.notes.last(Asked).name, "carol")
            self.network.advance(limits.ACCEPT_BY_NAME)
            self.told(self.alice.accept())
            self.assertEqual(carols, ["accept"])

    def test_the_person_sees_it_and_finds_the_stranger_among_the_missed(self) -> None:
        self.know(CAROL)
        self.offer()
        self.offer(OTHER_CHAT, "carol")
        self.assertEqual(self.notes.last(AskedOver), AskedOver(BOB, "gone"))
        self.assertEqual(self.alice.requests().missed, [MissedCaller(BOB, "new", 1, 0)])

    # Promise C26, R93
    def test_a_yes_that_was_meant_for_the_stranger_is_not_taken(self) -> None:
        """A hand may be on its way to the key."""
        self.know(CAROL)
        self.offer()
        carols = self.offer(OTHER_CHAT, "carol")
        self.told(self.alice.accept())
        self.assertEqual(carols, [])

    def test_a_stranger_takes_nobodys_place(self) -> None:
        for known in (None, BOB):
            self.setUp()
            if known:
                self.know(known)
            bobs, carols = self.offer(), self.offer(OTHER_CHAT, "carol")
            self.assertEqual((bobs, carols), ([], ["busy"]))
            self.assertEqual(self.notes.of(RefusedForYou), [RefusedForYou(CAROL, "new", "busy")])

    def test_nor_does_one_we_know_the_place_of_another(self) -> None:
        """Not even of one who is less trusted: both are people of ours."""
        self.know(BOB)
        self.know(CAROL, verified=True)
        self.assertEqual((self.offer(), self.offer(OTHER_CHAT, "carol")), ([], ["busy"]))

    def test_a_key_that_is_not_the_pinned_one_makes_nobody_known(self) -> None:
        self.know(CAROL)
        stranger = Identity.generate().public_key
        carols = self.offer(), self.offer(OTHER_CHAT, "carol", key=stranger)
        self.assertEqual(carols, ([], ["busy"]))

    # Promise R93
    def test_no_yes_is_taken_back(self) -> None:
        for state in ("accepted", "opening", "chatting", "asking"):
            self.setUp()
            self.know(CAROL)
            self.reach(state)
            self.assertEqual(self.offer(OTHER_CHAT, "carol"), ["busy"], state)


class BudgetTests(AliceTestCase):
    """How many strangers are put before the person in a minute."""

    def ask_and_be_dismissed(self, number: int) -> list[str]:
        answer: list[str] = self.offer(bytes([number]) * 16, f"stranger{number}")
        if not answer:
            self.told(self.alice.dismiss())
        return answer

    # Promise R94
    def test_the_number_of_strangers_is_limited(self) -> None:
        for number in range(limits.OFFERS_BY_STRANGERS):
            self.assertEqual(self.ask_and_be_dismissed(number), ["unavailable"])
        self.notes.events.clear()
        self.assertEqual(self.ask_and_be_dismissed(99), ["busy"])
        self.assertEqual(self.notes.events, [RefusedForYou(Name("stranger99"), "new", "busy")])
        self.network.advance(limits.REQUEST_WINDOW)
        self.assertEqual(self.ask_and_be_dismissed(100), ["unavailable"])

    # Promise T92, R94
    def test_people_we_know_do_not_count_and_are_not_held_up(self) -> None:
        self.person.contacts.meet(BOB, self.bob.public_key)
        for number in range(limits.OFFERS_BY_STRANGERS):
            self.ask_and_be_dismissed(number)
        for number in range(limits.OFFERS_BY_STRANGERS):
            self.assertEqual(self.offer(bytes([number, 1]) * 8), [])
            self.told(self.alice.dismiss())

    # Promise R89
    def test_what_is_withdrawn_does_not_count(self) -> None:
        for reason in ("cancelled", "gone"):
            for number in range(limits.OFFERS_BY_STRANGERS):
                chat = bytes([number, 2]) * 8
                self.assertEqual(self.offer(chat, f"stranger{number}"), [])
                self.withdraw(reason, chat)
        self.assertEqual(self.ask_and_be_dismissed(99), ["unavailable"])

    def test_nor_does_what_was_turned_down_as_busy(self) -> None:
        self.offer()
        for number in range(limits.OFFERS_BY_STRANGERS):
            self.assertEqual(self.ask_and_be_dismissed(number), ["busy"])
        self.told(self.alice.dismiss())
        self.assertEqual(self.ask_and_be_dismissed(99), ["unavailable"])


class MissedTests(AliceTestCase):
    # Promise T93, R96
    def test_strangers_with_many_names_hide_nobody_we_know(self) -> None:
        self.person.contacts.meet(BOB, self.bob.public_key)
        missed = MissedRequests(lambda: 0.0, self._trust)
        missed.note(BOB)
        for number in range(2 * limits.MAX_MISSED):
            missed.note(Name(f"stranger{number}"))
        names = [one.name for one in missed.all()]
        self.assertEqual(len(names), limits.MAX_MISSED)
        self.assertEqual((names[0], names[-1]), (f"stranger{2 * limits.MAX_MISSED - 1}", "bob"))

    def test_without_strangers_the_oldest_goes(self) -> None:
        missed = MissedRequests(lambda: 0.0, lambda name: "met")
        for number in range(limits.MAX_MISSED + 1):
            missed.note(Name(f"friend{number}"))
        self.assertEqual(missed.all()[-1].name, "friend1")

    def _trust(self, name: Name) -> Trust:
        return "met" if name == BOB else "new"
