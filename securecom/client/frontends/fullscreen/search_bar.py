"""Looking for text in the conversation on the screen."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

from securecom.client.frontends.fullscreen.conversations import Conversation


class SearchBar(Horizontal):
    """A line for the text; Enter or Up goes to the match before, Down to the next, Esc closes."""

    @dataclass
    class Found(Message):
        """This is looked for, and `entry` is the match to show, if there is one."""

        text: str
        entry: int | None

    class Ended(Message):
        """Nothing is looked for any more."""

    def __init__(self) -> None:
        super().__init__(id="search")
        self.display = False
        self._conversation: Conversation | None = None
        self._matches: list[int] = []
        self._at = 0

    def compose(self) -> ComposeResult:
        yield Static("find", id="find", markup=False)
        yield Input(id="wanted", compact=True)
        yield Static("", id="matches", markup=False)

    def begin(self, conversation: Conversation) -> None:
        """Look in this conversation."""
        self._conversation = conversation
        self.display = True
        self.query_one(Input).focus()
        self._look()

    def close(self) -> None:
        """Stop looking."""
        self.display = False
        self.post_message(self.Ended())

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._look()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._go(1)

    def on_key(self, event: events.Key) -> None:
        if event.key in ("up", "down"):
            event.stop()
            self._go(1 if event.key == "up" else -1)

    def _look(self) -> None:
        text = self.query_one(Input).value
        conversation = self._conversation
        found = [] if conversation is None or not text else list(conversation.matches(text))
        self._matches, self._at = found, 0
        self._tell(text)

    def _go(self, step: int) -> None:
        if self._matches:
            self._at = (self._at + step) % len(self._matches)
        self._tell(self.query_one(Input).value)

    def _tell(self, text: str) -> None:
        count = len(self._matches)
        told = f"{self._at + 1} of {count}" if count else "not found" if text else "Esc closes"
        self.query_one("#matches", Static).update(told)
        self.post_message(self.Found(text, self._matches[self._at] if count else None))
