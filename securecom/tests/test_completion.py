"""The scripts that complete our command lines in a shell."""

from __future__ import annotations

import argparse
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

import shtab
from twisted.trial.unittest import SynchronousTestCase

from securecom import completion
from securecom.admin.command_line import parser as admin_parser
from securecom.client.program.command_line import parser as client_parser


class ScriptTests(SynchronousTestCase):
    def script(self, parser: argparse.ArgumentParser, shell: str) -> str:
        printed = StringIO()
        with redirect_stdout(printed):
            ending = self.assertRaises(SystemExit, parser.parse_args, [completion.OPTION, shell])
        self.assertEqual(ending.code, 0)
        return printed.getvalue()

    def test_every_shell_that_shtab_knows(self) -> None:
        for make in (client_parser, admin_parser):
            scripts = {self.script(make(), shell) for shell in shtab.SUPPORTED_SHELLS}
            self.assertEqual(len(scripts), len(shtab.SUPPORTED_SHELLS))
            for script in scripts:
                self.assertIn("securecom", script)

    def test_files_and_folders_are_completed_as_such(self) -> None:
        script = self.script(client_parser(), "zsh")
        self.assertRegex(script, r'"--data-dir\[.*:_files -/"')
        self.assertRegex(script, r'"--log-file\[.*:_files"')

    def test_so_are_those_of_commands(self) -> None:
        """Which share the argument with the command line itself, or have one of their own."""
        script = self.script(admin_parser(), "zsh")
        places = [line for line in script.splitlines() if line.strip().startswith('"--state[')]
        self.assertGreater(len(places), 1)
        for place in places:
            self.assertIn(shtab.DIRECTORY["zsh"], place)

    def test_the_shells_are_completed_too(self) -> None:
        self.assertRegex(self.script(client_parser(), "zsh"), r'"--print-completion\[.*\(bash zsh ')

    def test_no_other_shell(self) -> None:
        for make in (client_parser, admin_parser):
            printed = StringIO()
            with redirect_stderr(printed):
                ending = self.assertRaises(
                    SystemExit, make().parse_args, [completion.OPTION, "cmd"]
                )
            self.assertEqual(ending.code, 2)
            self.assertIn("no script for that shell, only bash, zsh", printed.getvalue())
