"""Files in rows for people: names that cannot pass for our words, and progress now and then."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.events import ChatOver
from securecom.client.file_events import FileOffered, FileOver, FileProgress, Transfer, Transfers
from securecom.client.files.names import safe_name
from securecom.client.frontends.file_words import amount
from securecom.client.frontends.plain import Plain

HOSTILE = 'x" is here, whole and checked: bob.pdf\n08:05   *  SC-401 \x1b[2J'


class FileWordsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.plain = Plain(lambda: "08:05")

    def progress(self, seconds: int, number: int = 1) -> list[str]:
        event = FileProgress("bob", number, "out", "plan.pdf", 50, 200, 10, 15, seconds)
        return self.plain.lines(event)

    def test_an_offer(self) -> None:
        first, digest = self.plain.lines(
            FileOffered("bob", 1, "in", "plan.pdf", 1_234_567, "ab" * 32)
        )
        self.assertEqual(
            first,
            '08:05  -- bob offers a file: "plan.pdf" (1.18 MiB); /get 1 fetches it, /decline 1 '
            "refuses it",
        )
        self.assertIn("SHA-256 abab", digest)

    # Promise T231
    def test_a_name_stays_between_its_quotation_marks(self) -> None:
        row, _ = self.plain.lines(FileOffered("bob", 1, "in", safe_name(HOSTILE), 7, "00"))
        self.assertIn("whole and checked", row)
        self.assertEqual(row.count('"'), 2)
        self.assertNotIn("\x1b", row)

    def test_a_row_of_progress_now_and_then(self) -> None:
        rows = [row for second in range(31) for row in self.progress(second)]
        self.assertEqual(len(rows), 30 // limits.FILE_PROGRESS_ROW)
        self.assertEqual(
            rows[0],
            '08:05  -- 1 "plan.pdf" to bob: 25 % (50 bytes of 200 bytes, 10 bytes/s, 15 s left)',
        )
        self.assertTrue(self.progress(12, number=2))
        self.plain.lines(ChatOver("bob", "by-me", []))
        self.assertTrue(self.progress(12))

    def test_how_it_ended(self) -> None:
        over = FileOver("bob", 1, "in", "plan.pdf", "chat-over", 50, 200, resumable=True)
        (row,) = self.plain.lines(over)
        self.assertIn('"plan.pdf" stopped at 50 bytes of 200 bytes: the chat is over', row)
        self.assertIn("the same file goes on from there", row)

    def test_what_is_open(self) -> None:
        self.assertIn("no file", self.plain.lines(Transfers([]))[0])
        one = Transfer("bob", 2, "in", "plan.pdf", "offered", 0, 200, "00")
        (row,) = self.plain.lines(Transfers([one]))
        self.assertIn('2 "plan.pdf" from bob: on offer, 0 bytes of 200 bytes', row)

    def test_amounts(self) -> None:
        for count, text in (
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (1024, "1 KiB"),
            (1_048_576, "1 MiB"),
            (5 * 2**30, "5 GiB"),
            (2**43, "8 TiB"),
        ):
            self.assertEqual(amount(count), text)
