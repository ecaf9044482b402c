"""The server as a Twisted service: two listening ports, and what is done regularly."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

from twisted.application.internet import TimerService
from twisted.application.service import MultiService, Service
from twisted.internet.defer import (
    Deferred,
    FirstError,
    gatherResults,
    inlineCallbacks,
    maybeDeferred,
)
from twisted.internet.endpoints import HostnameEndpoint, UNIXServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IReactorCore,
    IReactorTime,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.logger import Logger
from twisted.python.failure import Failure

from securecom import limits, tls
from securecom.clocks import ClockWatch
from securecom.errors import BadArgument, SecurecomError
from securecom.server import certificates, left_over
from securecom.server.admission import AdmittingFactory
from securecom.server.dialling import Dialler
from securecom.server.local_switchboard import LocalSwitchboard
from securecom.server.reception import Reception
from securecom.server.registry import Registry
from securecom.server.request_channel import RequestFactory
from securecom.server.roster import Moment
from securecom.server.rounds import Rounds
from securecom.server.session import drawn_pause
from securecom.server.standard_channel import StandardFactory
from securecom.server.state import ServerState

_log = Logger()


@dataclass(frozen=True)
class Endpoints:
    """Where the operator wants the server to listen and to dial.

    :param dial: the client port to dial; 0 means any on this machine, None means not to dial.
    """

    standard: IStreamServerEndpoint
    request: IStreamServerEndpoint
    dial: int | None


@dataclass(frozen=True)
class ServerContext:
    """What a server needs from outside.

    :param clock: the steady clock, for durations.
    :param now: the wall clock in seconds since 1970, for what follows the calendar.
    :param random: gives this many random bytes.
    :param dial_endpoint: makes an endpoint for a client's host and port.
    """

    clock: IReactorTime
    now: Callable[[], float]
    random: Callable[[int], bytes]
    dial_endpoint: Callable[[str, int], IStreamClientEndpoint]


def socket_path(endpoint: IStreamServerEndpoint) -> Path | None:
    """The path of an endpoint's unix socket, also behind haproxy:; None for other endpoints."""
    inner: Any = endpoint
    while not isinstance(inner, UNIXServerEndpoint):
        inner = getattr(inner, "_wrappedEndpoint", None)
        if inner is None:
            return None
    return Path(os.fsdecode(inner._address))


def believes_anybody(endpoint: IStreamServerEndpoint, host: str) -> bool:
    """Whether strangers could write the PROXY header that a `haproxy:` endpoint believes.

    :param host: the address that it listens on; empty for a unix socket.
    """
    if not host or not hasattr(endpoint, "_wrappedEndpoint"):
        return False
    address = ip_address(host.partition("%")[0])
    return address.is_unspecified or not (address.is_loopback or address.is_private)


class ListeningPort(Service):
    """A port that listens. If it cannot, the server does not start."""

    def __init__(self, endpoint: IStreamServerEndpoint, factory: IProtocolFactory) -> None:
        self._endpoint, self._factory = endpoint, factory
        #: Fires with the real port number, or with 0 for a unix socket.
        self.listening: Deferred[int] = Deferred()
        self._port: IListeningPort | None = None
        self._is_asked = False

    def privilegedStartService(self) -> None:
        super().privilegedStartService()
        self._listen()

    def startService(self) -> None:
        super().startService()
        self._listen()

    def _listen(self) -> None:
        if self._is_asked:
            return
        self._is_asked = True
        if (path := socket_path(self._endpoint)) is not None:
            left_over.remove_socket_lock(path)
        self._endpoint.listen(self._factory).addCallback(self._listens).chainDeferred(
            self.listening
        )

    def _listens(self, port: IListeningPort) -> int:
        self._port = port
        here = port.getHost()
        number = int(getattr(here, "port", 0))
        if believes_anybody(self._endpoint, getattr(here, "host", "")):
            _log.warn(
                "port {number} believes the PROXY header of whoever connects, so anybody can claim "
                "any address there: have it listen on the loopback address (interface= behind "
                "haproxy:tcp:{number}) or on a private network, where only the proxy reaches it",
                number=number,
            )
        return number

    @inlineCallbacks
    def stopService(self) -> Generator[Deferred[Any], Any, None]:
        yield super().stopService()
        if self._port is not None:
            yield maybeDeferred(self._port.stopListening)


