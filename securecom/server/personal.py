"""What the registry holds about a person: every table and column, declared.

`/mydata` shows what is declared here and `/forget-me` erases it: a new table or column is one more
entry. A test reads the real schema and fails for whatever has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from securecom.arguments import Fact
from securecom.errors import BadKey, StateDamaged
from securecom.identity import Name, PublicKey
from securecom.server.sql import Cursor


@dataclass(frozen=True)
class Owner:
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
    columns: Mapping[str, Owner | Shown | Exempt]

    @property
    def owner(self) -> str:
        """The column with the owner's name."""
        return next(name for name, one in self.columns.items() if isinstance(one, Owner))


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
            "name": Owner(),
            "key": Shown("key", _key),
            "disabled": Shown("disabled", yes_or_no),
            "created": Shown("since", moment),
        },
    ),
    "invitations": Table(
        "open invitation",
        {
            "number": Shown("number", _invitation),
            "name": Owner(),
            "token_hash": Shown("SHA-256 of its token", bytes.hex),
            "expires": Shown("good until", moment),
        },
    ),
    "blocks": Table("blocked by you", {"blocker": Owner(), "blocked": Shown("name")}),
    "successions": Table(
        "earlier key",
        {
            "name": Owner(),
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
