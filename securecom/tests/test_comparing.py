"""Comparing safety numbers: what each side says, sees, and comes to trust."""

from __future__ import annotations

from functools import partial
from operator import attrgetter

from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, refusals, vocabulary
from securecom.client.events import Asked, ChatOver, ChatStarted, ListedUser
from securecom.client.key_events import (
    ComparisonResult,
    Fingerprints,
    SafetyCode,
    SafetyNumber,
    Whois,
)
from securecom.errors import (
    BadArgument,
    NotNow,
    OurFault,
    PeerKeyChanged,
    StateDamaged,
    WireError,
)
from securecom.identity import Identity, server_fingerprint
from securecom.safety_number import in_groups, safety_number
from securecom.tests.support.chat_pair import End, Pair
from securecom.tests.support.scripted_server import outcome
from securecom.tests.support.scripted_server_case import ALICE, BOB, AliceTestCase


def words(end: End) -> list[tuple[str, str]]:
    """What an end was shown of comparing."""
    return [(one.by, one.word) for one in end.events if isinstance(one, ComparisonResult)]


def refuse(word: str) -> None:
    """A peer that takes no word."""
    raise refusals.OutOfTurn()


class WordTests(SynchronousTestCase):
    """The word on its way from one session to the other."""

    def setUp(self) -> None:
        self.pair = Pair().open()
        self.alice, self.bob = self.pair.alice, self.pair.bob

    def test_a_yes_is_seen_by_the_other_and_the_chat_goes_on(self) -> None:
        self.alice.session.agree()
        self.bob.session.agree()
        self.pair.pump()
        self.assertEqual(words(self.bob), [("peer", "yes")])
        self.assertEqual(words(self.alice), [("peer", "yes")])
        self.alice.session.say("good")
        self.pair.pump()
        self.assertEqual(self.bob.messages, ["good"])

    def test_a_callee_need_not_wait_for_the_callers_first_message(self) -> None:
        self.bob.session.agree()
        self.pair.pump()
        self.assertEqual(words(self.alice), [("peer", "yes")])
        self.assertEqual((self.alice.over, self.bob.over), ([], []))

    def test_a_yes_is_sent_once(self) -> None:
        self.alice.session.agree()
        self.pair.pump()
        before = len(self.pair.relayed)
        self.alice.session.agree()
        self.pair.pump()
        self.assertEqual(len(self.pair.relayed), before)

    # Promise R102
    def test_a_yes_that_is_said_again_is_not_shown_and_ends_the_chat(self) -> None:
        for _ in range(2):
            self.assertEqual(self.bob.over, [])
            self.alice.session.control.call(vocabulary.Compared, word="yes").addErrback(
                lambda _: None
            )
            self.pair.pump()
        self.assertEqual(words(self.bob), [("peer", "yes")])
        self.assertEqual(self.bob.over, [("cut-off", [])])

    # Promise C3
    def test_a_no_ends_the_chat_on_both_sides_and_is_no_cut(self) -> None:
        for who, other in ((0, 1), (1, 0)):
            self.setUp()
            ends = (self.alice, self.bob)
            ends[who].session.disagree()
            self.pair.pump()
            self.assertEqual(words(ends[other]), [("peer", "no")])
            self.assertEqual(ends[who].over, [("by-me", [])])
            self.assertEqual(ends[other].over, [("by-peer", [])])
            self.assertEqual(self.pair.clock.getDelayedCalls(), [])

    def test_a_no_after_a_yes_is_shown(self) -> None:
        self.alice.session.agree()
        self.pair.pump()
        self.alice.session.disagree()
        self.pair.pump()
        self.assertEqual(words(self.bob), [("peer", "yes"), ("peer", "no")])

    def test_nothing_is_said_after_ones_own_no(self) -> None:
        self.alice.session.disagree()
        self.assertRaises(NotNow, self.alice.session.say, "but")
        self.alice.session.agree()
        self.alice.session.disagree()
        self.pair.pump()
        self.assertEqual(words(self.bob), [("peer", "no")])

    def test_both_may_say_no_at_once(self) -> None:
        self.alice.session.disagree()
        self.bob.session.disagree()
        self.pair.pump()
        for end in (self.alice, self.bob):
            self.assertEqual((words(end), end.over), ([("peer", "no")], [("by-me", [])]))

    def test_a_no_may_cross_a_bye(self) -> None:
        self.alice.session.disagree()
        self.bob.session.leave()
        self.pair.pump()
        self.assertEqual(words(self.bob), [("peer", "no")])
        self.assertEqual(self.alice.over, [("by-me", [])])
        self.assertEqual(self.bob.over, [("by-me", [])])

    def test_a_yes_that_crosses_our_bye_is_not_shown(self) -> None:
        self.bob.session.leave()
        self.alice.session.agree()
        self.pair.pump()
        self.assertEqual(words(self.bob), [])

    def test_a_no_that_nobody_answers_ends_it_all_the_same(self) -> None:
        self.pair.tap = lambda source, data: b""
        self.alice.session.disagree()
        self.pair.advance(limits.BYE_DEADLINE - 0.1)
        self.assertEqual(self.alice.over, [])
        self.pair.advance(0.1)
        self.assertEqual(self.alice.over, [("by-me", [])])

    # Promise T34
    def test_a_relay_cannot_say_it(self) -> None:
        """It is inside TLS: what the relay changes is cut off, and no word."""
        self.pair.tap = lambda source, data: data[:-1] + bytes([data[-1] ^ 1])
        self.alice.session.agree()
        self.pair.pump()
        self.assertEqual((words(self.bob), self.bob.over), ([], [("cut-off", [])]))

    def test_its_size_tells_neither_the_word_nor_that_it_is_one(self) -> None:
        sizes = set()
        for send in ("comparing.agree", "disagree", "leave"):
            self.setUp()
            self.pair.tap = lambda source, data: data
            before = len(self.pair.relayed)
            attrgetter(send)(self.alice.session)()
            self.pair.clock.advance(0)
            sizes.add(len(self.alice.leg.outgoing))
            self.assertEqual(len(self.pair.relayed), before)
        self.assertEqual(len(sizes), 1)

    def test_a_peer_that_refuses_it_ends_the_chat(self) -> None:
        self.patch(self.bob.session, "show_word", refuse)
        self.alice.session.agree()
        self.pair.pump()
        self.assertEqual(self.alice.over, [("cut-off", [])])
        self.assertEqual(len(self.flushLoggedErrors(OurFault)), 1)


