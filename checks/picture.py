"""Draws the picture of the README: `python -m checks.picture --write`.

Two whole clients and a server, all in memory, go through one chat; what their people type and see
becomes docs/terminal.svg. Keys and waiting times differ from run to run, so they are replaced by
samples. Without `--write` the exit code says whether the picture still has the words of today.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator
from html import escape
from pathlib import Path

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "terminal.svg"

#: Who types what. A line of both begins when the other has seen the one before.
SESSION = [
    ("bob", "/available"),
    ("alice", "/chat bob"),
    ("bob", "/accept"),
    ("alice", "hi bob, is it you?"),
    ("bob", "the one and only"),
    ("alice", "see you at eight then"),
    ("bob", "/stop"),
]
PEOPLE = ("alice", "bob")
#: What is never the same twice, and a sample of it.
SAMPLES = {
    r"SHA256:[\w+/]{43}": "SHA256:lP9eFAzrGsg5ntyGuRmJNQkzjpWDvo111rVlMLsMlBQ",
    r"\b[0-9A-Z]{4}(-[0-9A-Z]{4}){3}\b": "3F43-60JY-CJ2G-3EMC",
    r"\(\d+ s to answer\)": "(38 s to answer)",
}

COLUMNS, GUTTER = 64, 10
CHARACTER, ROW, MARGIN, HEAD = 8.43, 19, 14, 40
FONT = "font: 14px 'DejaVu Sans Mono', Menlo, Consolas, monospace"
DARK, BAR, TEXT, DIM, TYPED, PEER = "#1b1f24", "#2a3037", "#d5d9de", "#8b949e", "#7ee787", "#79c0ff"


def session() -> Iterator[dict[str, list[str]]]:
    """What each person sees after each step, the line that was typed included."""
    from twisted.internet.testing import StringTransport

    from securecom.client.frontends.lines import Lines
    from securecom.client.frontends.plain import Plain
    from securecom.tests.support.visitor import VisitCase, Visitor

    case = VisitCase()
    case.mktemp = lambda: "no-folder"  # type: ignore[method-assign]  # trial would make one here
    case.setUp()
    visitors = {name: Visitor(case.server) for name in PEOPLE}
    for name, one in visitors.items():  # at a terminal, which shows what is typed
        plain = Plain(lambda: "08:05", echoes=True)
        clock = case.server.network.clock
        one.lines = Lines(plain, clock, one.visit.leave, patient=False)
        one.transport = StringTransport()
        one.lines.makeConnection(one.transport)
        one.begin(case.member(name))
    yield {name: visitors[name].seen().splitlines()[1:] for name in PEOPLE}
    for person, line in SESSION:
        visitors[person].type(f"{line}\n")
        step = {name: visitors[name].seen().splitlines() for name in PEOPLE}
        step[person].insert(0, line)
        yield step


def wrapped(line: str) -> list[str]:
    """A line as rows of the terminal, with samples for what is never the same."""
    for pattern, sample in SAMPLES.items():
        line = re.sub(pattern, sample, line)
    return textwrap.wrap(line, COLUMNS, subsequent_indent=" " * GUTTER, break_on_hyphens=False)


def screens() -> dict[str, list[str]]:
    """Both screens, so that what happens at one moment stands at one height."""
    rows: dict[str, list[str]] = {name: [] for name in PEOPLE}
    for step in session():
        for name in PEOPLE:
            rows[name] += [row for line in step[name] for row in wrapped(line)]
        most = max(map(len, rows.values()))
        for name in PEOPLE:
            rows[name] += [""] * (most - len(rows[name]))
    return rows


def colour(row: str) -> str:
    """What a person types, what the other says, and what the program says."""
    if row and row[0] != " " and row[2:3] != ":":
        return TYPED
    return PEER if re.match(r"\d\d:\d\d  \w+\|", row) else TEXT


def terminal(name: str, rows: list[str], left: float) -> Iterator[str]:
    """One screen."""
    width = COLUMNS * CHARACTER + 2 * MARGIN
    height = HEAD + ROW * len(rows) + MARGIN
    yield f'<rect x="{left:g}" y="0" width="{width:g}" height="{height}" rx="8" fill="{DARK}"/>'
    yield f'<rect x="{left:g}" y="0" width="{width:g}" height="28" rx="8" fill="{BAR}"/>'
    centre = left + width / 2
    yield f'<text x="{centre:g}" y="19" fill="{DIM}" text-anchor="middle">{name}</text>'
    for number, row in enumerate(rows):
        y = HEAD + ROW * number + 12
        text = f'<tspan fill="{DIM}">{row[:5]}</tspan>' if row[2:3] == ":" else escape(row[:5])
        place = f'x="{left + MARGIN:g}" y="{y}" fill="{colour(row)}" xml:space="preserve"'
        yield f"<text {place}>{text}{escape(row[5:])}</text>"


def picture() -> str:
    """The whole drawing."""
    both = screens()
    width = COLUMNS * CHARACTER + 2 * MARGIN
    height = HEAD + ROW * len(both["alice"]) + MARGIN
    size = f"0 0 {2 * width + 12:g} {height}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}" style="{FONT}">'
    screens_drawn = [
        line
        for at, name in enumerate(PEOPLE)
        for line in terminal(name, both[name], at * (width + 12))
    ]
    return "\n".join([head, *screens_drawn, "</svg>", ""])


def main(arguments: list[str]) -> int:
    """Draw it, or say whether it is up to date."""
    drawn = picture()
    if "--write" in arguments:
        PICTURE.write_text(drawn, "utf-8")
    elif PICTURE.read_text("utf-8") != drawn:
        print("docs/terminal.svg is out of date: python -m checks.picture --write")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
