"""The line that is typed: several rows if need be, whole pastes, what was typed before."""

from __future__ import annotations

from collections.abc import Callable

from textual import events
from textual.binding import Binding
from textual.widgets import TextArea

from securecom import limits


class Composer(TextArea):
    """What is being typed. Enter sends it; Alt+Enter and Ctrl+J begin another line.

    :param entered: Enter was pressed.
    :param completed: Tab was.
    :param left: Ctrl+D was, on an empty line.
    """

    BINDINGS = [
        Binding("ctrl+j,shift+enter,alt+enter", "newline", show=False, priority=True),
        Binding("tab", "complete", show=False, priority=True),
    ]

    def __init__(
        self, entered: Callable[[], None], completed: Callable[[], None], left: Callable[[], None]
    ) -> None:
        super().__init__(id="composer", soft_wrap=True, show_line_numbers=False)
        # Called at once, and not by messages: the next key may already be waiting.
        self._entered, self._completed, self._left = entered, completed, left
        self.cursor_blink = False
        self.highlight_cursor_line = False
        self._typed: list[str] = []
        self._back = 0  # how far back in what was typed before
        self._kept = ""  # what was half typed then

    def replace_text(self, text: str) -> None:
        """Put a text there, with the cursor behind it."""
        self.text = text
        self.move_cursor(self.document.end)

    @property
    def before_cursor(self) -> str:
        """The text up to the cursor."""
        return self.get_text_range((0, 0), self.cursor_location)

    def replace_before_cursor(self, text: str) -> None:
        """Put another text in the place of what is before the cursor."""
        self.replace(text, (0, 0), self.cursor_location)

    def remember(self, text: str) -> None:
        """Keep what was typed, so that the arrow keys bring it back."""
        self._back = 0
        if text.strip() and (not self._typed or self._typed[-1] != text):
            self._typed.append(text)
            del self._typed[: -limits.TYPED_LINES]

    def action_newline(self) -> None:
        """Begin another line."""
        self.insert("\n")

    def action_complete(self) -> None:
        """Finish the word."""
        self._completed()

    async def _on_key(self, event: events.Key) -> None:
        event.prevent_default()
        if self._took(event.key):
            event.stop()
        else:
            await super()._on_key(event)

    def _took(self, key: str) -> bool:
        """Do what a key means here; False if it means what it means to any text area."""
        match key:
            case "enter":
                self._entered()
                return True
            case "ctrl+d" if not self.text:
                self._left()
                return True
            case "up" if self.cursor_location[0] == 0:
                return self._recall(1)
            case "down" if self._is_on_last_line:
                return self._recall(-1)
        return key.startswith("alt+")  # a text area would type the letter

    @property
    def _is_on_last_line(self) -> bool:
        return self.cursor_location[0] == self.document.line_count - 1

    def _recall(self, step: int) -> bool:
        """Bring back what was typed earlier, or later; False if there is nothing."""
        back = self._back + step
        if not 0 <= back <= len(self._typed):
            return False
        if self._back == 0:
            self._kept = self.text
        self._back = back
        self.replace_text(self._kept if back == 0 else self._typed[-back])
        return True
