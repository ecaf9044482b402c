"""Unfinished files: private, found again, never through a link, and not kept for ever."""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.files.parts import Destination, Part, place_for
from securecom.errors import FileFailed, FileProblem

DATA = b"0123456789" * 100


def wanted() -> bool:
    return True


class PartCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.place = Destination(self.folder, "plan.pdf", is_default=True, is_exact=False)

    def part(self, about: bytes = b"about", place: Destination | None = None) -> Part:
        part = Part(place or self.place, about, len(DATA), hashlib.sha256(DATA).digest())
        self.addCleanup(part.close)
        return part

    def begun(self, data: bytes = b"") -> Part:
        part = self.part()
        part.open(wanted)
        part.write(data)
        return part

    def names(self) -> list[str]:
        return sorted(os.listdir(self.folder))

    def refused(self, part: Part) -> str:
        return str(self.assertRaises(FileProblem, part.open, wanted))


class WholeTests(PartCase):
    def test_it_is_private_and_has_no_name_before_it_is_whole(self) -> None:
        part = self.begun(DATA[:500])
        (name,) = self.names()
        self.assertTrue(name.startswith(".securecom-") and name.endswith(".part"))
        self.assertEqual(stat.S_IMODE((self.folder / name).stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(self.folder.stat().st_mode), 0o700)
        part.write(DATA[500:])
        self.assertEqual(part.finish(), str(self.folder / "plan.pdf"))
        self.assertEqual(self.names(), ["plan.pdf"])
        self.assertEqual((self.folder / "plan.pdf").read_bytes(), DATA)

    # Promise T232
    def test_a_file_has_its_name_only_when_it_is_on_the_disk(self) -> None:
        part, done = self.begun(DATA), []
        for name in ("fsync", "link", "unlink"):
            call = getattr(os, name)

            def noted(*values: Any, name: str = name, call: Any = call, **folders: int) -> None:
                is_folder = name == "fsync" and stat.S_ISDIR(os.fstat(values[0]).st_mode)
                done.append("fsync of the folder" if is_folder else name)
                call(*values, **folders)

            self.patch(os, name, noted)
        part.finish()
        self.assertEqual(done, ["fsync", "link", "unlink", "fsync of the folder"])

    # Promise T232
    def test_what_has_another_hash_gets_no_name(self) -> None:
        for data in (DATA[1:] + b"x", DATA[:-1]):
            self.assertIsNone(self.begun(data).finish())
            self.assertEqual(self.names(), [])

    # Promise C122, T231
    def test_no_name_is_taken_from_another_file(self) -> None:
        self.folder.mkdir()
        (self.folder / "plan.pdf").symlink_to("nowhere")
        (self.folder / "plan (1).pdf").mkdir()
        path = self.begun(DATA).finish()
        self.assertEqual(path, str(self.folder / "plan (2).pdf"))
        self.assertTrue((self.folder / "plan.pdf").is_symlink())

    # Promise C122
    def test_on_a_disk_without_hard_links(self) -> None:
        def link(*_: object, **__: object) -> None:
            raise OSError(1, "Operation not permitted")

        self.patch(os, "link", link)
        self.folder.mkdir()
        (self.folder / "plan.pdf").write_bytes(b"mine")
        self.begun(DATA).finish()
        self.assertEqual(self.names(), ["plan (1).pdf", "plan.pdf"])
        self.assertEqual((self.folder / "plan.pdf").read_bytes(), b"mine")
        self.assertEqual((self.folder / "plan (1).pdf").read_bytes(), DATA)


class AgainTests(PartCase):
    def test_it_goes_on_where_it_was(self) -> None:
        self.assertTrue(self.begun(DATA[:300]).leave())
        part = self.part()
        self.assertEqual(part.open(wanted), hashlib.sha256(DATA[:300]).digest())
        self.assertEqual(part.at, 300)
        part.write(DATA[300:])
        self.assertIsNotNone(part.finish())

    def test_it_begins_anew(self) -> None:
        self.begun(b"x" * 300).leave()
        part = self.part()
        part.open(wanted)
        part.restart()
        part.write(DATA)
        self.assertIsNotNone(part.finish())

    def test_one_that_is_longer_than_the_file_begins_anew(self) -> None:
        self.begun(DATA + DATA).leave()
        part = self.part()
        self.assertEqual(part.open(wanted), hashlib.sha256().digest())
        self.assertEqual(part.at, 0)

    # Promise C122
    def test_one_that_was_finished_meanwhile_is_left_alone(self) -> None:
        first, second, lock = self.begun(DATA), self.part(), fcntl.flock

        def late(number: int, operation: int) -> None:
            self.patch(fcntl, "flock", lock)
            first.finish()
            lock(number, operation)

        def no_links(*_: object, **__: object) -> None:
            raise OSError(1, "Operation not permitted")

        for link in (os.link, no_links):
            self.patch(fcntl, "flock", late)
            self.patch(os, "link", link)
            self.assertIn("received already", self.refused(second))
            first, second = self.begun(DATA), self.part()
        saved = [self.folder / name for name in self.names() if name.startswith("plan")]
        self.assertEqual([path.read_bytes() for path in saved], [DATA, DATA])

    def test_nothing_is_left_of_one_without_bytes(self) -> None:
        self.assertFalse(self.begun().leave())
        self.assertEqual(self.names(), [])

    def test_reading_ends_when_it_is_not_wanted(self) -> None:
        self.begun(DATA[:300]).leave()
        part = self.part()
        self.assertRaises(FileProblem, part.open, lambda: False)
        self.assertEqual(len(self.names()), 1)

    def test_two_at_once(self) -> None:
        self.begun(DATA[:300])
        self.assertIn("being received already", self.refused(self.part()))


class IntruderTests(PartCase):
    """Somebody else may write into the folder."""

    def setUp(self) -> None:
        super().setUp()
        self.begun(DATA[:300]).leave()
        (name,) = self.names()
        self.path = self.folder / name

    # Promise T231
    def test_a_link_is_not_followed(self) -> None:
        self.path.unlink()
        self.path.symlink_to((self.folder / "elsewhere").absolute())
        self.assertIn("cannot be used", self.refused(self.part()))
        self.assertFalse((self.folder / "elsewhere").exists())

    def test_a_second_name_is_noticed(self) -> None:
        os.link(self.path, self.folder / "second")
        self.assertIn("not our own", self.refused(self.part()))

    def test_a_file_that_is_open_to_others(self) -> None:
        self.path.chmod(0o644)
        self.assertIn("not our own", self.refused(self.part()))

    def test_a_file_of_somebody_else(self) -> None:
        self.patch(os, "geteuid", lambda: self.path.stat().st_uid + 1)
        self.assertIn("not our own", self.refused(self.part()))

    def test_a_pipe(self) -> None:
        self.path.unlink()
        os.mkfifo(self.path, 0o600)
        self.assertIn("not our own", self.refused(self.part()))


class SweepTests(PartCase):
    def test_old_ones_go_and_so_do_too_many(self) -> None:
        for number in range(limits.MAX_PARTS + 3):
            part = self.part(b"%d" % number)
            part.open(wanted)
            part.write(b"x")
            part.leave()
        self.assertLessEqual(len(self.names()), limits.MAX_PARTS)
        for name in self.names():
            os.utime(self.folder / name, (0, 0))
        self.begun(b"x").leave()
        self.assertEqual(len(self.names()), 1)

    def test_nothing_else_goes(self) -> None:
        self.folder.mkdir()
        for name in (".securecom-x.part", "a.part", f".securecom-{'0' * 32}.partly"):
            (self.folder / name).write_bytes(b"x")
            os.utime(self.folder / name, (0, 0))
        self.begun(b"x").leave()
        self.assertEqual(len(self.names()), 4)

    def test_one_that_another_client_writes_stays(self) -> None:
        self.folder.mkdir()
        path = self.folder / f".securecom-{'0' * 32}.part"
        with path.open("wb") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            os.utime(path, (0, 0))
            self.begun(b"x").leave()
            self.assertTrue(path.exists())


class PlaceTests(PartCase):
    def test_where_a_file_goes(self) -> None:
        there = self.folder / "there"
        there.mkdir(parents=True)
        told = place_for("plan.pdf", self.folder, None)
        self.assertEqual((told.folder, told.name, told.is_exact), (self.folder, "plan.pdf", False))
        told = place_for("plan.pdf", self.folder, str(there))
        self.assertEqual((told.folder, told.name, told.is_exact), (there, "plan.pdf", False))
        told = place_for("plan.pdf", self.folder, str(there / "own.pdf"))
        self.assertEqual((told.folder, told.name, told.is_exact), (there, "own.pdf", True))

    def test_where_it_cannot_go(self) -> None:
        self.folder.mkdir()
        (self.folder / "link").symlink_to("nowhere")
        for path in ("link", "no/such/file", "new/", "\0"):
            self.assertRaises(FileProblem, place_for, "x", self.folder, f"{self.folder}/{path}")

    def test_a_home_that_is_not_there(self) -> None:
        error = self.assertRaises(
            FileProblem, place_for, "x", self.folder, "~nobody-has-this-name/x"
        )
        self.assertIn("no such home folder", str(error))

    def test_a_folder_that_cannot_be_made(self) -> None:
        self.folder.write_bytes(b"a file")
        self.assertIn("cannot be used", self.refused(self.part()))

    def test_a_disk_that_fails_at_the_end(self) -> None:
        part = self.begun(DATA)

        def fsync(_: int) -> None:
            raise OSError(5, "Input/output error")

        self.patch(os, "fsync", fsync)
        self.assertRaises(FileFailed, part.finish)
        self.assertEqual(len(self.names()), 1)
