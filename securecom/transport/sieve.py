"""Spliced sockets are read before Twisted's epoll reactor sees that they can be.

For each event, the reactor sets up a context for its log, which costs more than all else that our
Python does for a message, and a message has to wait for that. So what asks the kernel for events is
ours while there are chats: it reads the spliced sockets among them, and gives the reactor the rest.

Only events that say "there is to read" and nothing else are taken. The sockets stay the reactor's:
it watches them, pauses them, writes to them and sees their hang-ups as ever.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any

from twisted.internet.tcp import Connection
from twisted.logger import Logger

from securecom import limits

try:
    from twisted.internet.epollreactor import EPollReactor
except ImportError:  # there is no epoll here
    EPollReactor = None  # type: ignore[assignment,misc]

_log = Logger()
_READ = select.EPOLLIN if EPollReactor is not None else 0
#: What it uses of the reactor's private parts.
NAMES = ("_poller", "_selectables", "_disconnectSelectable")


def missing_in(kind: type, names: tuple[str, ...] = NAMES) -> tuple[str, ...]:
    """Which of these private names this class of reactors does not have."""
    known: set[str] = set()
    for base in kind.__mro__:
        codes = (getattr(value, "__code__", None) for value in vars(base).values())
        known.update(vars(base), *(code.co_names for code in codes if code is not None))
    return tuple(name for name in names if name not in known)


#: The private names that are missing here.
MISSING = () if EPollReactor is None else missing_in(EPollReactor)


class Sieve:
    """Stands in for a reactor's epoll object, and does in addition what is said above."""

    def __init__(self, reactor: Any) -> None:
        self._reactor, poller = reactor, reactor._poller
        self._wait = poller.poll
        self.register, self.modify = poller.register, poller.modify
        self.unregister = poller.unregister
        #: The `doRead` of each TCP connection that is read here.
        self._reads: dict[Any, Callable[[], Any]] = {}
        reactor._poller = self

    def poll(self, timeout: float, most: int) -> list[tuple[int, int]]:
        """Wait for events, and return those that are the reactor's."""
        reads, selectables = self._reads, self._reactor._selectables
        others = []
        for number, event in self._wait(timeout, min(most, limits.EVENTS_AT_ONCE)):
            # A connection that a read before this one has ended is in neither.
            tcp = selectables.get(number)
            read = reads.get(tcp)
            if read is None or event != _READ:
                others.append((number, event))
                continue
            try:
                why = read()
            except BaseException as error:  # as in Twisted: one connection's fault is no other's
                _log.failure("while reading")
                why = error
            if why:
                self._end(tcp, why)
        return others

    def _end(self, tcp: Connection, why: BaseException) -> None:
        self.leave(tcp)
        try:
            self._reactor._disconnectSelectable(tcp, why, True)
        except BaseException:
            _log.failure("while a connection ended")

    def enter(self, tcp: Connection, read: Callable[[], Any]) -> None:
        """Read this connection here, by its `doRead`."""
        self._reads[tcp] = read

    def leave(self, tcp: Connection) -> None:
        """Leave this connection to the reactor."""
        self._reads.pop(tcp, None)


def sieve_of(reactor: Any) -> Sieve | None:
    """The sieve of this reactor: only of Twisted's epoll reactor as it is."""
    if MISSING or EPollReactor is None or type(reactor) is not EPollReactor:
        return None
    poller = reactor._poller
    return poller if isinstance(poller, Sieve) else Sieve(reactor)


def hold(tcp: Any, read: Callable[[], Any]) -> None:
    """Let `read` be the `doRead` of a TCP connection, whoever calls it."""
    tcp.doRead = read
    sieve = sieve_of(tcp.reactor)
    if sieve is not None:
        sieve.enter(tcp, read)


def leave(tcp: Connection | None) -> None:
    """Leave a connection that was held to its reactor."""
    sieve = None if tcp is None else sieve_of(tcp.reactor)
    if sieve is not None and tcp is not None:
        sieve.leave(tcp)
