"""Our messages in a chat: their numbers, those that wait for the caller, those without receipt."""

from __future__ import annotations

from securecom import limits
from securecom.errors import BadArgument, NotNow, TooLong


def check(text: str) -> None:
    """:raises TooLong, BadArgument: if this cannot be one message."""
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        raise BadArgument("the message holds what is no text") from None
    if size > limits.MAX_TEXT:
        raise TooLong(f"a message has {limits.MAX_TEXT} bytes at the most, not {size}")


class Outbox:
    """Numbers count from 1 in each chat."""

    def __init__(self) -> None:
        self._last = 0
        self._unreceipted: list[int] = []
        self._held: list[tuple[int, str]] = []

    def number(self, text: str) -> int:
        """The number of a new message. :raises TooLong, BadArgument, NotNow: if it may not be."""
        check(text)
        if len(self._unreceipted) >= limits.MAX_UNDELIVERED:
            raise NotNow(f"{len(self._unreceipted)} messages wait for their receipts already")
        self._last += 1
        self._unreceipted.append(self._last)
        return self._last

    def hold_back(self, number: int, text: str) -> None:
        """It waits until the caller has spoken."""
        self._held.append((number, text))

    def take_held(self) -> list[tuple[int, str]]:
        """The caller has spoken: what waited, in order."""
        held, self._held = self._held, []
        return held

    def delivered(self, number: int) -> None:
        """Its receipt came."""
        self._unreceipted.remove(number)

    @property
    def undelivered(self) -> list[int]:
        """The numbers without a receipt, held or sent."""
        return list(self._unreceipted)

    @property
    def unsent(self) -> list[int]:
        """The numbers of those that are held."""
        return [number for number, _ in self._held]
