"""What any registry has to do, told once, and run over the one in SQLite.

Another implementation runs `RegistryContract` too: it gives `open_registry`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from securecom.server.database import SynchronousPool, in_memory
from securecom.server.sqlite_registry import SQLiteRegistry
from securecom.tests.support.registry_contract import RegistryContract


class InMemory(RegistryContract, SynchronousTestCase):
    """The registry in SQLite, without a file."""

    def open_registry(self) -> SQLiteRegistry:
        return SQLiteRegistry(SynchronousPool(in_memory()))
