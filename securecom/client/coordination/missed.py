"""Requests that came to nothing without our word: who, how often, when last. In memory only."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from securecom import limits
from securecom.client.events import MissedRequest
from securecom.identity import Name


class MissedRequests:
    """By name; the one that was missed longest ago is forgotten first.

    :param seconds: a monotonic clock.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._missed: OrderedDict[Name, tuple[int, float]] = OrderedDict()
        self._is_news = False

    def note(self, name: Name) -> bool:
        """One more. Whether it is the first of this person that is news."""
        count, _ = self._missed.get(name, (0, 0.0))
        self._missed[name] = (count + 1, self._seconds())
        self._missed.move_to_end(name)
        if len(self._missed) > limits.MAX_MISSED:
            self._missed.popitem(last=False)
        self._is_news = True
        return count == 0

    def forget(self, name: Name) -> None:
        """We have spoken since."""
        self._missed.pop(name, None)

    def of(self, name: Name) -> MissedRequest | None:
        """One person's."""
        count, at = self._missed.get(name, (0, 0.0))
        return MissedRequest(name, count, int(self._seconds() - at)) if count else None

    def all(self) -> list[MissedRequest]:
        """The latest first."""
        now = self._seconds()
        return [
            MissedRequest(name, count, int(now - at))
            for name, (count, at) in reversed(self._missed.items())
        ]

    def news(self) -> list[MissedRequest]:
        """All, if one has come since this was last asked."""
        is_news, self._is_news = self._is_news, False
        return self.all() if is_news else []
