"""Transactions in PostgreSQL and the pool, with scripted connections; `tests/` has a real one."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.errors import OutcomeUnknown, RegistryAway, StateDamaged
from securecom.identity import Name
from securecom.refusals import BadInvitation
from securecom.server import postgres
from securecom.server.pools import Task
from securecom.server.postgres_registry import (
    DirectPool,
    DirectSession,
    Job,
    PostgresCursor,
    PostgresPool,
    PostgresRegistry,
    read,
    write,
)
from securecom.tests.support.registry_case import ALICE, BOB
from securecom.tests.support.scripted_postgres import (
    GONE,
    REFUSED,
    HeldThreads,
    ScriptedConnection,
    ScriptedSession,
)

WRITER = b"w" * 16
AWAY = RegistryAway("away")


def task(statement: str = "UPDATE x SET y = ?", error: Exception | None = None) -> Task:
    """Writes, logs that, and may fail then."""

    def interaction(cursor: PostgresCursor) -> str:
        cursor.execute(statement, (1,))
        if cursor.changed:
            cursor.log(ALICE)
        if error is not None:
            raise error
        return "done"

    return Task(interaction, (), Deferred())


class CursorTests(SynchronousTestCase):
    def test_marks_and_percents(self) -> None:
        raw = ScriptedConnection()
        cursor = PostgresCursor(raw, WRITER)
        cursor.execute("SELECT '%' WHERE a = ? AND b = ?", (1, 2))
        self.assertEqual(raw.statements, ["SELECT '%%' WHERE a = %s AND b = %s"])

    def test_only_what_changes_rows_counts(self) -> None:
        raw = ScriptedConnection()
        cursor = PostgresCursor(raw, WRITER)
        cursor.execute("SELECT 1")
        raw.rowcount = 0
        cursor.execute("DELETE FROM x")
        self.assertEqual(cursor.changed, 0)
        raw.rowcount = 3
        cursor.executemany("INSERT INTO x VALUES (?)", [(1,), (2,), (3,)])
        self.assertEqual(cursor.changed, 3)


class ReadTests(SynchronousTestCase):
    def test_in_one_snapshot(self) -> None:
        raw = ScriptedConnection()
        self.assertEqual(read(ScriptedSession(raw), WRITER, task("SELECT 1")), "done")
        self.assertIn("REPEATABLE READ READ ONLY", raw.statements[0])
        self.assertEqual(raw.statements[-1], "COMMIT")

    def test_once_more_on_a_new_connection(self) -> None:
        for at in ("BEGIN", "SELECT", "COMMIT"):
            new = ScriptedConnection()
            session = ScriptedSession(ScriptedConnection({at: GONE}), new)
            self.assertEqual(read(session, WRITER, task("SELECT 1")), "done", at)
            self.assertEqual(new.statements[-1], "COMMIT")

    def test_not_for_ever(self) -> None:
        two = [ScriptedConnection({"SELECT": GONE}) for _ in range(2)]
        self.assertRaises(RegistryAway, read, ScriptedSession(*two), WRITER, task("SELECT 1"))

    def test_a_refusal_is_an_outcome(self) -> None:
        raw = ScriptedConnection()
        outcome = read(ScriptedSession(raw), WRITER, task("SELECT 1", BadInvitation()))
        self.assertIsInstance(outcome.value, BadInvitation)
        self.assertEqual(raw.statements[-1], "ROLLBACK")

    def test_an_error_of_the_statement_is_explained(self) -> None:
        raw = ScriptedConnection({"SELECT": REFUSED})
        outcome = read(ScriptedSession(raw), WRITER, task("SELECT 1"))
        self.assertIsInstance(outcome.value, StateDamaged)
        self.assertEqual(raw.statements[-1], "ROLLBACK")


class WriteTests(SynchronousTestCase):
    def wrote(self, *connections: ScriptedConnection | Exception) -> list[Any]:
        return write(ScriptedSession(*connections), WRITER, [task()])

    def test_behind_the_lock(self) -> None:
        raw = ScriptedConnection()
        self.assertEqual(self.wrote(raw), ["done"])
        self.assertEqual(raw.statements[1], "SELECT version FROM registry FOR UPDATE")
        self.assertEqual(raw.statements[-1], "COMMIT")

    def test_one_that_fails_spoils_no_other(self) -> None:
        raw = ScriptedConnection()
        tasks = [task(), task(error=BadInvitation()), task()]
        good, bad, other = write(ScriptedSession(raw), WRITER, tasks)
        self.assertEqual((good, other), ("done", "done"))
        self.assertIsInstance(bad.value, BadInvitation)
        self.assertEqual(raw.statements.count("ROLLBACK TO one"), 1)
        self.assertEqual(raw.statements.count("COMMIT"), 1)

    def test_what_the_tables_refuse_is_explained(self) -> None:
        raw = ScriptedConnection({"UPDATE x": REFUSED})
        (outcome,) = self.wrote(raw)
        self.assertIsInstance(outcome.value, StateDamaged)

    def test_lost_before_the_commit_it_is_done_on_a_new_connection(self) -> None:
        for at in ("BEGIN", "SELECT version", "SAVEPOINT", "UPDATE x", "WITH", "RELEASE"):
            new = ScriptedConnection()
            self.assertEqual(self.wrote(ScriptedConnection({at: GONE}), new), ["done"], at)
            self.assertEqual(new.statements.count("COMMIT"), 1)

    def test_lost_before_the_commit_again(self) -> None:
        two = [ScriptedConnection({"UPDATE x": GONE}) for _ in range(2)]
        self.assertRaises(RegistryAway, self.wrote, *two)

    def test_lost_in_the_commit_and_done(self) -> None:
        new = ScriptedConnection()
        new.is_logged = True
        self.assertEqual(self.wrote(ScriptedConnection({"COMMIT": GONE}), new), ["done"])
        self.assertNotIn("COMMIT", new.statements)

    def test_lost_in_the_commit_and_not_done(self) -> None:
        asked, new = ScriptedConnection(), ScriptedConnection()
        self.assertEqual(self.wrote(ScriptedConnection({"COMMIT": GONE}), asked, new), ["done"])
        self.assertIn("COMMIT", new.statements)

    def test_lost_in_the_commit_and_nobody_to_ask(self) -> None:
        lost = ScriptedConnection({"COMMIT": GONE})
        self.assertRaises(OutcomeUnknown, self.wrote, lost, AWAY)
        lost = ScriptedConnection({"COMMIT": GONE})
        self.assertRaises(OutcomeUnknown, self.wrote, lost, ScriptedConnection({"SELECT": GONE}))

    def test_lost_in_the_commit_of_nothing(self) -> None:
        """A refusal holds whether or not it was committed."""
        raw = ScriptedConnection({"COMMIT": GONE})
        (bad,) = write(ScriptedSession(raw), WRITER, [task(error=BadInvitation())])
        self.assertIsInstance(bad.value, BadInvitation)

    def test_a_commit_that_is_refused_changes_nothing(self) -> None:
        self.assertRaises(StateDamaged, self.wrote, ScriptedConnection({"COMMIT": REFUSED}))

    def test_a_newer_version(self) -> None:
        self.patch(postgres, "VERSION", 0)
        raw = ScriptedConnection()
        self.assertRaises(StateDamaged, self.wrote, raw)
        self.assertEqual(raw.statements[-1], "ROLLBACK")


class DirectTests(SynchronousTestCase):
    def test_at_once(self) -> None:
        raw = ScriptedConnection()
        pool = DirectPool(DirectSession(lambda: raw), WRITER)
        self.assertEqual(self.successResultOf(pool.read(task("SELECT 1").interaction)), "done")
        self.assertEqual(self.successResultOf(pool.write(task().interaction)), "done")
        refused = task(error=BadInvitation()).interaction
        self.failureResultOf(pool.write(refused), BadInvitation)
        pool.close()
        self.assertTrue(raw.closed)

    def test_a_new_connection(self) -> None:
        several = [ScriptedConnection({"SELECT": GONE}), ScriptedConnection()]
        pool = DirectPool(DirectSession(lambda: several.pop(0)), WRITER)
        self.assertEqual(self.successResultOf(pool.read(task("SELECT 1").interaction)), "done")


class PoolTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.raw = ScriptedConnection()
        self.threads = HeldThreads(ScriptedSession(self.raw, AWAY))
        self.clock = Clock()
        self.pool = PostgresPool(self.threads, self.clock, WRITER)

    def read(self) -> Deferred[Any]:
        return self.pool.read(task("SELECT 1").interaction)

    def write(self, error: Exception | None = None) -> Deferred[Any]:
        return self.pool.write(task(error=error).interaction)

    def test_reads_at_once_writes_one_after_another_and_together(self) -> None:
        reads = [self.read() for _ in range(3)]
        first, *others = (self.write() for _ in range(5))
        self.assertEqual(len(self.threads.waiting), 4)
        for _ in range(3):
            self.threads.run()()
        self.assertEqual([self.successResultOf(one) for one in reads], ["done"] * 3)
        self.threads.run()()
        self.successResultOf(first)
        self.threads.run()()
        self.assertEqual([self.successResultOf(one) for one in others], ["done"] * 4)
        self.assertEqual(self.raw.statements.count("SELECT version FROM registry FOR UPDATE"), 2)
        self.assertEqual(self.threads.waiting, [])

    def test_no_more_in_one_commit_than_may_be(self) -> None:
        for _ in range(2 + limits.TASKS_GATHERED):
            self.write()
        for left in (1, 1, 0):
            self.threads.run()()
            self.assertEqual(len(self.threads.waiting), left)

    def test_who_read_before_a_write_is_told_before(self) -> None:
        early = self.read()
        tell_early = self.threads.run()
        wrote = self.write()
        self.threads.run()()
        self.assertNoResult(wrote)
        later = self.read()
        tell_early()
        self.successResultOf(early)
        self.successResultOf(wrote)
        self.threads.run()()
        self.successResultOf(later)

    def test_all_of_a_commit_that_failed_fail(self) -> None:
        self.raw.faults = {"COMMIT": REFUSED}
        first = self.write()
        self.threads.run()()
        self.failureResultOf(first, StateDamaged)
        self.assertEqual(self.successResultOf(self.again()), "done")

    def again(self) -> Deferred[Any]:
        result = self.write()
        self.threads.run()()
        return result

    def test_while_it_is_away_one_tries_and_nobody_waits(self) -> None:
        self.raw.faults = {"BEGIN": GONE}
        first = self.read()
        self.threads.run()()
        self.failureResultOf(first, RegistryAway)
        self.failureResultOf(self.read(), RegistryAway)
        self.failureResultOf(self.write(), RegistryAway)
        self.assertEqual(self.threads.waiting, [])
        self.clock.advance(limits.REGISTRY_RETRY)
        tries = self.read()
        self.failureResultOf(self.read(), RegistryAway)
        self.threads.session = ScriptedSession(ScriptedConnection())
        self.threads.run()()
        self.successResultOf(tries)
        self.read()
        self.assertEqual(len(self.threads.waiting), 1)

    def test_who_waits_for_a_thread_too_long_is_refused(self) -> None:
        late = self.read()
        self.clock.advance(limits.REGISTRY_DEADLINE)
        self.threads.run()()
        self.failureResultOf(late, RegistryAway)
        self.assertEqual(self.raw.statements, [])

    def test_no_timers_are_left(self) -> None:
        self.read()
        self.threads.run()()
        for result in (self.read(), self.write(), self.write()):
            result.addErrback(lambda _: None)
        self.assertEqual(len(self.clock.getDelayedCalls()), 2)
        self.pool.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertTrue(self.threads.is_closed)
        for _ in range(2):
            self.threads.run()()
        self.assertEqual(self.threads.waiting, [])


class JobTests(SynchronousTestCase):
    def test_cut_in_the_middle_it_tries_no_more(self) -> None:
        """Whoever lost the connection by that would make a new one otherwise, and go on."""
        session = ScriptedSession(ScriptedConnection(), ScriptedConnection())

        def work(own: Any) -> None:
            job.cut()
            own.reconnect()

        job = Job(work)
        self.assertRaises(RegistryAway, job, session)

    def test_a_new_connection_is_the_jobs(self) -> None:
        one, other = ScriptedConnection(), ScriptedConnection()

        def work(own: Any) -> Any:
            before = own.raw
            own.reconnect()
            return before, own.raw

        self.assertEqual(Job(work)(ScriptedSession(one, other)), (one, other))


class RegistryTests(SynchronousTestCase):
    """What is logged."""

    def logged(self, whose: object, result: object, changed: int = 1) -> list[Name | None]:
        seen: list[Name | None] = []
        self.patch(PostgresCursor, "log", lambda _, name: seen.append(name))
        raw = ScriptedConnection()
        raw.rowcount = changed
        registry = PostgresRegistry(DirectPool(DirectSession(lambda: raw), WRITER), WRITER)

        def function(cursor: PostgresCursor) -> object:
            cursor.execute("UPDATE x")
            return result

        self.successResultOf(registry._write(whose, function))
        return seen

    def test_whose(self) -> None:
        self.assertEqual(self.logged(ALICE, None), [ALICE])
        self.assertEqual(self.logged(None, []), [None])
        self.assertEqual(self.logged(5, []), [None])
        self.assertEqual(self.logged(b"a token's hash", BOB), [BOB])

    def test_nothing_where_nothing_has_changed(self) -> None:
        self.assertEqual(self.logged(ALICE, None, changed=0), [])

    def test_a_failure_that_is_not_known_ends_the_connection(self) -> None:
        from securecom.control import _fatal
        from securecom.server.registry import as_refusal

        failure = Failure(OutcomeUnknown("x"))
        self.assertIs(as_refusal(failure), failure)
        self.assertIs(_fatal(failure), failure.value)
