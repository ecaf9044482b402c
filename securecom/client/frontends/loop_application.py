"""An asyncio application that is a front-end: how it starts and, whatever ends it, how it ends.

Twisted runs in asyncio's event loop, and the application is one task in it. It may end by itself,
because it is told to, or because the reactor stops first. In each case the task comes to its end,
and so restores the terminal, before the reactor does. Signals are not its business: Twisted's
handlers stand, and lead to `close`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from securecom import limits
from securecom.errors import OurFault


class LoopApplication:
    """Runs one application in the event loop of Twisted's asyncio reactor.

    :param end: asks the application to end, in its own way; None cancels its task.
    """

    def __init__(self, reactor: Any, end: Callable[[], None] | None = None) -> None:
        self._reactor = reactor
        self._ask_to_end = end
        self._task: asyncio.Task[Any] | None = None
        self._is_asked = False
        self._stuck: IDelayedCall | None = None
        self._ended: Deferred[None] = Deferred()
        self._waiting: list[Deferred[None]] = []

    def start(self, application: Coroutine[Any, Any, Any]) -> Deferred[None]:
        """Run it in the event loop of the reactor, which may be just about to run.

        :return: fires when it has ended; fails with what it raised.
        """
        # Twisted's `callWhenRunning` comes before the loop runs: there may be no running one yet.
        self._task = asyncio.get_event_loop().create_task(application)
        self._task.add_done_callback(self._done)
        self._reactor.addSystemEventTrigger("before", "shutdown", self._reactor_stops)
        return self._ended

    def close(self) -> None:
        """Have it end; again does no harm."""
        if self._task is None or self._task.done() or self._is_asked:
            return
        self._is_asked = True
        if self._ask_to_end is None:
            self._task.cancel()
        else:
            self._ask_to_end()
            # An application that is stuck must not keep the terminal.
            self._stuck = self._reactor.callLater(limits.CLOSE_DEADLINE / 2, self._task.cancel)

    def _reactor_stops(self) -> Deferred[None] | None:
        """Somebody stopped the reactor first: it waits for us."""
        if self._task is None or self._task.done():
            return None
        self.close()
        over: Deferred[None] = Deferred()
        self._waiting.append(over)
        return over

    def _done(self, task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is None and task.cancelled() and not self._is_asked:
            error = OurFault("the screen was cancelled")
        if self._stuck is not None and self._stuck.active():
            self._stuck.cancel()
        if error is None:
            self._ended.callback(None)
        else:
            self._ended.errback(Failure(error))
        for over in self._waiting:
            over.callback(None)
