"""Moves a registry from its file into PostgreSQL, or back. The CA stays in the state folder.

The copy is made and compared in one transaction of the new database. Nobody uses the old one
meanwhile, nor afterwards: whoever still has it open is refused.
"""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from securecom import whole_files
from securecom.errors import BadArgument, StateBusy, StateDamaged
from securecom.server import database, files, personal, postgres
from securecom.server.personal import Table
from securecom.server.pools import Cursor
from securecom.server.postgres import Address
from securecom.server.postgres_registry import PostgresCursor
from securecom.server.state import SQLITE, StoredState, held, read_state

#: What is copied: each table with its columns, a table that refers to another after it.
_COPIED = {
    **{name: tuple(one.columns) for name, one in personal.TABLES.items() if isinstance(one, Table)},
    "quarantine": ("name", "until"),
}
_COPY = ".moved"  # behind the name of the old file
_HALF = ".half"
_SEQUENCE = f"pg_get_serial_sequence('{postgres.SCHEMA}.invitations', 'number')"


@dataclass(frozen=True)
class Moved:
    """What was done, and what the admin does next."""

    what: str
    next_step: str


def move(folder: Path, target: str, now: float) -> Moved:
    """Move the registry of a state folder.

    :param target: an address of PostgreSQL, or `SQLITE`.
    :raises SecurecomError: it cannot be done. The registry is where it was.
    """
    address = None if target == SQLITE else Address.parse(target)
    state = read_state(folder, now)
    if (address is None) == (state.address is None):
        there = "a file in the state folder" if address is None else "in PostgreSQL"
        raise BadArgument(f"the registry is {there} already", "Nothing was changed.")
    with held(folder):
        return _to_sqlite(state) if address is None else _to_postgres(state, address)


def _to_postgres(state: StoredState, address: Address) -> Moved:
    path = state.registry_path
    kept = path.with_name(path.name + _COPY)
    with (
        open(path, "rb") as raw,  # closing it ends all locks of this process, so that comes last
        database.readable(),
        contextlib.closing(database.connect(path)) as source,
    ):
        source.execute("BEGIN EXCLUSIVE")  # nobody else reads or writes
        with (
            contextlib.closing(postgres.reach(address)) as connection,
            postgres.transaction(connection),
        ):
            postgres.create(connection, state.server_id)
            counted = _copy(source.cursor(), PostgresCursor(connection.cursor(), b""))
            _set_last_number(connection, _last_in_sqlite(source))
        files.create(state.address_path, address.to_file())
        whole_files.sync_folder(path.parent)
        # From here on the registry is in PostgreSQL. A command that waits for the file must fail.
        with files.telling(kept):
            kept.unlink(missing_ok=True)
        files.create(kept, raw.read())  # nothing has been written into it yet
        for table in reversed(_COPIED):
            source.execute(f"DROP TABLE {table}")
        source.execute("COMMIT")
    path.unlink()
    return Moved(
        f"{counted} moved into PostgreSQL",
        f"start the server. {kept} is a copy from before; delete it when you need it no more",
    )


def _to_sqlite(state: StoredState) -> Moved:
    assert state.address is not None  # noqa: S101
    path = state.registry_path
    half = path.with_name(path.name + _HALF)
    if path.exists():
        raise StateBusy(f"{path} exists", "Nothing was changed. Move it out of the folder first.")
    half.unlink(missing_ok=True)
    with contextlib.closing(postgres.connect(state.address, state.server_id)) as connection:
        postgres.take_over(connection)
        database.create(half)
        with database.readable(), contextlib.closing(database.connect(half)) as target:
            target.execute("BEGIN IMMEDIATE")
            counted = _copy(PostgresCursor(connection.cursor(), b""), target.cursor())
            _set_last_in_sqlite(target, _last_number(connection))
            target.execute("COMMIT")
        half.rename(path)
        whole_files.sync_folder(path.parent)
        with postgres.transaction(connection):
            connection.execute("UPDATE registry SET moved = true")
        state.address_path.unlink()
        whole_files.sync_folder(path.parent)
    return Moved(
        f"{counted} moved into {path}",
        "start the server. The tables in PostgreSQL are of no more use: "
        f"DROP SCHEMA {postgres.SCHEMA} CASCADE",
    )


def _copy(source: Cursor, target: Cursor) -> str:
    """Copy all rows. Returns how many of what. :raises StateDamaged: they are not all there."""
    counts = {}
    for table, columns in _COPIED.items():
        names = ", ".join(columns)
        all_rows = f"SELECT {names} FROM {table}"  # noqa: S608  # our own names
        source.execute(all_rows)
        rows = [tuple(row) for row in source.fetchall()]
        if rows:
            marks = ", ".join("?" * len(columns))
            insert = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608
            target.executemany(insert, rows)
        target.execute(all_rows)
        if set(rows) != {tuple(row) for row in target.fetchall()}:
            raise StateDamaged(f"the rows of {table} did not arrive as they were")
        counts[table] = len(rows)
    return (
        f"users: {counts['users']}, open invitations: {counts['invitations']}, "
        f"blocks: {counts['blocks']}, names in quarantine: {counts['quarantine']};"
    )


def _last_in_sqlite(connection: sqlite3.Connection) -> int:
    """The number of the last invitation ever made."""
    found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'invitations'")
    row = found.fetchone()
    return 0 if row is None else int(row[0])


def _set_last_in_sqlite(connection: sqlite3.Connection, number: int) -> None:
    connection.execute("DELETE FROM sqlite_sequence WHERE name = 'invitations'")
    connection.execute("INSERT INTO sqlite_sequence VALUES ('invitations', ?)", (number,))


def _last_number(connection: Any) -> int:
    row = connection.execute("SELECT last_value, is_called FROM invitations_number_seq").fetchone()
    return int(row[0]) if row[1] else 0


def _set_last_number(connection: Any, number: int) -> None:
    if number:
        connection.execute(f"SELECT setval({_SEQUENCE}, %s)", (number,))
