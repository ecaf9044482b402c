"""The program itself, and its settings, in words."""

from __future__ import annotations

from securecom.client import events as e
from securecom.client.frontends.wording.line import FACT, Line, words


@words.register
def _(event: e.Settings) -> list[Line]:
    return [line for one in event.settings for line in words(one)]


@words.register
def _(event: e.Setting) -> list[Line]:
    return [(FACT, f"{event.name} is {event.value}; it says {event.about}")]


@words.register
def _(event: e.Hello) -> list[Line]:
    return [(FACT, f"securecom {event.version}; /help tells what you can do")]


@words.register
def _(event: e.Problem) -> list[Line]:
    return [(FACT, f"SC-{event.code} {event.what}. {event.hint}".rstrip())]


@words.register
def _(event: e.SecretWanted) -> list[Line]:
    return [(FACT, f"{event.question} (not shown; an empty line: leave it)")]


@words.register
def _(event: e.Notice) -> list[Line]:
    return [(FACT, event.text)]


@words.register
def _(event: e.Left) -> list[Line]:
    return [(FACT, "bye" if event.exit_code == 0 else f"bye (exit code {event.exit_code})")]
