"""Requests that are decided about before the person is asked, or instead."""

from __future__ import annotations

from twisted.python.failure import Failure

from securecom import limits, refusals
from securecom.client.api import ClientState
from securecom.client.coordination.engagement import Decision, Facts, Verdict
from securecom.client.events import (
    AnsweredForYou,
    Asked,
    AskedOver,
    ChatStarted,
    Event,
    Problem,
    RefusedForYou,
)
from securecom.client.terms import AvailabilityTerms
from securecom.errors import ChatFailed, NotNow, PeerKeyChanged, ProgramFailed, StateDamaged
from securecom.identity import Identity
from securecom.succession import Link
from securecom.tests.support.scripted_server_case import BOB, CAROL, OTHER_CHAT, AliceTestCase


class DecidingCase(AliceTestCase):
    """Whoever decides takes their time, and says what the test says."""

    def setUp(self) -> None:
        super().setUp()
        self.consent.is_slow = self.consent.is_stubborn = True
        self.bobs = self.bob.public_key.fingerprint

    def decide(self, decision: Decision) -> None:
        self.consent.decision.callback(decision)
        self.pump()

    def nothing_counts_any_more(self) -> None:
        """It was told to stop, and what it said all the same has changed nothing."""
        self.assertEqual(self.consent.cancelled, 1)
        self.assertEqual(self.notes.of(AnsweredForYou) + self.notes.of(Problem), [])

    def asked(self, seconds: int = 60) -> Asked:
        return Asked(BOB, "new", self.bobs, seconds)


