"""A server in memory, and a client that asks what it holds about its user."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securecom import vocabulary
from securecom.tests.support.memory_server import ManualClient, MemoryServer
from securecom.vocabulary import Fact


class MyDataCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = MemoryServer()
        self.alice = self.server.client("alice")

    def page(self, further: bool = False) -> dict[str, Any]:
        answer: dict[str, Any] = self.alice.done(self.alice.ask(vocabulary.MyData, further=further))
        return answer

    def facts(self, client: ManualClient | None = None) -> list[Fact]:
        """All pages."""
        client = client or self.alice
        facts: list[Fact] = []
        further, more = False, True
        while more:
            page = client.done(client.ask(vocabulary.MyData, further=further))
            facts, further, more = facts + page["facts"], True, page["more"]
        return facts

    def of(self, part: str, client: ManualClient | None = None) -> list[tuple[str, str]]:
        return [(fact.what, fact.value) for fact in self.facts(client) if fact.part == part]
