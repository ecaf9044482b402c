"""The server's pool: reads do not queue behind writes, and many writes share one commit."""

from __future__ import annotations

import sqlite3
from typing import Any

from twisted.internet.defer import Deferred

from securecom import limits
from securecom.errors import OurFault, StateBusy, StateUnusable
from securecom.identity import Name
from securecom.refusals import BadInvitation
from securecom.server import sql_registry
from securecom.server.database import GatheringPool
from securecom.server.sqlite_registry import SQLiteRegistry
from securecom.tests.support.held_thread import HeldThread
from securecom.tests.support.registry_case import ALICE, LATER, NOW, hashed, new_key
from securecom.tests.support.registry_file import RegistryFileCase

MANY = 3 * limits.TASKS_GATHERED


class GatheringCase(RegistryFileCase):
    def setUp(self) -> None:
        super().setUp()
        self.connection = self.connect()
        self.statements: list[str] = []
        self.connection.set_trace_callback(self.statements.append)
        self.thread = HeldThread(self.connection)
        self.pool = GatheringPool(self.thread)
        self.registry = SQLiteRegistry(self.pool)

    def step(self) -> bool:
        """The thread does one job, and hands over what came of it."""
        return self.thread.work() and self.thread.deliver()

    def settle(self) -> None:
        while self.step():
            pass

    def invite(self, number: int) -> Deferred[Any]:
        return self.registry.invite(Name(f"user{number}"), hashed(number), LATER)

    def kept(self) -> list[int]:
        """The invitations that another process finds in the file."""
        rows = self.connect().execute("SELECT number FROM invitations ORDER BY number")
        return [row[0] for row in rows]

    def count(self, statement: str) -> int:
        return self.statements.count(statement)


class ReadTests(GatheringCase):
    # Promise T96, R36
    def test_a_read_waits_for_one_job_whatever_writes_are_queued(self) -> None:
        writes = [self.invite(number) for number in range(MANY)]
        self.step()  # the first of them was on its way
        under_way = self.registry.user(ALICE)
        self.step()
        self.step()
        self.assertIsNone(self.successResultOf(under_way))
        self.assertNoResult(writes[-1])
        self.settle()
        self.successResultOf(writes[-1])

    def test_reads_do_not_keep_writes_away(self) -> None:
        self.registry.user(ALICE)
        write = self.invite(1)
        for _ in range(MANY):
            self.registry.user(ALICE)
        self.step()
        self.step()
        self.successResultOf(write)

    # Promise R36
    def test_what_was_read_before_a_change_is_told_before_it(self) -> None:
        told: list[str] = []
        self.invite(1).addCallback(lambda _: told.append("first change"))
        self.registry.invitations().addCallback(lambda found: told.append(f"{len(found)} found"))
        self.invite(2).addCallback(lambda _: told.append("second change"))
        self.registry.invitations().addCallback(lambda found: told.append(f"{len(found)} found"))
        self.settle()
        self.assertEqual(told, ["first change", "1 found", "1 found", "second change"])

    def test_a_read_that_fails_is_alone_in_that(self) -> None:
        first = self.registry.user(ALICE)
        wrong = self.pool.read(lambda cursor: cursor.execute("SELECT nothing"))
        right = self.registry.user(ALICE)
        self.settle()
        self.failureResultOf(wrong, sqlite3.OperationalError)
        self.successResultOf(first)
        self.successResultOf(right)

    def test_all_of_a_job_are_told_before_the_next_one_begins(self) -> None:
        """Also those who have another question when they hear the answer."""
        under_way: list[int] = []

        def ask_on(_: object) -> None:
            self.registry.user(ALICE)
            under_way.append(len(self.thread.todo))

        self.registry.version()
        for _ in range(3):
            self.registry.user(ALICE).addCallback(ask_on)
        self.settle()
        self.assertEqual(under_way, [0, 0, 0])


