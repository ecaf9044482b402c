"""What the commands of `securecom-admin` work with: their surroundings, and what they answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from securecom.errors import NotConfirmed

T = TypeVar("T")


@dataclass(frozen=True)
class Surroundings:
    """What the command needs of the world.

    :param now: seconds since the epoch.
    :param random: so many bytes that nobody can guess.
    :param confirm: asks the person a question; None when there is nobody to ask.
    :param encoding: of standard output.
    """

    now: Callable[[], float]
    random: Callable[[int], bytes]
    confirm: Callable[[str], bool] | None
    encoding: str

    def must_agree(self, yes: bool, question: str, otherwise: str) -> None:
        """Somebody has to say yes, unless they did. :raises NotConfirmed: they do not."""
        if not yes and (self.confirm is None or not self.confirm(question)):
            raise NotConfirmed(otherwise)


@dataclass(frozen=True)
class Answer:
    """Lines for standard output, and what the person should know besides."""

    lines: Sequence[str]
    note: str = ""


def done(result: Deferred[T]) -> T:
    """What a registry that works at once has answered; its error is raised."""
    outcome: list[T | Failure] = []
    result.addBoth(outcome.append)
    (only,) = outcome
    if isinstance(only, Failure):
        only.raiseException()
    return only
