"""A request channel on another node than its session."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, refusals, vocabulary
from securecom.errors import NodeGone
from securecom.server.cluster.node_vocabulary import ChannelGone, ProveThere
from securecom.server.cluster.other_channels import Channels
from securecom.tests.support.cluster_case import ClusterCase
from securecom.tests.support.memory_server import chatting


class OtherChannelTests(ClusterCase):
    """A request channel on another node than its session."""

    def setUp(self) -> None:
        super().setUp()
        self.bob.standard_wire.cut()
        self.cluster.network.pump()
        self.bob = self.came("bob", 1, channel_at=0)

    def test_asked_and_accepted(self) -> None:
        for who in (self.alice, self.came("carol", 1)):
            stream = chatting(who, self.bob, "bob")
            who.send(stream, b"hello")
            self.assertTrue(self.bob.received.endswith(b"hello"))
            who.done(who.ask(vocabulary.EndChat, stream=stream))

    def test_withdrawn(self) -> None:
        asked = self.ask(self.alice, "bob")
        self.alice.done(self.alice.ask(vocabulary.CancelRequest))
        self.failureResultOf(asked, refusals.Cancelled)
        self.assertEqual(self.bob.said("withdrawn"), ["cancelled"])
        self.assert_free(self.alice)

    def test_missed(self) -> None:
        self.bob.done(self.bob.ask(vocabulary.SetAvailability, available=False))
        self.assert_no_answer(self.ask(self.alice, "bob"))
        self.assertEqual(self.bob.said("missed"), ["alice"])

    def test_lost(self) -> None:
        """Without it, nobody can ask this person."""
        assert self.bob.request_wire is not None
        self.bob.request_wire.cut()
        self.cluster.network.pump()
        self.assert_no_answer(self.ask(self.alice, "bob"))
        self.assertEqual(self.bob.said("offer"), [])

    def test_lost_while_asked(self) -> None:
        asked = self.ask(self.alice, "bob")
        assert self.bob.request_wire is not None
        self.bob.request_wire.cut()
        self.cluster.network.pump()
        self.assert_no_answer(asked)

    def test_replaced(self) -> None:
        """A new one closes the old one, on whichever node that is."""
        former = self.bob.request
        self.bob.request_at = self.two.request
        self.bob.prove()
        self.cluster.network.advance(limits.CLOSE_DEADLINE)
        self.assertIsNotNone(former.lost_reason)
        chatting(self.alice, self.bob, "bob")

    def test_it_goes_with_the_session(self) -> None:
        self.bob.standard_wire.cut()
        self.cluster.network.advance(limits.CLOSE_DEADLINE)
        self.assertIsNotNone(self.bob.request.lost_reason)

    def test_lost_while_nobody_could_be_told(self) -> None:
        """The session's node finds out with the next offer, and nobody is listed in vain."""
        carol = self.came("carol", 1)
        assert self.bob.request_wire is not None
        self.cluster.between.cut.add(self.one.own.ident)
        self.bob.request_wire.cut()
        self.cluster.network.pump()
        self.cluster.between.cut.clear()
        self.assert_no_answer(self.ask(carol, "bob"))
        listed = carol.done(carol.ask(vocabulary.ListAvailable, after=b"", text=b""))
        self.assertNotIn("bob", listed["names"])

    def test_its_node_is_gone(self) -> None:
        """Nobody can ask this person until there is another channel."""
        carol = self.came("carol", 1)
        self.cluster.kill(self.one)
        self.assert_no_answer(self.ask(carol, "bob"))

    def test_the_node_of_the_session_is_gone(self) -> None:
        self.cluster.between.lose(self.two.own.ident)
        self.cluster.network.advance(limits.CLOSE_DEADLINE)
        self.assertIsNotNone(self.bob.request.lost_reason)

    def test_a_node_that_cannot_be_asked(self) -> None:
        """That says nothing of the proof, so the client is cut off, and tries again."""
        self.cluster.engine.is_away = True
        channel = self.bob.open_request_channel()
        asked = channel.control.call(vocabulary.ProveSession, **self.bob.proof(channel))
        self.cluster.network.pump()
        self.failureResultOf(asked, ConnectionLost)

    # Promise T297
    def test_a_bad_proof(self) -> None:
        """Neither a wrong key nor a session that nobody has opens one."""
        for changed in ("proof", "session"):
            channel = self.bob.open_request_channel()
            facts = {**self.bob.proof(channel), changed: bytes(32 if changed == "proof" else 16)}
            asked = channel.control.call(vocabulary.ProveSession, **facts)
            self.cluster.network.pump()
            self.failureResultOf(asked, refusals.BadProof)
        chatting(self.alice, self.bob, "bob")

    # Promise T297
    def test_a_proof_for_another_connection(self) -> None:
        """It is bound to the TLS of the channel, also where another node checks it."""
        channel, other = self.bob.open_request_channel(), self.bob.open_request_channel()
        asked = channel.control.call(vocabulary.ProveSession, **self.bob.proof(other))
        self.cluster.network.pump()
        self.failureResultOf(asked, refusals.BadProof)

    # Promise T297
    def test_one_try(self) -> None:
        """Also while the first one is on its way to the other node."""
        channel = self.bob.open_request_channel()
        good = self.bob.proof(channel)
        bad = channel.control.call(vocabulary.ProveSession, **{**good, "proof": bytes(32)})
        again = channel.control.call(vocabulary.ProveSession, **good)
        self.cluster.network.pump()
        bad.addErrback(lambda _: None)
        self.failureResultOf(again, refusals.BadProof)
        chatting(self.alice, self.bob, "bob")  # through the channel that was there before


class UnansweredProofTests(SynchronousTestCase):
    """The link breaks before the session's node has answered."""

    def test_it_is_taken_back(self) -> None:
        """The proof may have been good: then that node must not offer anything here."""
        node, told = b"n" * 16, list[Any]()

        class Stub:
            def call(self, node: bytes, command: object, **facts: Any) -> Deferred[Any]:
                told.append((command, facts["channel"]))
                return fail(NodeGone("the link broke"))

            def tell(self, node: bytes, command: object, **facts: Any) -> None:
                told.append((command, facts["channel"]))

            def holder(self, session: bytes) -> Deferred[bytes]:
                return succeed(node)

            def fault(self, error: Exception) -> None:
                told.append(type(error))

        stub: Any = Stub()
        channels = Channels(stub, stub, stub, bytes)
        asked = channels.prove(stub, b"s" * 16, bytes(32), bytes(32))
        self.failureResultOf(asked, refusals.BadProof)
        ident = bytes(16)
        self.assertEqual(told, [(ProveThere, ident), (ChannelGone, ident), NodeGone])


class TwoProcessesTests(ClusterCase):
    """One node with the standard channel alone, and one with the request channel alone."""

    def test_everybody_is_on_one_and_is_asked_through_the_other(self) -> None:
        for client in (self.alice, self.bob):
            client.standard_wire.cut()
        self.cluster.network.pump()
        alice, bob = self.came("alice", 0, channel_at=1), self.came("bob", 0, channel_at=1)
        for caller, callee, name in ((alice, bob, "bob"), (bob, alice, "alice")):
            stream = chatting(caller, callee, name)
            caller.send(stream, b"hello")
            self.assertEqual(callee.received, b"hello")
            caller.done(caller.ask(vocabulary.EndChat, stream=stream))