class AnswerTests(DecidingCase):
    """Accept, refuse, dismiss, ask; and no answer at all."""

    def test_what_it_is_told(self) -> None:
        self.offer(seconds=45)
        self.assertEqual(self.consent.asked, [Facts("bob", "new", self.bobs, 45, 0, None)])

    def test_for_how_long_the_chat_is_to_be(self) -> None:
        self.offer(chat_seconds=1200)
        (facts,) = self.consent.asked
        self.assertEqual(facts.chat_seconds, 1200)

    def test_who_asked_in_vain_lately(self) -> None:
        for name in (BOB, CAROL, BOB):
            self.person.client._coordinator.missed(name)
        self.network.advance(70, step=10)
        self.offer()
        (facts,) = self.consent.asked
        self.assertEqual((facts.missed, facts.ago), (2, 70))

    def test_while_it_decides_nobody_is_asked_and_nothing_is_answered(self) -> None:
        self.assertEqual(self.offer(), [])
        self.assertEqual(self.notes.events, [])
        self.assertIsNone(self.alice.offer)
        self.assertIsNone(self.alice.requests().asked_by)
        self.fails(self.told(self.alice.accept()), NotNow)
        self.fails(self.told(self.alice.refuse()), NotNow)
        self.fails(self.told(self.alice.dismiss()), NotNow)

    # Promise C57
    def test_accepted_is_a_chat_and_the_person_sees_why(self) -> None:
        answer = self.offer()
        self.decide("accept")
        self.assertEqual(answer, ["accept"])
        self.assertEqual(self.notes.events, [AnsweredForYou(BOB, "accept", "new", self.bobs)])
        self.assertIs(self.alice.state, ClientState.OPENING)
        self.open_stream()
        self.peer("caller").open()
        self.pump()
        self.assertEqual(self.notes.last(ChatStarted).name, BOB)
        self.assertEqual(self.alice.peer, BOB)

    def test_whoever_comes_after_the_yes_finds_us_busy(self) -> None:
        self.offer()
        self.decide("accept")
        self.assertEqual(self.offer(OTHER_CHAT, "carol"), ["busy"])

    # Promise C57
    def test_refused_and_dismissed(self) -> None:
        words: tuple[tuple[Verdict, str], ...] = (
            ("refuse", "refuse"),
            ("dismiss", "unavailable"),
        )
        for decision, word in words:
            self.setUp()
            answer = self.offer()
            self.decide(decision)
            self.assertEqual(answer, [word])
            (told,) = self.notes.events
            self.assertEqual(told, AnsweredForYou(BOB, decision, "new", self.bobs))
            self.assertIsNone(self.alice.offer)
            self.assertEqual(self.alice.requests().missed, [])
            self.offer(OTHER_CHAT, "carol")
            self.assertEqual(len(self.consent.asked), 2, "the next one is decided about too")

    # Promise C57
    def test_ask_is_the_persons_with_the_seconds_that_are_left(self) -> None:
        answer = self.offer(seconds=40)
        self.network.advance(3, step=1)
        self.decide("ask")
        self.assertEqual(self.notes.events, [self.asked(37)])
        self.assertEqual(answer, [])
        self.network.advance(36.5, step=0.5)
        self.assertEqual(answer, [])
        self.network.advance(1)
        self.assertEqual(answer, ["unavailable"])

    def test_the_time_of_one_request_is_not_that_of_the_next(self) -> None:
        self.offer(seconds=40)
        self.decide("refuse")
        self.network.advance(20, step=1)
        answer = self.offer(OTHER_CHAT, "carol", seconds=40)
        self.network.advance(30, step=1)
        self.assertEqual(answer, [])
        self.decide("accept")
        self.assertEqual(answer, ["accept"])

    # Promise C58
    def test_no_answer_means_ask_and_says_why(self) -> None:
        answer = self.offer()
        self.consent.decision.errback(Failure(ProgramFailed("it fell over")))
        self.assertEqual(
            self.notes.events,
            [Problem(216, "it fell over", "You are asked instead."), self.asked()],
        )
        self.told(self.alice.accept())
        self.assertEqual(answer, ["accept"])

    def test_a_mistake_of_ours_means_ask_too(self) -> None:
        self.patch(self.consent, "decide", lambda _: 1 // 0)
        self.offer()
        problem, asked = self.notes.events
        assert isinstance(problem, Problem)
        self.assertEqual((problem.code, asked), (100, self.asked()))
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_a_yes_that_comes_to_nothing_is_told(self) -> None:
        self.offer()
        self.decide("accept")
        self.network.advance(limits.OPENING_DEADLINE)
        self.assertEqual(self.notes.last(Problem).code, ChatFailed.code)
        self.assertIsNot(self.alice.state, ClientState.OPENING)
        self.offer(OTHER_CHAT, "carol")
        self.assertEqual(len(self.consent.asked), 2)


class NeverTests(DecidingCase):
    """What it is not asked about, and what it cannot accept."""

    # Promise T53
    def test_whom_we_are_not_available_to(self) -> None:
        self.alice.set_available(AvailabilityTerms(names=(CAROL,)))
        self.assertEqual(self.offer(), ["unavailable"])
        self.alice.set_away()
        self.assertEqual(self.offer(OTHER_CHAT, "carol"), ["unavailable"])
        self.assertEqual(self.consent.asked, [])

    # Promise T53
    def test_keys_that_nobody_is_asked_about(self) -> None:
        self.person.contacts.meet(CAROL, self.carol.public_key)
        self.assertEqual(self.offer(key=self.carol.public_key), ["unavailable"])
        own = self.person.identity.public_key
        self.assertEqual(self.offer(OTHER_CHAT, "bob", key=own), ["unavailable"])
        self.assertEqual(self.consent.asked, [])

    # Promise T98
    def test_whoever_comes_second_finds_us_busy(self) -> None:
        self.offer()
        self.assertEqual(self.offer(OTHER_CHAT, "carol"), ["busy"])
        self.assertEqual(self.notes.of(RefusedForYou), [RefusedForYou(CAROL, "new", "busy")])
        self.assertEqual(len(self.consent.asked), 1)

    # Promise T51, C59
    def test_a_changed_key_is_accepted_by_nobody_but_the_person(self) -> None:
        self.person.contacts.meet(BOB, Identity.generate().public_key)
        answer = self.offer()
        self.assertEqual(self.consent.asked[0].trust, "changed")
        self.decide("accept")
        self.assertEqual((answer, self.alice.state), ([], ClientState.ASKED))
        self.assertEqual(self.notes.events, [Asked(BOB, "changed", self.bobs, 60)])
        error = self.fails(self.told(self.alice.accept()), PeerKeyChanged)
        self.assertEqual(error.suggested, (("trust", f"bob {self.bobs}"),))

    # Promise T51
    def test_also_when_the_person_has_taken_it(self) -> None:
        self.person.contacts.meet(BOB, Identity.generate().public_key)
        self.alice.keys.take(BOB, self.bobs)
        self.offer()
        self.decide("accept")
        self.assertEqual(self.notes.last(Asked).trust, "changed")

    def test_a_key_that_the_verified_one_signed_over_to_may_be_accepted(self) -> None:
        """A program is told that it is a new one, and whose."""
        old = Identity.generate()
        self.person.contacts.meet(BOB, old.public_key)
        self.person.contacts.compared(BOB, old.public_key, same=True)
        link = Link.signed(self.server.pin, BOB, old, self.bob)
        answer = self.offer(succession=link.encoded())
        self.assertEqual(self.consent.asked[0].trust, "followed-verified")
        self.decide("accept")
        self.assertEqual(answer, ["accept"])
        (told,) = self.notes.of(AnsweredForYou)
        self.assertEqual(told.trust, "followed-verified")

    def test_a_changed_key_may_be_refused(self) -> None:
        self.person.contacts.meet(BOB, Identity.generate().public_key)
        answer = self.offer()
        self.decide("refuse")
        self.assertEqual(answer, ["refuse"])

    # Promise T51
    def test_a_key_that_changed_while_it_decided(self) -> None:
        """Another client of ours met somebody else under this name."""
        self.offer()
        self.person.contacts.meet(BOB, Identity.generate().public_key)
        self.decide("accept")
        self.assertEqual(self.notes.events, [Asked(BOB, "changed", self.bobs, 60)])

    def test_pins_that_cannot_be_read_accept_nobody(self) -> None:
        answer = self.offer()

        def broken(*_: object) -> None:
            raise StateDamaged("known_peers is damaged")

        self.patch(self.person.contacts, "trust", broken)
        self.decide("accept")
        self.assertEqual(answer, [])
        self.assertEqual([type(one) for one in self.notes.events], [Problem, Asked])


class MeanwhileTests(DecidingCase):
    """What can happen while it decides."""

    # Promise T52, C60
    def test_withdrawn(self) -> None:
        answer = self.offer()
        self.withdraw("cancelled")
        self.assertEqual(answer, ["unavailable"])
        self.nothing_counts_any_more()
        self.assertEqual(self.notes.events, [])
        (missed,) = self.alice.requests().missed
        self.assertEqual(missed.name, BOB)

    def test_what_is_cancelled_has_not_failed(self) -> None:
        self.consent.is_stubborn = False
        self.offer()
        self.withdraw("cancelled")
        self.nothing_counts_any_more()

    def test_withdrawn_because_requests_crossed(self) -> None:
        self.offer()
        self.withdraw("crossed")
        self.nothing_counts_any_more()
        self.assertEqual(self.alice.requests().missed, [])

    def test_another_chats_withdrawal(self) -> None:
        self.offer()
        self.withdraw("cancelled", OTHER_CHAT)
        self.assertEqual(self.consent.cancelled, 0)

    def test_expired_by_our_own_clock(self) -> None:
        answer = self.offer(seconds=30)
        self.network.advance(29.5, step=0.5)
        self.assertEqual((answer, self.consent.cancelled), ([], 0))
        self.network.advance(1)
        self.assertEqual(answer, ["unavailable"])
        self.nothing_counts_any_more()

    # Promise T52
    def test_the_line_is_lost(self) -> None:
        self.offer()
        self.end.standard.close()
        self.pump()
        self.nothing_counts_any_more()
        self.assertEqual(self.notes.of(AskedOver), [])

    def test_the_request_channel_is_lost(self) -> None:
        self.offer()
        assert self.end.request is not None
        self.end.request.close()
        self.pump()
        self.nothing_counts_any_more()
        self.assertEqual(self.notes.of(AskedOver), [])

    # Promise T52, C60
    def test_the_person_goes_away(self) -> None:
        answer = self.offer()
        self.told(self.alice.set_away())
        self.assertEqual(answer, ["unavailable"])
        self.nothing_counts_any_more()

    def test_the_person_is_available_to_others_only(self) -> None:
        answer = self.offer()
        self.told(self.alice.set_available(AvailabilityTerms(names=(CAROL,))))
        self.assertEqual(answer, ["unavailable"])
        self.nothing_counts_any_more()

    def test_the_person_is_available_as_before(self) -> None:
        answer = self.offer()
        self.told(self.alice.set_available(AvailabilityTerms(names=(BOB, CAROL))))
        self.assertEqual((answer, self.consent.cancelled), ([], 0))

    def test_the_client_leaves(self) -> None:
        self.offer()
        self.told(self.alice.log_out())
        self.assertEqual(self.consent.cancelled, 1)

    def test_the_person_asks_the_same_one_which_is_a_yes(self) -> None:
        answer = self.offer()
        self.told(self.alice.request_chat(BOB))
        self.assertEqual((answer, self.end.requests), (["accept"], []))
        self.assertEqual(self.notes.events, [self.asked(), AskedOver(BOB, "accepted")])
        self.nothing_counts_any_more()

    def test_asking_somebody_else_has_to_wait(self) -> None:
        self.offer()
        error = self.fails(self.told(self.alice.request_chat(CAROL)), NotNow)
        self.assertEqual(error.what, "somebody is just asking you")
        self.assertEqual((self.end.requests, self.consent.cancelled), ([], 0))

    def test_the_user_blocks_the_caller(self) -> None:
        answer = self.offer()
        self.told(self.alice.block(BOB))
        self.assertEqual(answer, ["unavailable"])
        self.assertEqual(self.notes.last(AskedOver), AskedOver(BOB, "dismissed"))
        self.nothing_counts_any_more()

    def test_the_person_blocks_somebody_else(self) -> None:
        answer = self.offer()
        self.told(self.alice.block(CAROL))
        self.assertEqual((answer, self.consent.cancelled), ([], 0))

    def test_a_stream_before_the_yes_is_refused(self) -> None:
        self.offer()
        self.fails(self.open_stream(), refusals.NothingToEnd)


class HeldTests(DecidingCase):
    """An offer that was held while our own request to the same person was out."""

    def test_it_is_decided_about_when_our_request_is_over(self) -> None:
        self.ask()
        answer = self.offer()
        self.assertEqual(self.consent.asked, [])
        self.deny(refusals.NoAnswer())
        self.assertEqual(len(self.consent.asked), 1)
        self.decide("accept")
        self.assertEqual(answer, ["accept"])


class PlaceTests(DecidingCase):
    """A bare yes is meant for what the person has seen."""

    def test_an_unseen_request_takes_no_place_from_anyone(self) -> None:
        self.offer()
        self.withdraw("cancelled")
        self.consent.is_slow = False
        answer = self.offer(OTHER_CHAT, "carol")
        self.told(self.alice.accept())
        self.assertEqual(answer, ["accept"])

    def test_a_front_end_may_answer_while_it_is_told(self) -> None:
        def say_no(event: Event) -> None:
            if isinstance(event, Asked):
                self.alice.refuse(BOB)

        self.notes.on_event = say_no
        answer = self.offer()
        self.decide("ask")
        self.assertEqual(answer, ["refuse"])
