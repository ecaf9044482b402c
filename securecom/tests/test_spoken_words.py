"""Six words to read aloud: what they are made of, and what an attacker gets who computes a lot."""

from __future__ import annotations

import hashlib
import os
from itertools import count

from twisted.trial.unittest import SynchronousTestCase

from securecom import spoken_words
from securecom.spoken_words import commitment, word_list

ALICES, BOBS = b"alices session", b"bobs session"
#: Bits of a shortened comparison, short enough for an attacker to try all.
FEW = 8


def short(context: bytes, caller: bytes, callee: bytes) -> int:
    """The first bits of what people compare."""
    words = spoken_words.spoken_words(context, caller, callee)
    return word_list().index(words[0]) >> (spoken_words.BITS - FEW)


class WordsTests(SynchronousTestCase):
    def test_the_list_is_the_one_that_the_protocol_names(self) -> None:
        text = "\n".join(word_list()) + "\n"
        self.assertEqual(len(set(word_list())), 2**spoken_words.BITS)
        self.assertEqual(
            hashlib.sha256(text.encode()).hexdigest(),
            "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda",
        )

    def test_six_words_of_the_list(self) -> None:
        words = spoken_words.spoken_words(ALICES, b"a" * 32, b"b" * 32)
        self.assertEqual(len(words), spoken_words.WORDS)
        self.assertLessEqual(set(words), set(word_list()))

    def test_chat_and_each_number_count(self) -> None:
        made = {
            tuple(spoken_words.spoken_words(*parts))
            for parts in (
                (ALICES, b"a" * 32, b"b" * 32),
                (BOBS, b"a" * 32, b"b" * 32),
                (ALICES, b"b" * 32, b"a" * 32),
                (ALICES, b"a" * 32, b"c" * 32),
            )
        }
        self.assertEqual(len(made), 4)

    def test_a_commitment_is_for_one_chat_one_side_and_one_number(self) -> None:
        made = {
            commitment(ALICES, "caller", b"a" * 32),
            commitment(BOBS, "caller", b"a" * 32),
            commitment(ALICES, "callee", b"a" * 32),
            commitment(ALICES, "caller", b"b" * 32),
        }
        self.assertEqual(len(made), 4)


class GrindingTests(SynchronousTestCase):
    """Mallory is Alice's callee and Bob's caller, and wants both to see the same words."""

    def test_without_commitments_computing_is_enough(self) -> None:
        """What commitments are for: she sees both numbers, and tries until the words agree."""
        for _ in range(20):
            alice, bob, first = os.urandom(32), os.urandom(32), os.urandom(32)
            seen = short(ALICES, alice, first)
            tried = (number.to_bytes(32, "big") for number in count())
            second = next(one for one in tried if short(BOBS, one, bob) == seen)
            self.assertEqual(short(ALICES, alice, first), short(BOBS, second, bob))

    # Promise T200
    def test_with_them_she_has_one_guess_each_time(self) -> None:
        """She has to fix her number before she sees Bob's, so computing changes no chance."""
        hits, rounds = 0, 2000
        for _ in range(rounds):
            alice, bob, first = os.urandom(32), os.urandom(32), os.urandom(32)
            seen = short(ALICES, alice, first)  # she knows this much before she commits to Bob
            best = min(
                (number.to_bytes(32, "big") for number in range(16)),
                key=lambda one: abs(short(BOBS, one, first) - seen),  # her best, without Bob's
            )
            hits += short(BOBS, best, bob) == seen
        # 2000 / 256 are 7.8 on average; over 40 has a probability below 10^-15
        self.assertLess(hits, 40)
