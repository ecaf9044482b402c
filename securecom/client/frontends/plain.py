"""The plain language: what a person types and reads, on a terminal, a pipe or a file.

A row is the time, a gutter, the text. Every row of a peer's text, its second lines too, begins
with the peer's name and a bar; nothing that a peer sends can stand in another's place. Only an
address that is longer than a row goes on at the terminal's edge, so that it can be copied whole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from securecom import limits
from securecom.client.events import (
    Delivered,
    Event,
    Notice,
    RequestChannel,
    SafetyCode,
    Said,
    problem,
)
from securecom.client.frontends import commands
from securecom.client.frontends.orders import Order
from securecom.client.frontends.qr import Screen, least_room, qr_rows
from securecom.client.frontends.rows import FEWEST, broken
from securecom.client.frontends.typed import Typed
from securecom.client.frontends.wording import FACT, FRAME, Line, words
from securecom.errors import SecurecomError
from securecom.text import shown


class Plain:
    """Lines for people.

    :param now: the time of day as it is shown, `08:05`.
    :param screen: the terminal as it is now.
    :param echoes: the person sees what they type: their own messages are not shown again.
    """

    def __init__(
        self,
        now: Callable[[], str],
        screen: Callable[[], Screen] = Screen,
        *,
        echoes: bool = False,
    ) -> None:
        self._now = now
        self._screen = screen
        self._echoes = echoes
        self._typed = Typed()
        self._has_failed = False  # the request channel
        self._last_said = 0
        self._inverts = False  # the QR code that comes next

    def read(self, line: str) -> Order | Event | None:
        """Language."""
        what = self._typed.read(line)
        return Notice(what) if isinstance(what, str) else what

    def secret(self, line: str) -> str:
        """Language: all of the line, blanks too."""
        return line

    def answer(self, order: Order, result: Any, error: SecurecomError | None) -> list[Event]:
        """Language: failures, and what was asked for; that the rest was done, events tell."""
        if error is not None:
            if order.command.asks:
                self._typed.asked_in_vain()
            return [problem(error)]
        if order.command is commands.VERIFY:
            self._inverts = (order.argument or "").endswith("invert")
        return [result] if isinstance(result, Event) else []

    def complaint(self, line: str, error: SecurecomError) -> list[Event]:
        """Language."""
        return [problem(error)]

    def lines(self, event: Event) -> list[str]:
        """Language."""
        told = self._told(event)
        now = self._now()
        if isinstance(event, SafetyCode):
            title, *others = told
            return [*self._rows(now, *title), *self._code(now, event.digits, others)]
        return [row for mark, text in told for row in self._rows(now, mark, text)]

    def _code(self, now: str, digits: str, others: list[Line]) -> list[str]:
        """The QR code, without a gutter: what is in it is ours. Or why there is none."""
        drawn = qr_rows(digits, self._screen(), inverted=self._inverts)
        if not drawn:
            columns, rows = least_room(digits)
            what = f"a QR code needs a terminal of {columns} columns and {rows} rows: make this one"
            others = [(FACT, f"{what} larger, or /verify shows the number as digits")]
        return [*drawn, *(row for mark, text in others for row in self._rows(now, mark, text))]

    def _told(self, event: Event) -> list[Line]:
        if isinstance(event, RequestChannel):
            return words(event) if self._is_news(event) else []
        if not self._echoes:
            return words(event)
        if isinstance(event, Said):
            self._last_said = event.number
            return words(event)[1:]
        if event == Delivered(self._last_said):
            return [(FRAME, "delivered")]  # the line above: a number would say nothing more
        return words(event)

    def _is_news(self, event: RequestChannel) -> bool:
        """It fails, or works again, or listens on a port of ours."""
        had_failed, self._has_failed = self._has_failed, not event.up
        return had_failed or not event.up or event.how == "dial"

    def _rows(self, now: str, mark: str, text: str) -> list[str]:
        """Time and mark in the first row; in the others the mark again, or its room if ours."""
        is_ours = mark in (FACT, FRAME)
        columns = self._screen().columns
        mark = f" {mark} " if mark == FACT else _cut(mark, columns, len(now))
        first = f"{now}  {mark} "
        other = " " * len(first) if is_ours else f"{' ' * len(now)}  {mark} "
        width = None if columns is None else columns - len(first)
        lines = [text] if is_ours else text.split("\n", limits.MAX_LINES_SHOWN)
        rows = [row for line in lines for row in broken(shown(line), width)]
        return [first + rows[0], *(other + row for row in rows[1:])]


def _cut(mark: str, columns: int | None, before: int) -> str:
    """The mark, with the end of a peer's name left out where a narrow terminal has no room."""
    room = len(mark) if columns is None else columns - before - FEWEST - 3
    if len(mark) <= max(room, 3):
        return mark
    return f"{mark[: max(room, 3) - 2]}~{mark[-1]}"
