"""The connection to the server, and who may ask us over it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from securecom.client.events.event import Event, Trust


@dataclass(frozen=True, slots=True)
class Connecting(Event):
    """A connection is being tried."""

    kind: ClassVar[str] = "connecting"
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Online(Event):
    """Logged in. `server`: the server's fingerprint, 16 characters in groups of four."""

    kind: ClassVar[str] = "online"
    name: str
    server: str
    again: bool


@dataclass(frozen=True, slots=True)
class Offline(Event):
    """Not logged in (any more). `retry_in`: seconds until the next attempt, None: there is none."""

    kind: ClassVar[str] = "offline"
    why: str
    retry_in: float | None


@dataclass(frozen=True, slots=True)
class RequestChannel(Event):
    """The request channel came or went. `how`: listen or dial; `port`: ours, in dial mode."""

    kind: ClassVar[str] = "request-channel"
    up: bool
    how: str
    port: int | None


@dataclass(frozen=True, slots=True)
class Availability(Event):
    """We are, or are no longer, available to be asked.

    `seconds`: until it is the other way round, None: until we say so. `to`: None: everybody.
    """

    kind: ClassVar[str] = "availability"
    available: bool
    seconds: int | None = None
    to: list[str] | None = None


@dataclass(frozen=True, slots=True)
class User(Event):
    """Somebody in a list."""

    kind: ClassVar[str] = "user"
    name: str
    trust: Trust


@dataclass(frozen=True, slots=True)
class Users(Event):
    """Who is available. `more`: the list was cut.

    `busy`: the names of those who are, and let us see it.
    """

    kind: ClassVar[str] = "users"
    users: list[User]
    text: str
    more: bool
    busy: list[str] = field(default_factory=list)
