"""Identity files: ours and ssh-keygen's, with and without a pass phrase, and what is refused."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.trial.unittest import SynchronousTestCase

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
)
from securecom.errors import IdentityProblem, PassPhraseProblem

# Made by: ssh-keygen -q -t ed25519 -N "open sesame" -a 2 -C a@b -f key
OPENSSH_KEY = b"""\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABA5Xq+o9o
zD8MMqDJY/X4qbAAAAAgAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIBEm6qgiCHccZm4v
K/O1NjGdDHUfAbEpZoFwt9DAdlGWAAAAkPCT8Q1EYbrdXQXmap/LmV6p5NsmHoOBkqTrxA
DRqf8cwczlBeTLs/JiiGbh8fsv8hRxX+T6h98hTQ1qcl+W5sXqnm/5gxAbMHkn0TgyTpTt
aazSv14SyaORpNB/eex4q1qnI6dJLpek6rkeR+2WeUObNIEFfKHieifwwNoe4glMjYiVa+
1T0llf67MQWV+5Zw==
-----END OPENSSH PRIVATE KEY-----
"""


class IdentityFileCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "identity"

    def write(self, data: bytes, mode: int = 0o600) -> Path:
        self.path.write_bytes(data)
        self.path.chmod(mode)
        return self.path

    def refused(self, data: bytes) -> str:
        return str(self.assertRaises(IdentityProblem, read_identity_file, self.write(data)))


class IdentityFileTests(IdentityFileCase):
    def test_a_new_key_without_a_pass_phrase_comes_back(self) -> None:
        identity = make_identity_file(self.path, None)
        file = read_identity_file(self.path)
        self.assertFalse(file.is_protected)
        self.assertEqual(file.unlock(None).public_key, identity.public_key)

    def test_a_new_key_with_a_pass_phrase_comes_back_only_with_it(self) -> None:
        identity = make_identity_file(self.path, b"open sesame")
        file = read_identity_file(self.path)
        self.assertTrue(file.is_protected)
        self.assertEqual(file.unlock(b"open sesame").public_key, identity.public_key)
        for wrong in (b"open Sesame", b"", None):
            self.assertRaises(PassPhraseProblem, file.unlock, wrong)

    def test_the_protection_has_its_rounds(self) -> None:
        self.patch(limits, "BCRYPT_ROUNDS", 3)
        make_identity_file(self.path, b"x")
        text = read_identity_file(self.path).data.split(b"\n")[1:-2]
        self.assertIn(b"\0\0\0\x03\0\0\0\x01", base64.b64decode(b"".join(text))[:100])

    def test_a_new_key_is_private_and_so_is_its_folder(self) -> None:
        path = self.folder / "new" / "identity"
        make_identity_file(path, None)
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(path.parent.stat().st_mode & 0o777, 0o700)

    def test_a_key_that_ssh_keygen_made(self) -> None:
        file = read_identity_file(self.write(OPENSSH_KEY))
        self.assertTrue(file.is_protected)
        fingerprint = file.unlock(b"open sesame").public_key.fingerprint
        self.assertEqual(fingerprint, "SHA256:EzJe3nqf8MFiCa763qS9sNoUTNd43FV39M6/P8DxiEQ")

    def test_where_no_key_can_be_written_none_is_made(self) -> None:
        (self.folder / "file").write_bytes(b"")
        path = self.folder / "file" / "identity"
        self.assertRaises(IdentityProblem, make_identity_file, path, None)

    def test_a_file_that_others_may_read_is_refused_with_what_to_type(self) -> None:
        for mode in (0o640, 0o604, 0o620, 0o666):
            path = self.write(OPENSSH_KEY, mode)
            error = self.assertRaises(IdentityProblem, read_identity_file, path)
            self.assertIn(f"chmod 600 {path}", error.hint)

    def test_what_is_no_private_key_is_called_that_whoever_may_read_it(self) -> None:
        path = self.write(b"ssh-ed25519 AAAA alice@example.org\n", 0o644)
        error = self.assertRaises(IdentityProblem, read_identity_file, path)
        self.assertIn("no OpenSSH private key", error.what)
        self.assertNotIn("chmod", error.hint)

    def test_a_missing_file(self) -> None:
        error = self.assertRaises(IdentityProblem, read_identity_file, self.folder / "none")
        self.assertIn("no such file", str(error))

    def test_other_kinds_of_key_are_named(self) -> None:
        keys = (
            (rsa.generate_private_key(65537, 2048), "ssh-rsa"),
            (ec.generate_private_key(ec.SECP256R1()), "ecdsa-sha2-nistp256"),
        )
        for key, kind in keys:
            data = key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.OpenSSH,
                serialization.NoEncryption(),
            )
            message = self.refused(data)
            self.assertIn(kind, message)
            self.assertIn("ssh-keygen -t ed25519", message)

    def test_another_format_is_named(self) -> None:
        data = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        self.assertIn("no OpenSSH private key", self.refused(data))

    def test_what_is_no_key_is_refused(self) -> None:
        begin, end = b"-----BEGIN OPENSSH PRIVATE KEY-----\n", b"-----END OPENSSH PRIVATE KEY-----"
        for data in (b"", b"hello", OPENSSH_KEY[:200], begin + end, begin + b"AAAA" + end):
            self.refused(data)
        self.assertIn("too long", self.refused(b"x" * (limits.MAX_IDENTITY_FILE + 1)))

    def test_every_cut_of_a_key_is_refused(self) -> None:
        lines = OPENSSH_KEY.split(b"\n")
        body = b"".join(lines[1:-2])
        for length in range(0, len(body), 4):
            data = b"\n".join((lines[0], body[:length], lines[-2]))
            path = self.write(data)
            with self.assertRaises(IdentityProblem):
                read_identity_file(path).unlock(b"open sesame")

    def test_a_damaged_key_without_pass_phrase_is_called_damaged(self) -> None:
        make_identity_file(self.path, None)
        lines = self.path.read_bytes().split(b"\n")
        lines[3] = lines[3][:10] + b"AAAAAAAA" + lines[3][18:]
        file = read_identity_file(self.write(b"\n".join(lines)))
        self.assertIn("damaged", str(self.assertRaises(IdentityProblem, file.unlock, None)))

    def test_a_protection_that_is_not_supported_is_named(self) -> None:
        file = read_identity_file(self.write(OPENSSH_KEY))

        def unsupported(data: bytes, password: bytes | None) -> None:
            raise UnsupportedAlgorithm("rot13")

        self.patch(serialization, "load_ssh_private_key", unsupported)
        self.assertIn("rot13", str(self.assertRaises(IdentityProblem, file.unlock, b"x")))


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
