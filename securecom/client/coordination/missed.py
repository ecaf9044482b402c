"""Requests that came to nothing without our word: who, how often, when last. In memory only."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from securecom import limits
from securecom.client.events import KNOWN, MissedRequest, Trust
from securecom.identity import Name


class MissedRequests:
    """By name. Strangers are forgotten first, and of these the one that was missed longest ago.

    :param seconds: a clock that nobody sets, `securecom.clocks.steady`.
    :param trust: how a name stands now.
    """

    def __init__(self, seconds: Callable[[], float], trust: Callable[[Name], Trust]) -> None:
        self._seconds, self._trust = seconds, trust
        self._missed: OrderedDict[Name, tuple[int, float]] = OrderedDict()
        self._is_news = False

    def note(self, name: Name) -> bool:
        """One more. Whether it is the first of this person that is news."""
        count, _ = self._missed.get(name, (0, 0.0))
        self._missed[name] = (count + 1, self._seconds())
        self._missed.move_to_end(name)
        if len(self._missed) > limits.MAX_MISSED:
            self._forget_one()
        self._is_news = True
        return count == 0

    def _forget_one(self) -> None:
        """Or strangers who ask under many names would hide the people whom one knows."""
        strangers = (name for name in self._missed if self._trust(name) not in KNOWN)
        del self._missed[next(strangers, next(iter(self._missed)))]

    def forget(self, name: Name) -> None:
        """We have spoken since."""
        self._missed.pop(name, None)

    def of(self, name: Name) -> MissedRequest | None:
        """One person's."""
        return self._told(name) if name in self._missed else None

    def all(self) -> list[MissedRequest]:
        """The latest first."""
        return [self._told(name) for name in reversed(self._missed)]

    def _told(self, name: Name) -> MissedRequest:
        count, at = self._missed[name]
        return MissedRequest(name, self._trust(name), count, int(self._seconds() - at))

    def news(self) -> list[MissedRequest]:
        """All, if one has come since this was last asked."""
        is_news, self._is_news = self._is_news, False
        return self.all() if is_news else []
