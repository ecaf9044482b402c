"""What log-ins and chats cost now and in an earlier version: `python -m benchmarks.earlier FOLDER`.

FOLDER is a checkout of that version, which runs with this one's environment. A process of each
stands by (`earlier_side`), and they take turns, one measurement each, another one first each time:
so whatever else this machine does affects both alike. CPU milliseconds, user and system.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import mean, median, quantiles

from benchmarks.facts import facts, load
from benchmarks.process import ROOT, end

_SIDE = Path(__file__).with_name("earlier_side.py")
_WARM_UP = 5

Side = subprocess.Popen[str]
#: Milliseconds by what was measured.
Figures = dict[str, float]


@contextmanager
def _side(folder: Path) -> Iterator[Side]:
    """A process that measures the version in this folder, one line at a time."""
    # -P: the modules beside the script are of this version, and none of them may be imported
    process = subprocess.Popen(  # noqa: S603 - our own words
        (sys.executable, "-P", str(_SIDE)),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.stdin is not None:
            process.stdin.close()  # it ends its server, and itself
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            end(process)  # type: ignore[arg-type]


def _ask(side: Side, what: str) -> Figures:
    if side.stdin is None or side.stdout is None:
        raise RuntimeError("a side without pipes")
    side.stdin.write(what + "\n")
    side.stdin.flush()
    answer: Figures = json.loads(side.stdout.readline())
    return answer


def _in_turn(sides: Sequence[Side], what: str, count: int) -> list[list[Figures]]:
    """As many measurements of each side."""
    figures: list[list[Figures]] = [[] for _ in sides]
    for turn in range(-_WARM_UP, count):
        places = range(len(sides)) if turn % 2 else reversed(range(len(sides)))
        for place in places:
            measured = _ask(sides[place], what)
            if turn >= 0:
                figures[place].append(measured)
    return figures


def _row(what: str, before: Sequence[float], now: Sequence[float]) -> str:
    low, _, high = quantiles([b / a for a, b in zip(before, now, strict=True)], n=4)
    cells = [what]
    for summary in (_lower_quartile, median, mean):
        one, other = summary(before), summary(now)
        cells.append(f"{one:.2f} → {other:.2f}, {other / one:.2f} times")
    return f"| {' | '.join(cells)} | {low:.2f}-{high:.2f} |"


def _lower_quartile(figures: Sequence[float]) -> float:
    return quantiles(figures, n=4)[0]


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.earlier", description=__doc__)
    parser.add_argument("folder", type=Path, help="a checkout of the earlier version")
    parser.add_argument("--chats", type=int, default=400)
    parser.add_argument("--logins", type=int, default=60, help="measurements, of 64 log-ins each")
    options = parser.parse_args()
    print(*(f"- {name}: {value}" for name, value in facts().items()), sep="\n")
    print(f"- load when it began: {load():.1f}\n", flush=True)
    print("| ms of CPU | lower quartile | median | mean | quartiles of the ratios, pair by pair |")
    print("|---|---|---|---|---|", flush=True)
    with ExitStack() as stack:
        folders = options.folder.resolve(), ROOT
        sides = [stack.enter_context(_side(folder)) for folder in folders]
        for what, count in (("chat", options.chats), ("logins", options.logins)):
            before, now = _in_turn(sides, what, count)
            for row in before[0]:
                columns = ([one[row] for one in side] for side in (before, now))
                print(_row(row, *columns), flush=True)
    print(f"\nload when it ended: {load():.1f}")


if __name__ == "__main__":
    main()
