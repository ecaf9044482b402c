"""A line editor under the lines that are printed: what happens does not touch what is being typed.

prompt_toolkit does the editing. What it draws is erased before lines are printed, and drawn again
below them, all in one write. It never asks the terminal where the cursor is, so it never waits for
an answer, and nothing here waits for a terminal that is slow.
"""

from __future__ import annotations

import asyncio
import io
import os
import select
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TextIO, cast

from prompt_toolkit.application import Application
from prompt_toolkit.application.run_in_terminal import in_terminal
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.data_structures import Size
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input.typeahead import store_typeahead
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.key_binding.key_processor import KeyPress
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import ConditionalContainer, HSplit, Layout, Window
from prompt_toolkit.layout.controls import BufferControl, FormattedTextControl
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.layout.processors import (
    BeforeInput,
    Processor,
    Transformation,
    TransformationInput,
)
from prompt_toolkit.output.color_depth import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.styles import DummyStyle

from securecom import limits
from securecom.client.frontends.tab_completion import Completion
from securecom.client.frontends.terminal_writer import TerminalWriter, hung_up
from securecom.signals import on_signal
from securecom.text import shown

_KEYS = (signal.SIGINT, signal.SIGQUIT)
_PASTE_ON, _PASTE_OFF = "\x1b[?2004h", "\x1b[?2004l"


class EditorUser(Protocol):
    """Who uses the editor: what it asks, and what it hands over."""

    def prompt(self) -> str:
        """What stands in front of the line."""

    def addressee(self) -> str | None:
        """The person to whom a message would go now."""

    def entered(self, text: str) -> bool:
        """Enter was pressed. False: the text stays in the editor."""

    def secret(self, text: str) -> None:
        """A pass phrase was entered; empty: cancelled."""

    def completed(self, text: str) -> Completion:
        """How the text before the cursor may go on."""

    def notice(self, text: str) -> None:
        """Show a line about what was typed."""

    def write_elsewhere(self, text: str) -> Any:
        """Have the text edited by the user's own editor; awaited, returns it, or None."""

    def leave(self) -> None:
        """The user wants to leave."""


class _Hidden(Processor):
    """Shows nothing of what is typed, not even how much it is."""

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        """Processor."""
        return Transformation([], lambda _: 0, lambda _: 0)


class _Input(Vt100Input):
    """Takes what was typed ahead, and notices that the terminal is gone.

    Lines that were typed before there was an editor end with a line feed, which is no Enter later.
    """

    def __init__(self, stdin: TextIO) -> None:
        super().__init__(stdin)
        while select.select([self.fileno()], [], [], 0)[0]:
            line = os.read(self.fileno(), limits.MAX_LINE)
            if not line:
                break
            self.vt100_parser.feed(line.decode("utf-8", "replace").replace("\n", "\r"))
        store_typeahead(self, self._buffer)
        self._buffer = []

    def read_keys(self) -> list[KeyPress]:
        """Input."""
        if hung_up(self.fileno()):
            self.stdin_reader.closed = True
            return []
        return super().read_keys()


class _Written(io.TextIOBase):
    """What prompt_toolkit writes to: hands it to the writer."""

    encoding = "utf-8"

    def __init__(self, writer: TerminalWriter) -> None:
        super().__init__()
        self._writer = writer

    def write(self, text: str) -> int:
        """TextIO."""
        self._writer.write(text.encode("utf-8", "backslashreplace"))
        return len(text)

    def flush(self) -> None:
        """TextIO: the writer writes by itself."""


class _Output(Vt100_Output):
    """Leaves the paste mode alone, which would otherwise be off for a moment with each line."""

    def enable_bracketed_paste(self) -> None:
        """Output: the editor does it, once."""

    def disable_bracketed_paste(self) -> None:
        """Output: the editor does it, once."""


