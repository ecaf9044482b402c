"""Many spliced sockets as one event of Twisted's epoll reactor.

For each event, the reactor sets up a context for its log, which costs more than all else that our
Python does for a message. So the spliced sockets that wait for bytes are watched by an epoll object
of our own, which the reactor watches in turn: whatever is there to read in one pass is one event.

A socket is in here only while there is nothing to it but reading. Whoever asks the reactor for
anything else asks us (we are the socket's `reactor` meanwhile), and the socket is back with the
reactor before that is done. All other events of it go the reactor's way, too.
"""

from __future__ import annotations

import functools
import select
from collections.abc import Callable
from typing import Any

from twisted.internet.tcp import Connection
from twisted.logger import Logger
from twisted.python.failure import Failure

from securecom import limits

try:
    from twisted.internet.epollreactor import EPollReactor
except ImportError:  # there is no epoll here
    EPollReactor = None  # type: ignore[assignment,misc]

_log = Logger()
#: What it uses of the reactor's private parts.
NAMES = ("_reads", "_writes", "_disconnectSelectable")


def missing_in(kind: type) -> tuple[str, ...]:
    """The private names that this class of reactors does not have."""
    known: set[str] = set()
    for base in kind.__mro__:
        codes = (getattr(value, "__code__", None) for value in vars(base).values())
        known.update(vars(base), *(code.co_names for code in codes if code is not None))
    return tuple(name for name in NAMES if name not in known)


#: The private names that are missing here.
MISSING = () if EPollReactor is None else missing_in(EPollReactor)


class Nest:
    """The sockets that are watched for one reactor."""

    def __init__(self, reactor: Any, poller: Any) -> None:
        #: Twisted's; what we are not asked for ourselves is asked of it.
        self.reactor = reactor
        self._poller = poller
        self._members: dict[int, tuple[Connection, Callable[[], Any]]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.reactor, name)

    # --- who is here ------------------------------------------------------------------------

    def enter(self, tcp: Connection, read: Callable[[], Any]) -> None:
        """Watch a socket instead of the reactor, if the reactor only waits for bytes of it.

        :param read: its `doRead` from now on.
        """
        number = tcp.fileno()
        if number not in self.reactor._reads or number in self.reactor._writes:
            return
        try:
            self._poller.register(number, select.EPOLLIN)
        except OSError:  # the kernel watches no more for us
            return
        if not self._members:
            self.reactor.addReader(self)
        self._members[number] = tcp, read
        self.reactor.removeReader(tcp)
        tcp.reactor = self  # type: ignore[assignment]

    def leave(self, tcp: Connection) -> None:
        """Give a socket back to the reactor, which waits for bytes of it again."""
        number = tcp.fileno()
        del self._members[number]
        self._poller.unregister(number)
        tcp.reactor = self.reactor
        self.reactor.addReader(tcp)
        if not self._members:
            self.reactor.removeReader(self)

    # --- the reactor, as seen by those who are here -------------------------------------------

    def addReader(self, tcp: Connection) -> None:  # noqa: N802
        """IReactorFDSet.addReader."""
        self.leave(tcp)

    def removeReader(self, tcp: Connection) -> None:  # noqa: N802
        """IReactorFDSet.removeReader."""
        self.leave(tcp)
        self.reactor.removeReader(tcp)

    def addWriter(self, tcp: Connection) -> None:  # noqa: N802
        """IReactorFDSet.addWriter."""
        self.leave(tcp)
        self.reactor.addWriter(tcp)

    # --- a descriptor, as seen by the reactor -------------------------------------------------

    def fileno(self) -> int:
        """IFileDescriptor.fileno."""
        number: int = self._poller.fileno()
        return number

    def logPrefix(self) -> str:
        """ILoggingContext.logPrefix."""
        return "spliced"

    def doRead(self) -> None:  # noqa: N802
        """IReadDescriptor.doRead: read each socket that has something, once."""
        for number, event in self._poller.poll(0, limits.EVENTS_AT_ONCE):
            member = self._members.get(number)
            if member is None:  # a read before this one has made it leave
                continue
            tcp, read = member
            if event != select.EPOLLIN:  # the reactor will find the same, and knows what to do
                self.leave(tcp)
                continue
            try:
                self._read(tcp, read)
            except BaseException:  # as in Twisted: one connection's fault is no other's
                _log.failure("while a connection ended")

    def _read(self, tcp: Connection, read: Callable[[], Any]) -> None:
        try:
            why = read()
        except BaseException as error:
            _log.failure("while reading")
            why = error
        if why:
            leave(tcp)
            self.reactor._disconnectSelectable(tcp, why, True)

    def connectionLost(self, reason: Failure) -> None:
        """The reactor ends, and everything with it."""
        for tcp in [one for one, _ in self._members.values()]:
            leave(tcp)  # if it has not, for the end of its partner
            try:
                tcp.connectionLost(reason)
            except Exception:
                _log.failure("while a connection ended")


@functools.lru_cache(maxsize=1)
def nest_of(reactor: Any) -> Nest | None:
    """The nest beside this reactor: only beside Twisted's epoll reactor as it is."""
    if MISSING or EPollReactor is None or type(reactor) is not EPollReactor:
        return None
    return Nest(reactor, select.epoll())


def hold(tcp: Any, read: Callable[[], Any]) -> None:
    """Let `read` be the `doRead` of a TCP connection, which may enter a nest when it has read."""
    nest = nest_of(tcp.reactor)
    if nest is None:
        tcp.doRead = read
        return

    tcp.doRead = _First(nest, tcp, read)


class _First:
    """The first read of a held connection, after which it may enter the nest.

    No closure, which would know itself, and be garbage that Python has to look for.
    """

    __slots__ = ("_nest", "_read", "_tcp")

    def __init__(self, nest: Nest, tcp: Any, read: Callable[[], Any]) -> None:
        self._nest, self._tcp, self._read = nest, tcp, read

    def __call__(self) -> Any:
        why = self._read()
        if not why and self._tcp.doRead is self:
            self._nest.enter(self._tcp, self._read)
        return why


def leave(tcp: Connection | None) -> None:
    """Give a socket back to its reactor, if it is in a nest."""
    if tcp is not None and isinstance(tcp.reactor, Nest):
        tcp.reactor.leave(tcp)
