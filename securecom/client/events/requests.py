"""Chat requests, ours and other people's; blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from securecom.client.events.connection import User
from securecom.client.events.event import Event, Trust


@dataclass(frozen=True, slots=True)
class Asking(Event):
    """Our request is on its way; it stands for so many seconds at the most.

    `chat_seconds`: how long the chat is to last, if it is to have an end.
    """

    kind: ClassVar[str] = "asking"
    name: str
    trust: Trust
    seconds: int
    chat_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class RequestOver(Event):
    """Our request came to nothing. Accepted ones end in `ChatStarted`.

    `wait`: seconds until the same person may be asked again, if that is known.
    """

    kind: ClassVar[str] = "request-over"
    name: str
    outcome: Literal["refused", "no-answer", "busy", "cancelled", "failed"]
    wait: int | None = None


@dataclass(frozen=True, slots=True)
class Asked(Event):
    """Somebody asks us; `/accept` or `/refuse` answers. `seconds`: to answer; `chat_seconds`: how
    long the chat is to last, if it is to have an end.
    """

    kind: ClassVar[str] = "asked"
    name: str
    trust: Trust
    fingerprint: str
    seconds: int
    chat_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class AskedOver(Event):
    """Their request is over before we answered, or because we did."""

    kind: ClassVar[str] = "asked-over"
    name: str
    reason: Literal["accepted", "refused", "dismissed", "cancelled", "expired", "gone", "crossed"]


@dataclass(frozen=True, slots=True)
class AnsweredForYou(Event):
    """The program that answers requests did so; the person was not asked."""

    kind: ClassVar[str] = "answered-for-you"
    name: str
    answer: Literal["accept", "refuse", "dismiss"]
    trust: Trust
    fingerprint: str


@dataclass(frozen=True, slots=True)
class RefusedForYou(Event):
    """The daemon role refused by itself."""

    kind: ClassVar[str] = "refused-for-you"
    name: str
    trust: Trust
    reason: Literal["busy", "own-key"]


@dataclass(frozen=True, slots=True)
class MissedRequest(Event):
    """In a list: somebody asked so many times in vain, last so many seconds ago."""

    kind: ClassVar[str] = "missed-request"
    name: str
    trust: Trust
    count: int
    ago: int


@dataclass(frozen=True, slots=True)
class Missed(Event):
    """Who asked in vain while we were away or busy, the latest first."""

    kind: ClassVar[str] = "missed"
    missed: list[MissedRequest]


@dataclass(frozen=True, slots=True)
class Requests(Event):
    """All requests. `asking`: whom we ask; `asked_by`: who asks us."""

    kind: ClassVar[str] = "requests"
    asking: User | None
    asked_by: User | None
    missed: list[MissedRequest]


@dataclass(frozen=True, slots=True)
class Blocked(Event):
    """A name is, or is no longer, blocked."""

    kind: ClassVar[str] = "blocked"
    name: str
    blocked: bool


@dataclass(frozen=True, slots=True)
class BlockList(Event):
    """All that we have blocked, in order."""

    kind: ClassVar[str] = "block-list"
    users: list[User]
