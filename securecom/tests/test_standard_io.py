"""Standard input and output of the client, and how they end."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import termios
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securecom.client.frontends.qr import Screen
from securecom.client.program import standard_io


class StandardIOTests(SynchronousTestCase):
    def given(self, data: bytes) -> int:
        """Standard input, with no more than these bytes."""
        here, there = os.pipe()
        os.write(there, data)
        os.close(there)
        self.addCleanup(os.close, here)
        self.patch(standard_io, "INPUT", here)
        return here

    def test_of_the_input_the_first_line_is_taken_and_the_rest_left(self) -> None:
        here = self.given(b" a link \r\n/chat bob\n")
        self.assertEqual(standard_io.first_line(100), "a link")
        self.assertEqual(os.read(here, 100), b"/chat bob\n")

    def test_a_line_without_an_end_is_not_read_for_ever(self) -> None:
        self.given(b"x" * 100)
        self.assertEqual(standard_io.first_line(9), "x" * 10)
        self.given(b"\xff")
        self.assertEqual(standard_io.first_line(9), "\ufffd")

    def test_on_a_terminal_it_is_asked_for(self) -> None:
        terminal, ours = os.openpty()
        here, there = os.pipe()
        for number in (terminal, ours, here, there):
            self.addCleanup(os.close, number)
        self.patch(standard_io, "INPUT", ours)
        self.patch(standard_io, "ERROR", there)
        os.write(terminal, b"a link\n")
        self.assertEqual(standard_io.first_line(100), "a link")
        self.assertEqual(os.read(here, 100), b"invitation link: ")

    def terminal(self) -> int:
        """Standard input, which is one."""
        terminal, ours = os.openpty()
        for number in (terminal, ours):
            self.addCleanup(os.close, number)
        self.patch(standard_io, "INPUT", ours)
        return ours

    def shows(self, terminal: int) -> bool:
        modes: list[Any] = termios.tcgetattr(terminal)
        return bool(modes[3] & termios.ECHO)

    def test_typing_is_hidden_and_shows_again_whatever_happens(self) -> None:
        terminal = self.terminal()
        with contextlib.suppress(KeyboardInterrupt), standard_io.modes_kept():
            standard_io.hide_typing(True)
            self.assertFalse(self.shows(terminal))
            raise KeyboardInterrupt
        self.assertTrue(self.shows(terminal))

    def test_the_terminal_has_the_modes_of_before(self) -> None:
        terminal = self.terminal()
        before = termios.tcgetattr(terminal)
        for line_feeds in (True, False):
            standard_io.hide_typing(True, line_feeds=line_feeds)
            standard_io.hide_typing(False, line_feeds=line_feeds)
            self.assertEqual(termios.tcgetattr(terminal), before)

    def test_in_the_background_the_terminal_is_the_shells(self) -> None:
        """Which may hide typing itself, and touching it would stop us instead of ending us."""
        terminal = self.terminal()
        standard_io.hide_typing(True)
        patch = self.patch(os, "tcgetpgrp", lambda _: os.getpgrp() + 1)
        with standard_io.modes_kept():
            standard_io.hide_typing(False)
        self.assertFalse(self.shows(terminal))
        patch.restore()
        standard_io.hide_typing(False)
        self.assertTrue(self.shows(terminal))

    def test_modes_are_put_back(self) -> None:
        here, there = os.pipe()
        self.addCleanup(os.close, here)
        self.patch(standard_io, "_NUMBERS", (here, there))
        before = fcntl.fcntl(here, fcntl.F_GETFL)
        with standard_io.modes_kept():
            os.set_blocking(here, False)
            os.close(there)
        self.assertEqual(fcntl.fcntl(here, fcntl.F_GETFL), before)

    def test_missing_descriptors_are_filled(self) -> None:
        here, there = os.pipe()
        os.close(here)
        self.addCleanup(os.close, there)
        self.addCleanup(os.close, here)
        self.patch(standard_io, "_NUMBERS", (here, there))
        standard_io.fill_missing()
        self.assertEqual(os.read(here, 1), b"")

    # Promise R40
    def test_only_an_end_with_exit_code_0_leaves_what_was_typed_to_the_shell(self) -> None:
        class UnforeseenError(Exception):
            pass

        def signalled() -> int:
            os.kill(os.getpid(), signal.SIGTERM)
            return 0

        def raising(error: BaseException) -> int:
            raise error

        before = signal.getsignal(signal.SIGTERM)
        self.addCleanup(signal.signal, signal.SIGTERM, before)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        discarded: list[str] = []
        self.patch(standard_io, "discard_input", lambda: discarded.append("all"))
        for program, code, discards in (
            (lambda: 0, 0, False),
            (lambda: 5, 5, True),
            (signalled, 143, True),
            (lambda: raising(SystemExit(0)), SystemExit, False),
            (lambda: raising(SystemExit(2)), SystemExit, True),
            (lambda: raising(UnforeseenError()), UnforeseenError, True),
        ):
            discarded.clear()
            run = standard_io.leaves_no_input(program)
            if isinstance(code, int):
                self.assertEqual(run(), code)
            else:
                self.assertRaises(code, run)
            self.assertEqual(bool(discarded), discards, code)
        self.assertIs(signal.getsignal(signal.SIGTERM), signal.SIG_DFL)

    def test_no_terminal_has_no_width(self) -> None:
        here, there = os.pipe()
        self.addCleanup(os.close, here)
        self.addCleanup(os.close, there)
        self.assertEqual(standard_io.screen(here), Screen(None, None, False))

    def test_a_terminal_has_one(self) -> None:
        self.patch(os, "get_terminal_size", lambda number: os.terminal_size((72, 20)))
        self.patch(os, "environ", {"TERM": "xterm"})
        self.assertEqual(standard_io.screen(1), Screen(72, 20, True))
        self.patch(os, "get_terminal_size", lambda number: os.terminal_size((0, 0)))
        self.assertEqual(standard_io.screen(1), Screen(None, None, True))

    def test_a_terminal_that_knows_no_colours_gets_none(self) -> None:
        self.patch(os, "get_terminal_size", lambda number: os.terminal_size((72, 20)))
        for environment in ({"TERM": "dumb"}, {"TERM": ""}, {}):
            self.patch(os, "environ", environment)
            self.assertFalse(standard_io.screen(1).has_colours)
