"""The SQL of leaving: people who are forgotten, and names that nobody may have for a while.

Functions over a cursor, as in `sql`.
"""

from __future__ import annotations

from securecom import limits
from securecom.errors import NoSuchUser, NotInQuarantine
from securecom.identity import Name, PublicKey
from securecom.server import personal, sql
from securecom.server.registry import Quarantined
from securecom.server.sql import Cursor


def remove(cursor: Cursor, name: Name, now: float) -> None:
    """See `Registry.remove`."""
    if sql.user(cursor, name) is None:
        raise NoSuchUser(f"there is no user {name}")
    _forget(cursor, name, now)


def forget(cursor: Cursor, name: Name, key: PublicKey, now: float) -> None:
    """See `Registry.forget`."""
    user = sql.user(cursor, name)
    if user is None or user.key != key:
        raise NoSuchUser("the one who asks is no user any more")
    _forget(cursor, name, now)


def _forget(cursor: Cursor, name: Name, now: float) -> None:
    """Erase the person, and keep the name from everybody; who has blocked it still does."""
    personal.erase(cursor, name)
    until = now + limits.NAME_QUARANTINE
    cursor.execute("INSERT OR REPLACE INTO quarantine VALUES (?, ?)", (str(name), until))


def quarantine(cursor: Cursor) -> list[Quarantined]:
    """See `Registry.quarantine`."""
    return sql.quarantined(cursor, "ORDER BY name")


def is_any_over(cursor: Cursor, now: float) -> bool:
    """The time of some name in quarantine is up."""
    return bool(sql.quarantined(cursor, "WHERE until <= ?", now))


def end_quarantines(cursor: Cursor, now: float) -> list[Name]:
    """See `Registry.end_quarantines`."""
    over = [one.name for one in sql.quarantined(cursor, "WHERE until <= ? ORDER BY name", now)]
    for name in over:
        _free(cursor, name)
    return over


def release(cursor: Cursor, name: Name) -> None:
    """See `Registry.release`."""
    if not sql.quarantined(cursor, "WHERE name = ?", str(name)):
        raise NotInQuarantine(f"{name} is not in quarantine")
    _free(cursor, name)


def _free(cursor: Cursor, name: Name) -> None:
    """Whoever gets the name next is somebody else, whom nobody has blocked."""
    cursor.execute("DELETE FROM quarantine WHERE name = ?", (str(name),))
    cursor.execute("DELETE FROM blocks WHERE blocked = ?", (str(name),))
