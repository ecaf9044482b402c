"""Blocks on the server: who is blocked finds nobody, whatever client they run."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail

from securecom import limits, refusals, vocabulary
from securecom.errors import StateBusy
from securecom.identity import Name
from securecom.server.database import GatheringPool
from securecom.tests.support.held_thread import HeldThread
from securecom.tests.support.memory_server import NOW, ManualClient, chatting, result
from securecom.tests.support.request_case import RequestCase

ALICE, BOB = Name("alice"), Name("bob")


class BlockCase(RequestCase):
    def block(self, who: ManualClient, name: str) -> None:
        who.done(who.ask(vocabulary.Block, name=Name(name)))

    def listed(self, who: ManualClient) -> list[Name]:
        answer = who.done(who.ask(vocabulary.ListAvailable, after=b"", text=b""))
        return list(answer["names"])


class BlockingTests(BlockCase):
    # Promise T87, C28
    def test_who_is_blocked_is_not_heard_and_sees_nobody(self) -> None:
        self.block(self.bob, "alice")
        self.assert_no_answer(self.ask(self.alice, "bob"))
        self.assertEqual(self.bob.said("offer") + self.bob.said("missed"), [])
        self.assertEqual(self.listed(self.alice), ["carol"])

    def test_others_and_the_other_direction_are_not_concerned(self) -> None:
        self.block(self.bob, "alice")
        self.assertEqual(self.listed(self.carol), ["alice", "bob"])
        chatting(self.bob, self.alice, "alice")

    def test_unblocked(self) -> None:
        self.block(self.bob, "alice")
        unblock = {"name": ALICE}
        self.assertEqual(
            self.bob.done(self.bob.ask(vocabulary.Unblock, **unblock)), {"changed": True}
        )
        self.assertEqual(
            self.bob.done(self.bob.ask(vocabulary.Unblock, **unblock)), {"changed": False}
        )
        chatting(self.alice, self.bob, "bob")

    def test_the_list(self) -> None:
        for name in ("zed", "alice", "alice"):
            self.block(self.bob, name)
        answer = self.bob.done(self.bob.ask(vocabulary.ListBlocked))
        self.assertEqual(answer, {"names": ["alice", "zed"]})
        self.assertEqual(self.alice.done(self.alice.ask(vocabulary.ListBlocked)), {"names": []})

    # Promise C36
    def test_whether_a_name_exists_is_not_told(self) -> None:
        for name in ("alice", "nobody"):
            answer = self.bob.done(self.bob.ask(vocabulary.Block, name=Name(name)))
            self.assertEqual(answer, {})

    def test_a_name_that_comes_later_is_blocked_from_the_start(self) -> None:
        self.block(self.bob, "dave")
        dave = self.server.client("dave")
        self.assert_no_answer(self.ask(dave, "bob"))
        self.assertEqual(self.bob.said("offer"), [])

    # Promise T89
    def test_the_one_who_asks_just_now_gets_no_answer(self) -> None:
        asked = self.ask(self.alice, "bob")
        self.block(self.bob, "alice")
        self.assertEqual(self.bob.said("withdrawn"), ["gone"])
        self.assert_no_answer(asked)
        self.bob.answer("accept")
        self.assertEqual(self.bob.said("open"), [])
        self.assert_free(self.alice, self.bob)

    # Promise T89
    def test_the_one_who_blocks_is_free_at_once(self) -> None:
        """And not when the time of that request is up."""
        self.ask(self.alice, "bob").addErrback(lambda _: None)
        self.block(self.bob, "alice")
        chatting(self.carol, self.bob, "bob")

    def test_somebody_elses_request_goes_on(self) -> None:
        asked = self.ask(self.carol, "bob")
        self.block(self.bob, "alice")
        self.assertNoResult(asked)
        self.bob.answer("accept")
        self.assertEqual(self.carol.done(asked)["role"], "caller")

    def test_our_own_request_to_them_goes_on(self) -> None:
        asked = self.ask(self.bob, "alice")
        self.block(self.bob, "alice")
        self.assertNoResult(asked)
        self.alice.answer("accept")
        self.bob.done(asked)

    def test_what_was_accepted_goes_on(self) -> None:
        """A yes is taken back by ending the chat."""
        ready: Deferred[Any] = Deferred()
        self.bob.opens = lambda: ready
        asked = self.ask(self.alice, "bob")
        self.bob.answer("accept")
        self.block(self.bob, "alice")
        ready.callback({})
        self.assertEqual(self.alice.done(asked)["role"], "caller")

    def test_a_chat_goes_on_until_it_is_ended(self) -> None:
        stream = chatting(self.alice, self.bob, "bob")
        self.block(self.bob, "alice")
        self.alice.send(stream, b"still here")
        self.assertEqual(self.bob.received, b"still here")
        self.bob.done(self.bob.ask(vocabulary.EndChat, stream=stream))
        self.assert_no_answer(self.ask(self.alice, "bob"))

    def test_nobody_blocks_themselves(self) -> None:
        """A client that tries changes nothing."""
        self.block(self.bob, "bob")
        self.assertEqual(self.bob.done(self.bob.ask(vocabulary.ListBlocked)), {"names": []})

    def test_the_list_is_bounded(self) -> None:
        self.patch(limits, "MAX_BLOCKED", 2)
        for name in ("u1", "u2", "u2"):
            self.block(self.bob, name)
        self.failureResultOf(self.bob.ask(vocabulary.Block, name=ALICE), refusals.ListFull)
        chatting(self.alice, self.bob, "bob")

    # Promise T84
    def test_one_who_asks_without_end_is_told(self) -> None:
        """Each is work for the one thread that reads and writes the disk."""
        self.patch(self.server.reception._rates["looks at your blocks"], "_count", 3)
        self.block(self.bob, "alice")
        self.bob.done(self.bob.ask(vocabulary.Unblock, name=ALICE))
        self.bob.done(self.bob.ask(vocabulary.ListBlocked))
        for command, more in (
            (vocabulary.Block, {"name": ALICE}),
            (vocabulary.Unblock, {"name": ALICE}),
            (vocabulary.ListBlocked, {}),
        ):
            self.failureResultOf(self.bob.ask(command, **more), refusals.TooManyRequests)
        self.block(self.alice, "bob")
        self.server.network.clock.advance(limits.REQUEST_WINDOW)
        self.block(self.bob, "alice")

    # Promise T95
    def test_and_another_session_does_not_help(self) -> None:
        self.patch(self.server.reception._rates["looks at your blocks"], "_count", 1)
        self.block(self.bob, "alice")
        self.bob.standard_wire.cut()
        self.server.network.pump()
        bob = ManualClient(self.server, self.bob.identity)
        bob.log_in()
        self.failureResultOf(bob.ask(vocabulary.ListBlocked), refusals.TooManyRequests)


class LastingTests(BlockCase):
    # Promise T87, C28
    def test_blocks_survive_a_log_out(self) -> None:
        self.block(self.bob, "alice")
        self.bob.standard_wire.cut()
        self.server.network.pump()
        bob = ManualClient(self.server, self.bob.identity)
        bob.log_in()
        bob.prove()
        bob.done(bob.ask(vocabulary.SetAvailability, available=True))
        self.assert_no_answer(self.ask(self.alice, "bob"))
        self.assertEqual(bob.said("offer"), [])

    # Promise T87
    def test_blocked_at_the_moment_when_another_session_takes_over(self) -> None:
        """The old session adds to the list when the new one has read it already."""
        registry = self.server.registry
        thread = HeldThread(registry._pool._connection)  # type: ignore[attr-defined]
        registry._pool = GatheringPool(thread)
        bob = ManualClient(self.server, self.bob.identity)
        welcome = bob.ask(vocabulary.LogIn, **bob.login(takeover=True))
        thread.work()
        self.bob.ask(vocabulary.Block, name=ALICE).addErrback(lambda _: None)
        thread.settle()
        bob.done(welcome)
        bob.prove()
        bob.done(bob.ask(vocabulary.SetAvailability, available=True))
        self.assert_no_answer(self.ask(self.alice, "bob"))
        self.assertEqual(bob.said("offer"), [])

    def test_a_change_of_the_registry_from_outside_counts(self) -> None:
        """The quarantine of a name that was blocked is over: its next owner is somebody else."""
        self.block(self.bob, "alice")
        result(self.server.registry.remove(ALICE, NOW))
        result(self.server.reception.sessions.recheck())
        self.server.network.advance(limits.CLOSE_DEADLINE)
        result(self.server.registry.end_quarantines(NOW + limits.NAME_QUARANTINE))
        result(self.server.reception.sessions.recheck())
        chatting(self.server.client("alice"), self.bob, "bob")

    def test_a_broken_disk_is_told_and_changes_nothing(self) -> None:
        for method, command, more in (
            ("block", vocabulary.Block, {"name": ALICE}),
            ("unblock", vocabulary.Unblock, {"name": ALICE}),
            ("blocked", vocabulary.ListBlocked, {}),
        ):
            self.patch(self.server.registry, method, lambda *_: fail(StateBusy("busy")))
            self.failureResultOf(self.bob.ask(command, **more), refusals.ServerTrouble)
        chatting(self.alice, self.bob, "bob")

    def test_a_user_removed_a_moment_ago_blocks_nobody(self) -> None:
        result(self.server.registry.remove(BOB, NOW))
        self.failureResultOf(self.bob.ask(vocabulary.Block, name=ALICE), refusals.ServerTrouble)

    def test_who_cannot_be_asked_for_their_blocks_is_not_logged_in(self) -> None:
        """Or a broken disk would let everybody through."""
        bob = ManualClient(self.server, self.server.enrolled("dave"))
        connection = self.server.registry._pool._connection  # type: ignore[attr-defined]
        connection.execute("ALTER TABLE blocks RENAME TO lost")
        self.assertRaises(refusals.ServerTrouble, bob.log_in)
