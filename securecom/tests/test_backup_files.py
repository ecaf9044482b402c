"""Backups as other programs, machines and keyboards hand them over."""

from __future__ import annotations

import base64
import itertools
import mmap
import subprocess
from pathlib import Path

import pyrage
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.profile import age_reader, backup
from securecom.client.profile import backup as sealed
from securecom.client.profile.age_reader import WrongPassPhrase, opened
from securecom.client.profile.backup import SealedFile, parse_sealed_file, read_sealed_file, seal
from securecom.client.program.sealing import seal_in_a_process
from securecom.errors import BackupProblem, PassPhraseProblem
from securecom.tests.support import age_files
from securecom.tests.support.age_files import age_file, asking_for_work
from securecom.tests.support.backing_up_case import BackingUpCase

PATH = Path("kept.age")
# Made by: printf hello | age -p -a (age 1.1.1), with the pass phrase "open sesame".
BY_AGE = b"""\
-----BEGIN AGE ENCRYPTED FILE-----
YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCBTeGZHRUFpMzd0bWQ0UVJv
ekR0c2RnIDE4Cm0xaDVDdUZ1SGxuS28wNE5sOFlGS2VwKzdBa3NmMWN2R01RSmMx
RGprUEkKLS0tIEZlTjVaUWtrc0N2eXJLSlhpd0dnd0VHZUFyM0V5WlFCcDhlRm5E
amZpMHMK2JL3PULUk7c32663gkTFrBJ63i4uG4K8eqoQbkCBfAqoho9qWg==
-----END AGE ENCRYPTED FILE-----
"""
COMPOSED, APART = "caf\xe9", "cafe\N{COMBINING ACUTE ACCENT}"
CHUNK = 64 * 1024


def armoured(data: bytes, end: bytes = b"\n") -> bytes:
    """As `age -a` writes it."""
    text = base64.b64encode(data)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    kind = b"AGE ENCRYPTED FILE-----"
    return end.join((b"-----BEGIN " + kind, *lines, b"-----END " + kind, b""))


