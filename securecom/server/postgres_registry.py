"""The registry in PostgreSQL, which several servers and `securecom-admin` use at once.

Whoever writes first locks the one row of the table `registry`, so nobody else on any machine writes
until the transaction is over: what `sql_registry` relies on. Each write that changes anything gets
the next number there, and a row in `changes`.

psycopg is left in autocommit, and each job begins and ends its own transaction. So it is known
whether an error came before the commit (nothing has changed), or instead of its answer.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from threading import Lock
from typing import Any, Protocol

from twisted.enterprise import adbapi
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from securecom import limits
from securecom.errors import OurFault, OutcomeUnknown, RegistryAway
from securecom.identity import Name
from securecom.server import postgres
from securecom.server.database import Connections
from securecom.server.pools import Interaction, Task
from securecom.server.postgres import Address
from securecom.server.sql_registry import SQLRegistry, reading

_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"  # all that is read is of one moment
_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"  # each statement sees what is there now
_LOCK = "SELECT version FROM registry FOR UPDATE"
_LOG = """
WITH counted AS (UPDATE registry SET number = number + 1 RETURNING number),
    trimmed AS (DELETE FROM changes USING counted WHERE changes.number <= counted.number - %s)
INSERT INTO changes SELECT number, (SELECT name FROM users WHERE name = %s), %s FROM counted
RETURNING number
"""
_IS_LOGGED = "SELECT count(*) FROM changes WHERE number = %s AND writer = %s"
_WRITER_BYTES = 16


# --- a cursor -------------------------------------------------------------------------------


@cache
def _for_psycopg(statement: str) -> str:
    return statement.replace("%", "%%").replace("?", "%s")


class PostgresCursor:
    """A cursor that takes question marks, and notes what is changed with it.

    :param writer: names this process in the log of changes.
    """

    def __init__(self, cursor: Any, writer: bytes) -> None:
        self._cursor, self._writer = cursor, writer
        #: How many rows have been changed.
        self.changed = 0
        #: The number of the last change.
        self.number: int | None = None

    @property
    def rowcount(self) -> int:
        return int(self._cursor.rowcount)

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> object:
        self._cursor.execute(_for_psycopg(statement), values)
        self._count(statement)
        return self

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> object:
        self._cursor.executemany(_for_psycopg(statement), rows)
        self._count(statement)
        return self

    def fetchone(self) -> Any:
        return self._cursor.fetchone()

    def fetchall(self) -> list[Any]:
        found: list[Any] = self._cursor.fetchall()
        return found

    def log(self, name: Name | None) -> None:
        """Write down that the entry of this user has changed, or anybody's (None)."""
        whose = None if name is None else str(name)
        self._cursor.execute(_LOG, (limits.CHANGES_KEPT, whose, self._writer))
        self.number = self._cursor.fetchone()[0]

    def _count(self, statement: str) -> None:
        if not statement.startswith("SELECT"):
            self.changed += self.rowcount


# --- on a thread ----------------------------------------------------------------------------


class DatabaseSession(Protocol):
    """A connection that can be replaced by a new one."""

    @property
    def raw(self) -> Any:
        """The connection as psycopg has it."""

    def reconnect(self) -> None:
        """Close it and make a new one. :raises OurFault: that fails."""


class PooledSession(adbapi.Connection):
    """The connection of one of the pool's threads.

    adbapi commits after each job, and rolls back and tries the connection after one that failed,
    with a traceback in the log for each that is lost. Our jobs have ended their transactions.
    """

    @property
    def raw(self) -> Any:
        return self._connection

    def commit(self) -> None:
        """Nothing is left to commit."""

    def rollback(self) -> None:
        """Nothing is left to roll back."""


class PooledConnections(adbapi.ConnectionPool):
    """adbapi's threads and connections."""

    connectionFactory = PooledSession  # noqa: N815


class Lost(Exception):
    """The connection went away, and nothing was changed."""


def read(session: DatabaseSession, writer: bytes, task: Task) -> Any:
    """The outcome of an interaction that changes nothing. :raises OurFault: there is none."""
    try:
        return _read_once(session.raw, writer, task)
    except Lost:  # an idle connection has not noticed that PostgreSQL was restarted
        session.reconnect()
    try:
        return _read_once(session.raw, writer, task)
    except Lost as lost:
        raise _away(lost) from None


def write(session: DatabaseSession, writer: bytes, tasks: Sequence[Task]) -> list[Any]:
    """The outcomes of interactions that write, once all of it is on the disk.

    One that fails changes nothing, and the others go on.

    :raises OutcomeUnknown: the connection was lost in the commit, and there is no new one to ask.
    :raises OurFault: none of them has changed anything.
    """
    try:
        return _write_once(session, writer, tasks)
    except Lost:
        session.reconnect()
    try:
        return _write_once(session, writer, tasks)
    except Lost as lost:
        raise _away(lost) from None


