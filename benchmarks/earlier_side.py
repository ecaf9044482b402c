"""One of the two versions that `earlier` compares: answers each line with a measurement.

It runs in a checkout of that version, and imports that version's product and benchmarks. Whatever
it imports has to be in both.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

import benchmarks
import securecom
from benchmarks.loop import Loop
from benchmarks.nested import in_memory
from benchmarks.people import Person, Visit, settle
from benchmarks.process import PRODUCT, Server, server

_MILLI = 1000.0
_LOGINS = 64
_AT_ONCE = (32, 1)
_DEADLINE = 60.0


def _cpu(pid: int) -> float:
    """CPU seconds of a process so far, to the nanosecond; /proc counts hundredths of a second."""
    return time.clock_gettime((~pid << 3) | 2)  # clock_getcpuclockid(3)


async def _come_and_go(loop: Loop, run: Server, person: Person) -> None:
    visit = Visit(loop, run, person)
    try:
        await visit.log_in()
    finally:
        visit.close()


def _logins(run: Server, people: Sequence[Person], at_once: int) -> float:
    loop = Loop()
    began = _cpu(run.pid)
    try:
        tasks = (_come_and_go(loop, run, one) for one in people)
        loop.run_all(tasks, at_once, _DEADLINE)
    finally:
        loop.close()
    return (_cpu(run.pid) - began) / len(people) * _MILLI


def _chat(people: Sequence[Person]) -> dict[str, float]:
    caller, callee = in_memory(people, 1)
    return {"chat, caller": caller.value, "chat, callee": callee.value}


def main() -> None:
    """Until there are no more lines."""
    here = Path.cwd()
    for package in (benchmarks, securecom):
        if Path(package.__file__ or "").parent.parent != here:
            raise SystemExit(f"{package.__name__} is not the one in {here}")
    with tempfile.TemporaryDirectory(prefix="securecom-earlier-") as temporary:
        state = Path(temporary, "state")
        people = settle(state, 4 * _LOGINS)
        turns = cycle(people)
        with server(PRODUCT, state, Path(temporary, "log")) as run:
            for line in sys.stdin:
                if line.strip() == "chat":
                    measured = _chat(people)
                else:
                    measured = {
                        f"log-in, server, {at_once} at once": _logins(
                            run, list(islice(turns, _LOGINS)), at_once
                        )
                        for at_once in _AT_ONCE
                    }
                print(json.dumps(measured), flush=True)


if __name__ == "__main__":
    main()
