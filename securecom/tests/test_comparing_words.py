"""Six words in a chat: who commits, who shows, what a cheat gets, and what the person sees."""

from __future__ import annotations

from itertools import count
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, spoken_words, vocabulary
from securecom.client.chat import chat_session
from securecom.client.key_events import WordsToCompare
from securecom.errors import NotNow, WireError
from securecom.spoken_words import commitment
from securecom.tests.support.chat_pair import End, Pair
from securecom.tests.support.scripted_server_case import BOB, AliceTestCase


def send(end: End, command: type[amp.Command], **arguments: Any) -> None:
    """What a modified client says."""
    end.session.control.call(command, **arguments).addErrback(lambda _: None)


def deaf(end: End) -> list[amp.AmpBox]:
    """A modified client, which answers whatever is said of words; what it hears of them."""
    heard: list[amp.AmpBox] = []

    def hear(box: amp.AmpBox) -> Deferred[amp.AmpBox]:
        heard.append(box)
        return succeed(amp.AmpBox())

    end.session.words.locateResponder = (  # type: ignore[method-assign]
        lambda name: hear if name.endswith(b"Words") else None
    )
    return heard


class ExchangeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.pair = Pair().open()
        self.alice, self.bob = self.pair.alice, self.pair.bob

    def ask(self, *ends: End) -> None:
        for end in ends:
            end.session.words.ask()
            self.pair.pump()

    def caught(self, end: End) -> None:
        """It cut the chat off, and its person saw no words."""
        self.assertEqual(end.over, [("cut-off", [])])
        self.assertIsInstance(end.error, WireError)
        self.assertEqual(end.session.words.words, [])

    # Promise C100
    def test_both_see_the_same_words_once_both_have_asked(self) -> None:
        for first, second in ((0, 1), (1, 0)):
            self.setUp()
            ends = (self.alice, self.bob)
            self.ask(ends[first])
            self.assertEqual(ends[first].session.words.state, "asked-by-me")
            self.assertEqual(ends[second].session.words.state, "asked-by-peer")
            self.ask(ends[second])
            words = self.alice.session.words.words
            self.assertEqual(len(words), spoken_words.WORDS)
            self.assertEqual(self.bob.session.words.words, words)
            self.assertEqual(ends[first].session.words.state, "shown")

    def test_both_may_ask_at_once(self) -> None:
        self.alice.session.words.ask()
        self.bob.session.words.ask()
        self.pair.pump()
        self.assertEqual(self.alice.session.words.words, self.bob.session.words.words)
        self.assertEqual(self.alice.session.words.state, "shown")

    def test_asking_again_sends_nothing(self) -> None:
        self.ask(self.alice, self.bob)
        words, before = self.alice.session.words.words, len(self.pair.relayed)
        self.ask(self.alice, self.bob)
        self.assertEqual(len(self.pair.relayed), before)
        self.assertEqual(self.alice.session.words.words, words)

    def test_each_chat_has_other_words(self) -> None:
        made = set()
        for _ in range(5):
            self.setUp()
            self.ask(self.alice, self.bob)
            made.add(tuple(self.alice.session.words.words))
        self.assertEqual(len(made), 5)

    # Promise T200
    def test_nobody_can_know_a_number_in_advance(self) -> None:
        made = set()
        for _ in range(5):
            self.setUp()
            self.ask(self.alice, self.bob)
            made |= {end.session.words._nonce for end in (self.alice, self.bob)}
        self.assertEqual(len(made), 10)

    # Promise T200
    def test_no_number_is_shown_before_the_other_side_has_committed(self) -> None:
        sent: list[bytes] = []
        deaf(self.bob)
        self.patch(self.alice.session.words, "_reveal", sent.append)
        self.ask(self.alice)
        self.assertEqual(sent, [])
        send(self.bob, vocabulary.CommitWords, commitment=b"c" * 32)
        self.pair.pump()
        self.assertEqual(len(sent), 1)

    # Promise T200
    def test_who_shows_another_number_than_committed_to_is_cut_off(self) -> None:
        """Mallory commits to anything, waits for Alice's number, and then chooses hers."""
        for mallory_calls in (False, True):
            self.setUp()
            ends = (self.alice, self.bob)
            mallory, end = ends if mallory_calls else ends[::-1]
            deaf(mallory)
            self.ask(end)
            send(mallory, vocabulary.CommitWords, commitment=b"c" * 32)
            self.pair.pump()
            send(mallory, vocabulary.RevealWords, nonce=b"n" * 32)
            self.pair.pump()
            self.caught(end)

    # Promise T201
    def test_our_own_commitment_sent_back_opens_nothing(self) -> None:
        deaf(self.bob)
        self.ask(self.alice)
        exchange = self.alice.session.words
        nonce = exchange._nonce or b""
        ours = commitment(exchange._context, "caller", nonce)
        send(self.bob, vocabulary.CommitWords, commitment=ours)
        self.pair.pump()
        send(self.bob, vocabulary.RevealWords, nonce=nonce)
        self.pair.pump()
        self.caught(self.alice)

    # Promise T201
    def test_a_commitment_passed_on_from_another_chat_opens_nothing(self) -> None:
        """Mallory sits between Alice and Bob, and passes each one's messages on to the other."""
        deaf(self.bob)
        self.ask(self.alice)
        other = Pair().open()  # Bob's real chat, with Mallory
        other.bob.session.words.ask()
        exchange = other.bob.session.words
        nonce = exchange._nonce or b""
        theirs = commitment(exchange._context, "callee", nonce)
        send(self.bob, vocabulary.CommitWords, commitment=theirs)
        self.pair.pump()
        send(self.bob, vocabulary.RevealWords, nonce=nonce)
        self.pair.pump()
        self.caught(self.alice)

    # Promise T203
    def test_what_comes_out_of_turn_cuts_the_chat_off(self) -> None:
        commit, reveal = vocabulary.CommitWords, vocabulary.RevealWords
        for asked, said in (
            (False, [reveal]),
            (True, [reveal]),
            (False, [commit, reveal]),
            (False, [commit, commit]),
            (True, [commit, commit]),
        ):
            self.setUp()
            deaf(self.bob)
            if asked:
                self.ask(self.alice)
            good = commitment(self.bob.session.words._context, "callee", b"n" * 32)
            for command in said:
                what = {"commitment": good} if command is commit else {"nonce": b"n" * 32}
                send(self.bob, command, **what)
            self.pair.pump()
            self.caught(self.alice)

    def test_a_second_number_cuts_the_chat_off(self) -> None:
        self.ask(self.alice, self.bob)
        nonce = self.bob.session.words._nonce
        send(self.bob, vocabulary.RevealWords, nonce=nonce)
        self.pair.pump()
        self.assertEqual(self.alice.over, [("cut-off", [])])

    def test_a_commitment_before_hello_is_no_chat(self) -> None:
        pair = Pair()
        early = lambda: send(pair.bob, vocabulary.CommitWords, commitment=b"c" * 32)  # noqa: E731
        self.patch(pair.bob.session, "send_hello", early)
        pair.open()
        self.assertEqual([ending for ending, _ in pair.alice.over], [None])
        self.assertIsInstance(pair.alice.error, WireError)

    def test_after_the_end_nothing_is_asked_and_nothing_shown(self) -> None:
        self.alice.session.leave()
        self.assertRaises(NotNow, self.alice.session.words.ask)
        self.bob.session.words.ask()
        self.pair.pump()
        self.assertEqual(self.alice.words, [])

    def test_it_goes_on_across_fresh_keys(self) -> None:
        self.ask(self.alice)
        self.pair.advance(limits.REKEY_AFTER)
        self.ask(self.bob)
        words = self.alice.session.words.words
        self.assertEqual((len(words), self.bob.session.words.words), (6, words))

    # Promise T24
    def test_its_size_is_that_of_a_short_message(self) -> None:
        sizes = set()
        for act in ("say", "words"):
            self.setUp()
            if act == "say":
                self.alice.session.say("hi")
            else:
                self.alice.session.words.ask()
            self.pair.clock.advance(0)
            sizes.add(len(self.alice.leg.outgoing))
        self.assertEqual(len(sizes), 1)


