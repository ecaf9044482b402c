"""Many who look at something now and then, and one timer for all of them.

A timer of the reactor's takes half a kilobyte, and a server looks at each of its connections as
long as that lasts.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Looking(Protocol):
    """Whoever wants to look once."""

    #: When it looks, on the steady clock; `Looks` sets it.
    due: float

    def look(self) -> None:
        """Look, which is then over; whoever wants to look once more is added again."""


class Later:
    """Something to be done later, as a call of the reactor's that has no timer of its own."""

    __slots__ = ("_looks", "_work", "due")

    def __init__(self, looks: Looks, work: Callable[[], None]) -> None:
        self._looks, self._work = looks, work
        self.due = 0.0

    def active(self) -> bool:
        """Whether it is still to be done."""
        return self in self._looks

    def cancel(self) -> None:
        """Do not do it."""
        self._looks.drop(self)

    def look(self) -> None:
        """Do it, since the wait is over."""
        self._work()


class Looks:
    """Lets each look when it has waited.

    All wait equally long, so whoever comes later is due later, and they stand in a queue.

    :param seconds: how long.
    """

    def __init__(self, clock: IReactorTime, seconds: float) -> None:
        self._clock, self._seconds = clock, seconds
        #: In the order in which they came; an `OrderedDict` takes three times as much memory.
        self._waiting: dict[Looking, None] = {}
        self._timer: IDelayedCall | None = None

    def __contains__(self, one: Looking) -> bool:
        return one in self._waiting

    def later(self, work: Callable[[], None]) -> Later:
        """Do this work after the wait."""
        call = Later(self, work)
        self.add(call)
        return call

    def add(self, one: Looking) -> None:
        """Let this one look after the wait."""
        one.due = self._clock.seconds() + self._seconds
        self._waiting[one] = None
        if len(self._waiting) == 1:
            self._timer = self._clock.callLater(self._seconds, self._call)

    def drop(self, one: Looking) -> None:
        """Do not let it look, if it is still to."""
        self._waiting.pop(one, None)
        if not self._waiting and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _call(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        try:
            for one in list(takewhile(lambda one: one.due <= now, self._waiting)):
                if one in self._waiting and one.due <= now:  # a look may change that of another
                    del self._waiting[one]
                    one.look()
        finally:  # a mistake in one look takes nobody else theirs
            if self._waiting and self._timer is None:
                wait = max(0.0, self._first_due() - self._clock.seconds())
                self._timer = self._clock.callLater(wait, self._call)

    def _first_due(self) -> float:
        return next(iter(self._waiting)).due
