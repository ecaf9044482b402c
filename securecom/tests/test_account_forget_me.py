"""/forget-me on the server: who is erased, what ends with them, and what does not."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, refusals, vocabulary
from securecom.errors import NameInQuarantine, StateBusy
from securecom.identity import Name
from securecom.invitation import token_hash
from securecom.server.session import Session
from securecom.tests.support.memory_server import NOW, ManualClient, MemoryServer, chatting, result
from securecom.tests.support.request_case import RequestCase

ALICE, BOB, CAROL = Name("alice"), Name("bob"), Name("carol")


class ForgetCase(RequestCase):
    """Alice, Bob and Carol are there."""

    def forget(self, client: ManualClient, name: Name) -> None:
        self.assertEqual(client.done(client.ask(vocabulary.ForgetMe, name=name)), {})
        self.server.network.pump()


class ForgottenTests(ForgetCase):
    def test_the_session_ends_with_the_reason_behind_the_answer(self) -> None:
        self.forget(self.alice, ALICE)
        self.assertEqual(self.alice.said("goodbye"), ["forgotten"])
        self.server.network.advance(limits.CLOSE_DEADLINE)
        self.assertIsNotNone(self.alice.standard.lost_reason)
        self.assertIsNotNone(self.alice.request.lost_reason)

    def test_nobody_of_this_key_logs_in_again(self) -> None:
        self.forget(self.alice, ALICE)
        again = ManualClient(self.server, self.alice.identity)
        self.assertRaises(refusals.NotEnrolled, again.log_in, takeover=True)

    def test_the_name_is_in_quarantine(self) -> None:
        self.forget(self.alice, ALICE)
        (only,) = result(self.server.registry.quarantine())
        self.assertEqual((only.name, only.until), (ALICE, NOW + limits.NAME_QUARANTINE))
        self.assertRaises(NameInQuarantine, self.server.invite, "alice", token_hash(b"new"))

    def test_a_chat_is_over_for_the_other_one(self) -> None:
        stream = chatting(self.alice, self.bob, "bob")
        self.forget(self.alice, ALICE)
        self.assertEqual(self.bob.said("closed"), [stream])
        self.assert_free(self.bob, self.carol)

    def test_their_request_is_withdrawn(self) -> None:
        self.ask(self.alice, "bob").addErrback(lambda _: None)
        self.forget(self.alice, ALICE)
        self.assertEqual(self.bob.said("withdrawn"), ["gone"])
        self.assert_free(self.bob, self.carol)

    def test_who_asks_them_gets_no_answer(self) -> None:
        asked = self.ask(self.bob, "alice")
        self.forget(self.alice, ALICE)
        self.assert_no_answer(asked)

    def test_they_are_available_to_nobody(self) -> None:
        self.forget(self.alice, ALICE)
        answer = self.carol.done(self.carol.ask(vocabulary.ListAvailable, after=b"", text=b""))
        self.assertEqual(answer["names"], [BOB])

    def test_nothing_of_theirs_is_taken_any_more(self) -> None:
        answer = self.alice.ask(vocabulary.ForgetMe, name=ALICE)
        block = self.alice.standard.control.call(vocabulary.Block, name=BOB)
        self.alice.done(answer)
        self.server.network.pump()
        block.addErrback(lambda _: None)
        self.assertEqual(result(self.server.registry.everybody()).blocks, {})


class EvasionTests(ForgetCase):
    """Being forgotten is no way around what protects others."""

    # Promise T88, C56
    def test_who_is_blocked_stays_so_until_the_quarantine_is_over(self) -> None:
        self.bob.done(self.bob.ask(vocabulary.Block, name=ALICE))
        self.forget(self.alice, ALICE)
        self.assertEqual(result(self.server.registry.blocked(BOB)), [ALICE])
        result(self.server.reception.sessions.recheck())
        self.assertIn(ALICE, self._session(BOB).blocks)
        result(self.server.registry.end_quarantines(NOW + limits.NAME_QUARANTINE))
        result(self.server.reception.sessions.recheck())
        self.assertNotIn(ALICE, self._session(BOB).blocks)

    def _session(self, name: Name) -> Session:
        return self.server.reception.sessions._by_name[name]

    def test_the_quarantine_outlasts_whatever_is_remembered_of_a_refusal_or_a_rate(self) -> None:
        waits = (limits.COOLDOWN_FORGOTTEN, limits.PAIR_WINDOW, limits.REQUEST_WINDOW)
        self.assertGreater(limits.NAME_QUARANTINE, max(waits))

    def test_and_every_invitation(self) -> None:
        self.assertGreater(limits.NAME_QUARANTINE, limits.MAX_INVITATION_HOURS * 3600)

    def test_an_earlier_invitation_can_no_longer_be_used(self) -> None:
        ticket = token_hash(b"another device")
        result(self.server.registry.reset_key(ALICE))
        self.server.invite("alice", ticket)
        result(self.server.registry.remove(ALICE, NOW))
        spent = self.server.reception.spend(ticket, self.alice.identity.public_key)
        self.failureResultOf(spent, refusals.BadInvitation)


class MistakeTests(ForgetCase):
    # Promise T62
    def test_another_name_changes_nothing_and_tells_of_nobody(self) -> None:
        """The same word for a user, for a name in quarantine and for one that never was."""
        result(self.server.registry.remove(CAROL, NOW))
        for name in ("bob", "carol", "nobody"):
            answer = self.alice.ask(vocabulary.ForgetMe, name=Name(name))
            refusal = self.failureResultOf(answer, refusals.NotYou).value
            self.assertEqual(str(refusal), "")
        self.assertEqual(self.alice.said("goodbye"), [])
        names = [user.name for user in result(self.server.registry.users())]
        self.assertEqual(names, [ALICE, BOB])
        chatting(self.alice, self.bob, "bob")

    def test_a_broken_disk_is_told_and_changes_nothing(self) -> None:
        self.patch(self.server.registry, "forget", lambda *_: fail(StateBusy("busy")))
        answer = self.alice.ask(vocabulary.ForgetMe, name=ALICE)
        self.failureResultOf(answer, refusals.ServerTrouble)
        self.server.network.advance(limits.CLOSE_DEADLINE)
        self.assertEqual(self.alice.said("goodbye"), [])
        chatting(self.alice, self.bob, "bob")

    def test_a_key_that_was_reset_a_moment_ago_forgets_nobody(self) -> None:
        result(self.server.registry.reset_key(ALICE))
        answer = self.alice.ask(vocabulary.ForgetMe, name=ALICE)
        self.failureResultOf(answer, refusals.ServerTrouble)
        self.assertEqual(result(self.server.registry.quarantine()), [])

    def test_a_connection_that_is_lost_meanwhile_is_no_trouble(self) -> None:
        forget = self.server.registry.forget
        waiting: Deferred[None] = Deferred()
        self.patch(
            self.server.registry,
            "forget",
            lambda *what: waiting.addCallback(lambda _: forget(*what)),
        )
        self.alice.ask(vocabulary.ForgetMe, name=ALICE).addErrback(lambda _: None)
        self.alice.standard_wire.cut()
        self.server.network.pump()
        waiting.callback(None)
        self.server.network.pump()
        self.assertEqual([user.name for user in result(self.server.registry.users())], [BOB, CAROL])
        self.assertEqual(len(self.server.reception.sessions), 2)


class RaceTests(SynchronousTestCase):
    def test_a_log_in_that_was_under_way_ends(self) -> None:
        """The registry answers in the order in which it was asked."""
        server = MemoryServer()
        alice = server.client("alice")
        still_theirs: Deferred[None] = Deferred()
        found = server.registry.entrant(alice.identity.public_key)
        looked: Deferred[None] = Deferred()
        everybody = server.registry.everybody
        other = ManualClient(server, alice.identity)
        self.patch(server.registry, "entrant", lambda _: still_theirs.addCallback(lambda _: found))
        logging_in = other.ask(vocabulary.LogIn, **other.login(takeover=True))
        self.patch(server.registry, "everybody", lambda: looked.addCallback(lambda _: everybody()))
        alice.done(alice.ask(vocabulary.ForgetMe, name=Name("alice")))
        server.network.pump()
        still_theirs.callback(None)
        other.done(logging_in)
        self.assertEqual(len(server.reception.sessions), 1)
        looked.callback(None)
        server.network.pump()
        self.assertEqual(other.said("goodbye"), ["disabled"])
        self.assertEqual(len(server.reception.sessions), 0)
