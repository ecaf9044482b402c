"""Text in rows: each row of a terminal begins with a gutter of ours.

A terminal breaks long lines by itself and would let a peer's text begin a row, where it could
look like one of ours. So rows are broken here, before the terminal does it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

#: A row has at least so many cells of text, however narrow the terminal says it is.
_FEWEST = 8


def cells(c: str) -> int:
    """Cells that a character may take: rather too many than too few."""
    if " " <= c <= "~":
        return 1
    if unicodedata.combining(c) or c in "\u200c\u200d":
        return 0
    return 2 if unicodedata.east_asian_width(c) in "WFA" else 1


def broken(text: str, width: int | None) -> Iterator[str]:
    """The pieces of a line without line feeds, each at most `width` cells, at blanks if it can.

    :param width: None leaves the line whole.
    """
    if width is None:
        yield text
        return
    width = max(width, _FEWEST)
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
