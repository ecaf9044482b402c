"""`twistd --reactor=securecom`: Twisted's epoll reactor with a shorter way to what can be read.

Twisted sets up a context for its log around each event, so that a line can say which connection it
is about. This server's log does not say that anyway. Where there is only something to read, this
reactor calls the connection itself; every other event goes Twisted's way.
"""

from __future__ import annotations

import select

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor
from twisted.logger import Logger

from securecom import limits
from securecom.transport.sieve import missing_in

_log = Logger()
_READ = select.EPOLLIN
#: What it uses of Twisted's private parts.
NAMES = ("_poller", "_selectables", "_doReadOrWrite", "_disconnectSelectable")


class LeanReactor(EPollReactor):
    """Twisted's epoll reactor, with its own way for events that only say "there is to read"."""

    def doPoll(self, timeout: float | None) -> None:  # noqa: N802
        """Wait for events, for so many seconds at the most, and handle them."""
        # Since PEP 475 a signal does not interrupt this; Twisted wakes it through a socket.
        for descriptor, event in self._poller.poll(timeout, limits.EVENTS_AT_ONCE):
            selectable = self._selectables.get(descriptor)
            if selectable is None:  # an event before this one has ended it
                continue
            if event != _READ:
                self._doReadOrWrite(selectable, descriptor, event)
                continue
            try:
                why = selectable.doRead()
            except Exception as error:  # which ends it and nothing else, as in Twisted
                _log.failure("while reading")
                why = error
            if why:
                self._disconnectSelectable(selectable, why, True)

    doIteration = doPoll  # noqa: N815 (what the main loop calls)


def install() -> None:
    """Called by twistd. :raises ImportError: if this Twisted does not have what it needs."""
    if missing := missing_in(EPollReactor, NAMES):
        raise ImportError(f"this Twisted's epoll reactor has no {', '.join(missing)}")
    installReactor(LeanReactor())
