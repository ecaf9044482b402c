"""The client's command line, and its exit codes."""

from __future__ import annotations

import contextlib
import io
from argparse import Namespace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from securecom import errors
from securecom.client.program import exits
from securecom.client.program.command_line import parser
from securecom.identity import Name
from securecom.invitation import Host, Invitation
from securecom.limits import TOKEN_BYTES

LINK = Invitation(Host("chat.example.org"), 4241, bytes(32), bytes(TOKEN_BYTES)).link()

#: Every class whose code is not the ordinary 1.
SPECIAL = {
    errors.WhichProfile: 2,
    errors.NoFrontend: 2,
    errors.CannotReach: 3,
    errors.ClockIsOff: 3,
    errors.ConnectionWasLost: 3,
    errors.ServerMismatch: 4,
    errors.LoginRefused: 5,
    errors.OnlineElsewhere: 5,
    errors.InvitationRefused: 5,
    errors.NotAnswered: 6,
    errors.WasRefused: 6,
    errors.WasCancelled: 6,
    errors.IsBusy: 6,
    errors.PeerKeyChanged: 7,
    errors.TooOften: 8,
    errors.AskedTooSoon: 8,
}


class ExitTests(SynchronousTestCase):
    def test_every_class_of_error_has_its_code(self) -> None:
        kinds = [
            kind
            for kind in vars(errors).values()
            if isinstance(kind, type) and issubclass(kind, errors.SecurecomError)
        ]
        self.assertGreater(len(kinds), 20)
        told = {kind: exits.exit_code(kind("x")) for kind in kinds}
        self.assertEqual(told, {kind: SPECIAL.get(kind, 1) for kind in kinds})

    def test_nothing_wrong_is_0_and_the_unforeseen_is_1(self) -> None:
        self.assertEqual(exits.exit_code(None), 0)
        self.assertEqual(exits.exit_code(ZeroDivisionError()), 1)


class ArgumentTests(SynchronousTestCase):
    def parse(self, *words: str) -> Namespace:
        return parser().parse_args(words)

    def refused(self, *words: str) -> str:
        stderr = io.StringIO()
        with contextlib.redirect_stderr(stderr):
            error = self.assertRaises(SystemExit, self.parse, *words)
        self.assertEqual(error.code, 2)
        return stderr.getvalue()

    def test_nothing_is_enough(self) -> None:
        told = self.parse()
        self.assertEqual(
            {name for name, value in vars(told).items() if value not in (None, False)}, set()
        )
        self.assertIsNone(told.available)

    def test_a_link(self) -> None:
        told = self.parse(LINK).link
        self.assertIsInstance(told, Invitation)
        self.assertEqual(told.host, "chat.example.org")

    def test_a_bad_link_says_what_to_do(self) -> None:
        self.assertIn("Copy the whole link", self.refused(LINK[:-3]))

    def test_values(self) -> None:
        told = self.parse("--chat", "bob", "--attempts", "0", "--pass-fd", "3", "--identity", "k")
        self.assertEqual(told.chat, Name("bob"))
        self.assertEqual((told.attempts, told.pass_fd, told.identity), (0, 3, Path("k")))
        self.assertTrue(self.parse("--available").available)
        self.assertIs(self.parse("--away").available, False)

    def test_mistakes(self) -> None:
        self.assertIn("that is not a name", self.refused("--chat", "B B"))
        self.assertIn("whole number", self.refused("--attempts", "-1"))
        self.assertIn("whole number", self.refused("--pass-fd", "x"))
        self.assertIn("invalid choice", self.refused("--request", "shout"))
        self.assertNotIn("secret", self.refused("--pass", "secret"))
        self.assertIn("may not be run", self.refused("--on-request", "/none --at all"))
        self.assertIn("no closing quotation", self.refused("--on-request", "'sh"))

    def test_contradictions(self) -> None:
        self.refused("--available", "--away")
        self.refused("--plain", "--json")
        self.refused("--no-pass", "--pass-fd", "3")
        self.refused("--pass-file", "x", "--pass-fd", "3")

    def test_a_pass_phrase_cannot_be_given_on_the_command_line(self) -> None:
        options = [word for action in parser()._actions for word in action.option_strings]
        holding = [word for word in options if "pass" in word]
        self.assertEqual(holding, ["--pass-fd", "--pass-file", "--no-pass"])

    def test_completion_for_every_shell(self) -> None:
        for shell in ("bash", "zsh", "tcsh"):
            stdout = io.StringIO()
            with contextlib.redirect_stdout(stdout):
                self.assertRaises(SystemExit, self.parse, "--print-completion", shell)
            self.assertIn("takeover", stdout.getvalue())
