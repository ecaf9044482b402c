"""Help that can be searched: every command, every key, every mark."""

from __future__ import annotations

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from securecom.client.api import ClientState
from securecom.client.frontends.commands import ALL, help_on

KEYS = (
    ("Enter", "send; with more than one line, it asks first"),
    ("Alt+Enter, Ctrl+J", "begin another line"),
    ("Alt+Y or F8, Alt+N or F9", "accept or refuse the request; what you are typing stays"),
    ("Alt+Up, Alt+Down", "the conversation above or below; each keeps its own half-typed line"),
    ("Alt+C, Alt+A", "the chat that is open; the next unread conversation"),
    ("Page Up, Page Down", "scroll; Ctrl+Home and Ctrl+End go to the first and last row"),
    ("Ctrl+F or F3", "find text in this conversation"),
    ("F2, F4, F5, F6", "people; more files; settings; compare keys"),
    ("Tab", "complete commands, names and files"),
    ("Up, Down", "what you typed before"),
    ("mouse, then Ctrl+C", "copy; with Shift held, the terminal itself selects"),
    ("Ctrl+C", "clear the line; on an empty one, ask whether to leave"),
    ("Ctrl+D", "on an empty line: leave"),
    ("Ctrl+Z", "stop for now; fg continues"),
)
MARKS = (
    ("> .. ok !!", "your message: sent, waiting, delivered, failed"),
    ("+ = . ? !", "a key: verified, introduced, met, never met, CHANGED"),
    ("~", "a new key, signed by the old one"),
)


class HelpScreen(ModalScreen[str]):
    """Type to search; Enter puts the command into the line; Esc closes."""

    def __init__(self, state: ClientState) -> None:
        super().__init__()
        lines = help_on(ALL, state).lines
        self._rows = [("", key, text) for key, text in KEYS]
        self._rows += [("", mark, text) for mark, text in MARKS]
        for line in lines:
            command = line.usage.split()[0] if line.usage.startswith("/") else ""
            also = " ".join(line.also)
            now = "" if line.now else " [not now]"
            self._rows.append((command, line.usage, f"{line.about}{now} {also}".strip()))

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog tall"):
            yield Static("HELP: type to search, Enter takes a command, Esc closes", markup=False)
            yield Input(id="topic", compact=True, placeholder="search")
            yield OptionList(id="topics", markup=False, compact=True)

    def on_mount(self) -> None:
        self._fill("")
        self.query_one(Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        self._fill(event.value)

    def on_input_submitted(self) -> None:
        topics = self.query_one(OptionList)
        if topics.highlighted is not None:
            topics.action_select()

    def on_key(self, event: events.Key) -> None:
        topics = self.query_one(OptionList)
        if event.key == "down":
            event.stop()
            topics.action_cursor_down()
        elif event.key == "up":
            event.stop()
            topics.action_cursor_up()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss((event.option_id or "").partition(" ")[2])

    def _fill(self, wanted: str) -> None:
        topics = self.query_one(OptionList)
        topics.clear_options()
        words_wanted = wanted.lower().split()
        for number, (command, usage, about) in enumerate(self._rows):
            if all(word in f"{usage} {about}".lower() for word in words_wanted):
                row = Text()
                row.append(f"{usage}\n", "bold")
                row.append(f"    {about}")
                topics.add_option(Option(row, id=f"{number} {command}"))
        if topics.option_count:
            topics.highlighted = 0
