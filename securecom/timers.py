"""Many timers, of which the reactor knows one.

A server makes several timers for each log-in and for each chat request, and cancels nearly all of
them: they are deadlines. The reactor's own are objects that compare themselves with each other, in
Python, on their way through its queue.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import inf
from typing import Any

from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

_log = Logger()
#: So many cancelled timers are left in the queue; more only if they are fewer than the others.
_LEFT_IN_QUEUE = 50
_NO_KW: dict[str, Any] = {}


@implementer(IReactorTime)
class Timers:
    """The time of a reactor, with timers of its own."""

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        #: IReactorTime.seconds.
        self.seconds: Callable[[], float] = reactor.seconds
        #: When each timer is due, the number under which it waits, and the timer, in a heap. It
        #: also holds timers that were cancelled, or wait under another number by now.
        self._queue: list[tuple[float, int, _Timer]] = []
        self._numbers = self._stale = 0
        #: The timer of the reactor's, and when that is due.
        self._call: IDelayedCall | None = None
        self._due = inf

    def callLater(  # noqa: N802
        self, delay: float, callable: Callable[..., Any], *args: Any, **kw: Any
    ) -> IDelayedCall:
        """IReactorTime.callLater. The next turn of the reactor is its own affair."""
        if delay <= 0:
            return self._reactor.callLater(delay, callable, *args, **kw)
        timer = _Timer(self, callable, args, kw)
        self.place(timer, self.seconds() + delay)
        return timer

    def getDelayedCalls(self) -> list[IDelayedCall]:  # noqa: N802
        """IReactorTime.getDelayedCalls: those that are waiting here."""
        return [timer for _, number, timer in self._queue if timer.number == number]

    def place(self, timer: _Timer, due: float) -> None:
        """Have this timer wait until then, and not until when it was due before."""
        self._numbers += 1
        timer.number, timer.due = self._numbers, due
        heappush(self._queue, (due, self._numbers, timer))
        if due < self._due:
            self._wait_until(due)

    def leave(self) -> None:
        """A timer left that is still in the queue."""
        self._stale += 1
        if self._stale > _LEFT_IN_QUEUE and 2 * self._stale > len(self._queue):
            self._queue = [entry for entry in self._queue if entry[2].number == entry[1]]
            heapify(self._queue)
            self._stale = 0

    def _wait_until(self, due: float) -> None:
        self._due = due
        wait = max(0.0, due - self.seconds())
        if self._call is None:
            self._call = self._reactor.callLater(wait, self._run)
        else:
            self._call.reset(wait)

    def _run(self) -> None:
        """Call what is due."""
        self._call, self._due = None, -inf  # what is placed meanwhile need not be waited for yet
        try:
            now = self.seconds()
            while self._queue and self._queue[0][0] <= now:
                _, number, timer = heappop(self._queue)
                if timer.number != number:
                    self._stale -= 1
                    continue
                try:
                    timer.call()
                except Exception:  # as in Twisted: what fails takes nobody else theirs
                    _log.failure("while a timer ran")
        finally:
            self._due = inf
            if self._queue:
                self._wait_until(self._queue[0][0])


@implementer(IDelayedCall)
class _Timer:
    """A function that is called once.

    :ivar number: under which it waits; 0: it was cancelled; -1: it was called.
    """

    __slots__ = ("_args", "_function", "_kw", "_timers", "due", "number")

    due: float
    number: int

    def __init__(
        self, timers: Timers, function: Callable[..., Any], args: tuple[Any, ...], kw: Any
    ) -> None:
        self._timers, self._function, self._args, self._kw = timers, function, args, kw

    def active(self) -> bool:
        """IDelayedCall.active."""
        return self.number > 0

    def getTime(self) -> float:  # noqa: N802
        """IDelayedCall.getTime."""
        return self.due

    def cancel(self) -> None:
        """IDelayedCall.cancel."""
        self._check()
        self.number = 0
        self._let_go()
        self._timers.leave()

    def reset(self, seconds: float) -> None:
        """IDelayedCall.reset."""
        self._move(self._timers.seconds() + seconds)

    def delay(self, seconds: float) -> None:
        """IDelayedCall.delay."""
        self._move(self.due + seconds)

    def call(self) -> None:
        """The time has come."""
        self.number = -1
        function, args, kw = self._function, self._args, self._kw
        self._let_go()
        function(*args, **kw)

    def _let_go(self) -> None:
        """Keep nothing alive for whoever keeps this timer, or for the queue."""
        self._function, self._args, self._kw = _nothing, (), _NO_KW

    def _move(self, due: float) -> None:
        self._check()
        self._timers.place(self, due)
        self._timers.leave()

    def _check(self) -> None:
        if self.number <= 0:
            raise AlreadyCalled if self.number else AlreadyCancelled


def _nothing() -> None:
    """What a timer calls that is over."""
