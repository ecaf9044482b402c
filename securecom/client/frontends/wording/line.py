"""A line of words, its marks, and the words that several events use."""

from __future__ import annotations

from functools import singledispatch

from securecom.client import events as e
from securecom.client.durations import duration

Line = tuple[str, str]

FACT = "*"
FRAME = "--"
OWN = ">"
SERVER = "(server)"

TRUST = {
    "new": "first meeting, not verified",
    "met": "the one you know, not verified",
    "verified": "verified",
    "followed": "a NEW one, signed over by the one you know, not verified",
    "followed-verified": "a NEW one, signed over by the verified one you know",
    "changed": "NOT THE ONE YOU KNOW",
}
#: The same in brackets, behind a name.
USER = {
    "new": "never met",
    "met": "met",
    "verified": "verified",
    "followed": "NEW KEY of the one you know",
    "followed-verified": "NEW KEY of the verified one",
    "changed": "KEY CHANGED",
}


@singledispatch
def words(event: e.Event) -> list[Line]:
    """The lines of an event. One that has nothing to add to others has none."""
    return []


def person(someone: e.User | e.Asking | e.RefusedForYou | e.MissedRequest, *more: str) -> str:
    """A name never stands in a list or a request without what is known of its key."""
    return f"{someone.name} ({', '.join((USER[someone.trust], *more))})"


def lasting(seconds: int | None) -> str:
    """How long a chat is to last, if it is to have an end."""
    return "" if seconds is None else f" for {duration(seconds)}"
