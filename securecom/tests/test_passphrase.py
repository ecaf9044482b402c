"""The pass phrase of an identity file: where it comes from, and how often it is asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from securecom import limits
from securecom.client.profile import identity_file
from securecom.client.profile.identity_file import make_identity_file, read_identity_file
from securecom.client.profile.passphrase import (
    Given,
    NoPassPhrase,
    Nowhere,
    Terminal,
    from_descriptor,
    from_file,
    lines_of,
)
from securecom.client.profile.spelling import spelt
from securecom.errors import PassPhraseProblem
from securecom.tests.support.identity_file_case import IdentityFileCase
from securecom.values import replace


class Person:
    """Types what the test says."""

    def __init__(self, *secrets: str, answers: tuple[str, ...] = ()) -> None:
        self.secrets, self.answers, self.told = list(secrets), list(answers), list[str]()
        self.terminal = Terminal(self._secret, self._ask, self.told.append)

    def _secret(self, prompt: str) -> str:
        return self.secrets.pop(0)

    def _ask(self, prompt: str) -> str:
        return self.answers.pop(0)


class PassPhraseTests(IdentityFileCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(limits, "BCRYPT_ROUNDS", 1)

    def protected(self) -> identity_file.IdentityFile:
        make_identity_file(self.path, b"right")
        return read_identity_file(self.path)

    def open(self) -> identity_file.IdentityFile:
        make_identity_file(self.path, None)
        return read_identity_file(self.path)

    def test_a_terminal_is_asked_until_it_is_right(self) -> None:
        person = Person("wrong", "right")
        person.terminal.unlock(self.protected())
        self.assertEqual(len(person.told), 1)
        self.assertIn("not the pass phrase", person.told[0])

    def test_but_not_for_ever(self) -> None:
        person = Person(*["wrong"] * limits.PASS_ATTEMPTS, "right")
        file = self.protected()
        self.assertRaises(PassPhraseProblem, person.terminal.unlock, file)
        self.assertEqual(person.secrets, ["right"])

    def test_nobody_is_asked_for_a_key_without_protection(self) -> None:
        for source in (Person().terminal, NoPassPhrase(), Nowhere(), Given(self.fail)):
            source.unlock(self.open())

    def test_a_new_pass_phrase_is_typed_twice(self) -> None:
        self.assertEqual(Person("one", "one").terminal.new(), b"one")
        person = Person("one", "two", "one", "one")
        self.assertEqual(person.terminal.new(), b"one")
        self.assertEqual(person.told, ["These were two different ones."])

    def test_none_has_to_be_meant(self) -> None:
        self.assertIsNone(Person("", answers=("y",)).terminal.new())
        self.assertEqual(Person("", "one", "one", answers=("",)).terminal.new(), b"one")

    def test_a_pass_phrase_is_not_too_long_to_be_written(self) -> None:
        self.patch(limits, "BCRYPT_ROUNDS", 1)
        longest = b"x" * limits.MAX_PASS
        identity = make_identity_file(self.path, longest)
        opened = read_identity_file(self.path).unlock(longest)
        self.assertEqual(opened.public_key, identity.public_key)
        self.path.unlink()
        self.assertRaises(PassPhraseProblem, make_identity_file, self.path, longest + b"x")
        self.assertFalse(self.path.exists())

    def test_who_never_agrees_gets_no_key(self) -> None:
        person = Person(*"ab" * limits.PASS_ATTEMPTS)
        self.assertRaises(PassPhraseProblem, person.terminal.new)

    def test_no_terminal_and_no_option_tells_the_options(self) -> None:
        file = self.protected()
        error = self.assertRaises(PassPhraseProblem, Nowhere().new)
        for option in ("--pass-fd", "--pass-file", "--no-pass"):
            self.assertIn(option, error.hint)
        error = self.assertRaises(PassPhraseProblem, Nowhere().unlock, file)
        self.assertIn("--pass-file", error.hint)
        self.assertNotIn("--no-pass", error.hint, "that key has one")

    def test_no_pass_means_none(self) -> None:
        self.assertIsNone(NoPassPhrase().new())
        error = self.assertRaises(PassPhraseProblem, NoPassPhrase().unlock, self.protected())
        self.assertIn("--pass-file", error.hint)
        self.assertNotIn("--no-pass", error.hint)

    def test_a_key_is_asked_for_by_the_name_that_people_know(self) -> None:
        file = replace(self.protected(), title="the spare key")
        asked: list[str] = []

        def secret(prompt: str) -> str:
            asked.append(prompt)
            return "wrong"

        person = Person()
        source = Terminal(secret, person.terminal.ask, person.terminal.tell)
        error = self.assertRaises(PassPhraseProblem, source.unlock, file)
        self.assertEqual(set(asked), {"Pass phrase of the spare key: "})
        self.assertIn("the spare key", error.what)

    def test_one_that_is_given_is_tried_once(self) -> None:
        file = self.protected()
        Given(lambda: b"right").unlock(file)
        self.assertEqual(Given(lambda: b"right").new(), b"right")
        self.assertRaises(PassPhraseProblem, Given(lambda: b"wrong").unlock, file)

    def test_a_file_gives_its_first_line(self) -> None:
        for data in (b"right", b"right\n", b"right\r\nmore"):
            self.assertEqual(from_file(self.write(data)), b"right")

    def test_files_that_give_none(self) -> None:
        for data in (b"", b"\nright", b"x" * (limits.MAX_PASS + 1)):
            self.assertRaises(PassPhraseProblem, from_file, self.write(data))
        self.assertRaises(PassPhraseProblem, from_file, self.folder / "none")

    def test_a_file_that_others_may_read_is_refused(self) -> None:
        error = self.assertRaises(PassPhraseProblem, from_file, self.write(b"right\n", 0o644))
        self.assertIn("chmod 600", error.hint)

    # Promise R76
    def test_a_byte_order_mark_is_no_part_of_a_pass_phrase(self) -> None:
        for mark in (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"):
            error = self.assertRaises(PassPhraseProblem, from_file, self.write(mark + b"x\n"))
            self.assertIn("byte order mark (BOM)", error.what)
            self.assertRaises(PassPhraseProblem, self.piped, mark + b"x\n", from_descriptor)

    # Promise R65
    def test_a_pipe_gives_both_of_its_lines(self) -> None:
        """It is empty when it is opened again."""
        here, there = os.pipe()
        self.addCleanup(os.close, here)
        os.write(there, b"one\ntwo\n")
        os.close(there)
        read = lines_of(Path(f"/dev/fd/{here}"))
        self.assertEqual([read(), read()], [b"one", b"two"])
        self.assertRaises(PassPhraseProblem, read)

    # Promise R75
    def test_a_pass_phrase_is_one_however_its_accents_are_typed(self) -> None:
        composed, apart = "caf\xe9", "cafe\N{COMBINING ACUTE ACCENT}"
        self.assertEqual(Person(apart, composed).terminal.new(), apart.encode())
        for made in (composed, apart):
            make_identity_file(self.path, made.encode())
            file = read_identity_file(self.path)
            serialization.load_ssh_private_key(file.data, composed.encode())
            for typed in (composed, apart):
                file.unlock(typed.encode())
            self.assertRaises(PassPhraseProblem, file.unlock, b"cafe")

    # Promise R75
    def test_a_key_of_another_program_with_separate_accents(self) -> None:
        """Other programs take what is typed as it comes."""
        composed, apart = "caf\xe9", "cafe\N{COMBINING ACUTE ACCENT}"
        for made in (composed, apart):
            builder = serialization.PrivateFormat.OpenSSH.encryption_builder().kdf_rounds(1)
            data = Ed25519PrivateKey.generate().private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.OpenSSH,
                builder.build(made.encode()),
            )
            for typed in (composed, apart):
                read_identity_file(self.write(data)).unlock(typed.encode())

    def test_bytes_that_are_no_text_have_one_spelling(self) -> None:
        make_identity_file(self.path, b"\xff\xfe")
        read_identity_file(self.path).unlock(b"\xff\xfe")
        self.assertEqual(spelt(b"\xff\xfe"), [b"\xff\xfe"])
        self.assertEqual(spelt(b"open sesame"), [b"open sesame"], "ASCII costs one try")

    def test_a_descriptor_gives_its_first_line_and_keeps_the_rest(self) -> None:
        self.assertEqual(self.piped(b"right\n/users\n", from_descriptor), b"right")
        self.assertEqual(self.rest, b"/users\n")
        self.assertEqual(self.piped(b"right", from_descriptor), b"right")

    def test_descriptors_that_give_none(self) -> None:
        for data in (b"", b"\n", b"x" * (limits.MAX_PASS + 1)):
            self.assertRaises(PassPhraseProblem, self.piped, data, from_descriptor)
        self.assertRaises(PassPhraseProblem, from_descriptor, 2**20)

    def piped(self, data: bytes, read: Callable[[int], bytes]) -> bytes:
        here, there = os.pipe()
        try:
            os.write(there, data)
            os.close(there)
            result = read(here)
            self.rest = os.read(here, 100)
            return result
        finally:
            os.close(here)