class WriteTests(GatheringCase):
    # Promise R37
    def test_many_writes_share_a_commit(self) -> None:
        writes = [self.invite(number) for number in range(1 + limits.TASKS_GATHERED)]
        self.settle()
        self.assertEqual(self.count("COMMIT"), 2)  # the first one was on its way already
        for write in writes:
            self.successResultOf(write)

    # Promise R37
    def test_nobody_is_told_before_it_is_on_the_disk(self) -> None:
        """When an answer comes, another process finds the change: so a kill does not undo it."""
        self.registry.version()
        writes = [self.invite(number) for number in range(5)]
        kept_at_answer: list[int] = []
        for write in writes:
            write.addCallback(lambda _: kept_at_answer.append(len(self.kept())))
        at_commit: list[tuple[int, int]] = []

        def trace(statement: str) -> None:
            if statement == "COMMIT":
                at_commit.append((len(kept_at_answer), len(self.kept())))

        self.connection.set_trace_callback(trace)
        self.settle()
        self.assertEqual(at_commit, [(0, 0)])  # nobody was told, and nothing was there
        self.assertEqual(kept_at_answer, [5] * 5)

    # Promise R37
    def test_one_that_is_refused_changes_nothing_and_stops_nobody(self) -> None:
        def half(cursor: sqlite3.Cursor) -> None:
            sql_registry.invite(cursor, Name("half"), hashed(99), LATER)
            raise BadInvitation

        first = self.invite(1)  # on its way already; the others wait together
        second, refused, third = self.invite(2), self.pool.write(half), self.invite(3)
        self.settle()
        self.failureResultOf(refused, BadInvitation)
        for one in (first, second, third):
            self.successResultOf(one)
        self.assertEqual(len(self.kept()), 3)
        self.assertEqual(self.count("COMMIT"), 2)

    def test_of_two_that_want_the_same_the_first_has_it(self) -> None:
        self.registry.invite(ALICE, hashed(1), LATER)
        self.settle()
        self.registry.version()  # so that both are of one job
        spent = [self.registry.spend(hashed(1), new_key(), NOW) for _ in range(2)]
        self.settle()
        self.assertEqual(self.successResultOf(spent[0]), ALICE)
        self.failureResultOf(spent[1], BadInvitation)

    # Promise R37
    def test_when_the_disk_is_full_nothing_was_changed_for_anybody(self) -> None:
        self.registry.version()
        self.connection.execute("PRAGMA max_page_count = 1")  # SQLite's own limit: SQLITE_FULL
        writes = [self.invite(number) for number in range(MANY)]
        self.settle()
        outcomes: list[Any] = []
        for write in writes:
            write.addErrback(lambda failure: failure.value).addCallback(outcomes.append)
        done = [one for one in outcomes if not isinstance(one, OurFault)]
        self.assertIsInstance(outcomes[-1], StateUnusable)
        self.assertIn("full", str(outcomes[-1]))
        self.assertEqual([one.number for one in done], self.kept())
        self.assertFalse(self.connection.in_transaction)

    def test_a_commit_that_fails_is_a_failure_of_all(self) -> None:
        self.registry.version()
        writes = [self.invite(number) for number in range(3)]
        self.step()
        reader = self.connect()
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM invitations").fetchall()  # nobody can commit meanwhile
        self.patch(limits, "DATABASE_BUSY", 0.002)
        self.step()
        for write in writes:
            self.failureResultOf(write, StateBusy)
        reader.execute("ROLLBACK")
        self.assertEqual(self.kept(), [])
        again = self.invite(1)
        self.settle()
        self.successResultOf(again)


class BusyTests(GatheringCase):
    """Another process (the admin's) holds the write lock."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(limits, "WRITE_PATIENCE", 0.001)
        self.patch(limits, "DATABASE_BUSY", 0.01)
        self.admin = self.connect()
        self.admin.execute("BEGIN IMMEDIATE")

    # Promise R36
    def test_reads_go_on_meanwhile(self) -> None:
        write = self.invite(1)
        self.step()
        read = self.registry.user(ALICE)
        self.step()
        self.step()
        self.assertIsNone(self.successResultOf(read))
        self.assertNoResult(write)
        self.admin.execute("ROLLBACK")
        self.settle()
        self.successResultOf(write)

    def test_writes_stay_in_their_order(self) -> None:
        self.registry.version()
        writes = [self.invite(number) for number in range(3)]
        self.step()
        self.step()
        self.admin.execute("ROLLBACK")
        self.settle()
        self.assertEqual([self.successResultOf(one).number for one in writes], [1, 2, 3])

    # Promise R37
    def test_not_for_ever(self) -> None:
        write, later = self.invite(1), self.invite(2)
        tries = 0
        while self.step():
            tries += 1
            self.assertLess(tries, 100)
        self.failureResultOf(write, StateBusy)
        self.failureResultOf(later, StateBusy)
        self.assertGreaterEqual(tries, 10)
        self.admin.execute("ROLLBACK")
        again = self.invite(3)
        self.settle()
        self.successResultOf(again)
        self.assertEqual(len(self.kept()), 1)

    def test_any_other_trouble_with_a_lock_is_reported_as_it_is(self) -> None:
        self.admin.execute("ROLLBACK")
        self.path.write_bytes(b"SQLite format 3\x00" + bytes(8000))
        write = self.invite(1)
        self.settle()
        self.failureResultOf(write, OurFault)


class ClosingTests(GatheringCase):
    def test_what_still_waits_is_not_done_and_nobody_is_told_so(self) -> None:
        self.invite(1)
        waiting = self.invite(2)
        self.thread.work()
        self.pool.close()
        self.thread.deliver()
        self.assertNoResult(waiting)
        self.assertEqual(len(self.thread.todo), 0)
        self.assertEqual(len(self.kept()), 1)
