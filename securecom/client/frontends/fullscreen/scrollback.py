"""The widget that shows one conversation, scrolls in it, finds text and lets the mouse select it.

It keeps the rows of the conversation it shows and draws only those on the screen, so that a new
message costs the same however much was said before.
"""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.selection import Selection
from textual.strip import Strip
from textual.widget import Widget

from securecom import limits
from securecom.client.frontends.fullscreen.conversations import Conversation, Entry, Kind
from securecom.client.frontends.fullscreen.rows import (
    Layout,
    Row,
    day,
    day_line,
    rows_of,
)
from securecom.text import shown

_DIM = Style(dim=True)
_TEXT = Style()
_FOUND = Style(reverse=True)
_SELECTED = Style(reverse=True, bold=True)
_MARK_STYLES = {
    Kind.PEER: Style(bold=True, color="magenta"),
    Kind.MINE: Style(color="green"),
    Kind.FACT: _DIM,
    Kind.FRAME: _DIM,
    Kind.PROBLEM: Style(bold=True, color="red"),
    Kind.SERVER: _DIM,
}
_TEXT_STYLES = {Kind.PROBLEM: Style(color="red"), Kind.FRAME: _DIM}
_FAILED = Style(bold=True, color="red")
_DIVIDER = Style(bold=True, color="red")
#: Rows of overlap when a page is scrolled.
_KEPT = 2


