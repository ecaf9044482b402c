"""How a half-typed command may go on: the same for every front-end that people type into.

What can be completed is data: commands and their arguments come from the table of commands, names
from the people whose keys we know, files from the folder that is named. Nothing is asked of the
server, which would learn of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable

from securecom import limits
from securecom.client.api import ClientApi, ClientState
from securecom.client.frontends import commands
from securecom.client.frontends.commands import Command
from securecom.errors import UnknownCommand
from securecom.values import Value

#: What the fields of arguments stand for.
_NAMES = ("name", "pin")
_FILES = ("file", "path", "files")
#: What stands behind `/set`, `/available` and `/away`.
_SETTINGS = {
    "ask": ("anyone", "people", "nobody"),
    "busy": ("nobody", "people", "to"),
    "notify": ("off", "bell", "terminal", "desktop"),
    "notify-names": ("on", "off"),
    "typing": ("on", "off"),
    "downloads": ("default",),
}
_ANY_ORDER = {
    commands.AVAILABLE: ("people", "anyone", "to", "until"),
    commands.AWAY: ("until",),
}
#: How `/introduce` may begin, beside a name.
_INTRODUCTIONS = ("yes", "no", "cancel")
#: Commands whose argument has more words that can be completed than one.
_SEVERAL = (commands.SET, commands.AVAILABLE, commands.AWAY, commands.INTRODUCE)
#: What stands between one of these and the path behind it: the number of a file, or a setting.
_PATH_BEHIND = {commands.GET: re.compile(r" *[0-9]+ +"), commands.SET: re.compile(r" *downloads +")}


class Candidate(Value):
    """One way to go on: the whole last word, and what a front-end may show beside it."""

    text: str
    about: str = ""


class Completion(Value):
    """What a text becomes, as far as there is no choice, and the choices.

    :param text: the text, with as much more as all candidates have in common.
    :param start: where the last word begins.
    """

    text: str
    start: int
    candidates: tuple[Candidate, ...] = ()


#: Names of what is in a folder, those of folders with a slash at their end.
Lister = Callable[[str], Iterable[str]]


def complete(text: str, api: ClientApi | None, files: Lister | None = None) -> Completion:
    """How the text before the cursor may go on.

    :param files: lists a folder; by default the file system does.
    """
    word, blank, rest = text.partition(" ")
    if not text.startswith("/") or text.startswith("//") or "\n" in text:
        return Completion(text, len(text))
    if not blank:
        return _finished(text, 0, _commands(word, api))
    try:
        command = commands.typed(word)
    except UnknownCommand:
        return Completion(text, len(text))
    if command.argument is not None and command.argument.field in _FILES:
        return _finished(text, len(word) + 1, _files(rest.lstrip(), files or listed))
    behind = _PATH_BEHIND[command].match(rest) if command in _PATH_BEHIND else None
    if behind is not None:
        path, start = rest[behind.end() :], len(word) + 1 + behind.end()
        found = _files(path, files or listed)
        return _finished(text, start, found or _words(command, rest, api))
    start = len(text) - len(text.rsplit(" ", 1)[-1])
    return _finished(text, start, _words(command, rest, api))


def _finished(text: str, start: int, found: list[Candidate]) -> Completion:
    last = text[start:].lstrip()
    fitting = [one for one in found if one.text.startswith(last)]
    if not fitting:
        return Completion(text, start)
    common = _common([one.text for one in fitting])
    if len(fitting) == 1 and not common.endswith("/"):
        common += " "
    return Completion(text[:start] + common, start, tuple(fitting[: limits.MAX_CANDIDATES]))


def _common(words: list[str]) -> str:
    """What all of them begin with."""
    first, last = min(words), max(words)
    size = next((i for i, c in enumerate(first) if not last.startswith(c, i)), len(first))
    return first[:size]


def _commands(word: str, api: ClientApi | None) -> list[Candidate]:
    """Commands, those that make sense now first; other words for them only if no first one fits."""
    state = None if api is None else api.state
    rows = sorted(commands.TYPED, key=lambda command: state not in command.states)
    found = [Candidate(f"/{row.word}", row.brief or row.about) for row in rows]
    if any(one.text.startswith(word) for one in found):
        return found
    return [Candidate(f"/{also}", row.about) for row in rows for also in row.also]


def _words(command: Command, rest: str, api: ClientApi | None) -> list[Candidate]:
    """What the last word of an argument may be."""
    argument = command.argument
    before = rest.split(" ")[:-1]
    if argument is None or (before and command not in _SEVERAL):
        return []
    if command in (commands.SET, commands.AVAILABLE) and "to" in before:
        return _people(api)
    if command is commands.SET:
        words = tuple(_SETTINGS) if not before else _SETTINGS.get(before[0], ())
        return [Candidate(word) for word in words] if len(before) < len(("ask", "anyone")) else []
    if command is commands.INTRODUCE:
        return _introduction(before, api)
    if command in _ANY_ORDER:
        return [Candidate(word) for word in _ANY_ORDER[command]]
    if command is commands.HELP:
        return [Candidate(row.word, row.about) for row in commands.TYPED] + [Candidate("all")]
    is_asked = command is commands.DECLINE and api is not None and api.state is ClientState.ASKED
    if argument.field in _NAMES or is_asked:
        return _people(api)
    return [Candidate(word) for word in dict.fromkeys(w.split()[0] for w in argument.words)]


def _introduction(before: list[str], api: ClientApi | None) -> list[Candidate]:
    """`bob to carol`, `cancel bob to carol`, `yes carol` or `no carol`."""
    match before:
        case []:
            return [*_people(api), *(Candidate(word) for word in _INTRODUCTIONS)]
        case ["yes" | "no" | "cancel"] | [_, "to"] | ["cancel", _, "to"]:
            return _people(api)
        case ["cancel", _] | [_]:
            return [Candidate("to")]
    return []


def _people(api: ClientApi | None) -> list[Candidate]:
    return [] if api is None else [Candidate(one.name, one.trust) for one in api.people]


def _files(path: str, files: Lister) -> list[Candidate]:
    folder, slash, begun = path.rpartition("/")
    fitting = (name for name in files(folder + slash) if name.startswith(begun))
    names = sorted(fitting)[: limits.MAX_LISTED]
    if not begun.startswith("."):
        names = [name for name in names if not name.startswith(".")]
    return [Candidate(f"{folder}{slash}{name}") for name in names]


def listed(folder: str) -> list[str]:
    """What is in a folder, as far as it can be read and written on one line."""
    try:
        with os.scandir(os.path.expanduser(folder) or ".") as found:
            names = [one.name + "/" * one.is_dir() for one in found]
    except (OSError, ValueError):
        return []
    return [name for name in names if name.isprintable()]
