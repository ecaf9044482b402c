"""The first screen of somebody new: the invitation, then a pass phrase, with problems in words.

It runs before there is a client, in an event loop of its own, and gives back what was entered.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.widgets import Input, Static

from securecom.client.frontends.fullscreen.keys_in_order import KeysInOrder
from securecom.errors import SecurecomError
from securecom.invitation import Invitation
from securecom.values import Value

_ENDINGS = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT)
_NONE = "Without one, whoever can read the file can be you. Press Enter again for none."


class Entered(Value):
    """What somebody new has entered. `phrase`: empty for none."""

    invitation: Invitation
    phrase: bytes


class _Link(Input):
    """A line for a link, which mail may have broken into several."""

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.insert_text_at_cursor("".join(event.text.split()))


class FirstScreen(KeysInOrder[Entered]):
    """Asks for the invitation, unless there is one, and twice for a pass phrase."""

    CSS_PATH = "fullscreen.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar = [Binding("escape,ctrl+c,ctrl+d,ctrl+q", "leave", priority=True)]

    def __init__(self, invitation: Invitation | None) -> None:
        super().__init__(ansi_color=True)
        self._invitation = invitation
        self._first: str | None = None
        self._was_empty = False
        #: The signal that ended it.
        self.signalled: int | None = None

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static("securecom: your first time here", classes="key", markup=False)
            yield Static("", id="told", classes="advice", markup=False)
            yield Static("", id="asked", classes="asks", markup=False)
            yield _Link(id="link", compact=True)
            yield Input(id="phrase", password=True, compact=True)
            yield Static("", id="refused", markup=False)
            yield Static("Enter goes on, Esc leaves", classes="advice", markup=False)

    def on_mount(self) -> None:
        self.theme = "ansi-dark"
        loop = asyncio.get_running_loop()
        if not self.is_headless:
            for number in _ENDINGS:
                loop.add_signal_handler(number, self._signal, number)
        self._go_on()

    def action_leave(self) -> None:
        """Nothing is made and nothing sent."""
        self.exit(None)

    def _signal(self, number: int) -> None:
        self.signalled = number
        self.exit(None)

    def _tell(self, where: str, text: str) -> None:
        self.query_one(f"#{where}", Static).update(text)

    def _go_on(self) -> None:
        """Ask for what is missing."""
        link, phrase = self.query_one(_Link), self.query_one("#phrase", Input)
        link.display = self._invitation is None
        phrase.display = self._invitation is not None
        self._tell("refused", "")
        if self._invitation is None:
            self._tell("told", "The server's admin has made an invitation link for you.")
            self._tell("asked", "Paste it here, securecom://…")
            link.focus()
            return
        where = f"The server is {self._invitation.host}. The invitation says what your name is."
        self._tell("told", f"{where} Your key is kept on this machine, under a pass phrase.")
        again = "The same again" if self._first else "A pass phrase for your new identity key"
        self._tell("asked", f"{again} (hidden):")
        phrase.value = ""
        phrase.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if self._invitation is None:
            try:
                self._invitation = Invitation.parse(event.value)
            except SecurecomError as error:
                self._tell("refused", f"SC-{error.code} {error.what}. {error.hint}")
                return
            self._go_on()
        else:
            self._phrase(self._invitation, event.value)

    def _phrase(self, invitation: Invitation, phrase: str) -> None:
        if self._first is not None and phrase != self._first:
            self._first = None
            self._go_on()
            self._tell("refused", "These were two different ones.")
        elif self._first is not None or (not phrase and self._was_empty):
            self.exit(Entered(invitation, phrase.encode("utf-8", "surrogateescape")))
        elif not phrase:
            self._was_empty = True
            self._tell("refused", _NONE)
        else:
            self._first, self._was_empty = phrase, False
            self._go_on()


def entered(app: FirstScreen) -> Entered:
    """Run it on the terminal. :raises KeyboardInterrupt: if whoever is there leaves."""
    handlers = {number: signal.getsignal(number) for number in _ENDINGS}
    try:
        told = app.run()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if app.signalled is not None:
        os.kill(os.getpid(), app.signalled)
    if told is None:
        raise KeyboardInterrupt
    return told
