"""Twelve words that retire a key: how they are read, and what they can and cannot do."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from securecom import introduction, retirement, succession
from securecom.errors import BadArgument
from securecom.identity import Identity
from securecom.introduction import Person
from securecom.retirement import RetirementSecret, is_retired
from securecom.tests.support.contact_keys import BOB, CAROL, OTHER_SERVER, SERVER

SECRET = RetirementSecret(bytes(range(16)))


class WordTests(SynchronousTestCase):
    # Promise C140
    def test_the_words_are_the_secret(self) -> None:
        words = SECRET.words
        self.assertEqual(len(words), retirement.WORDS)
        for text in (" ".join(words), "  \n".join(words).upper(), "\t".join(words) + "\n"):
            self.assertEqual(RetirementSecret.from_words(text).public, SECRET.public)

    def test_what_is_mistyped_is_found(self) -> None:
        words = SECRET.words
        swapped = [words[1], words[0], *words[2:]]
        for text, what in (
            ("", "0 words"),
            (" ".join(words[:11]), "11 words"),
            (" ".join([*words, words[0]]), "13 words"),
            (" ".join(["zzzz", *words[1:]]), "word 1 "),
            (" ".join(swapped), "do not fit together"),
            ("\x00" * 30, "1 words"),
        ):
            error = self.assertRaises(BadArgument, RetirementSecret.from_words, text)
            self.assertIn(what, error.what)

    def test_each_is_another(self) -> None:
        made = {RetirementSecret(bytes([number]) * 16).public for number in range(9)}
        self.assertEqual(len(made), 9)


class StatementTests(SynchronousTestCase):
    # Promise T280
    def test_a_statement_is_for_one_name_one_server_and_one_public_half(self) -> None:
        signature = SECRET.retire(SERVER, BOB)
        self.assertTrue(is_retired(SERVER, BOB, SECRET.public, signature))
        other = RetirementSecret(bytes(16))
        for server, name, public in (
            (OTHER_SERVER, BOB, SECRET.public),
            (SERVER, CAROL, SECRET.public),
            (SERVER, BOB, other.public),
        ):
            self.assertFalse(is_retired(server, name, public, signature))
        for junk in (b"", bytes(64), signature[:-1], bytes([signature[0] ^ 1]) + signature[1:]):
            self.assertFalse(is_retired(SERVER, BOB, SECRET.public, junk))
        for public in (b"p" * 31, SECRET.public[:32], bytes(64), SECRET.public[:32] + bytes(32)):
            self.assertFalse(is_retired(SERVER, BOB, public, signature))

    # Promise T280
    def test_both_keys_have_to_sign(self) -> None:
        signature = SECRET.retire(SERVER, BOB)
        for at in (0, 64, len(signature) - 1):  # the first signature, the second key, its signature
            bad = bytearray(signature)
            bad[at] ^= 1
            self.assertFalse(is_retired(SERVER, BOB, SECRET.public, bytes(bad)))

    # Promise T281
    def test_the_words_give_no_key_that_anything_else_takes(self) -> None:
        """Who finds the paper has no identity, and signs no statement of one."""
        said = retirement.statement(SERVER, BOB, SECRET.public)
        bob = Identity.generate()
        person = Person(BOB, bob.public_key)
        others = (
            succession.statement(SERVER, BOB, bob.public_key, Identity.generate().public_key),
            introduction.consent(SERVER, person, person, CAROL),
            introduction.vouching(SERVER, person, person, person),
        )
        label = said[: 4 + len(retirement.STATEMENT_LABEL)]
        self.assertFalse([other for other in others if other.startswith(label)])

    # Promise T282
    def test_nothing_of_the_identity_is_in_them(self) -> None:
        """The words are random: two makings from one identity differ, and none needs it."""
        asked: list[int] = []

        def random(size: int) -> bytes:
            asked.append(size)
            return bytes(size)

        made = RetirementSecret.generate(random)
        self.assertEqual(asked, [retirement.SECRET_BYTES])
        self.assertEqual(made.words, ["abandon"] * 11 + ["about"])
