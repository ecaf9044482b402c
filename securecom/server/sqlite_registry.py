"""The registry in SQLite: a file beside the server, which `securecom-admin` opens too."""

from __future__ import annotations

from sqlite3 import Cursor

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from securecom.identity import Name
from securecom.server import database
from securecom.server.changes import Changes
from securecom.server.pools import Pool
from securecom.server.sql_registry import SQLRegistry, reading


def _version(cursor: Cursor) -> int:
    """A number that changes whenever another connection, the admin's for one, has written."""
    cursor.execute("PRAGMA data_version")
    number: int = cursor.fetchone()[0]
    return number


class SQLiteRegistry(SQLRegistry):
    """A registry in a file.

    :param changes: watches the file; None if nobody asks for the mark.
    """

    def __init__(self, pool: Pool, changes: Changes | None = None) -> None:
        super().__init__(pool)
        self._changes = changes

    version = reading(_version)

    def changed(self, since: int, /) -> Deferred[list[Name] | None]:
        """SQLite does not say what another process has written."""
        return succeed(None)

    def mark(self) -> bytes | None:
        return None if self._changes is None else self._changes.mark()

    def close(self) -> None:
        super().close()
        if self._changes is not None:
            self._changes.close()

    def _meaning(self, failure: Failure) -> Failure:
        if isinstance(failure.value, database.ERRORS):
            return Failure(database.meaning(failure.value))
        return failure
