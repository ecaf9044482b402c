"""Log-ins: connection, handshake with client certificate, LogIn, and the end; 32 at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle, islice

from benchmarks.channel import Channel, context
from benchmarks.loop import Loop, Task
from benchmarks.people import Person, Visit
from benchmarks.process import Server, Variant
from benchmarks.readings import Meter, Reading

IN_FLIGHT = 32
#: People who take turns: each is gone long before the next turn.
PEOPLE = 8 * IN_FLIGHT
STANDARD, BOTH = "log-in", "log-in and request channel"
_DEADLINE = 120.0


async def _come_and_go(loop: Loop, server: Server, person: Person, both: bool) -> None:
    visit = Visit(loop, server, person)
    try:
        await visit.log_in()
        if both:
            await visit.prove()
    finally:
        visit.close()


async def _handshakes(loop: Loop, server: Server, person: Person, count: int) -> None:
    plain = context(alpn=None)
    channels: list[Channel] = []
    try:
        for _ in range(count):
            channels.append(Channel(loop, plain, person.source, server.standard))
            await channels[-1].handshake()
    finally:
        for channel in channels:
            channel.close()


def _tasks(
    loop: Loop, variant: Variant, server: Server, people: Sequence[Person], both: bool
) -> Iterator[Task]:
    for person in cycle(people):
        if variant.speaks:
            yield _come_and_go(loop, server, person, both)
        else:
            yield _handshakes(loop, server, person, 1 + both)


def measure(
    variant: Variant, server: Server, people: Sequence[Person], count: int
) -> list[Reading]:
    """Log-ins a CPU second, with the standard channel alone and with both."""
    loop = Loop()
    readings = []
    try:
        for what, both in ((STANDARD, False), (BOTH, True)):
            tasks = _tasks(loop, variant, server, people[:PEOPLE], both)
            loop.run_all(islice(tasks, PEOPLE), IN_FLIGHT, _DEADLINE)  # to warm up
            meter = Meter(server)
            loop.run_all(islice(tasks, count), IN_FLIGHT, _DEADLINE)
            readings.append(meter.read(what, count))
    finally:
        loop.close()
    return readings
