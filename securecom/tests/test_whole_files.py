"""Private files: whole or not there, ours alone, and never somebody else's by a link."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from securecom import whole_files


class WholeFilesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path, self.new = self.folder / "file", self.folder / ".file.new"
        self.other = self.folder / "other"
        self.other.write_bytes(b"theirs")
        self.addCleanup(os.umask, os.umask(0))

    def modes(self) -> int:
        return self.path.stat().st_mode & 0o777

    def test_made_and_replaced_they_are_ours_alone(self) -> None:
        whole_files.create(self.path, b"one")
        self.assertEqual((self.path.read_bytes(), self.modes()), (b"one", 0o600))
        self.path.chmod(0o644)
        whole_files.replace(self.path, b"two")
        self.assertEqual((self.path.read_bytes(), self.modes()), (b"two", 0o600))
        self.assertFalse(self.new.exists())

    def test_nothing_that_stands_there_is_written_to(self) -> None:
        self.path.symlink_to(self.other)
        self.assertRaises(FileExistsError, whole_files.create, self.path, b"one")
        whole_files.replace(self.path, b"one")
        self.assertFalse(self.path.is_symlink())
        self.assertEqual(self.other.read_bytes(), b"theirs")

    def test_what_a_crash_left_is_neither_in_the_way_nor_followed(self) -> None:
        self.new.symlink_to(self.other)
        whole_files.replace(self.path, b"one")
        self.assertEqual((self.path.read_bytes(), self.other.read_bytes()), (b"one", b"theirs"))

    def test_what_cannot_be_written_leaves_the_old_one(self) -> None:
        whole_files.create(self.path, b"one")
        self.new.mkdir()
        self.assertRaises(OSError, whole_files.replace, self.path, b"two")
        self.assertEqual(self.path.read_bytes(), b"one")

    def test_who_is_let_in_by_a_mode(self) -> None:
        for mode in (0o600, 0o700, 0o000):
            self.assertFalse(whole_files.is_open_to_others(mode))
        for mode in (0o640, 0o604, 0o610, 0o601, 0o620, 0o602):
            self.assertTrue(whole_files.is_open_to_others(mode))
