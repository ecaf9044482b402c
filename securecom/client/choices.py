"""What a person chooses for good: who may ask at all, and who is told that they are busy.

    ask anyone|people|nobody        busy nobody|people|to NAME...

So it is typed behind `/set`, and kept in the profile. `people` are those whose key is pinned; it
stands where no name can: names come behind `to`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, cast

from securecom.client.terms import read_names
from securecom.errors import BadArgument
from securecom.identity import Name

Ask = Literal["anyone", "people", "nobody"]

_ASK = ("anyone", "people", "nobody")
_HINT = "Nothing was changed. Try /set ask people, /set busy people, /set busy to bob carol."


@dataclass(frozen=True)
class Busy:
    """To one's people, or to those in `names`; to nobody if there are none."""

    people: bool = False
    names: tuple[Name, ...] = ()

    def __str__(self) -> str:
        if self.people:
            return "people"
        return " ".join(("to", *self.names)) if self.names else "nobody"


NOBODY = Busy()


@dataclass(frozen=True)
class Choices:
    """`ask`: who may ask, whatever `/available` says. `busy`: who is told that one is busy."""

    ask: Ask = "anyone"
    busy: Busy = NOBODY

    def changed(self, text: str) -> Choices:
        """These, but for the one that the text names.

        :raises BadArgument: for anything else than the above. :raises BadName: likewise.
        """
        word, _, value = text.strip().partition(" ")
        match word.lower():
            case "ask":
                return replace(self, ask=read_ask(value.strip()))
            case "busy":
                return replace(self, busy=read_busy(value))
        raise BadArgument("there is no such setting", "Nothing was changed. /set shows all.")


def read_ask(text: str) -> Ask:
    """:raises BadArgument: for anything else than one of the three words."""
    word = text.lower()
    if word not in _ASK:
        raise BadArgument("ask has to be anyone, people or nobody", _HINT)
    return cast(Ask, word)


def read_busy(text: str) -> Busy:
    """:raises BadArgument: for anything else than the above. :raises BadName: likewise."""
    words = text.split()
    match [word.lower() for word in words]:
        case ["nobody"]:
            return NOBODY
        case ["people"]:
            return Busy(people=True)
        case ["to", _, *_]:
            return Busy(names=read_names(words[1:], _HINT))
    raise BadArgument("busy has to be nobody, people, or to and names", _HINT)


def _nowhere(_: Choices) -> None:
    """Where there is no profile they last as long as the client."""


@dataclass(frozen=True)
class Kept:
    """The choices at the start, and what keeps others; that may raise `ProfileProblem`."""

    choices: Choices = Choices()
    keep: Callable[[Choices], None] = _nowhere
