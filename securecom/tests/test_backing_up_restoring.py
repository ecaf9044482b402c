"""`--restore`: a profile as it was, on a machine that has none, or nothing at all."""

from __future__ import annotations

import contextlib
import io
import os
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client import contacts, known_peers
from securecom.client.__main__ import main
from securecom.client.known_peers import Pin
from securecom.client.profile import private_files
from securecom.client.profile.backup import Backup
from securecom.client.profile.passphrase import (
    Given,
    NoPassPhrase,
    Nowhere,
    PassPhrases,
    Terminal,
    from_descriptor,
    lines_of,
)
from securecom.client.profile.profile import Profile, read_profile
from securecom.client.profile.profiles import Profiles
from securecom.client.program import logs, running, who
from securecom.client.program.command_line import parser
from securecom.client.retirements import Retirements
from securecom.errors import (
    BackupProblem,
    PassPhraseProblem,
    ProfileProblem,
    SecurecomError,
    StateDamaged,
)
from securecom.identity import Identity, Name
from securecom.tests.support.age_files import age_file, asking_for_work
from securecom.tests.support.backups import PEER, PINS, SERVER, backup_of, profile_of
from securecom.values import replace

RIGHT = Given(lambda: b"right")


class RestoringCase(SynchronousTestCase):
    #: Of the identity in the backup.
    pass_phrase: bytes | None = None

    def setUp(self) -> None:
        self.patch(limits, "BCRYPT_ROUNDS", 1)
        self.home = Path(self.mktemp()).absolute()
        self.old = profile_of(Profiles(self.home / "old"), self.home / "new", self.pass_phrase)
        self.backup = backup_of(self.old)
        self.folder = self.home / "data"
        self.profiles = Profiles(self.folder)
        self.file = self.home / "kept.age"
        self.keep(self.backup)

    def keep(self, backup: Backup) -> None:
        self.file.write_bytes(age_file(backup.packed(), "right"))

    def parse(self, *words: str) -> Namespace:
        given = ("--data-dir", str(self.folder), "--restore", str(self.file))
        return parser().parse_args([*given, *words])

    def restore(self, *words: str, source: PassPhrases = RIGHT) -> who.Member:
        return who.restored(self.parse(*words), self.profiles, source)

    def refused(
        self, kind: type[SecurecomError], *words: str, source: PassPhrases = RIGHT
    ) -> SecurecomError:
        """It fails, and on the disk all is as it was."""
        before = self.files()
        error = self.assertRaises(kind, self.restore, *words, source=source)
        self.assertEqual(self.files(), before)
        self.assertIn("Nothing was", error.hint)
        assert isinstance(error, SecurecomError)
        return error

    def files(self) -> dict[Path, bytes]:
        return {one: one.read_bytes() for one in self.folder.rglob("*") if one.is_file()}


class RestoringTests(RestoringCase):
    def test_the_profile_is_what_it_was(self) -> None:
        member = self.restore()
        profile = member.profile
        self.assertEqual(profile, replace(self.old, folder=profile.folder))
        self.assertEqual(profile.folder, self.folder / "profiles" / "alice@chat.example.org")
        self.assertEqual(backup_of(profile), self.backup)
        self.assertEqual(member.identity.public_key, self.key_of(self.old))
        self.assertEqual(self.profiles.load(None), profile)

    # Promise C62
    def test_the_second_key_is_the_same_too(self) -> None:
        before, after = self.identity_of(self.old), self.restore().identity
        self.assertEqual(after.second_key, before.second_key)
        signature = after.sign_second(b"still me", b"a test")
        self.assertTrue(before.second_key.has_signed(signature, b"still me", b"a test"))

    def key_of(self, profile: Profile) -> object:
        return self.identity_of(profile).public_key

    def identity_of(self, profile: Profile) -> Identity:
        arguments = parser().parse_args([])
        profiles = Profiles(profile.folder.parent.parent)
        return who.member(arguments, profiles, NoPassPhrase()).identity

    def test_only_its_owner_may_read_it(self) -> None:
        folder = self.restore().profile.folder
        for one in (self.folder, folder.parent, folder):
            self.assertEqual(one.stat().st_mode & 0o777, 0o700)
        for one in folder.iterdir():
            self.assertEqual(one.stat().st_mode & 0o777, 0o600)
        names = sorted(one.name for one in folder.iterdir())
        self.assertEqual(names, ["identity", "known_peers", "profile.toml"])

    def test_what_the_person_is_told(self) -> None:
        restored, two = self.restore().notices
        self.assertIn("restored as alice@chat.example.org", restored)
        self.assertIn("next time: securecom", restored)
        self.assertIn("--takeover", two)

    def test_under_a_name_of_ones_own(self) -> None:
        arguments = self.parse("--profile", "work")
        member = who.restored(arguments, self.profiles, RIGHT)
        self.assertEqual(member.profile.folder.name, "work")

    def test_beside_others(self) -> None:
        other = replace(self.old, folder=self.folder / "new", server=bytes(32))
        private_files.make_folder(other.folder)
        self.profiles.add(other, None)
        member = self.restore()
        self.assertEqual(member.profile.folder.name, "alice@chat.example.org-2")
        self.assertEqual(member.profile.server, SERVER)

    def test_settings_of_the_command_line_hold(self) -> None:
        self.assertTrue(self.restore("--available").profile.available)
        self.assertFalse(self.profiles.load(None).available)


