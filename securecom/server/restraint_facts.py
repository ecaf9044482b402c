"""What holds one person back, in bytes, so that it can follow them from node to node.

Times are ages in milliseconds, since the steady clocks of two machines have nothing in common. The
first byte is the version; numbers are big-endian:

- three times, for the person's requests, their lists, and the requests that reached them: the
  number (1 byte), then each age (4 bytes);
- the number of refusals (2 bytes), then of each: the callee's name after its length (1 byte), the
  wait in seconds (2 bytes), the age (4 bytes);
- the number of people whom they asked in vain (2 bytes), then of each: the name, the number of
  times, and each age, as above.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from securecom import limits
from securecom.errors import BadName
from securecom.identity import Name

_VERSION = 1
_MOST = 0xFF
_AGE = 2**32 - 1
_WAIT = 2**16 - 1


class NotFacts(Exception):
    """Bytes that are no restraints, or those of another version."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept of this for somebody.

    :param age: the seconds since then, by the engine's clock; clocks of nodes differ.
    """

    facts: bytes
    age: float


NOTHING_KEPT = Kept(b"", 0.0)


@dataclass(frozen=True, slots=True)
class PastRefusal:
    """The latest refusal of one callee: how long it made the caller wait, and how old it is."""

    callee: Name
    wait: float
    age: float


@dataclass(frozen=True, slots=True)
class RestraintFacts:
    """Ages are in seconds, the oldest first.

    :param asked: of the person's requests to anybody.
    :param listed: of the lists they saw.
    :param reached: of the requests that reached them.
    :param refusals: by people whom they asked, the oldest first.
    :param in_vain: of their requests to each person that came to nothing.
    """

    asked: list[float]
    listed: list[float]
    reached: list[float]
    refusals: list[PastRefusal]
    in_vain: dict[Name, list[float]]


# --- writing --------------------------------------------------------------------------------


def encode(facts: RestraintFacts) -> bytes:
    """At most `limits.MAX_RESTRAINTS` bytes: of too many people, the latest."""
    parts = [bytes([_VERSION])]
    parts += [_ages(ages) for ages in (facts.asked, facts.listed, facts.reached)]
    refusals = facts.refusals[-limits.RESTRAINTS_OF_PEOPLE :]
    parts.append(struct.pack(">H", len(refusals)))
    for one in refusals:
        wait = min(round(one.wait), _WAIT)
        parts.append(_name(one.callee) + struct.pack(">HI", wait, _milliseconds(one.age)))
    in_vain = list(facts.in_vain.items())[-limits.RESTRAINTS_OF_PEOPLE :]
    parts.append(struct.pack(">H", len(in_vain)))
    parts += [_name(name) + _ages(ages) for name, ages in in_vain]
    return b"".join(parts)


def _ages(ages: list[float]) -> bytes:
    latest = [_milliseconds(age) for age in ages[-_MOST:]]
    return struct.pack(f">B{len(latest)}I", len(latest), *latest)


def _milliseconds(age: float) -> int:
    return min(max(round(age * 1000), 0), _AGE)


def _name(name: Name) -> bytes:
    return bytes([len(name)]) + name.encode()


# --- reading --------------------------------------------------------------------------------


class _Reader:
    """Takes bytes from the front. :raises NotFacts: if there are too few."""

    def __init__(self, data: bytes, older: float) -> None:
        self._data, self._at, self._older = data, 0, older

    def take(self, form: str) -> tuple[int, ...]:
        try:
            found = struct.unpack_from(form, self._data, self._at)
        except struct.error as error:
            raise NotFacts("too short") from error
        self._at += struct.calcsize(form)
        return found

    def ages(self) -> list[float]:
        (count,) = self.take(">B")
        ages = [self._age(one) for one in self.take(f">{count}I")]
        _check_order(ages)
        return ages

    def name(self) -> Name:
        (length,) = self.take(">B")
        raw = self._data[self._at : self._at + length]
        self._at += length
        try:
            return Name(raw.decode("ascii"))
        except (UnicodeDecodeError, BadName) as error:
            raise NotFacts("no name") from error

    def refused(self) -> PastRefusal:
        name = self.name()
        wait, age = self.take(">HI")
        return PastRefusal(name, float(wait), self._age(age))

    def end(self) -> None:
        if self._at != len(self._data):
            raise NotFacts("too long")

    def _age(self, milliseconds: int) -> float:
        return milliseconds / 1000 + self._older


def _check_order(ages: Iterable[float]) -> None:
    if any(later > earlier for earlier, later in pairwise(ages)):
        raise NotFacts("out of order")


def decode(data: bytes, older: float) -> RestraintFacts:
    """Read what `encode` made so many seconds ago.

    :raises NotFacts: if it is anything else.
    """
    if len(data) > limits.MAX_RESTRAINTS:
        raise NotFacts("too long")
    reader = _Reader(data, older)
    if reader.take(">B") != (_VERSION,):
        raise NotFacts("another version")
    asked, listed, reached = reader.ages(), reader.ages(), reader.ages()
    (count,) = reader.take(">H")
    refusals = [reader.refused() for _ in range(count)]
    _check_order(one.age for one in refusals)
    (count,) = reader.take(">H")
    in_vain = {}
    for _ in range(count):
        name = reader.name()
        in_vain[name] = reader.ages()
    reader.end()
    return RestraintFacts(asked, listed, reached, refusals, in_vain)