class GrindingTests(SynchronousTestCase):
    """Mallory is Alice's callee and Bob's caller, with a modified client.

    There is one word of 2,048 instead of six, so that she can try them all.
    """

    def setUp(self) -> None:
        self.patch(spoken_words, "WORDS", 1)
        self.hers, self.his = Pair().open(), Pair().open()
        self.alice, self.bob = self.hers.alice.session, self.his.bob.session
        self.heard = {"alice": deaf(self.hers.bob), "bob": deaf(self.his.alice)}

    def say(self, command: type[amp.Command], alice: bytes, bob: bytes) -> None:
        key = "nonce" if command is vocabulary.RevealWords else "commitment"
        send(self.hers.bob, command, **{key: alice})
        send(self.his.alice, command, **{key: bob})
        self.pump()

    def pump(self) -> None:
        self.hers.pump()
        self.his.pump()

    def both_ask(self) -> None:
        self.alice.words.ask()
        self.bob.words.ask()
        self.pump()

    def numbers(self) -> dict[str, bytes]:
        """What she has heard of theirs."""
        said = [(who, box.get(b"nonce")) for who, boxes in self.heard.items() for box in boxes]
        return {who: nonce for who, nonce in said if nonce is not None}

    def ground(self, first: bytes, numbers: dict[str, bytes]) -> bytes:
        """A number that gives Bob the word that Alice sees, if hers to Alice is the first."""
        seen = spoken_words.spoken_words(self.alice.words._context, numbers["alice"], first)
        tried = (number.to_bytes(32, "big") for number in count())
        for one in tried:
            if spoken_words.spoken_words(self.bob.words._context, one, numbers["bob"]) == seen:
                return one
        raise RuntimeError("tried forever")

    # Promise T200
    def test_whatever_she_computes_after_she_has_committed_comes_too_late(self) -> None:
        self.both_ask()
        first, second = b"1" * 32, b"2" * 32
        contexts = self.alice.words._context, self.bob.words._context
        committed = (
            commitment(contexts[0], "callee", first),
            commitment(contexts[1], "caller", second),
        )
        self.say(vocabulary.CommitWords, *committed)
        better = self.ground(first, self.numbers())
        self.say(vocabulary.RevealWords, first, better)
        self.assertEqual(len(self.alice.words.words), 1)
        self.assertEqual(self.bob.words.words, [])
        self.assertEqual(self.his.bob.over, [("cut-off", [])])

    # Promise T200
    def test_before_she_has_committed_she_has_nothing_to_compute_with(self) -> None:
        self.both_ask()
        self.assertEqual(self.numbers(), {})
        send(self.hers.bob, vocabulary.CommitWords, commitment=b"c" * 32)
        self.pump()
        self.assertEqual(set(self.numbers()), {"alice"})


