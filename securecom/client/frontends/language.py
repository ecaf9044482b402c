"""What tells the plain front-end from the JSON one: how a line is read and an event written."""

from __future__ import annotations

from typing import Any, Protocol

from securecom.client.events import Event
from securecom.client.frontends.orders import Order
from securecom.errors import SecurecomError


class Language(Protocol):
    """Lines in, lines out. Holds no rule of the client."""

    def read(self, line: str) -> Order | Event | None:
        """What a line asks for, what to show instead, or nothing.

        :raises SecurecomError: if nothing can be done with it.
        """

    def secret(self, line: str) -> str:
        """The pass phrase that a line answers with; empty: none is given.

        :raises SecurecomError: if the line is no such answer.
        """

    def lines(self, event: Event) -> list[str]:
        """An event, fit for any terminal."""

    def answer(self, order: Order, result: Any, error: SecurecomError | None) -> list[Event]:
        """What to show of what became of an order."""

    def complaint(self, line: str, error: SecurecomError) -> list[Event]:
        """What to show of a line that is no order."""
