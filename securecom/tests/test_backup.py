"""Backups as bytes: what is packed comes back, and nothing else is taken for a backup."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.profile.backup import Backup, SealedFile, read_sealed_file, seal, unpacked
from securecom.errors import BackupProblem, PassPhraseProblem
from securecom.tests.support.age_files import age_file, asking_for_work
from securecom.values import replace

PATH = Path("kept.age")
BACKUP = Backup(b"a profile", b"an identity", b"pins", b"retired")
FILES = {
    "securecom-backup": b"securecom backup 1\n",
    "profile.toml": b"a profile",
    "identity": b"an identity",
    "known_peers": b"pins",
    "retirements": b"retired",
}


def tar_of(
    members: Iterable[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.GNU_FORMAT
) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=form) as tar:
        for member, data in members:
            tar.addfile(member, io.BytesIO(data))
    return whole.getvalue()


def member(name: str, data: bytes, kind: bytes = tarfile.REGTYPE) -> tuple[tarfile.TarInfo, bytes]:
    one = tarfile.TarInfo(name)
    one.type, one.size = kind, len(data)
    return one, data


class PackingTests(SynchronousTestCase):
    def test_what_is_packed_comes_back(self) -> None:
        self.assertEqual(unpacked(PATH, BACKUP.packed()), BACKUP)

    def test_any_tar_opens_it_and_finds_these_files(self) -> None:
        with tarfile.open(fileobj=io.BytesIO(BACKUP.packed()), mode="r:") as tar:
            found = {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]
            members = tar.getmembers()
        self.assertEqual(found, FILES)
        self.assertEqual(list(found), list(FILES))
        for one in members:
            facts = (one.mode, one.uid, one.gid, one.uname, one.gname, one.mtime)
            self.assertEqual(facts, (0o600, 0, 0, "", "", 0))

    def test_the_same_files_are_the_same_bytes(self) -> None:
        self.assertEqual(BACKUP.packed(), Backup(*list(FILES.values())[1:]).packed())

    def test_the_longest_files_fit_what_is_opened(self) -> None:
        longest = Backup(
            bytes(limits.MAX_PROFILE_FILE),
            bytes(limits.MAX_IDENTITY_FILE),
            bytes(limits.MAX_KNOWN_PEERS_FILE),
            bytes(limits.MAX_RETIREMENTS_FILE),
        )
        self.assertEqual(unpacked(PATH, longest.packed()), longest)
        self.assertLess(len(age_file(longest.packed(), "x")), limits.MAX_BACKUP_FILE)

    def test_one_that_was_packed_by_another_tar(self) -> None:
        for form in (tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT):
            data = tar_of((member(*one) for one in FILES.items()), form)
            self.assertEqual(unpacked(PATH, data), BACKUP)


class StrangeTarTests(SynchronousTestCase):
    def refused(self, data: bytes, why: str) -> None:
        error = self.assertRaises(BackupProblem, unpacked, PATH, data)
        self.assertIn(why, error.what)
        self.assertIn("kept.age", error.what)
        self.assertIn("Nothing was changed", error.hint)

    def changed(self, **files: bytes) -> bytes:
        names = {"profile": "profile.toml", "version": "securecom-backup"}
        changed = {names.get(name, name): data for name, data in files.items()}
        return tar_of(member(*one) for one in (FILES | changed).items())

    def test_each_file_has_to_be_there(self) -> None:
        for name in list(FILES)[1:]:
            some = [member(*one) for one in FILES.items() if one[0] != name]
            if name == "retirements":  # nobody has to have met anybody who retired a key
                self.assertEqual(unpacked(PATH, tar_of(some)), replace(BACKUP, retirements=None))
            else:
                self.refused(tar_of(some), f"{name} is not in it")
        self.refused(tar_of([]), "securecom-backup is not in it")

    def test_the_version_comes_first(self) -> None:
        some = [member(*one) for one in FILES.items()]
        self.refused(tar_of(reversed(some)), "does not begin")
        self.refused(self.changed(version=b"securecom backup one\n"), "does not begin")
        first = member("profile.toml", FILES["securecom-backup"])
        self.refused(tar_of([first, *some[:1], *some[2:]]), "does not begin")

    def test_a_newer_version_says_so_whatever_else_is_in_it(self) -> None:
        newer = [member("securecom-backup", b"securecom backup 2\n"), member("new", b"")]
        error = self.assertRaises(BackupProblem, unpacked, PATH, tar_of(newer))
        self.assertIn("version 2", error.what)
        self.assertIn("newer securecom", error.hint)

    # Promise T115
    def test_no_file_beside_them(self) -> None:
        for name in (
            "more",
            "../identity",
            "/etc/passwd",
            "profile.toml/x",
            "./identity",
            "\x1b[2J",
        ):
            more = [*(member(*one) for one in FILES.items()), member(name, b"")]
            self.refused(tar_of(more), "does not belong")
        self.assertNotIn("\x1b", self._what(tar_of([member("\x1b[2J", b"")])))

    def _what(self, data: bytes) -> str:
        return str(self.assertRaises(BackupProblem, unpacked, PATH, data).what)

    def test_no_file_twice(self) -> None:
        twice = [*(member(*one) for one in FILES.items()), member("identity", b"another")]
        self.refused(tar_of(twice), "identity is in it twice")

    # Promise T115
    def test_plain_files_only(self) -> None:
        kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE)
        others = (tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE)
        for kind in (*kinds, *others):
            link, _ = member("identity", b"", kind)
            link.linkname = "/etc/passwd"
            some = [
                link if name == "identity" else member(name, data)[0]
                for name, data in FILES.items()
            ]
            data = tar_of((one, FILES[one.name][: one.size]) for one in some)
            self.refused(data, "identity is not a regular file")

    def test_no_long_names_and_no_headers_that_say_more(self) -> None:
        one, data = member("identity", b"an identity")
        one.pax_headers = {"comment": "x"}
        self.refused(
            tar_of(
                [member("securecom-backup", FILES["securecom-backup"]), (one, data)],
                tarfile.PAX_FORMAT,
            ),
            "does not belong",
        )
        self.refused(tar_of([member("n" * 300, b"")]), "does not belong")

    def test_a_file_that_is_too_long(self) -> None:
        self.refused(self.changed(profile=bytes(limits.MAX_PROFILE_FILE + 1)), "too long")
        self.refused(self.changed(identity=bytes(limits.MAX_IDENTITY_FILE + 1)), "too long")

    def test_a_length_below_nothing(self) -> None:
        one, _ = member("securecom-backup", b"")
        one.size = -512
        block = one.tobuf(tarfile.GNU_FORMAT)
        self.refused(block + bytes(1024), "too long")

    def test_what_is_cut_off(self) -> None:
        whole = BACKUP.packed()
        self.refused(whole[:600], "does not end")
        self.refused(whole[:520], "securecom-backup is cut off")
        self.refused(whole[:1100], "no tar file")
        self.refused(b"", "does not end")

    def test_something_behind_the_end(self) -> None:
        self.refused(BACKUP.packed() + b"x", "does not end")

    def test_what_is_no_tar_file(self) -> None:
        self.refused(b"x" * 2000, "no tar file")
        header = bytearray(BACKUP.packed())
        header[0] ^= 1  # the sum of the header is not right any more
        self.refused(bytes(header), "no tar file")
        one, data = member("\xe4", b"")
        self.refused(tar_of([(one, data)]), "no tar file")

    @settings(deadline=None, max_examples=200)
    @given(st.integers(0, 4000), st.binary(min_size=1, max_size=12))
    def test_whatever_is_changed_it_is_refused_or_plain(self, at: int, junk: bytes) -> None:
        data = bytearray(BACKUP.packed())
        data[at : at + len(junk)] = junk
        try:
            found = unpacked(PATH, bytes(data))
        except BackupProblem:
            return
        self.assertIsInstance(found, Backup)


class SealedFileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    def read(self, data: bytes) -> SealedFile:
        self.path.write_bytes(data)
        return read_sealed_file(self.path)

    def refused(self, data: bytes) -> str:
        return str(self.assertRaises(BackupProblem, self.read, data).what)

    # Promise T109
    def test_what_is_sealed_comes_back_only_with_its_pass_phrase(self) -> None:
        """The one test here that does the whole work."""
        file = self.read(seal(b"a secret", "p\u00e4ss phrase"))
        self.assertNotIn(b"a secret", file.data)
        self.assertEqual(file.unseal("p\u00e4ss phrase".encode()), b"a secret")
        work = int(file.data.split(b"\n")[1].split()[-1])
        self.assertGreaterEqual(work, 15)

    def test_what_another_program_sealed(self) -> None:
        for data in (b"", b"x", bytes(200_000)):
            self.assertEqual(self.read(age_file(data, "right")).unseal(b"right"), data)

    def test_a_wrong_pass_phrase(self) -> None:
        file = self.read(age_file(b"x", "right"))
        for phrase in (b"wrong", b"", b"\xff"):
            error = self.assertRaises(PassPhraseProblem, file.unseal, phrase)
            self.assertIn(str(self.path), error.what)

    # Promise T113
    def test_damage_is_told_from_a_wrong_pass_phrase(self) -> None:
        whole = age_file(bytes(200_000), "right")
        chunk = len(whole) - (200_000 % 65536) - 16  # the first byte of the last one
        flipped = whole[:-1] + bytes([whole[-1] ^ 1])
        for data in (whole[:-1], whole[:chunk], whole[:300], flipped, whole + b"x"):
            file = self.read(data)
            error = self.assertRaises(BackupProblem, file.unseal, b"right")
            self.assertIn("cannot be restored", error.what)

    # Promise T114
    def test_work_without_bound_is_refused_before_it_is_done(self) -> None:
        most = limits.MAX_SCRYPT_WORK
        self.read(asking_for_work(b"x", most))
        for work in (most + 1, 30, 63, 99):
            self.assertIn("more work", self.refused(asking_for_work(b"x", work)))
        for work in (0, 256):
            self.assertIn("no backup", self.refused(asking_for_work(b"x", work)))

    # Promise T114
    def test_nothing_but_a_pass_phrase_opens_it(self) -> None:
        version, scrypt, key, rest = age_file(b"x", "right").split(b"\n", 3)
        for more in (b"-> a\n" * 2, b"\n".join((scrypt, key, b"")), b"-> X25519 abc\nabc\n"):
            data = b"\n".join((version, scrypt, key, more + rest))
            self.assertIn("no backup of securecom", self.refused(data))

    def test_a_file_of_another_kind(self) -> None:
        armoured = b"-----BEGIN AGE ENCRYPTED FILE-----\n"
        for_a_key = b"age-encryption.org/v1\n-> X25519 abc\nabc\n--- abc\n"
        newer = age_file(b"x", "right").replace(b"/v1", b"/v2", 1)
        for data in (b"", b"rubbish", armoured, for_a_key, newer):
            self.assertIn("no backup of securecom", self.refused(data))

    # Promise T114
    def test_too_long_a_file_is_not_read_to_its_end(self) -> None:
        head = age_file(b"", "right")
        self.assertIn("too long", self.refused(head + bytes(limits.MAX_BACKUP_FILE)))
        self.read(head + bytes(limits.MAX_BACKUP_FILE - len(head)))

    def test_a_file_that_is_not_there(self) -> None:
        error = self.assertRaises(BackupProblem, read_sealed_file, self.path)
        self.assertIn("no such file", error.what)

    def test_a_bare_tar_file_is_no_backup(self) -> None:
        self.assertIn("no backup", self.refused(BACKUP.packed()))
