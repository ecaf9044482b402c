"""The registry's SQL: plain functions over a cursor, each a part of one transaction.

The pools of `database` hold the write lock around functions that write: what these have read
stays true until they are done, whatever other threads and processes want. A function that raises
is undone, by itself; when its caller hears that it returned, the change is on the disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from securecom import limits
from securecom.errors import (
    BadKey,
    BadName,
    NameInQuarantine,
    NameTaken,
    NoSuchInvitation,
    NoSuchUser,
    StateDamaged,
)
from securecom.identity import Name, PublicKey
from securecom.refusals import BadInvitation, KeyTaken, ListFull
from securecom.server.registry import OpenInvitation, Quarantined, User


class Cursor(Protocol):
    """What the functions need of DB-API's cursor, or of adbapi's `Transaction` around one."""

    @property
    def rowcount(self) -> int:
        """Rows that the last statement changed."""

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> object:
        """Run one statement."""

    def fetchone(self) -> Any:
        """The next row or None."""

    def fetchall(self) -> list[Any]:
        """All rows that are left."""


# --- reading --------------------------------------------------------------------------------

_USERS = "SELECT name, key, disabled, created FROM users "
_INVITATIONS = "SELECT number, name, expires FROM invitations "
_QUARANTINED = "SELECT name, until FROM quarantine "


def user(cursor: Cursor, name: Name) -> User | None:
    """See `Registry.user`."""
    return _one_user(cursor, "WHERE name = ?", str(name))


def user_by_key(cursor: Cursor, key: PublicKey) -> User | None:
    """See `Registry.user_by_key`."""
    return _one_user(cursor, "WHERE key = ?", key.raw)


def users(cursor: Cursor) -> list[User]:
    """See `Registry.users`."""
    cursor.execute(_USERS + "ORDER BY name")
    return [_user(*row) for row in cursor.fetchall()]


def invitations(cursor: Cursor) -> list[OpenInvitation]:
    """See `Registry.invitations`."""
    return _some_invitations(cursor, "ORDER BY number")


def blocked(cursor: Cursor, blocker: Name) -> list[Name]:
    """See `Registry.blocked`."""
    cursor.execute("SELECT blocked FROM blocks WHERE blocker = ? ORDER BY blocked", (str(blocker),))
    return [_name(row[0]) for row in cursor.fetchall()]


def blocks(cursor: Cursor) -> dict[Name, list[Name]]:
    """See `Registry.blocks`."""
    cursor.execute("SELECT blocker, blocked FROM blocks ORDER BY blocker, blocked")
    found: dict[Name, list[Name]] = {}
    for blocker, who in cursor.fetchall():
        found.setdefault(_name(blocker), []).append(_name(who))
    return found


def quarantined(cursor: Cursor, which: str, *values: str | float) -> list[Quarantined]:
    """Names that nobody may have."""
    cursor.execute(_QUARANTINED + which, values)
    return [Quarantined(_name(name), until) for name, until in cursor.fetchall()]


def version(cursor: Cursor) -> int:
    """See `Registry.version`. SQLite changes it for what other connections have committed."""
    cursor.execute("PRAGMA data_version")
    number: int = cursor.fetchone()[0]
    return number


def _one_user(cursor: Cursor, where: str, value: str | bytes) -> User | None:
    cursor.execute(_USERS + where, (value,))
    row = cursor.fetchone()
    return None if row is None else _user(*row)


def _some_invitations(
    cursor: Cursor, which: str, *values: str | bytes | float
) -> list[OpenInvitation]:
    cursor.execute(_INVITATIONS + which, values)
    return [
        OpenInvitation(number, _name(name), expires) for number, name, expires in cursor.fetchall()
    ]


def _user(name: str, key: bytes | None, disabled: int, created: float) -> User:
    try:
        public_key = None if key is None else PublicKey(key)
    except BadKey as error:
        raise StateDamaged(
            f"the registry holds what was never written to it ({error.what})"
        ) from None
    return User(_name(name), public_key, bool(disabled), created)


def _name(text: str) -> Name:
    try:
        return Name(text)
    except BadName as error:
        raise StateDamaged(
            f"the registry holds what was never written to it ({error.what})"
        ) from None


# --- writing --------------------------------------------------------------------------------


def spend(cursor: Cursor, token_hash: bytes, key: PublicKey, now: float) -> Name:
    """See `Registry.spend`."""
    open_now = _some_invitations(cursor, "WHERE token_hash = ? AND expires > ?", token_hash, now)
    if not open_now:
        raise BadInvitation
    check_free(cursor, key)
    name = open_now[0].name
    if quarantined(cursor, "WHERE name = ?", str(name)):  # likewise one that should not be left
        raise BadInvitation
    cursor.execute(
        "INSERT INTO users (name, key, created) VALUES (?, ?, ?) "
        "ON CONFLICT (name) DO UPDATE SET key = excluded.key WHERE key IS NULL",
        (str(name), key.raw, now),
    )
    if cursor.rowcount != 1:  # the name has a key: an invitation that should not have been left
        raise BadInvitation
    cursor.execute("DELETE FROM invitations WHERE name = ? OR expires <= ?", (str(name), now))
    return name


def invite(cursor: Cursor, name: Name, token_hash: bytes, expires: float) -> OpenInvitation:
    """See `Registry.invite`."""
    present = user(cursor, name)
    if present is not None and present.key is not None:
        raise NameTaken(f"{name} has a key already")
    for one in quarantined(cursor, "WHERE name = ?", str(name)):
        raise NameInQuarantine(one.told)
    cursor.execute(
        "INSERT INTO invitations (name, token_hash, expires) VALUES (?, ?, ?)",
        (str(name), token_hash, expires),
    )
    return _some_invitations(cursor, "WHERE token_hash = ?", token_hash)[0]


def revoke(cursor: Cursor, which: Name | int) -> list[OpenInvitation]:
    """See `Registry.revoke`."""
    if isinstance(which, int):
        closed = _some_invitations(cursor, "WHERE number = ?", which)
    else:
        closed = _some_invitations(cursor, "WHERE name = ? ORDER BY number", str(which))
    if not closed:
        raise NoSuchInvitation(f"there is no open invitation {which}")
    for invitation in closed:
        cursor.execute("DELETE FROM invitations WHERE number = ?", (invitation.number,))
    return closed


def set_disabled(cursor: Cursor, name: Name, disabled: bool) -> None:
    """See `Registry.disable` and `Registry.enable`."""
    cursor.execute("UPDATE users SET disabled = ? WHERE name = ?", (int(disabled), str(name)))
    _must_have_met(cursor, name)


def reset_key(cursor: Cursor, name: Name) -> None:
    """See `Registry.reset_key`."""
    cursor.execute("UPDATE users SET key = NULL WHERE name = ?", (str(name),))
    _must_have_met(cursor, name)
    cursor.execute("DELETE FROM successions WHERE name = ?", (str(name),))  # perhaps a thief's


def block(cursor: Cursor, blocker: Name, who: Name) -> None:
    """See `Registry.block`."""
    if user(cursor, blocker) is None:
        raise NoSuchUser(f"there is no user {blocker}")
    names = blocked(cursor, blocker)
    if who in names:
        return
    if len(names) >= limits.MAX_BLOCKED:
        raise ListFull
    cursor.execute("INSERT INTO blocks VALUES (?, ?)", (str(blocker), str(who)))


def unblock(cursor: Cursor, blocker: Name, who: Name) -> bool:
    """See `Registry.unblock`."""
    cursor.execute("DELETE FROM blocks WHERE blocker = ? AND blocked = ?", (str(blocker), str(who)))
    return cursor.rowcount == 1


def check_free(cursor: Cursor, key: PublicKey) -> None:
    """:raises KeyTaken: if it is somebody's key, or was and has signed itself away."""
    cursor.execute(
        "SELECT 1 FROM users WHERE key = ? UNION ALL SELECT 1 FROM successions WHERE old_key = ?",
        (key.raw, key.raw),
    )
    if cursor.fetchone() is not None:
        raise KeyTaken


def _must_have_met(cursor: Cursor, name: Name) -> None:
    if cursor.rowcount != 1:
        raise NoSuchUser(f"there is no user {name}")
