"""A QR code in rows of text that fit the terminal.

Every reader that was tried takes two blanks a module with explicit background colours, on dark and
on light terminals (docs/compatibility.md). That is twice as wide and twice as high as half blocks,
which are for terminals without so much room; without colours they are light on dark.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from securecom.values import Value

if TYPE_CHECKING:
    import segno

#: Modules of quiet around it: the standard's, and what readers still took, where room is short.
_BORDERS = (4, 2)
#: Entries of the palette of 256 colours, which no theme changes as it may change the first 16.
_BLACK, _WHITE = 16, 231
_PLAIN = "\x1b[0m"
_UPPER_HALF = "\u2580"
#: Rows of the terminal for what stands around the code: its title, and what to do then.
_AROUND = 3


class Screen(Value):
    """What a code is drawn on. Sizes are in cells; None: nothing breaks lines, or no end.

    :param has_colours: it obeys the sequences for colours; else nothing but text is written.
    """

    columns: int | None = None
    rows: int | None = None
    has_colours: bool = False

    def fits(self, columns: int, rows: int) -> bool:
        """Is there room for so much, and for what stands around it?"""
        is_narrow = self.columns is not None and columns > self.columns
        return not is_narrow and (self.rows is None or rows + _AROUND <= self.rows)


def qr_rows(digits: str, screen: Screen, *, inverted: bool = False) -> list[str]:
    """The largest drawing that fits the screen; none, if none does.

    :param digits: what it holds; digits take the fewest modules.
    :param inverted: dark and light change places.
    """
    code = _code(digits)
    for border in _BORDERS:
        dark = _matrix(code, border, inverted)
        if screen.has_colours and screen.fits(2 * len(dark), len(dark)):
            return [_blanks(row) for row in dark]
    for border in _BORDERS:
        dark = _matrix(code, border, inverted)
        if screen.fits(len(dark), (len(dark) + 1) // 2):
            return _halves(dark) if screen.has_colours else _text(code, border, inverted)
    return []


def least_room(digits: str) -> tuple[int, int]:
    """Columns and rows that a terminal needs for the smallest drawing and what is around it."""
    code = _code(digits)
    size = len(_matrix(code, _BORDERS[-1], False))
    return size, (size + 1) // 2 + _AROUND


def _code(digits: str) -> segno.QRCode:
    import segno  # most runs draw no code, and it brings an XML parser

    return segno.make_qr(digits, error="m", boost_error=False)


def _matrix(code: segno.QRCode, border: int, inverted: bool) -> list[list[bool]]:
    """The dark modules."""
    return [[bool(module) != inverted for module in row] for row in code.matrix_iter(border=border)]


def _blanks(row: list[bool]) -> str:
    """Two blanks a module."""
    return "".join(f"\x1b[48;5;{_BLACK if dark else _WHITE}m  " for dark in row) + _PLAIN


def _halves(dark: list[list[bool]]) -> list[str]:
    """Two rows of modules in one; an odd last one has another of quiet below it."""
    rows = dark if len(dark) % 2 == 0 else [*dark, dark[0]]
    return [
        "".join(
            f"\x1b[38;5;{_BLACK if above else _WHITE};48;5;{_BLACK if below else _WHITE}m"
            f"{_UPPER_HALF}"
            for above, below in zip(upper, lower, strict=True)
        )
        + _PLAIN
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    ]


def _text(code: segno.QRCode, border: int, inverted: bool) -> list[str]:
    """Half blocks in the terminal's own two colours, light for its text's."""
    text = io.StringIO()
    code.terminal(text, border=border, compact=True)
    rows = text.getvalue().splitlines()
    if not inverted:
        return rows
    return [
        row.translate(str.maketrans(" \u2580\u2584\u2588", "\u2588\u2584\u2580 ")) for row in rows
    ]