class LineEditor:
    """One line, or a few, at the bottom of a terminal."""

    def __init__(
        self, user: EditorUser, reactor: Any, writer: TerminalWriter, size: Callable[[], Size]
    ) -> None:
        self._user, self._reactor, self._writer, self._size = user, reactor, writer, size
        self._question: tuple[str, Callable[[], None]] | None = None
        self._is_hidden = self._is_pasted = self._is_elsewhere = False
        self._rows: list[str] = []
        self._task: asyncio.Task[Any] | None = None  # ours
        self._lent: asyncio.Task[None] | None = None  # whoever has the terminal meanwhile
        self._print_is_due = False
        self._is_ready = self._is_over = self._was_stopped = False
        #: Called after lines were printed, or can be printed again.
        self.printed: Callable[[], None] = lambda: None
        #: Called at every key.
        self.looked: Callable[[], None] = lambda: None
        self.buffer = Buffer(history=InMemoryHistory(), multiline=True)
        self.secret = Buffer(multiline=False)
        self._output = _Output(
            cast(TextIO, _Written(writer)), size, enable_cpr=False, enable_bell=True
        )
        self._app: Application[None] = Application(
            layout=self._layout(),
            key_bindings=self._keys(),
            style=DummyStyle(),
            include_default_pygments_style=False,
            color_depth=ColorDepth.DEPTH_1_BIT,
            erase_when_done=True,
            terminal_size_polling_interval=None,
            input=_Input(sys.stdin),
            output=self._output,
        )
        self._app.ttimeoutlen = limits.ESCAPE_ALONE
        self._app.key_processor.before_key_press += lambda _: self.looked()

    # --- running ----------------------------------------------------------------------------

    async def run(self) -> None:
        """Edit until cancelled, or until the terminal is gone; then it is as it was before."""
        handled = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(handled)
        self._task = asyncio.current_task()
        self._writer.write(_PASTE_ON.encode())
        try:
            await self._app.run_async(
                pre_run=partial(self._soon, handled),
                handle_sigint=False,
                set_exception_handler=False,
            )
        except EOFError:
            pass
        finally:
            self._is_over = True
            self._print()
            self._writer.write(_PASTE_OFF.encode())
            self._writer.loseConnection()
            written = self._writer.over.asFuture(asyncio.get_running_loop())
            await asyncio.wait([written], timeout=limits.CLOSE_DEADLINE / 2)

    def end(self) -> None:
        """End the editor, and whatever the terminal is lent to."""
        if self._is_ready:
            self._ending = asyncio.get_running_loop().create_task(self._end_soon())
        elif self._task is not None:
            self._task.cancel()

    async def _end_soon(self) -> None:
        if self._lent is not None and not self._lent.done():
            self._lent.cancel()  # the application waits for it
            await asyncio.wait([self._lent], timeout=limits.CLOSE_DEADLINE / 2)
        if self._app.is_running and not self._app.is_done:
            self._app.exit()

    def _soon(self, handled: int) -> None:
        asyncio.get_running_loop().call_soon(self._take_signals, handled)

    def _take_signals(self, handled: int) -> None:
        """Back from asyncio, whose handler keeps from Twisted that a child process has ended."""
        self._is_ready = True
        asyncio.get_running_loop().remove_signal_handler(signal.SIGWINCH)
        signal.set_wakeup_fd(handled)
        on_signal(self._reactor, signal.SIGWINCH, self._resized)
        on_signal(self._reactor, signal.SIGTSTP, self.suspend, os.getpid())
        self._print()

    def _resized(self) -> None:
        if not self._is_over:
            self._app._on_resize()

    def continued(self) -> None:
        """We had been stopped; whoever stopped us may have left the terminal otherwise."""
        was_stopped, self._was_stopped = self._was_stopped, False
        if was_stopped or self._is_over or self._is_elsewhere or _is_in_background():
            return
        with self._app.input.cooked_mode():  # so that raw mode is set anew, and not left
            pass
        self._app.input.raw_mode().__enter__()
        self._writer.write(_PASTE_ON.encode())
        self._app.renderer.reset()
        self.redraw()

    def suspend(self, whom: int = 0) -> None:
        """Stop, as by Ctrl-Z.

        :param whom: our process alone, or 0: everything that runs in the foreground.
        """
        if self._is_elsewhere:  # whoever has the terminal was told to stop too
            self._stop(os.getpid())
        else:
            self._away(self._stopped(whom))

    async def _stopped(self, whom: int) -> None:
        self._stop(whom)

    def _stop(self, whom: int) -> None:
        self._was_stopped = True
        ours = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(whom, signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, ours)

    def _away(self, doing: Any) -> None:
        """The terminal belongs to somebody else until this is done."""
        if self._is_over or self._is_elsewhere:
            doing.close()
            return
        self._is_elsewhere = True
        self._lent = asyncio.get_running_loop().create_task(self._lend(doing))

    async def _lend(self, doing: Any) -> None:
        try:
            async with in_terminal():
                self._writer.write(_PASTE_OFF.encode())
                self._writer.doWrite()
                try:
                    await doing
                finally:
                    self._writer.write(_PASTE_ON.encode())
        finally:
            self._is_elsewhere = False
            self._print()

    # --- what is shown ----------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Lines wait that cannot be printed now."""
        return self._is_elsewhere or sum(map(len, self._rows)) > limits.MAX_UNSHOWN

    def print(self, rows: str) -> None:
        """Print lines above the editor, together with others that come at about the same time."""
        self._rows.append(rows)
        if not self._print_is_due:
            self._print_is_due = True
            self._reactor.callLater(limits.ROWS_TOGETHER, self._print)

    def _print(self) -> None:
        self._print_is_due = False
        if (self._is_elsewhere or not self._is_ready) and not self._is_over:
            return
        rows, self._rows = "".join(self._rows).replace("\n", "\r\n"), []
        if rows:
            if not self._is_over:
                self._app.renderer.erase()
            self._output.write_raw(rows)
            self._output.flush()
            self.redraw()
        self.printed()

    def redraw(self) -> None:
        """Draw the prompt anew."""
        if self._is_ready and not self._is_over and not self._is_elsewhere:
            self._app._redraw()

    def bell(self) -> None:
        """Ring."""
        self._output.bell()
        self._output.flush()

    def hide(self, hidden: bool) -> None:
        """What is typed from now on is a pass phrase, or is none any more."""
        self._is_hidden, self._question = hidden, None
        self.secret.reset()
        self._app.layout.focus(self._secret_window if hidden else self._window)
        self.redraw()

    def put_back(self, text: str) -> None:
        """What could not be sent, unless something else is being typed."""
        if not self.buffer.text:
            self.buffer.document = Document(text)
            self.redraw()

    def remember(self, command: str) -> None:
        """Put a command into the history."""
        self.buffer.history.append_string(command)
        self.buffer.reset(self.buffer.document)  # what is being typed stays

    def _layout(self) -> Layout:
        hidden = Condition(lambda: self._is_hidden)
        asks = Condition(lambda: self._question is not None)
        self._window = Window(
            BufferControl(
                self.buffer,
                input_processors=[BeforeInput(lambda: shown(self._user.prompt()))],
                include_default_input_processors=False,
            ),
            wrap_lines=True,
            dont_extend_height=True,
            height=lambda: Dimension(min=1, max=max(1, self._size().rows // 2)),
        )
        self._secret_window = Window(
            BufferControl(
                self.secret,
                input_processors=[_Hidden(), BeforeInput("(hidden)> ")],
                include_default_input_processors=False,
            ),
            dont_extend_height=True,
            height=1,
        )
        question = FormattedTextControl(lambda: self._question[0] if self._question else "")
        return Layout(
            HSplit(
                [
                    ConditionalContainer(self._window, ~hidden),
                    ConditionalContainer(self._secret_window, hidden),
                    ConditionalContainer(
                        Window(question, wrap_lines=True, dont_extend_height=True), asks
                    ),
                ]
            ),
            focused_element=self._window,
        )

    # --- keys -------------------------------------------------------------------------------

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()
        hidden = Condition(lambda: self._is_hidden)
        asks = Condition(lambda: self._question is not None)
        edits = ~hidden & ~asks

        def on(*names: Any, when: Any = edits, **more: Any) -> Callable[[Any], Any]:
            return keys.add(*names, filter=when, **more)

        on("enter")(lambda _: self._enter())
        on("escape", "enter")(lambda event: event.current_buffer.insert_text("\n"))
        on("c-j")(lambda event: event.current_buffer.insert_text("\n"))
        on("tab")(lambda _: self._complete())
        on("c-c")(lambda _: self._interrupt())
        on("c-d", when=edits & Condition(lambda: not self.buffer.text))(lambda _: self._end())
        on("c-x", "c-e")(lambda _: self._away(self._elsewhere()))
        on(Keys.BracketedPaste)(self._paste)
        on("enter", when=hidden)(lambda _: self._secret_entered(self.secret.text))
        on("c-j", when=hidden)(lambda _: self._secret_entered(self.secret.text))
        on("c-c", when=hidden)(lambda _: self._secret_entered(""))
        on("c-d", when=hidden)(lambda _: self._secret_entered(""))
        on(Keys.BracketedPaste, when=hidden)(
            lambda event: self.secret.insert_text(event.data.rstrip("\r\n"))
        )
        on("tab", when=hidden)(lambda _: None)
        on("c-z", when=~asks)(lambda _: self.suspend())
        on("c-\\", when=~asks)(lambda _: os.kill(os.getpid(), signal.SIGQUIT))
        on("enter", when=asks)(lambda _: self._answer(True))
        on("escape", when=asks, eager=True)(lambda _: self._answer(False))
        on("c-c", when=asks)(self._again)
        on("c-d", when=asks)(self._again)
        on(Keys.Any, when=asks)(self._otherwise)
        return keys

    def _enter(self) -> None:
        text = self.buffer.text
        lines = text.count("\n") + 1
        if self._is_pasted and lines > 1:
            whom = self._user.addressee()
            if whom is not None:
                what = f"Send {lines} lines to {whom} as one message? Enter / Esc"
                self._ask(what, self._hand_over)
                return
        self._hand_over()

    def _hand_over(self) -> None:
        if self._user.entered(self.buffer.text):
            self.buffer.reset()
            self._is_pasted = False

    def _secret_entered(self, text: str) -> None:
        self.secret.reset()
        self._user.secret(text)

    def _paste(self, event: KeyPressEvent) -> None:
        """All of it as one message: its line feeds end lines, and nothing else happens."""
        text = event.data.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
        text = "".join(c for c in text if c in "\n\t" or c.isprintable() or c > "\x9f")
        if len(self.buffer.text) + len(text) > limits.MAX_LINE:
            self._user.notice(f"a paste of {len(text)} characters is too long: it was left out")
            return
        self.buffer.insert_text(text)
        if "\n" in text:
            self._is_pasted = True
            self._enter()

    def _complete(self) -> None:
        before = self.buffer.document.text_before_cursor
        found = self._user.completed(before)
        if found.text != before:
            self.buffer.delete_before_cursor(len(before) - found.start)
            self.buffer.insert_text(found.text[found.start :])
        elif found.candidates:
            self._user.notice("  ".join(shown(one.text) for one in found.candidates))
        else:
            self.bell()

    def _interrupt(self) -> None:
        """Ctrl-C."""
        if self.buffer.text:
            self.buffer.reset()
            self._is_pasted = False
        else:
            self._ask("Leave securecom? Ctrl-C again, or Enter / Esc", self._user.leave)

    def _end(self) -> None:
        """Ctrl-D on an empty line."""
        whom = self._user.addressee()
        if whom is None:
            self._user.leave()
        else:
            self._ask(f"Leave the chat with {whom}, and securecom? Enter / Esc", self._user.leave)

    async def _elsewhere(self) -> None:
        # Keys that send signals are the other program's now, though the terminal tells us too.
        handlers = {number: signal.signal(number, _not_ours) for number in _KEYS}
        try:
            text = await self._user.write_elsewhere(self.buffer.text)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        if text is not None:
            self.buffer.document = Document(text)
            self._is_pasted = False

    # --- questions: one key answers -----------------------------------------------------------

    def _ask(self, question: str, then: Callable[[], None]) -> None:
        self._question = (question, then)
        self.redraw()

    def _answer(self, is_yes: bool) -> None:
        question, self._question = self._question, None
        if is_yes and question is not None:
            question[1]()

    def _again(self, event: KeyPressEvent) -> None:
        """The key that asked answers too; it never sends anything."""
        is_leaving = self._question is not None and self._question[1] == self._user.leave
        self._answer(is_leaving)
        if not is_leaving and event.key_sequence[0].key == Keys.ControlC:
            self._interrupt()

    def _otherwise(self, event: KeyPressEvent) -> None:
        """Somebody types on: that is no answer, and no key is lost."""
        self._question = None
        event.app.key_processor.feed_multiple(event.key_sequence, first=True)


def _not_ours(*_: object) -> None:
    """A signal's handler; a program that we start does not inherit it, as it would SIG_IGN."""


def _is_in_background() -> bool:
    try:
        return os.tcgetpgrp(0) != os.getpgrp()
    except OSError:
        return True
