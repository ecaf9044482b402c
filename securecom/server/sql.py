"""What the registry holds about a person: every table and column, declared.

`/mydata` shows what is declared here and `/forget-me` erases it: a new table or column is one more
entry. A test reads the real schema and fails for whatever has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from securecom import limits
from securecom.errors import (
    BadKey,
    BadName,
    NameInQuarantine,
    NameTaken,
    NoSuchInvitation,
    NoSuchUser,
    NotInQuarantine,
    StateDamaged,
)
from securecom.identity import Name, PublicKey
from securecom.refusals import BadInvitation, KeyInUse, ListFull
from securecom.server.registry import OpenInvitation, Quarantined, User
from securecom.succession import Link
from securecom.vocabulary import Fact


@dataclass(frozen=True)
class DataOwner:
    """The column with the name of the person whose row it is; the name is shown once."""


@dataclass(frozen=True)
class Shown:
    """A column that is shown to the row's owner.

    :param what: what it is called there.
    :param written: a value of it as text in one line.
    """

    what: str
    written: Callable[[Any], str] = str


@dataclass(frozen=True)
class Exempt:
    """A table or column that is not shown, and why."""

    why: str


@dataclass(frozen=True)
class Table:
    """A table with rows of people's. One of its columns is the `Owner`."""

    part: str
    columns: Mapping[str, DataOwner | Shown | Exempt]

    @property
    def owner(self) -> str:
        """The column with the owner's name."""
        return next(name for name, one in self.columns.items() if isinstance(one, DataOwner))


# --- how values are written -----------------------------------------------------------------


def moment(seconds: float) -> str:
    """A moment: ISO 8601, UTC, whole seconds."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def yes_or_no(value: object) -> str:
    """A truth."""
    return "yes" if value else "no"


def _key(raw: bytes | None) -> str:
    """A public key, whole."""
    try:
        return "none" if raw is None else PublicKey(raw).to_openssh()
    except BadKey as error:
        why = f"the registry holds what was never written to it ({error.what})"
        raise StateDamaged(why) from None


def _invitation(number: int) -> str:
    """As the admin's command writes it."""
    return f"I{number}"


# --- the declaration ------------------------------------------------------------------------

#: Every table of the schema, those that refer to others behind them.
TABLES: Mapping[str, Table | Exempt] = {
    "users": Table(
        "account",
        {
            "name": DataOwner(),
            "key": Shown("key", _key),
            "disabled": Shown("disabled", yes_or_no),
            "created": Shown("since", moment),
        },
    ),
    "invitations": Table(
        "open invitation",
        {
            "number": Shown("number", _invitation),
            "name": DataOwner(),
            "token_hash": Shown("SHA-256 of its token", bytes.hex),
            "expires": Shown("good until", moment),
        },
    ),
    "blocks": Table("blocked by you", {"blocker": DataOwner(), "blocked": Shown("name")}),
    "successions": Table(
        "earlier key",
        {
            "name": DataOwner(),
            "number": Shown("number"),
            "old_key": Shown("key", _key),
            "new_key": Shown("signed over to", _key),
            "old_signature": Shown("its signature", bytes.hex),
            "new_signature": Shown("the new key's signature", bytes.hex),
        },
    ),
    "quarantine": Exempt("a name in quarantine is nobody's: there is no person who could ask"),
    "sqlite_sequence": Exempt("SQLite's count of all invitations ever made"),
}


def held(cursor: Cursor, name: Name) -> list[Fact]:
    """See `Registry.held`."""
    facts = [Fact("account", "name", str(name))]
    for table, declared in TABLES.items():
        if isinstance(declared, Table):
            facts += _facts(cursor, table, declared, name)
    return facts


def _facts(cursor: Cursor, table: str, declared: Table, name: Name) -> list[Fact]:
    shown = {column: one for column, one in declared.columns.items() if isinstance(one, Shown)}
    words = ("SELECT", ", ".join(shown), "FROM", table, "WHERE", declared.owner, "= ? ORDER BY 1")
    cursor.execute(" ".join(words), (str(name),))
    return [
        Fact(declared.part, one.what, one.written(value))
        for row in cursor.fetchall()
        for one, value in zip(shown.values(), row, strict=True)
    ]


def erase(cursor: Cursor, name: Name) -> None:
    """Erase whatever is declared as this person's."""
    for table, declared in reversed(list(TABLES.items())):
        if isinstance(declared, Table):
            words = ("DELETE FROM", table, "WHERE", declared.owner, "= ?")
            cursor.execute(" ".join(words), (str(name),))


# --- The registry's SQL: plain functions over a cursor, each a part of one transaction --------
# The pools of `database` hold the write lock around functions that write: what these have read
# stays true until they are done, whatever other threads and processes want. A function that raises
# is undone, by itself; when its caller hears that it returned, the change is on the disk.


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


