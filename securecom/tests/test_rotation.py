"""`/newkey`, with the real server in memory and key files on a disk: done, refused, interrupted."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from securecom import commands, limits, refusals
from securecom.client.channels.standard_channel import StandardChannel
from securecom.client.events import (
    Asked,
    ChatStarted,
    Connecting,
    KeyFollowed,
    KeyNotRenewed,
    KeyRenewed,
    Offline,
    Online,
    Problem,
)
from securecom.client.profile import private_files
from securecom.client.profile.identity_file import make_identity_file, read_identity_file
from securecom.client.profile.own_key import NEXT_FILE, OwnKey
from securecom.client.profile.passphrase import Given
from securecom.client.profile.profile import IDENTITY_FILE, Profile, read_profile
from securecom.client.profile.profiles import Profiles
from securecom.client.program import account
from securecom.client.program.arguments import parser
from securecom.client.rotation import Keeping
from securecom.errors import (
    ConnectionWasLost,
    IdentityProblem,
    LoginRefused,
    NotNow,
    PassPhraseProblem,
    PeerKeyChanged,
    ProfileProblem,
    ServerInTrouble,
    TooOften,
)
from securecom.identity import Identity, Name, PublicKey
from securecom.invitation import Host, token_hash
from securecom.server.key_changes import KeyChanges
from securecom.server.session import Session
from securecom.succession import Link
from securecom.tests.fake_server import outcome
from securecom.tests.house import NOW, House, result
from securecom.tests.people import Person

ALICE, BOB = Name("alice"), Name("bob")
PHRASE = b"correct horse"


class Crash(Exception):
    """The power goes."""


class RotationCase(SynchronousTestCase):
    """Alice is on line, with a profile on the disk; so is Bob, without one."""

    pass_phrase: bytes | None = None

    def setUp(self) -> None:
        self.patch(limits, "BCRYPT_ROUNDS", 1)
        self.elsewhere: Callable[[Callable[[], Any]], Deferred[Any]] = maybeDeferred
        self.house = House()
        self.network = self.house.network
        self.data = Path(self.mktemp())
        self.folder = self.data / "profiles" / "alice"
        self.folder.mkdir(0o700, parents=True)
        self.identity = self.folder / IDENTITY_FILE
        self.coming = self.folder / NEXT_FILE
        self.make_profile(Path(IDENTITY_FILE))
        self.old = make_identity_file(self.identity_path, self.pass_phrase)
        self.enrol("alice", self.old.public_key)
        self.bob = Person(self.network, self.house.enrolled("bob"), self.house.pin).start()
        self.bob.notes.on_event = self.accept
        self.alice = self.start()

    @property
    def identity_path(self) -> Path:
        return read_profile(self.folder).identity_path

    def make_profile(self, identity: Path) -> None:
        host = Host("chat.example.org")
        Profile(self.folder, ALICE, host, 4241, self.house.pin, identity).save()

    def enrol(self, name: str, key: PublicKey) -> None:
        ticket = token_hash(key.raw)
        self.house.invite(name, ticket)
        result(self.house.registry.spend(ticket, key, NOW))

    def accept(self, event: object, person: Person | None = None) -> None:
        if isinstance(event, Asked):
            (person or self.bob).main.accept().addErrback(lambda _: None)

    def _elsewhere(self, call: Callable[[], Any]) -> Deferred[Any]:
        return self.elsewhere(call)

    def start(self, **settings: Any) -> Person:
        """A client of Alice's, from the disk."""
        asked = parser().parse_args([])
        source = Given(lambda: self.pass_phrase or b"")
        member = account.member(asked, Profiles(self.data), source)
        keeping = Keeping(OwnKey(member.profile), self._elsewhere, member.coming)
        person = Person(
            self.network,
            member.identity,
            member.profile.server,
            name=ALICE,
            keeping=keeping,
            takeover=True,
            **settings,
        )
        return person.start()

    def end(self) -> None:
        """Alice's client, as it is when the power goes."""
        self.alice.client._service.stopService()
        self.cut_alices()
        self.network.pump()

    def cut_alices(self) -> None:
        if ALICE in self.house.reception.sessions._by_name:
            self.session.leg.fault(ConnectionWasLost("cut"))

    @property
    def session(self) -> Session:
        """Alice's, at the server."""
        return self.house.reception.sessions._by_name[ALICE]

    def renew(self, *secrets: str) -> list[Any]:
        self.alice.notes.secrets += secrets
        came = outcome(self.alice.main.keys.renew())
        self.network.pump()
        return came

    def fails(self, came: list[Any], kind: type[Exception]) -> Any:
        self.assertEqual([type(one) for one in came], [kind], came)
        return came[0]

    def on_disk(self) -> PublicKey:
        return read_identity_file(self.identity_path).unlock(self.pass_phrase).public_key

    def at_server(self) -> PublicKey:
        key: PublicKey = result(self.house.registry.user(ALICE)).key
        return key

    def check_old(self, came: list[Any], kind: type[Exception]) -> Any:
        """It came to nothing, and all is as before."""
        error = self.fails(came, kind)
        old = self.old.public_key
        self.assertEqual((self.on_disk(), self.at_server()), (old, old))
        self.assertFalse(os.path.lexists(self.coming))
        self.check_talks()
        return error

    def check_new(self, event: KeyRenewed, kept: str | None = None) -> None:
        """There is a new key, everywhere, and it works."""
        new = self.on_disk()
        self.assertNotEqual(new, self.old.public_key)
        self.assertEqual(new, self.at_server())
        self.assertEqual(self.alice.main.keys.own().fingerprint, new.fingerprint)
        told = KeyRenewed(self.old.public_key.fingerprint, new.fingerprint, kept)
        self.assertEqual(event, told)
        self.assertEqual([path.name for path in self.folder.glob("*.next*")], [])
        self.check_talks()

    def check_talks(self) -> None:
        self.assertEqual(outcome_now(self.network, self.alice.main.request_chat(BOB)), [None])
        self.alice.main.stop()
        self.network.pump()


