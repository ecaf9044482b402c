"""The list of people: whose key is known, who is there, whose messages are unread."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text
from textual import events
from textual.message import Message
from textual.widget import Widget

from securecom.client.events import Trust
from securecom.client.frontends.fullscreen.conversations import HOME
from securecom.client.frontends.fullscreen.situation import Known

#: A mark for each state of a key; help explains them.
TRUST_MARKS: dict[Trust, str] = {
    "new": "?",
    "met": ".",
    "introduced": "=",
    "verified": "+",
    "followed": "~",
    "followed-verified": "~",
    "changed": "!",
    "retired": "!",
}
_TRUST_STYLES: dict[Trust, str] = {
    "verified": "bold green",
    "changed": "bold red",
    "retired": "bold red",
    "followed": "bold",
    "followed-verified": "bold",
}
_PRESENCE_STYLES = {"asks": "bold reverse", "chat": "bold", "here": "green", "blocked": "dim"}


class People(Widget, can_focus=False):
    """People, one a row. A click chooses one."""

    auto_links = False

    @dataclass
    class Chosen(Message):
        """Somebody's conversation is to be shown."""

        name: str

    def __init__(self) -> None:
        super().__init__(id="people")
        self._people: list[Known] = []
        self._unread: dict[str, int] = {}
        self._shown = HOME
        self._top = 0

    def update(self, people: list[Known], unread: dict[str, int], shown: str) -> None:
        """Show these; `shown` is the one whose conversation is on the screen."""
        if (people, unread, shown) == (self._people, self._unread, self._shown):
            return
        self._people, self._unread, self._shown = people, unread, shown
        self.refresh()

    @property
    def names(self) -> list[str]:
        """In the order in which they are listed, the general notices first."""
        return [HOME, *(one.name for one in self._people)]

    def render(self) -> Text:
        width, height = self.size
        rows = [self._title(width), self._row(Known(HOME, "met", ""), width)]
        rows += [self._row(one, width) for one in self._people]
        head, others = rows[:1], rows[1:]
        room = max(height - 1, 1)
        at = self.names.index(self._shown) if self._shown in self.names else 0
        self._top = max(min(self._top, at, max(len(others) - room, 0)), at - room + 1, 0)
        return Text("\n", no_wrap=True).join([*head, *others[self._top : self._top + room]])

    def _title(self, width: int) -> Text:
        count = str(len(self._people))
        return Text(f"PEOPLE{count:>{max(width - 6, 1)}}", style="bold")

    def _row(self, one: Known, width: int) -> Text:
        unread = self._unread.get(one.name, 0)
        right = f"{unread} new" if unread else one.presence
        mark = TRUST_MARKS[one.trust] if one.name else " "
        name = one.name or "notices"
        room = max(width - 3 - len(right), 3)
        if len(name) > room:
            name = f"{name[: room - 1]}~"
        row = Text(no_wrap=True)
        row.append(mark, _TRUST_STYLES.get(one.trust, ""))
        row.append(f" {name:{room}} ", "bold" if unread or one.name == self._shown else "")
        row.append(right, "bold" if unread else _PRESENCE_STYLES.get(one.presence, "dim"))
        if one.name == self._shown:
            row.stylize("reverse")
        return row

    def on_click(self, event: events.Click) -> None:
        index = event.y - 1 + self._top
        if event.y > 0 and index < len(self.names):
            self.post_message(self.Chosen(self.names[index]))
