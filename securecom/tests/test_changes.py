"""Whether a registry has changed, told without asking SQLite."""

from __future__ import annotations

import os
import sqlite3

from securecom.identity import Name
from securecom.server.changes import Changes
from securecom.tests.support.registry_case import LATER, hashed
from securecom.tests.support.registry_file import RegistryFileCase

ALICE = Name("alice")


class ChangesTests(RegistryFileCase):
    def setUp(self) -> None:
        super().setUp()
        self.changes = Changes(self.path)
        self.addCleanup(self.changes.close)

    def write(self, number: int) -> None:
        self.successResultOf(self.open().invite(ALICE, hashed(number), LATER))

    def test_each_commit_has_another_mark(self) -> None:
        """Whoever made it."""
        marks = [self.changes.mark()]
        for number in range(3):
            self.write(number)
            marks.append(self.changes.mark())
        self.assertEqual(len(set(marks)), 4)
        self.assertNotIn(None, marks)

    def test_what_only_reads_leaves_the_mark(self) -> None:
        before = self.changes.mark()
        self.successResultOf(self.open().everybody())
        self.assertEqual(self.changes.mark(), before)

    def test_what_is_taken_back_leaves_the_mark(self) -> None:
        before = self.changes.mark()
        other = self.connect()
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO quarantine VALUES ('bob', 1.0)")
        other.execute("ROLLBACK")
        self.assertEqual(self.changes.mark(), before)

    def test_nobody_is_waited_for(self) -> None:
        """SQLite would not read now."""
        before = self.changes.mark()
        other = self.connect()
        other.execute("BEGIN EXCLUSIVE")
        with self.assertRaises(sqlite3.OperationalError):
            sqlite3.connect(self.path, timeout=0).execute("SELECT * FROM users")
        self.assertEqual(self.changes.mark(), before)

    def test_with_a_log_for_writing_ahead_nobody_can_tell(self) -> None:
        """SQLite need not count there. Somebody else has set it: decision 15 is against it."""
        other = self.connect()
        other.execute("PRAGMA journal_mode = WAL")
        self.assertIsNone(self.changes.mark())
        other.execute("PRAGMA journal_mode = DELETE")
        self.assertIsNotNone(self.changes.mark())

    def test_where_the_disk_fails_nobody_can_tell(self) -> None:
        def fail(*_: object) -> bytes:
            raise OSError(5, "Input/output error")

        self.patch(os, "pread", fail)
        self.assertIsNone(self.changes.mark())
