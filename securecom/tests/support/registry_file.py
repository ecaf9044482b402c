"""A registry in a file on disk."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from securecom.server.database import SynchronousPool, connect, create
from securecom.server.sqlite_registry import SQLiteRegistry


class RegistryFileCase(SynchronousTestCase):
    """A registry in a file, and as many connections to it as wanted."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        create(self.path)

    def connect(self) -> sqlite3.Connection:
        """A connection that does not wait for others."""
        connection = connect(self.path, busy=0)
        self.addCleanup(connection.close)
        return connection

    def open(self) -> SQLiteRegistry:
        return SQLiteRegistry(SynchronousPool(self.connect()))


def outcome(result: Deferred[Any]) -> object:
    """What a registry that works at once answered, or the class of its error."""
    outcomes: list[object] = []
    result.addErrback(lambda failure: type(failure.value)).addCallback(outcomes.append)
    return outcomes[0]
