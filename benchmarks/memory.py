"""What an idle user costs the server: a standard and a request channel that say nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.channel import Channel, context
from benchmarks.loop import Loop
from benchmarks.people import Person, Visit
from benchmarks.process import Server, Variant
from benchmarks.readings import Reading

STANDARD, BOTH = "standard channel", "both channels"
_DEADLINE = 120.0
_REST = 1.0
#: Users who come before the first look, so that code and pools are there.
_EARLY = 20


def measure(variant: Variant, server: Server, people: Sequence[Person]) -> list[Reading]:
    """KiB an idle user."""
    loop = Loop()
    early, late = people[:_EARLY], people[_EARLY:]
    try:
        before = _Crowd(loop, variant, server, early)
        before.come()
        before.prove()
        crowd = _Crowd(loop, variant, server, late)
        empty = _at_rest(server)
        crowd.come()
        half = _at_rest(server)
        crowd.prove()
        full = _at_rest(server)
    finally:
        loop.close()
    return [
        Reading(STANDARD, (half - empty) / len(late)),
        Reading(BOTH, (full - empty) / len(late)),
    ]


def _at_rest(server: Server) -> int:
    time.sleep(_REST)
    return server.memory()


class _Crowd:
    """People who stay, one channel after the other."""

    def __init__(
        self, loop: Loop, variant: Variant, server: Server, people: Sequence[Person]
    ) -> None:
        self._loop, self._variant, self._server, self._people = loop, variant, server, people
        self._visits: list[Visit] = []
        self._channels: list[Channel] = []

    def come(self) -> None:
        """The first channel of each."""
        if not self._variant.speaks:
            self._connect()
            return
        for person in self._people:
            visit = Visit(self._loop, self._server, person)
            self._visits.append(visit)
            self._loop.run(visit.log_in(), _DEADLINE)

    def prove(self) -> None:
        """The second."""
        if not self._variant.speaks:
            self._connect()
        for visit in self._visits:
            self._loop.run(visit.prove(), _DEADLINE)

    def _connect(self) -> None:
        plain = context(alpn=None)
        for person in self._people:
            channel = Channel(self._loop, plain, person.source, self._server.standard)
            self._channels.append(channel)
            self._loop.run(channel.handshake(), _DEADLINE)