class EarlyTests(SynchronousTestCase):
    def test_a_word_before_hello_is_no_chat(self) -> None:
        for word in ("yes", "no"):
            pair = Pair()
            early = partial(pair.bob.session.control.call, vocabulary.Compared, word=word)
            self.patch(pair.bob.session, "send_hello", lambda send=early: outcome(send()))
            pair.open()
            self.assertEqual([ending for ending, _ in pair.alice.over], [None])
            self.assertIsInstance(pair.alice.error, WireError)
            self.assertEqual((words(pair.alice), pair.alice.is_pinned), ([], False))


class PersonTests(AliceTestCase):
    """Alice's whole client; Bob is at the other end of the chat."""

    def setUp(self) -> None:
        super().setUp()
        self.keys = self.alice.keys

    def chat(self) -> None:
        self.reach("chatting")
        self.notes.events.clear()

    def trust(self) -> str:
        return self.person.contacts.trust(BOB, self.bob.public_key)

    def number(self) -> str:
        own = self.person.identity.public_key
        return safety_number((ALICE, own), (BOB, self.bob.public_key))

    # Promise C1
    def test_verify_shows_the_number_of_the_two(self) -> None:
        self.chat()
        number = self.number()
        shown = SafetyNumber(BOB, " ".join(in_groups(number)), "met")
        self.assertEqual(self.keys.safety_number(), shown)
        self.assertEqual(self.keys.safety_code(), SafetyCode(BOB, number, "met"))

    # Promise C2
    def test_our_yes_verifies_and_is_told_to_the_other(self) -> None:
        self.chat()
        self.keys.safety_number()
        self.assertIsNone(self.keys.compared(True))
        self.pump()
        self.assertEqual(self.trust(), "verified")
        self.assertEqual(self.notes.events, [ComparisonResult(BOB, "me", "yes")])
        self.assertEqual(words(self.chatting), [("peer", "yes")])
        self.assertEqual(self.keys.safety_number().trust, "verified")

    def test_a_scanned_number_was_seen_too(self) -> None:
        self.chat()
        self.keys.safety_code()
        self.keys.compared(True)
        self.assertEqual(self.trust(), "verified")

    def test_a_yes_to_an_unseen_question_does_not_count(self) -> None:
        self.chat()
        error = self.assertRaises(NotNow, self.keys.compared, True)
        self.assertEqual(error.suggested, (("verify", ""),))
        self.pump()
        self.assertEqual((self.trust(), words(self.chatting)), ("met", []))

    def test_what_was_seen_in_the_last_chat_does_not_count(self) -> None:
        self.chat()
        self.keys.safety_number()
        self.told(self.alice.stop())
        self.reach("chatting")
        self.assertRaises(NotNow, self.keys.compared, True)

    # Promise T71, C5
    def test_the_peers_word_changes_no_trust_of_ours(self) -> None:
        self.chat()
        self.chatting.session.agree()
        self.pump()
        self.assertEqual(self.notes.events, [ComparisonResult(BOB, "peer", "yes")])
        self.assertEqual(self.trust(), "met")
        self.keys.safety_number()
        self.keys.compared(True)
        self.chatting.session.disagree()
        self.pump()
        self.assertEqual(self.trust(), "verified")
        self.assertEqual(self.notes.last(ChatOver).ending, "by-peer")

    def test_our_no_ends_the_chat_and_is_told_to_the_other(self) -> None:
        self.chat()
        came = self.told(self.keys.compared(False))
        self.assertEqual(came, [None])
        self.assertEqual(
            self.notes.events, [ComparisonResult(BOB, "me", "no"), ChatOver(BOB, "by-me", [])]
        )
        self.assertEqual(words(self.chatting), [("peer", "no")])
        self.assertEqual(self.chatting.over, [("by-peer", [])])
        self.assertEqual(self.trust(), "met")

    def test_our_no_takes_back_an_old_yes(self) -> None:
        self.chat()
        self.keys.safety_number()
        self.keys.compared(True)
        self.told(self.keys.compared(False))
        self.assertEqual(self.trust(), "met")

    def test_pins_that_cannot_be_written_verify_nobody_and_nothing_is_sent(self) -> None:
        self.chat()
        self.keys.safety_number()
        self.patch(self.person.contacts, "compared", _unwritable)
        self.assertRaises(StateDamaged, self.keys.compared, True)
        self.pump()
        self.assertEqual((self.notes.events, words(self.chatting)), ([], []))

    def test_pins_that_cannot_be_written_do_not_keep_a_no_from_ending_the_chat(self) -> None:
        self.chat()
        self.patch(self.person.contacts, "compared", _unwritable)
        self.assertRaises(StateDamaged, self.keys.compared, False)
        self.pump()
        self.assertEqual(words(self.chatting), [("peer", "no")])
        self.assertIsNone(self.alice.peer)

    def test_a_pin_that_another_client_replaced_is_not_verified(self) -> None:
        self.chat()
        self.keys.safety_number()
        other = Identity.generate().public_key
        self.person.contacts.take(BOB, other.fingerprint)
        self.person.contacts.meet(BOB, other)
        self.assertEqual(self.keys.safety_number().trust, "changed")
        self.assertRaises(PeerKeyChanged, self.keys.compared, True)
        self.assertEqual(self.person.contacts.trust(BOB, other), "met")

    def test_without_a_chat_there_is_nothing_to_compare(self) -> None:
        for state in ("free", "asking", "considering", "accepted", "opening"):
            self.setUp()
            self.reach(state)
            for call in (self.keys.safety_number, self.keys.safety_code):
                self.assertRaises(NotNow, call)
            for same in (True, False):
                self.assertRaises(NotNow, self.keys.compared, same)

    # Promise C6
    def test_verified_is_shown_wherever_the_person_appears(self) -> None:
        self.chat()
        self.keys.safety_number()
        self.keys.compared(True)
        self.told(self.alice.stop())
        self.end.standard.pages = lambda after, text: {"names": [BOB], "more": False}
        (users,) = self.told(self.alice.users())
        self.assertEqual(users.users, [ListedUser(BOB, "verified")])
        self.assertEqual(self.keys.whois(BOB).trust, "verified")
        self.reach("chatting")
        self.assertEqual(self.notes.last(Asked).trust, "verified")
        self.assertEqual(self.notes.last(ChatStarted).trust, "verified")

    # --- fingerprints -----------------------------------------------------------------------

    # Promise C7
    def test_our_own_fingerprint_and_the_servers(self) -> None:
        own = self.person.identity.public_key.fingerprint
        server = server_fingerprint(self.server.pin)
        self.assertEqual(self.keys.own(), Fingerprints(ALICE, own, server))

    # Promise C7
    def test_whois_tells_the_pin(self) -> None:
        self.network.advance(7)
        now = int(self.network.clock.seconds())
        self.chat()
        pinned = Whois(BOB, "met", self.bob.public_key.fingerprint, now, [])
        self.assertEqual(self.keys.whois(BOB), pinned)

    def test_whois_of_somebody_never_met(self) -> None:
        self.assertEqual(self.keys.whois(BOB), Whois(BOB, "new", None, None, []))

    def test_whois_of_oneself_points_to_fingerprint(self) -> None:
        error = self.assertRaises(BadArgument, self.keys.whois, ALICE)
        self.assertEqual(error.suggested, (("fingerprint", ""),))


def _unwritable(*_: object, **__: object) -> None:
    raise StateDamaged("known_peers cannot be used")
