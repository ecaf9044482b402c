"""Lines with an editor: what is handed over, what is kept, and what the prompt says."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.api import ClientState, Launch
from securecom.client.events import Asked, ChatStarted, ListedUser, Notice
from securecom.client.frontends import commands, edited_lines
from securecom.client.frontends.attention import Attention, Means
from securecom.client.frontends.command_history import FILE
from securecom.client.frontends.edited_lines import EditedLines, Entries, check, is_command
from securecom.client.frontends.orders import Order
from securecom.client.frontends.plain import Plain
from securecom.errors import BadArgument, NotNow, TooLong
from securecom.identity import Name
from securecom.tests.support.scripted_core import ScriptedCore


class Editor:
    """A `LineEditor` that draws nothing."""

    def __init__(self, *_: Any) -> None:
        self.rows = ""
        self.is_full = False
        self.remembered: list[str] = []
        self.hidden: list[bool] = []
        self.back: list[str] = []
        self.bells = self.redrawn = 0
        self.printed: Any = None

    def print(self, rows: str) -> None:
        self.rows += rows

    def remember(self, command: str) -> None:
        self.remembered.append(command)

    def hide(self, hidden: bool) -> None:
        self.hidden.append(hidden)

    def put_back(self, text: str) -> None:
        self.back.append(text)

    def redraw(self) -> None:
        self.redrawn += 1

    def bell(self) -> None:
        self.bells += 1

    def end(self) -> None:
        """Nothing runs."""


class EditedLinesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(edited_lines, "LineEditor", Editor)
        self.reactor: Any = MemoryReactorClock()
        self.leaves: list[None] = []
        launch = Launch(Namespace(stay=False), self.reactor, lambda: self.leaves.append(None))
        null = os.open(os.devnull, os.O_WRONLY)
        self.addCleanup(os.close, null)
        plain = Plain(lambda: "08:05", echoes=True)
        self.lines = EditedLines(launch, plain, lambda: "08:05", null, lambda: (80, 24))
        self.editor: Any = self.lines._editor
        self.lines.makeConnection(self.lines._rows)
        self.core = ScriptedCore()
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def begin(self) -> None:
        self.lines.begin(self.core, self.folder)
        self.reactor.advance(0)

    def enter(self, text: str) -> bool:
        taken = self.lines.entered(text)
        self.reactor.advance(0)
        return taken

    def test_a_command_and_a_message(self) -> None:
        self.begin()
        self.assertTrue(self.enter("/away"))
        self.core.begin_chat("bob")
        self.assertTrue(self.enter("hello\n/exit"))
        self.assertEqual(self.core.calls[-1], ("say", "hello\n/exit"))
        self.assertIn("08:05  alice> /away\n", self.editor.rows)
        self.assertIn("08:05  alice> hello\n       alice> /exit\n", self.editor.rows)

    def test_commands_are_remembered_and_messages_are_not(self) -> None:
        self.begin()
        self.core.begin_chat("bob")
        for text in ("/users", "hello", "//users", "/hlep", " /users", "!users_online"):
            self.enter(text)
        self.assertEqual(self.editor.remembered, ["/users", "!users_online"])
        self.assertEqual((self.folder / FILE).read_text(), "/users\n!users_online\n")

    def test_the_history_of_the_last_time(self) -> None:
        (self.folder / FILE).write_text("/users\n/away\n")
        self.begin()
        self.assertEqual(self.editor.remembered, ["/users", "/away"])

    def test_a_history_that_cannot_be_kept_is_told_of(self) -> None:
        (self.folder / FILE).mkdir()
        self.begin()
        self.assertIn("commands are not kept for the next time", self.editor.rows)

    def test_too_long_stays(self) -> None:
        self.begin()
        self.core.begin_chat("bob")
        self.assertFalse(self.enter("\u4e00" * limits.MAX_TEXT))
        self.assertIn("SC-205", self.editor.rows)
        self.assertEqual(self.core.calls, [])

    def test_a_command_of_several_lines_is_none(self) -> None:
        for text in ("/exit\nx", "/chat bob\n/a", "!stop_chat\nx", "/set ask people\n"):
            with self.subTest(text):
                self.assertRaises(BadArgument, check, text + "x")
        for text in ("hello\n/exit", "//exit\nx", "/exit", "/usr/bin\nx"):
            check(text)

    def test_the_longest_message(self) -> None:
        check("x" * limits.MAX_TEXT)
        check("//" + "x" * (limits.MAX_TEXT - 1))
        self.assertRaises(TooLong, check, "//" + "x" * limits.MAX_TEXT)

    def test_what_is_a_command(self) -> None:
        for text in ("/chat bob", "/exit", "!exit", "!stop_chat"):
            self.assertTrue(is_command(text))
        for text in ("hello", "//exit", "/hlep", "/chat", "", "\u200b/exit"):
            self.assertFalse(is_command(text))

    def test_a_blank_line_is_nothing(self) -> None:
        self.begin()
        self.assertTrue(self.enter("  \n "))
        self.assertNotIn(">", self.editor.rows)

    def test_what_could_not_be_sent_is_put_back(self) -> None:
        self.begin()
        self.enter("hello")
        self.assertEqual(self.editor.back, ["hello"])
        self.lines._report(Order(commands.USERS, None), None, NotNow("no"))
        self.assertEqual(self.editor.back, ["hello"])

    def test_what_is_entered_early_waits_in_bounds(self) -> None:
        for _ in range(limits.MAX_ENTRIES_WAITING):
            self.assertTrue(self.enter("/away"))
        self.assertFalse(self.enter("/away"))
        self.assertEqual(self.editor.bells, 1)
        self.begin()
        self.assertEqual(len(self.core.calls), limits.MAX_ENTRIES_WAITING)

    # Promise R44
    def test_a_pass_phrase(self) -> None:
        self.begin()
        answer = self.lines.ask_secret("the pass phrase")
        self.assertEqual(self.editor.hidden, [True])
        self.lines.secret("correct horse")
        self.assertEqual(self.successResultOf(answer), "correct horse")
        self.lines.secret("once too often")
        self.lines._secrets.over()
        self.assertEqual(self.editor.hidden, [True, False])
        self.assertTrue(self.lines._entries.is_empty)
        self.assertNotIn("horse", self.editor.rows)
        self.assertFalse((self.folder / FILE).exists())

    def test_the_prompt_says_what_is_so(self) -> None:
        self.assertEqual(self.lines.prompt(), "> ")
        self.begin()
        said = {}
        for state in ClientState:
            self.lines._api = ScriptedCore.in_state(state)
            said[state] = self.lines.prompt()
        self.assertEqual(
            said,
            {
                ClientState.OFFLINE: "alice (offline)> ",
                ClientState.IDLE: "alice> ",
                ClientState.ASKED: "alice> ",
                ClientState.ASKING: "alice (asking)> ",
                ClientState.OPENING: "alice (opening the chat)> ",
                ClientState.CHAT: "alice (chat with , NOT VERIFIED)> ",
            },
        )

    def test_the_prompt_counts_a_request_down(self) -> None:
        self.begin()
        self.core.offer = object()
        self.lines.show(Asked("bob", "new", "SHA256:x", 40))
        self.assertEqual(self.lines.prompt(), "alice (bob asks, 40 s)> ")
        drawn = self.editor.redrawn
        self.reactor.advance(1)
        self.reactor.advance(1)
        self.assertEqual(self.lines.prompt(), "alice (bob asks, 38 s)> ")
        self.assertGreaterEqual(self.editor.redrawn, drawn + 2)
        self.core.offer = None
        self.reactor.advance(1)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    # Promise C4
    def test_the_prompt_says_that_somebody_is_not_verified(self) -> None:
        self.begin()
        self.core.begin_chat("bob")
        self.lines.show(ChatStarted("bob", "caller", "met", "SHA256:x"))
        self.assertEqual(self.lines.addressee(), "bob")
        for trust in ("met", "new", "changed"):
            self.core.people = [ListedUser(Name("bob"), trust)]  # type: ignore[misc]
            self.assertEqual(self.lines.prompt(), "alice (chat with bob, NOT VERIFIED)> ")
        self.core.people = [ListedUser(Name("bob"), "verified")]  # type: ignore[misc]
        self.assertEqual(self.lines.prompt(), "alice (chat with bob)> ")

    def test_a_slow_terminal_holds_who_writes(self) -> None:
        self.begin()
        pace: Any = self.lines._writer.producer
        pace.pauseProducing()
        self.lines.show(Notice("x" * limits.MAX_UNSHOWN))
        self.assertTrue(self.core.is_held)
        pace.resumeProducing()
        self.assertFalse(self.core.is_held)

    def test_a_terminal_that_is_lent_holds_who_writes(self) -> None:
        self.begin()
        self.editor.is_full = True
        self.lines.show(Notice("first"))  # after this one nothing more
        self.lines.show(Notice("x" * limits.MAX_UNSHOWN))
        self.assertTrue(self.core.is_held)
        self.editor.is_full = False
        self.editor.printed()
        self.assertFalse(self.core.is_held)

    def test_somebody_who_does_not_look_is_called(self) -> None:
        self.begin()
        written: list[str] = []
        self.patch(self.lines._writer, "write", lambda data: written.append(data.decode()))
        means, clock = Means.of({"TERM": "linux"}), self.reactor.seconds
        self.lines.heed(Attention(self.lines.control, means, self.lines.choices, clock))
        self.core.offer = object()
        self.lines.show(Asked("bob", "new", "SHA256:x", 40))
        self.assertEqual(written, ["\a"])
        self.editor.looked()
        self.lines._ticks.stop()

    def test_entries_are_whole(self) -> None:
        entries = Entries()
        entries.feed(b"one\ntwo")
        entries.end()
        self.assertFalse(entries.is_empty)
        self.assertEqual((entries.next(), entries.next()), ("one\ntwo", None))
