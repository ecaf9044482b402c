"""Requests, offers and chats as Alice's client decides about them, honest server or not."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from securecom import limits, refusals, vocabulary
from securecom.client.api import ClientState
from securecom.client.events import (
    Asked,
    AskedOver,
    Asking,
    ChatOpening,
    ChatOver,
    ChatStarted,
    Delivered,
    Event,
    Message,
    Problem,
    RefusedForYou,
    RequestOver,
)
from securecom.errors import (
    AskedTooSoon,
    ChatFailed,
    ConnectionWasLost,
    NotAnswered,
    NotNow,
    OurFault,
    PeerKeyChanged,
    StateDamaged,
    TooOften,
    WasCancelled,
    WasRefused,
)
from securecom.identity import Identity
from securecom.tests.support.chat_pair import STREAM
from securecom.tests.support.scripted_server_case import (
    BOB,
    CAROL,
    OTHER_CHAT,
    STATES,
    AliceTestCase,
)


def broken(*_: object) -> None:
    """Pins that cannot be read."""
    raise StateDamaged("known_peers is damaged")


class AskedTests(AliceTestCase):
    """Somebody asks Alice."""

    def test_the_person_is_asked_and_says_yes(self) -> None:
        answer = self.offer(seconds=30)
        (asked,) = self.notes.of(Asked)
        fingerprint = self.bob.public_key.fingerprint
        self.assertEqual(asked, Asked(BOB, "new", fingerprint, 30))
        self.assertEqual(answer, [])
        stands = self.told(self.alice.accept())
        self.assertEqual((answer, stands), (["accept"], []))
        self.assertEqual(self.notes.of(AskedOver), [AskedOver(BOB, "accepted")])

    def test_the_person_says_no(self) -> None:
        answer = self.offer()
        self.assertEqual(self.told(self.alice.refuse()), [None])
        self.assertEqual(answer, ["refuse"])
        self.assertEqual(self.notes.of(AskedOver), [AskedOver(BOB, "refused")])
        self.assertIsNone(self.alice.offer)

    def test_after_a_yes_the_stream_makes_it_a_chat(self) -> None:
        stands = self.reach("chatting")
        self.assertEqual(stands, [None])
        (started,) = self.notes.of(ChatStarted)
        self.assertEqual((started.name, started.role, started.trust), (BOB, "callee", "new"))
        self.assertEqual(self.notes.of(ChatOpening), [ChatOpening(BOB)])
        self.assertEqual(self.person.contacts.trust(BOB, self.bob.public_key), "met")

    def test_asking_the_one_who_asks_us_is_a_yes(self) -> None:
        answer = self.offer()
        self.ask(BOB)
        self.assertEqual(answer, ["accept"])
        self.assertEqual(self.end.requests, [])

    def test_a_yes_or_no_to_somebody_else_is_neither(self) -> None:
        answer = self.offer()
        self.fails(self.told(self.alice.accept(CAROL)), NotNow)
        self.fails(self.told(self.alice.refuse(CAROL)), NotNow)
        self.assertEqual(answer, [])
        self.told(self.alice.accept(BOB))
        self.assertEqual(answer, ["accept"])

    def test_a_front_end_may_answer_while_it_is_told(self) -> None:
        def say_yes(event: Event) -> None:
            if isinstance(event, Asked):
                self.alice.accept(BOB).addErrback(lambda _: None)

        self.notes.on_event = say_yes
        self.assertEqual(self.offer(), ["accept"])

    # --- refused by the daemon role itself --------------------------------------------------

    # Promise T54
    def test_who_is_away_is_not_asked_whatever_the_server_thinks(self) -> None:
        self.alice.set_away()  # the server has not even heard of it
        self.assertEqual(self.offer(), ["unavailable"])
        self.assertEqual(self.notes.of(Asked) + self.notes.of(RefusedForYou), [])

    def test_a_changed_key_is_shown_as_such_and_finds_us_busy_like_any_other(self) -> None:
        changed = Identity.generate().public_key
        for state in STATES:
            self.setUp()
            self.person.contacts.meet(CAROL, self.carol.public_key)
            self.reach(state)
            self.notes.events.clear()
            answer = self.offer(OTHER_CHAT, "carol", key=changed)
            if state == "free":
                asked = Asked(CAROL, "changed", changed.fingerprint, 60)
                self.assertEqual((answer, self.notes.events), ([], [asked]))
            else:
                self.assertEqual(answer, ["busy"], state)
                self.assertEqual(
                    self.notes.events, [RefusedForYou(CAROL, "changed", "busy")], state
                )

    # Promise T37
    def test_a_key_that_we_know_as_somebody_elses_asks_nobody(self) -> None:
        self.person.contacts.meet(CAROL, self.bob.public_key)
        self.assertEqual(self.offer(), ["unavailable"])
        (told,) = self.notes.events
        assert isinstance(told, Problem)
        self.assertEqual((told.code, told.what), (701, "this key is known to you as carol"))

    # Promise T42
    def test_our_own_key_is_nobody_elses(self) -> None:
        answer = self.offer(key=self.person.identity.public_key)
        self.assertEqual(answer, ["unavailable"])
        self.assertEqual(self.notes.events, [RefusedForYou(BOB, "new", "own-key")])

    # Promise T49
    def test_a_bare_yes_is_not_for_whoever_has_just_taken_the_place(self) -> None:
        self.offer()
        self.network.advance(30)
        self.withdraw("expired")
        self.network.advance(limits.ACCEPT_BY_NAME - 0.5, step=0.5)
        answer = self.offer(OTHER_CHAT, "carol")
        error = self.fails(self.told(self.alice.accept()), NotNow)
        self.assertEqual(error.what, "now it is carol who asks")
        self.assertEqual(error.suggested, (("accept", "carol"),))
        self.fails(self.told(self.alice.accept(BOB)), NotNow)
        self.assertEqual(answer, [])
        self.told(self.alice.accept(CAROL))
        self.assertEqual(answer, ["accept"])

    # Promise T50
    def test_a_yes_is_not_for_what_the_same_person_asks_otherwise_a_moment_later(self) -> None:
        stranger = Identity.generate().public_key
        cases: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
            ({"chat_seconds": 1200}, {}),
            ({}, {"key": stranger}),
        )
        for first, then in cases:
            self.setUp()
            self.offer(**first)
            self.withdraw("cancelled")
            answer = self.offer(OTHER_CHAT, **then)
            for yes in (
                self.alice.accept,
                lambda: self.alice.accept(BOB),
                lambda: self.alice.request_chat(BOB),
            ):
                error = self.fails(self.told(yes()), NotNow)
                self.assertIn("has just asked anew", error.what)
            self.assertEqual(answer, [])
            self.network.advance(limits.ACCEPT_BY_NAME)
            self.told(self.alice.accept())
            self.assertEqual(answer, ["accept"])

    def test_after_a_moment_a_bare_yes_answers_the_current_caller(self) -> None:
        self.offer()
        self.withdraw("expired")
        answer = self.offer(OTHER_CHAT, "carol")
        self.network.advance(limits.ACCEPT_BY_NAME)
        self.told(self.alice.accept())
        self.assertEqual(answer, ["accept"])

    def test_the_same_person_again_or_another_one_later_needs_no_name(self) -> None:
        for caller, later in (("bob", 0.0), ("carol", limits.ACCEPT_BY_NAME)):
            self.setUp()
            self.offer()
            self.withdraw("gone")
            self.network.advance(later)
            answer = self.offer(OTHER_CHAT, caller)
            self.told(self.alice.accept())
            self.assertEqual(answer, ["accept"], caller)

    def test_nobody_asks_themselves(self) -> None:
        self.assertEqual(self.offer(caller="alice"), ["unavailable"])
        self.assertEqual(self.notes.events, [])

    def test_whoever_comes_second_finds_us_busy(self) -> None:
        for state in STATES[1:]:
            self.setUp()
            self.reach(state)
            self.notes.events.clear()
            self.assertEqual(self.offer(OTHER_CHAT, "carol"), ["busy"], state)
            self.assertEqual(self.notes.events, [RefusedForYou(CAROL, "new", "busy")], state)

    def test_the_person_we_are_engaged_with_finds_us_silently_busy(self) -> None:
        for state in ("crossing", "withdrawing", "accepted", "opening", "chatting"):
            self.setUp()
            self.reach(state)
            self.notes.events.clear()
            self.assertEqual(self.offer(OTHER_CHAT), ["busy"], state)
            self.assertEqual(self.notes.events, [], state)

    def test_pins_that_cannot_be_read_vouch_for_nobody(self) -> None:
        self.patch(self.person.contacts, "trust", broken)
        self.assertEqual(self.offer(), ["unavailable"])
        (problem,) = self.notes.of(Problem)
        self.assertEqual(problem.code, StateDamaged.code)

    # --- offers that end --------------------------------------------------------------------

    def test_an_offer_is_withdrawn_from_the_screen(self) -> None:
        for reason in ("cancelled", "expired", "gone", "crossed"):
            answer = self.offer()
            self.withdraw(reason)
            self.assertEqual(self.notes.of(AskedOver)[-1], AskedOver(BOB, reason))
            self.assertEqual(answer, ["unavailable"])
            self.fails(self.told(self.alice.accept()), NotNow)

    def test_a_withdrawal_of_something_else_changes_nothing(self) -> None:
        self.withdraw("cancelled", OTHER_CHAT)
        answer = self.offer()
        self.withdraw("cancelled", OTHER_CHAT)
        self.assertEqual((answer, self.notes.of(AskedOver)), ([], []))

    def test_an_offer_ends_by_our_own_clock_too(self) -> None:
        answer = self.offer(seconds=20)
        self.network.advance(19)
        self.assertEqual(answer, [])
        self.network.advance(1)
        self.assertEqual(answer, ["unavailable"])
        self.assertEqual(self.notes.of(AskedOver), [AskedOver(BOB, "expired")])

    def test_an_answered_offer_does_not_expire(self) -> None:
        self.offer(seconds=20)
        self.told(self.alice.refuse())
        self.network.advance(25)
        self.assertEqual(self.notes.of(AskedOver), [AskedOver(BOB, "refused")])

    def test_without_the_request_channel_the_offer_is_gone(self) -> None:
        self.offer()
        assert self.end.request is not None
        self.end.request.close()
        self.pump()
        self.assertEqual(self.notes.of(AskedOver), [AskedOver(BOB, "gone")])

    def test_without_the_server_the_offer_is_gone(self) -> None:
        self.offer()
        self.end.standard.close()
        self.pump()
        self.assertEqual(self.notes.of(AskedOver), [AskedOver(BOB, "gone")])

    # --- accepted, and then -----------------------------------------------------------------

    def test_accepted_and_withdrawn_is_no_chat(self) -> None:
        stands = self.reach("accepted")
        self.withdraw("cancelled")
        self.fails(stands, ChatFailed)
        self.assertEqual(self.open_stream()[0].__class__, refusals.NothingToEnd)

    def test_accepted_and_never_opened_is_no_chat(self) -> None:
        stands = self.reach("accepted")
        self.network.advance(limits.OPENING_DEADLINE - 1)
        self.assertEqual(stands, [])
        self.network.advance(1)
        self.fails(stands, ChatFailed)

    def test_accepted_and_stopped_is_no_chat(self) -> None:
        stands = self.reach("accepted")
        self.assertEqual(self.told(self.alice.stop()), [None])
        self.fails(stands, WasCancelled)
        self.fails(self.open_stream(), refusals.NothingToEnd)

    def test_accepted_and_cut_off_from_the_server_is_no_chat(self) -> None:
        stands = self.reach("accepted")
        self.end.standard.close()
        self.pump()
        self.fails(stands, ConnectionWasLost)

    def test_a_request_channel_lost_after_the_yes_does_not_matter(self) -> None:
        stands = self.reach("accepted")
        assert self.end.request is not None
        self.end.request.close()
        self.pump()
        self.assertEqual(self.open_stream(), [{}])
        self.assertEqual(stands, [])

    # Promise T48
    def test_a_stream_that_we_agreed_to_nothing_for_is_refused(self) -> None:
        for state in STATES:
            self.setUp()
            self.reach(state)
            self.notes.events.clear()
            self.fails(self.open_stream(OTHER_CHAT), refusals.NothingToEnd)
            self.assertEqual(self.notes.events, [], state)

    # Promise T48
    def test_a_stream_before_the_yes_is_refused(self) -> None:
        self.offer()
        self.fails(self.open_stream(), refusals.NothingToEnd)

    def test_the_same_stream_twice_is_refused(self) -> None:
        self.reach("opening")
        self.fails(self.open_stream(), refusals.NothingToEnd)


class AskingTests(AliceTestCase):
    """Alice asks somebody."""

    def sent_in_chats(self) -> list[Any]:
        """What of Alice's reached the server on the chat lane."""
        runs: list[Any] = []
        self.end.relay = runs.append
        return runs

    def test_a_request_is_told_and_asked(self) -> None:
        self.ask()
        self.assertEqual(self.notes.events, [Asking(BOB, "new", int(limits.REQUEST_EXPIRES))])
        self.assertEqual(self.end.requests[0][0], BOB)
        self.assertEqual(self.alice.asking, BOB)

    def test_a_granted_request_becomes_a_chat(self) -> None:
        stands = self.ask()
        bob = self.peer("callee")
        bob.open()
        self.grant()
        self.assertEqual(stands, [None])
        (started,) = self.notes.of(ChatStarted)
        self.assertEqual((started.name, started.role, started.trust), (BOB, "caller", "new"))
        self.assertEqual(self.alice.peer, BOB)

    def test_each_refusal_has_its_words(self) -> None:
        cases: tuple[tuple[refusals.Refusal, type[BaseException], str], ...] = (
            (refusals.NoAnswer(), NotAnswered, "no-answer"),
            (refusals.Refused(), WasRefused, "refused"),
            (refusals.TooSoon(), AskedTooSoon, "failed"),
            (refusals.Cancelled(), WasCancelled, "cancelled"),
            (refusals.Occupied(), NotNow, "failed"),
            (refusals.TooManyRequests(), TooOften, "failed"),
        )
        for refusal, kind, word in cases:
            stands = self.ask()
            self.deny(refusal)
            self.fails(stands, kind)
            self.assertEqual(self.notes.last(RequestOver), RequestOver(BOB, word))  # type: ignore[arg-type]
            self.assertIsNone(self.alice.asking)

    def test_a_no_says_how_long_to_wait(self) -> None:
        cases = ((refusals.Refused("60"), "60 s"), (refusals.TooSoon("3600"), "1 h"))
        for refusal, told in cases:
            stands = self.ask()
            self.deny(refusal)
            (error,) = stands
            self.assertIn(f"Ask again in {told}.", str(error))
            self.assertEqual(self.notes.last(RequestOver).wait, refusal.seconds)

    def test_a_wait_that_is_no_number_counts_as_none(self) -> None:
        for text in ("", "soon", "-1", "1.5", "\u0661", "1" * 7):
            stands = self.ask()
            self.deny(refusals.Refused(text))
            self.fails(stands, WasRefused)
            self.assertIsNone(self.notes.last(RequestOver).wait)

    def test_a_changed_key_gets_nothing_from_us(self) -> None:
        self.person.contacts.meet(BOB, self.carol.public_key)
        stands, sent = self.ask(), self.sent_in_chats()
        self.grant()
        self.fails(stands, PeerKeyChanged)
        self.assertEqual(sent, [])
        self.assertEqual(self.end.said("end"), [STREAM])
        self.assertEqual(self.notes.last(RequestOver), RequestOver(BOB, "failed"))

    # Promise T37
    def test_a_key_that_we_know_as_somebody_elses_gets_nothing_from_us(self) -> None:
        self.person.contacts.meet(CAROL, self.bob.public_key)
        stands, sent = self.ask(), self.sent_in_chats()
        self.grant()
        error = self.fails(stands, PeerKeyChanged)
        self.assertEqual(error.what, "this key is known to you as carol")
        self.assertEqual((sent, self.end.said("end")), ([], [STREAM]))

    def test_the_pinned_key_is_met_again(self) -> None:
        self.person.contacts.meet(BOB, self.bob.public_key)
        self.ask()
        self.peer("callee").open()
        self.grant()
        self.assertEqual(self.notes.last(ChatStarted).trust, "met")

    def test_our_own_key_is_not_bobs(self) -> None:
        stands, sent = self.ask(), self.sent_in_chats()
        self.grant(key=self.person.identity.public_key)
        self.fails(stands, PeerKeyChanged)
        self.assertEqual(sent, [])

    def test_pins_that_cannot_be_read_end_it(self) -> None:
        stands, sent = self.ask(), self.sent_in_chats()
        self.patch(self.person.contacts, "trust", broken)
        self.grant()
        self.fails(stands, StateDamaged)
        self.assertEqual((sent, self.end.said("end")), ([], [STREAM]))

    def test_the_smaller_name_is_never_the_callee_of_its_own_request(self) -> None:
        stands, sent = self.ask(), self.sent_in_chats()
        self.grant(role="callee")
        self.fails(stands, ChatFailed)
        self.assertEqual((sent, self.end.said("end")), ([], [STREAM]))

    def test_a_peer_with_another_key_than_the_servers_word_is_no_chat(self) -> None:
        stands = self.ask()
        bob = self.peer("callee")
        bob.identity = self.carol
        bob.open()
        self.grant()
        self.fails(stands, PeerKeyChanged)
        self.assertEqual(self.notes.of(ChatStarted), [])
        self.assertEqual(self.person.contacts.trust(BOB), "new")

    # Promise T35
    def test_mallorys_key_given_for_bobs_is_found_out_by_hello(self) -> None:
        stands = self.ask()
        self.peer("callee", own="mallory").open()
        self.grant()
        self.fails(stands, ChatFailed)
        self.assertEqual(self.person.contacts.trust(BOB), "new")

    # --- withdrawn --------------------------------------------------------------------------

    def test_a_request_can_be_withdrawn(self) -> None:
        stands = self.ask()
        done = self.told(self.alice.cancel())
        again = self.told(self.alice.cancel())
        self.assertEqual((done, again, stands), ([], [], []))
        self.assertEqual(self.end.said("cancel"), [None])
        self.deny(refusals.Cancelled())
        self.fails(stands, WasCancelled)
        self.assertEqual((done, again), ([None], [None]))
        self.assertEqual(self.notes.last(RequestOver), RequestOver(BOB, "cancelled"))

    def test_a_yes_that_comes_too_late_opens_nothing(self) -> None:
        for more in ({}, {"role": "callee"}):
            stands = self.ask()
            done, sent = self.told(self.alice.cancel()), self.sent_in_chats()
            self.grant(**more)
            self.fails(stands, WasCancelled)
            self.assertEqual((done, sent), ([None], []))
            self.assertEqual(self.end.said("end").pop(), STREAM)

    def test_a_broken_answer_ends_the_connection_and_so_the_request(self) -> None:
        stands = self.ask()
        self.grant(role="bystander")
        self.fails(stands, ConnectionWasLost)
        self.assertFalse(self.alice.is_online)

    def test_a_request_that_cannot_be_sent_is_over(self) -> None:
        """Whatever stands in the way: the next one is no less free."""
        self.server.shut()
        self.end.standard.close()
        self.pump()
        for _ in range(2):
            came = self.told(self.person.client._coordinator.request(BOB))
            self.assertEqual(self.fails(came, NotNow).what, "you are not online")
            self.assertIsNone(self.alice.asking)
        self.assertEqual(self.notes.of(Asking), [])

    def test_a_mistake_of_ours_does_not_leave_a_request_standing(self) -> None:
        def break_once(event: Event) -> None:
            if isinstance(event, Asking):
                raise ZeroDivisionError("a trial")

        self.notes.on_event = break_once
        self.fails(self.ask(), OurFault)
        self.assertEqual(len(self.flushLoggedErrors(OurFault)), 1)
        self.notes.on_event = lambda event: None
        self.assertEqual((self.ask(), self.alice.asking), ([], BOB))

    def test_a_request_ends_with_the_connection(self) -> None:
        for state in ("asking", "crossing", "withdrawing"):
            self.setUp()
            stands = self.reach(state)
            self.end.standard.close()
            self.pump()
            self.fails(stands, ConnectionWasLost)
            self.assertEqual(self.notes.of(RequestOver), [RequestOver(BOB, "failed")], state)
            self.assertEqual(self.notes.of(Asked), [], state)

    # Promise T57
    def test_a_server_that_never_answers_is_given_up(self) -> None:
        stands = self.ask()
        patience = limits.REQUEST_EXPIRES + limits.OPENING_DEADLINE + limits.ANSWER_DEADLINE
        self.network.advance(patience - 1)
        self.assertEqual(stands, [])
        self.network.advance(1)
        self.fails(stands, ConnectionWasLost)


