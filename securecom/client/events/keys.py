"""Keys: comparing, pins, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from securecom.client.events.event import Event, Trust, Word


@dataclass(frozen=True, slots=True)
class SafetyNumber(Event):
    """What the two of a chat compare. `number`: 12 groups of five digits, a blank between them."""

    kind: ClassVar[str] = "safety-number"
    name: str
    number: str
    trust: Trust


@dataclass(frozen=True, slots=True)
class SafetyCode(Event):
    """The same, to be scanned. `digits`: what the QR code holds, 60 digits and nothing else."""

    kind: ClassVar[str] = "safety-code"
    name: str
    digits: str
    trust: Trust


@dataclass(frozen=True, slots=True)
class Compared(Event):
    """One of the two said what the comparison came to. A peer's word changes no trust of ours."""

    kind: ClassVar[str] = "compared"
    name: str
    by: Literal["me", "peer"]
    word: Word


@dataclass(frozen=True, slots=True)
class KeyTaken(Event):
    """The person takes this key in place of the pinned one, once the peer has proved it."""

    kind: ClassVar[str] = "key-taken"
    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Fingerprints(Event):
    """Our own key's and the server's. `name`: None before the first log-in."""

    kind: ClassVar[str] = "fingerprints"
    name: str | None
    fingerprint: str
    server: str


@dataclass(frozen=True, slots=True)
class OldKey(Event):
    """A key that was somebody's pin. `first_seen`, `until`: Unix seconds."""

    kind: ClassVar[str] = "old-key"
    fingerprint: str
    first_seen: int
    until: int
    trust: Trust


@dataclass(frozen=True, slots=True)
class Whois(Event):
    """What is pinned for a name; nothing if we never met. `first_seen`: Unix seconds."""

    kind: ClassVar[str] = "whois"
    name: str
    trust: Trust
    fingerprint: str | None
    first_seen: int | None
    earlier: list[OldKey]
