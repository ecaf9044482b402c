"""What the server holds about us, and its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from securecom.client.events.event import Event


@dataclass(frozen=True, slots=True)
class DataFact(Event):
    """One thing that the server holds: of what it is a part, what it is, its value. Its words."""

    kind: ClassVar[str] = "data-fact"
    part: str
    what: str
    value: str


@dataclass(frozen=True, slots=True)
class MyData(Event):
    """All that the server holds about us, by its own word."""

    kind: ClassVar[str] = "my-data"
    name: str
    facts: list[DataFact]


@dataclass(frozen=True, slots=True)
class ForgetMeMeans(Event):
    """What being forgotten would be; nothing was done. `days`: nobody can have the name."""

    kind: ClassVar[str] = "forget-me-means"
    name: str
    days: int


@dataclass(frozen=True, slots=True)
class Forgotten(Event):
    """The server has erased us. `folder`: what is left on this machine, None: nothing."""

    kind: ClassVar[str] = "forgotten"
    name: str
    days: int
    folder: str | None
