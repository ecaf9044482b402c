"""Everybody comes back at once: what a log-in costs then, and whether any was for nothing.

The same people log in one after the other, then all in the same moment, and then again while the
server has only a share of its core. All of them stay online until the last one is.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Sequence

from OpenSSL import SSL

from benchmarks.loop import Loop
from benchmarks.people import Person, Visit
from benchmarks.process import Server
from benchmarks.readings import Reading

#: Share of its core that the server has in the last round.
SHARE = 0.2
_SLICE = 0.1
_DEADLINE = 240.0
#: Connections of one person before this is no measurement any more.
_MOST_TRIES = 50
#: People who log in before anything is measured.
_WARMING = 100


class _Round:
    """One way of coming; the people stay until it is closed."""

    def __init__(self, server: Server, people: Sequence[Person], at_once: int) -> None:
        self._server, self._people, self._at_once = server, people, at_once
        self._loop = Loop()
        self._visits: list[Visit] = []
        self.thrown_away = 0

    def run(self) -> float:
        """CPU seconds of the server, from the first connection to the last proof."""
        before = self._server.cpu_seconds()
        self._loop.run_all(map(self._come, self._people), self._at_once, _DEADLINE)
        return self._server.cpu_seconds() - before

    async def _come(self, person: Person) -> None:
        for _ in range(_MOST_TRIES):
            visit = Visit(self._loop, self._server, person)
            try:
                await visit.log_in()
                await visit.prove()
            except (SSL.Error, OSError):  # the server cut the connection
                self.thrown_away += 1
                visit.close()
            else:
                self._visits.append(visit)
                return
        raise RuntimeError(f"{person.name} was turned away {_MOST_TRIES} times")

    def close(self) -> None:
        """Everybody leaves."""
        for visit in self._visits:
            visit.close()
        self._loop.close()


@contextlib.contextmanager
def _held_to(share: float, pid: int) -> Iterator[None]:
    """Stop the process for the rest of each tenth of a second."""
    done = threading.Event()

    def hold() -> None:
        while not done.wait(share * _SLICE):
            os.kill(pid, signal.SIGSTOP)
            done.wait((1 - share) * _SLICE)
            os.kill(pid, signal.SIGCONT)

    holder = threading.Thread(target=hold, daemon=True)
    holder.start()
    try:
        yield
    finally:
        done.set()
        holder.join()
        os.kill(pid, signal.SIGCONT)


def measure(server: Server, people: Sequence[Person]) -> list[Reading]:
    """CPU milliseconds a person in each round, and the ratios to the first."""
    _round(server, people[:_WARMING], 1, 1.0)
    one_by_one, _ = _round(server, people, 1, 1.0)
    at_once, thrown = _round(server, people, len(people), 1.0)
    held, thrown_when_held = _round(server, people, len(people), SHARE)
    each = 1000 / len(people)
    return [
        Reading("one after the other, ms each", one_by_one * each),
        Reading("all at once, ms each", at_once * each),
        Reading("all at once ÷ one after the other", at_once / one_by_one),
        Reading("log-ins thrown away", thrown),
        Reading(f"all at once at {SHARE:.0%} of a core ÷ one after the other", held / one_by_one),
        Reading(f"log-ins thrown away at {SHARE:.0%} of a core", thrown_when_held),
    ]


def _round(
    server: Server, people: Sequence[Person], at_once: int, share: float
) -> tuple[float, int]:
    one = _Round(server, people, at_once)
    try:
        with _held_to(share, server.pid) if share < 1 else contextlib.nullcontext():
            return one.run(), one.thrown_away
    finally:
        one.close()
