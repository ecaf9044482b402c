"""What keys do in the line editor, and what it draws."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any

from prompt_toolkit.data_structures import Size
from prompt_toolkit.input.defaults import create_pipe_input
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.frontends import line_editor
from securecom.client.frontends.line_editor import LineEditor
from securecom.client.frontends.tab_completion import Candidate, Completion

ENTER, ESCAPE, TAB, CTRL_C, CTRL_D, CTRL_J = "\r", "\x1b", "\t", "\x03", "\x04", "\n"
LEFT = "\x1b[D"
UP, ALT_ENTER, CTRL_E = "\x1b[A", "\x1b\r", "\x18\x05"


def pasted(text: str) -> str:
    return f"\x1b[200~{text}\x1b[201~"


class Writer:
    """A `TerminalWriter` that keeps what it gets."""

    def __init__(self) -> None:
        self.text = ""
        self.over: Deferred[None] = Deferred()

    def write(self, data: bytes) -> None:
        self.text += data.decode()

    def doWrite(self) -> None:  # noqa: N802
        """All is written at once."""

    def loseConnection(self) -> None:
        self.over.callback(None)


class User:
    """An `EditorUser` who takes everything."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.secrets: list[str] = []
        self.notices: list[str] = []
        self.leaves = 0
        self.takes = True
        self.whom: str | None = None
        self.completion = Completion("", 0)
        self.written: str | None = None
        self.has_elsewhere: list[str] = []

    def prompt(self) -> str:
        return "alice> "

    def addressee(self) -> str | None:
        return self.whom

    def entered(self, text: str) -> bool:
        self.lines.append(text)
        return self.takes

    def secret(self, text: str) -> None:
        self.secrets.append(text)

    def completed(self, text: str) -> Completion:
        return self.completion

    def notice(self, text: str) -> None:
        self.notices.append(text)

    async def write_elsewhere(self, text: str) -> str | None:
        self.has_elsewhere.append(text)
        return self.written

    def leave(self) -> None:
        self.leaves += 1


class EditorCase(SynchronousTestCase):
    def setUp(self) -> None:
        for number in (signal.SIGWINCH, signal.SIGTSTP):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        wakes = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(wakes)
        self.addCleanup(signal.set_wakeup_fd, wakes)
        self.loop = asyncio.new_event_loop()
        self.addCleanup(self.loop.close)
        self.user = User()
        self.writer: Any = Writer()
        self.reactor: Any = MemoryReactorClock()
        self.size = Size(rows=24, columns=80)

    def with_editor(self, scenario: Callable[[LineEditor, Callable[[str], Any]], Any]) -> None:
        """Run a scenario with an editor and something that presses keys."""

        async def run() -> None:
            self.writer.over = Deferred()
            with create_pipe_input() as pipe:
                self.patch(line_editor, "_Input", lambda _: pipe)
                editor = LineEditor(
                    self.user,
                    self.reactor,
                    self.writer,
                    lambda: self.size,
                )
                task = asyncio.ensure_future(editor.run())

                async def keys(text: str) -> None:
                    pipe.send_text(text)
                    await self.turns()

                await self.turns()
                await scenario(editor, keys)
                editor.end()
                await task

        self.loop.run_until_complete(run())

    async def turns(self) -> None:
        for _ in range(30):
            await asyncio.sleep(0)

    def after(self, *texts: str) -> User:
        async def scenario(editor: LineEditor, keys: Callable[[str], Any]) -> None:
            for text in texts:
                await keys(text)
            self.left = editor.buffer.text

        self.with_editor(scenario)
        return self.user


