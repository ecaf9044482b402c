"""One run of the client: a core with its endpoints, a front-end, and signals."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Generator
from functools import partial
from typing import Any

import platformdirs
from twisted.internet.defer import Deferred, fail, inlineCallbacks
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ServerEndpoint,
    TCP6ServerEndpoint,
)
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from securecom import limits
from securecom.client.api import Frontend, Launch
from securecom.client.channels.enrol import enrol
from securecom.client.channels.request_ways import ServerDials, ServerListens, Way
from securecom.client.contacts import Contacts
from securecom.client.coordination.engagement import ASK_THE_PERSON, Consent
from securecom.client.events import BackedUp, Event, Online
from securecom.client.files.access import FileAccess
from securecom.client.profile.log_files import LogFiles
from securecom.client.profile.own_key import OwnKey
from securecom.client.profile.profile import Profile, RequestMode
from securecom.client.program import exits, standard_io, who
from securecom.client.program.choosing import Choice
from securecom.client.program.deciding import Program
from securecom.client.program.visit import Visit
from securecom.client.program.who import Member, Newcomer
from securecom.client.rotation import Keeping
from securecom.client.service import Client
from securecom.client.terms import KeptChoices, shown_time
from securecom.clocks import ClockWatch, steady_reactor
from securecom.errors import LoginRefused, NotNow, ProfileProblem, SecurecomError
from securecom.identity import Identity, Name
from securecom.signals import on_signal

_log = Logger()
#: All that a terminal sends too: whoever is ended by one leaves it as it is.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def run(arguments: Namespace, someone: Member | Newcomer, choice: Choice) -> int:
    """Run a client until it is over; its exit code."""
    reactor = steady_reactor(in_asyncio=choice.uses_asyncio)
    return ClientRun(arguments, reactor, choice, arguments.chat).until_over(someone)


class ClientRun:
    """One run of the client.

    :param choice: the front-end.
    :param chat: the person to ask for a chat as soon as we are online.
    :param message: what to send them first.
    """

    def __init__(
        self,
        arguments: Namespace,
        reactor: Any,
        choice: Choice,
        chat: Name | None = None,
        message: str | None = None,
    ) -> None:
        self._arguments, self._reactor = arguments, reactor
        self.is_terminal = os.isatty(standard_io.INPUT)
        self._attempts = _attempts(arguments, self.is_terminal)
        self.visit = Visit(reactor, join=self._join, core=self._core)
        self.frontend = choice.make(
            Launch(arguments, reactor, self.wants_to_leave, chat, message, arguments.send)
        )

    def until_over(self, someone: Member | Newcomer | None) -> int:
        """Run the reactor; the exit code."""
        codes: list[int] = []
        self.visit.over.addCallback(codes.append)
        self.visit.over.addCallback(lambda _: self.end())
        self._reactor.callWhenRunning(self._open, someone)
        with standard_io.modes_kept():
            self._reactor.run()
        if self.visit.fault is not None:  # where its screen was, there is a terminal again
            print(f"securecom: {self.visit.fault}", file=sys.stderr)
        # Twisted's own handler stopped the reactor: the signal came before ours were there.
        return codes[0] if codes else exits.SIGNALLED + signal.SIGTERM

    # --- what a run of another kind does differently ----------------------------------------

    def begin(self, someone: Member | Newcomer | None) -> None:
        """Input and output are there."""
        if someone is not None:
            self.visit.begin(self.frontend, someone)

    def heard(self, event: Event) -> None:
        """The core has shown an event."""

    def wants_to_leave(self) -> None:
        """The user, the program or the end of the input wants to end the run."""
        self.visit.leave()

    def end(self) -> None:
        """The client is over."""
        self._reactor.stop()

    # --- the world --------------------------------------------------------------------------

    def _open(self, someone: Member | Newcomer | None) -> None:
        for number in _SIGNALS:
            on_signal(self._reactor, number, self.visit.signalled, number)
        self.visit.open(self.frontend)
        self.begin(someone)

    # --- the core ---------------------------------------------------------------------------

    def _core(self, member: Member) -> Client:
        client = self._client_of(member)
        watch_clocks(client, self._reactor, shown_time)
        return client

    def _client_of(self, member: Member) -> Client:
        profile = member.profile
        contacts = Contacts(profile.known_peers, profile.server, time.time)
        route = Route(self._reactor, profile.host, profile.port)
        return self.client(
            profile.name,
            member.identity,
            profile.server,
            contacts,
            _ListenedTo(self.frontend, self.heard),
            route,
            mode=profile.request,
            keeping=Keeping(OwnKey(profile), self._elsewhere, member.coming),
            consent=self._consent(profile.on_request),
            available=profile.available,
            takeover=self._arguments.takeover,
            back_up=partial(self._back_up, profile),
            attempts=self._attempts,
            logs=LogFiles(profile.folder, time.time),
            access=FileAccess(self._elsewhere, profile.folder, platformdirs.user_downloads_path()),
            kept=KeptChoices(profile.choices, profile.keep),
        )

    def _consent(self, command: tuple[str, ...]) -> Consent:
        if not command:
            return ASK_THE_PERSON
        program = Program(self._reactor, command, os.environ)
        self._reactor.addSystemEventTrigger("before", "shutdown", program.end)
        return program

    def client(
        self,
        name: Name | None,
        identity: Identity,
        server: bytes,
        contacts: Contacts,
        frontend: Frontend,
        route: Route,
        mode: RequestMode = "listen",
        **settings: Any,
    ) -> Client:
        """A client core, with its endpoints on the reactor."""
        return Client(
            name=name,
            identity=identity,
            server=server,
            contacts=contacts,
            frontend=frontend,
            host=route.host,
            port=route.port,
            endpoint=route,
            way=route.way(mode),
            clock=self._reactor,
            random=random.SystemRandom().random,
            **settings,
        )

    def _back_up(self, profile: Profile, file: str) -> Deferred[BackedUp]:
        from securecom.client.program.backing_up import Backups
        from securecom.client.program.sealing import seal_in_a_process

        ask = self.frontend.ask_secret
        return Backups(profile.folder, ask, self._elsewhere, seal_in_a_process).make(file)

    def _elsewhere(self, call: Callable[[], Any]) -> Deferred[Any]:
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), call)

    # --- enrolment --------------------------------------------------------------------------

    def _join(self, newcomer: Newcomer) -> Deferred[Member]:
        member = join(newcomer, self._enrol, self._known_name)
        return member.addCallback(who.settled, self._arguments)

    def _enrol(self, newcomer: Newcomer) -> Deferred[Name]:
        invitation = newcomer.invitation
        route = Route(self._reactor, invitation.host, invitation.standard_port)
        where = f"{route.host}:{route.port}"
        identity, server, token = newcomer.identity, invitation.server, invitation.token
        return enrol(route, identity, server, token, self._reactor, where)

    def _known_name(self, newcomer: Newcomer) -> Deferred[Name]:
        """Log in, hear our name, log out."""
        invitation = newcomer.invitation
        route = Route(self._reactor, invitation.host, invitation.standard_port)
        contacts = Contacts(None, invitation.server, time.time)
        heard = NameHeard()
        client = self.client(
            None,
            newcomer.identity,
            invitation.server,
            contacts,
            heard,
            route,
            takeover=True,
            attempts=1,
        )
        client.done.addErrback(heard.failed)
        client.start()
        return heard.name.addCallback(lambda name: client.leave().addCallback(lambda _: name))


def watch_clocks(client: Client, reactor: IReactorTime, wall: Callable[[], float]) -> None:
    """Tell a client within `limits.CLOCK_LOOK` that the wall clock was set, or that we woke."""
    watch = ClockWatch(reactor, wall, lambda _: client.clock_was_set(), client.woke)
    looks = LoopingCall(watch.look)
    looks.clock = reactor
    over = looks.start(limits.CLOCK_LOOK, now=False)
    over.addErrback(lambda failure: _log.failure("the clocks are not watched", failure))


class _ListenedTo:
    """A `Frontend` for the core: the user's, while something else listens too."""

    def __init__(self, frontend: Frontend, heard: Callable[[Event], None]) -> None:
        self._frontend, self._heard = frontend, heard

    def show(self, event: Event) -> None:
        """Frontend."""
        self._frontend.show(event)
        self._heard(event)

    def ask_secret(self, question: str) -> Deferred[str]:
        """Frontend."""
        return self._frontend.ask_secret(question)


