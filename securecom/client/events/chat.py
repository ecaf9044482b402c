"""A chat, from both having agreed to its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from securecom.client.events.event import Ending, Event, LogState, Trust


@dataclass(frozen=True, slots=True)
class ChatOpening(Event):
    """Both agreed; the end-to-end session is being set up."""

    kind: ClassVar[str] = "chat-opening"
    name: str


@dataclass(frozen=True, slots=True)
class ChatStarted(Event):
    """The end-to-end session stands. The caller is the first to speak.

    `chat_seconds`: how long it lasts, if it has an end.
    """

    kind: ClassVar[str] = "chat-started"
    name: str
    role: Literal["caller", "callee"]
    trust: Trust
    fingerprint: str
    chat_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class TimeLeft(Event):
    """The chat ends by itself in so many seconds."""

    kind: ClassVar[str] = "time-left"
    name: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Log(Event):
    """How the log stands, and stood `before`. `by`: who changed it, or nobody: it was asked
    for, or the chat ended.

    `file` and `since` (Unix seconds) are those of the log that is kept, or has just ended.
    """

    kind: ClassVar[str] = "log"
    name: str
    state: LogState
    before: LogState
    by: Literal["me", "peer", "nobody"] = "nobody"
    file: str | None = None
    since: int | None = None


@dataclass(frozen=True, slots=True)
class Message(Event):
    """The peer said something."""

    kind: ClassVar[str] = "message"
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Said(Event):
    """A message of ours. `held`: it waits until the caller has spoken."""

    kind: ClassVar[str] = "said"
    number: int
    text: str
    held: bool


@dataclass(frozen=True, slots=True)
class Delivered(Event):
    """The peer's client has shown the message with this number."""

    kind: ClassVar[str] = "delivered"
    number: int


@dataclass(frozen=True, slots=True)
class ChatOver(Event):
    """The chat is over and its keys are gone. `undelivered`: numbers without a receipt; `unsent`:
    those of them that were kept back until the end.
    """

    kind: ClassVar[str] = "chat-over"
    name: str
    ending: Ending
    undelivered: list[int]
    unsent: list[int] = field(default_factory=list)
