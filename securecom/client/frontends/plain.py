"""The plain language: what a person types, and the rows a person reads.

A terminal breaks long lines by itself and would let a peer's text begin a row, where it could look
like one of ours. So rows are broken here, before the terminal does it, and each begins with a
gutter that a peer cannot write into. Only what people copy in one piece stays whole: a fingerprint,
a web address, a link. Such a word has no blank in it, so it cannot pass for one of our rows.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

from securecom import limits
from securecom.client.events import (
    ChatOver,
    Delivered,
    Event,
    Notice,
    RequestChannelState,
    Said,
    ScreenCleared,
    problem,
)
from securecom.client.file_events import FileProgress
from securecom.client.frontends import commands
from securecom.client.frontends.commands import Command
from securecom.client.frontends.marks import FACT, FRAME, Line
from securecom.client.frontends.orders import Order
from securecom.client.frontends.qr import Screen, least_room, qr_rows
from securecom.client.frontends.words import words
from securecom.client.key_events import SafetyCode
from securecom.errors import BadArgument, NotNow, SecurecomError, UnknownCommand
from securecom.text import before_seen, is_unseen, shown

#: A row has at least so many cells of text, however narrow the terminal says it is.
FEWEST = 8
#: Fingerprints, and addresses of the characters that these have; none of the marks of our rows.
_WHOLE = re.compile(
    r"SHA256:[A-Za-z0-9+/]{43}|[A-Za-z][A-Za-z0-9+.-]{0,15}://[A-Za-z0-9._~:/?#@!$&'()+,;=%\[\]-]{1,2000}"
)
#: Cursor to the top, erase the screen, erase what scrolled off it.
_CLEAR = "\x1b[H\x1b[2J\x1b[3J"
#: Latin, Greek and Cyrillic: about all others the terminal may know better than our tables. What
#: Unicode calls "ambiguous" there takes one cell, in every terminal that was tried.
_ONE_CELL = (("\u00a0", "\u024f"), ("\u0370", "\u052f"), ("\u1e00", "\u1fff"))


def cells(c: str) -> int:
    """Cells that a character may take: rather too many than too few."""
    if " " <= c <= "~":
        return 1
    if unicodedata.combining(c) or c in "\u200c\u200d":
        return 0
    is_known = any(first <= c <= last for first, last in _ONE_CELL)
    return 1 if is_known and unicodedata.east_asian_width(c) not in "WF" else 2


def broken(text: str, width: int | None) -> Iterator[str]:
    """The pieces of a line without line feeds, each at most `width` cells, at blanks if it can.

    A fingerprint or an address that is longer is a piece of its own.

    :param width: None leaves the line whole.
    """
    if width is None:
        yield text
        return
    width = max(width, FEWEST)
    start = 0
    wholes = [match.span() for match in _WHOLE.finditer(text)]
    while (end := _fitting(text, start, width)) < len(text):
        blank = text.rfind(" ", start, end + 1)
        at = blank if blank > start else end
        while wholes and wholes[0][1] <= start:
            wholes.pop(0)
        if wholes and wholes[0][0] < at < wholes[0][1]:
            at = wholes[0][0] if wholes[0][0] > start else wholes[0][1]
        yield text[start:at]
        start = at + text.startswith(" ", at)
        if start == len(text):
            return
    yield text[start:]


def _fitting(text: str, start: int, width: int) -> int:
    """Where the characters that fit end."""
    taken = 0
    for index in range(start, len(text)):
        taken += cells(text[index])
        if taken > width:
            return max(index, start + 1)
    return len(text)


# --- reading: a line becomes an order, nothing, or an error -----------------------------------
# What looks like a command and is not one is never sent to anybody.

#: What people, and keyboards of other scripts, may have typed for a slash: full-width (which NFKC
#: makes one anyway), fraction, division, big solidus, rising diagonal, box drawing.
_SLASHES = str.maketrans(dict.fromkeys("\u2044\u2215\u29f8\u27cb\u2571", "/"))
#: Characters of a line that are looked at for a command in disguise: more than any command has.
_LOOKED_AT = 80


class Typed:
    """Reads lines; remembers only that the original's `!chat` has asked for a name, and that a
    question for a pass phrase came to nothing.
    """

    def __init__(self) -> None:
        self._wants_name = False
        self._may_be_secret = False

    def asked_in_vain(self) -> None:
        """A command that asks for pass phrases has failed: who typed ahead, or types it again as
        one does at other questions, means none of it for the peer.
        """
        self._may_be_secret = True

    def read(self, line: str) -> Order | str | None:
        """An order; a question to show; or None for a blank line.

        :raises SecurecomError: if nothing can be done with the line.
        """
        wants_name, self._wants_name = self._wants_name, False
        bare = line.strip()
        told = self._told(line, bare, wants_name)
        self._may_be_secret = False
        return told

    def _told(self, line: str, bare: str, wants_name: bool) -> Order | str | None:
        if not bare:
            return None
        _check_disguise(line)
        if bare == commands.CHAT.original:
            self._wants_name = True
            return "Whom? Type a name, or press Enter to cancel."
        if wants_name and bare[0] not in "/!":
            return order(commands.CHAT, bare)
        command = _command(line, bare)
        if command is None and self._may_be_secret:
            hint = "Nothing was sent. After an empty line, what you type is a message again."
            raise NotNow("a pass phrase was asked for, and that line may be one", hint)
        return command or order(commands.SAY, _text(line))


def _command(line: str, bare: str) -> Order | None:
    if bare.startswith("/") and not bare.startswith("//"):
        return _slash(bare)
    word, _, rest = bare.partition(" ")
    original = None if line[0].isspace() else commands.by_original_word(word)
    return None if original is None else order(original, rest.strip())


def _check_disguise(line: str) -> None:
    """:raises UnknownCommand: for what looks like a command on the screen, and is none."""
    hidden = before_seen(line)
    before, rest = line[:hidden], line[hidden : hidden + _LOOKED_AT]
    visible = "".join(c for c in rest if c.isspace() or not is_unseen(c))
    looks = unicodedata.normalize("NFKC", visible).translate(_SLASHES)
    what = ""
    if looks.startswith("/") and not looks.startswith("//"):
        if rest[0] == "/" and hidden:
            what = _behind(before)
        elif rest[0] != "/" and looks[1:2].isascii() and looks[1:2].isalpha():
            what = f"that looks like a command, but {shown(rest[0])} is no slash"
    elif commands.by_original_word((looks.split() or [""])[0]) is not None:
        if before.strip(" \t"):
            what = _behind(before)
        elif commands.by_original_word(rest.split()[0]) is None:
            what = f"that looks like a command, but is {shown(rest.split()[0])}"
    if what:
        hint = "Nothing was sent. Write the command at the start of the line; //x sends /x."
        raise UnknownCommand(what, hint)


def _behind(before: str) -> str:
    if before.isspace():
        return "a command after blanks is not carried out"
    code = next(ord(c) for c in before if not c.isspace())
    return f"a command after an invisible character (U+{code:04X}) is not carried out"


def _slash(bare: str) -> Order:
    word, _, rest = bare.partition(" ")
    return order(commands.typed(word), rest.strip())


def _text(line: str) -> str:
    return line[1:] if line.startswith("//") else line


def order(command: Command, text: str) -> Order:
    """A command with its argument, read from text. :raises Mistake: if it will not do."""
    argument = command.argument
    if argument is None:
        if text:
            raise BadArgument(f"{command.usage} takes nothing after it")
        return Order(command)
    if text:
        try:
            return Order(command, argument.read(text))
        except BadArgument as error:
            if command.examples:
                error.hint = f"{error.hint} Try {', '.join(command.examples)}."
            raise
    if argument.required:
        hint = f"Nothing was sent. Type {command.usage}"
        raise BadArgument(f"{command.usage.split()[0]} needs more", hint)
    return Order(command)


# --- writing: an event becomes rows -----------------------------------------------------------
# A row is the time, a gutter, the text. Every row of a peer's text, its second lines too, begins
# with the peer's name and a bar; nothing that a peer sends can stand in another's place. Only an
# address that is longer than a row goes on at the terminal's edge, so that it can be copied whole.


class Plain:
    """Lines for people.

    :param now: the time of day as it is shown, `08:05`.
    :param screen: the terminal as it is now.
    :param echoes: the person sees what they type: their own messages are not shown again.
    """

    def __init__(
        self,
        now: Callable[[], str],
        screen: Callable[[], Screen] = Screen,
        *,
        echoes: bool = False,
    ) -> None:
        self._now = now
        self._screen = screen
        self._echoes = echoes
        self._typed = Typed()
        self._has_failed = False  # the request channel
        self._last_said = 0
        self._progress_rows: dict[int, int] = {}  # by the number of the transfer
        self._inverts = False  # the QR code that comes next

    def read(self, line: str) -> Order | Event | None:
        """An order, a question to show, or None for a blank line."""
        what = self._typed.read(line)
        return Notice(what) if isinstance(what, str) else what

    def secret(self, line: str) -> str:
        """Language: all of the line, blanks too."""
        return line

    def answer(self, order: Order, result: Any, error: SecurecomError | None) -> list[Event]:
        """Language: failures, and what was asked for; that the rest was done, events tell."""
        if error is not None:
            if order.command.asks:
                self._typed.asked_in_vain()
            return [problem(error)]
        if order.command is commands.VERIFY:
            self._inverts = (order.argument or "").endswith("invert")
        return [result] if isinstance(result, Event) else []

    def complaint(self, line: str, error: SecurecomError) -> list[Event]:
        """The error alone: people can see which line it is about."""
        return [problem(error)]

    def lines(self, event: Event) -> list[str]:
        """The rows of an event: time, gutter, words."""
        told = self._told(event)
        now = self._now()
        if isinstance(event, SafetyCode):
            title, *others = told
            return [*self._rows(now, *title), *self._code(now, event.digits, others)]
        rows = [row for mark, text in told for row in self._rows(now, mark, text)]
        if isinstance(event, ScreenCleared):
            if not self._screen().has_colours:
                return self._rows(now, FACT, "nothing was cleared: this output is not a terminal")
            rows[0] = _CLEAR + rows[0]
        return rows

    def own_rows(self, mark: str, text: str) -> list[str]:
        """What the user has just entered, under a mark that no peer can have."""
        return self._rows(self._now(), mark, text)

    def _code(self, now: str, digits: str, others: list[Line]) -> list[str]:
        """The QR code, without a gutter: what is in it is ours. Or why there is none."""
        drawn = qr_rows(digits, self._screen(), inverted=self._inverts)
        if not drawn:
            columns, rows = least_room(digits)
            what = f"a QR code needs a terminal of {columns} columns and {rows} rows: make this one"
            others = [(FACT, f"{what} larger, or type /verify for the digits")]
        return [*drawn, *(row for mark, text in others for row in self._rows(now, mark, text))]

    def _told(self, event: Event) -> list[Line]:
        if isinstance(event, RequestChannelState):
            return words(event) if self._is_news(event) else []
        if isinstance(event, ChatOver):
            self._progress_rows.clear()
        if isinstance(event, FileProgress):
            return words(event) if self._is_due(event) else []
        if not self._echoes:
            return words(event)
        if isinstance(event, Said):
            self._last_said = event.number
            return words(event)[1:]
        if isinstance(event, Delivered) and event.number == self._last_said:
            return [(FRAME, "delivered")]  # the line above: a number would say nothing more
        return words(event)

    def _is_news(self, event: RequestChannelState) -> bool:
        """It fails, or works again, or listens on a port of ours."""
        had_failed, self._has_failed = self._has_failed, not event.up
        return had_failed or not event.up or event.how == "dial"

    def _is_due(self, event: FileProgress) -> bool:
        """A row about each transfer now and then: rows stay on the screen."""
        row = event.seconds // limits.FILE_PROGRESS_ROW
        is_due = row > self._progress_rows.get(event.number, 0)
        self._progress_rows[event.number] = row
        return is_due

    def _rows(self, now: str, mark: str, text: str) -> list[str]:
        """Time and mark in the first row; in the others the mark again, or its room if ours."""
        is_ours = mark in (FACT, FRAME)
        columns = self._screen().columns
        mark = f" {mark} " if mark == FACT else _cut(mark, columns, len(now))
        first = f"{now}  {mark} "
        other = " " * len(first) if is_ours else f"{' ' * len(now)}  {mark} "
        width = None if columns is None else columns - len(first)
        lines = [text] if is_ours else text.split("\n", limits.MAX_LINES_SHOWN)
        rows = [row for line in lines for row in broken(shown(line), width)]
        return [first + rows[0], *(other + row for row in rows[1:])]


def _cut(mark: str, columns: int | None, before: int) -> str:
    """The mark, with the end of a peer's name left out where a narrow terminal has no room."""
    room = len(mark) if columns is None else columns - before - FEWEST - 3
    if len(mark) <= max(room, 3):
        return mark
    return f"{mark[: max(room, 3) - 2]}~{mark[-1]}"
