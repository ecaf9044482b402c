"""`securecom --demo`: a real server, a partner and a real chat, all in this process, on loopback.

Nothing is simulated: two keys are made and enrolled, both clients open both channels, the request
reaches the partner over its request channel, and the chat is end-to-end encrypted between the two.
Nothing is left afterwards: its folder is temporary.
"""

from __future__ import annotations

import os
import tempfile
import time
from argparse import Namespace
from collections.abc import Generator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail, inlineCallbacks
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from securecom import limits
from securecom.client.api import ClientApi, ClientState
from securecom.client.contacts import Contacts
from securecom.client.events import (
    Asked,
    ChatOver,
    ChatStarted,
    Delivered,
    Event,
    Message,
    Notice,
    Online,
    Said,
    problem,
)
from securecom.client.frontends.orders import readable
from securecom.client.profile.profile import IDENTITY_FILE
from securecom.client.profile.profiles import Profiles
from securecom.client.program import exits
from securecom.client.program.choosing import Choice
from securecom.client.program.running import ClientRun, Route
from securecom.client.program.who import Member, Newcomer
from securecom.client.service import Client
from securecom.clocks import steady_reactor
from securecom.errors import NotNow, OurFault
from securecom.identity import Identity, Name
from securecom.invitation import Host, Invitation, token_hash
from securecom.server.service import Endpoints, Server, ServerContext, reactor_endpoint
from securecom.server.state import open_registry, open_state
from securecom.starting import system_errors_told
from securecom.values import replace

_LOOPBACK = Host("127.0.0.1")
_YOU, _PARTNER = Name("you"), Name("robin")
_HELLO = "Hello Robin, is anybody there?"
#: How long the partner may take to answer, in seconds.
_PATIENCE = 10.0
#: How many characters of a message the partner repeats.
_REPEATED = 1000


def run(arguments: Namespace, choice: Choice) -> int:
    """Run the demo. The exit code is 0 if a message arrived; at a terminal, if a chat began."""
    with system_errors_told():
        made = tempfile.TemporaryDirectory(prefix="securecom-demo-")
    with made as folder:
        reactor = steady_reactor(in_asyncio=choice.uses_asyncio)
        return Demo(arguments, reactor, choice, Path(folder)).until_over(None)


class Partner:
    """A front-end that says yes to everybody and repeats every message."""

    def __init__(self, clock: IReactorTime) -> None:
        self.role: ClientApi | None = None
        #: Fires when the partner can be asked.
        self.ready: Deferred[None] = Deferred()
        self._clock = clock
        self._has_met = False

    def show(self, event: Event) -> None:
        """Frontend. React in the reactor's next turn, since the core is in the middle of a call."""
        if isinstance(event, Online) and not self.ready.called:
            self._clock.callLater(0, self.ready.callback, None)
        elif isinstance(event, Asked):
            self._clock.callLater(0, self._accept)
        elif isinstance(event, Message):
            self._clock.callLater(0, self._answer, event.text)

    def ask_secret(self, question: str) -> Deferred[str]:
        """Frontend. The partner has no secrets."""
        return fail(NotNow("a program has no pass phrase"))

    def failed(self, failure: Failure) -> None:
        """The partner's client ended; if it never came online, the demo cannot go on."""
        if not self.ready.called:
            self.ready.errback(failure)

    def _accept(self) -> None:
        if self.role is not None and self.role.state is ClientState.ASKED:
            accepted = self.role.accept()
            if accepted is not None:
                accepted.addErrback(lambda _: None)

    def _answer(self, text: str) -> None:
        if self.role is None or self.role.state is not ClientState.CHAT:
            return
        hello = "" if self._has_met else "Hello! I am a program on your own machine. "
        self._has_met = True
        with suppress(NotNow):  # the chat is just being ended
            self.role.say(f"{hello}You said: {text[:_REPEATED]}")


