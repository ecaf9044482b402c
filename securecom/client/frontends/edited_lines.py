"""The front-end of lines with a line editor, on a terminal."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from prompt_toolkit.data_structures import Size
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure
from zope.interface import implementer

from securecom import limits
from securecom.client.api import ClientApi, ClientState, Launch
from securecom.client.events import Asked, ChatStarted, Event, Notice, problem
from securecom.client.frontends import commands, outside_editor
from securecom.client.frontends.attention import Attention
from securecom.client.frontends.command_history import CommandHistory
from securecom.client.frontends.commands import encoded
from securecom.client.frontends.line_editor import LineEditor
from securecom.client.frontends.lines import Language, Lines
from securecom.client.frontends.loop_application import LoopApplication
from securecom.client.frontends.orders import Order, orders_of
from securecom.client.frontends.plain import Plain, Typed
from securecom.client.frontends.tab_completion import Completion, complete
from securecom.client.frontends.terminal_writer import TerminalWriter
from securecom.errors import BadArgument, SecurecomError, TooLong
from securecom.text import shown


class Entries:
    """A `LineSource` of what was entered: each piece is whole, and may have several lines."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()

    def feed(self, data: bytes) -> None:
        """One entry."""
        self._waiting.append(data.decode("utf-8", "replace"))

    def end(self) -> None:
        """LineSource."""

    def next(self) -> str | None:
        """The next entry."""
        return self._waiting.popleft() if self._waiting else None

    def clear(self) -> None:
        """Forget what waits: it was typed unseen."""
        self._waiting.clear()

    @property
    def is_empty(self) -> bool:
        """Nothing waits."""
        return not self._waiting

    @property
    def is_full(self) -> bool:
        """So much waits that the user has to wait too."""
        return len(self._waiting) >= limits.MAX_ENTRIES_WAITING


class _RowTransport:
    """Where `Lines` writes its rows: above the editor, while terminal and editor let it."""

    disconnecting = False

    def __init__(self, editor: LineEditor, end: Callable[[], None]) -> None:
        self._editor, self._end = editor, end
        self._producer: Any = None
        self._is_held = False
        #: The terminal has not taken what was written so far.
        self.is_slow = False
        editor.printed = self.look

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """ITransport."""
        self._producer = producer

    def unregisterProducer(self) -> None:
        """ITransport."""
        self._producer = None

    def write(self, data: bytes) -> None:
        """ITransport."""
        self._editor.print(data.decode("utf-8"))
        self.look()

    def writeSequence(self, data: list[bytes]) -> None:
        """ITransport."""
        for one in data:
            self._editor.print(one.decode("utf-8"))

    def loseConnection(self) -> None:
        """ITransport: the last line was written."""
        self._end()

    def look(self) -> None:
        """Pause or resume who writes, as the editor and the terminal need it."""
        is_held = self.is_slow or self._editor.is_full
        if is_held != self._is_held:
            self._is_held = is_held
            if self._producer is not None:
                self._producer.pauseProducing() if is_held else self._producer.resumeProducing()

    def pauseProducing(self) -> None:
        """ITransport: entries wait in `Entries`, which has its own bound."""

    def resumeProducing(self) -> None:
        """ITransport: as for the pause."""


@implementer(IPushProducer)
class _Pace:
    """Tells the rows when the terminal is slow."""

    def __init__(self, rows: _RowTransport) -> None:
        self._rows = rows

    def pauseProducing(self) -> None:
        self._set(True)

    def resumeProducing(self) -> None:
        self._set(False)

    def stopProducing(self) -> None:
        """The terminal is gone: the editor ends by itself."""

    def _set(self, is_slow: bool) -> None:
        self._rows.is_slow = is_slow
        self._rows.look()


