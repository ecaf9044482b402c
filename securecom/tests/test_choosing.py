"""Which front-end runs."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from importlib.metadata import EntryPoint
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securecom.client.program import choosing, exits, standard_io
from securecom.client.program.command_line import parser
from securecom.client.program.standard_lines import JsonLines, StandardLines
from securecom.errors import NoFrontend

MODULE = "securecom.tests.test_choosing"


class Window:
    uses_asyncio = True


class ChoosingTests(SynchronousTestCase):
    def entries(self, **values: str) -> None:
        found = [EntryPoint(name, value, choosing.GROUP) for name, value in values.items()]
        self.patch(choosing, "_entry_points", lambda: found)

    def chosen(self, *words: str) -> Any:
        return choosing.choose(parser().parse_args(words)).make

    def test_ours_have_names_and_short_options(self) -> None:
        self.entries()
        for words in (("--frontend", "lines"), ("--plain",)):
            self.assertIs(self.chosen(*words), StandardLines)
        for words in (("--frontend", "json"), ("--json",)):
            self.assertIs(self.chosen(*words), JsonLines)

    def test_ours_are_found_without_a_look_at_other_packages(self) -> None:
        self.patch(choosing, "_entry_points", lambda: self.fail("they were looked at"))
        for words in ((), ("--plain",), ("--json",)):
            self.chosen(*words)

    def test_another_package_brings_one(self) -> None:
        self.entries(window=f"{MODULE}:Window")
        choice = choosing.choose(parser().parse_args(["--frontend", "window"]))
        self.assertIs(choice.make, Window)
        self.assertTrue(choice.uses_asyncio)

    def test_no_package_can_take_a_name_of_ours(self) -> None:
        self.entries(lines=f"{MODULE}:Window", json=f"{MODULE}:Window")
        self.assertIs(self.chosen("--plain"), StandardLines)
        self.assertIs(self.chosen("--json"), JsonLines)

    def test_a_name_that_is_none(self) -> None:
        self.entries(window=f"{MODULE}:Window")
        error = self.assertRaises(NoFrontend, self.chosen, "--frontend", "windw")
        self.assertIn("Did you mean window?", error.hint)
        error = self.assertRaises(NoFrontend, self.chosen, "--frontend", "\x1b[2J")
        self.assertIn("There are: ", error.hint)
        self.assertIn("window", error.hint)
        self.assertNotIn("\x1b", str(error))
        self.assertEqual(exits.exit_code(error), exits.USAGE)

    def test_one_that_cannot_be_loaded(self) -> None:
        self.entries(window=f"{MODULE}:Nothing")
        error = self.assertRaises(NoFrontend, self.chosen, "--frontend", "window")
        self.assertIn("cannot be loaded (AttributeError", str(error))

    def test_nothing_is_loaded_before_it_is_named(self) -> None:
        self.entries(window="securecom.tests.no_such_module:Window")
        self.assertIn("window", choosing.names())
        self.assertNotIn("securecom.tests.no_such_module", sys.modules)

    def test_entry_points_of_what_is_installed_are_found(self) -> None:
        self.assertEqual(choosing._entry_points(), [])

    def test_a_pipe_is_no_screen(self) -> None:
        here, there = os.pipe()
        self.addCleanup(os.close, here)
        self.addCleanup(os.close, there)
        self.patch(standard_io, "INPUT", here)
        self.assertFalse(choosing.is_screen())
        self.assertIs(choosing.choose(Namespace(frontend=None)).make, StandardLines)

    def test_a_terminal_gets_the_full_screen_unless_lines_are_named(self) -> None:
        self.patch(choosing, "is_screen", lambda: True)
        choice = choosing.choose(Namespace(frontend=None))
        self.assertEqual((choice.make.__name__, choice.uses_asyncio), ("StandardScreen", True))
        self.assertNotEqual(choosing.choose(Namespace(frontend="lines")).make, choice.make)