class ChattingTests(AliceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.reach("chatting")
        self.peer_end = self.chatting
        self.notes.events.clear()

    def test_both_talk(self) -> None:
        self.peer_end.session.say("hi alice")
        self.pump()
        self.assertEqual(self.alice.say("hi bob"), 1)
        self.pump()
        self.assertEqual(self.notes.of(Message), [Message(BOB, "hi alice")])
        self.assertEqual(self.peer_end.messages, ["hi bob"])

    def test_we_end_it(self) -> None:
        self.assertEqual(self.told(self.alice.stop()), [None])
        self.assertEqual(self.notes.events, [ChatOver(BOB, "by-me", [])])
        self.assertEqual(self.peer_end.over, [("by-peer", [])])
        self.assertEqual(self.end.said("end"), [STREAM])
        self.assertIsNone(self.alice.peer)

    def test_they_end_it(self) -> None:
        self.peer_end.session.leave()
        self.pump()
        self.assertEqual(self.notes.events, [ChatOver(BOB, "by-peer", [])])
        self.assertEqual(self.end.said("end"), [STREAM])

    # Promise T57
    def test_ending_never_hangs(self) -> None:
        watched = weakref.ref(self.person.client._coordinator.standing.session.tls)
        self.end.relay = lambda run: None
        done = self.told(self.alice.stop())
        again = self.told(self.alice.stop())
        self.assertEqual((done, again), ([], []))
        self.network.advance(limits.BYE_DEADLINE)
        self.assertEqual((done, again), ([None], [None]))
        gc.collect()
        self.assertIsNone(watched())
        self.assertEqual(self.notes.events, [ChatOver(BOB, "by-me", [])])
        self.assertEqual(self.end.said("end"), [STREAM])

    def test_a_server_that_does_not_read_stops_us_and_loses_nothing(self) -> None:
        self.peer_end.session.say("go on")
        self.pump()
        (wire,) = [w for w in self.network.wires if w.server is transport_of(self.end.standard)]
        wire.server.reading = False
        texts = [f"{number}" + "x" * 9000 for number in range(limits.MAX_UNDELIVERED)]
        for text in texts:
            self.alice.say(text)
        self.pump()
        session = self.person.client._coordinator.standing.session
        self.assertTrue(session.is_congested)
        self.assertRaises(NotNow, self.alice.say, "one more")
        self.network.advance(limits.NO_PROGRESS + 10)  # the server has to deal with a slow peer
        self.assertTrue(self.alice.is_online)
        wire.server.reading = True
        self.pump()
        self.assertFalse(session.is_congested)
        self.assertEqual(self.peer_end.messages, texts)
        self.assertEqual(len(self.notes.of(Delivered)), len(texts))

    # Promise T22, T118
    def test_the_keys_do_not_outlive_the_chat(self) -> None:
        watched = weakref.ref(self.person.client._coordinator.standing.session.tls)
        self.told(self.alice.stop())
        gc.collect()
        self.assertIsNone(watched())

    # Promise T56
    def test_a_stream_that_the_server_closes_is_cut_off_and_not_ended_again(self) -> None:
        self.alice.say("into the blue")
        self.end.tell(vocabulary.StreamClosed, stream=STREAM)
        self.pump()
        self.assertEqual(self.notes.last(ChatOver), ChatOver(BOB, "cut-off", [1], unsent=[1]))
        self.assertEqual(self.end.said("end"), [])

    def test_a_lost_server_is_a_chat_cut_off(self) -> None:
        self.end.standard.close()
        self.pump()
        self.assertEqual(self.notes.of(ChatOver), [ChatOver(BOB, "cut-off", [])])
        self.assertIs(self.alice.state, ClientState.OFFLINE)

    def test_a_peer_that_breaks_the_rules_is_a_problem_and_a_cut(self) -> None:
        self.peer_end.session.control.call(vocabulary.Say, text="x" * 17000).addErrback(str)
        self.pump()
        (problem,) = self.notes.of(Problem)
        self.assertEqual(problem.code, ChatFailed.code)
        self.assertEqual(self.notes.last(ChatOver), ChatOver(BOB, "cut-off", []))

    def test_bytes_and_closings_of_other_streams_are_ignored(self) -> None:
        self.end.tell(vocabulary.StreamClosed, stream=STREAM + 1)
        self.peer_end.stream.number += 1
        self.peer_end.session.say("to nobody")
        self.pump()
        self.assertEqual(self.notes.events, [])

    def test_the_next_chat_can_begin_at_once(self) -> None:
        self.told(self.alice.stop())
        self.assertEqual(self.offer(OTHER_CHAT), [])
        self.assertEqual(len(self.notes.of(Asked)), 1)
        self.assertEqual(self.notes.last(Asked).trust, "met")

    def test_a_chat_cut_while_it_opens_fails_for_whoever_waits(self) -> None:
        self.setUp()
        self.told(self.alice.stop())
        stands = self.reach("opening")
        self.end.tell(vocabulary.StreamClosed, stream=STREAM)
        self.pump()
        self.fails(stands, ChatFailed)

    def test_stopping_while_it_opens_is_a_withdrawal(self) -> None:
        self.told(self.alice.stop())
        stands = self.reach("opening")
        self.assertEqual(self.told(self.alice.stop()), [None])
        self.fails(stands, WasCancelled)


def transport_of(end: Any) -> Any:
    """The wire's end below a server's end of a channel."""
    return end.transport.transport