def _away(lost: Lost) -> OurFault:
    return RegistryAway(f"the connection to the registry's PostgreSQL was lost ({lost})")


def _read_once(connection: Any, writer: bytes, task: Task) -> Any:
    with _losses(connection):
        connection.execute(_READ, prepare=False)
        outcome = task.outcome(PostgresCursor(connection.cursor(), writer))
        return _ended(connection, outcome)


def _ended(connection: Any, outcome: Any) -> Any:
    """End a transaction in which nothing was changed."""
    if not isinstance(outcome, Failure):
        connection.execute("COMMIT", prepare=False)
        return outcome
    _raise_if_lost(connection, outcome)
    connection.execute("ROLLBACK", prepare=False)
    return _explained(outcome)


def _write_once(session: DatabaseSession, writer: bytes, tasks: Sequence[Task]) -> list[Any]:
    connection = session.raw
    with _losses(connection):
        connection.execute(_WRITE, prepare=False)
        try:
            (version,) = connection.execute(_LOCK).fetchone()
            postgres.check_version(version)
            cursor = PostgresCursor(connection.cursor(), writer)
            outcomes = [_in_savepoint(connection, cursor, task) for task in tasks]
        except BaseException:
            if not connection.closed:
                connection.execute("ROLLBACK", prepare=False)
            raise
    try:
        connection.execute("COMMIT", prepare=False)
    except Exception as error:
        if not postgres.is_error(error):
            raise
        if not postgres.is_lost(connection, error):
            raise postgres.meaning(error) from None  # a full disk, say
        _settle(session, writer, cursor.number, error)
    return outcomes


def _in_savepoint(connection: Any, cursor: PostgresCursor, task: Task) -> Any:
    """Run one of several writes, completely or, if it fails, not at all."""
    number = cursor.number
    connection.execute("SAVEPOINT one", prepare=False)
    outcome = task.outcome(cursor)
    if isinstance(outcome, Failure):
        _raise_if_lost(connection, outcome)
        connection.execute("ROLLBACK TO one", prepare=False)
        cursor.number = number
        outcome = _explained(outcome)
    connection.execute("RELEASE one", prepare=False)
    return outcome


def _settle(session: DatabaseSession, writer: bytes, number: int | None, error: Exception) -> None:
    """Find out whether a commit, whose answer was lost, was done. Returns if it was.

    :raises Lost: it was not.
    :raises OutcomeUnknown: nobody can tell.
    """
    if number is None:
        return  # nothing was changed in it
    try:
        session.reconnect()
        with postgres.readable():
            session.raw.execute(_WRITE, prepare=False)
            session.raw.execute(_LOCK)  # which it has, as long as it is still under way
            (is_there,) = session.raw.execute(_IS_LOGGED, (number, writer)).fetchone()
            session.raw.execute("ROLLBACK", prepare=False)
    except OurFault as why:
        raise OutcomeUnknown(
            f"the connection to PostgreSQL was lost while it was asked to commit ({why.what})"
        ) from None
    if not is_there:
        raise Lost(postgres.words(error))


@contextlib.contextmanager
def _losses(connection: Any) -> Any:
    """:raises Lost: instead of psycopg's error, where the connection is of no use any more.
    :raises OurFault: instead of another one.
    """
    try:
        yield
    except Exception as error:
        if not postgres.is_error(error):
            raise
        if postgres.is_lost(connection, error):
            raise Lost(postgres.words(error)) from None
        raise postgres.meaning(error) from None


def _raise_if_lost(connection: Any, failure: Failure) -> None:
    error = failure.value
    if error is not None and postgres.is_error(error) and postgres.is_lost(connection, error):
        raise error


def _explained(failure: Failure) -> Failure:
    error = failure.value
    if error is None or not postgres.is_error(error):
        return failure
    return Failure(postgres.meaning(error))


# --- pools ----------------------------------------------------------------------------------