class EditedLines(Lines):
    """Lines on a terminal, with an editor at the bottom; the editor's `EditorUser`.

    :param number: the terminal, as a descriptor that does not block.
    :param size: columns and rows of the terminal now.
    """

    uses_asyncio = True

    def __init__(
        self,
        launch: Launch,
        language: Language,
        now: Callable[[], str],
        number: int,
        size: Callable[[], tuple[int, int]],
    ) -> None:
        self._entries = Entries()
        super().__init__(
            language,
            launch.reactor,
            launch.leave,
            patient=False,
            stay=launch.arguments.stay,
            hide=self._hide,
            source=self._entries,
            first=orders_of(launch),
        )
        self._launch, self._now, self._size = launch, now, size
        self._writer = TerminalWriter(launch.reactor, number)
        self._editor = LineEditor(self, launch.reactor, self._writer, self._rows_and_columns)
        self._loop = LoopApplication(launch.reactor, self._editor.end)
        self._rows = _RowTransport(self._editor, self._loop.close)
        self._writer.registerProducer(_Pace(self._rows), True)
        self._api: ClientApi | None = None
        self._history = CommandHistory(None, self.notice)
        self._peer = ""
        self._asked: tuple[str, float] | None = None
        self._ticks = LoopingCall(self._tick)
        self._ticks.clock = launch.reactor

    def _rows_and_columns(self) -> Size:
        columns, rows = self._size()
        return Size(rows=rows, columns=columns)

    # --- UserFrontend -----------------------------------------------------------------------

    def start(self) -> Deferred[None]:
        """UserFrontend."""
        self.makeConnection(cast(Any, self._rows))
        ended = self._loop.start(self._editor.run())
        return ended.addBoth(self._editor_ended)

    def begin(self, role: ClientApi, folder: Path | None = None) -> None:
        """UserFrontend."""
        self._api = role
        self._history = CommandHistory(folder, self._history_failed)
        for command in self._history.commands:
            self._editor.remember(command)
        super().begin(role, folder)
        self._editor.redraw()

    def show(self, event: Event) -> None:
        """Frontend."""
        if isinstance(event, ChatStarted):
            self._peer = event.name
        elif isinstance(event, Asked):
            self._asked = (event.name, self._launch.reactor.seconds() + event.seconds)
            if not self._ticks.running:
                self._ticks.start(1.0, now=False)
        super().show(event)
        self._launch.reactor.callLater(0, self._editor.redraw)  # the state follows the event

    def _editor_ended(self, result: Any) -> Any:
        if self._ticks.running:
            self._ticks.stop()
        self.connectionLost(Failure(SecurecomError("the terminal was closed")))
        return result

    def control(self, text: str) -> None:
        """Write control characters, which move nothing on the screen."""
        self._writer.write(text.encode("ascii", "ignore"))

    def heed(self, attention: Attention) -> None:
        """Have somebody who does not look called; a key says that they look."""
        self.attention = attention
        self._editor.looked = attention.looked

    def continued(self) -> None:
        """We go on after a stop."""
        self._editor.continued()

    # --- EditorUser -------------------------------------------------------------------------

    def prompt(self) -> str:
        """EditorUser."""
        api = self._api
        if api is None or api.name is None:
            return "> "
        doing = self._doing(api)
        return f"{api.name} ({doing})> " if doing else f"{api.name}> "

    def _doing(self, api: ClientApi) -> str:
        match api.state:
            case ClientState.OFFLINE:
                return "offline"
            case ClientState.ASKED if self._asked is not None:
                name, until = self._asked
                left = max(0, round(until - self._launch.reactor.seconds()))
                return f"{name} asks, {left} s"
            case ClientState.ASKING:
                return "asking"
            case ClientState.OPENING:
                return "opening the chat"
            case ClientState.CHAT:
                trust = {one.name: one.trust for one in api.people}.get(self._peer)
                return f"chat with {self._peer}{'' if trust == 'verified' else ', NOT VERIFIED'}"
        return ""

    def _tick(self) -> None:
        """Once a second while somebody waits for an answer: the prompt counts."""
        if self._api is None or self._api.state is not ClientState.ASKED:
            self._asked = None
            self._ticks.stop()
        self._editor.redraw()

    def addressee(self) -> str | None:
        """EditorUser."""
        in_chat = self._api is not None and self._api.state is ClientState.CHAT
        return self._peer if in_chat else None

    def entered(self, text: str) -> bool:
        """EditorUser."""
        if not text.strip():
            return True
        if self._entries.is_full:
            self._editor.bell()
            return False
        try:
            check(text)
        except SecurecomError as error:
            self.show(problem(error))
            return False
        self._echo(text)
        if is_command(text) and self._history.add(text):
            self._editor.remember(text)
        self.dataReceived(text.encode("utf-8", "replace"))
        return True

    def _echo(self, text: str) -> None:
        """What was entered, where everybody else's words are too."""
        name = "" if self._api is None or self._api.name is None else self._api.name
        language = self._language
        assert isinstance(language, Plain)  # noqa: S101
        self._output.write(language.own_rows(f"{name}>", text))

    def secret(self, text: str) -> None:
        """EditorUser."""
        if not self._entries.is_full:
            self.dataReceived(text.encode("utf-8", "replace"))

    def completed(self, text: str) -> Completion:
        """EditorUser."""
        return complete(text, self._api)

    def notice(self, text: str) -> None:
        """EditorUser."""
        self.show(Notice(text))

    async def write_elsewhere(self, text: str) -> str | None:
        """EditorUser."""
        try:
            return await outside_editor.edited(text, self._launch.reactor, os.environ)
        except SecurecomError as error:
            self.show(problem(error))
            return None

    def leave(self) -> None:
        """EditorUser."""
        self._leave()

    # --- orders -----------------------------------------------------------------------------

    def _report(self, order: Order, result: Any, error: SecurecomError | None) -> None:
        super()._report(order, result, error)
        if error is not None and order.command is commands.SAY:
            self._editor.put_back(order.argument)
        self._editor.redraw()

    def _hide(self, hidden: bool) -> None:
        if not hidden:
            self._entries.clear()
        self._editor.hide(hidden)

    def _history_failed(self, reason: str) -> None:
        self.notice(f"commands are not kept for the next time: {shown(reason)}")


def is_command(text: str) -> bool:
    """The text is a command that could be carried out at some time, and not a message."""
    try:
        order = Typed().read(text)
    except SecurecomError:
        return False
    return isinstance(order, Order) and order.command is not commands.SAY


def check(text: str) -> None:
    """What the editor keeps instead of handing it over.

    :raises BadArgument: for a command of several lines. :raises TooLong: for more than a message.
    """
    first, _, rest = text.partition("\n")
    if rest and is_command(first):
        raise BadArgument(
            "a command has one line, and this has more",
            "Nothing was sent or done. To send it as a message, begin with a word or with //.",
        )
    size = len(encoded(text.removeprefix("/") if text.startswith("//") else text))
    if size > limits.MAX_TEXT:
        raise TooLong(
            f"a message holds at most {limits.MAX_TEXT} bytes, and this has {size}",
            "Nothing was sent. It is still in the editor: shorten it.",
        )
