"""From the command line to an identity, before any reactor runs."""

from __future__ import annotations

import errno
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.testing import MemoryReactorClock

from securecom import limits
from securecom.client.coordination.engagement import ASK_THE_PERSON
from securecom.client.profile.identity_file import make_identity_file, read_identity_file
from securecom.client.profile.passphrase import Given, NoPassPhrase, Nowhere, Terminal
from securecom.client.program import choosing, running, standard_lines, who
from securecom.client.program.command_line import parser
from securecom.client.program.deciding import Program
from securecom.errors import (
    IdentityProblem,
    NoProgram,
    PassPhraseProblem,
    ProfileProblem,
)
from securecom.identity import Name
from securecom.tests.support.invitations import INVITATION
from securecom.tests.support.start_case import StartCase


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

    # Promise R51
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

    # Promise R55
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

    # Promise R55
    def test_nor_can_somebody_enrol_in_a_folder_of_another_user(self) -> None:
        def denied(path: Path, *_: object, **__: object) -> None:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))

        self.patch(Path, "mkdir", denied)
        error = self.assertRaises(IdentityProblem, self.newcomer)
        self.assertIn("permission denied", error.what)
        self.assertIn("sudo chown -R", error.hint)

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
        run = running.ClientRun(self.parse(), reactor, choosing.choose(self.parse()))
        self.assertIs(run._consent(()), ASK_THE_PERSON)
        self.assertEqual(reactor.triggers, {})
        program = run._consent(("/usr/bin/decide",))
        assert isinstance(program, Program)
        ((end, *_),) = reactor.triggers["before"]["shutdown"]
        self.assertEqual(end, program.end)

    def test_who_goes_on_after_a_stop_looks_after_the_terminal(self) -> None:
        handlers: dict[int, Any] = {}
        self.patch(signal, "signal", handlers.__setitem__)
        self.patch(standard_lines, "StandardIO", lambda *_, **__: None)
        called: list[Any] = []
        reactor: Any = MemoryReactorClock()
        reactor.callFromThread = called.append
        run = running.ClientRun(self.parse(), reactor, choosing.choose(self.parse()))
        run._open(None)
        handlers[signal.SIGCONT](signal.SIGCONT, None)
        assert isinstance(run.frontend, standard_lines.StandardLines)
        self.assertEqual(called, [run.frontend.continued])
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
