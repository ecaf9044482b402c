"""`/newkey` interrupted at every point, and key files that are not ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from securecom import refusals
from securecom.client.events import Connecting, Offline, Problem
from securecom.client.key_events import KeyNotRenewed, KeyRenewed
from securecom.client.profile import private_files
from securecom.client.profile.identity_file import make_identity_file, read_identity_file
from securecom.client.profile.profile import IDENTITY_FILE, Profile, read_profile
from securecom.errors import (
    ConnectionWasLost,
    IdentityProblem,
    LoginRefused,
    NotNow,
    OnlineElsewhere,
    ProfileProblem,
    ServerInTrouble,
)
from securecom.server.session import Session
from securecom.succession import NewKeyOffer
from securecom.tests.support.memory_server import result
from securecom.tests.support.rotation_case import ALICE, RotationCase


class Crash(Exception):
    """The power goes."""


class InterruptedTests(RotationCase):
    """Cut at every point; then the client comes back, by itself or from the disk."""

    def comes_back(self) -> None:
        """The same client, when only the line was lost."""
        self.network.advance(5)

    def starts_again(self) -> None:
        """Another one, when the power went."""
        self.end()
        self.alice = self.start()

    def settled(self, kind: type[Any]) -> Any:
        (event,) = self.alice.notes.of(kind)
        return event

    def before_sending(self) -> None:
        def elsewhere(call: Callable[[], Any]) -> Deferred[Any]:
            call()
            return Deferred()

        self.elsewhere = elsewhere
        self.assertEqual(self.renew(), [])
        self.assertTrue(self.coming.exists())

    def before_the_server(self) -> None:
        """The line is lost on the way there."""

        def lose(session: Session, offer: NewKeyOffer) -> Deferred[None]:
            session.leg.fault(ConnectionWasLost("cut"))
            return Deferred()

        self.session._change_key = lose
        self.lost()

    def before_the_answer(self) -> None:
        """The server has the new key, and the line is lost on the way back."""
        change = self.session._change_key

        def lose(session: Session, offer: NewKeyOffer) -> Deferred[None]:
            result(change(session, offer))
            session.leg.fault(ConnectionWasLost("cut"))
            return Deferred()

        self.session._change_key = lose
        self.lost()

    def troubled(self, has_it: bool) -> None:
        """The server's disk fails, before or after the new key was on it."""
        change = self.session._change_key

        def fail(session: Session, offer: NewKeyOffer) -> Deferred[None]:
            if has_it:
                result(change(session, offer))
            raise refusals.ServerTrouble

        self.session._change_key = fail
        error = self.fails(self.renew(), ServerInTrouble)
        self.assertIn("the next log-in tells", str(error))
        self.assertTrue(self.coming.exists())

    def lost(self) -> None:
        error = self.fails(self.renew(), ConnectionWasLost)
        self.assertIn("the next log-in tells", str(error))
        self.assertTrue(self.coming.exists())
        self.assertEqual(self.on_disk(), self.old.public_key)

    def check_dropped(self) -> None:
        self.assertEqual(
            self.settled(KeyNotRenewed), KeyNotRenewed(self.old.public_key.fingerprint)
        )
        self.assertEqual((self.on_disk(), self.at_server()), (self.old.public_key,) * 2)
        self.assertFalse(self.coming.exists())
        self.check_talks()

    def test_until_that_is_settled_there_is_no_other(self) -> None:
        self.before_the_answer()
        self.assertIn("on its way already", str(self.fails(self.renew(), NotNow)))
        self.comes_back()
        self.check_new(self.settled(KeyRenewed))

    def test_before_it_was_sent(self) -> None:
        self.before_sending()
        self.starts_again()
        self.check_dropped()

    def test_on_the_way_to_the_server(self) -> None:
        self.before_the_server()
        self.comes_back()
        self.check_dropped()

    # Promise C12
    def test_on_the_way_to_the_server_and_the_client_ends(self) -> None:
        self.before_the_server()
        self.starts_again()
        self.check_dropped()

    def test_on_the_way_back(self) -> None:
        self.before_the_answer()
        self.comes_back()
        self.check_new(self.settled(KeyRenewed))

    # Promise C12
    def test_on_the_way_back_and_the_client_ends(self) -> None:
        self.before_the_answer()
        self.starts_again()
        self.check_new(self.settled(KeyRenewed))

    def test_a_server_in_trouble_that_has_it_all_the_same(self) -> None:
        self.troubled(has_it=True)
        self.starts_again()
        self.check_new(self.settled(KeyRenewed))

    def test_a_server_in_trouble_that_has_it_not(self) -> None:
        self.troubled(has_it=False)
        self.starts_again()
        self.check_dropped()

    def test_the_second_try_is_at_once_and_no_news(self) -> None:
        self.before_the_answer()
        self.end()
        self.alice = self.start(attempts=1)
        self.assertEqual(len(self.alice.notes.of(Connecting)), 2)
        self.assertEqual(self.alice.notes.of(Offline), [])
        self.check_new(self.settled(KeyRenewed))

    def test_afterwards_a_lost_line_is_news_again(self) -> None:
        self.before_the_answer()
        self.comes_back()
        before = len(self.alice.notes.of(Offline))
        self.cut_alices()
        self.network.pump()
        self.assertEqual(len(self.alice.notes.of(Offline)), before + 1)
        self.assertGreater(self.alice.notes.last(Offline).retry_in or 0, 0)

    def test_another_refusal_says_nothing_about_keys(self) -> None:
        """Somebody who is online stays online, with either key."""
        make_identity_file(self.coming, None)
        again = self.start(takeover=False)
        self.assertIn("already online", str(self.fails(again.done, OnlineElsewhere)))
        self.assertEqual(len(again.notes.of(Connecting)), 1)
        self.assertTrue(self.coming.exists())

    def test_when_the_server_knows_neither(self) -> None:
        """Both files stay: whoever can mend it may need them."""
        self.before_the_answer()
        result(self.server.registry.reset_key(ALICE))
        self.comes_back()
        self.assertIn("does not know this key", str(self.fails(self.alice.done, LoginRefused)))
        self.assertTrue(self.identity.exists() and self.coming.exists())

    def test_before_it_was_in_its_place(self) -> None:
        """The answer came, and the disk failed, or the power, before the file was renamed."""
        full = OSError(28, "No space left on device")

        def fail(*_: Any) -> None:
            raise full

        write = private_files.write_over
        self.patch(private_files, "write_over", fail)
        error = self.fails(self.renew(), ProfileProblem)
        self.assertIn("Your key is the new one all the same", str(error))
        self.check_talks()  # this client goes on with it
        self.patch(private_files, "write_over", write)
        self.starts_again()
        self.check_new(self.settled(KeyRenewed))

    def test_when_only_tidying_up_was_left(self) -> None:
        unlink = Path.unlink
        self.patch(Path, "unlink", self.crash)
        self.assertRaises(Crash, lambda: self.rethrow(self.renew()))
        self.patch(Path, "unlink", unlink)
        self.assertEqual(self.on_disk(), self.at_server())
        self.starts_again()
        self.assertFalse(self.coming.exists())
        for kind in (KeyRenewed, KeyNotRenewed, Problem):
            self.assertEqual(self.alice.notes.of(kind), [])
        self.assertEqual(self.on_disk(), self.at_server())
        self.check_talks()

    def crash(self, *_: Any) -> None:
        raise Crash

    def rethrow(self, came: list[Any]) -> None:
        raise came[0]

    def test_a_new_key_that_cannot_be_erased_is_told_and_tried_again(self) -> None:
        self.before_sending()
        erase = private_files.erase
        self.patch(private_files, "erase", self.no_erasing)
        self.starts_again()
        self.assertIn("identity.next", self.alice.notes.last(Problem).what)
        self.patch(private_files, "erase", erase)
        self.starts_again()
        self.check_dropped()

    def no_erasing(self, path: Path) -> None:
        raise OSError(30, "Read-only file system")

    def test_a_new_key_that_cannot_be_used_is_told_before_anything_runs(self) -> None:
        self.end()
        self.coming.write_bytes(b"rubbish")
        self.coming.chmod(0o600)
        error = self.assertRaises(IdentityProblem, self.start)
        self.assertIn("identity.next", str(error))


