"""What runs the transactions of a registry: a cursor, a pool, a task for one of its threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from securecom.errors import SecurecomError, StateDamaged

Interaction = Callable[..., Any]


class Cursor(Protocol):
    """What statements need of a cursor; SQLite's own is one."""

    @property
    def rowcount(self) -> int:
        """How many rows the last statement has changed."""

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> object:
        """Run a statement; each question mark in it stands for a value."""

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> object:
        """Run it once for each row of values."""

    def fetchone(self) -> Any:
        """The next row of the last statement's result, or None."""

    def fetchall(self) -> list[Any]:
        """All rows that are left of it."""


class Pool(Protocol):
    """Runs a registry's transactions.

    Both call `interaction(cursor, *args)` and fire with its result or fail with its error.
    """

    def read(self, interaction: Interaction, *args: Any) -> Deferred[Any]:
        """Run an interaction that changes nothing."""

    def write(self, interaction: Interaction, *args: Any) -> Deferred[Any]:
        """Run it with the write lock held. When this fires, the change is on the disk."""

    def close(self) -> None:
        """Close the connections."""


@dataclass(frozen=True)
class Task:
    """An interaction that waits for a database's thread."""

    interaction: Interaction
    args: tuple[Any, ...]
    answer: Deferred[Any]

    def outcome(self, cursor: Cursor) -> Any:
        """Run it on the database's thread. Returns its result or a `Failure`."""
        try:
            return self.interaction(cursor, *self.args)
        except Exception:
            return Failure()

    def answered(self, outcome: Any) -> None:
        """Pass the outcome to the caller."""
        if isinstance(outcome, Failure):
            self.answer.errback(outcome)
        else:
            self.answer.callback(outcome)


def never_written(error: SecurecomError) -> StateDamaged:
    """The registry holds a value that securecom would not have written."""
    return StateDamaged(f"the registry holds what was never written to it ({error.what})")
