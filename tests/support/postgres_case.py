"""A database of a test's own on a PostgreSQL that the tests of this process share."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SkipTest

from securecom import limits
from securecom.server import postgres
from securecom.server.postgres import Address
from securecom.server.postgres_registry import PostgresRegistry, open_directly
from tests.support.postgres_server import PostgresServer, missing

SERVER = b"s" * 32
#: Seconds in which nothing fails because of others.
PATIENT = 60.0
_shared: list[PostgresServer] = []


def shared() -> PostgresServer:
    """A server for all tests of this process that leave it as it is."""
    if not _shared:
        _shared.append(PostgresServer())
        _shared[0].start()
    return _shared[0]


class PostgresCase:
    """A database of the test's own."""

    server: PostgresServer
    url: str
    address: Address

    def setUp(self) -> None:
        if why := missing():
            raise SkipTest(why)
        self.prepare(shared())
        super().setUp()  # type: ignore[misc]

    def prepare(self, server: PostgresServer) -> None:
        # A busy machine is no fault.
        self.patch(limits, "DATABASE_BUSY", PATIENT)  # type: ignore[attr-defined]
        self.patch(limits, "REGISTRY_DEADLINE", 2 * PATIENT)  # type: ignore[attr-defined]
        self.server = server
        self.name = server.database()
        self.url = server.url(self.name)
        self.address = Address.parse(self.url)
        postgres.begin(self.address, SERVER)

    def open_directly(self) -> PostgresRegistry:
        registry = open_directly(self.address, SERVER)
        self.addCleanup(registry.close)  # type: ignore[attr-defined]
        return registry

    def as_admin(self, statement: str, *values: object) -> list[Any]:
        with self.server.admin(self.name) as admin:
            admin.execute(f"SET search_path = {postgres.SCHEMA}")
            found = admin.execute(statement, values or None)
            return found.fetchall() if found.description else []
