"""The program itself: help, problems, its beginning and end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from securecom.client.events.event import Event
from securecom.errors import SecurecomError


@dataclass(frozen=True, slots=True)
class Hello(Event):
    """The first event. `interface`: the version of what docs/json.md describes."""

    kind: ClassVar[str] = "hello"
    interface: int
    version: str


@dataclass(frozen=True, slots=True)
class HelpLine(Event):
    """One command.

    `usage`: as it is typed; `also`: other words for it; `now`: it makes sense; `group`: a heading;
    `brief`: a few words instead of `about`, empty for what is needed less often.
    """

    kind: ClassVar[str] = "help-line"
    command: str
    usage: str
    also: list[str]
    about: str
    now: bool
    group: str
    brief: str


@dataclass(frozen=True, slots=True)
class Help(Event):
    """What can be done, group by group. `topic`: what was asked for."""

    kind: ClassVar[str] = "help"
    topic: str | None
    lines: list[HelpLine]


@dataclass(frozen=True, slots=True)
class Problem(Event):
    """Something could not be done. `what` and `hint` are whole sentences without the number."""

    kind: ClassVar[str] = "problem"
    code: int
    what: str
    hint: str


def problem(error: SecurecomError) -> Problem:
    """The event for an error that nobody waits for."""
    return Problem(error.code, error.what, error.hint)


@dataclass(frozen=True, slots=True)
class SecretWanted(Event):
    """The next line of the input is the answer, a pass phrase, and is not shown."""

    kind: ClassVar[str] = "secret-wanted"
    question: str


@dataclass(frozen=True, slots=True)
class BackedUp(Event):
    """A backup is written, with our key and the keys of so many people."""

    kind: ClassVar[str] = "backed-up"
    file: str
    people: int


@dataclass(frozen=True, slots=True)
class Notice(Event):
    """A fact that asks for nothing."""

    kind: ClassVar[str] = "notice"
    text: str


@dataclass(frozen=True, slots=True)
class Left(Event):
    """The client is done. `exit_code`: see docs/json.md."""

    kind: ClassVar[str] = "left"
    exit_code: int
