"""What the registry holds about a person: every table and column is declared here.

`/mydata` shows what is declared, and `/forget-me` erases it. A test reads the real schema and fails
for a table or column that has no entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from securecom.errors import BadKey
from securecom.identity import Name, PublicKey
from securecom.server.pools import Cursor, never_written
from securecom.vocabulary import Fact


@dataclass(frozen=True)
class DataOwner:
    """The column that names the person who owns the row. `/mydata` shows the name only once."""


@dataclass(frozen=True)
class Shown:
    """A column that is shown to the row's owner.

    :param what: its label.
    :param written: turns a value into one line of text.
    """

    what: str
    written: Callable[[Any], str] = str


@dataclass(frozen=True)
class Exempt:
    """A table or column that is not shown, and the reason."""

    why: str


@dataclass(frozen=True)
class Table:
    """A table whose rows belong to people; one of its columns is the `DataOwner`."""

    part: str
    columns: Mapping[str, DataOwner | Shown | Exempt]

    @property
    def owner(self) -> str:
        """The name of that column."""
        return next(name for name, one in self.columns.items() if isinstance(one, DataOwner))


# --- how values are written -----------------------------------------------------------------


def moment(seconds: float) -> str:
    """A point in time in ISO 8601, UTC, to the second."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def yes_or_no(value: object) -> str:
    """A flag in words."""
    return "yes" if value else "no"


def _key(raw: bytes | None) -> str:
    """A public key as OpenSSH writes it."""
    try:
        return "none" if raw is None else PublicKey(raw).to_openssh()
    except BadKey as error:
        raise never_written(error) from None


def _hex(value: bytes | None) -> str:
    """Bytes that were not there before second keys were."""
    return "none" if value is None else value.hex()


def _invitation(number: int) -> str:
    """An invitation's number as `securecom-admin` prints it."""
    return f"I{number}"


# --- the declaration ------------------------------------------------------------------------

#: Every table of the schema. A table that refers to another comes after it.
TABLES: Mapping[str, Table | Exempt] = {
    "users": Table(
        "account",
        {
            "name": DataOwner(),
            "key": Shown("key", _key),
            "second": Shown("SHA-256 of the second key", _hex),
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
            "old_second_key": Shown("second key", _hex),
            "old_second_signature": Shown("the second key's signature", _hex),
            "new_second": Shown("SHA-256 of the new second key", _hex),
        },
    ),
    "retirement_keys": Table(
        "retirement",
        {"name": DataOwner(), "public": Shown("public half of your words", bytes.hex)},
    ),
    "retired_keys": Table(
        "retired key",
        {
            "name": DataOwner(),
            "retired": Shown("key", bytes.hex),
            "public": Shown("retired by the words with the public half", bytes.hex),
            "signature": Shown("their signature", bytes.hex),
        },
    ),
    "quarantine": Exempt("a name in quarantine belongs to nobody, so nobody could ask for it"),
    "sqlite_sequence": Exempt("SQLite's count of all invitations ever made"),
}


def held(cursor: Cursor, name: Name) -> list[Fact]:
    """Everything that the registry holds about the user of this name."""
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
    """Delete every row that this person owns."""
    for table, declared in reversed(list(TABLES.items())):
        if isinstance(declared, Table):
            words = ("DELETE FROM", table, "WHERE", declared.owner, "= ?")
            cursor.execute(" ".join(words), (str(name),))