class OwnFileTests(RotationCase):
    """The identity is the person's own file, elsewhere: it is never touched."""

    def make_profile(self, identity: Path) -> None:
        self.own = self.data.absolute() / "dot-ssh" / "id_ed25519"
        super().make_profile(self.own)

    def setUp(self) -> None:
        super().setUp()
        self.before = self.own.read_bytes()

    def check(self, event: KeyRenewed) -> None:
        self.check_new(event, kept=str(self.own))
        self.assertEqual(self.own.read_bytes(), self.before)
        self.assertEqual(read_profile(self.folder).identity, Path(IDENTITY_FILE))
        self.end()
        self.alice = self.start()
        self.check_new(event, kept=str(self.own))

    def test_the_profile_names_the_new_file(self) -> None:
        (event,) = self.renew()
        self.check(event)

    def test_settings_of_the_profile_stay(self) -> None:
        path = self.folder / "profile.toml"
        path.write_text(path.read_text().replace("available = false", "available = true"))
        self.renew()
        self.assertTrue(read_profile(self.folder).available)

    def test_the_next_new_key_is_the_profiles_own(self) -> None:
        self.renew()
        self.server.reception.key_changes.rate.forget(ALICE)
        self.old = read_identity_file(self.identity).unlock(None)
        (event,) = self.renew()
        self.check_new(event)
        self.assertEqual(self.own.read_bytes(), self.before)

    def test_a_file_in_the_way_is_not_replaced(self) -> None:
        self.identity.write_bytes(b"something else")
        self.check_old(self.renew(), ProfileProblem)
        self.assertEqual(self.identity.read_bytes(), b"something else")

    def test_a_crash_before_the_profile_names_it(self) -> None:
        def crash(_: Profile) -> None:
            raise Crash

        save = Profile.save
        self.patch(Profile, "save", crash)
        self.assertIsInstance(self.renew()[0], Crash)
        self.patch(Profile, "save", save)
        self.assertTrue(self.identity.exists())
        self.assertEqual(self.identity_path, self.own)
        self.end()
        self.alice = self.start()
        (event,) = self.alice.notes.of(KeyRenewed)
        self.check(event)

    def test_a_profile_that_somebody_broke_meanwhile_is_told(self) -> None:
        path = self.folder / "profile.toml"
        good = path.read_bytes()
        path.write_bytes(good + b"colour = 7\n")
        error = self.fails(self.renew(), ProfileProblem)
        self.assertIn("Your key is the new one all the same", str(error))
        path.write_bytes(good)
        self.end()
        self.alice = self.start()
        (event,) = self.alice.notes.of(KeyRenewed)
        self.check(event)


class LinkedFileTests(RotationCase):
    """The profile's `identity` is a link to the person's own file."""

    def setUp(self) -> None:
        super().setUp()
        self.own = self.data.absolute() / "id_ed25519"
        self.identity.rename(self.own)
        self.identity.symlink_to(self.own)

    def test_the_link_is_replaced_and_not_what_it_leads_to(self) -> None:
        before = self.own.read_bytes()
        (event,) = self.renew()
        self.check_new(event, kept=str(self.own))
        self.assertEqual(self.own.read_bytes(), before)
        self.assertFalse(self.identity.is_symlink())