class DirectSession:
    """One connection, used on the thread that made it."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self.raw = connect()

    def reconnect(self) -> None:
        self.raw.close()
        self.raw = self._connect()


class DirectPool:
    """One connection, used directly on this thread, for short-lived processes."""

    def __init__(self, session: DirectSession, writer: bytes) -> None:
        self._session, self._writer = session, writer

    def read(self, interaction: Interaction, *args: Any) -> Deferred[Any]:
        task = Task(interaction, args, Deferred())
        return _at_once(lambda: read(self._session, self._writer, task))

    def write(self, interaction: Interaction, *args: Any) -> Deferred[Any]:
        task = Task(interaction, args, Deferred())
        return _at_once(lambda: write(self._session, self._writer, [task])[0])

    def close(self) -> None:
        self._session.raw.close()


def _at_once(work: Callable[[], Any]) -> Deferred[Any]:
    try:
        outcome = work()
    except Exception:
        outcome = Failure()
    return fail(outcome) if isinstance(outcome, Failure) else succeed(outcome)


class Job:
    """Work for one of the pool's threads, which is cut off when it takes too long.

    PostgreSQL itself ends a statement after as long. This is for one that does not answer at all.
    """

    def __init__(self, work: Callable[[DatabaseSession], Any]) -> None:
        self._work = work
        self._lock = Lock()
        self._session: DatabaseSession | None = None
        self._is_late = False

    def __call__(self, session: DatabaseSession) -> Any:
        """On the thread. :raises OurFault: there is no result."""
        self._begin(session)
        try:
            return self._work(self)
        finally:
            with self._lock:
                self._session = None

    def cut(self) -> None:
        """On the reactor's thread: end the connection under it."""
        with self._lock:
            self._is_late = True
            if self._session is not None:
                _shut(self._session.raw)

    @property
    def raw(self) -> Any:
        """As a `DatabaseSession`."""
        return self._now.raw

    def reconnect(self) -> None:
        """The same. :raises OurFault: that fails, or it is too late."""
        session = self._now
        with self._lock:
            self._session = None
        if not self._is_late:
            session.reconnect()
        self._begin(session)

    @property
    def _now(self) -> DatabaseSession:
        if self._session is None:
            raise RegistryAway(_SILENT)
        return self._session

    def _begin(self, session: DatabaseSession) -> None:
        with self._lock:
            if self._is_late:
                raise RegistryAway(_SILENT)
            self._session = session


_SILENT = f"the registry's PostgreSQL has not answered for {limits.REGISTRY_DEADLINE:.0f} s"


def _shut(connection: Any) -> None:
    """Have whoever waits for an answer on it see its end."""
    with (
        contextlib.suppress(Exception),  # it may be closing just now
        socket.socket(fileno=os.dup(connection.fileno())) as wire,
    ):
        wire.shutdown(socket.SHUT_RDWR)


class PostgresPool:
    """Several connections, each on a thread of its own. Reads go to any of them.

    Writes go to one at a time, as many as wait in one transaction. Their outcomes come after those
    of all reads that were under way: so the result of a read that came before a change also
    arrives before it, as with SQLite.

    While PostgreSQL is away, it is asked once in `limits.REGISTRY_RETRY`; everybody else fails at
    once.
    """

    def __init__(self, connections: Connections, clock: IReactorTime, writer: bytes) -> None:
        self._connections, self._clock, self._writer = connections, clock, writer
        self._reads: set[Task] = set()
        self._writes: deque[Task] = deque()
        self._is_writing = False
        self._done: tuple[set[Task], list[Any], list[Task]] | None = None
        self._jobs: dict[Job, IDelayedCall] = {}
        self._asked_again = float("-inf")
        self._why_away: OurFault | None = None

    def read(self, interaction: Interaction, *args: Any) -> Deferred[Any]:
        if (away := self._away()) is not None:
            return fail(away)
        task = Task(interaction, args, Deferred())
        self._reads.add(task)
        outcome = self._do(lambda session: read(session, self._writer, task))
        outcome.addBoth(self._read, task)
        return task.answer

    def write(self, interaction: Interaction, *args: Any) -> Deferred[Any]:
        if (away := self._away()) is not None:
            return fail(away)
        task = Task(interaction, args, Deferred())
        self._writes.append(task)
        self._go_on()
        return task.answer

    def close(self) -> None:
        """Close the connections. Whatever still waits is dropped, without an answer."""
        self._writes.clear()
        for job, timer in self._jobs.items():
            timer.cancel()
            job.cut()
        self._jobs.clear()
        self._connections.close()

    def _do(self, work: Callable[[DatabaseSession], Any]) -> Deferred[Any]:
        job = Job(work)
        self._jobs[job] = self._clock.callLater(limits.REGISTRY_DEADLINE, job.cut)
        return self._connections.runWithConnection(job).addBoth(self._did, job)

    def _did(self, outcome: Any, job: Job) -> Any:
        timer = self._jobs.pop(job, None)
        if timer is not None and timer.active():
            timer.cancel()
        self._why_away = None
        if isinstance(outcome, Failure) and isinstance(outcome.value, RegistryAway):
            self._why_away = outcome.value
            self._asked_again = self._clock.seconds() + limits.REGISTRY_RETRY
        return outcome

    def _away(self) -> OurFault | None:
        """Why nothing can be asked now; None if it can, or if it is time to try."""
        if self._why_away is None or self._clock.seconds() < self._asked_again:
            return self._why_away
        self._asked_again = self._clock.seconds() + limits.REGISTRY_RETRY
        return None

    def _read(self, outcome: Any, task: Task) -> None:
        self._reads.discard(task)
        task.answered(outcome)
        if self._done is not None:
            self._done[0].discard(task)
            self._deliver()

    def _go_on(self) -> None:
        """Give a thread the writes that wait."""
        if self._is_writing or not self._writes:
            return
        self._is_writing = True
        count = min(len(self._writes), limits.TASKS_GATHERED)
        tasks = [self._writes.popleft() for _ in range(count)]
        outcomes = self._do(lambda session: write(session, self._writer, tasks))
        outcomes.addErrback(lambda failure: [failure] * len(tasks))
        outcomes.addCallback(self._wrote, tasks)

    def _wrote(self, outcomes: list[Any], tasks: list[Task]) -> None:
        self._done = set(self._reads), outcomes, tasks
        self._deliver()

    def _deliver(self) -> None:
        """Tell the writers, once everybody who read before has been told."""
        if self._done is None or self._done[0]:
            return
        _, outcomes, tasks = self._done
        self._done = None
        for task, outcome in zip(tasks, outcomes, strict=True):
            task.answered(outcome)
        self._is_writing = False
        self._go_on()