def _attempts(arguments: Namespace, is_terminal: bool) -> int | None:
    """Failed connections after which to give up; None: never."""
    if arguments.attempts is None:
        return None if is_terminal or arguments.stay else limits.ATTEMPTS
    return arguments.attempts or None


# --- Endpoints: TCP to the server and, in dial mode, from it -----------------------------------


@implementer(IStreamClientEndpoint)
class Route:
    """To the server's standard port; notes the address of ours that it was reached from."""

    def __init__(self, reactor: Any, host: str, port: int) -> None:
        self._reactor = reactor
        self.host, self.port = host, port
        self._standard = self.to(port)
        #: Where the server sees us, unless there is a NAT between.
        self.own_address = "127.0.0.1"

    def to(self, port: int) -> IStreamClientEndpoint:
        """Another port of the same server."""
        endpoint: IStreamClientEndpoint = HostnameEndpoint(
            self._reactor, self.host, port, timeout=limits.LOGIN_DEADLINE
        )
        return endpoint

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803
        """IStreamClientEndpoint."""
        return self._standard.connect(protocolFactory).addCallback(self._connected)

    def _connected(self, protocol: Any) -> IProtocol:
        self.own_address = protocol.transport.getHost().host
        connected: IProtocol = protocol
        return connected

    def listen(self, port: int) -> IStreamServerEndpoint:
        """Where the server may dial us: on that one address of ours and no other."""
        kind = TCP6ServerEndpoint if ":" in self.own_address else TCP4ServerEndpoint
        endpoint: IStreamServerEndpoint = kind(self._reactor, port, interface=self.own_address)
        return endpoint

    def way(self, mode: RequestMode) -> Way:
        """How the request channel comes to be."""
        return ServerListens(self.to) if mode == "listen" else ServerDials(self.listen)