class AlreadyThereTests(RestoringCase):
    # Promise T117
    def test_a_profile_of_that_name(self) -> None:
        self.restore("--profile", "work")
        asked = Given(lambda: self.fail("asked for nothing"))
        error = self.refused(ProfileProblem, "--profile", "work", source=asked)
        self.assertIn("work", error.what)
        self.assertIn("--profile", error.hint)
        self.refused(ProfileProblem, "--profile", "../work", source=asked)

    # Promise T117, C64
    def test_a_profile_of_that_person_at_that_server(self) -> None:
        self.restore("--profile", "work")
        for words in ((), ("--profile", "again")):
            error = self.refused(ProfileProblem, *words)
            self.assertIn("work", error.what)
            self.assertIn("securecom --profile work", error.hint)


class RefusedTests(RestoringCase):
    def with_profile(self, old: str, new: str) -> Backup:
        changed = self.backup.profile.decode().replace(old, new)
        self.assertNotEqual(changed.encode(), self.backup.profile)
        return replace(self.backup, profile=changed.encode())

    def test_no_file_no_backup_and_damage(self) -> None:
        whole = self.file.read_bytes()
        for data in (b"", b"rubbish", self.backup.packed(), whole[:-1], whole[:-200], whole + b"x"):
            self.file.write_bytes(data)
            self.assertIn(str(self.file), self.refused(BackupProblem).what)
        self.file.unlink()
        self.refused(BackupProblem)

    def test_what_is_no_backup_is_refused_before_a_pass_phrase_is_asked_for(self) -> None:
        asked = Given(lambda: self.fail("asked"))
        for data in (b"rubbish", asking_for_work(b"x", 30), bytes(limits.MAX_BACKUP_FILE + 1)):
            self.file.write_bytes(data)
            self.refused(BackupProblem, source=asked)

    def test_a_wrong_pass_phrase(self) -> None:
        self.refused(PassPhraseProblem, source=Given(lambda: b"wrong"))

    def test_other_files_than_ours(self) -> None:
        self.file.write_bytes(age_file(b"no tar file", "right"))
        self.refused(BackupProblem)

    def test_settings_that_a_profile_cannot_have(self) -> None:
        bad: Iterable[tuple[str, str]] = (
            ("version = 1", "version = 2"),
            ("port = 4241", "port = 0"),
            ('name = "alice"', 'name = "../alice"'),
            ("available = false", "available = 7"),
            ("available = false", "available = false\nmore = 1"),
        )
        for old, new in bad:
            self.keep(self.with_profile(old, new))
            self.assertIn("profile.toml", self.refused(BackupProblem).what)

    # Promise T116
    def test_a_profile_that_would_use_another_key_of_the_machine(self) -> None:
        for other in ("/home/alice/.ssh/id_ed25519", "../other/identity", "~/key"):
            self.keep(self.with_profile('identity = "identity"', f'identity = "{other}"'))
            self.assertIn("not in it", self.refused(BackupProblem).what)

    def test_a_program_that_would_answer_requests_is_not_taken_over(self) -> None:
        """Or whoever gives somebody a backup could have anything run there."""
        self.keep(self.with_profile('on_request = ""', 'on_request = "sh -c true"'))
        self.assertIn("not in it", self.refused(BackupProblem).what)

    def test_an_identity_that_cannot_be_used(self) -> None:
        for data in (b"", b"rubbish", self.backup.identity[:-20]):
            self.keep(replace(self.backup, identity=data))
            self.assertIn("identity", self.refused(BackupProblem).what)

    def test_pins_that_are_none(self) -> None:
        for data in (b"", b"rubbish\n", PINS + PINS.split(b"\n")[1] + b"\n", PINS[:-1]):
            self.keep(replace(self.backup, known_peers=data))
            self.assertIn("known_peers", self.refused(BackupProblem).what)

    # Promise C64
    def test_a_disk_that_is_full_leaves_nothing_behind(self) -> None:
        write = private_files.write

        def full(path: Path, data: bytes) -> None:
            if path.name == "profile.toml":
                raise OSError(28, "No space left on device")
            write(path, data)

        self.patch(private_files, "write", full)
        self.refused(ProfileProblem)
        self.assertEqual(list((self.folder / "restoring").iterdir()), [])
        self.patch(private_files, "write", write)
        self.restore()
        self.assertEqual(list((self.folder / "restoring").iterdir()), [])


