"""The client as a whole: reaches the server, logs in, and reconnects when the connection is lost.

Twisted's `ClientService` reconnects. Here is what it does not know: what a log-in is, which
failures are final, and what to show. A connection counts as good only once it is logged
in, so the back-off is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from twisted.application.internet import ClientService
from twisted.internet.defer import Deferred, inlineCallbacks, succeed
from twisted.internet.interfaces import (
    IAddress,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from zope.interface import implementer

from securecom import limits, refusals, tls, vocabulary
from securecom.client.api import ClientState, Frontend
from securecom.client.channels.reaching import Backoff, cannot_reach, farewell
from securecom.client.channels.request_ways import Way
from securecom.client.channels.standard_channel import Login, StandardChannel
from securecom.client.chat.agreed_log import Logs
from securecom.client.contacts import Contacts
from securecom.client.coordination.coordinator import Coordinator
from securecom.client.coordination.engagement import ASK_THE_PERSON, Consent
from securecom.client.coordination.station import Station
from securecom.client.daemon_role import DaemonRole
from securecom.client.denials import denied
from securecom.client.events import Connecting, Offline
from securecom.client.files.access import FileAccess
from securecom.client.main_role import BackUp, MainRole
from securecom.client.my_account import MyAccount
from securecom.client.rotation import Keeping, Rotation
from securecom.client.terms import KeptChoices, duration, shown_time, unix_time
from securecom.control import our_fault
from securecom.errors import (
    ConnectionWasLost,
    LoginRefused,
    OurFault,
    SecurecomError,
    ServerMismatch,
)
from securecom.identity import Identity, Name
from securecom.transport.choice import TLSFactory

_FINAL = (ServerMismatch, LoginRefused, OurFault)
_NOT_KEPT = KeptChoices()


@implementer(IStreamClientEndpoint)
class Client:
    """One identity at one server.

    :param name: our name there; None only while joining: then the first log-in tells it.
    :param server: the server's id (32 bytes).
    :param host, port: where `endpoint` connects, for people to read.
    :param random: uniform in [0, 1).
    :param keeping: where the identity is kept, if it is on a disk.
    :param consent: is consulted before the person is asked for a chat.
    :param available: be available as soon as online.
    :param takeover: end a session that this identity has in another client.
    :param back_up: writes a backup of the profile.
    :param attempts: give up after this many failures in a row; None: never.
    :param logs: where logs go that both people of a chat agreed to; None: to none.
    :param access: what files need of this machine; None: none are sent or received.
    :param kept: the person's settings.
    :param clock: for durations; nobody sets it.
    :param wall: what the clock on the wall shows, see `terms.shown_time`.
    :param unix_time: the same clock in Unix seconds.
    """

    def __init__(
        self,
        *,
        name: Name | None,
        identity: Identity,
        server: bytes,
        contacts: Contacts,
        frontend: Frontend,
        host: str,
        port: int,
        endpoint: IStreamClientEndpoint,
        way: Way,
        clock: IReactorTime,
        random: Callable[[], float],
        keeping: Keeping | None = None,
        consent: Consent = ASK_THE_PERSON,
        available: bool = False,
        takeover: bool = False,
        back_up: BackUp | None = None,
        attempts: int | None = None,
        logs: Logs | None = None,
        access: FileAccess | None = None,
        kept: KeptChoices = _NOT_KEPT,
        wall: Callable[[], float] = shown_time,
        unix_time: Callable[[], float] = unix_time,
    ) -> None:
        #: Fires when the client is done: logged out, or failed for good with the reason.
        self.done: Deferred[None] = Deferred()
        #: What the server's clock showed at the last log-in (Unix seconds), if it said so.
        self.server_time: int | None = None
        self._station = Station(
            identity, server, contacts, frontend, clock, unix_time, logs, access
        )
        self._coordinator = Coordinator(self._station, consent)
        self._daemon = DaemonRole(self._station, self._coordinator, way, Backoff(random))
        self._secure = tls.standard_client(identity, server)
        self._rotation = Rotation(self._station, self._coordinator, keeping, self._now_are)
        account = MyAccount(self._station, self._forgotten)
        self.main = MainRole(
            self._station,
            self._coordinator,
            self._rotation,
            available,
            account,
            self.leave,
            self._reconnect,
            back_up,
            wall,
            kept=kept,
        )
        self._name = name
        self._host, self._port, self._endpoint = host, port, endpoint
        self._takeover, self._attempts = takeover, attempts
        self._backoff = Backoff(random)
        self._channel: StandardChannel | None = None
        self._trouble: SecurecomError | None = None
        self._was_online = self._is_leaving = self._is_finished = False
        self._is_again = False  # the next attempt is at once, and not announced
        self._waiting: list[Deferred[None]] = []
        factory = TLSFactory(self._secure, True, _StandardChannels(self._new_channel), clock)
        self._service = ClientService(self, factory, self._wait, clock)

    def start(self) -> None:
        """Begin to reach the server."""
        self._service.startService()

    def clock_was_set(self) -> None:
        """The wall clock was set: times of day are looked at again."""
        self.main.clock_was_set()

    def woke(self, seconds: float) -> None:
        """This process stood still for `seconds`: be online again as soon as possible.

        After `limits.PEER_GONE` the server has given us up; before that we ask it.
        """
        if not self._is_wanted:
            return
        if self._channel is None:
            self._reconnect()
        elif self._station.is_online and seconds < limits.PEER_GONE:
            self._channel.check()
            self._daemon.woke()
        else:
            self._backoff.succeeded()
            span = duration(round(seconds))
            self._channel.fault(ConnectionWasLost(f"this machine stood still for {span}"))

    def _reconnect(self) -> None:
        """Try to reach the server at once, however long the next attempt would have waited.

        An attempt that is under way begins anew; one that has reached the server goes on.
        """
        if not self._is_wanted:
            return
        self._backoff.succeeded()
        if self._channel is None:
            self._service.stopService().addCallback(lambda _: self._try_now())

    @property
    def _is_wanted(self) -> bool:
        """Started, and neither leaving nor about to try anyway."""
        return bool(self._service.running) and not (self._is_leaving or self._is_finished)

    def _try_now(self) -> None:
        if not self._is_finished:
            self._service.startService()

    def leave(self) -> Deferred[None]:
        """End chat, session and client; fires when all is closed, and never fails."""
        if self.done.called:
            return succeed(None)
        left: Deferred[None] = Deferred()
        self._waiting.append(left)
        if not self._is_leaving:
            self._is_leaving = self._station.is_leaving = True
            if self._channel is not None:
                self._channel.is_left = True
            clock = self._station.clock
            polite: Deferred[None] = self._say_goodbye()
            polite.addTimeout(limits.EXIT_DEADLINE, clock).addErrback(lambda _: None)
            polite.addCallback(lambda _: clock.callLater(0, self._finish, None))
        return left

    def _forgotten(self) -> None:
        """The server has forgotten us, so there is nothing left to say to it."""
        self._station.clock.callLater(0, self._finish, None)

    # --- reaching ---------------------------------------------------------------------------

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803
        """IStreamClientEndpoint, for `ClientService`: show each attempt, and keep why it failed."""
        self._station.show(Connecting(self._host, self._port))
        return self._endpoint.connect(protocolFactory).addErrback(self._not_reached)

    def _not_reached(self, failure: Failure) -> Failure:
        self._trouble = cannot_reach(failure, f"{self._host}:{self._port}")
        return failure

    def _new_channel(self) -> StandardChannel:
        # What is left of our own last session must not keep us out.
        takeover = self._takeover or self._was_online
        channel = self._channel = StandardChannel(
            self._coordinator,
            self._station.identity,
            self._station.server,
            takeover,
            self._station.clock,
            self._channel_lost,
        )
        channel.logged_in.addCallbacks(
            self._logged_in, self._not_logged_in, callbackArgs=(channel,)
        ).addErrback(self._broke, channel)
        return channel

    def _logged_in(self, session: Login, channel: StandardChannel) -> None:
        if self._name not in (None, session.name):
            what = f"the server calls you {session.name}, your profile says {self._name}"
            hint = "You were logged out again. Ask the server's admin by phone or in person why."
            self._trouble = ServerMismatch(what, hint)
            channel.close()
            return
        self._name, self.server_time = session.name, session.time
        self._backoff.succeeded()
        self._trouble = None
        self._station.arrive(session.name, channel)
        self._coordinator.connected()
        self._rotation.logged_in()
        self._daemon.start(session).addCallback(lambda _: self._ready()).addErrback(
            self._broke, channel
        )

    def _broke(self, failure: Failure, channel: StandardChannel) -> None:
        """A mistake of ours: logged in, the client would never say that it is online."""
        channel.fault(our_fault(failure))

    def _ready(self) -> None:
        if self._station.is_online and not self._is_leaving:  # still
            again, self._was_online = self._was_online, True
            self.main.came_online(again)

    def _not_logged_in(self, failure: Failure) -> None:
        where = f"{self._host}:{self._port}"
        self._is_again = bool(failure.check(refusals.NotEnrolled)) and self._rotation.use_other()
        self._trouble = cannot_reach(denied(failure, vocabulary.LogIn, where=where), where)

    def _now_are(self, identity: Identity) -> None:
        """Connections from now on show this identity."""
        self._secure.renew(tls.Credentials.of(identity))

    def _channel_lost(self, channel: StandardChannel) -> None:
        """Everything ends with it; `_wait` decides what comes next."""
        self._channel = None
        if self._station.is_online:
            self._trouble = farewell(channel.goodbye, channel.reason)
            self._station.leave()
            self._coordinator.line_lost()
            self.main.went_offline()
            self._daemon.stop()

    # --- what next --------------------------------------------------------------------------

    def _wait(self, _: int) -> float:
        """ClientService's retry policy: seconds until the next attempt, if there is one."""
        if self._is_again:
            self._is_again = False
            return 0.0
        trouble = self._trouble or ConnectionWasLost("the connection to the server was lost")
        seconds = self._backoff.failed()
        if self._is_leaving or self._is_finished:
            return seconds
        is_last = self._attempts is not None and self._backoff.failures >= self._attempts
        if is_last or isinstance(trouble, _FINAL):
            self._station.clock.callLater(0, self._finish, trouble)
            self._station.show(Offline(trouble.what, None))
        else:
            self._station.show(Offline(trouble.what, seconds))
        return seconds

    @inlineCallbacks
    def _say_goodbye(self) -> Generator[Deferred[Any], Any, None]:
        if self._coordinator.state in (ClientState.OPENING, ClientState.CHAT):
            yield self._coordinator.stop()
        self._daemon.stop(tell=False)
        if self._station.is_online:
            yield self._station.line.ask(vocabulary.LogOut)

    def _finish(self, error: SecurecomError | None) -> None:
        if self._is_finished:
            return
        self._is_finished = True
        self.main.end()
        self._daemon.stop()
        if self._channel is not None:
            self._channel.close()
        self._service.stopService().addBoth(self._report, error)

    def _report(self, _: object, error: SecurecomError | None) -> None:
        if error is None:
            self.done.callback(None)
        else:
            self.done.errback(Failure(error))
        waiting, self._waiting = self._waiting, []
        for left in waiting:
            left.callback(None)


class _StandardChannels(Factory):
    """Gives TLS our end of a standard channel."""

    noisy = False

    def __init__(self, make: Callable[[], StandardChannel]) -> None:
        self._make = make

    def buildProtocol(self, addr: IAddress | None) -> StandardChannel:
        return self._make()