class Server(MultiService):
    """A securecom server.

    :param opened: called with both real ports and the number of users once people can connect.
    :param failed: called with one line for the operator if the server cannot start. It may raise;
        `privilegedStartService` passes that on.
    :param failed_late: called instead of `failed` if the server runs already.
    """

    def __init__(
        self,
        state: ServerState,
        registry: Registry,
        settings: Endpoints,
        around: ServerContext,
        opened: Callable[[int, int, int], None],
        failed: Callable[[str], None],
        failed_late: Callable[[str], None],
    ) -> None:
        super().__init__()
        self._state, self._registry, self._around = state, registry, around
        self._opened, self._failed, self._failed_late = opened, failed, failed_late
        self._version: int | None = None
        self._is_starting = True
        self._problem = ""
        self._standard_tls = tls.standard_server(state.credentials)
        self._request_tls = tls.request_server(state.credentials)
        switchboard = LocalSwitchboard(around.clock, around.random)
        self.reception = Reception(around.clock, around.now, registry, switchboard, state.server_id)
        self.reception.pause = partial(drawn_pause, around.random)
        dialler = Dialler(around.clock, around.dial_endpoint, self._request_tls, settings.dial)
        self.reception.dial = partial(dialler.dial, self.reception)
        self.reception.dial_port = settings.dial
        self._watch = ClockWatch(around.clock, around.now, self._clock_was_set, _nothing_to_do)
        self._add_ports(settings)
        self._add_timers()

    def _add_ports(self, settings: Endpoints) -> None:
        clock = self._around.clock
        standard = AdmittingFactory(self._standard_tls, StandardFactory(self.reception), clock)
        request = AdmittingFactory(self._request_tls, RequestFactory(self.reception), clock)
        self._standard = ListeningPort(settings.standard, standard)
        self._request = ListeningPort(settings.request, request)
        self._standard.setServiceParent(self)
        self._request.setServiceParent(self)

    def _add_timers(self) -> None:
        for interval, work in (
            (limits.FORGET_INTERVAL, self.reception.drop_old),
            (limits.RENEW_CHECK, self._renew),
            (limits.RENEW_CHECK, self._end_quarantines),
        ):
            timer = TimerService(interval, work)
            timer.clock = cast(IReactorCore, self._around.clock)
            timer.setServiceParent(self)
        rounds = Rounds(self._around.clock, self._make_rounds)
        rounds.setServiceParent(self)
        self.reception.sessions.on_first = partial(rounds.hurry, limits.REGISTRY_POLL)

    def privilegedStartService(self) -> None:
        super().privilegedStartService()
        ports = gatherResults([self._standard.listening, self._request.listening], True)
        ports.addCallback(self._ready).addErrback(self._cannot_start)
        self._is_starting = False
        if self._problem:  # outside of any Deferred, which would keep what `failed` raises
            self._failed(self._problem)

    @inlineCallbacks
    def _ready(self, ports: list[int]) -> Generator[Deferred[Any], Any, None]:
        standard, request = ports
        if not request:
            raise BadArgument("the request channel needs a TCP port, which clients are told")
        self.reception.request_port = request
        users = yield self._registry.users()
        self._opened(standard, request, len(users))

    def _cannot_start(self, failure: Failure) -> None:
        if isinstance(failure.value, FirstError):
            failure = failure.value.subFailure
        self._problem = str(failure.value)
        if failure.check(CannotListenError, OverflowError, OSError):
            self._problem += " Free the port, or choose another with --standard or --request."
        elif not failure.check(SecurecomError):
            _log.failure("the server cannot start", failure)
            self._problem = "the server cannot start; its log says why"
        if not self._is_starting:
            self._failed_late(self._problem)

    @inlineCallbacks
    def stopService(self) -> Generator[Deferred[Any], Any, None]:
        self.reception.sessions.end_all()
        yield super().stopService()
        self._registry.close()
        self._state.close()

    # --- regularly --------------------------------------------------------------------------

    @inlineCallbacks
    def _make_rounds(self) -> Generator[Deferred[Any], Any, float]:
        """Look at the clocks and, if need be, at the registry. Returns the seconds to wait then."""
        self._watch.look()
        now = self.reception.roster.now()
        if not self._can_wait(now):
            yield self._look_at_registry(now)
        return limits.REGISTRY_POLL if self.reception.sessions else limits.QUIET_POLL

    def _can_wait(self, now: Moment) -> bool:
        """Whether a look at the registry would find nothing new, and nobody whose session to end.

        No log-in rests on what the file shows here: `Roster` answers none from memory so long after
        a look. Once somebody is online, the registry is looked at each time.
        """
        last = self.reception.roster.confirmed
        is_unchanged = now.mark is not None and now.mark == last.mark
        is_recent = now.seconds - last.seconds < limits.QUIET_LOOK
        return is_unchanged and is_recent and not self.reception.sessions

    @inlineCallbacks
    def _look_at_registry(self, asked: Moment) -> Generator[Deferred[Any], Any, None]:
        """See whether the admin has disabled or removed somebody who is online."""
        try:
            version = yield self._registry.version()
            if version != self._version:
                self.reception.roster.clear()
                yield self.reception.sessions.recheck()
                gone = yield self._registry.quarantine()
                yield self.reception.forget(frozenset(one.name for one in gone))
                self._version = version
            self.reception.roster.confirm(asked)
        except Exception as error:  # a TimerService whose function raises stops
            _tell("the registry was not looked at", error)

    def _clock_was_set(self, seconds: float) -> None:
        """Look at everything that follows the calendar; durations run on the steady clock."""
        _log.info("the machine's clock was set by {seconds} s", seconds=round(seconds))
        self._renew()
        self._end_quarantines()

    @inlineCallbacks
    def _end_quarantines(self) -> Generator[Deferred[Any], Any, None]:
        """Free the names whose quarantine is over, and drop blocks of them."""
        try:
            over = yield self._registry.end_quarantines(self._around.now())
            if over:
                yield self.reception.sessions.recheck()
        except Exception as error:  # the next look tries again
            _tell("quarantines were not ended", error)

    def _renew(self) -> None:
        """Replace a certificate that is about to expire; new connections get the new one."""
        now = self._around.now()
        if warning := certificates.ca_warning(self._state.ca, now):
            _log.warn("{what}", what=warning)
        try:
            if not self._state.renew(self._around.now()):
                return
        except Exception as error:  # the next look tries again
            _tell("the certificate was not renewed", error)
            return
        self._standard_tls.renew(self._state.credentials)
        self._request_tls.renew(self._state.credentials)
        _log.info("the server's certificate was renewed")


def _nothing_to_do(_: float) -> None:
    """After standing still, a server need not do anything: its clients come back."""


def _tell(what: str, error: Exception) -> None:
    """Log a fault of ours with its traceback, one of disk or database in a line."""
    if isinstance(error, SecurecomError):
        _log.error("{what}: {error}", what=what, error=str(error))
    else:
        _log.failure(what, Failure(error))


def reactor_endpoint(reactor: object) -> Callable[[str, int], IStreamClientEndpoint]:
    """Makes TCP endpoints with a deadline."""
    return lambda host, port: HostnameEndpoint(
        reactor, host.encode("ascii"), port, timeout=limits.DIAL_DEADLINE
    )