class Scrollback(Widget, can_focus=False):
    """One conversation, the newest row at the bottom."""

    auto_links = False

    def __init__(self, conversation: Conversation, widget_id: str | None = None) -> None:
        super().__init__(id=widget_id)
        self.conversation = conversation
        self._layout_now = Layout(conversation, 80)
        self._rows: list[Row] = []
        self._laid_out = 0  # the number of the first entry that has no rows yet
        self._first = 0  # the number of the first row that is kept
        self._last_day: tuple[int, int, int] | None = None
        self._below = 0
        self._found = ""
        self._strips: dict[tuple[int, str], Strip] = {}

    # --- what is shown ----------------------------------------------------------------------

    def display_conversation(self, conversation: Conversation) -> None:
        """Show another conversation, at its end or where its new messages begin."""
        self.conversation = conversation
        self._below = 0
        self._lay_out_again()
        if conversation.divider is not None:
            at = next((i for i, row in enumerate(self._rows) if _is_divider(row)), 0)
            self._below = max(len(self._rows) - at - self._height, 0)

    def grown(self) -> None:
        """The conversation has new entries."""
        before = len(self._rows)
        self._drop_old()
        self._add_rows()
        if self._below:
            self._below += len(self._rows) - before
            self._below = max(min(self._below, len(self._rows) - self._height), 0)
        self.refresh()

    def redrawn(self) -> None:
        """Entries look different: a receipt came, or the divider has moved."""
        self._lay_out_again()

    def progressed(self) -> None:
        """Receipts came; rows stay where they are."""
        self.refresh()

    @property
    def below(self) -> int:
        """Rows below the last one shown."""
        return self._below

    @property
    def is_at_end(self) -> bool:
        """Whether the newest row is on the screen."""
        return self._below == 0

    @property
    def _height(self) -> int:
        return max(self.size.height, 1)

    def _lay_out_again(self) -> None:
        self._layout_now = Layout(self.conversation, self.size.width or 80)
        self._rows.clear()
        self._strips.clear()
        self._first, self._last_day = 0, None
        self._laid_out = self.conversation.dropped
        self._add_rows()
        self._below = max(min(self._below, len(self._rows) - self._height), 0)
        self.refresh()

    def _drop_old(self) -> None:
        """Forget the rows of entries that the conversation has dropped."""
        oldest = self.conversation.entries[0] if self.conversation.entries else None
        if not self._rows or self._rows[0].entry is oldest or oldest is None:
            if oldest is None:
                self._lay_out_again()
            return
        if self._laid_out <= self.conversation.dropped:
            self._lay_out_again()
            return
        count = next((i for i, row in enumerate(self._rows) if row.entry is oldest), 0)
        if count > 1:  # the day's line stays
            del self._rows[:count]
            self._first += count
            if len(self._strips) > limits.ROWS_DRAWN:
                self._strips.clear()

    def _add_rows(self) -> None:
        conversation = self.conversation
        start = max(self._laid_out - conversation.dropped, 0)
        for index in range(start, len(conversation.entries)):
            entry = conversation.entries[index]
            today = day(entry.at)
            if today != self._last_day:
                self._rows.append(Row(None, day_line(entry.at)))
                self._last_day = today
            if conversation.dropped + index == conversation.divider:
                self._rows.append(Row(None, ""))
            self._rows += rows_of(entry, self._layout_now)
        self._laid_out = conversation.dropped + len(conversation.entries)

    # --- drawing ----------------------------------------------------------------------------

    def on_resize(self, _: events.Resize) -> None:
        if self.size.width != self._layout_now.width:
            self._lay_out_again()

    def render_line(self, y: int) -> Strip:
        index = len(self._rows) - self._below - self._height + y
        width = self.size.width
        if len(self._rows) < self._height:
            index = y  # the first rows of a day stand at the top
        if not 0 <= index < len(self._rows):
            return Strip.blank(width, _TEXT)
        number = self._first + index
        row = self._rows[index]
        selection = self.text_selection
        span = None if selection is None else selection.get_span(number)
        if span is not None:
            strip = self._strip(row, span)
        else:
            key = (number, "" if row.entry is None else row.entry.progress)
            cached = self._strips.get(key)
            if cached is None:
                if len(self._strips) > limits.ROWS_DRAWN:
                    self._strips.clear()
                cached = self._strips[key] = self._strip(row, None)
            strip = cached
        return strip.apply_offsets(0, number)

    def _strip(self, row: Row, selected: tuple[int, int] | None) -> Strip:
        width = self.size.width
        if row.entry is None:
            return self._line_across(row, width)
        layout = self._layout_now
        at, mark = layout.time(row), layout.mark(row)
        mark_style = _MARK_STYLES[row.entry.kind]
        if row.entry.progress == "failed":
            mark_style = _FAILED
        segments = [Segment(at, _DIM), Segment(mark, mark_style)]
        style = _TEXT_STYLES.get(row.entry.kind, _TEXT)
        segments += _marked(row.piece, style, self._matches(row), _FOUND)
        if selected is not None:
            segments = _select(segments, *selected)
        return Strip(segments).adjust_cell_length(width, _TEXT)

    def _line_across(self, row: Row, width: int) -> Strip:
        text = row.piece or "new"
        style = _DIM if row.piece else _DIVIDER
        line = f" {text} ".center(max(width - 2, len(text) + 2), "-")
        return Strip([Segment(line, style)]).adjust_cell_length(width, _TEXT)

    def _matches(self, row: Row) -> list[tuple[int, int]]:
        """Where the text that is looked for stands in this row's piece."""
        if not self._found or row.entry is None:
            return []
        text, wanted = shown(row.entry.text, lines=True).lower(), self._found.lower()
        spans = []
        at = text.find(wanted)
        while at >= 0:
            first, last = at - row.start, at + len(wanted) - row.start
            if last > 0 and first < len(row.piece):
                spans.append((max(first, 0), min(last, len(row.piece))))
            at = text.find(wanted, at + len(wanted))
        return spans

    # --- scrolling --------------------------------------------------------------------------

    def scroll_rows(self, rows: int) -> None:
        """Scroll up, or with a negative number down."""
        most = max(len(self._rows) - self._height, 0)
        self._below = max(min(self._below + rows, most), 0)
        self.refresh()

    def scroll_page(self, pages: int) -> None:
        """Scroll up, or down, by a screenful less two rows."""
        self.scroll_rows(pages * max(self._height - _KEPT, 1))

    def to_end(self) -> None:
        """Show the newest row."""
        self.scroll_rows(-self._below)

    def to_start(self) -> None:
        """Show the oldest row."""
        self.scroll_rows(len(self._rows))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.scroll_rows(3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.scroll_rows(-3)

    # --- finding ----------------------------------------------------------------------------

    def find(self, text: str) -> None:
        """Mark this text wherever it stands; an empty one: mark nothing."""
        self._found = text
        self._strips.clear()
        self.refresh()

    def show_entry(self, number: int) -> None:
        """Scroll to an entry, which comes to stand in the middle."""
        index = number - self.conversation.dropped
        if not 0 <= index < len(self.conversation.entries):
            return
        entry = self.conversation.entries[index]
        at = next((i for i, row in enumerate(self._rows) if row.entry is entry), 0)
        self._below = len(self._rows) - at - self._height // 2
        self.scroll_rows(0)

    # --- selecting --------------------------------------------------------------------------

    @property
    def allow_select(self) -> bool:
        """Widget: the mouse selects text here."""
        return True

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The selected text, rows joined to lines; with gutters if it is of several entries."""
        first = 0 if selection.start is None else selection.start.y - self._first
        last = len(self._rows) - 1 if selection.end is None else selection.end.y - self._first
        rows = self._rows[max(first, 0) : last + 1]
        entries: set[Entry] = {row.entry for row in rows if row.entry is not None}
        text = ""
        for number, row in enumerate(rows, max(first, 0) + self._first):
            span = selection.get_span(number)
            if span is None:
                continue
            text += self._selected(row, span, is_alone=len(entries) == 1, is_begun=bool(text))
        return (text, "\n") if text else None

    def _selected(self, row: Row, span: tuple[int, int], *, is_alone: bool, is_begun: bool) -> str:
        start, end = span
        if row.entry is None:
            return f"{row.joins * is_begun}{row.piece}"
        gutter = self._layout_now.gutter(row.entry.kind)
        piece = row.piece[max(start - gutter, 0) : None if end == -1 else max(end - gutter, 0)]
        if row.is_first and not is_alone:
            head = f"{self._layout_now.time(row)}{self._layout_now.mark(row)}"
            return f"{row.joins * is_begun}{head.lstrip()}{piece}"
        return f"{row.joins * is_begun}{piece}"


def _is_divider(row: Row) -> bool:
    return row.entry is None and not row.piece


def _marked(text: str, style: Style, spans: list[tuple[int, int]], found: Style) -> list[Segment]:
    segments, at = [], 0
    for start, end in spans:
        segments += [Segment(text[at:start], style), Segment(text[start:end], style + found)]
        at = end
    return [segment for segment in (*segments, Segment(text[at:], style)) if segment.text]


def _select(segments: list[Segment], start: int, end: int) -> list[Segment]:
    """The same segments, with the selected characters marked."""
    told: list[Segment] = []
    at = 0
    for text, own, _ in segments:
        first = max(min(start - at, len(text)), 0)
        last = len(text) if end == -1 else max(min(end - at, len(text)), 0)
        style = own or _TEXT
        told += [
            Segment(text[:first], style),
            Segment(text[first:last], style + _SELECTED),
            Segment(text[max(first, last) :], style),
        ]
        at += len(text)
    return [segment for segment in told if segment.text]
