"""The full screen as a front-end: between the client's core and the application on the terminal.

The core calls `show` from the middle of its work, so events only wait here; the application draws
them when it comes to it. If it falls behind, the client stops reading from the server.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from securecom import limits
from securecom.client.api import ClientApi, Launch
from securecom.client.events import Event, Left, Problem
from securecom.client.frontends.attention import Attention
from securecom.client.frontends.fullscreen.app import ChatApp
from securecom.client.frontends.fullscreen.situation import Situation
from securecom.client.frontends.loop_application import LoopApplication
from securecom.client.frontends.orders import Order, Orders, orders_of
from securecom.client.terms import Choices
from securecom.errors import NotNow, OurFault, SecurecomError


class FullScreen:
    """A `UserFrontend` on the whole terminal.

    :param wall: Unix seconds.
    """

    uses_asyncio = True

    def __init__(self, launch: Launch, wall: Callable[[], float] = time.time) -> None:
        self._launch, self._wall = launch, wall
        self._situation = Situation(launch.reactor.seconds)
        self._orders: Orders | None = None
        self._secret: Deferred[str] | None = None
        self._holds = False
        #: What is still to be said when the terminal is itself again.
        self.last_words: list[Event] = []
        #: Calls a person who is not looking; None where there is no terminal.
        self.attention: Attention | None = None
        self.app = self.make_app(self._situation)
        self._application = LoopApplication(launch.reactor, self.app.exit)

    def make_app(self, situation: Situation) -> ChatApp:
        """The application that draws."""
        return ChatApp(situation, self._wall, self._take, self._launch.leave, self._drawn)

    # --- starting and ending ----------------------------------------------------------------

    def choices(self) -> Choices:
        """What the person has chosen."""
        api = self._situation.api
        return Choices() if api is None else api.settings.choices

    @property
    def failure(self) -> SecurecomError | None:
        """UserFrontend: a person has seen it."""
        return None

    def start(self) -> Deferred[None]:
        """UserFrontend."""
        return self._application.start(self._run())

    async def _run(self) -> None:
        await self.app.run_async()
        if self.app.fault is not None:
            raise OurFault(f"the screen broke ({self.app.fault})")

    def begin(self, api: ClientApi, folder: Path | None = None) -> None:
        """UserFrontend: carry out what the command line asks for, then what is typed."""
        self._situation.api = api
        clock = self._launch.reactor
        self._orders = Orders(
            api, self._report, self._launch.leave, clock, lambda: None, patient=False
        )
        api.watch_people(True)
        for order in orders_of(self._launch):
            self._orders.take(order)
        self.app.wake()

    def stop(self) -> None:
        """UserFrontend: take no more orders."""
        if self._orders is not None:
            self._orders.abandon()
        self._give_up(NotNow("you are leaving", "Nothing was sent or changed."))

    def close(self) -> None:
        """UserFrontend: give the terminal back."""
        if self.attention is not None:
            self.attention.close()
        self._application.close()

    # --- Frontend ---------------------------------------------------------------------------

    def show(self, event: Event) -> None:
        """Have the event drawn soon."""
        if isinstance(event, (Problem, Left)):
            self.last_words = [*self.last_words[-1:], event]
        if self.attention is not None:
            self.attention.heard(event)
        self.app.undrawn.append((self._wall(), event))
        self.app.wake()
        if self._orders is not None:
            self._orders.heard(event)
            if len(self.app.undrawn) > limits.MAX_UNDRAWN and not self._holds:
                self._holds = True
                self._orders.role.hold_incoming()

    def ask_secret(self, question: str) -> Deferred[str]:
        """Ask in a dialog of its own."""
        if self._secret is not None or not self.app.is_running:
            return fail(NotNow("another pass phrase is being asked for"))
        self._secret = Deferred()
        self.app.call_later(self.app.ask_secret, question, self._answered)
        return self._secret

    # --- the application --------------------------------------------------------------------

    def _take(self, order: Order) -> None:
        if self._orders is None:
            self.app.complain(NotNow("the client is still starting", "Nothing was sent."))
        else:
            self._orders.take(order)

    def _report(self, order: Order, result: Any, error: SecurecomError | None) -> None:
        if self.app.is_running:
            self.app.call_later(self.app.answered, order, result, error)

    def _drawn(self) -> None:
        if self._holds and not self.app.undrawn and self._orders is not None:
            self._holds = False
            self._orders.role.release_incoming()

    def _answered(self, secret: str) -> None:
        if not secret:
            self._give_up(NotNow("no pass phrase was given", "Nothing was sent or changed."))
        elif self._secret is not None:
            asked, self._secret = self._secret, None
            asked.callback(secret)

    def _give_up(self, error: SecurecomError) -> None:
        if self._secret is not None:
            asked, self._secret = self._secret, None
            asked.errback(Failure(error))