# --- From an invitation to a profile ------------------------------------------------------------
# The key is on the disk before. Once the server has accepted it, the profile is written. If that is
# interrupted, the next attempt finds the invitation spent and the key known: a log-in then says the
# name.

_NOT_WRITTEN = (
    "The invitation is spent, and the server knows your key, which is kept. Mend that; then start "
    "with the same link again."
)


class NameHeard:
    """A `Frontend` that waits for the log-in, to hear our name."""

    def __init__(self) -> None:
        self.name: Deferred[Name] = Deferred()

    def show(self, event: Event) -> None:
        """Frontend."""
        if isinstance(event, Online) and not self.name.called:
            self.name.callback(Name(event.name))

    def ask_secret(self, question: str) -> Deferred[str]:
        """Frontend."""
        return fail(NotNow("nobody can be asked while enrolling"))

    def failed(self, failure: Failure) -> None:
        """There will be no log-in."""
        if not self.name.called:
            self.name.errback(failure)


@inlineCallbacks
def join(
    someone: Newcomer,
    enrol: Callable[[Newcomer], Deferred[Name]],
    log_in: Callable[[Newcomer], Deferred[Name]],
) -> Generator[Deferred[Name], Name, Member]:
    """A member's profile, written. Fails with a `SecurecomError`.

    :param enrol: spends the invitation.
    :param log_in: logs in and out again, for a key that the server may know already.
    """
    try:
        name = yield enrol(someone)
    except LoginRefused as refusal:
        if not someone.is_old:
            raise
        try:
            name = yield log_in(someone)
        except SecurecomError:
            raise refusal from None
    try:
        return someone.enrolled(name)
    except ProfileProblem as error:
        raise ProfileProblem(error.what, _NOT_WRITTEN) from None
