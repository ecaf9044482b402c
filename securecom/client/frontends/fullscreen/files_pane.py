"""Files of the chat: what is offered, and how far each transfer is."""

from __future__ import annotations

from rich.text import Text
from textual.widget import Widget

from securecom.client import events as e
from securecom.client import file_events
from securecom.client.frontends.file_words import amount
from securecom.client.frontends.plain import cells
from securecom.client.terms import duration
from securecom.text import shown

#: Rows that transfers take from the conversation; where there are more, the last row counts them.
_ROWS, _ROWS_OF_ALL = 4, 12
#: Cells of the bar that fills up.
_BAR, _WIDE = 20, 70
_ARROWS = {"in": "<", "out": ">"}


class FilesPane(Widget, can_focus=False):
    """A row for each transfer that is not over; hidden without any."""

    auto_links = False

    def __init__(self) -> None:
        super().__init__(id="files")
        self.display = False
        self._transfers: dict[int, file_events.FileOffered | file_events.FileProgress] = {}
        self._shows_all = False

    def heard(self, event: e.Event) -> None:
        """Note what an event changes."""
        match event:
            case file_events.FileOffered() | file_events.FileProgress():
                self._transfers[event.number] = event
            case file_events.FileOver(number=number):
                self._transfers.pop(number, None)
            case e.ChatStarted() | e.ChatOver():
                self._transfers.clear()
            case _:
                return
        self._arrange()

    def toggle(self) -> None:
        """Show all transfers, or only the first ones."""
        self._shows_all = not self._shows_all
        self._arrange()

    def _arrange(self) -> None:
        self.display = bool(self._transfers)
        most = _ROWS_OF_ALL if self._shows_all else _ROWS
        self.styles.height = min(len(self._transfers), most, max(self.app.size.height // 3, 1))
        self.refresh()

    def render(self) -> Text:
        rows = [self._row(one) for _, one in sorted(self._transfers.items())]
        height = max(self.size.height, 1)
        if len(rows) > height:
            rows[height - 1 :] = [f" {len(rows) - height + 1} more: F4 or /files"]
        return Text("\n".join(row[: self.size.width] for row in rows), no_wrap=True)

    def _row(self, one: file_events.FileOffered | file_events.FileProgress) -> str:
        head = f" {_ARROWS[one.direction]} {one.number} "
        if isinstance(one, file_events.FileOffered):
            answers = f"/get {one.number}  /decline {one.number}"
            answer = answers if one.direction == "in" else "offered"
            return self._fit(head, one.file, f"  {amount(one.size)}  {answer} ")
        share = one.done / max(one.size, 1)
        tail = f" {int(100 * share):3} %  {amount(one.done)} of {amount(one.size)}"
        if self.size.width >= _WIDE:
            left = "" if one.seconds_left is None else f"  {duration(one.seconds_left)} left"
            bar = "#" * int(_BAR * share)
            tail = f" [{bar:.<{_BAR}}]{tail}  {amount(one.rate)}/s{left}"
        return self._fit(head, one.file, f"{tail} ")

    def _fit(self, head: str, file: str, tail: str) -> str:
        """The name of the file in what room is left."""
        room = max(self.size.width - len(head) - len(tail), 4)
        name = shown(file)
        if _cells(name) > room:
            while _cells(name) >= room:
                name = name[:-1]
            name += "~"
        return f"{head}{name}{' ' * (room - _cells(name))}{tail}"


def _cells(name: str) -> int:
    """At least one for each character: a name of marks alone would push the rest off the row."""
    return sum(max(cells(c), 1) for c in name)
