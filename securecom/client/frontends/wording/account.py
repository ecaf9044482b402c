"""Events about what the server holds, in words.

The texts of facts are the server's own, so each of their rows bears its mark: none can pass for
something that this client says, a question for a pass phrase for one.
"""

from __future__ import annotations

from securecom.client import events as e
from securecom.client.frontends.wording.line import FACT, SERVER, Line, words


@words.register
def _(event: e.MyData) -> list[Line]:
    lines = [(FACT, f"what the server holds about you, {event.name}, by its own word:")]
    for part in dict.fromkeys(fact.part for fact in event.facts):  # each once
        lines.append((SERVER, f"{part}:"))
        lines += [line for fact in event.facts if fact.part == part for line in words(fact)]
    return lines


@words.register
def _(event: e.DataFact) -> list[Line]:
    return [(SERVER, f"    {event.what}: {event.value}")]


@words.register
def _(event: e.ForgetMeMeans) -> list[Line]:
    return [
        (FACT, "the server erases your key, your blocks and what it remembers of you: for good"),
        (FACT, f"for {event.days} days nobody can have the name {event.name}, not even you"),
        (FACT, "who has blocked it still does so long; others keep what they know of you"),
        (FACT, "your files on this machine stay"),
        (FACT, f"to do it: /forget-me {event.name}"),
    ]


@words.register
def _(event: e.Forgotten) -> list[Line]:
    days = f"for {event.days} days nobody can have that name"
    lines = [(FACT, f"the server has forgotten {event.name}; {days}")]
    if event.folder is not None:
        what = "your key, unless it is a file of your own elsewhere, and whom you have met"
        lines.append((FACT, f"left on this machine, for you to delete: {event.folder} ({what})"))
    return lines
