"""What a server does over and over: often while somebody is online, seldom while nobody is."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Rounds(Service):
    """Calls a function over and over, each time after the pause that it asked for the last time.

    :param make: the function. It fires with the seconds until it wants to be called again, and
        never fails.
    """

    def __init__(self, clock: IReactorTime, make: Callable[[], Deferred[float]]) -> None:
        self._clock, self._make = clock, make
        self._next: IDelayedCall | None = None
        self._under_way: Deferred[None] | None = None

    def startService(self) -> None:
        super().startService()
        self._go()

    def stopService(self) -> Deferred[None] | None:
        """Stop. Fires when a call that is under way is over."""
        super().stopService()
        if self._next is not None:
            self._next.cancel()
            self._next = None
        return self._under_way

    def hurry(self, seconds: float) -> None:
        """Let the next call come in this time at the latest, whatever pause was asked for."""
        if self._next is not None and self._next.getTime() > self._clock.seconds() + seconds:
            self._next.reset(seconds)

    @inlineCallbacks
    def _go(self) -> Generator[Deferred[Any], Any, None]:
        self._next = None
        self._under_way = over = Deferred[None]()
        seconds = yield self._make()
        self._under_way = None
        if self.running:
            self._next = self._clock.callLater(seconds, self._go)
        over.callback(None)
