"""The file of commands: what is in it, and what never is."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.frontends.command_history import FILE, CommandHistory
from securecom.tests.support.invitations import INVITATION


class CommandHistoryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.reasons: list[str] = []

    def history(self) -> CommandHistory:
        return CommandHistory(self.folder, self.reasons.append)

    @property
    def file(self) -> Path:
        return self.folder / FILE

    def test_the_next_client_has_it(self) -> None:
        history = self.history()
        for command in ("/users", "/chat bob", "!exit"):
            self.assertTrue(history.add(command))
        self.assertEqual(self.history().commands, ["/users", "/chat bob", "!exit"])
        self.assertEqual(self.reasons, [])

    def test_it_is_private(self) -> None:
        self.history().add("/users")
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)

    def test_the_same_again_is_kept_once(self) -> None:
        history = self.history()
        history.add("/users")
        self.assertFalse(history.add("/users"))
        self.assertEqual(self.file.read_text(), "/users\n")

    def test_links_and_long_ones_are_left_out(self) -> None:
        history = self.history()
        link = INVITATION.link()
        for command in (f"/help {link}", f"/x {link.upper()}", "/" + "x" * limits.HISTORY_LINE):
            self.assertFalse(history.add(command))
        self.assertFalse(history.add("/users\x1b[2J"))
        self.assertFalse(self.file.exists())

    def test_it_is_bounded(self) -> None:
        self.file.write_text("".join(f"/chat n{n}\n" for n in range(2 * limits.HISTORY_LINES)))
        history = self.history()
        self.assertEqual(len(history.commands), limits.HISTORY_LINES)
        self.assertEqual(len(self.file.read_text().splitlines()), limits.HISTORY_LINES)
        history.add("/users")
        self.assertEqual(len(history.commands), limits.HISTORY_LINES)
        self.assertEqual(history.commands[-1], "/users")

    def test_what_others_wrote_into_it_is_left_out(self) -> None:
        self.file.write_bytes(b"/users\nsome text\n/a\x1b[2J\n\xff\n/away\n")
        self.assertEqual(self.history().commands, ["/users", "/away"])

    def test_a_folder_that_cannot_be_written_is_told_of_once(self) -> None:
        self.file.mkdir()
        history = self.history()
        history.add("/users")
        history.add("/away")
        self.assertEqual(len(self.reasons), 1)
        self.assertEqual(history.commands, ["/users", "/away"], "for as long as the client runs")

    def test_a_link_is_not_followed(self) -> None:
        elsewhere = self.folder / "elsewhere"
        elsewhere.touch()
        history = self.history()
        os.symlink(elsewhere, self.file)
        history.add("/users")
        self.assertEqual(elsewhere.read_text(), "")
        self.assertEqual(len(self.reasons), 1)

    def test_a_full_disk(self) -> None:
        def full(*_: object) -> int:
            raise OSError(28, "No space left on device")

        history = self.history()
        self.patch(os, "open", full)
        history.add("/users")
        self.assertEqual(self.reasons, ["no space left on device"])

    def test_without_a_profile_it_lasts_as_long_as_the_client(self) -> None:
        history = CommandHistory(None, self.reasons.append)
        history.add("/users")
        self.assertEqual(history.commands, ["/users"])