class KeyTests(EditorCase):
    def test_a_line(self) -> None:
        self.assertEqual(self.after("hello", ENTER).lines, ["hello"])
        self.assertEqual(self.left, "")

    def test_what_is_not_taken_stays(self) -> None:
        self.user.takes = False
        self.after("hello", ENTER)
        self.assertEqual(self.left, "hello")

    def test_several_lines(self) -> None:
        self.assertEqual(self.after("a", ALT_ENTER, "b", CTRL_J, "c", ENTER).lines, ["a\nb\nc"])

    def test_control_c_clears_then_asks(self) -> None:
        self.after("half", CTRL_C)
        self.assertEqual((self.left, self.user.leaves), ("", 0))
        self.assertEqual(self.after(CTRL_C).leaves, 0)
        self.assertIn("Leave securecom?", self.writer.text)
        self.assertEqual(self.after(CTRL_C, CTRL_C).leaves, 1)

    def test_to_type_on_is_no_answer_and_no_key_is_lost(self) -> None:
        user = self.after(CTRL_C, "hello", ENTER)
        self.assertEqual((user.leaves, user.lines), (0, ["hello"]))

    def test_control_d_leaves_and_asks_in_a_chat(self) -> None:
        self.assertEqual(self.after("ab", CTRL_D).leaves, 0)
        self.assertEqual(self.after(CTRL_D).leaves, 1)
        self.user.whom = "bob"
        self.assertEqual(self.after(CTRL_D).leaves, 1)
        self.assertIn("Leave the chat with bob", self.writer.text)
        self.assertEqual(self.after(CTRL_D, CTRL_D).leaves, 2)

    def test_completion(self) -> None:
        self.user.completion = Completion("/chat ", 0, (Candidate("/chat"),))
        self.after("/cha", TAB)
        self.assertEqual(self.left, "/chat ")

    def test_several_ways_are_shown(self) -> None:
        self.user.completion = Completion("/a", 0, (Candidate("/away"), Candidate("/accept")))
        self.after("/a", TAB)
        self.assertEqual((self.left, self.user.notices), ("/a", ["/away  /accept"]))

    def test_no_way_rings(self) -> None:
        self.user.completion = Completion("/x", 0)
        self.after("/x", TAB)
        self.assertIn("\a", self.writer.text)

    def test_commands_come_back_and_what_was_said_does_not(self) -> None:
        async def scenario(editor: LineEditor, keys: Callable[[str], Any]) -> None:
            editor.remember("/users")
            await keys("hello" + ENTER)
            editor.redraw()  # which loads the history
            await self.turns()
            await keys(UP)
            await self.turns()
            self.assertEqual(editor.buffer.text, "/users")

        self.with_editor(scenario)

    def test_the_history_comes_while_somebody_types(self) -> None:
        async def scenario(editor: LineEditor, keys: Callable[[str], Any]) -> None:
            await keys("half typed" + LEFT)
            editor.remember("/users")
            await keys("x" + ENTER)

        self.with_editor(scenario)
        self.assertEqual(self.user.lines, ["half typexd"])

    def test_the_users_own_editor(self) -> None:
        self.user.written = "two\nlines"
        self.after("begun", CTRL_E)
        self.assertEqual((self.left, self.user.has_elsewhere), ("two\nlines", ["begun"]))

    def test_the_users_own_editor_fails(self) -> None:
        self.after("begun", CTRL_E)
        self.assertEqual(self.left, "begun")

    def test_put_back(self) -> None:
        async def scenario(editor: LineEditor, keys: Callable[[str], Any]) -> None:
            editor.put_back("not sent")
            self.assertEqual(editor.buffer.text, "not sent")
            editor.put_back("another")
            self.assertEqual(editor.buffer.text, "not sent")

        self.with_editor(scenario)


class PasteTests(EditorCase):
    def test_one_line_is_only_inserted(self) -> None:
        self.user.whom = "bob"
        self.assertEqual(self.after(pasted("one\n")).lines, [])
        self.assertEqual(self.left, "one")

    def test_several_are_one_message_after_a_question(self) -> None:
        self.user.whom = "bob"
        text = pasted("one\r\ntwo\r/exit\nfour\n")
        self.assertEqual(self.after(text).lines, [])
        self.assertIn("Send 4 lines to bob as one message? Enter / Esc", self.writer.text)
        self.assertEqual(self.after(text, ENTER).lines, ["one\ntwo\n/exit\nfour"])

    def test_escape_goes_back_to_the_text(self) -> None:
        self.user.whom = "bob"
        self.patch(limits, "ESCAPE_ALONE", 0.0)

        async def scenario(editor: LineEditor, keys: Callable[[str], Any]) -> None:
            await keys(pasted("one\ntwo"))
            await keys(ESCAPE)
            while editor._question is not None:
                await asyncio.sleep(0)
            self.assertEqual((editor.buffer.text, self.user.lines), ("one\ntwo", []))

        self.with_editor(scenario)

    def test_control_c_never_sends(self) -> None:
        self.user.whom = "bob"
        self.assertEqual(self.after(pasted("one\ntwo"), CTRL_C).lines, [])
        self.assertEqual(self.left, "")

    def test_out_of_a_chat_nothing_is_asked(self) -> None:
        self.assertEqual(self.after(pasted("one\ntwo")).lines, ["one\ntwo"])

    def test_control_characters_are_left_out(self) -> None:
        self.after(pasted("a\x1b[2J\x07b\tc\x9b"))
        self.assertEqual(self.left, "a[2Jb\tc")

    def test_one_that_is_too_long(self) -> None:
        self.patch(limits, "MAX_LINE", 100)
        self.after(pasted("x" * 101))
        self.assertEqual(self.left, "")
        self.assertIn("too long", self.user.notices[0])