def outcome_now(network: Any, deferred: Deferred[Any]) -> list[Any]:
    came = outcome(deferred)
    network.pump()
    return came


class RenewTests(RotationCase):
    def test_done(self) -> None:
        (event,) = self.renew()
        self.check_new(event)
        self.assertEqual(self.alice.notes.questions, [])

    def test_after_the_next_log_ins(self) -> None:
        (event,) = self.renew()
        self.cut_alices()
        self.network.advance(5)
        self.assertTrue(self.alice.notes.last(Online).again)
        self.check_new(event)
        self.end()
        self.alice = self.start()
        self.check_new(event)

    def test_peers_follow_without_an_alarm_and_are_told_once(self) -> None:
        self.check_talks()
        self.alice.main.request_chat(BOB)
        self.network.pump()
        for person in (self.alice, self.bob):
            person.main.keys.safety_code()
            person.main.keys.compared(True)
        self.alice.main.stop()
        self.network.pump()
        (event,) = self.renew()
        for _ in range(2):
            self.check_talks()
        told = KeyFollowed(ALICE, event.former, event.fingerprint, "verified")
        self.assertEqual(self.bob.notes.of(KeyFollowed), [told])
        trusts = [asked.trust for asked in self.bob.notes.of(Asked)]
        self.assertEqual(trusts, ["new", "met", "followed-verified", "verified"])

    def test_a_reset_after_it_shows_as_a_changed_key(self) -> None:
        """The way out after a theft: no statement of before leads to the key that is given then."""
        self.check_talks()
        self.renew()
        result(self.house.registry.reset_key(ALICE))
        self.house.reception.sessions.recheck()
        self.network.pump()
        self.fails(self.alice.done, LoginRefused)
        fresh = Identity.generate()
        self.enrol("alice", fresh.public_key)
        again = Person(self.network, fresh, self.house.pin).start()
        again.notes.on_event = lambda event: self.accept(event, again)
        began = len(self.bob.notes.of(ChatStarted))
        came = outcome_now(self.network, self.bob.main.request_chat(ALICE))
        self.fails(came, PeerKeyChanged)
        self.assertEqual(len(self.bob.notes.of(ChatStarted)), began)
        for former in (self.old.public_key, self.on_disk()):
            found = result(self.house.registry.user_by_key(former))
            self.assertIsNone(found)

    def test_a_thief_can_sign_over_and_the_owner_notices(self) -> None:
        """Until the admin resets the key: that is admitted."""
        self.check_talks()
        self.renew()  # by whoever has the file
        self.check_talks()
        self.assertEqual(self.bob.notes.last(ChatStarted).trust, "followed")
        owner = Person(self.network, self.old, self.house.pin, takeover=True).start()
        self.assertIn("does not know this key", str(self.fails(owner.done, LoginRefused)))

    def test_not_twice_at_once(self) -> None:
        self.elsewhere = lambda call: Deferred()
        self.assertEqual(self.renew(), [])
        self.assertIn("already", str(self.fails(self.renew(), NotNow)))

    def test_a_client_without_files_makes_none(self) -> None:
        came = outcome(self.bob.main.keys.renew())
        self.assertIn("no profile", str(self.fails(came, NotNow)))

    def test_it_is_on_the_disk_before_anything_is_sent(self) -> None:
        seen: list[bool] = []
        ask = StandardChannel.ask

        def spy(channel: StandardChannel, command: Any, *args: Any, **named: Any) -> Any:
            if command is commands.NewKey:
                file = read_identity_file(self.coming)
                seen.append(file.unlock(None).public_key == named["key"])
            return ask(channel, command, *args, **named)

        self.patch(StandardChannel, "ask", spy)
        self.renew()
        self.assertEqual(seen, [True])

    def test_the_old_file_is_overwritten_where_it_was(self) -> None:
        before = self.identity.read_bytes()
        with self.identity.open("rb") as old:
            self.renew()
            self.assertEqual(old.read(), bytes(len(before)))

    def test_another_name_of_the_old_file_is_left_alone(self) -> None:
        before = self.identity.read_bytes()
        os.link(self.identity, self.data / "a copy of the person's")
        self.renew()
        self.assertEqual((self.data / "a copy of the person's").read_bytes(), before)


