"""Agreed logs on a disk: whose they are, where they are, and what stands in their way."""

from __future__ import annotations

import errno
import os
import stat
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.profile.log_files import LogFiles
from securecom.identity import Name

NOW = 1_800_000_000.0
AT = time.strftime("%Y-%m-%d-%H%M%S", time.localtime(NOW))
BOB = Name("bob")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


class LogFilesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Path(self.mktemp())
        self.home.mkdir()
        self.logs = LogFiles(self.home, lambda: NOW)
        self.folder = self.home / "logs" / "bob"

    def elsewhere(self) -> Path:
        place = Path(self.mktemp())
        place.mkdir()
        return place

    def test_a_file_of_its_own_each_time(self) -> None:
        before = len(os.listdir("/proc/self/fd"))
        for name in (f"{AT}.txt", f"{AT}-2.txt", f"{AT}-3.txt"):
            file = self.logs.open(BOB)
            self.assertEqual(file.path, str(self.folder / name))
            file.append(name.encode())
            file.close()
            self.assertEqual((self.folder / name).read_text(), name)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    # Promise T112
    def test_nobody_else_may_read_it_even_with_a_careless_umask(self) -> None:
        self.addCleanup(os.umask, os.umask(0))
        file = self.logs.open(BOB)
        self.assertEqual(mode(Path(file.path)), 0o600)
        self.assertEqual((mode(self.folder), mode(self.folder.parent)), (0o700, 0o700))

    def test_a_folder_that_others_could_enter_is_closed_to_them(self) -> None:
        self.folder.mkdir(parents=True)
        for folder in (self.folder, self.folder.parent):
            folder.chmod(0o755)
        self.logs.open(BOB).close()
        self.assertEqual((mode(self.folder), mode(self.folder.parent)), (0o700, 0o700))

    def test_what_was_appended_is_there_whatever_becomes_of_us(self) -> None:
        file = self.logs.open(BOB)
        file.append(b"one\n")
        file.append(b"two\n")
        self.assertEqual(Path(file.path).read_bytes(), b"one\ntwo\n")

    def test_a_system_that_takes_less_at_once_gets_the_rest_later(self) -> None:
        write = os.write
        self.patch(os, "write", lambda number, data: write(number, data[:3]))
        file = self.logs.open(BOB)
        file.append(b"more than three\n")
        self.assertEqual(Path(file.path).read_bytes(), b"more than three\n")

    def test_links_are_not_followed(self) -> None:
        place = self.elsewhere()
        (self.home / "logs").symlink_to(place.absolute())
        self.assertRaises(OSError, self.logs.open, BOB)
        (self.home / "logs").unlink()
        self.folder.parent.mkdir()
        self.folder.symlink_to(place.absolute())
        self.assertRaises(OSError, self.logs.open, BOB)
        self.assertEqual(list(place.iterdir()), [])

    def test_nor_is_a_link_where_the_file_would_be(self) -> None:
        target = self.elsewhere() / "target"
        self.folder.mkdir(parents=True)
        (self.folder / f"{AT}.txt").symlink_to(target.absolute())
        self.assertEqual(self.logs.open(BOB).path, str(self.folder / f"{AT}-2.txt"))
        self.assertFalse(target.exists())

    def test_there_is_an_end_to_looking_for_a_name(self) -> None:
        for _ in range(limits.MAX_LOG_ASKS):
            self.logs.open(BOB).close()
        self.assertRaises(FileExistsError, self.logs.open, BOB)

    def test_a_home_that_is_not_there(self) -> None:
        self.home.rmdir()
        self.assertRaises(FileNotFoundError, self.logs.open, BOB)

    def test_nothing_stays_open_after_a_failure(self) -> None:
        self.folder.mkdir(parents=True)
        before = len(os.listdir("/proc/self/fd"))

        def refuse(*_: object) -> None:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        self.patch(os, "fchmod", refuse)
        self.assertRaises(OSError, self.logs.open, BOB)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
