"""From the command line to an identity, and what is refused before any reactor runs."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
import signal
import subprocess
import sys
import tempfile
import termios
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import Logger, globalLogBeginner
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.__main__ import main
from securecom.client.channels.request_ways import ServerDials, ServerListens
from securecom.client.coordination.engagement import ASK_THE_PERSON
from securecom.client.events import Asked, Message, Online
from securecom.client.frontends.words import Screen
from securecom.client.profile import private_files
from securecom.client.profile.identity_file import make_identity_file, read_identity_file
from securecom.client.profile.passphrase import Given, NoPassPhrase, Nowhere, Terminal
from securecom.client.profile.profiles import Profiles
from securecom.client.program import logs, running, standard_io, who
from securecom.client.program.command_line import parser
from securecom.client.program.deciding import Program
from securecom.client.program.running import Route
from securecom.demo import Partner
from securecom.errors import (
    BadArgument,
    IdentityProblem,
    NoProgram,
    NotNow,
    PassPhraseProblem,
    ProfileProblem,
)
from securecom.identity import Name
from securecom.tests.support.invitations import INVITATION
from securecom.tests.support.scripted_core import Failing, ScriptedCore


class StartCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.profiles = Profiles(self.folder)
        self.patch(limits, "BCRYPT_ROUNDS", 1)

    def parse(self, *words: str) -> Namespace:
        return parser().parse_args(["--data-dir", str(self.folder), *words])

    def newcomer(self, *words: str) -> who.Newcomer:
        return who.newcomer(self.parse(INVITATION.link(), *words), self.profiles, NoPassPhrase())


class AccountTests(StartCase):
    def test_where_profiles_are(self) -> None:
        none = parser().parse_args([])
        environment = {"SECURECOM_HOME": "/from/environment"}
        self.assertEqual(who.data_folder(self.parse(), environment), self.folder)
        self.assertEqual(who.data_folder(none, environment), Path("/from/environment"))
        self.assertEqual(who.data_folder(none, {"SECURECOM_HOME": ""}).name, "securecom")

    def test_where_pass_phrases_come_from(self) -> None:
        for words, is_terminal, kind in (
            ((), True, Terminal),
            ((), False, Nowhere),
            (("--no-pass",), True, NoPassPhrase),
            (("--pass-fd", "3"), True, Given),
            (("--pass-file", "x"), False, Given),
        ):
            source = who.pass_phrases(self.parse(*words), is_terminal=is_terminal)
            self.assertIsInstance(source, kind)

    def test_the_key_is_on_the_disk_before_the_token_is_spent(self) -> None:
        newcomer = self.newcomer()
        path = self.profiles.pending(INVITATION) / "identity"
        kept = read_identity_file(path).unlock(None)
        self.assertEqual(kept.public_key, newcomer.identity.public_key)
        self.assertFalse(newcomer.is_old)

    def test_a_second_try_uses_the_same_key(self) -> None:
        first, second = self.newcomer(), self.newcomer()
        self.assertEqual(first.identity.public_key, second.identity.public_key)
        self.assertTrue(second.is_old)

    def test_another_invitation_gets_another_key(self) -> None:
        """Two people who enrol at once on one machine do not share one."""
        first = self.newcomer()
        other = replace(INVITATION, token=b"x" * limits.TOKEN_BYTES)
        second = who.newcomer(self.parse(other.link()), self.profiles, NoPassPhrase())
        self.assertNotEqual(first.identity.public_key, second.identity.public_key)
        self.assertFalse(second.is_old)

    def test_a_second_try_needs_the_same_pass_phrase(self) -> None:
        arguments = self.parse(INVITATION.link())
        who.newcomer(arguments, self.profiles, Given(lambda: b"right"))
        wrong = Given(lambda: b"wrong")
        error = self.assertRaises(PassPhraseProblem, who.newcomer, arguments, self.profiles, wrong)
        self.assertIn("the key of an enrolment that was not finished", error.what)

    def test_only_the_key_of_an_earlier_try_is_a_resumed_one(self) -> None:
        self.assertFalse(self.newcomer().is_resumed)
        self.assertTrue(self.newcomer().is_resumed)
        path = self.profiles.pending(INVITATION) / "identity"
        self.assertFalse(self.newcomer("--identity", str(path)).is_resumed)

    def test_who_enrols_is_told_how_to_come_back(self) -> None:
        self.assertEqual(self.newcomer().enrolled(Name("alice")).notices, ("next time: securecom",))
        notices = self.newcomer().enrolled(Name("bob")).notices
        self.assertEqual(notices, ("next time: securecom --profile bob@chat.example.org",))
        former, start = self.newcomer().enrolled(Name("bob")).notices
        self.assertIn("former/bob@chat.example.org", former)
        self.assertEqual(start, "next time: securecom --profile bob@chat.example.org")

    def test_and_with_which_folder_if_they_named_it(self) -> None:
        joined = self.newcomer().enrolled(Name("alice"))
        arguments = self.parse()
        there = who.profiles_of(arguments, {})
        self.assertEqual(there.start(joined.profile), f"securecom --data-dir {self.folder}")
        self.newcomer().enrolled(Name("bob"))
        start = f"securecom --data-dir {self.folder} --profile alice@chat.example.org"
        self.assertEqual(there.start(joined.profile), start)
        arguments.data_dir = None
        there = who.profiles_of(arguments, {"SECURECOM_HOME": str(self.folder)})
        start = "securecom --profile alice@chat.example.org"
        self.assertEqual(there.start(joined.profile), start)

    def test_enrolled_and_back_again(self) -> None:
        joined = self.newcomer().enrolled(Name("alice"))
        member = who.member(self.parse(), self.profiles, NoPassPhrase())
        self.assertEqual(member.profile, joined.profile)
        self.assertEqual(member.identity.public_key, joined.identity.public_key)

    def test_a_key_of_ones_own_is_referred_to_and_not_copied(self) -> None:
        first = self.newcomer()
        path = self.profiles.pending(INVITATION) / "identity"
        own = self.folder / "own"
        path.rename(own)
        newcomer = self.newcomer("--identity", str(own))
        self.assertEqual(newcomer.identity.public_key, first.identity.public_key)
        self.assertTrue(newcomer.is_old)
        profile = newcomer.enrolled(Name("alice")).profile
        self.assertEqual(profile.identity_path, own)
        self.assertEqual(sorted(entry.name for entry in profile.folder.iterdir()), ["profile.toml"])

    def test_a_missing_key_of_ones_own_makes_none(self) -> None:
        self.assertRaises(IdentityProblem, self.newcomer, "--identity", "/none")

    def test_a_key_that_only_this_process_has_open_is_refused_before_anything_is_sent(self) -> None:
        """The next start would find another file in its place, or none."""
        self.folder.mkdir()
        own = self.folder / "own"
        make_identity_file(own, None)
        link = self.folder / "link"
        with own.open("rb") as file:
            link.symlink_to(f"/proc/self/fd/{file.fileno()}")
            for path in (f"/dev/fd/{file.fileno()}", f"/proc/self/fd/{file.fileno()}", link):
                error = self.assertRaises(IdentityProblem, self.newcomer, "--identity", str(path))
                self.assertIn("name the file itself", error.hint)
        here, there = os.pipe()
        self.addCleanup(os.close, here)
        self.addCleanup(os.close, there)
        for path in (f"/dev/fd/{here}", "/dev/stdin"):
            self.assertRaises(IdentityProblem, self.newcomer, "--identity", path)

    def test_a_link_to_a_key_of_ones_own_may_be_named(self) -> None:
        self.folder.mkdir()
        make_identity_file(self.folder / "own", None)
        (self.folder / "link").symlink_to("own")
        self.newcomer("--identity", str(self.folder / "link"))
        (self.folder / "loop").symlink_to("loop")
        error = self.assertRaises(
            IdentityProblem, self.newcomer, "--identity", str(self.folder / "loop")
        )
        self.assertIn("links", error.what)

    def test_a_folder_of_another_user_is_told_with_what_gives_it_back(self) -> None:
        """What is left when securecom has run with sudo."""
        self.newcomer().enrolled(Name("alice"))

        def denied(path: Path, *_: object) -> None:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))

        for call in ("iterdir", "lstat"):
            self.patch(Path, call, denied)
            opened = os.open
            self.patch(os, "open", denied)
            error = self.assertRaises(
                ProfileProblem, who.member, self.parse(), self.profiles, NoPassPhrase()
            )
            self.patch(os, "open", opened)
            self.assertIn("permission denied", error.what)
            self.assertIn("sudo chown -R", error.hint)
            if call == "lstat":
                self.assertRaises(ProfileProblem, self.newcomer, "--profile", "work")

    def test_a_profile_name_that_is_taken_is_refused_before_a_key_is_made(self) -> None:
        self.newcomer("--profile", "work").enrolled(Name("alice"))
        self.assertRaises(ProfileProblem, self.newcomer, "--profile", "work")
        self.assertFalse(self.profiles.pending(INVITATION).exists())

    def test_settings_last_for_a_run_unless_they_are_saved(self) -> None:
        self.newcomer().enrolled(Name("alice"))
        words = ("--request", "dial", "--available")
        member = who.member(self.parse(*words), self.profiles, NoPassPhrase())
        self.assertEqual((member.profile.request, member.profile.available), ("dial", True))
        self.assertEqual(self.profiles.load(None).request, "listen")
        who.member(self.parse(*words, "--save"), self.profiles, NoPassPhrase())
        self.assertTrue(self.profiles.load(None).available)

    def test_a_program_that_answers_is_a_setting_too(self) -> None:
        self.newcomer().enrolled(Name("alice"))
        words = ("--on-request", "sh -c 'exit 3'")
        member = who.member(self.parse(*words), self.profiles, NoPassPhrase())
        program, *rest = member.profile.on_request
        self.assertEqual((Path(program).name, rest), ("sh", ["-c", "exit 3"]))
        self.assertEqual(self.profiles.load(None).on_request, ())
        who.member(self.parse(*words, "--save"), self.profiles, NoPassPhrase())
        member = who.member(self.parse(), self.profiles, NoPassPhrase())
        self.assertEqual(member.profile.on_request, (program, *rest))
        none = who.member(self.parse("--on-request", ""), self.profiles, NoPassPhrase())
        self.assertEqual(none.profile.on_request, ())

    def test_a_program_that_is_not_there_any_more_is_told_at_once(self) -> None:
        profile = self.newcomer().enrolled(Name("alice")).profile
        profile.with_settings(on_request=("/none",)).save()
        error = self.assertRaises(
            NoProgram, who.member, self.parse(), self.profiles, NoPassPhrase()
        )
        self.assertIn("docs/bots.md", error.hint)
        words = ("--on-request", "")
        member = who.member(self.parse(*words), self.profiles, NoPassPhrase())
        self.assertEqual(member.profile.on_request, ())

    def test_what_decides_ends_with_the_client(self) -> None:
        reactor = MemoryReactorClock()
        run = running.ClientRun(self.parse(), reactor, [])
        self.assertIs(run._consent(()), ASK_THE_PERSON)
        self.assertEqual(reactor.triggers, {})
        program = run._consent(("/usr/bin/decide",))
        assert isinstance(program, Program)
        ((end, *_),) = reactor.triggers["before"]["shutdown"]
        self.assertEqual(end, program.end)

    def test_who_goes_on_after_a_stop_looks_after_the_terminal(self) -> None:
        handlers: dict[int, Any] = {}
        self.patch(signal, "signal", handlers.__setitem__)
        self.patch(running, "StandardIO", lambda *_, **__: None)
        called: list[Any] = []
        reactor: Any = MemoryReactorClock()
        reactor.callFromThread = called.append
        run = running.ClientRun(self.parse(), reactor, [])
        run._open(None)
        handlers[signal.SIGCONT](signal.SIGCONT, None)
        self.assertEqual(called, [run.lines.continued])
        ended = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}
        self.assertEqual(handlers.keys() - {signal.SIGCONT}, ended)

    def test_settings_at_enrolment(self) -> None:
        joined = self.newcomer().enrolled(Name("alice"))
        who.settled(joined, self.parse("--available"))
        self.assertFalse(self.profiles.load(None).available)
        settled = who.settled(joined, self.parse("--available", "--save"))
        self.assertEqual(self.profiles.load(None), settled.profile)
        self.assertTrue(settled.profile.available)

    def test_all_folders_are_private(self) -> None:
        folder = self.newcomer().enrolled(Name("alice")).profile.folder
        for one in (folder, folder.parent, self.folder):
            self.assertEqual(one.stat().st_mode & 0o777, 0o700)


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

    def test_a_link_from_standard_input_is_on_no_command_line(self) -> None:
        taken: list[object] = []
        self.patch(who, "newcomer", lambda arguments, *_: taken.append(arguments.link))
        self.patch(running, "run", lambda arguments, someone: 0)
        self.patch(logs, "begin", lambda path: None)
        self.patch(standard_io, "first_line", lambda most: INVITATION.link())
        self.assertEqual(self.main("-", "--no-pass")[0], 0)
        self.assertEqual(taken, [INVITATION])
        self.patch(standard_io, "first_line", lambda most: "rubbish")
        code, _, stderr = self.main("-", "--no-pass")
        self.assertEqual((code, len(taken)), (1, 1))
        self.assertNotIn("rubbish", stderr)

    def test_a_link_from_standard_input_may_be_wrapped(self) -> None:
        taken: list[object] = []
        self.patch(who, "newcomer", lambda arguments, *_: taken.append(arguments.link))
        self.patch(running, "run", lambda arguments, someone: 0)
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

    def test_what_the_system_says_before_anything_runs_is_one_line(self) -> None:
        def broken(*_: object) -> None:
            raise OSError(errno.EMFILE, "Too many open files")

        self.patch(who, "member", broken)
        code, stdout, stderr = self.main()
        self.assertEqual((code, stdout, stderr.count("\n")), (1, "", 1))
        self.assertIn("SC-112", stderr)
        self.assertIn("too many open files", stderr)

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

    def test_nothing_imports_a_reactor_before_it_is_time(self) -> None:
        program = (
            "import sys, securecom.client.__main__, securecom.client.frontends.lines, "
            "securecom.client.program.visit; sys.exit('twisted.internet.reactor' in sys.modules)"
        )
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run([sys.executable, "-c", program], env=environment, check=False)
        self.assertEqual(done.returncode, 0)


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


class LogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.observers: list[object] = []

        def begin(observers: list[object], **options: object) -> None:
            self.observers = observers

        self.patch(globalLogBeginner, "beginLoggingTo", begin)

    def logger(self) -> Logger:
        return Logger(observer=self.observers[0])  # type: ignore[arg-type]

    def test_a_file_is_private_and_appended_to(self) -> None:
        path = Path(self.mktemp())
        for word in ("one", "two"):
            logs.begin(path)
            self.logger().info(word)
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(
            [line.split()[-1] for line in path.read_text().splitlines()], ["one", "two"]
        )

    def test_a_file_that_cannot_be_written(self) -> None:
        self.assertRaises(BadArgument, logs.begin, Path("/none/log"))

    def test_without_a_file_only_the_unforeseen_is_told_and_not_its_words(self) -> None:
        logs.begin(None)
        stderr = io.StringIO()
        with contextlib.redirect_stderr(stderr):
            self.logger().error("secret")
            self.logger().failure("secret", Failure(ZeroDivisionError("secret")))
            self.logger().critical("secret")
        self.assertEqual(stderr.getvalue().count("\n"), 2)
        self.assertIn("ZeroDivisionError", stderr.getvalue())
        self.assertNotIn("secret", stderr.getvalue())


class RouteTests(SynchronousTestCase):
    def test_the_two_ways(self) -> None:
        route = Route(MemoryReactorClock(), "127.0.0.1", 4241)
        self.assertIsInstance(route.way("listen"), ServerListens)
        self.assertIsInstance(route.way("dial"), ServerDials)

    def test_the_server_may_dial_only_the_address_that_it_knows(self) -> None:
        reactor = MemoryReactorClock()
        route = Route(reactor, "127.0.0.1", 4241)
        for address in ("192.0.2.7", "2001:db8::7"):
            route.own_address = address
            route.listen(4242).listen(object())  # type: ignore[arg-type]
            port, _, _, interface = reactor.tcpServers[-1]
            self.assertEqual((port, interface), (4242, address))


class PartnerTests(SynchronousTestCase):
    """The partner of the demo."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.partner = Partner(self.clock)
        self.role = ScriptedCore()
        self.partner.role = self.role

    def test_it_accepts_and_repeats(self) -> None:
        self.partner.show(Online("robin", "K", False))
        self.clock.advance(0)
        self.successResultOf(self.partner.ready)
        self.role.offer = object()
        self.partner.show(Asked("you", "new", "SHA256:x", 60))
        self.assertEqual(self.role.calls, [], "not from inside the core")
        self.clock.advance(0)
        self.assertEqual(self.role.calls, [("accept", None)])
        self.role.begin_chat("you")
        self.partner.show(Message("you", "x" * 5000))
        self.partner.show(Message("you", "again"))
        self.clock.advance(0)
        first, second = (text for _, text in self.role.calls[1:])
        self.assertIn("program", first)
        self.assertLess(len(first), 1100)
        self.assertEqual(second, "You said: again")

    def test_what_came_too_late_is_left(self) -> None:
        self.partner.show(Asked("you", "new", "SHA256:x", 60))
        self.partner.show(Message("you", "x"))
        self.clock.advance(0)
        self.assertEqual(self.role.calls, [])

    def test_a_chat_that_is_being_ended_needs_no_answer(self) -> None:
        self.role.begin_chat("you")
        self.role.error = NotNow("closing")
        self.partner.show(Message("you", "x"))
        self.clock.advance(0)
        self.assertEqual(self.role.calls, [])

    def test_it_may_fail_to_come(self) -> None:
        failed: Deferred[None] = self.partner.ready
        self.partner.failed(Failure(Failing("no")))
        self.failureResultOf(failed, Failing)
        self.partner.failed(Failure(Failing("no")))
