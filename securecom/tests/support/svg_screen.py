"""A screen of the full-screen front-end as an SVG picture, small and always the same.

It follows the reader's dark or light theme, as a terminal's own colours do.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.color import Color as Background

_CELL, _ROW, _MARGIN = 8.4, 18, 10
_FONT = "font: 14px 'DejaVu Sans Mono', Menlo, Consolas, monospace"
_LIGHT = {
    "fg": "#24292f",
    "bg": "#ffffff",
    "red": "#b3261e",
    "green": "#116329",
    "magenta": "#8250df",
}
_DARK = {
    "fg": "#d5d9de",
    "bg": "#1b1f24",
    "red": "#ff7b72",
    "green": "#7ee787",
    "magenta": "#d2a8ff",
}
#: The terminal's own colours that are used.
_NUMBERS = {1: "red", 2: "green", 5: "magenta"}
_HALF = "\u2580"
_THEME = "text{fill:var(--fg)} .b{font-weight:bold} .d{opacity:.65}"


def svg(rows: list[list[Segment]], columns: int) -> str:
    """The whole picture."""
    width = columns * _CELL + 2 * _MARGIN
    height = len(rows) * _ROW + 2 * _MARGIN
    dark = "@media (prefers-color-scheme: dark){svg{" + _variables(_DARK) + "}}"
    style = f"svg{{{_variables(_LIGHT)}}} {dark} {_THEME}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}" '
        f'style="{_FONT}"><style>{style}</style>',
        f'<rect width="{width:g}" height="{height}" rx="8" style="fill:var(--bg)"/>',
    ]
    for number, row in enumerate(rows):
        lines += _row(row, number * _ROW + _MARGIN)
    return "\n".join([*lines, "</svg>", ""])


def drawn_rows(app: Any) -> list[list[Segment]]:
    """What stands on an application's screen, in the colours that a terminal would get."""
    rows = []
    for strip in app.screen._compositor.render_strips():
        segments = list(strip)
        for line_filter in app._filters:
            if line_filter.enabled:
                segments = line_filter.apply(segments, Background(0, 0, 0))
        rows.append(segments)
    return rows


def _variables(colours: dict[str, str]) -> str:
    return ";".join(f"--{name}:{value}" for name, value in colours.items())


def _row(row: list[Segment], top: float) -> Iterator[str]:
    at = 0
    for text, style, _ in _joined(row):
        x, width = at * _CELL + _MARGIN, cell_len(text)
        front, back = _colours(style)
        if back != "var(--bg)":
            yield _box(x, top, width, _ROW, back)
        if text == _HALF * len(text):
            yield _box(x, top, width, _ROW / 2, front)
        elif text.strip():
            bare = text.lstrip(" ")
            x += (len(text) - len(bare)) * _CELL
            bare = bare.rstrip(" ")
            length = f'textLength="{cell_len(bare) * _CELL:g}"'
            yield (
                f'<text x="{x:g}" y="{top + 14:g}" {length}{_classes(style)}'
                f'{_fill(front)} xml:space="preserve">{escape(bare)}</text>'
            )
        at += width


def _box(x: float, y: float, width: int, height: float, fill: str) -> str:
    box = f'x="{x:g}" y="{y:g}" width="{width * _CELL:g}" height="{height:g}"'
    return f'<rect {box} style="fill:{fill}" shape-rendering="crispEdges"/>'


def _joined(row: list[Segment]) -> list[Segment]:
    """Neighbours of the same style as one."""
    told: list[Segment] = []
    for text, style, _ in row:
        plain = (style or Style()).without_color + Style()
        look = Style(
            color=None if style is None else style.color,
            bgcolor=None if style is None else style.bgcolor,
            bold=plain.bold,
            dim=plain.dim,
            reverse=plain.reverse,
        )
        if told and told[-1].style == look:
            told[-1] = Segment(told[-1].text + text, look)
        else:
            told.append(Segment(text, look))
    return told


def _colours(style: Style | None) -> tuple[str, str]:
    front = _css(None if style is None else style.color, "fg")
    back = _css(None if style is None else style.bgcolor, "bg")
    return (back, front) if style is not None and style.reverse else (front, back)


def _css(colour: Color | None, otherwise: str) -> str:
    if colour is None or colour.is_default:
        return f"var(--{otherwise})"
    if colour.number in _NUMBERS:
        return f"var(--{_NUMBERS[colour.number]})"
    return colour.get_truecolor().hex


def _classes(style: Style | None) -> str:
    told = [] if style is None else ["b"] * bool(style.bold) + ["d"] * bool(style.dim)
    return f' class="{" ".join(told)}"' if told else ""


def _fill(front: str) -> str:
    return "" if front == "var(--fg)" else f' style="fill:{front}"'
