"""The server as a Twisted service: two listening ports, and what is done regularly."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, cast

from twisted.application.internet import TimerService
from twisted.application.service import IServiceCollection, MultiService
from twisted.internet.defer import (
    Deferred,
    inlineCallbacks,
    succeed,
)
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
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
from securecom.server import certificates
from securecom.server.admission import AdmittingFactory
from securecom.server.dialling import Dialler
from securecom.server.gathered import gathered
from securecom.server.listening import ListeningPort
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

    :param standard: None where only other nodes of the server have standard channels.
    :param request: None where only other nodes of the server have request channels.
    :param dial: the client port to dial; 0 means any on this machine, None means not to dial.
    :param told: the port of the request channel that clients are told; 0 means the real one.
    """

    standard: IStreamServerEndpoint | None
    request: IStreamServerEndpoint | None
    dial: int | None
    told: int = 0


class OneOfSeveral(Protocol):
    """What makes this server one node of several: a service of its own."""

    @property
    def switchboard(self) -> LocalSwitchboard:
        """The switchboard of the people here."""

    @property
    def listening(self) -> Deferred[int]:
        """Fires with the port at which other nodes reach this one."""

    def join(self, reception: Reception) -> None:
        """Have log-ins and request channels look at the other nodes, too."""

    def begin(self, port: int) -> Deferred[None]:
        """Take a place among the nodes. Fails with a `SecurecomError`."""
        raise NotImplementedError

    def woke(self) -> None:
        """This machine stood still."""

    def renew(self, now: float) -> None:
        """Take a new certificate."""

    def setServiceParent(self, parent: IServiceCollection) -> None:
        """Become a part of this service."""


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


class Server(MultiService):
    """A securecom server.

    :param node: None if there are no other nodes.
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
        node: OneOfSeveral | None = None,
    ) -> None:
        super().__init__()
        self._state, self._registry, self._around = state, registry, around
        self._opened, self._failed, self._failed_late = opened, failed, failed_late
        self._version: int | None = None
        self._is_starting = True
        self._problem = ""
        self._standard_tls = tls.standard_server(state.credentials)
        self._request_tls = tls.request_server(state.credentials)
        self._node, self._told = node, settings.told
        alone = LocalSwitchboard(around.clock, around.random)
        switchboard = alone if node is None else node.switchboard
        self.reception = Reception(around.clock, around.now, registry, switchboard, state.server_id)
        if node is not None:
            node.join(self.reception)
            node.setServiceParent(self)
        self.reception.pause = partial(drawn_pause, around.random)
        dialler = Dialler(around.clock, around.dial_endpoint, self._request_tls, settings.dial)
        self.reception.dial = partial(dialler.dial, self.reception)
        self.reception.dial_port = settings.dial
        self._watch = ClockWatch(around.clock, around.now, self._clock_was_set, self._woke)
        self._add_ports(settings)
        self._add_timers()

    def _add_ports(self, settings: Endpoints) -> None:
        clock = self._around.clock
        standard = AdmittingFactory(self._standard_tls, StandardFactory(self.reception), clock)
        request = AdmittingFactory(self._request_tls, RequestFactory(self.reception), clock)
        self._ports: list[Deferred[int]] = []
        for endpoint, factory in ((settings.standard, standard), (settings.request, request)):
            if endpoint is None:
                self._ports.append(succeed(0))
                continue
            port = ListeningPort(endpoint, factory)
            port.setServiceParent(self)
            self._ports.append(port.listening)
        if self._node is not None:
            self._ports.append(self._node.listening)

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
        self.reception.sessions.on_first = partial(rounds.hurry, 0.0)  # for those who come behind

    def privilegedStartService(self) -> None:
        super().privilegedStartService()
        ports = gathered(self._ports)
        ports.addCallback(self._ready).addErrback(self._cannot_start)
        self._is_starting = False
        if self._problem:  # outside of any Deferred, which would keep what `failed` raises
            self._failed(self._problem)

    @inlineCallbacks
    def _ready(self, ports: list[int]) -> Generator[Deferred[Any], Any, None]:
        standard, request, *others = ports
        if not (request or self._told):
            raise BadArgument("the request channel needs a TCP port, which clients are told")
        self.reception.request_port = self._told or request
        if self._node is not None:
            yield self._node.begin(*others)
        users = yield self._registry.users()
        self._opened(standard, request, len(users))

    def _cannot_start(self, failure: Failure) -> None:
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
                yield self._follow()
                self._version = version
            self.reception.roster.confirm(asked)
        except Exception as error:  # a TimerService whose function raises stops
            _tell("the registry was not looked at", error)

    @inlineCallbacks
    def _follow(self) -> Generator[Deferred[Any], Any, None]:
        """Do as the registry says by now, about those who have changed, or about everybody."""
        reception = self.reception
        names = None if self._version is None else (yield self._registry.changed(self._version))
        if names is not None:
            yield reception.sessions.follow(names)
            return
        reception.roster.clear()
        yield reception.sessions.recheck()
        gone = yield self._registry.quarantine()
        yield reception.forget(frozenset(one.name for one in gone))

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
        if self._node is not None:
            self._node.renew(now)
        _log.info("the server's certificate was renewed")

    def _woke(self, _: float) -> None:
        """After standing still, a server need not do anything for its clients: they come back."""
        if self._node is not None:
            self._node.woke()


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
