"""The registry's SQLite file: its tables, connections to it, checks of it, and its errors.

The journal is SQLite's rollback journal, so there is a single file at rest, and what was committed
is on the disk: a spent invitation must not come back after a power cut. A file's header is read
before SQLite opens it, so that a database that is not ours is never written to.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from twisted.enterprise import adbapi
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorThreads
from twisted.python.failure import Failure

from securecom import limits
from securecom.errors import OurFault, StateBusy, StateDamaged, StateUnusable
from securecom.server import files
from securecom.server.pools import Interaction, Task

_PEOPLE = (
    """CREATE TABLE users (
        name TEXT PRIMARY KEY NOT NULL,
        key BLOB UNIQUE CHECK (length(key) = 32),
        disabled INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
        created REAL NOT NULL
    ) STRICT""",
    # AUTOINCREMENT: a number the admin has seen never means another invitation.
    """CREATE TABLE invitations (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        token_hash BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32),
        expires REAL NOT NULL
    ) STRICT""",
    "CREATE INDEX invitations_by_name ON invitations (name)",
)
# `blocked` refers to no user, since the name need not be anybody's.
_BLOCKS = (
    """CREATE TABLE blocks (
        blocker TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
        blocked TEXT NOT NULL CHECK (blocked <> blocker),
        PRIMARY KEY (blocker, blocked)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX blocks_by_blocked ON blocks (blocked)",
)
# Names that nobody can have until then; nothing else is kept of the people who had them.
_QUARANTINE = (
    "CREATE TABLE quarantine (name TEXT PRIMARY KEY NOT NULL, until REAL NOT NULL) STRICT",
)
# A key that has signed over to another is never anybody's again, so both columns are unique.
_SUCCESSIONS = (
    """CREATE TABLE successions (
        name TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        old_key BLOB NOT NULL UNIQUE CHECK (length(old_key) = 32),
        new_key BLOB NOT NULL UNIQUE CHECK (length(new_key) = 32),
        old_signature BLOB NOT NULL CHECK (length(old_signature) = 64),
        new_signature BLOB NOT NULL CHECK (length(new_signature) = 64),
        PRIMARY KEY (name, number)
    ) STRICT, WITHOUT ROWID""",
)
# `public` is of what can retire the name's keys. Of a chain that was retired every key is kept:
# none is ever anybody's again, also not its thief's under another name.
_RETIREMENTS = (
    """CREATE TABLE retirement_keys (
        name TEXT PRIMARY KEY NOT NULL REFERENCES users (name) ON DELETE CASCADE,
        public BLOB NOT NULL CHECK (length(public) = 64)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE retired_keys (
        retired BLOB PRIMARY KEY NOT NULL CHECK (length(retired) = 32),
        name TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
        public BLOB NOT NULL CHECK (length(public) = 64),
        signature BLOB NOT NULL CHECK (length(signature) = 5325)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX retired_keys_by_name ON retired_keys (name)",
)
# What a second key adds. Rows from before have none: NULL in these columns.
_SECOND_KEYS = (
    "ALTER TABLE users ADD COLUMN second BLOB CHECK (length(second) = 32)",
    "ALTER TABLE successions ADD COLUMN old_second_key BLOB CHECK (length(old_second_key) = 1952)",
    "ALTER TABLE successions ADD COLUMN old_second_signature BLOB "
    "CHECK (length(old_second_signature) = 3309)",
    "ALTER TABLE successions ADD COLUMN new_second BLOB CHECK (length(new_second) = 32)",
)
#: The schema, step by step; each step leads to the next version. A new table is a new step at the
#: end, and steps that have been on a disk somewhere never change. What a table or column holds
#: about people is declared in `personal`.
STEPS: tuple[tuple[str, ...], ...] = (
    _PEOPLE,
    _BLOCKS,
    _QUARANTINE,
    _SUCCESSIONS,
    _RETIREMENTS,
    _SECOND_KEYS,
)


#: Marks the file's header, so that another program's database is not taken for ours ("scom").
APPLICATION = 0x73636F6D
#: The version of a registry after all `STEPS`.
VERSION = len(STEPS)
#: The oldest version that can be upgraded.
OLDEST = 1

_MAGIC = b"SQLite format 3\x00"
_APPLICATION_AT = 68  # SQLite's file format, "The Database Header"
_SETTINGS = (
    "PRAGMA foreign_keys = ON",  # off unless asked for, connection by connection
    "PRAGMA synchronous = EXTRA",  # the end of the journal is on the disk too
    "PRAGMA secure_delete = ON",  # what was removed is gone from the file
    "PRAGMA trusted_schema = OFF",
)
#: What the module sqlite3 raises for a damaged file. A damaged name or statement may not be UTF-8,
#: and neither may the message about it.
ERRORS = (sqlite3.Error, UnicodeDecodeError)
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CONSTRAINT})
_PRIMARY_CODE = 0xFF
_TAKE_LOCK = "BEGIN IMMEDIATE"  # nobody else writes until the transaction is over
_OPTIONS: dict[str, Any] = {
    "uri": True,
    "isolation_level": None,  # the pools begin their transactions themselves
    "check_same_thread": False,
}


# --- connections ----------------------------------------------------------------------------


class SynchronousPool:
    """One connection, used directly on this thread, for short-lived processes and tests."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def read(self, interaction: Interaction, *args: Any) -> Deferred[Any]:
        try:
            return succeed(interaction(self._connection.cursor(), *args))
        except Exception:
            return fail(Failure())

    def write(self, interaction: Interaction, *args: Any) -> Deferred[Any]:
        cursor = self._connection.cursor()
        try:
            cursor.execute(_TAKE_LOCK)
            result = interaction(cursor, *args)
            self._connection.commit()
        except Exception:
            failure = Failure()
            self._connection.rollback()
            return fail(failure)
        return succeed(result)

    def close(self) -> None:
        self._connection.close()


class Connections(Protocol):
    """What `GatheringPool` needs of `adbapi.ConnectionPool`."""

    def runWithConnection(self, func: Any, *args: Any, **kw: Any) -> Deferred[Any]:
        """Call `func(connection, *args)` on the database's thread."""

    def close(self) -> None:
        """Stop the thread and close its connection."""


class GatheringPool:
    """One connection on one thread, where reads do not queue behind writes.

    The thread gets one job at a time: all reads that wait and, in turn, as many writes as fit into
    one commit. So a read waits for one commit at most, and a hundred writes cost hardly more than
    one. Outcomes come in the order of the thread's work, so the result of a read that came before
    a change also arrives before it.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._reads: deque[Task] = deque()
        self._writes: deque[Task] = deque()
        self._is_working = False
        self._writes_next = False
        self._times_busy = 0

    def read(self, interaction: Interaction, *args: Any) -> Deferred[Any]:
        return self._do_later(self._reads, interaction, args)

    def write(self, interaction: Interaction, *args: Any) -> Deferred[Any]:
        return self._do_later(self._writes, interaction, args)

    def close(self) -> None:
        """Close the connection. Whatever still waits is dropped, without an answer."""
        self._reads.clear()
        self._writes.clear()
        self._connections.close()

    def _do_later(
        self, queue: deque[Task], interaction: Interaction, args: tuple[Any, ...]
    ) -> Deferred[Any]:
        answer: Deferred[Any] = Deferred()
        queue.append(Task(interaction, args, answer))
        if not self._is_working:
            self._work()
        return answer

    def _work(self) -> None:
        """Give the thread its next job, if there is one."""
        writes = bool(self._writes) and (self._writes_next or not self._reads)
        queue = self._writes if writes else self._reads
        if not queue:
            return
        self._is_working, self._writes_next = True, not writes
        count = min(len(queue), limits.TASKS_GATHERED)
        tasks = [queue.popleft() for _ in range(count)]
        job = self._connections.runWithConnection(_write_all if writes else _read_all, tasks)
        job.addErrback(lambda failure: [failure] * len(tasks))
        job.addCallback(self._done, tasks)

    def _done(self, outcomes: list[Any] | None, tasks: list[Task]) -> None:
        """The job is done. What its callers ask for next waits until all have their answers."""
        if outcomes is not None:
            self._times_busy = 0
        elif (self._times_busy + 1) * limits.WRITE_PATIENCE < limits.DATABASE_BUSY:
            self._times_busy += 1
            self._writes.extendleft(reversed(tasks))  # while these wait again, reads go on
            tasks, outcomes = [], []
        else:
            self._times_busy = 0
            busy = Failure(StateBusy("another process is writing to the registry"))
            outcomes = [busy] * len(tasks)
        for task, outcome in zip(tasks, outcomes, strict=True):
            task.answered(outcome)
        self._is_working = False
        self._work()


def _read_all(connection: sqlite3.Connection, tasks: Sequence[Task]) -> list[Any]:
    """The outcomes of interactions that change nothing."""
    return [task.outcome(connection.cursor()) for task in tasks]


def _write_all(connection: sqlite3.Connection, tasks: Sequence[Task]) -> list[Any] | None:
    """The outcomes of interactions that write, once all of it is on the disk.

    One that fails changes nothing, and the others go on. Returns None if another process has the
    lock.

    :raises sqlite3.Error: none of them changed anything.
    """
    if not _is_locked(connection):
        return None
    try:
        outcomes = [_in_savepoint(connection, task) for task in tasks]
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return outcomes


def _is_locked(connection: sqlite3.Connection) -> bool:
    """Take the write lock, waiting only a moment for others. Returns whether we have it."""
    _wait_for_others(connection, limits.WRITE_PATIENCE)
    try:
        connection.execute(_TAKE_LOCK)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & _PRIMARY_CODE not in _BUSY:
            raise
        return False
    finally:
        _wait_for_others(connection, limits.DATABASE_BUSY)
    return True


def _wait_for_others(connection: sqlite3.Connection, seconds: float) -> None:
    connection.execute(f"PRAGMA busy_timeout = {seconds * 1000:.0f}")


def _in_savepoint(connection: sqlite3.Connection, task: Task) -> Any:
    """Run one of several writes, completely or, if it fails, not at all."""
    connection.execute("SAVEPOINT one")
    outcome = task.outcome(connection.cursor())
    if isinstance(outcome, Failure):
        if not connection.in_transaction:  # a full disk, say: SQLite has undone all of them
            outcome.raiseException()
        connection.execute("ROLLBACK TO one")
    connection.execute("RELEASE one")
    return outcome


def threaded_pool(path: Path, reactor: IReactorThreads | None = None) -> GatheringPool:
    """One connection on a thread of its own, started and stopped with the reactor."""
    return GatheringPool(connections(path, reactor))


def connections(path: Path, reactor: IReactorThreads | None = None) -> Connections:
    """A database thread with one connection."""
    pool: Connections = adbapi.ConnectionPool(
        "sqlite3",
        _existing(path),
        timeout=limits.DATABASE_BUSY,
        cp_min=1,
        cp_max=1,
        cp_noisy=False,
        cp_openfun=_open,
        cp_reactor=reactor,
        **_OPTIONS,
    )
    return pool


def connect(path: Path, busy: float | None = None) -> sqlite3.Connection:
    """A connection to a registry that exists. :raises OurFault: if it cannot be had.

    :param busy: seconds to wait for others, `limits.DATABASE_BUSY` if None.
    """
    busy = limits.DATABASE_BUSY if busy is None else busy
    connection = _connect(path, busy)
    with readable():
        _migrate(connection)
    return connection


def _connect(path: Path, busy: float) -> sqlite3.Connection:
    with readable():
        connection: sqlite3.Connection = sqlite3.connect(_existing(path), timeout=busy, **_OPTIONS)
        _set_up(connection)
    return connection


def in_memory() -> sqlite3.Connection:
    """A connection to a new registry that is gone when it is closed."""
    connection: sqlite3.Connection = sqlite3.connect(":memory:", **_OPTIONS)
    _set_up(connection)
    _create(connection)
    return connection


def _existing(path: Path) -> str:
    return f"{path.absolute().as_uri()}?mode=rw"


def _open(connection: sqlite3.Connection) -> None:
    _set_up(connection)
    _migrate(connection)


def _set_up(connection: sqlite3.Connection) -> None:
    for setting in _SETTINGS:
        connection.execute(setting)


# --- the file -------------------------------------------------------------------------------


def create(path: Path) -> None:
    """A new, empty registry in a new private file. :raises OurFault: if that is impossible."""
    files.create(path, b"")
    connection = connect(path)
    with readable(), contextlib.closing(connection):
        _create(connection)


def _create(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    _take_steps(connection, 0)


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring an older registry up to this version: whole or not at all, by whoever comes first."""
    if not OLDEST <= _version(connection) < VERSION:
        return
    connection.execute(_TAKE_LOCK)
    try:
        if OLDEST <= (version := _version(connection)) < VERSION:
            _take_steps(connection, version)
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def _take_steps(connection: sqlite3.Connection, version: int) -> None:
    """From this version, 0 for an empty one, to the present one."""
    for step in STEPS[version:]:
        for statement in step:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def verify(path: Path) -> None:
    """:raises StateDamaged: if this is no whole registry that this version can use.

    It is not changed: an older one is brought up when it is next connected to.
    """
    files.check_file(path)
    with files.telling(path), open(path, "rb") as file:
        header = file.read(_APPLICATION_AT + 4)
    application = int.from_bytes(header[_APPLICATION_AT:], "big")
    if not header.startswith(_MAGIC) or application != APPLICATION:
        raise StateDamaged(f"{path} is no registry of securecom")
    connection = _connect(path, limits.DATABASE_BUSY)
    with readable(), contextlib.closing(connection):
        _verify(connection, path)


def _verify(connection: sqlite3.Connection, path: Path) -> None:
    version = _version(connection)
    if version > VERSION:
        hint = "Nothing was changed. Use that version, or a backup from before it."
        raise StateDamaged(f"{path} was written by a newer securecom (registry {version})", hint)
    if version < OLDEST or not _named(connection) >= _wanted(version):
        raise StateDamaged(f"{path} is half a registry")
    if connection.execute("PRAGMA quick_check").fetchall() != [("ok",)]:
        raise StateDamaged(f"{path} is damaged (SQLite's quick_check)")


def _named(connection: sqlite3.Connection) -> set[str]:
    """Its tables and indices."""
    return {row[0] for row in connection.execute("SELECT name FROM sqlite_schema")}


def _wanted(version: int) -> set[str]:
    """Those that a whole registry of this version has."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        for step in STEPS[:version]:
            for statement in step:
                connection.execute(statement)
        return _named(connection)


# --- errors ---------------------------------------------------------------------------------


@contextlib.contextmanager
def readable() -> Iterator[None]:
    """:raises OurFault: what an error of SQLite means."""
    try:
        yield
    except ERRORS as error:
        raise meaning(error) from None


def meaning(error: sqlite3.Error | UnicodeDecodeError) -> OurFault:
    """Busy, damaged, or in the way: full, read-only, gone."""
    if isinstance(error, UnicodeDecodeError):
        return StateDamaged("the registry is damaged (it holds text that is not UTF-8)")
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY_CODE
    if code in _BUSY:
        return StateBusy("another process is writing to the registry")
    if code in _DAMAGED:
        return StateDamaged(f"the registry is damaged ({error})")
    return StateUnusable(f"the registry cannot be used ({error})")
