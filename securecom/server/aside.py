"""What one person's request makes the server do about another: a moment later, at a drawn time.

Done at once, the work would delay whatever the caller has sent along with the request, and show
that there was somebody to look for.
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
        """Do it after a pause, and after everything that was put aside before."""
        self._do(work, self._pause())

    def do_next(self, work: Callable[[], None]) -> None:
        """Do it as soon as everything that was put aside before is done."""
        self._do(work, 0.0)

    def _do(self, work: Callable[[], None], pause: float) -> None:
        now = self._clock.seconds()
        self._due = max(self._due, now + pause)
        self._waiting.append(work)
        self._clock.callLater(self._due - now, self._next)

    def _next(self) -> None:
        self._waiting.popleft()()