class ProtectedTests(RotationCase):
    """The identity file has a pass phrase."""

    pass_phrase = PHRASE

    def test_the_new_file_has_the_same(self) -> None:
        (event,) = self.renew(PHRASE.decode())
        self.assertEqual(self.alice.notes.questions, [f"the pass phrase of {self.identity}"])
        self.assertTrue(read_identity_file(self.identity).is_protected)
        self.check_new(event)

    def test_a_wrong_one_changes_nothing(self) -> None:
        self.check_old(self.renew("wrong"), PassPhraseProblem)

    def test_and_none_changes_nothing(self) -> None:
        self.check_old(self.renew(), NotNow)

    def test_one_question_at_a_start_opens_both_files(self) -> None:
        make_identity_file(self.coming, PHRASE)
        self.end()
        self.alice = self.start()
        self.assertTrue(self.alice.main.is_online)


class RefusedTests(RotationCase):
    """The server says no, or nothing was ever said to it."""

    def refuse(self, why: Exception) -> None:
        def change(*_: Any) -> Any:
            raise why

        self.patch(KeyChanges, "_write", change)

    def test_too_often(self) -> None:
        self.refuse(refusals.TooManyRequests())
        error = self.check_old(self.renew(), TooOften)
        self.assertTrue(str(error).endswith("Nothing was changed. Wait 5 min."), str(error))

    def test_trouble(self) -> None:
        self.refuse(refusals.ServerTrouble())
        self.check_old(self.renew(), ServerInTrouble)

    def test_no_proof_and_taken(self) -> None:
        for why in (refusals.BadProof(), refusals.KeyTaken()):
            self.refuse(why)
            error = self.check_old(self.renew(), ServerInTrouble)
            self.assertIn(why.wire.decode(), str(error))

    def test_somebody_asks_at_that_moment(self) -> None:
        self.refuse(refusals.Occupied())
        self.check_old(self.renew(), NotNow)

    def test_something_began_while_the_key_was_made(self) -> None:
        """Of which the server may know nothing yet, or say nothing."""

        def elsewhere(call: Callable[[], Any]) -> Deferred[Any]:
            self.bob.notes.on_event = lambda event: None
            self.asking = outcome(self.alice.main.request_chat(BOB))
            return maybeDeferred(call)

        self.elsewhere = elsewhere
        error = self.fails(self.renew(), NotNow)
        self.assertIn("while the key was made", str(error))
        self.assertFalse(self.coming.exists())
        self.assertEqual(self.at_server(), self.old.public_key)

    def test_the_line_went_while_the_key_was_made(self) -> None:
        def elsewhere(call: Callable[[], Any]) -> Deferred[Any]:
            self.cut_alices()
            self.network.pump()
            return maybeDeferred(call)

        self.elsewhere = elsewhere
        self.fails(self.renew(), NotNow)
        self.assertFalse(self.coming.exists())
        self.network.advance(5)
        self.assertEqual(self.alice.notes.of(KeyNotRenewed), [])
        self.check_talks()

    def test_a_file_with_another_key_is_not_replaced(self) -> None:
        """Somebody exchanged it while the client runs."""
        make_identity_file(self.identity, None)
        self.fails(self.renew(), IdentityProblem)
        self.assertFalse(self.coming.exists())
        self.assertEqual(self.at_server(), self.old.public_key)

    def test_a_new_key_that_is_there_already_is_not_replaced(self) -> None:
        make_identity_file(self.coming, None)
        before = self.coming.read_bytes()
        self.assertIn("already", str(self.fails(self.renew(), NotNow)))
        self.assertEqual(self.coming.read_bytes(), before)

    def test_a_full_disk(self) -> None:
        def full(*_: Any) -> None:
            raise OSError(28, "No space left on device")

        with_disk = private_files.write
        self.patch(private_files, "write", full)
        self.fails(self.renew(), IdentityProblem)
        self.patch(private_files, "write", with_disk)
        self.check_talks()
        self.assertEqual(self.at_server(), self.old.public_key)


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

        def lose(session: Session, link: Link) -> Deferred[None]:
            session.leg.fault(ConnectionWasLost("cut"))
            return Deferred()

        self.session._change_key = lose
        self.lost()

    def before_the_answer(self) -> None:
        """The server has the new key, and the line is lost on the way back."""
        change = self.session._change_key

        def lose(session: Session, link: Link) -> Deferred[None]:
            result(change(session, link))
            session.leg.fault(ConnectionWasLost("cut"))
            return Deferred()

        self.session._change_key = lose
        self.lost()

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

    def test_before_it_was_sent(self) -> None:
        self.before_sending()
        self.starts_again()
        self.check_dropped()

    def test_on_the_way_to_the_server(self) -> None:
        self.before_the_server()
        self.comes_back()
        self.check_dropped()

    def test_on_the_way_to_the_server_and_the_client_ends(self) -> None:
        self.before_the_server()
        self.starts_again()
        self.check_dropped()

    def test_on_the_way_back(self) -> None:
        self.before_the_answer()
        self.comes_back()
        self.check_new(self.settled(KeyRenewed))

    def test_on_the_way_back_and_the_client_ends(self) -> None:
        self.before_the_answer()
        self.starts_again()
        self.check_new(self.settled(KeyRenewed))

    def test_the_second_try_is_at_once_and_no_news(self) -> None:
        self.before_the_answer()
        self.end()
        self.alice = self.start(attempts=1)
        self.assertEqual(len(self.alice.notes.of(Connecting)), 2)
        self.assertEqual(self.alice.notes.of(Offline), [])
        self.check_new(self.settled(KeyRenewed))

    def test_when_the_server_knows_neither(self) -> None:
        """Both files stay: whoever can mend it may need them."""
        self.before_the_answer()
        result(self.house.registry.reset_key(ALICE))
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
        self.assertEqual(self.alice.notes.of(KeyRenewed) + self.alice.notes.of(Problem), [])
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
        self.house.reception.key_changes.rate.forget(ALICE)
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
