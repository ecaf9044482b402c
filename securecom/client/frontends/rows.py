"""Text in rows: each row of a terminal begins with a gutter of ours.

A terminal breaks long lines by itself and would let a peer's text begin a row, where it could
look like one of ours. So rows are broken here, before the terminal does it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

#: A row has at least so many cells of text, however narrow the terminal says it is.
FEWEST = 8
#: Latin, Greek and Cyrillic: about all others the terminal may know better than our tables.
_ONE_CELL = (("\u00a0", "\u024f"), ("\u0370", "\u052f"), ("\u1e00", "\u1fff"))


def cells(c: str) -> int:
    """Cells that a character may take: rather too many than too few."""
    if " " <= c <= "~":
        return 1
    if unicodedata.combining(c) or c in "\u200c\u200d":
        return 0
    is_known = any(first <= c <= last for first, last in _ONE_CELL)
    return 1 if is_known and unicodedata.east_asian_width(c) not in "WFA" else 2


def broken(text: str, width: int | None) -> Iterator[str]:
    """The pieces of a line without line feeds, each at most `width` cells, at blanks if it can.

    :param width: None leaves the line whole.
    """
    if width is None:
        yield text
        return
    width = max(width, FEWEST)
    while (end := _fitting(text, width)) < len(text):
        blank = text.rfind(" ", 0, end + 1)
        at = blank if blank > 0 else end
        yield text[:at]
        text = text[at:].removeprefix(" ")
    yield text


def _fitting(text: str, width: int) -> int:
    """How many characters of the text fit."""
    taken = 0
    for index, c in enumerate(text):
        taken += cells(c)
        if taken > width:
            return max(index, 1)
    return len(text)
