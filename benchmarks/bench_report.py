"""The readings of `./dev bench` as a table in Markdown and a plot in SVG."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.tables import short

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
PAGE, PLOT = Path("docs/performance.md"), Path("docs/performance.svg")
#: The generator's CPU seconds a second from which it may be the limit.
LIMIT = 0.9

_LEFT, _WIDTH, _RIGHT, _ROW, _TITLE = 190, 760, 230, 18, 30
_STYLE = """
text { font: 12px sans-serif; fill: #24292f }
.title { font-weight: bold }
.ours { fill: #2f6fb0 } .other { fill: #8c959f } .range { stroke: #24292f; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .ours { fill: #58a6ff } .other { fill: #6e7681 }
  .range { stroke: #e6edf3 }
}
"""

Readings = Sequence[dict[str, Any]]


class Report:
    """Medians with ranges, and ratios inside a repetition.

    :param works: titles by the name of the work, in the order of the rows.
    """

    def __init__(self, readings: Readings, works: Mapping[str, str]) -> None:
        self._works = works
        self._cells: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
        for one in readings:
            self._cells.setdefault((one["name"], one["server"]), {})[one["repetition"]] = one
        self._servers = list(dict.fromkeys(one["server"] for one in readings))
        self._ours = [one for one in self._servers if one.startswith("securecom")]

    # --- the table --------------------------------------------------------------------------

    def table(self, about: Mapping[str, str]) -> str:
        """Markdown: the head, the figures, the ratios."""
        head = [f"| {name} | {value} |" for name, value in about.items()]
        parts = ["| | |", "|---|---|", *head, "", *self._figures(), "", *self._ratios()]
        return "\n".join(parts)

    def _figures(self) -> list[str]:
        lines = [_row(["", *self._servers]), _row(["---"] * (len(self._servers) + 1))]
        for name, title in self._works.items():
            lines.append(_row([title, *(self._cell(name, one) for one in self._servers)]))
        if "pp1" in self._works:
            cells = [self._cell("pp1", one, "p50_us") for one in self._servers]
            lines.append(_row(["one way, one pair, median, µs", *cells]))
        return lines

    def _cell(self, name: str, server: str, field: str = "value") -> str:
        if not (found := self._cells.get((name, server))):
            return "-"
        values = [one[field] for one in found.values()]
        limit = "*" if max(one["gen_util"] for one in found.values()) > LIMIT else ""
        return f"{short(median(values))} ({short(min(values))}-{short(max(values))}){limit}"

    def _ratios(self) -> list[str]:
        """Ours ÷ each other server, and ÷ our own of other kinds."""
        pairs = [
            (ours, other)
            for ours in self._ours
            for other in self._servers
            if ours != other and not ours.endswith("earlier")
        ]
        pairs = [(a, b) for a, b in pairs if b not in self._ours or b.endswith("earlier")]
        if not pairs:
            return []
        heads = ["", *(f"{ours} ÷ {other}" for ours, other in pairs)]
        lines = [_row(heads), _row(["---"] * len(heads))]
        for name, title in self._works.items():
            lines.append(_row([title, *(self._ratio(name, *pair) for pair in pairs)]))
        if "pp1" in self._works:
            cells = [self._ratio("pp1", *pair, "p50_us") for pair in pairs]
            lines.append(_row(["one way, one pair, median", *cells]))
        if {"log-in", "log-in2"} <= set(self._works):
            cells = [self._ratio("log-in2", *pair, against="log-in") for pair in pairs]
            lines.append(_row(["both channels ÷ one log-in", *cells]))
        return lines

    def _ratio(
        self, name: str, ours: str, other: str, field: str = "value", against: str = ""
    ) -> str:
        own = self._cells.get((name, ours), {})
        others = self._cells.get((against or name, other), {})
        ratios = [own[at][field] / others[at][field] for at in own.keys() & others.keys()]
        if not ratios:
            return "-"
        return f"{short(median(ratios))} ({short(min(ratios))}-{short(max(ratios))})"

    # --- the plot ---------------------------------------------------------------------------

    def plot(self) -> str:
        """SVG: a group of bars for each work, as long as the median; a line from least to most."""
        drawn: list[str] = []
        top = 0
        for name, title in self._works.items():
            servers = [one for one in self._servers if (name, one) in self._cells]
            if not servers:
                continue
            drawn.append(f'<text class="title" x="8" y="{top + 20}">{html.escape(title)}</text>')
            top += _TITLE
            most = max(one["value"] for at in servers for one in self._cells[name, at].values())
            for server in servers:
                drawn += self._bar(name, server, top, (_WIDTH - _LEFT - _RIGHT) / most)
                top += _ROW
        size = f'width="{_WIDTH}" height="{top + 10}" viewBox="0 0 {_WIDTH} {top + 10}"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
        name = "<title>Servers side by side, a CPU second of the server</title>"
        return "\n".join([head, name, f"<style>{_STYLE}</style>", *drawn, "</svg>", ""])

    def _bar(self, name: str, server: str, top: int, scale: float) -> list[str]:
        values = [one["value"] for one in self._cells[name, server].values()]
        kind = "ours" if server in self._ours else "other"
        low, middle, high = (_LEFT + scale * one for one in _spread(values))
        line, text = top + _ROW / 2, top + _ROW - 5
        return [
            f'<text x="{_LEFT - 8}" y="{text}" text-anchor="end">{html.escape(server)}</text>',
            f'<rect class="{kind}" x="{_LEFT}" y="{top + 2}" height="{_ROW - 5}"'
            f' width="{middle - _LEFT:.1f}"/>',
            f'<path class="range" d="M{low:.1f} {line}H{high:.1f}"/>',
            f'<text x="{high + 8:.1f}" y="{text}">{html.escape(self._cell(name, server))}</text>',
        ]


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    return min(values), median(values), max(values)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def write(root: Path, report: Report, about: Mapping[str, str]) -> None:
    """Put the table between its marks in the page, and the plot beside it."""
    page = root / PAGE
    before, mark, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (mark and end):
        raise RuntimeError(f"{PAGE} has no place for the table: {BEGIN} and {END}")
    picture = f"![Servers side by side]({PLOT.relative_to(PAGE.parent)})"
    page.write_text(f"{before}{BEGIN}\n\n{report.table(about)}\n\n{picture}\n\n{END}{after}")
    (root / PLOT).write_text(report.plot())
