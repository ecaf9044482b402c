"""A conversation in rows of cells: gutter and text, day lines, the divider before what is new.

Every row of a peer's text begins with their name and a bar, which no text can imitate: what a peer
sends never begins a row. All text goes through `securecom.text.shown` here and nowhere else.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from securecom import limits
from securecom.client.frontends.fullscreen.conversations import (
    Conversation,
    Entry,
    Kind,
    Progress,
)
from securecom.client.frontends.marks import FACT, SERVER
from securecom.client.frontends.plain import FEWEST, broken, cells
from securecom.text import shown
from securecom.values import Value

#: How far our message has come, in two cells.
MARKS: dict[Progress, str] = {
    "": "  ",
    "held": "..",
    "sent": "> ",
    "delivered": "ok",
    "failed": "!!",
}
ME = "me"
#: A narrower screen has no room for times.
_TIMES_FROM = 50
#: The most cells that a name takes.
_NAME = 12


class Row(Value):
    """One row. `start` is where its piece of `entry`'s text begins; no entry: a day, the divider.

    `joins`: how the piece hangs together with the one before: as one word, over a blank that is
    left out, or as a line of its own.
    """

    entry: Entry | None
    piece: str
    start: int = 0
    joins: str = "\n"

    @property
    def is_first(self) -> bool:
        """Whether it is the first row of its entry."""
        return self.start == 0 and self.joins == "\n"


def pieces(text: str, width: int) -> Iterator[tuple[str, int, str]]:
    """The rows of a text that is safe to print, each with its place and how it joins the last.

    Fingerprints and addresses stay in one row wherever they fit one.
    """
    start = 0
    for number, line in enumerate(text.split("\n")):
        if number:
            start += 1
        if len(line) <= width and line.isascii():
            yield line, start, "\n"
            start += len(line)
            continue
        at, joins = 0, "\n"
        for piece in broken(line, width):
            for part in _cut(piece, max(width, FEWEST)):
                yield part, start + at, joins
                at += len(part)
                joins = ""
            if line.startswith(" ", at):
                at += 1
                joins = " "
        start += len(line)


def _cut(piece: str, width: int) -> Iterator[str]:
    """What cannot be broken at a blank, broken where the row ends."""
    if len(piece) <= width and piece.isascii():
        yield piece
        return
    start = taken = 0
    for index, c in enumerate(piece):
        taken += cells(c)
        if taken > width and index > start:
            yield piece[start:index]
            start, taken = index, cells(c)
    yield piece[start:]


class Layout:
    """How wide the gutter is, and what stands in it."""

    def __init__(self, conversation: Conversation, width: int) -> None:
        name = max(len(conversation.name), len(ME))
        self.width = width
        self.has_times = width >= _TIMES_FROM
        room = _NAME if self.has_times else max(width // 5, len(ME))
        self.name = min(name, room)

    def gutter(self, kind: Kind) -> int:
        """The cells of time and mark in front of the text."""
        who = self.name + 6 if kind in (Kind.PEER, Kind.MINE) else 4
        return who + 5 * self.has_times

    def room(self, kind: Kind) -> int:
        """Cells of text in a row."""
        return max(self.width - self.gutter(kind), FEWEST)

    def time(self, row: Row) -> str:
        """The time of day in an entry's first row."""
        if not self.has_times:
            return ""
        if row.entry is None or not row.is_first:
            return " " * 5
        return time.strftime("%H:%M", time.localtime(row.entry.at))

    def mark(self, row: Row) -> str:
        """What stands between time and text."""
        entry = row.entry
        if entry is None:
            return ""
        progress = MARKS[entry.progress] if row.is_first else "  "
        if entry.kind in (Kind.PEER, Kind.MINE):
            speaker = entry.speaker if entry.kind is Kind.PEER else ME
            if len(speaker) > self.name:
                speaker = f"{speaker[: self.name - 1]}~"
            return f" {progress} {speaker:>{self.name}}| "
        sign = _SIGNS.get(entry.kind, FACT) if row.is_first or entry.kind is Kind.SERVER else ""
        return f" {sign:2} "


_SIGNS = {Kind.FRAME: "--", Kind.PROBLEM: "!", Kind.SERVER: "S"}


def rows_of(entry: Entry, layout: Layout) -> Iterator[Row]:
    """The rows of one entry."""
    text = entry.text
    if entry.kind is Kind.SERVER:
        text = f"{SERVER} {text}"
    if text.count("\n") >= limits.MAX_LINES_SHOWN:
        head = text.split("\n", limits.MAX_LINES_SHOWN)
        text = "\n".join((*head[:-1], head[-1].replace("\n", "\u240a")))
    for piece, start, joins in pieces(shown(text, lines=True), layout.room(entry.kind)):
        yield Row(entry, piece, start, joins)


def day_line(at: float) -> str:
    """The line before the first entry of a day."""
    return time.strftime("%A, %d %B %Y", time.localtime(at))


def day(at: float) -> tuple[int, int, int]:
    """The day of this moment."""
    return time.localtime(at)[:3]
