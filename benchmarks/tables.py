"""Figures of several repetitions as Markdown: median, lowest and highest, and ratios."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from benchmarks.readings import Reading

_DIGITS = 3


@dataclass(frozen=True)
class Row:
    """One reading of one variant in one repetition."""

    part: str
    variant: str
    repetition: int
    reading: Reading


class Table:
    """The rows of one part; the first variant is the one that others are compared with."""

    def __init__(self, title: str, rows: Iterable[Row]) -> None:
        self._title = title
        self._values: dict[tuple[str, str], dict[int, Reading]] = {}
        for row in rows:
            cell = self._values.setdefault((row.reading.what, row.variant), {})
            cell[row.repetition] = row.reading
        self._whats = list(dict.fromkeys(what for what, _ in self._values))
        self._variants = list(dict.fromkeys(variant for _, variant in self._values))

    def __str__(self) -> str:
        first, *others = self._variants
        heads = ["", *self._variants, *(f"{first} ÷ {one}" for one in others), "load"]
        lines = [heads, ["---"] * len(heads), *(self._line(what) for what in self._whats)]
        return "\n".join([f"### {self._title}", "", *(f"| {' | '.join(one)} |" for one in lines)])

    def _line(self, what: str) -> list[str]:
        first, *others = self._variants
        own = self._values[what, first]
        cells = [_spread(self._of(what, one)) for one in self._variants]
        ratios = [_spread(_ratios(own, self._values[what, one])) for one in others]
        return [what, *cells, *ratios, self._loads(what)]

    def _of(self, what: str, variant: str) -> list[float]:
        return [reading.value for reading in self._values[what, variant].values()]

    def _loads(self, what: str) -> str:
        """Of the generator, variant by variant."""
        loads = [
            median(one.load for one in self._values[what, variant].values())
            for variant in self._variants
        ]
        return ", ".join(f"{one:.2f}" for one in loads) if any(loads) else "-"


def _ratios(own: dict[int, Reading], other: dict[int, Reading]) -> list[float]:
    """Within each repetition."""
    return [own[at].value / other[at].value for at in own.keys() & other.keys()]


def _spread(values: list[float]) -> str:
    middle, low, high = (short(one) for one in (median(values), min(values), max(values)))
    return f"{middle} ({low}-{high})"


def short(value: float) -> str:
    """Three digits that mean something."""
    if abs(value) >= 10**_DIGITS:
        digits = len(str(int(abs(value)))) - _DIGITS
        return f"{round(value, -digits):,.0f}"
    return f"{value:.{_DIGITS}g}"
