"""Log-ins from memory: they find what the registry would say, and never what it no longer says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, refusals, vocabulary
from securecom.errors import StateBusy
from securecom.identity import Identity, Name, PublicKey
from securecom.retirement import RetirementSecret
from securecom.server.database import GatheringPool
from securecom.server.registry import Entrant, User
from securecom.succession import Link, link_arguments
from securecom.tests.support.held_thread import HeldThread
from securecom.tests.support.memory_server import NOW, ManualClient, MemoryServer, result

ALICE, BOB = Name("alice"), Name("bob")


class RosterCase(SynchronousTestCase):
    """Alice and Bob are users, and the registry was looked at just now."""

    def setUp(self) -> None:
        self.server = MemoryServer()
        self.network, self.registry = self.server.network, self.server.registry
        self.reception, self.roster = self.server.reception, self.server.reception.roster
        self.alice, self.bob = self.server.enrolled("alice"), self.server.enrolled("bob")
        self.connection = self.registry._pool._connection  # type: ignore[attr-defined]
        self.questions: list[PublicKey] = []
        entrant = self.registry.entrant

        def counted(key: PublicKey) -> Deferred[Entrant | None]:
            self.questions.append(key)
            return entrant(key)

        self.patch(self.registry, "entrant", counted)
        self.look()

    def look(self) -> None:
        """What the service does twice a second, when somebody else has written."""
        result(self.reception.sessions.recheck())
        self.roster.confirm(self.roster.now())

    def log_in(self, identity: Identity, takeover: bool = True) -> ManualClient:
        client = ManualClient(self.server, identity)
        client.log_in(takeover)
        return client

    def asked(self) -> int:
        """The number of questions since this was last asked."""
        count = len(self.questions)
        self.questions.clear()
        return count

    def outside(self, statement: str) -> None:
        """Another process writes, and nobody has looked yet."""
        self.connection.execute(statement)


class FoundTests(RosterCase):
    """What is kept, and for how long."""

    def test_whoever_was_seen_at_the_look_is_not_asked_for(self) -> None:
        self.log_in(self.alice)
        self.log_in(self.bob)
        self.assertEqual(self.asked(), 0)

    def test_what_is_kept_is_what_the_registry_says(self) -> None:
        result(self.registry.block(ALICE, BOB))
        self.look()
        for identity in (self.alice, self.bob):
            kept = result(self.roster.find(identity.public_key))
            self.assertEqual(self.asked(), 0)
            self.assertEqual(kept, result(self.registry.entrant(identity.public_key)))
            self.asked()

    def test_nothing_is_used_before_the_first_look(self) -> None:
        server = MemoryServer()
        alice = server.enrolled("alice")
        result(server.reception.sessions.recheck())
        self.patch(server.registry, "entrant", lambda _: fail(StateBusy("busy")))
        self.assertRaises(refusals.ServerTrouble, ManualClient(server, alice).log_in)

    def test_nothing_is_used_when_the_last_look_is_too_long_ago(self) -> None:
        self.network.advance(limits.ROSTER_TRUSTED - 0.1)
        self.log_in(self.alice)
        self.assertEqual(self.asked(), 0)
        self.network.advance(0.1)
        self.log_in(self.alice)
        self.assertEqual(self.asked(), 1)

    def test_nothing_is_used_when_the_registry_has_another_mark(self) -> None:
        self.patch(self.registry, "mark", lambda: b"another")
        self.log_in(self.alice)
        self.assertEqual(self.asked(), 1)
        self.look()
        self.log_in(self.alice)
        self.assertEqual(self.asked(), 0)

    def test_nothing_is_used_where_nobody_can_tell_whether_it_changed(self) -> None:
        self.patch(self.registry, "mark", lambda: None)
        self.look()
        self.log_in(self.alice)
        self.assertEqual(self.asked(), 1)

    def test_the_mark_of_a_commit_that_was_never_finished_is_not_confirmed(self) -> None:
        """SQLite undoes the commit at the look, and gives the next one the same count."""
        finished, unfinished = self.registry.mark(), b"of a process that was killed"
        self.patch(self.registry, "mark", lambda: unfinished)
        began = self.roster.now()
        self.patch(self.registry, "mark", lambda: finished)
        self.roster.confirm(began)
        self.outside("UPDATE users SET disabled = 1 WHERE name = 'alice'")
        self.patch(self.registry, "mark", lambda: unfinished)
        self.assertRaises(refusals.Disabled, self.log_in, self.alice)

    def test_who_was_read_is_kept(self) -> None:
        self.roster.clear()
        for questions in (1, 0):
            self.log_in(self.alice)
            self.assertEqual(self.asked(), questions)

    def test_a_refusal_is_always_the_registrys(self) -> None:
        """So whoever is enrolled or enabled now can log in now."""
        result(self.registry.disable(ALICE))
        self.look()
        self.assertRaises(refusals.Disabled, self.log_in, self.alice)
        self.assertRaises(refusals.NotEnrolled, self.log_in, Identity.generate())
        self.assertEqual(self.asked(), 2)
        self.outside("UPDATE users SET disabled = 0")
        self.log_in(self.alice)
        carol = self.server.enrolled("carol")
        self.log_in(carol)

    def test_a_chain_is_not_kept(self) -> None:
        """It may have 44 kB."""
        self.give_a_new_key()
        self.look()
        for _ in range(2):
            self.log_in(self.alice)
            self.assertEqual(self.asked(), 1)

    def test_a_long_list_of_blocks_is_not_kept(self) -> None:
        for number in range(limits.ROSTER_BLOCKED + 1):
            result(self.registry.block(ALICE, Name(f"n{number}")))
        self.look()
        for _ in range(2):
            self.log_in(self.alice)
            self.assertEqual(self.asked(), 1)
        result(self.registry.unblock(ALICE, Name("n0")))
        self.look()
        self.log_in(self.alice)
        self.assertEqual(self.asked(), 0)

    def test_who_has_one_key_only_is_not_kept(self) -> None:
        self.outside("UPDATE users SET second = NULL")
        self.look()
        for questions in (2, 0):  # found, and once more when the second key is on the disk
            self.log_in(self.alice)
            self.assertEqual(self.asked(), questions)

    def test_the_number_of_people_is_bounded(self) -> None:
        self.patch(limits, "ROSTER_USERS", 1)
        self.look()
        self.assertEqual(len(self.roster), 1)
        for identity in (self.alice, self.bob):
            for _ in range(2):
                result(self.roster.find(identity.public_key))
                self.assertEqual(len(self.roster), 1)
        self.assertEqual(self.asked(), 1)  # Bob took her place

    def give_a_new_key(self) -> None:
        new = Identity.generate()
        link = Link.signed(self.server.pin, ALICE, self.alice, new)
        result(self.registry.succeed(ALICE, link))
        self.alice = new


class ChangedTests(RosterCase):
    """Somebody writes between the look and the log-in."""

    def test_a_write_of_ours_counts_at_once(self) -> None:
        for name, arguments, refusal in (
            ("disable", (ALICE,), refusals.Disabled),
            ("reset_key", (ALICE,), refusals.NotEnrolled),
            ("remove", (ALICE, NOW), refusals.NotEnrolled),
            ("forget", (ALICE, None, NOW), refusals.NotEnrolled),
        ):
            self.setUp()
            theirs = [self.alice.public_key if one is None else one for one in arguments]
            result(getattr(self.registry, name)(*theirs))
            self.assertRaises(refusal, self.log_in, self.alice)

    def test_a_new_key_of_ours_counts_at_once(self) -> None:
        old, new = self.log_in(self.alice), Identity.generate()
        link = Link.signed(self.server.pin, ALICE, self.alice, new)
        old.done(old.ask(vocabulary.NewKey, **link_arguments(self.server.pin, ALICE, link, new)))
        self.assertRaises(refusals.NotEnrolled, self.log_in, self.alice)
        self.log_in(new)

    def test_a_block_counts_at_the_next_log_in(self) -> None:
        client = self.log_in(self.alice)
        client.done(client.ask(vocabulary.Block, name=BOB))
        client.standard_wire.cut()
        self.network.pump()
        self.log_in(self.alice)
        self.assertFalse(self.reception.sessions._by_name[ALICE].admits(BOB))

    def test_an_unblock_counts_at_the_next_log_in(self) -> None:
        result(self.registry.block(ALICE, BOB))
        self.look()
        client = self.log_in(self.alice)
        client.done(client.ask(vocabulary.Unblock, name=BOB))
        client.standard_wire.cut()
        self.network.pump()
        self.log_in(self.alice)
        self.assertTrue(self.reception.sessions._by_name[ALICE].admits(BOB))

    def test_the_end_of_a_quarantine_counts_for_everybody(self) -> None:
        """Blocks of the name are gone, whoever had made them."""
        result(self.registry.block(ALICE, BOB))
        result(self.registry.remove(BOB, NOW))
        self.look()
        result(self.registry.end_quarantines(NOW + limits.NAME_QUARANTINE))
        self.log_in(self.alice)
        self.assertTrue(self.reception.sessions._by_name[ALICE].admits(BOB))

    def test_who_is_blocked_is_found_no_more_slowly_for_it(self) -> None:
        """Their log-in must not show that somebody has just blocked them."""
        result(self.registry.block(ALICE, BOB))
        result(self.registry.unblock(ALICE, BOB))
        self.log_in(self.bob)
        self.assertEqual(self.asked(), 0)

    def test_a_failed_write_of_ours_leaves_nothing_behind(self) -> None:
        """Whatever it has done, the registry is asked."""
        self.failureResultOf(self.registry.forget(ALICE, self.bob.public_key, NOW))
        self.log_in(self.alice)
        self.assertEqual(self.asked(), 1)

    def test_the_look_ends_who_came_in_after_the_admin_had_written(self) -> None:
        self.outside("UPDATE users SET disabled = 1 WHERE name = 'alice'")
        client = self.log_in(self.alice)
        self.look()
        self.network.pump()
        self.assertEqual(client.said("goodbye"), ["disabled"])

    def test_after_the_look_nobody_is_found_as_they_were_before(self) -> None:
        """Or they would stay, since the next look finds nothing new."""
        self.outside("UPDATE users SET disabled = 1 WHERE name = 'alice'")
        result(self.reception.sessions.recheck())
        self.assertRaises(refusals.Disabled, self.log_in, self.alice)

    def test_blocks_that_are_gone_at_the_look_are_gone_at_the_next_log_in(self) -> None:
        result(self.registry.block(ALICE, BOB))
        self.look()
        self.outside("DELETE FROM blocks")
        self.look()
        self.log_in(self.alice)
        self.assertTrue(self.reception.sessions._by_name[ALICE].admits(BOB))

    def test_two_second_keys_at_once(self) -> None:
        """One is taken; the other is refused, though both were found without one."""
        self.outside("UPDATE users SET second = NULL WHERE name = 'alice'")
        self.look()
        other = replace(self.alice.public_key, second=self.bob.public_key.second)
        result(self.reception.complete(ALICE, self.alice.public_key))
        late = self.reception.complete(ALICE, other)
        self.failureResultOf(late, refusals.NotEnrolled)

    def test_another_second_key_by_the_time_it_is_found_again(self) -> None:
        """The admin has reset the key, and somebody enrolled with its first half."""
        self.outside("UPDATE users SET second = NULL WHERE name = 'alice'")
        self.look()
        complete = self.registry.complete

        def completed_and_then_changed(*what: Any) -> Deferred[None]:
            done = complete(*what)
            self.outside("UPDATE users SET second = zeroblob(32) WHERE name = 'alice'")
            return done

        self.patch(self.registry, "complete", completed_and_then_changed)
        self.assertRaises(refusals.NotEnrolled, self.log_in, self.alice)


class ThreadTests(RosterCase):
    """The registry's thread has worked, and its report is still on its way."""

    def setUp(self) -> None:
        super().setUp()
        self.thread = HeldThread(self.connection)
        self.registry._pool = GatheringPool(self.thread)

    def settle(self) -> None:
        for _ in range(5):
            self.thread.settle()
            self.network.pump()

    def test_a_read_from_before_a_write_is_not_kept_after_it(self) -> None:
        """At whatever moment the two begin."""
        for steps in range(6):
            for reads_first in (True, False):
                self.setUp()
                self.roster.clear()
                begin = [
                    lambda: self.roster.find(self.alice.public_key),
                    lambda: self.registry.disable(ALICE),
                ]
                if not reads_first:
                    begin.reverse()
                begin[0]()
                for number in range(steps):
                    (self.thread.work if number % 2 == 0 else self.thread.deliver)()
                begin[1]()
                self.settle()
                found = self.roster.find(self.alice.public_key)
                self.settle()
                entrant = result(found)
                self.assertTrue(entrant is not None and entrant.user.disabled, (steps, reads_first))

    def test_a_read_from_before_the_look_is_not_kept_after_it(self) -> None:
        self.roster.clear()
        self.roster.find(self.alice.public_key)
        self.thread.work()
        self.outside("UPDATE users SET disabled = 1 WHERE name = 'alice'")
        self.reception.sessions.recheck()
        self.settle()
        self.roster.confirm(self.roster.now())
        found = self.roster.find(self.alice.public_key)
        self.settle()
        entrant = result(found)
        self.assertTrue(entrant is not None and entrant.user.disabled)

    def test_a_retirement_ends_who_logs_in_while_it_is_written(self) -> None:
        secret = RetirementSecret(bytes(16))
        self.registry.set_retirement(ALICE, self.alice.public_key, secret.public)
        self.settle()
        self.roster.find(self.alice.public_key)
        self.settle()
        signature = secret.retire(self.server.pin, ALICE)
        self.reception.retirements.retire(ALICE, secret.public, signature)
        self.thread.work()  # it is on the disk, and nobody has heard of that yet
        client = self.log_in(self.alice)
        self.settle()
        self.assertEqual(client.said("goodbye"), ["disabled"])

    def test_whose_key_is_being_changed_cannot_log_in_from_memory(self) -> None:
        """The client would take the old key for good, and throw the new one away."""
        client, new = self.log_in(self.alice), Identity.generate()
        link = Link.signed(self.server.pin, ALICE, self.alice, new)
        arguments = link_arguments(self.server.pin, ALICE, link, new)
        client.ask(vocabulary.NewKey, **arguments).addErrback(lambda _: None)
        client.standard_wire.cut()
        self.network.pump()
        self.assertRaises(refusals.ServerTrouble, self.log_in, self.alice)
        self.settle()
        again = ManualClient(self.server, self.alice)
        asked = again.ask(vocabulary.LogIn, **again.login())
        self.settle()
        self.failureResultOf(asked, refusals.NotEnrolled)

    def test_a_block_that_is_made_while_another_session_takes_over_counts_there(self) -> None:
        first = self.log_in(self.alice)
        first.ask(vocabulary.Block, name=BOB).addErrback(lambda _: None)
        self.thread.work()  # it is on the disk, and nobody has heard of that yet
        self.log_in(self.alice)
        self.settle()
        self.assertFalse(self.reception.sessions._by_name[ALICE].admits(BOB))

    def test_who_is_forgotten_while_they_log_in_again_is_out(self) -> None:
        first = self.log_in(self.alice)
        first.ask(vocabulary.ForgetMe, name=ALICE).addErrback(lambda _: None)
        self.thread.work()
        second = self.log_in(self.alice)
        self.settle()
        self.network.advance(limits.CLOSE_DEADLINE)
        self.settle()
        self.assertEqual(len(self.reception.sessions), 0)
        self.assertIsNotNone(second.standard.lost_reason)

    def test_a_log_in_from_memory_waits_for_nobody(self) -> None:
        """The admin's process may hold the registry for seconds."""
        self.assertEqual(len(self.thread.todo), 0)
        self.log_in(self.alice)
        self.assertEqual(len(self.thread.todo), 0)


class KeptTests(SynchronousTestCase):
    def test_everybody_agrees_with_each_entrant(self) -> None:
        """The two ways into the roster tell the same."""
        server = MemoryServer()
        alice = server.enrolled("alice")
        server.enrolled("bob")
        result(server.registry.block(ALICE, BOB))
        everybody = result(server.registry.everybody())
        self.assertEqual([user.name for user in everybody.users], [ALICE, BOB])
        self.assertEqual(everybody.blocks, {ALICE: [BOB]})
        self.assertEqual(everybody.successors, frozenset())
        user = User(ALICE, alice.public_key, False, NOW)
        found = result(server.registry.entrant(alice.public_key))
        self.assertEqual(found, Entrant(user, (BOB,), b""))