class Demo(ClientRun):
    """A client's run with its own server and a partner.

    :param folder: an empty folder, removed afterwards.
    """

    def __init__(self, arguments: Namespace, reactor: Any, choice: Choice, folder: Path) -> None:
        hello = None if os.isatty(0) else _HELLO
        super().__init__(arguments, reactor, choice, _PARTNER, hello)
        self._reactor, self._folder = reactor, folder
        self._server: Server | None = None
        self._client: Client | None = None
        self._said = self._answered = 0
        self._has_chatted = self._was_heard = False
        self._is_over = self._wants_to_leave = False

    # --- Run --------------------------------------------------------------------------------

    def begin(self, someone: Member | Newcomer | None) -> None:
        """Start the server, then the partner, then the person's client."""
        self._set_up().addErrback(self._failed)

    def heard(self, event: Event) -> None:
        """Keep track of the chat: what was said, delivered and answered."""
        if isinstance(event, ChatStarted):
            self._has_chatted, self._is_over = True, False
        elif isinstance(event, Said):
            self._said += 1
        elif isinstance(event, Delivered):
            self._was_heard = True
        elif isinstance(event, Message):
            self._answered += 1
        elif isinstance(event, ChatOver):
            self._is_over = True
        if self._wants_to_leave and self._is_done:
            self._leave()

    def wants_to_leave(self) -> None:
        """Leave once the partner has answered everything."""
        if self._wants_to_leave:
            return
        self._wants_to_leave = True
        if self._is_done or not self._has_chatted:
            self._leave()
        else:
            self._reactor.callLater(_PATIENCE, self._leave)

    def end(self) -> None:
        """End the partner and the server too."""
        self._tear_down().addTimeout(limits.EXIT_DEADLINE, self._reactor).addBoth(
            lambda _: super(Demo, self).end()
        )

    # --- steps ------------------------------------------------------------------------------

    @property
    def _is_done(self) -> bool:
        return self._has_chatted and (self._is_over or self._answered >= self._said)

    @property
    def _went_through(self) -> bool:
        return self._has_chatted and (self._was_heard or self.is_terminal)

    def _join(self, newcomer: Newcomer) -> Deferred[Member]:
        """Join without notices about the profile, which is gone after the demo."""
        return super()._join(newcomer).addCallback(replace, notices=())

    def _leave(self) -> None:
        self.visit.leave(None if self._went_through else exits.FIXABLE)

    def _failed(self, failure: Failure) -> None:
        self.frontend.show(problem(readable(failure)))
        self.visit.leave(exits.FIXABLE)

    @inlineCallbacks
    def _set_up(self) -> Generator[Deferred[Any], Any, None]:
        port = yield self._start_server()
        self.frontend.show(Notice(f"your own server is listening at {_LOOPBACK}, port {port}"))
        partner = yield self._newcomer(_PARTNER, port)
        yield self._start_partner(partner)
        self.frontend.show(Notice(f"{_PARTNER}, a program, is online there and available"))
        you = yield self._newcomer(_YOU, port)
        self.visit.begin(self.frontend, you)

    def _start_server(self) -> Deferred[int]:
        state = open_state(self._folder / "server", [], time.time())
        self._state, self._registry = state, open_registry(state)
        anywhere = partial(TCP4ServerEndpoint, self._reactor, 0, interface=_LOOPBACK)
        settings = Endpoints(standard=anywhere(), request=anywhere(), dial=0)
        around = ServerContext(
            self._reactor, time.time, os.urandom, reactor_endpoint(self._reactor)
        )
        opened: Deferred[int] = Deferred()
        self._server = Server(
            state,
            self._registry,
            settings,
            around,
            lambda standard, _request, _users: opened.callback(standard),
            lambda why: opened.errback(OurFault(why)),
            lambda why: self._failed(Failure(OurFault(why))),
        )
        self._server.privilegedStartService()
        self._server.startService()
        return opened

    @inlineCallbacks
    def _newcomer(self, name: Name, port: int) -> Generator[Deferred[Any], Any, Newcomer]:
        token = os.urandom(limits.TOKEN_BYTES)
        yield self._registry.invite(name, token_hash(token), time.time() + _PATIENCE)
        invitation = Invitation(_LOOPBACK, port, self._state.server_id, token)
        profiles = Profiles(self._folder / name)
        return Newcomer(invitation, Identity.generate(), Path(IDENTITY_FILE), profiles, None, False)

    @inlineCallbacks
    def _start_partner(self, newcomer: Newcomer) -> Generator[Deferred[Any], Any, None]:
        name = yield self._enrol(newcomer)
        invitation, partner = newcomer.invitation, Partner(self._reactor)
        self._client = self.client(
            name,
            newcomer.identity,
            invitation.server,
            Contacts(None, invitation.server, time.time),
            partner,
            Route(self._reactor, invitation.host, invitation.standard_port),
            available=True,
        )
        partner.role = self._client.main
        self._client.done.addErrback(partner.failed)
        self._client.start()
        yield partner.ready

    @inlineCallbacks
    def _tear_down(self) -> Generator[Deferred[Any], Any, None]:
        if self._client is not None:
            yield self._client.leave()
        if self._server is not None:
            yield self._server.stopService()
