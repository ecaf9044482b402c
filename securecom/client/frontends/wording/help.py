"""Help in words: a screenful of what makes sense now, or all there is to say of some commands."""

from __future__ import annotations

from itertools import groupby

from securecom.client import events as e
from securecom.client.frontends.wording.line import FACT, Line, words


@words.register
def _(event: e.Help) -> list[Line]:
    if event.topic is None:
        return _short(event.lines)
    if len(event.lines) == 1:
        return words(event.lines[0])
    told: list[Line] = []
    for group, lines in groupby(event.lines, lambda line: line.group):
        told += [(FACT, group.upper()), *(told for line in lines for told in words(line))]
    return told


@words.register
def _(event: e.HelpLine) -> list[Line]:
    also = f" (also {', '.join(event.also)})" if event.also else ""
    when = "" if event.now else "  [not now]"
    return [(FACT, f"{event.usage:16}  {event.about}{also}{when}")]


def _short(lines: list[e.HelpLine]) -> list[Line]:
    """What is most needed now, a line each; the names of the rest."""
    near = [line for line in lines if line.now and line.brief]
    far = [line for line in lines if line not in near and line.usage.startswith("/")]
    room = max(len(line.usage) for line in near)
    told = [(FACT, f"{line.usage:{room}}  {line.brief}") for line in near]
    for group, those in groupby(far, lambda line: line.group):
        names = " ".join(line.usage.split()[0] for line in those)
        told.append((FACT, f"{f'{group}:':{room}}  {names}"))
    return told