# --- the registry ---------------------------------------------------------------------------


def _version(cursor: PostgresCursor, writer: bytes) -> int:
    """The number of the last change by another process."""
    cursor.execute("SELECT coalesce(max(number), 0) FROM changes WHERE writer <> ?", (writer,))
    number: int = cursor.fetchone()[0]
    return number


def _changed(cursor: PostgresCursor, writer: bytes, since: int) -> list[Name] | None:
    """Whose entries another process has changed since this number; None if it cannot be told."""
    cursor.execute("SELECT min(number) FROM changes")
    (first,) = cursor.fetchone()
    if first is None or first > since + 1:  # some that came between are not listed any more
        return None
    cursor.execute(
        "SELECT DISTINCT name FROM changes WHERE number > ? AND writer <> ? LIMIT ?",
        (since, writer, limits.CHANGES_FOLLOWED + 1),
    )
    names = [name for (name,) in cursor.fetchall()]
    if None in names or len(names) > limits.CHANGES_FOLLOWED:
        return None
    return [Name(name) for name in names]


def _logged(cursor: PostgresCursor, whose: object, function: Interaction, *args: Any) -> Any:
    """Run a function that writes; if it has changed anything, say whose entry."""
    before = cursor.changed
    result = function(cursor, *args)
    if cursor.changed != before:
        about = result if isinstance(result, Name) else whose  # who enrolled is the result
        cursor.log(about if isinstance(about, Name) else None)
    return result


class PostgresRegistry(SQLRegistry):
    """A registry in PostgreSQL.

    :param writer: names this process in the log of changes; the pool has the same.
    """

    def __init__(self, pool: DirectPool | PostgresPool, writer: bytes) -> None:
        super().__init__(pool)
        self._writer = writer

    _others_version = reading(_version)

    _changed_by_others = reading(_changed)

    def version(self) -> Deferred[int]:
        return self._others_version(self._writer)

    def changed(self, since: int, /) -> Deferred[list[Name] | None]:
        return self._changed_by_others(self._writer, since)

    def _write(self, whose: object, function: Interaction, *args: Any) -> Deferred[Any]:
        return self._pool.write(_logged, whose, function, *args)


def open_pooled(address: Address, server: bytes, reactor: Any) -> PostgresRegistry:
    """The registry of this server, for a process with a reactor."""
    connections: Any = PooledConnections(
        postgres.__name__,
        address,
        server,
        cp_min=1,
        cp_max=limits.REGISTRY_CONNECTIONS,
        cp_noisy=False,
        cp_reactor=reactor,
    )
    writer = os.urandom(_WRITER_BYTES)
    return PostgresRegistry(PostgresPool(connections, reactor, writer), writer)


def open_directly(address: Address, server: bytes) -> PostgresRegistry:
    """The same for a short-lived process. :raises OurFault: if it cannot be had."""
    writer = os.urandom(_WRITER_BYTES)
    session = DirectSession(lambda: postgres.connect(address, server))
    return PostgresRegistry(DirectPool(session, writer), writer)
