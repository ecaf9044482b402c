"""`/newkey`, with the real server in memory and key files on a disk: done, or refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred

from securecom import limits, refusals, vocabulary
from securecom.client.channels.standard_channel import StandardChannel
from securecom.client.events import Asked, ChatStarted, Online
from securecom.client.key_events import KeyFollowed, KeyNotRenewed
from securecom.client.profile import private_files
from securecom.client.profile.identity_file import make_identity_file, read_identity_file
from securecom.client.profile.own_key import Both
from securecom.errors import (
    IdentityProblem,
    LoginRefused,
    NotNow,
    PassPhraseProblem,
    PeerKeyChanged,
    ServerInTrouble,
    TooOften,
)
from securecom.identity import Identity
from securecom.server.key_changes import KeyChanges
from securecom.tests.support.memory_client import MemoryClient
from securecom.tests.support.memory_server import result
from securecom.tests.support.rotation_case import ALICE, BOB, RotationCase, outcome_now
from securecom.tests.support.scripted_server import outcome

PHRASE = b"correct horse"


class RenewTests(RotationCase):
    # Promise C12
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

    # Promise C14
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

    # Promise T120, C16
    def test_a_reset_after_it_shows_as_a_changed_key(self) -> None:
        """The way out after a theft: no statement of before leads to the key that is given then."""
        self.check_talks()
        self.renew()
        result(self.server.registry.reset_key(ALICE))
        self.server.reception.sessions.recheck()
        self.network.pump()
        self.fails(self.alice.done, LoginRefused)
        fresh = Identity.generate()
        self.enrol("alice", fresh.public_key)
        again = MemoryClient(self.network, fresh, self.server.pin).start()
        again.notes.on_event = lambda event: self.accept(event, again)
        began = len(self.bob.notes.of(ChatStarted))
        came = outcome_now(self.network, self.bob.main.request_chat(ALICE))
        self.fails(came, PeerKeyChanged)
        self.assertEqual(len(self.bob.notes.of(ChatStarted)), began)
        for former in (self.old.public_key, self.on_disk()):
            found = result(self.server.registry.entrant(former))
            self.assertIsNone(found)

    def test_a_thief_can_sign_over_and_the_owner_notices(self) -> None:
        """Until the admin resets the key: that is admitted."""
        self.check_talks()
        self.renew()  # by whoever has the file
        self.check_talks()
        self.assertEqual(self.bob.notes.last(ChatStarted).trust, "followed")
        owner = MemoryClient(self.network, self.old, self.server.pin, takeover=True).start()
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
            if command is vocabulary.NewKey:
                file = read_identity_file(self.coming)
                seen.append(file.unlock(None).public_key == named["key"])
            return ask(channel, command, *args, **named)

        self.patch(StandardChannel, "ask", spy)
        self.renew()
        self.assertEqual(seen, [True])

    # Promise T121
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
        self.check_old(self.renew(*["wrong"] * limits.PASS_ATTEMPTS), PassPhraseProblem)

    def test_and_none_changes_nothing(self) -> None:
        self.check_old(self.renew(), NotNow)

    def test_either_may_be_without(self) -> None:
        """Somebody took the pass phrase off one of them meanwhile."""
        bare = self.data / "bare"
        new = make_identity_file(bare, None)
        files = [read_identity_file(path) for path in (self.identity, bare)]
        keys = [self.old.public_key, new.public_key]
        for present, coming, expected in ((0, 1, keys), (1, 0, keys[::-1])):
            both = Both(files[present], files[coming])
            self.assertTrue(both.is_protected)
            self.assertEqual([one.public_key for one in both.unlock(PHRASE)], expected)
        self.assertFalse(Both(files[1], files[1]).is_protected)

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

    def test_no_proof_and_taken(self) -> None:
        for why in (refusals.BadProof(), refusals.KeyInUse()):
            self.refuse(why)
            error = self.check_old(self.renew(), ServerInTrouble)
            self.assertIn(why.wire.decode(), str(error))

    def test_the_new_file_is_overwritten_where_it_was(self) -> None:
        with ExitStack() as opened:

            def change(*_: Any) -> Any:
                self.seen = opened.enter_context(self.coming.open("rb"))
                raise refusals.BadProof

            self.patch(KeyChanges, "_write", change)
            self.fails(self.renew(), ServerInTrouble)
            self.assertEqual(set(self.seen.read()), {0})

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
