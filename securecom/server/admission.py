"""Limits enforced before TLS, so that a rejected client costs no handshake.

Each accepted connection is a `Visitor` and is counted, by address if it has one. When its first TLS
record is complete it joins the `Line`, which lets a bounded number of visitors start TLS and log in
at the same time. The deadline for a log-in runs from then on, so a log-in that has begun can be
finished however many people come at once.
"""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address
from typing import cast

from twisted.internet.interfaces import IAddress, IDelayedCall, IProtocolFactory, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure

from securecom import limits
from securecom.connection import Connection
from securecom.looks import Later, Looks
from securecom.tls import TLSOptions
from securecom.transport.choice import TLSFactory

_log = Logger()

_IPV6_SITE = 64  # bits that one customer of a provider has for themselves
_HANDSHAKE = 22  # the type of the record that a ClientHello is in
_RECORD_HEADER = 5
#: A fatal alert, internal_error, as RFC 8446 writes it before any key is agreed on.
TURNED_AWAY = bytes.fromhex("15030300020250")


class Visitor(Protocol):
    """One accepted connection, from its first moment to its end.

    :param door: counts visitors and makes what is behind them.
    :param address: where the connection comes from; behind a proxy that is the proxy.
    """

    def __init__(self, door: AdmittingFactory, address: IAddress | None) -> None:
        #: Where the client is; None while that is not known.
        self.peer: IAddress | None = None
        #: What it is counted under (`site_of`).
        self.site = ""
        self._door = door
        self._address = address
        self._is_relayed = self._is_over = False
        self._hello = b""
        self._timer: IDelayedCall | Later | None = None
        self._secure: TLSMemoryBIOProtocol | None = None
        self._stage = (False, False)

    def connectionMade(self) -> None:
        # Twisted's `haproxy:` endpoint puts a wrapper between the socket and us. The wrapper shows
        # the proxy's address until the PROXY header has come.
        self._is_relayed = isinstance(self.transport, ProtocolWrapper)
        if not self._door.came(self):
            self.cut()
        elif self._is_relayed or self._comes_from(self._address):
            self._timer = self._door.unheard.later(self.cut)
        else:
            self.cut()

    def dataReceived(self, data: bytes) -> None:
        """Before TLS: collect the first record, and then join the line."""
        if self._is_over:
            return
        if not self._hello and self._is_relayed and not self._comes_from(self._relayed_from()):
            self.turn_away()
            return
        had_all = self._hello != b"" and _is_whole(self._hello)
        self._hello += data
        if self._hello[0] != _HANDSHAKE or len(self._hello) > limits.MAX_HELLO:
            self.cut()
        elif not had_all and _is_whole(self._hello):
            self._cancel()
            self._door.greeted(self)
            if self._secure is None and not self._is_over:  # not served at once
                self._timer = self._door.unserved.later(self._waited_too_long)

    def _relayed_from(self) -> IAddress | None:
        """The client's address by the PROXY header; None if the header names none."""
        address: IAddress = self.transport.getPeer()  # type: ignore[union-attr]
        return None if address == self._address else address

    def _comes_from(self, address: IAddress | None) -> bool:
        """Note the client's address, now that it is known. Returns whether there is room for it."""
        site = site_of(address)
        if not self._door.count(site):
            return False
        self.peer, self.site = address, site
        return True

    def begin(self) -> None:
        """Start TLS, and with it the deadline for the log-in: it is this visitor's turn."""
        self._secure = secure = self._door.secure(self)
        self.peer = self._address = None  # nobody needs them any more
        hello, self._hello = self._hello, b""
        secure.makeConnection(self.transport)
        # From now on nothing stands between the socket and TLS.
        self.dataReceived = secure.dataReceived  # type: ignore[method-assign]
        self._look_later()
        secure.dataReceived(hello)

    def established(self) -> None:
        """The visitor has logged in, or has proven its session."""
        self._cancel()
        self._door.established(self)

    # --- slow peers -------------------------------------------------------------------------

    def _look_later(self) -> None:
        self._cancel()
        self._timer = self._door.stalled.later(self._look)

    def _look(self) -> None:
        """Let what the peer has sent be read first, then see how far it has got."""
        self._timer = self._door.clock.callLater(0, self._see)

    def _see(self) -> None:
        """Give the place of a peer that keeps us waiting to somebody else; it may still go on."""
        self._timer = None
        connection = _connection(self._secure)
        is_our_turn = connection.control.owes_answers
        stage = (connection.is_secured, is_our_turn)
        if is_our_turn or stage != self._stage:
            self._stage = stage
            self._look_later()
        else:
            self._door.line.leave(self)

    # --- the end ----------------------------------------------------------------------------

    def cut(self) -> None:
        """End the connection without a word."""
        self._end()
        self.transport.abortConnection()  # type: ignore[union-attr]

    def turn_away(self) -> None:
        """End the connection with an alert that says there is no room now."""
        self._end()
        self.transport.write(TURNED_AWAY)  # type: ignore[union-attr]
        self.transport.loseConnection()  # type: ignore[union-attr]

    def _waited_too_long(self) -> None:
        self._door.turn_away(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end()
        secure, self._secure = self._secure, None
        if secure is not None:
            secure.connectionLost(reason)

    def _end(self) -> None:
        self._is_over, self._hello = True, b""
        self._cancel()
        self._door.left(self)

    def _cancel(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()


class Line:
    """The visitors who are logging in, and those who wait for their turn.

    Addresses take turns. Among visitors from one address, the one who has waited longest is next.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._served: set[Visitor] = set()
        self._served_by_site: dict[str, int] = {}
        self._waiting: dict[str, OrderedDict[Visitor, None]] = {}
        self._length = 0
        #: Sites with somebody who waits and may begin as soon as there is a place.
        self._turns: OrderedDict[str, None] = OrderedDict()
        self._next: IDelayedCall | None = None

    def __len__(self) -> int:
        """How many visitors wait."""
        return self._length

    def enter(self, visitor: Visitor) -> None:
        """Let this visitor begin now if there is a place, or else wait."""
        if not self._length and self._has_place(visitor.site):  # nobody is before them
            self._give_place(visitor)
            visitor.begin()
            return
        self._waiting.setdefault(visitor.site, OrderedDict())[visitor] = None
        self._length += 1
        self._queue(visitor.site)
        self._serve()

    def leave(self, visitor: Visitor) -> None:
        """This visitor waits no longer, and needs no place."""
        site = visitor.site
        if visitor in self._waiting.get(site, ()):
            self._take(visitor)
        elif visitor in self._served:
            self._served.remove(visitor)
            _drop(self._served_by_site, site)
            self._queue(site)
            if self._turns and self._next is None:  # not from within the connection that ends
                self._next = self._clock.callLater(0, self._serve)

    def _serve(self) -> None:
        if self._next is not None and self._next.active():
            self._next.cancel()
        self._next = None
        while self._turns and len(self._served) < limits.LOGINS_AT_ONCE:
            site, _ = self._turns.popitem(last=False)
            visitor = next(iter(self._waiting[site]))
            self._take(visitor)
            self._give_place(visitor)
            self._queue(site)
            visitor.begin()

    def _give_place(self, visitor: Visitor) -> None:
        self._served.add(visitor)
        _add(self._served_by_site, visitor.site)

    def _has_place(self, site: str) -> bool:
        """Whether one more from there may log in now."""
        return len(self._served) < limits.LOGINS_AT_ONCE and self._may_begin(site)

    def _may_begin(self, site: str) -> bool:
        """Whether those who log in from there are few enough for one more."""
        most = limits.LOGINS_AT_ONCE_BY_ADDRESS if site else limits.LOGINS_AT_ONCE
        return self._served_by_site.get(site, 0) < most

    def _take(self, visitor: Visitor) -> None:
        """Remove a visitor from those who wait."""
        waiting = self._waiting[visitor.site]
        del waiting[visitor]
        self._length -= 1
        if not waiting:
            del self._waiting[visitor.site]
            self._turns.pop(visitor.site, None)

    def _queue(self, site: str) -> None:
        """Give this site a turn, after the sites before it, if somebody there may begin."""
        if site in self._waiting and self._may_begin(site):
            self._turns.setdefault(site)


class AdmittingFactory(Factory):
    """A TLS factory that limits connections, in total and by address, and simultaneous log-ins.

    For clients whose address is not known, on a unix socket or behind a proxy that does not say it,
    only the total limits hold.

    :param inner: makes a `Connection` for a client's address, or for None.
    """

    noisy = False

    def __init__(self, options: TLSOptions, inner: IProtocolFactory, clock: IReactorTime) -> None:
        self.clock = clock
        self.line = Line(clock)
        #: Where visitors wait for the moment in which they have taken too long: to say hello, to be
        #: served, and between two looks at how far they have got.
        self.unheard = Looks(clock, limits.HELLO_DEADLINE)
        self.unserved = Looks(clock, limits.MAX_WAIT)
        self.stalled = Looks(clock, limits.STALLED)
        self._tls = TLSFactory(options, False, inner, clock)
        #: Each visitor, and whether it has logged in.
        self._visitors: dict[Visitor, bool] = {}
        #: Visitors who have not begun TLS, the one who has been silent longest first.
        self._silent: OrderedDict[Visitor, None] = OrderedDict()
        self._by_site: dict[str, int] = {}
        self._pending: dict[str, int] = {}
        self._last_said = float("-inf")

    def doStart(self) -> None:
        super().doStart()
        self._tls.doStart()

    def doStop(self) -> None:
        self._tls.doStop()
        super().doStop()

    def buildProtocol(self, addr: IAddress | None) -> Visitor:
        # Never None: a factory that wraps this one, as the `haproxy:` endpoint does, would wrap
        # the None and keep the connection.
        return Visitor(self, addr)

    def came(self, visitor: Visitor) -> bool:
        """Take a new connection. Returns whether it may stay."""
        if len(self._visitors) >= limits.MAX_CONNECTIONS:
            if not self._silent:
                return False
            next(iter(self._silent)).cut()  # one that is silent keeps nobody else out
        self._visitors[visitor] = False
        self._silent[visitor] = None
        return True

    def count(self, site: str) -> bool:
        """Count one more connection from a site. Returns False if that is too many."""
        if site:
            if (
                self._by_site.get(site, 0) >= limits.MAX_CONNECTIONS_BY_ADDRESS
                or self._pending.get(site, 0) >= limits.MAX_PENDING_BY_ADDRESS
            ):
                return False
            _add(self._by_site, site)
            _add(self._pending, site)
        return True

    def greeted(self, visitor: Visitor) -> None:
        """Put a visitor who wants to begin TLS into the line."""
        self._silent.pop(visitor, None)
        if len(self.line) >= limits.MAX_WAITING:
            self.turn_away(visitor)
        else:
            self.line.enter(visitor)

    def secure(self, visitor: Visitor) -> TLSMemoryBIOProtocol:
        """Make TLS, and the connection inside it, for a visitor whose turn it is."""
        made = self._tls.buildProtocol(visitor.peer)
        _connection(made).on_established = visitor.established
        return made

    def established(self, visitor: Visitor) -> None:
        """The visitor has logged in."""
        self._visitors[visitor] = True
        _drop(self._pending, visitor.site)
        self.line.leave(visitor)

    def turn_away(self, visitor: Visitor) -> None:
        """Turn a visitor away, since the line is too long."""
        now = self.clock.seconds()
        if now - self._last_said >= limits.MAX_WAIT:
            self._last_said = now
            _log.warn("too many people want to log in at once; some are turned away")
        visitor.turn_away()

    def left(self, visitor: Visitor) -> None:
        """Forget a visitor who is gone, or about to be. May be called twice."""
        if visitor not in self._visitors:
            return
        self.line.leave(visitor)
        self._silent.pop(visitor, None)
        has_logged_in = self._visitors.pop(visitor)
        _drop(self._by_site, visitor.site)
        if not has_logged_in:
            _drop(self._pending, visitor.site)


def _connection(secure: TLSMemoryBIOProtocol | None) -> Connection:
    """The connection inside TLS."""
    return cast(Connection, secure.wrappedProtocol)  # type: ignore[union-attr]


def site_of(address: IAddress | None) -> str:
    """What is counted together: an IPv4 address, or an IPv6 network of 64 bits."""
    host = getattr(address, "host", None)
    if host is None:
        return ""
    if isinstance(host, str) and ":" not in host and "%" not in host:
        return host  # an IPv4 address as it is, or no address
    try:
        ip = ip_address(str(host).partition("%")[0])
    except ValueError:
        return str(host)
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(int(ip) >> (128 - _IPV6_SITE))
    return str(host) if str(host) == str(ip) else str(ip)  # not the same twice in memory


def _is_whole(data: bytes) -> bool:
    """Whether this holds a whole TLS record."""
    length = int.from_bytes(data[3:_RECORD_HEADER], "big")
    return len(data) >= _RECORD_HEADER and len(data) >= _RECORD_HEADER + length


def _add(counter: dict[str, int], site: str) -> None:
    counter[site] = counter.get(site, 0) + 1


def _drop(counter: dict[str, int], site: str) -> None:
    if (left := counter.get(site, 0) - 1) > 0:
        counter[site] = left
    else:
        counter.pop(site, None)
