"""Who answers a request: the person, unless something was told to decide before them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol

from twisted.internet.defer import Deferred, succeed

from securecom.client.events import Trust

#: An answer in the person's name.
Verdict = Literal["accept", "refuse", "dismiss"]
#: `ask`: let the person decide.
Decision = Verdict | Literal["ask"]


@dataclass(frozen=True)
class Facts:
    """What is known of a request. The names are those of docs/json.md.

    :param seconds: how long it stands.
    :param missed: how often they asked in vain lately; `ago`: seconds since the last time.
    :param chat_seconds: how long the chat is to last, if it is to have an end.
    """

    name: str
    trust: Trust
    fingerprint: str
    seconds: int
    missed: int
    ago: int | None
    chat_seconds: int | None = None


class Consent(Protocol):
    """Decides about requests that would be put before the person."""

    def decide(self, facts: Facts) -> Deferred[Decision]:
        """The decision; a failure means `ask`. Cancelled when nobody wants to know any more."""


class AskThePerson:
    """Every request is for the person."""

    def decide(self, facts: Facts) -> Deferred[Decision]:
        """Consent."""
        return succeed("ask")


ASK_THE_PERSON: Final = AskThePerson()