def user_named(cursor: Cursor, name: Name) -> User | None:
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
    present = user_named(cursor, name)
    if present is not None and present.key is not None:
        raise NameTaken(f"{name} has a key already")
    for one in quarantined(cursor, "WHERE name = ?", str(name)):
        raise NameInQuarantine(one.explanation)
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
    if user_named(cursor, blocker) is None:
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
        raise KeyInUse


def _must_have_met(cursor: Cursor, name: Name) -> None:
    if cursor.rowcount != 1:
        raise NoSuchUser(f"there is no user {name}")


# --- The SQL of leaving: people who are forgotten, and names that nobody may have for a while -
# Functions over a cursor, as in `sql`.


def remove(cursor: Cursor, name: Name, now: float) -> None:
    """See `Registry.remove`."""
    if user_named(cursor, name) is None:
        raise NoSuchUser(f"there is no user {name}")
    _forget(cursor, name, now)


def forget(cursor: Cursor, name: Name, key: PublicKey, now: float) -> None:
    """See `Registry.forget`."""
    someone = user_named(cursor, name)
    if someone is None or someone.key != key:
        raise NoSuchUser("the one who asks is no user any more")
    _forget(cursor, name, now)


def _forget(cursor: Cursor, name: Name, now: float) -> None:
    """Erase the person, and keep the name from everybody; who has blocked it still does."""
    erase(cursor, name)
    until = now + limits.NAME_QUARANTINE
    cursor.execute("INSERT OR REPLACE INTO quarantine VALUES (?, ?)", (str(name), until))


def quarantine(cursor: Cursor) -> list[Quarantined]:
    """See `Registry.quarantine`."""
    return quarantined(cursor, "ORDER BY name")


def is_any_over(cursor: Cursor, now: float) -> bool:
    """The time of some name in quarantine is up."""
    return bool(quarantined(cursor, "WHERE until <= ?", now))


def end_quarantines(cursor: Cursor, now: float) -> list[Name]:
    """See `Registry.end_quarantines`."""
    over = [one.name for one in quarantined(cursor, "WHERE until <= ? ORDER BY name", now)]
    for name in over:
        _free(cursor, name)
    return over


def release(cursor: Cursor, name: Name) -> None:
    """See `Registry.release`."""
    if not quarantined(cursor, "WHERE name = ?", str(name)):
        raise NotInQuarantine(f"{name} is not in quarantine")
    _free(cursor, name)


def _free(cursor: Cursor, name: Name) -> None:
    """Whoever gets the name next is somebody else, whom nobody has blocked."""
    cursor.execute("DELETE FROM quarantine WHERE name = ?", (str(name),))
    cursor.execute("DELETE FROM blocks WHERE blocked = ?", (str(name),))


# --- The registry's SQL for keys that sign over to others: a person's chain, and its next link
# As in `sql`: plain functions over a cursor, one transaction each.


def successions(cursor: Cursor, name: Name, key: PublicKey) -> list[Link]:
    """See `Registry.successions`."""
    cursor.execute(
        "SELECT old_key, new_key, old_signature, new_signature "
        "FROM users LEFT JOIN successions USING (name) "
        "WHERE users.name = ? AND users.key = ? ORDER BY number",
        (str(name), key.raw),
    )
    rows = cursor.fetchall()
    if not rows:
        raise NoSuchUser(f"there is no user {name} with this key")
    return [_link(*row) for row in rows if row[0] is not None]


def succeed(cursor: Cursor, name: Name, link: Link) -> list[Link]:
    """See `Registry.succeed`."""
    check_free(cursor, link.new)
    cursor.execute(
        "UPDATE users SET key = ? WHERE name = ? AND key = ?",
        (link.new.raw, str(name), link.old.raw),
    )
    if cursor.rowcount != 1:
        raise NoSuchUser(f"there is no user {name} with this key")
    cursor.execute("SELECT coalesce(max(number), 0) FROM successions WHERE name = ?", (str(name),))
    number = cursor.fetchone()[0] + 1
    row = (link.old.raw, link.new.raw, link.old_signature, link.new_signature)
    cursor.execute("INSERT INTO successions VALUES (?, ?, ?, ?, ?, ?)", (str(name), number, *row))
    cursor.execute(
        "DELETE FROM successions WHERE name = ? AND number <= ?",
        (str(name), number - limits.MAX_SUCCESSIONS),
    )
    return successions(cursor, name, link.new)


def _link(old: bytes, new: bytes, old_signature: bytes, new_signature: bytes) -> Link:
    try:
        return Link(PublicKey(old), PublicKey(new), old_signature, new_signature)
    except BadKey as error:
        what = f"the registry holds what was never written to it ({error.what})"
        raise StateDamaged(what) from None