class PersonTests(AliceTestCase):
    """Alice's whole client; Bob is at the other end of the chat."""

    def chat(self) -> None:
        self.reach("chatting")
        self.notes.events.clear()

    def bob_asks(self) -> None:
        self.chatting.session.words.ask()
        self.pump()

    def shown(self) -> WordsToCompare:
        return self.notes.last(WordsToCompare)

    # Promise C100
    def test_the_words_come_when_both_have_asked_and_a_yes_verifies(self) -> None:
        self.chat()
        asked = self.alice.keys.words()
        self.assertEqual(asked, WordsToCompare(BOB, "asked-by-me", [], 1, "met"))
        self.pump()
        self.bob_asks()
        words = self.chatting.session.words.words
        self.assertEqual(self.shown(), WordsToCompare(BOB, "shown", words, 1, "met"))
        self.alice.keys.compared(True)
        self.assertEqual(self.person.contacts.trust(BOB, self.bob.public_key), "verified")
        self.assertEqual(self.alice.keys.words().words, words)

    # Promise C101
    def test_who_is_asked_for_words_sees_that_and_nothing_is_sent_for_them(self) -> None:
        self.chat()
        self.bob_asks()
        self.assertEqual(self.shown(), WordsToCompare(BOB, "asked-by-peer", [], 0, "met"))
        self.assertEqual(self.chatting.session.words.state, "asked-by-me")
        self.assertEqual(self.alice.keys.words().state, "agreed")
        self.pump()
        self.assertEqual(self.shown().state, "shown")

    def test_a_yes_before_the_words_are_there_does_not_count(self) -> None:
        self.chat()
        self.alice.keys.words()
        self.pump()
        self.assertRaises(NotNow, self.alice.keys.compared, True)

    # Promise T202
    def test_comparisons_that_came_to_nothing_are_counted_and_bounded(self) -> None:
        for number in range(1, limits.MAX_WORD_TRIES + 1):
            self.chat()
            self.assertEqual(self.alice.keys.words().tries, number)
            self.pump()
            self.told(self.alice.stop())
        self.chat()
        error = self.assertRaises(NotNow, self.alice.keys.words)
        self.assertEqual(error.suggested, (("verify", ""),))
        self.pump()
        self.assertEqual(self.chatting.session.words.state, "off")

    # Promise T202
    def test_a_yes_begins_the_count_anew(self) -> None:
        self.chat()
        self.alice.keys.words()
        self.pump()
        self.told(self.alice.stop())
        self.chat()
        self.alice.keys.words()
        self.pump()
        self.bob_asks()
        self.assertEqual(self.shown().tries, 2)
        self.alice.keys.compared(True)
        self.told(self.alice.stop())
        self.chat()
        self.assertEqual(self.alice.keys.words().tries, 1)

    def test_a_client_that_does_not_know_words_is_not_asked(self) -> None:
        self.patch(chat_session, "KNOWS", [])  # what Bob's client says
        self.chat()
        error = self.assertRaises(NotNow, self.alice.keys.words)
        self.assertEqual(error.suggested, (("verify", ""),))
        self.pump()
        self.assertEqual(self.chatting.over, [])

    def test_without_a_chat_there_are_none(self) -> None:
        self.assertRaises(NotNow, self.alice.keys.words)
