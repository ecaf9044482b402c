"""A front-end of lines over a scripted core: what is typed, and what the user sees."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from securecom.client.events import (
    Online,
)
from securecom.client.frontends.lines import Language, Lines
from securecom.client.frontends.orders import Order
from securecom.client.frontends.plain import Plain
from securecom.tests.support.scripted_core import ScriptedCore


class LinesCase(SynchronousTestCase):
    patient = True
    stay = False

    def setUp(self) -> None:
        self.clock = Clock()
        self.leaves = 0
        self.role = ScriptedCore()
        self.transport = StringTransport()
        self.first: list[Order] = []
        self.lines = self.make_lines()
        self.lines.makeConnection(self.transport)

    def make_lines(self) -> Lines:
        return Lines(
            self.language(),
            self.clock,
            self._leave,
            patient=self.patient,
            stay=self.stay,
            first=self.first,
        )

    def language(self) -> Language:
        return Plain(lambda: "08:05")

    def _leave(self) -> None:
        self.leaves += 1

    def begin(self, *first: Order) -> None:
        self.first += first
        self.lines.begin(self.role)
        self.clock.advance(0)

    @property
    def reader(self) -> Any:
        """What the transport tells that nobody, or somebody, reads."""
        return self.transport.producer

    def log_in(self) -> None:
        self.role.is_online = True
        self.lines.show(Online("alice", "K", False))
        self.clock.advance(0)

    def type(self, text: str) -> None:
        self.lines.dataReceived(text.encode("utf-8"))
        self.clock.advance(0)

    def shown(self) -> str:
        text: str = self.transport.value().decode("utf-8")
        self.transport.clear()
        return text
