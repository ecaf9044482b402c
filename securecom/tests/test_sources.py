"""What is sent: found, read, packed; and what has changed since is noticed."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.files import sources
from securecom.client.files.sources import FileChanged, Source, opened, piped
from securecom.errors import FileFailed, FileProblem

DATA = bytes(range(256)) * 40
NOTHING = hashlib.sha256().digest()


def wanted() -> bool:
    return True


class SourceCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Path(self.mktemp())
        self.home.mkdir()
        self.path = self.home / "plan.pdf"
        self.path.write_bytes(DATA)

    def open(self, path: str | None = None) -> Source:
        source = opened(path or str(self.path), self.home, lambda: True)
        self.addCleanup(source.close)
        return source

    def refused(self, path: str) -> str:
        return str(self.assertRaises(FileProblem, opened, path, self.home, lambda: True))


class ReadingTests(SourceCase):
    def test_size_and_hash(self) -> None:
        source = self.open()
        self.assertEqual((source.name, source.size), ("plan.pdf", len(DATA)))
        self.assertEqual(source.sha256, hashlib.sha256(DATA).digest())

    def test_from_the_beginning_to_the_end(self) -> None:
        source = self.open()
        self.assertEqual(source.begin(0, NOTHING, wanted), 0)
        self.assertEqual(source.read(10_000) + source.read(10_000), DATA)
        self.assertEqual(source.read(), b"")

    def test_from_where_somebody_is(self) -> None:
        source = self.open()
        self.assertEqual(source.begin(5000, hashlib.sha256(DATA[:5000]).digest(), wanted), 5000)
        self.assertEqual(source.read(), DATA[5000:])

    def test_what_somebody_has_is_not_its_beginning(self) -> None:
        source = self.open()
        for offset in (5000, len(DATA), len(DATA) + 1):
            self.assertEqual(source.begin(offset, NOTHING, wanted), 0)
        self.assertEqual(source.read(), DATA)

    # Promise T237
    def test_looking_for_where_somebody_is_ends_when_it_is_not_wanted(self) -> None:
        self.patch(limits, "FILE_READ", 100)
        source, answers = self.open(), [True, True, False]
        self.assertRaises(FileFailed, source.begin, 5000, NOTHING, lambda: answers.pop(0))
        self.assertEqual(answers, [])

    def test_a_change_is_noticed_before_the_last_bytes_are_given(self) -> None:
        source = self.open()
        source.begin(0, NOTHING, wanted)
        self.path.write_bytes(DATA[:-1] + b"x")
        source.read(len(DATA) - 1)
        self.assertRaises(FileChanged, source.read)

    def test_one_that_grows_is_sent_as_it_was_offered(self) -> None:
        source = self.open()
        with self.path.open("ab") as file:
            file.write(b"more")
        self.assertEqual(source.begin(0, NOTHING, wanted), 0)
        self.assertEqual(source.read(), DATA)

    def test_a_disk_that_cannot_be_read(self) -> None:
        source = self.open()

        def pread(*_: int) -> bytes:
            raise OSError(5, "Input/output error")

        self.patch(os, "pread", pread)
        error = self.assertRaises(FileFailed, source.read)
        self.assertIn("input/output error", str(error))
        self.assertIn("cannot be read", self.refused(str(self.path)))

    def test_what_is_not_wanted_any_more_is_not_read_on(self) -> None:
        for read in (
            lambda: opened(str(self.path), self.home, lambda: False),
            lambda: opened(str(self.home), self.home, lambda: False),
        ):
            self.assertRaises(FileProblem, read)
        self.assertEqual(os.listdir(self.home), ["plan.pdf"])


class FoldersTests(SourceCase):
    def test_too_many_files(self) -> None:
        self.patch(limits, "MAX_FOLDER_ENTRIES", 2)
        (self.home / "more").write_bytes(b"")
        self.assertIn("more than 2 files", self.refused(str(self.home)))

    def test_one_that_cannot_be_read(self) -> None:
        def nowhere(_: Path) -> int:
            raise OSError(28, "No space left on device")

        self.patch(sources, "_nameless", nowhere)
        self.assertIn("the disk is full", self.refused(str(self.home)))

    # Promise T237
    def test_a_large_file_in_it_is_not_read_on_when_it_is_not_wanted(self) -> None:
        with (self.home / "large").open("wb") as file:
            file.truncate(2**25)
        answers = [*[True] * 20, False]
        self.patch(sources, "_examined", None)  # it does not come so far
        call = (opened, str(self.home), self.home, lambda: answers.pop(0))
        self.assertRaises(FileProblem, *call)
        self.assertEqual(answers, [])

    def test_one_that_is_nested_too_deeply(self) -> None:
        def add(*_: object, **__: object) -> None:
            raise RecursionError

        self.patch(tarfile.TarFile, "add", add)
        self.assertIn("nested too deeply", self.refused(str(self.home)))

    def test_a_home_that_is_not_there(self) -> None:
        self.assertIn("no such home folder", self.refused("~nobody-has-this-name/x"))

    def test_its_name_is_that_of_the_folder_however_it_is_written(self) -> None:
        folder = self.home / "photos"
        folder.mkdir()
        for path in (f"{folder}/", f"{folder}/.", str(folder)):
            self.assertEqual(self.open(path).name, "photos.tar")

    def test_a_link_to_a_folder_is_that_folder_and_links_in_it_stay_links(self) -> None:
        folder, link = self.home / "folder", self.home / "photos"
        folder.mkdir()
        (folder / "a").write_bytes(b"here")
        (folder / "b").symlink_to("a")
        link.symlink_to("folder")
        source = self.open(str(link))
        source.begin(0, NOTHING, wanted)
        with tarfile.open(fileobj=io.BytesIO(source.read())) as tar:
            kinds = {one.name: (one.isdir(), one.isreg(), one.issym()) for one in tar}
        self.assertEqual(
            kinds,
            {
                "photos": (True, False, False),
                "photos/a": (False, True, False),
                "photos/b": (False, False, True),
            },
        )

    def test_a_larger_file_than_there_may_be(self) -> None:
        self.patch(limits, "MAX_FILE", 10)
        self.assertIn("larger than a file may be", self.refused(str(self.path)))


class PipeTests(SourceCase):
    def test_a_regular_file_is_not_copied(self) -> None:
        self.patch(sources, "_nameless", None)
        number = os.open(self.path, os.O_RDONLY)
        source = piped(number, self.home, lambda: True)
        self.addCleanup(source.close)
        self.assertEqual(source.sha256, hashlib.sha256(DATA).digest())

    def test_nothing_is_left_of_a_copy(self) -> None:
        reading, writing = os.pipe()
        os.write(writing, b"from a pipe")
        os.close(writing)
        source = piped(reading, self.home, lambda: True)
        self.addCleanup(source.close)
        self.assertEqual(source.size, 11)
        self.assertEqual(os.listdir(self.home), ["plan.pdf"])

    def test_one_that_says_nothing_is_left_when_it_is_not_wanted(self) -> None:
        self.patch(limits, "PIPE_LOOK", 0.001)
        reading, writing = os.pipe()
        self.addCleanup(os.close, writing)
        answers = [True, True, False]
        self.assertRaises(FileProblem, piped, reading, self.home, lambda: answers.pop(0))
        self.assertEqual(answers, [])

    def test_one_that_is_not_wanted_any_more(self) -> None:
        reading, writing = os.pipe()
        os.write(writing, b"from a pipe")
        os.close(writing)
        self.assertRaises(FileProblem, piped, reading, self.home, lambda: False)
        self.assertRaises(OSError, os.fstat, reading)
