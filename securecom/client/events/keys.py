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
class KeyFollowed(Event):
    """The pinned key signed over to a new one, which the peer has proved: that is the pin now.

    `former`, `fingerprint`: of the old and the new key; `trust`: of the new one, as of the old.
    """

    kind: ClassVar[str] = "key-followed"
    name: str
    former: str
    fingerprint: str
    trust: Trust


@dataclass(frozen=True, slots=True)
class KeyRenewed(Event):
    """Our own key is a new one, which the old one signed over to, and the server has it.

    `former`, `fingerprint`: of the old and the new key; `kept`: the file where the old private key
    still is, because it is no file of ours; None: it is erased.
    """

    kind: ClassVar[str] = "key-renewed"
    former: str
    fingerprint: str
    kept: str | None


@dataclass(frozen=True, slots=True)
class KeyNotRenewed(Event):
    """A new key of which the server never heard is erased. `fingerprint`: our present key's."""

    kind: ClassVar[str] = "key-not-renewed"
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
    """A key that was somebody's pin. `first_seen`, `until`: Unix seconds; `signed_over`: to the
    next one, which was followed; if not, that one was taken.
    """

    kind: ClassVar[str] = "old-key"
    fingerprint: str
    first_seen: int
    until: int
    trust: Trust
    signed_over: bool = False


@dataclass(frozen=True, slots=True)
class Whois(Event):
    """What is pinned for a name; nothing if we never met. `first_seen`: Unix seconds."""

    kind: ClassVar[str] = "whois"
    name: str
    trust: Trust
    fingerprint: str | None
    first_seen: int | None
    earlier: list[OldKey]
