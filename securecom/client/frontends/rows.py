"""Text in rows: each row of a terminal begins with a gutter of ours.

A terminal breaks long lines by itself and would let a peer's text begin a row, where it could
look like one of ours. So rows are broken here, before the terminal does it. Only what people copy
as one stays whole: a fingerprint, and a web address or link. It has no blank in it, and so cannot
look like a row of ours, which has several.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

#: A row has at least so many cells of text, however narrow the terminal says it is.
FEWEST = 8
#: Fingerprints, and addresses of the characters that these have; none of the marks of our rows.
_WHOLE = re.compile(
    r"SHA256:[A-Za-z0-9+/]{43}|[A-Za-z][A-Za-z0-9+.-]{0,15}://[A-Za-z0-9._~:/?#@!$&'()+,;=%\[\]-]{1,2000}"
)
#: Latin, Greek and Cyrillic: about all others the terminal may know better than our tables. What
#: Unicode calls "ambiguous" there takes one cell, in every terminal that was tried.
_ONE_CELL = (("\u00a0", "\u024f"), ("\u0370", "\u052f"), ("\u1e00", "\u1fff"))


def cells(c: str) -> int:
    """Cells that a character may take: rather too many than too few."""
    if " " <= c <= "~":
        return 1
    if unicodedata.combining(c) or c in "\u200c\u200d":
        return 0
    is_known = any(first <= c <= last for first, last in _ONE_CELL)
    return 1 if is_known and unicodedata.east_asian_width(c) not in "WF" else 2


def broken(text: str, width: int | None) -> Iterator[str]:
    """The pieces of a line without line feeds, each at most `width` cells, at blanks if it can.

    A fingerprint or an address that is longer is a piece of its own.

    :param width: None leaves the line whole.
    """
    if width is None:
        yield text
        return
    width = max(width, FEWEST)
    start = 0
    wholes = [match.span() for match in _WHOLE.finditer(text)]
    while (end := _fitting(text, start, width)) < len(text):
        blank = text.rfind(" ", start, end + 1)
        at = blank if blank > start else end
        while wholes and wholes[0][1] <= start:
            wholes.pop(0)
        if wholes and wholes[0][0] < at < wholes[0][1]:
            at = wholes[0][0] if wholes[0][0] > start else wholes[0][1]
        yield text[start:at]
        start = at + text.startswith(" ", at)
        if start == len(text):
            return
    yield text[start:]


def _fitting(text: str, start: int, width: int) -> int:
    """Where the characters that fit end."""
    taken = 0
    for index in range(start, len(text)):
        taken += cells(text[index])
        if taken > width:
            return max(index, start + 1)
    return len(text)
