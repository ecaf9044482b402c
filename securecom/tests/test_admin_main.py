"""`securecom-admin` about the server itself, and as a program: streams and exit codes."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

from securecom import __version__, limits
from securecom.admin.__main__ import main, run
from securecom.admin.commands import AdminContext
from securecom.server.database import connect
from securecom.tests.support.admin_case import ALICE, DAY, AdminCase


class ServerTests(AdminCase):
    def test_fingerprint(self) -> None:
        self.assertEqual(self.says("fingerprint"), self.state.fingerprint + "\n")

    def test_check(self) -> None:
        self.enrol(ALICE)
        self.says("invite", "bob")
        text = self.says("check")
        self.assertIn(str(self.folder), text)
        self.assertIn(self.state.fingerprint, text)
        self.assertIn("for chat.example.org, 192.0.2.7; 90 days left", text)
        self.assertIn("users: 1, open invitations: 1", text)
        self.assertTrue(text.endswith("all in order\n"))

    def test_check_of_a_server_that_was_off_for_long(self) -> None:
        self.now += 200 * DAY
        self.assertIn("expired; the server renews it when it starts", self.says("check"))

    # Promise R123
    def test_check_says_when_the_ca_has_little_time_left(self) -> None:
        self.now += (limits.CA_DAYS - 1) * DAY
        text = self.says("check")
        self.assertNotIn("all in order", text)
        self.assertIn("the CA expires on", text)
        self.assertIn("in 1 days", text)

    def test_check_finds_damage(self) -> None:
        (self.folder / "server" / "server.pem").write_bytes(b"")
        self.assertIn("SC-110", self.refuses("check"))

    def test_no_state(self) -> None:
        self.folder = self.folder / "elsewhere"
        self.assertIn("SC-113", self.refuses("users"))
        self.assertFalse(self.folder.exists())

    def test_the_folder_may_be_named_before_or_after_the_command(self) -> None:
        named, self.folder = str(self.folder), Path(self.mktemp())
        self.assertEqual(self.says("fingerprint", "--state", named), self.state.fingerprint + "\n")

    def test_the_registry_is_being_written_to(self) -> None:
        writer = connect(self.state.registry_path)
        self.addCleanup(writer.close)
        writer.execute("BEGIN EXCLUSIVE")
        self.patch(limits, "DATABASE_BUSY", 0.0)
        self.assertIn("SC-111", self.refuses("users"))

    def test_interrupted(self) -> None:
        def interrupt() -> float:
            raise KeyboardInterrupt

        around = AdminContext(interrupt, self.random, None, "utf-8")
        self.assertEqual(run(["--state", str(self.folder), "users"], around), 130)


class MainTests(AdminCase):
    """The process: its streams and its exit code."""

    def setUp(self) -> None:
        super().setUp()
        self.errors = io.StringIO()
        self.patch(sys, "stderr", self.errors)
        self.output = io.StringIO()
        self.patch(sys, "stdout", self.output)
        self.patch(sys, "stdin", io.StringIO("yes\n"))

    def status(self, *argv: str) -> object:
        left: SystemExit = self.assertRaises(SystemExit, main, argv or None)
        return left.code

    def test_a_command(self) -> None:
        self.patch(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "utf-8"))
        self.assertEqual(self.status("--state", str(self.folder), "fingerprint"), 0)
        sys.stdout.seek(0)
        self.assertEqual(sys.stdout.read(), self.state.fingerprint + "\n")

    def test_the_command_line_and_the_environment_are_the_process_s(self) -> None:
        self.patch(sys, "argv", ["securecom-admin", "fingerprint"])
        before = os.environ.get("SECURECOM_STATE")
        os.environ["SECURECOM_STATE"] = str(self.folder)
        self.addCleanup(_put_back, before)
        self.assertEqual(self.status(), 0)
        self.assertEqual(self.output.getvalue(), self.state.fingerprint + "\n")

    def test_version(self) -> None:
        self.assertEqual(self.status("--version"), 0)
        self.assertEqual(self.output.getvalue(), f"securecom-admin {__version__}\n")

    def test_completion(self) -> None:
        self.assertEqual(self.status("--print-completion", "bash"), 0)
        self.assertIn("reset-key", self.output.getvalue())

    def test_usage(self) -> None:
        self.assertEqual(self.status("frobnicate"), 2)
        self.assertIn("usage:", self.errors.getvalue())

    def test_an_output_that_breaks(self) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        output = os.fdopen(writing, "w")
        self.patch(sys, "stdout", output)
        self.assertEqual(self.status("--state", str(self.folder), "fingerprint"), 1)
        output.close()  # what was left in its buffer goes nowhere, and fails no more
        self.assertEqual(
            self.errors.getvalue(),
            "the output was cut off (broken pipe); the command itself was carried out\n",
        )

    def test_no_output_and_no_token_is_lost(self) -> None:
        self.patch(sys, "stdout", None)
        self.assertEqual(self.status("--state", str(self.folder), "invite", "alice"), 1)
        self.assertIn("no standard output", self.errors.getvalue())
        self.assertEqual(self.successResultOf(self.registry.invitations()), [])

    def test_only_a_person_at_a_terminal_is_asked(self) -> None:
        self.enrol(ALICE)
        self.assertEqual(self.status("--state", str(self.folder), "remove", "alice"), 1)
        self.patch(sys, "stdin", None)
        self.assertEqual(self.status("--state", str(self.folder), "remove", "alice"), 1)
        for typed, status in (("n\n", 1), ("\n", 1), ("", 1), ("Y\n", 0)):
            terminal = io.StringIO(typed)
            terminal.isatty = lambda: True  # type: ignore[method-assign]
            self.patch(sys, "stdin", terminal)
            self.assertEqual(self.status("--state", str(self.folder), "remove", "alice"), status)
        self.assertIn("Remove alice for good? [y/N]", self.errors.getvalue())


def _put_back(value: str | None) -> None:
    del os.environ["SECURECOM_STATE"]
    if value is not None:
        os.environ["SECURECOM_STATE"] = value