class ReaderTests(SynchronousTestCase):
    """What pyrage would not do on a slow machine gives what pyrage gives."""

    # Promise R69
    def test_files_of_any_length(self) -> None:
        for length in (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 7):
            content = bytes(index % 251 for index in range(length))
            data = age_file(content, "right")
            self.assertEqual(opened(data, b"right"), content)
            self.assertEqual(pyrage.passphrase.decrypt(data, "right"), content)

    # Promise R69
    def test_a_file_that_age_made(self) -> None:
        data = parse_sealed_file(PATH, BY_AGE).data
        self.assertEqual(opened(data, b"open sesame"), b"hello")

    def test_a_wrong_pass_phrase(self) -> None:
        self.assertRaises(WrongPassPhrase, opened, age_file(b"x", "right"), b"wrong")

    # Promise R70
    def test_no_flipped_bit_passes(self) -> None:
        """In the header the stanza's own bits look like a wrong pass phrase."""
        data = age_file(b"what is in it", "right")
        start = data.index(b"\n") + len(b"\n-> scrypt ")
        for bit in range(8 * start, 8 * len(data)):
            changed = bytearray(data)
            changed[bit // 8] ^= 1 << bit % 8
            if sealed._HEAD.match(changed) and parse_sealed_file(PATH, bytes(changed)).work < 10:
                self.assertRaises((WrongPassPhrase, ValueError), opened, bytes(changed), b"right")

    # Promise R70
    def test_no_cut_file_passes(self) -> None:
        data = age_file(bytes(2 * CHUNK), "right")
        head = len(data) - 2 * (CHUNK + 16) - 16
        for end in (head, head + 5, head + 16, head + 20, len(data) - CHUNK - 16, len(data) - 1):
            self.assertRaises(ValueError, opened, data[:end], b"right")
        self.assertRaises(ValueError, opened, data + b"x", b"right")

    # Promise R70
    def test_an_empty_last_chunk(self) -> None:
        """Age forbids it behind others."""
        chunks = [bytes(CHUNK), b""]
        data = _chunked(chunks)
        self.assertRaises(ValueError, opened, data, b"right")
        self.assertRaises(pyrage.DecryptError, pyrage.passphrase.decrypt, data, "right")


def _chunked(chunks: list[bytes]) -> bytes:
    """A file with these chunks, of which the last one is none in a usual file."""
    whole = age_file(b"", "right")
    payload = ChaCha20Poly1305(age_files._derived(age_files._NONCE, b"payload"))
    data = whole[:-16]  # the tag of its empty chunk
    for number, chunk in enumerate(chunks):
        nonce = number.to_bytes(11, "big") + bytes([number == len(chunks) - 1])
        data += payload.encrypt(nonce, chunk, None)
    return data


class SlowMachineTests(SynchronousTestCase):
    """pyrage has measured that a file would take long here. That is no damage."""

    def setUp(self) -> None:
        def decrypt(data: bytes, pass_phrase: str) -> bytes:
            raise pyrage.DecryptError("Excessive work parameter for passphrase.\nDecryption…")

        self.patch(pyrage.passphrase, "decrypt", decrypt)

    # Promise R69
    def test_a_whole_file_is_opened(self) -> None:
        file = parse_sealed_file(PATH, age_file(b"x", "right"))
        self.assertEqual(file.unseal(b"right"), b"x")

    # Promise R70
    def test_a_wrong_pass_phrase_is_told_as_such(self) -> None:
        file = parse_sealed_file(PATH, age_file(b"x", "right"))
        self.assertRaises(PassPhraseProblem, file.unseal, b"wrong")

    # Promise R70
    def test_damage_is_told_as_such(self) -> None:
        file = parse_sealed_file(PATH, age_file(b"x", "right")[:-1])
        error = self.assertRaises(BackupProblem, file.unseal, b"right")
        self.assertIn("cut off", error.what)


class WorkTests(SynchronousTestCase):
    def test_what_pyrage_says_of_too_much_work(self) -> None:
        data = asking_for_work(b"x", 40)
        error = self.assertRaises(pyrage.DecryptError, pyrage.passphrase.decrypt, data, "right")
        self.assertTrue(str(error).startswith(sealed._TOO_MUCH))

    # Promise R71
    def test_no_memory_is_no_damage(self) -> None:
        file = parse_sealed_file(PATH, asking_for_work(b"x", limits.MAX_SCRYPT_WORK))
        self.without_memory(file)

    # Promise R71
    def test_memory_that_runs_out_later(self) -> None:
        file = parse_sealed_file(PATH, age_file(b"x", "right"))

        def no_memory(data: bytes, phrase: bytes) -> bytes:
            raise MemoryError

        def decrypt(data: bytes, pass_phrase: str) -> bytes:
            raise pyrage.DecryptError(sealed._TOO_MUCH)

        self.patch(pyrage.passphrase, "decrypt", decrypt)
        self.patch(age_reader, "opened", no_memory)
        error = self.assertRaises(BackupProblem, file.unseal, b"right")
        self.assertIn("MiB of memory", error.what)

    def without_memory(self, file: SealedFile) -> None:
        asked: list[int] = []

        def no_memory(number: int, length: int) -> mmap.mmap:
            asked.append(length)
            raise OSError(12, "Cannot allocate memory")

        self.patch(mmap, "mmap", no_memory)
        error = self.assertRaises(BackupProblem, file.unseal, b"right")
        self.assertIn("2048 MiB of memory", error.what)
        self.assertIn("may well be whole", error.hint)
        self.assertNotIn("cut off", error.what)
        self.assertEqual(asked, [2**31])


class FormTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.data = age_file(b"in it", "right")

    def read(self, data: bytes) -> bytes:
        self.path.write_bytes(data)
        return read_sealed_file(self.path).unseal(b"right")

    # Promise R74
    def test_in_armour(self) -> None:
        plain, crlf = armoured(self.data), armoured(self.data, b"\r\n")
        for data in (plain, crlf, b"\n " + plain + b"\n\n", b"\xef\xbb\xbf" + crlf):
            self.assertEqual(self.read(data), b"in it")

    # Promise R74
    def test_of_age_in_armour(self) -> None:
        file = parse_sealed_file(PATH, BY_AGE)
        self.assertEqual((file.work, file.unseal(b"open sesame")), (18, b"hello"))

    # Promise R74
    def test_with_other_ends_of_line(self) -> None:
        """What a transfer as text makes of the binary file."""
        self.assertEqual(self.read(self.data.replace(b"\n", b"\r\n")), b"in it")

    # Promise R74
    def test_the_longest_one_in_armour(self) -> None:
        longest = armoured(bytes(limits.MAX_BACKUP_FILE), b"\r\n")
        self.assertLessEqual(len(longest), limits.MAX_BACKUP_TEXT)

    # Promise R74
    def test_armour_that_is_damaged(self) -> None:
        whole = armoured(self.data)
        for data in (whole.replace(b"YWdl", b"YWd=", 1), whole.replace(b"\n", b"A\n", 2)):
            self.path.write_bytes(data)
            error = self.assertRaises(BackupProblem, read_sealed_file, self.path)
            self.assertRegex(error.what, "armour is cut off|no backup")
        for data in (whole[:200], whole[:-30], whole.replace(b"YWdl", b"YW!l", 1)):
            self.path.write_bytes(data)
            error = self.assertRaises(BackupProblem, read_sealed_file, self.path)
            self.assertIn("armour is cut off", error.what)

    # Promise R75
    def test_however_the_accents_are_typed(self) -> None:
        for made, typed in itertools.product((COMPOSED, APART), repeat=2):
            file = parse_sealed_file(PATH, age_file(b"x", made))
            self.assertEqual(file.unseal(typed.encode()), b"x")
            self.assertRaises(PassPhraseProblem, file.unseal, b"cafe")


class SealingTests(SynchronousTestCase):
    """pyrage measures the machine once, for some milliseconds; we look at what it makes of that."""

    def measuring(self, *works: int) -> list[str]:
        """Pyrage takes these amounts of work, one after the other; the pass phrases it gets."""
        left, phrases = list(works), list[str]()

        def encrypt(data: bytes, pass_phrase: str) -> bytes:
            phrases.append(pass_phrase)
            return asking_for_work(data, left.pop(0))

        self.patch(pyrage.passphrase, "encrypt", encrypt)
        return phrases

    # Promise R72
    def test_too_little_or_too_much_is_measured_again(self) -> None:
        good, high = limits.GOOD_SCRYPT_WORK, limits.MAX_SCRYPT_WORK
        for strange in (10, limits.MIN_SCRYPT_WORK, good - 1, high + 1):
            self.measuring(strange, good)
            self.assertEqual(parse_sealed_file(PATH, seal(b"x", "right")).work, good)
        self.measuring(high)
        self.assertEqual(parse_sealed_file(PATH, seal(b"x", "right")).work, high)

    # Promise R72
    def test_a_slow_machine_has_the_most_that_it_takes(self) -> None:
        low = limits.MIN_SCRYPT_WORK
        phrases = self.measuring(10, low, low + 1, low, limits.MAX_SCRYPT_WORK + 1)
        self.assertEqual(parse_sealed_file(PATH, seal(b"x", "right")).work, low + 1)
        self.assertEqual(len(phrases), limits.SEAL_TRIES)

    # Promise R72
    def test_but_not_for_ever(self) -> None:
        phrases = self.measuring(*[10] * limits.SEAL_TRIES)
        error = self.assertRaises(BackupProblem, seal, b"x", "right")
        self.assertIn("less busy", error.hint)
        self.assertEqual(len(phrases), limits.SEAL_TRIES)

    # Promise R75
    def test_the_pass_phrase_has_its_one_spelling(self) -> None:
        phrases = self.measuring(18)
        seal(b"x", APART)
        self.assertEqual(phrases, [COMPOSED])

    # Promise R72
    def test_the_other_process_says_so_too(self) -> None:
        def run(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
            return subprocess.CompletedProcess(command, 3, b"", b"")

        self.patch(subprocess, "run", run)
        error = self.assertRaises(BackupProblem, seal_in_a_process, b"x", "right")
        self.assertIn("less busy", error.hint)


class NeverWrittenTests(BackingUpCase):
    """`/backup` writes nothing that restoring would refuse."""

    # Promise R73
    def test_too_much_work(self) -> None:
        self.seal = lambda data, phrase: asking_for_work(data, limits.MAX_SCRYPT_WORK + 1)
        self.assertIn("more work", self.refused(BackupProblem, asked=2).what)

    # Promise R73
    def test_another_form(self) -> None:
        self.seal = lambda data, phrase: b"age-encryption.org/v2\n" + data
        self.refused(BackupProblem, asked=2)

    # Promise R73
    def test_files_that_restoring_refuses_before_anything_is_asked(self) -> None:
        self.patch(backup, "_FILES", {**backup._FILES, "profile.toml": 10})
        error = self.refused(BackupProblem, asked=0)
        self.assertIn("could not be restored", error.what)
        self.assertIn("profile.toml is too long", error.what)

    # Promise R73
    def test_pass_phrases_that_cannot_be_said_again(self) -> None:
        for phrase in ("a\nb", "a\r", "a\x1bb", "\0", "\ufeffa", "a\x85"):
            self.notes.secrets, self.notes.questions = [phrase, phrase], []
            self.refused(PassPhraseProblem, asked=1)

    # Promise R75
    def test_the_same_again_may_be_spelt_otherwise(self) -> None:
        self.notes.secrets = [APART, COMPOSED]
        self.successResultOf(self.make())
