"""`/backup`: what is asked, what is written, and that it is written as a whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import sys
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock, deferLater
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.events import BackedUp
from securecom.client.frontends.jsonl import Json
from securecom.client.frontends.lines import Language, Lines
from securecom.client.frontends.plain import Plain
from securecom.client.profile import private_files
from securecom.client.profile.backup import read_sealed_file, unpacked
from securecom.client.profile.identity_file import make_identity_file
from securecom.client.profile.own_key import NEXT_FILE
from securecom.client.profile.profile import Profile, read_profile
from securecom.client.program.sealing import seal_in_a_process
from securecom.client.retirements import Retirements
from securecom.errors import (
    BackupProblem,
    IdentityProblem,
    NotNow,
    PassPhraseProblem,
    ProfileProblem,
    StateDamaged,
)
from securecom.identity import Identity, Name
from securecom.tests.support.backing_up_case import PHRASE, BackingUpCase
from securecom.tests.support.backups import PEER, PINS, SERVER, backup_of
from securecom.tests.support.memory_client import MemoryClient
from securecom.tests.support.network import Network
from securecom.tests.support.scripted_core import ScriptedCore
from securecom.values import field_names


class MakingTests(BackingUpCase):
    # Promise C62
    def test_a_backup_holds_the_identity_the_settings_and_the_pins(self) -> None:
        done = self.successResultOf(self.make())
        self.assertEqual(done, BackedUp(str(self.file), 1))
        data = read_sealed_file(self.file).unseal(PHRASE.encode())
        self.assertEqual(unpacked(self.file, data), backup_of(self.profile))
        self.assertEqual(backup_of(self.profile).known_peers, PINS)

    # Promise T290
    def test_a_backup_holds_which_keys_are_retired(self) -> None:
        path = self.profile.folder / "retirements"
        Retirements(path, SERVER).retire(Name("bob"), [PEER])
        self.successResultOf(self.make())
        data = read_sealed_file(self.file).unseal(PHRASE.encode())
        self.assertEqual(unpacked(self.file, data).retirements, path.read_bytes())

    def test_no_backup_that_would_trust_them_again(self) -> None:
        path = self.profile.folder / "retirements"
        path.write_bytes(b"rubbish")
        self.refused(StateDamaged)
        path.unlink()
        path.mkdir()
        self.refused(StateDamaged)

    # Promise T109
    def test_nothing_of_it_is_to_be_seen_in_the_file(self) -> None:
        self.successResultOf(self.make())
        data = self.file.read_bytes()
        for part in (b"OPENSSH", b"chat.example.org", b"bob", b"verified", b"profile"):
            self.assertNotIn(part, data)

    def test_it_is_for_its_owner_alone_and_nothing_is_left_beside_it(self) -> None:
        mask = os.umask(0)
        self.addCleanup(os.umask, mask)
        self.successResultOf(self.make())
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)
        self.assertEqual(list(self.target.iterdir()), [self.file])

    # Promise T109
    def test_the_pass_phrase_of_the_identity_stays_on_it(self) -> None:
        kept = self.profile.identity_path.read_bytes()
        self.successResultOf(self.make())
        data = read_sealed_file(self.file).unseal(PHRASE.encode())
        self.assertEqual(unpacked(self.file, data).identity, kept)

    def test_a_key_that_is_elsewhere_is_in_it_and_the_profile_says_so(self) -> None:
        own = self.home / "own"
        self.profile.identity_path.rename(own)
        text = (self.profile.folder / "profile.toml").read_text()
        text = text.replace('identity = "identity"', f'identity = "{own}"')
        (self.profile.folder / "profile.toml").write_text(text)
        self.profile = read_profile(self.profile.folder)
        self.assertEqual(self.profile.identity_path, own)
        self.successResultOf(self.make())
        backup = unpacked(self.file, read_sealed_file(self.file).unseal(PHRASE.encode()))
        self.assertEqual(backup.identity, own.read_bytes())
        self.assertIn(b'identity = "identity"\n', backup.profile)

    def test_a_program_that_answers_requests_stays_here(self) -> None:
        self.profile = self.profile.with_settings(on_request=("/bin/decide",))
        self.profile.save()
        self.successResultOf(self.make())
        backup = unpacked(self.file, read_sealed_file(self.file).unseal(PHRASE.encode()))
        self.assertIn(b'on_request = ""\n', backup.profile)

    def test_of_every_setting_it_is_known_whether_it_goes_along(self) -> None:
        """Another machine must not take over what names a file, as `Profile.portable` says."""
        here = {"folder", "identity", "on_request", "downloads"}
        along = {"name", "host", "port", "server", "request", "available", "ask", "busy"}
        along |= {"notify", "notify_names", "typing"}
        self.assertEqual(set(field_names(Profile)), here | along)

    def test_who_has_met_nobody_has_a_backup_too(self) -> None:
        self.profile.known_peers.unlink()
        self.assertEqual(self.successResultOf(self.make()).people, 0)

    def test_home_may_be_written_short(self) -> None:
        self.patch(os, "environ", {**os.environ, "HOME": str(self.target)})
        self.assertEqual(self.successResultOf(self.make("~/x")).file, str(self.target / "x"))


class AskingTests(BackingUpCase):
    def test_the_same_twice_or_nothing_is_written(self) -> None:
        self.notes.secrets = [PHRASE, PHRASE.upper()] * limits.PASS_ATTEMPTS
        error = self.refused(PassPhraseProblem, asked=2 * limits.PASS_ATTEMPTS)
        self.assertIn("Nothing was written", error.hint)

    def test_after_a_slip_both_are_asked_for_again(self) -> None:
        self.notes.secrets = [PHRASE, PHRASE.upper(), PHRASE, PHRASE]
        self.successResultOf(self.make())
        self.assertIn("two different ones; a pass phrase", self.notes.questions[2])

    def test_no_pass_phrase_no_backup(self) -> None:
        self.notes.secrets = ["", ""]
        self.refused(PassPhraseProblem, asked=1)
        self.notes.questions.clear()
        self.notes.secrets = []
        self.refused(NotNow, asked=1)

    def test_pass_phrases_that_could_never_be_given_again(self) -> None:
        for phrase in ("\udc80", "x" * (limits.MAX_PASS + 1)):
            self.notes.secrets = [phrase, phrase]
            self.notes.questions.clear()
            self.refused(PassPhraseProblem, asked=1)


class ProtectedTests(BackingUpCase):
    """The identity has a pass phrase, and the terminal may have been left alone."""

    pass_phrase = b"mine"

    # Promise T122, C66
    def test_who_does_not_know_the_identitys_pass_phrase_gets_no_copy(self) -> None:
        self.notes.secrets = ["not mine"] * limits.PASS_ATTEMPTS
        self.refused(PassPhraseProblem, asked=limits.PASS_ATTEMPTS)
        self.assertIn(str(self.profile.identity_path), self.notes.questions[0])

    def test_who_knows_it_does(self) -> None:
        self.notes.secrets = ["mine", PHRASE, PHRASE]
        self.successResultOf(self.make())
        self.assertEqual(len(self.notes.questions), 3)


class PlaceTests(BackingUpCase):
    """What is there is never replaced or followed; and nobody is asked anything before that."""

    # Promise C64
    def test_a_file_that_is_there_already(self) -> None:
        self.file.write_bytes(b"kept")
        self.assertIn("is there already", self.refused(BackupProblem).what)
        self.assertEqual(self.file.read_bytes(), b"kept")

    def test_a_folder_or_a_link_that_leads_nowhere(self) -> None:
        self.refused(BackupProblem, str(self.target))
        self.file.symlink_to(self.target / "elsewhere")
        self.refused(BackupProblem)

    def test_a_file_that_comes_while_the_pass_phrase_is_asked_for(self) -> None:
        def elsewhere(call: Any) -> Deferred[Any]:
            self.file.symlink_to(self.target / "elsewhere")
            return maybeDeferred(call)

        self.elsewhere = elsewhere  # type: ignore[method-assign]
        error = self.failureResultOf(self.make(), BackupProblem).value
        self.assertIn("file exists", error.what)
        self.assertEqual(list(self.target.iterdir()), [self.file])
        self.assertTrue(self.file.is_symlink())

    def test_no_folder_for_it(self) -> None:
        error = self.refused(BackupProblem, str(self.target / "none" / "kept.age"))
        self.assertIn("no folder", error.what)

    def test_names_that_are_none(self) -> None:
        for name in ("a\0b", "~nobody.of.that.name/x", "x" * 5000):
            self.refused(BackupProblem, name)

    # Promise C64
    def test_a_folder_that_cannot_be_written(self) -> None:
        def full(*_: Any, **__: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        self.patch(os, "fsync", full)
        self.assertIn("no space left", self.refused(BackupProblem, asked=2).what)


class NoLinksTests(BackingUpCase):
    """A memory stick, whose filesystem knows no hard links."""

    def setUp(self) -> None:
        super().setUp()

        def link(*_: Any, **__: Any) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        self.patch(os, "link", link)

    def test_it_is_written_there_too(self) -> None:
        self.successResultOf(self.make())
        read_sealed_file(self.file).unseal(PHRASE.encode())
        self.assertEqual(list(self.target.iterdir()), [self.file])

    def test_and_never_over_anything(self) -> None:
        self.file.write_bytes(b"kept")
        self.assertRaises(FileExistsError, private_files.write_beside, self.file, b"new")
        self.assertEqual(self.file.read_bytes(), b"kept")
        self.assertEqual(list(self.target.iterdir()), [self.file])


class DamagedTests(BackingUpCase):
    """A backup of what could not be used would be found out when it is needed; nobody is asked."""

    def test_the_settings(self) -> None:
        (self.profile.folder / "profile.toml").write_text("rubbish")
        self.refused(ProfileProblem)

    def test_the_identity(self) -> None:
        self.profile.identity_path.write_bytes(b"rubbish")
        self.refused(IdentityProblem)

    def test_a_new_key_of_which_nobody_knows_whether_the_server_has_it(self) -> None:
        """The backup might hold a key that is no good any more, and nothing else."""
        make_identity_file(self.profile.folder / NEXT_FILE, None)
        error = self.refused(BackupProblem)
        self.assertIn("a new key is on its way", error.what)

    def test_the_pins(self) -> None:
        self.profile.known_peers.write_bytes(PINS + b"rubbish")
        self.refused(StateDamaged)
        self.profile.known_peers.unlink()
        self.profile.known_peers.mkdir()
        self.refused(StateDamaged)


class CommandTests(BackingUpCase):
    """As it is typed, and as a program says it: all lines at once, and nothing is instant."""

    pass_phrase = b"mine"

    def say(self, language: Language, *lines: str) -> list[str]:
        clock, transport, role = Clock(), StringTransport(), ScriptedCore()
        front_end = Lines(language, clock, lambda: None, patient=False)
        self.notes = front_end  # type: ignore[assignment]
        self.elsewhere = partial(deferLater, clock, 0)  # type: ignore[method-assign]
        role.backup = self.make  # type: ignore[method-assign]
        role.begin_chat("bob")
        front_end.makeConnection(transport)
        front_end.begin(role)
        front_end.dataReceived("".join(f"{line}\n" for line in lines).encode())
        for _ in range(2 * len(lines)):
            clock.advance(0)
        self.assertEqual(role.calls, [], "nothing was said to bob")
        return list(transport.value().decode().splitlines())

    def test_a_person_types_it_in_the_middle_of_a_chat(self) -> None:
        own, new, again, *told = self.say(
            Plain(lambda: "08:05"), f"/backup {self.file}", "mine", PHRASE, PHRASE
        )
        self.assertIn("the pass phrase of", own)
        self.assertIn("a pass phrase for the backup kept.age", new)
        self.assertIn("the same again", again)
        self.assertIn(f"the backup is written: {self.file}", told[0])
        self.assertNotIn(PHRASE, "".join(told))
        read_sealed_file(self.file).unseal(PHRASE.encode())

    def test_a_program_says_it(self) -> None:
        command = {"command": "backup", "file": str(self.file), "id": 1}
        secrets = [{"secret": phrase} for phrase in ("mine", PHRASE, PHRASE)]
        *_, event, result = map(json.loads, self.say(Json(), *map(json.dumps, [command, *secrets])))
        self.assertEqual(event, {"event": "backed-up", "file": str(self.file), "people": 1})
        self.assertEqual(result, {"event": "result", "id": 1, "command": "backup", "ok": True})

    def test_it_needs_a_file(self) -> None:
        (told,) = self.say(Plain(lambda: "08:05"), "/backup")
        self.assertIn("SC-202", told)
        self.assertIn("/backup FILE", told)


class NoProfileTests(SynchronousTestCase):
    def test_a_client_without_a_profile_has_nothing_to_copy(self) -> None:
        person = MemoryClient(Network(), Identity.generate(), bytes(32))
        self.failureResultOf(person.main.backup("kept.age"), NotNow)


class SealingTests(SynchronousTestCase):
    def test_a_process_that_cannot_do_it(self) -> None:
        self.patch(sys, "executable", "/none")
        error = self.assertRaises(BackupProblem, seal_in_a_process, b"x", "phrase")
        self.assertNotIn("phrase", str(error))
        self.patch(sys, "executable", "/bin/false")
        self.assertRaises(BackupProblem, seal_in_a_process, b"x", "phrase")