class PassPhraseTests(RestoringCase):
    """The backup has one, and the identity in it another."""

    pass_phrase = b"mine"

    def test_a_file_has_a_line_for_each(self) -> None:
        path = self.home / "pass"
        private_files.write(path, b"right\nmine\nmore\n")
        self.assertEqual(self.restore(source=Given(lines_of(path))).profile.name, "alice")
        longest = [letter * limits.MAX_PASS for letter in (b"a", b"b")]
        private_files.write(path, b"\r\n".join([*longest, b""]))
        read = lines_of(path)
        self.assertEqual([read(), read()], longest)
        private_files.write(path, b"a\n" + b"b" * (2 * limits.MAX_PASS))
        read = lines_of(path)
        self.assertEqual(read(), b"a")
        self.assertRaises(PassPhraseProblem, read)

    def test_a_descriptor_has_a_line_for_each(self) -> None:
        here, there = os.pipe()
        self.addCleanup(os.close, here)
        os.write(there, b"right\nmine\n/users\n")
        os.close(there)
        self.restore(source=Given(lambda: from_descriptor(here)))
        self.assertEqual(os.read(here, 100), b"/users\n")

    def test_who_does_not_know_the_identitys_is_told_that_it_was_restored(self) -> None:
        path = self.home / "pass"
        for lines in (b"right\n", b"right\nwrong\n"):
            private_files.write(path, lines)
            error = self.assertRaises(PassPhraseProblem, self.restore, source=Given(lines_of(path)))
            self.assertIn("restored as alice@chat.example.org; next time: securecom", error.hint)
            (found,) = self.profiles.names()
            (self.folder / "profiles" / found).rename(self.home / f"away {len(lines)}")

    def test_a_terminal_has_a_few_attempts(self) -> None:
        typed = ["wrong", "right", "wrong", "mine"]
        told: list[str] = []
        asked: list[str] = []

        def secret(question: str) -> str:
            asked.append(question)
            return typed.pop(0)

        self.restore(source=Terminal(secret, tell=told.append))
        self.assertEqual([str(self.file) in one for one in asked], [True, True, False, False])
        self.assertEqual(len(told), 2)

    def test_a_terminal_has_no_more_than_that(self) -> None:
        told: list[str] = []
        self.refused(PassPhraseProblem, source=Terminal(lambda _: "wrong", tell=told.append))
        self.assertEqual(len(told), limits.PASS_ATTEMPTS - 1)

    def test_nobody_who_could_say_it(self) -> None:
        for source in (NoPassPhrase(), Nowhere()):
            self.assertIn("--pass-file", self.refused(PassPhraseProblem, source=source).hint)


class CommandLineTests(RestoringCase):
    def main(self, *words: str) -> tuple[int, str]:
        stderr = io.StringIO()
        with contextlib.redirect_stderr(stderr):
            try:
                code = main(["--data-dir", str(self.folder), *words])
            except SystemExit as error:
                code = int(error.code or 0)
        return code, stderr.getvalue()

    def test_restored_and_on_line_in_one_go(self) -> None:
        path = self.home / "pass"
        private_files.write(path, b"right\n")
        ran: list[who.Member] = []

        def run(_: Namespace, someone: who.Member, choice: object) -> int:
            ran.append(someone)
            return 0

        self.patch(logs, "begin", lambda path: None)
        self.patch(running, "run", run)
        words = ("--restore", str(self.file), "--pass-file", str(path))
        self.assertEqual(self.main(*words), (0, ""))
        self.assertEqual(ran[0].profile, read_profile(ran[0].profile.folder))
        code, told = self.main(*words)
        self.assertEqual((code, len(ran)), (1, 1))
        self.assertIn("SC-211", told)

    def test_a_file_that_is_no_backup_is_refused(self) -> None:
        self.file.write_bytes(b"rubbish")
        code, told = self.main("--restore", str(self.file), "--no-pass")
        self.assertEqual(code, 1)
        self.assertIn("SC-214", told)
        self.assertFalse(self.folder.exists())

    def test_what_it_does_not_go_with(self) -> None:
        self.assertEqual(self.main("--restore", "x", "--demo")[0], 2)
        self.assertEqual(self.main("--restore", "x", "-")[0], 2)
        self.assertEqual(self.main("--restore", "x", "--identity", "y")[0], 2)


class PinsTests(RestoringCase):
    # Promise C63
    def test_who_was_verified_is_verified(self) -> None:
        profile = self.restore().profile
        pins = known_peers.parse(profile.known_peers.read_bytes(), profile.known_peers)
        self.assertEqual(pins, {(SERVER, "bob"): Pin(PEER, 7, "verified")})
        self.assertRaises(StateDamaged, known_peers.parse, b"", profile.known_peers)

    # Promise T290
    def test_a_retired_key_stays_retired(self) -> None:
        kept = Retirements(self.home / "retirements", SERVER)
        kept.retire(Name("bob"), [PEER])
        self.keep(replace(self.backup, retirements=(self.home / "retirements").read_bytes()))
        known = contacts.Contacts(self.restore().profile.known_peers, SERVER, lambda: 1.0)
        self.assertEqual(known.trust(Name("bob")), "retired")

    def test_a_list_of_retired_keys_that_is_damaged(self) -> None:
        self.keep(replace(self.backup, retirements=b"{}"))
        self.assertIn("retirements", self.refused(BackupProblem).what)
