"""Profiles: what is written comes back, what is damaged is refused with its line and kept."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.profile import private_files
from securecom.client.profile.identity_file import make_identity_file
from securecom.client.profile.profile import IDENTITY_FILE, PROFILE_FILE, Profile, read_profile
from securecom.client.profile.profiles import Profiles
from securecom.client.retirements import Retirements, carry_over
from securecom.client.terms import BusyAudience, Choices
from securecom.errors import ProfileProblem, WhichProfile
from securecom.identity import Name
from securecom.invitation import Host, Invitation
from securecom.tests.support.contact_keys import KEY
from securecom.values import replace

SERVER = bytes(range(32))
INVITATION = Invitation(Host("chat.example.org"), 4241, SERVER, bytes(limits.TOKEN_BYTES))


class ProfileCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(0o700)

    def profile(self, folder: Path | None = None) -> Profile:
        return Profile(
            folder or self.folder,
            Name("alice"),
            Host("chat.example.org"),
            4241,
            SERVER,
            Path(IDENTITY_FILE),
        )


class ProfileTests(ProfileCase):
    def refused(self, text: str) -> str:
        path = self.folder / PROFILE_FILE
        path.write_text(text)
        path.chmod(0o600)
        error = self.assertRaises(ProfileProblem, read_profile, self.folder)
        self.assertEqual(path.read_text(), text, "a damaged file is left as it is")
        self.assertIn(str(path), error.what)
        return str(error.what)

    def text(self) -> str:
        self.profile().save()
        return (self.folder / PROFILE_FILE).read_text()

    def test_what_is_saved_comes_back(self) -> None:
        for profile in (
            self.profile(),
            replace(self.profile(), host=Host("::1"), port=1, request="dial", available=True),
            replace(self.profile(), ask="people", busy=BusyAudience(people=True)),
            replace(
                self.profile(), ask="nobody", busy=BusyAudience(names=(Name("bob"), Name("people")))
            ),
            replace(self.profile(), identity=Path('/a "b"\\c/ä\n\x7f\u202e')),
            replace(self.profile(), on_request=("/b/decide me", "--for", '"ä"\\\n', "")),
        ):
            profile.save()
            self.assertEqual(read_profile(self.folder), profile)

    @given(st.text().filter(lambda text: "\0" not in text))
    def test_every_path_comes_back(self, text: str) -> None:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            return
        profile = replace(self.profile(), identity=Path(text))
        profile.save()
        self.assertEqual(read_profile(self.folder), profile)

    def test_the_file_is_private(self) -> None:
        self.profile().save()
        self.assertEqual((self.folder / PROFILE_FILE).stat().st_mode & 0o777, 0o600)

    def test_a_file_that_others_may_use_is_refused(self) -> None:
        self.profile().save()
        (self.folder / PROFILE_FILE).chmod(0o644)
        error = self.assertRaises(ProfileProblem, read_profile, self.folder)
        self.assertIn("chmod 600", error.hint)

    def test_paths(self) -> None:
        profile = self.profile()
        self.assertEqual(profile.identity_path, self.folder / "identity")
        self.assertEqual(profile.known_peers, self.folder / "known_peers")
        elsewhere = replace(profile, identity=Path("/elsewhere/key"))
        self.assertEqual(elsewhere.identity_path, Path("/elsewhere/key"))
        home = replace(profile, identity=Path("~/.ssh/id_ed25519"))
        self.assertEqual(home.identity_path, Path("~/.ssh/id_ed25519").expanduser())

    def test_settings_that_are_given_replace_those_that_stand(self) -> None:
        profile = self.profile()
        self.assertEqual(profile.with_settings(), profile)
        changed = profile.with_settings("dial", True)
        self.assertEqual((changed.request, changed.available), ("dial", True))
        self.assertFalse(changed.with_settings(None, False).available)
        deciding = changed.with_settings(on_request=("/b/decide",))
        self.assertEqual((deciding.on_request, deciding.available), (("/b/decide",), True))
        self.assertEqual(deciding.with_settings().on_request, ("/b/decide",))
        self.assertEqual(deciding.with_settings(on_request=()).on_request, ())

    def test_a_profile_from_before_it_could_name_a_program(self) -> None:
        self.profile().save()
        path = self.folder / PROFILE_FILE
        text = path.read_text()
        path.write_text(text[: text.index("# A program")])
        self.assertNotIn("on_request", path.read_text())
        self.assertEqual(read_profile(self.folder), self.profile())

    def test_a_program_is_split_like_a_shell_does(self) -> None:
        path = self.folder / PROFILE_FILE
        text = self.text()
        path.write_text(text.replace('on_request = ""', "on_request = \"'/b/c d' --e 'f g'\""))
        self.assertEqual(read_profile(self.folder).on_request, ("/b/c d", "--e", "f g"))
        self.assertIn("line 14", self.refused(text.replace('request = ""', 'request = "\'x"')))

    def test_every_line_is_needed_and_checked(self) -> None:
        text = self.text()
        for line in text.splitlines():
            if "=" not in line or line.startswith("#"):
                continue
            key = line.split(" ")[0]
            if key not in (
                "on_request",
                "ask",
                "busy",
                "notify",
                "notify_names",
                "downloads",
                "typing",
            ):  # which came later
                self.assertIn(f"{key} is missing", self.refused(text.replace(line + "\n", "")))
            number = text.splitlines().index(line) + 1
            for bad in ("[]", "3.5"):
                told = self.refused(text.replace(line, f"{key} = {bad}"))
                self.assertIn(f"line {number}: {key}", told)

    def test_a_profile_from_before_there_were_choices(self) -> None:
        lines = [
            line
            for line in self.text().splitlines()
            if not line.startswith(("ask", "busy", "typing", "notify"))
        ]
        (self.folder / PROFILE_FILE).write_text("\n".join(lines))
        self.assertEqual(read_profile(self.folder), self.profile())
        self.assertEqual(read_profile(self.folder).choices, Choices())

    # Promise C20
    def test_choices_that_are_kept_leave_everything_else(self) -> None:
        """Also what was changed meanwhile, by hand or by another client."""
        profile = self.profile()
        replace(profile, available=True, port=1).save()
        busy = BusyAudience(names=(Name("bob"),))
        profile.keep(Choices("people", busy, "terminal", notify_names=True))
        kept = read_profile(self.folder)
        expected = replace(profile, available=True, port=1, ask="people")
        expected = replace(expected, busy=busy, notify="terminal", notify_names=True)
        self.assertEqual(kept, expected)
        self.assertEqual((self.folder / PROFILE_FILE).stat().st_mode & 0o777, 0o600)

    def test_choices_do_not_replace_a_damaged_file(self) -> None:
        path = self.folder / PROFILE_FILE
        path.write_text("a diary")
        path.chmod(0o600)
        self.assertRaises(ProfileProblem, self.profile().keep, Choices("nobody"))
        self.assertEqual(path.read_text(), "a diary")

    def test_values_that_may_not_be(self) -> None:
        text = self.text()
        for good, bad in (
            ("version = 1", "version = 2"),
            ('"alice"', '"Alice B"'),
            ('"chat.example.org"', '"no host"'),
            ("4241", "0"),
            ("4241", "65536"),
            ("4241", "true"),
            (SERVER.hex(), SERVER.hex()[1:]),
            (SERVER.hex(), "g" * 64),
            ('"listen"', '"shout"'),
            ("false", "0"),
            ('"anyone"', '"everybody"'),
            ('"anyone"', '""'),
            ('"nobody"', '"anyone"'),
            ('"nobody"', '"to"'),
            ('"nobody"', '"to b/b"'),
            ('"bell"', '"gong"'),
            ("notify_names = false", "notify_names = 1"),
        ):
            self.assertIn("line ", self.refused(text.replace(good, bad)))

    def test_a_setting_that_does_not_exist_is_named_with_its_line(self) -> None:
        self.assertIn(
            "line 27: there is no setting colour", self.refused(self.text() + "colour=1\n")
        )

    def test_what_the_parser_breaks_over_is_refused_too(self) -> None:
        for junk in ("9" * 5000, "[" * 5000, "{a=" * 3000):
            self.assertIn("what no setting is", self.refused(f"port = {junk}"))

    def test_what_is_no_toml_is_named_with_its_line(self) -> None:
        self.assertIn("line 1", self.refused("version 1\n"))
        self.refused("")
        self.assertIn("too long", self.refused("#" * (limits.MAX_PROFILE_FILE + 1)))

    def test_what_is_no_text(self) -> None:
        path = self.folder / PROFILE_FILE
        path.write_bytes(b"\xff")
        path.chmod(0o600)
        self.assertRaises(ProfileProblem, read_profile, self.folder)

    def test_files_that_cannot_be_read_or_written(self) -> None:
        self.assertRaises(ProfileProblem, read_profile, self.folder / "none")
        self.assertRaises(ProfileProblem, self.profile(self.folder / "none").save)


class ProfilesTests(ProfileCase):
    def setUp(self) -> None:
        super().setUp()
        self.profiles = Profiles(self.folder)

    def enrol(self, name: str | None = None) -> Profile:
        return self.profiles.add(self.profile(self.profiles.pending(INVITATION)), name)

    def test_none_yet(self) -> None:
        self.assertEqual(self.profiles.names(), [])
        error = self.assertRaises(WhichProfile, self.profiles.load, None)
        self.assertIn("securecom://", error.hint)

    def test_the_only_one_is_taken(self) -> None:
        profile = self.enrol()
        self.assertEqual(self.profiles.names(), ["alice@chat.example.org"])
        self.assertEqual(self.profiles.load(None), profile)
        self.assertEqual(self.profiles.load("alice@chat.example.org"), profile)

    def test_the_part_before_the_at_is_enough_if_it_is_unique(self) -> None:
        profile = self.enrol()
        self.enrol("alice.work")
        self.assertEqual(self.profiles.load("alice"), profile)
        self.enrol("alice@work")
        error = self.assertRaises(WhichProfile, self.profiles.load, "alice")
        listed = "\n  securecom --profile alice@chat.example.org\n  securecom --profile alice@work"
        self.assertTrue(error.hint.endswith(listed))
        self.assertNotIn("alice.work", error.hint)
        self.assertRaises(WhichProfile, self.profiles.load, "ali")

    def test_what_to_type_next_time(self) -> None:
        profile = self.enrol()
        self.assertEqual(self.profiles.start(profile), "securecom")
        other = self.enrol("other")
        self.assertEqual(self.profiles.start(other), "securecom --profile other")

    def test_of_several_one_has_to_be_named(self) -> None:
        self.enrol()
        other = self.enrol("other")
        error = self.assertRaises(WhichProfile, self.profiles.load, None)
        self.assertIn("securecom --profile other", error.hint)
        self.assertIn("securecom --profile alice@chat.example.org", error.hint)
        self.assertEqual(self.profiles.load("other"), other)
        self.profiles = Profiles(self.folder, "securecom --data-dir x")
        error = self.assertRaises(WhichProfile, self.profiles.load, None)
        self.assertIn("\n  securecom --data-dir x --profile other", error.hint)

    def test_one_that_is_not_there(self) -> None:
        self.enrol()
        error = self.assertRaises(WhichProfile, self.profiles.load, "../../etc")
        self.assertIn("there is no profile", error.what)

    def test_a_finished_enrolment_takes_its_key_along(self) -> None:
        pending = self.profiles.pending(INVITATION)
        make_identity_file(pending / IDENTITY_FILE, None)
        profile = self.enrol()
        self.assertTrue(profile.identity_path.exists())
        self.assertFalse(pending.exists())

    def test_an_unfinished_enrolment_is_no_profile(self) -> None:
        make_identity_file(self.profiles.pending(INVITATION) / IDENTITY_FILE, None)
        self.assertEqual(self.profiles.names(), [])

    def test_two_enrolments_do_not_share_a_key(self) -> None:
        """Neither at two servers nor with two invitations."""
        there = dataclasses.replace(INVITATION, server=bytes(32))
        other = dataclasses.replace(INVITATION, token=b"y" * limits.TOKEN_BYTES)
        ways = (INVITATION, there, other)
        self.assertEqual(len({self.profiles.pending(one) for one in ways}), 3)

    def test_the_same_person_again_gets_another_place(self) -> None:
        names = [self.enrol().folder.name for _ in range(3)]
        usual = "alice@chat.example.org"
        self.assertEqual(names, [usual, f"{usual}-2", f"{usual}-3"])

    # Promise T290
    def test_a_new_key_takes_the_place_of_the_old_one_and_keeps_the_pins(self) -> None:
        for number in range(2):
            new = self.profile(self.profiles.pending(INVITATION))
            self.profiles.set_aside(new, carry_over)
            new = self.profiles.add(new, None)
            if number == 0:
                private_files.write(new.known_peers, b"pins")
                Retirements(new.folder / "retirements", SERVER).keep_own(bytes(64))
                Retirements(new.folder / "retirements", SERVER).retire(Name("bob"), [KEY])
        again = self.profile(self.profiles.pending(INVITATION))
        [former] = self.profiles.set_aside(again, carry_over)
        self.assertEqual(former, self.folder / "former" / "alice@chat.example.org-1")
        self.assertEqual(read_profile(former).name, "alice")
        self.profiles.add(again, None)
        self.assertEqual(self.profiles.names(), ["alice@chat.example.org"])
        profile = self.profiles.load(None)
        self.assertEqual(profile.known_peers.read_bytes(), b"pins")
        kept = Retirements(profile.folder / "retirements", SERVER)
        self.assertEqual(kept.retired(), [("bob", KEY)])
        self.assertIsNone(kept.own)  # its words are for the former key

    def test_what_is_not_of_the_same_person_and_key_stays(self) -> None:
        profile = self.enrol()
        self.enrol("damaged")
        (self.folder / "profiles" / "damaged" / PROFILE_FILE).write_bytes(b"")
        new = self.profile(self.profiles.pending(INVITATION))
        for other in (
            replace(new, name=Name("bob")),
            replace(new, server=bytes(32)),
            replace(new, identity=profile.identity_path.absolute()),
        ):
            self.assertEqual(self.profiles.set_aside(other, carry_over), [])
        self.assertEqual(len(self.profiles.names()), 2)

    # Promise T290
    def test_retirements_that_are_damaged_go_on_as_they_are(self) -> None:
        """The new profile says so, as the old one did; nobody is trusted again."""
        old = self.profiles.add(self.profile(self.profiles.pending(INVITATION)), None)
        private_files.write(old.folder / "retirements", b"rubbish")
        new = self.profile(self.profiles.pending(INVITATION))
        self.profiles.set_aside(new, carry_over)
        self.assertEqual((new.folder / "retirements").read_bytes(), b"rubbish")

    def test_a_former_profile_that_cannot_be_moved_is_told(self) -> None:
        self.enrol()
        (self.folder / "former").write_bytes(b"")
        new = self.profile(self.profiles.pending(INVITATION))
        self.assertRaises(ProfileProblem, self.profiles.set_aside, new, carry_over)

    def test_names_of_new_profiles(self) -> None:
        for good in ("work", "a.b-c_d@e", "9"):
            self.profiles.check_new(good)
        for bad in ("", ".", "..", "a/b", "-x", "a b", "x" * 201, "a\n"):
            self.assertRaises(ProfileProblem, self.profiles.check_new, bad)
        self.enrol("work")
        self.assertRaises(ProfileProblem, self.profiles.check_new, "work")

    def test_where_nothing_can_be_written(self) -> None:
        (self.folder / "profiles").write_bytes(b"")
        self.assertRaises(ProfileProblem, self.enrol)
