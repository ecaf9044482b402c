"""What one person's request makes the server do for another: a moment later, which nobody is told.

Done at once, the work would delay whatever the one who asks has sent along with the request, and
show that there was somebody to do it for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime


class Aside:
    """Does one thing after the other, in order, each after a pause of its own.

    :param pause: seconds, drawn anew each time.
    """

    def __init__(self, clock: IReactorTime, pause: Callable[[], float]) -> None:
        self._clock, self._pause = clock, pause
        self._waiting: deque[Callable[[], None]] = deque()
        self._due = 0.0

    def do(self, work: Callable[[], None]) -> None:
        """Before long, and not before what was to be done before it."""
        now = self._clock.seconds()
        self._due = max(self._due, now + self._pause())
        self._waiting.append(work)
        self._clock.callLater(self._due - now, self._next)

    def _next(self) -> None:
        self._waiting.popleft()()
