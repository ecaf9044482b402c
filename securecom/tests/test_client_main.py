"""How the client's program starts, and what it refuses before any reactor runs."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import tempfile

from securecom.client.__main__ import main
from securecom.client.profile import private_files
from securecom.client.profile.passphrase import Terminal
from securecom.client.program import logs, running, standard_io, who
from securecom.identity import Name
from securecom.tests.support.invitations import INVITATION
from securecom.tests.support.start_case import StartCase


class MainTests(StartCase):
    def main(self, *words: str) -> tuple[int, str, str]:
        stdout, stderr = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            try:
                code = main(["--data-dir", str(self.folder), *words])
            except SystemExit as error:
                code = int(error.code or 0)
        return code, stdout.getvalue(), stderr.getvalue()

    def test_without_a_profile(self) -> None:
        code, _, stderr = self.main()
        self.assertEqual(code, 2)
        self.assertIn("SC-212", stderr)

    def test_the_doctor_works_without_a_profile(self) -> None:
        code, stdout, stderr = self.main("--doctor")
        self.assertEqual((code, stderr), (0, ""))
        self.assertIn("there is no profile here yet", stdout)
        self.assertIn("nothing to put right", stdout)

    def test_the_doctor_looks_at_a_profile_and_nothing_else(self) -> None:
        for words in (("--demo",), ("--restore", "x"), (INVITATION.link(),)):
            code, stdout, stderr = self.main("--doctor", *words)
            self.assertEqual((code, stdout), (2, ""))
            self.assertIn("--doctor looks at a profile", stderr)

    def test_a_link_from_standard_input_is_on_no_command_line(self) -> None:
        taken: list[object] = []
        self.patch(who, "newcomer", lambda arguments, *_: taken.append(arguments.link))
        self.patch(running, "run", lambda arguments, someone, choice: 0)
        self.patch(logs, "begin", lambda path: None)
        self.patch(standard_io, "first_line", lambda most: INVITATION.link())
        self.assertEqual(self.main("-", "--no-pass")[0], 0)
        self.assertEqual(taken, [INVITATION])
        self.patch(standard_io, "first_line", lambda most: "rubbish")
        code, _, stderr = self.main("-", "--no-pass")
        self.assertEqual((code, len(taken)), (1, 1))
        self.assertNotIn("rubbish", stderr)

    # Promise R66
    def test_a_link_from_standard_input_may_be_wrapped(self) -> None:
        taken: list[object] = []
        self.patch(who, "newcomer", lambda arguments, *_: taken.append(arguments.link))
        self.patch(running, "run", lambda arguments, someone, choice: 0)
        self.patch(logs, "begin", lambda path: None)
        link = INVITATION.link()
        heading = "alice, once, until 2026-11-29 21:06 UTC:"
        for text in (f"{link[:70]}\n{link[70:]}\n", f"{heading}\n  {link}\n", f"<{link}>."):
            here, there = os.pipe()
            self.addCleanup(os.close, here)
            os.write(there, text.encode() + b"\n/users\n")
            os.close(there)
            self.patch(standard_io, "INPUT", here)
            self.assertEqual(self.main("-", "--no-pass")[0], 0)
            self.assertEqual(taken.pop(), INVITATION)
            self.assertEqual(os.read(here, 100).lstrip(b"\n"), b"/users\n")

    # Promise R66
    def test_half_a_link_from_standard_input_is_refused_at_its_end(self) -> None:
        self.folder.mkdir()
        for end in (b"", b"\n\n"):
            here, there = os.pipe()
            self.addCleanup(os.close, here)
            os.write(there, INVITATION.link()[:70].encode() + end)
            os.close(there)
            self.patch(standard_io, "INPUT", here)
            code, _, stderr = self.main("-", "--no-pass")
            self.assertEqual((code, stderr.count("\n")), (1, 1))
            self.assertIn("SC-207", stderr)
        self.assertEqual(list(self.folder.iterdir()), [])

    # Promise R57
    def test_what_the_system_says_before_anything_runs_is_one_line(self) -> None:
        def broken(*_: object) -> None:
            raise OSError(errno.EMFILE, "Too many open files")

        self.patch(who, "member", broken)
        code, stdout, stderr = self.main()
        self.assertEqual((code, stdout, stderr.count("\n")), (1, "", 1))
        self.assertIn("SC-112", stderr)
        self.assertIn("too many open files", stderr)

    # Promise R57
    def test_what_the_system_says_of_the_demo_s_folder_is_one_line(self) -> None:
        def nowhere(**_: object) -> None:
            raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

        self.patch(tempfile, "TemporaryDirectory", nowhere)
        code, _, stderr = self.main("--demo")
        self.assertEqual((code, stderr.count("\n")), (1, 1))
        self.assertIn("no usable temporary directory", stderr)

    def test_with_several_it_lists_them(self) -> None:
        for profile, name in (("one", "alice"), ("two", "bob")):
            self.newcomer("--profile", profile).enrolled(Name(name))
        code, _, stderr = self.main()
        self.assertEqual(code, 2)
        self.assertIn("--profile one\n", stderr)
        self.assertEqual(self.main("--profiles")[:2], (0, "one\ntwo\n"))

    def test_damaged_pins_are_told_before_anything_runs(self) -> None:
        profile = self.newcomer().enrolled(Name("alice")).profile
        private_files.write(profile.known_peers, b"rubbish\n")
        code, stdout, stderr = self.main("--no-pass")
        self.assertEqual((code, stdout), (1, ""))
        self.assertIn("SC-110", stderr)
        self.assertIn(str(profile.known_peers), stderr)
        self.assertNotIn("name another folder", stderr)
        self.assertEqual(stderr.count("\n"), 1)

    def test_options_that_need_each_other(self) -> None:
        self.assertEqual(self.main("--identity", "x")[0], 2)
        self.assertEqual(self.main("--demo", INVITATION.link())[0], 2)
        self.assertEqual(self.main("--send", "x")[0], 2)
        self.assertEqual(self.main("-", "--chat", "bob", "--send", "-")[0], 2)
        self.patch(os, "isatty", lambda number: True)
        code, _, stderr = self.main("--chat", "bob", "--send", "-")
        self.assertEqual(code, 2)
        self.assertIn("this is a terminal", stderr)

    def test_a_pass_phrase_that_nobody_can_give(self) -> None:
        self.patch(os, "isatty", lambda number: False)
        code, _, stderr = self.main(INVITATION.link())
        self.assertEqual(code, 1)
        self.assertIn("--pass-file", stderr)
        self.assertFalse(self.folder.exists())

    def test_who_interrupts_the_question_for_a_pass_phrase(self) -> None:
        def interrupted(self: Terminal) -> bytes:
            raise KeyboardInterrupt

        self.patch(os, "isatty", lambda number: True)
        self.patch(Terminal, "new", interrupted)
        self.assertEqual(self.main(INVITATION.link())[0], 130)
