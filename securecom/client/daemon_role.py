"""The daemon role: keeps a request channel open as long as there is a session.

It opens the channel as soon as there is a session, and again whenever it is lost. What other people
ask through it goes to the coordinator, which refuses or asks the person.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.error import TimeoutError
from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from securecom import limits, tls
from securecom.client.channels.reaching import Backoff, cannot_reach
from securecom.client.channels.request_channel import RequestChannel
from securecom.client.channels.request_ways import OneAtATime, Way
from securecom.client.channels.standard_channel import Login
from securecom.client.coordination.coordinator import Coordinator
from securecom.client.coordination.station import Station
from securecom.client.events import RequestChannelState, problem
from securecom.errors import NotDialled, ProofRefused
from securecom.transport.choice import TLSFactory


class DaemonRole:
    """One at a time: a session, an attempt, a channel.

    :param way: how the channel is opened.
    """

    def __init__(
        self, station: Station, coordinator: Coordinator, way: Way, backoff: Backoff
    ) -> None:
        self._station, self._coordinator = station, coordinator
        self._way, self._backoff = way, backoff
        self._options = tls.request_client(station.server)
        self._session: Login | None = None
        self._channel: RequestChannel | None = None
        self._retry: IDelayedCall | None = None
        self._settled: Callable[[], None] = _nothing
        self._late: IDelayedCall | None = None
        self._is_up = False
        self._was_told = False

    def start(self, session: Login) -> Deferred[None]:
        """Open the channel for a session.

        Fires when it is up, has failed for the first time or takes long, unless the session is over
        before.
        """
        first: Deferred[None] = Deferred()
        self._settled = lambda: first.callback(None)
        self._late = self._station.clock.callLater(limits.LOGIN_DEADLINE, self._takes_long)
        self._session = session
        self._backoff.succeeded()
        self._open(session)
        return first

    def stop(self, tell: bool = True) -> None:
        """The session is over. :param tell: whether the person has not heard of it otherwise."""
        self._session, self._was_told = None, False
        self._settled = _nothing
        self._cancel_late()
        retry, self._retry = self._retry, None
        if retry is not None:
            retry.cancel()
        self._way.close()
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()
        self._down(tell)

    def woke(self) -> None:
        """This process stood still: check the channel, or try at once to have one again."""
        self._backoff.succeeded()
        if self._retry is not None and self._session is not None:
            self._retry.cancel()
            self._open(self._session)
        elif self._is_up and self._channel is not None:
            self._channel.check()

    # --- opening ----------------------------------------------------------------------------

    def _open(self, session: Login) -> None:
        self._retry = None
        opened = self._way.open(session, self._station.line, self._factory(session))
        opened.addCallback(lambda _: self._proof()).addBoth(self._opened, session)

    def _factory(self, session: Login) -> OneAtATime:
        clock = self._station.clock

        # The server's line is before its own ports; nobody waits long in front of ours.
        is_ours = self._way.how == "dial"
        deadline = limits.LOGIN_DEADLINE if is_ours else limits.LOGIN_PATIENCE

        def make() -> RequestChannel:
            facts = (session, clock, deadline, self._channel_lost)
            self._channel = RequestChannel(self._coordinator, *facts)
            return self._channel

        def taken() -> bool:
            return session is not self._session or self._channel is not None

        secure = TLSFactory(self._options, True, _RequestChannels(make), clock)
        only = self._station.line.peer_host if is_ours else None
        return OneAtATime(secure.buildProtocol, taken, only)

    def _proof(self) -> Deferred[None]:
        if self._channel is None:
            raise ProofRefused("there is no request channel, whatever the server says")
        proven: Deferred[None] = Deferred()
        self._channel.proven.addCallbacks(proven.callback, proven.errback)
        return proven

    def _opened(self, result: Failure | None, session: Login) -> None:
        if session is not self._session or self._station.is_closing:
            return  # over meanwhile; nobody asks how it went
        self._way.close()
        if isinstance(result, Failure):
            self._failed(result, session)
        else:
            self._up()
        self._settle()

    def _up(self) -> None:
        self._backoff.succeeded()
        self._is_up, self._was_told = True, False
        self._station.show(RequestChannelState(True, self._way.how, self._way.port))

    def _takes_long(self) -> None:
        """The server may let us wait for our turn; the rest of the client does not wait as well."""
        self._late = None
        self._tell(Failure(TimeoutError()))
        self._settle()

    def _tell(self, failure: Failure) -> None:
        if not self._was_told:
            self._was_told = True
            self._station.show(RequestChannelState(False, self._way.how, self._way.port))
            self._station.show(problem(cannot_reach(failure, "the request channel")))

    def _failed(self, failure: Failure, session: Login) -> None:
        self._tell(failure)
        if not failure.check(NotDialled):
            self._try_later(session)

    def _try_later(self, session: Login) -> None:
        self._retry = self._station.clock.callLater(self._backoff.failed(), self._open, session)

    def _channel_lost(self, channel: RequestChannel) -> None:
        """If it was in use, open another."""
        channel.proven.addErrback(lambda _: None)  # in dial mode it may have been a stranger's
        if channel is not self._channel:
            return
        self._channel = None
        if self._is_up and self._session is not None:
            self._down()
            self._try_later(self._session)

    def _down(self, tell: bool = True) -> None:
        if self._is_up:
            self._is_up = False
            if tell:
                self._station.show(RequestChannelState(False, self._way.how, None))
            self._coordinator.request_channel_lost()

    def _settle(self) -> None:
        self._cancel_late()
        settled, self._settled = self._settled, _nothing
        settled()

    def _cancel_late(self) -> None:
        late, self._late = self._late, None
        if late is not None:
            late.cancel()


class _RequestChannels(Factory):
    """Gives TLS our end of a request channel."""

    noisy = False

    def __init__(self, make: Callable[[], RequestChannel]) -> None:
        self._make = make

    def buildProtocol(self, addr: IAddress | None) -> RequestChannel:
        return self._make()


def _nothing() -> None:
    """Nobody waits."""
