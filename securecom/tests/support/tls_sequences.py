"""Sequences of what can happen to a TLS transport, each made from a seed.

Writes, pauses, closes and producers on one side; on the other a peer that sends, closes, breaks
off, tampers, or does not read. Bytes from the network arrive in any pieces. A step is a tuple of
its name and what it needs: `tls_runs` plays it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

RECORD = 16 * 1024
#: The sizes of one write, and of one record of the peer (which takes no more than `RECORD`).
SIZES = (0, 1, 37, 200, 5_000, RECORD - 1, RECORD, RECORD + 1, 60 * 1024)
#: The room in the socket of a peer that reads slowly, and the most that one read gives.
ROOMS = (0, 1, 500, 20_000, 100_000)
SPRINGS = (0, 20_000)
MOST_READ = (100, 1_000, 17_000, 65_536)
#: A record's header: type, version, length.
HEADER = 5

Step = tuple[Any, ...]


def bytes_of(number: int, size: int) -> bytes:
    """`size` bytes that nothing else here sends."""
    return random.Random(f"{number}:{size}").randbytes(size)


@dataclass(frozen=True)
class Sequence:
    """What one seed stands for."""

    seed: int
    is_client: bool
    on_socket: bool
    most_read: int
    #: Bytes for which a socket that took a part has room again, before anything else happens.
    spring: int
    #: What the protocol does when it is connected, and when the handshake is complete.
    at_first: Step
    when_shaken: Step
    steps: tuple[Step, ...]


def sequence(seed: int) -> Sequence:
    """The sequence of a seed."""
    chance = random.Random(seed)
    steps = [] if chance.random() < 0.3 else [("shake",)]
    steps += [_step(chance) for _ in range(chance.randrange(1, 16))]
    return Sequence(
        seed,
        is_client=chance.random() < 0.4,
        on_socket=chance.random() < 0.6,
        most_read=chance.choice(MOST_READ),
        spring=chance.choice(SPRINGS),
        at_first=_reaction(chance) if chance.random() < 0.15 else ("none",),
        when_shaken=_reaction(chance) if chance.random() < 0.25 else ("none",),
        steps=tuple(steps),
    )


def _sizes(chance: random.Random) -> tuple[int, ...]:
    return tuple(chance.choice(SIZES) for _ in range(chance.choice((1, 1, 1, 2, 3, 5))))


def _reaction(chance: random.Random) -> Step:
    kind = chance.choices(
        ("write", "lose", "abort", "pause", "resume", "register", "unregister", "raise"),
        (8, 3, 2, 2, 1, 4, 2, 2),
    )[0]
    if kind == "write":
        return ("write", _sizes(chance), chance.random() < 0.3)
    if kind == "register":
        return ("register", chance.random() < 0.7)
    return (kind,)


def _step(chance: random.Random) -> Step:
    kind = chance.choices(
        ("own", "send", "deliver", "drain", "room", "close", "end", "reset", "garbage", "tamper"),
        (30, 25, 25, 8, 6, 3, 2, 1, 1, 1),
    )[0]
    if kind == "own":
        step = _reaction(chance)
        return ("write", (37,), False) if step == ("raise",) else step
    if kind == "send":
        sizes = tuple(min(size, RECORD) for size in _sizes(chance))
        at = chance.randrange(sum(sizes) + 1) if chance.random() < 0.4 else -1
        return ("send", sizes, at, _reaction(chance) if at >= 0 else ("none",))
    if kind == "deliver":
        pieces = ("all", "all", "all but one", "record", "record and one", 1, HEADER, 100, 20_000)
        return ("deliver", chance.choice(pieces))
    if kind == "drain":
        return ("drain", chance.choice((1, 1_000, 40_000, "all")))
    if kind == "room":
        return ("room", chance.choice(ROOMS))
    if kind == "garbage":
        return ("garbage", bytes_of(chance.randrange(1000), chance.choice((1, 5, 40, 400))))
    return (kind,)