class SecretTests(EditorCase):
    # Promise R44
    def test_it_is_not_shown_and_the_draft_comes_back(self) -> None:
        async def scenario(editor: LineEditor, keys: Callable[[str], Any]) -> None:
            await keys("a draft")
            editor.hide(True)
            await keys("correct" + ENTER)
            await keys(pasted("horse\n"))
            await keys(CTRL_J)
            await keys("left over")
            editor.hide(False)
            await self.turns()
            await keys(ENTER)

        self.with_editor(scenario)
        self.assertEqual(self.user.secrets, ["correct", "horse"])
        self.assertEqual(self.user.lines, ["a draft"])
        for secret in ("correct", "horse", "left"):
            self.assertNotIn(secret[:3], self.writer.text)

    def test_control_c_and_control_d_cancel(self) -> None:
        async def scenario(editor: LineEditor, keys: Callable[[str], Any]) -> None:
            editor.hide(True)
            for key in (CTRL_C, CTRL_D):
                await keys("half")
                await keys(key)

        self.with_editor(scenario)
        self.assertEqual((self.user.secrets, self.user.leaves), (["", ""], 0))


class DrawingTests(EditorCase):
    def test_lines_are_printed_above_what_is_being_typed(self) -> None:
        async def scenario(editor: LineEditor, keys: Callable[[str], Any]) -> None:
            await keys("half typed")
            self.writer.text = ""
            editor.print("one\n")
            editor.print("two\n")
            self.assertEqual(self.writer.text, "")
            self.reactor.advance(limits.ROWS_TOGETHER)
            self.assertIn("one\r\ntwo\r\n", self.writer.text)
            self.assertIn("half typed", self.writer.text.split("two\r\n")[1])
            self.assertEqual(editor.buffer.text, "half typed")

        self.with_editor(scenario)

    def test_the_paste_mode_is_on_all_the_time_and_off_afterwards(self) -> None:
        async def scenario(editor: LineEditor, keys: Callable[[str], Any]) -> None:
            for _ in range(3):
                editor.print("a line\n")
                self.reactor.advance(limits.ROWS_TOGETHER)
            self.assertEqual(self.writer.text.count("\x1b[?2004h"), 1)
            self.assertNotIn("\x1b[?2004l", self.writer.text)

        self.with_editor(scenario)
        self.assertTrue(self.writer.text.endswith("\x1b[?2004l"))

    def test_the_cursor_is_never_asked_for(self) -> None:
        self.after("hello", ENTER)
        self.assertNotIn("\x1b[6n", self.writer.text)

    def test_what_was_to_be_printed_is_printed_at_the_end(self) -> None:
        async def scenario(editor: LineEditor, keys: Callable[[str], Any]) -> None:
            editor.print("the last line\n")

        self.with_editor(scenario)
        self.assertIn("the last line\r\n", self.writer.text)

    def test_nothing_is_drawn_while_the_terminal_is_lent(self) -> None:
        done = asyncio.Event()

        async def elsewhere(text: str) -> str | None:
            await done.wait()
            return None

        self.patch(self.user, "write_elsewhere", elsewhere)

        async def scenario(editor: LineEditor, keys: Callable[[str], Any]) -> None:
            await keys(CTRL_E)
            self.assertTrue(editor.is_full)
            self.assertIn("\x1b[?2004l", self.writer.text)
            self.writer.text = ""
            editor.print("a line\n")
            self.reactor.advance(limits.ROWS_TOGETHER)
            editor.redraw()
            self.assertEqual(self.writer.text, "")
            done.set()
            await self.turns()
            self.assertIn("a line\r\n", self.writer.text)
            self.assertIn("\x1b[?2004h", self.writer.text)
            self.assertFalse(editor.is_full)

        self.with_editor(scenario)

    def test_the_end_takes_the_terminal_back(self) -> None:
        ended: list[str] = []

        async def elsewhere(text: str) -> str | None:
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                ended.append("editor")
            return None

        self.patch(self.user, "write_elsewhere", elsewhere)
        self.after(CTRL_E)
        self.assertEqual(ended, ["editor"])

    def test_twisted_still_hears_of_children_that_end(self) -> None:
        """prompt_toolkit's handler of one signal would take all of them from it."""
        wakes = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(wakes)

        async def scenario(editor: LineEditor, keys: Callable[[str], Any]) -> None:
            now = signal.set_wakeup_fd(wakes)
            self.assertEqual(now, wakes)

        self.with_editor(scenario)

    def test_a_smaller_window(self) -> None:
        async def scenario(editor: LineEditor, keys: Callable[[str], Any]) -> None:
            await keys("half typed")
            self.size = Size(rows=10, columns=12)
            self.writer.text = ""
            editor._resized()
            await self.turns()
            self.assertIn("typed", self.writer.text)

        self.with_editor(scenario)
