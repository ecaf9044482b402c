"""A chat request between two nodes of one server, and what comes of it."""

from __future__ import annotations

from securecom import limits, refusals, vocabulary
from securecom.identity import Name
from securecom.tests.support.cluster_case import AVAILABLE, ClusterCase
from securecom.tests.support.memory_server import chatting


class AnswerTests(ClusterCase):
    """What the callee can say, from another node."""

    def test_accepted(self) -> None:
        """Both have the same chat and stream, and hear the other's key."""
        asked = self.ask(self.alice, "bob")
        [offer] = self.bob.said("offer")
        self.assertEqual(offer["caller"], "alice")
        self.assertEqual(offer["key"], self.alice.identity.public_key)
        self.assertEqual(offer["seconds"], limits.REQUEST_STANDS + 1)
        self.bob.answer("accept")
        opened = self.alice.done(asked)
        self.assertEqual(self.bob.said("open"), [opened["stream"]])
        self.assertEqual(opened["chat"], offer["chat"])
        self.assertEqual(opened["key"], self.bob.identity.public_key)
        self.assertEqual(opened["role"], "caller")

    def test_refused(self) -> None:
        """The caller's node makes them wait, each time longer."""
        for wait in (limits.COOLDOWN_FIRST, 2 * limits.COOLDOWN_FIRST):
            asked = self.ask(self.alice, "bob")
            self.bob.answer("refuse")
            refusal = self.failureResultOf(asked, refusals.Refused)
            self.assertEqual(refusal.value.seconds, wait)
            again = self.failureResultOf(self.ask(self.alice, "bob"), refusals.TooSoon)
            self.assertEqual(again.value.seconds, wait)
            self.cluster.network.clock.advance(wait)
            self.cluster.network.pump()
        self.assert_free(self.alice, self.bob)

    # Promise T295
    def test_busy_and_unavailable_look_alike(self) -> None:
        for word in ("busy", "unavailable"):
            asked = self.ask(self.alice, "bob")
            self.bob.answer(word)
            self.assert_no_answer(asked)

    def test_busy_for_a_friend(self) -> None:
        self.bob.done(
            self.bob.ask(vocabulary.SetAvailability, **AVAILABLE, busy_to=[Name("alice")])
        )
        asked = self.ask(self.alice, "bob")
        self.bob.answer("busy")
        self.failureResultOf(asked, refusals.Busy)

    def test_no_answer(self) -> None:
        """The offer is withdrawn and both are free."""
        self.assert_no_answer(self.ask(self.alice, "bob"))
        self.cluster.network.advance(limits.REQUEST_PAUSE)
        self.assertEqual(self.bob.said("withdrawn"), ["expired"])
        self.bob.answer("unavailable")
        self.assert_free(self.alice, self.bob)

    def test_cancelled(self) -> None:
        asked = self.ask(self.alice, "bob")
        self.alice.done(self.alice.ask(vocabulary.CancelRequest))
        self.failureResultOf(asked, refusals.Cancelled)
        self.assertEqual(self.bob.said("withdrawn"), ["cancelled"])
        self.assert_free(self.alice, self.bob)

    # Promise T295
    def test_nobody(self) -> None:
        """Unknown, off line, blocked, away: the same answer at the same time, from afar, too."""
        self.assert_no_answer(self.ask(self.alice, "nobody"))
        self.bob.done(self.bob.ask(vocabulary.Block, name=Name("alice")))
        self.assert_no_answer(self.ask(self.alice, "bob"))
        self.assertEqual(self.bob.said("offer"), [])
        self.assertEqual(self.bob.said("missed"), [])

    def test_missed(self) -> None:
        self.bob.done(self.bob.ask(vocabulary.SetAvailability, available=False))
        self.assert_no_answer(self.ask(self.alice, "bob"))
        self.assertEqual(self.bob.said("missed"), ["alice"])

    def test_the_callee_leaves(self) -> None:
        asked = self.ask(self.alice, "bob")
        self.bob.standard_wire.cut()
        self.cluster.network.pump()
        self.assert_no_answer(asked)

    def test_the_caller_leaves(self) -> None:
        self.ask(self.alice, "bob").addErrback(lambda _: None)
        self.alice.standard_wire.cut()
        self.cluster.network.pump()
        self.assertEqual(self.bob.said("withdrawn"), ["gone"])
        self.assert_free(self.bob)

    def test_an_acceptance_that_crosses_the_withdrawal(self) -> None:
        """Neither is left in a chat that the other does not have."""
        asked = self.ask(self.alice, "bob")
        self.bob.offers.pop().callback({"answer": "accept"})
        self.alice.standard.control.call(vocabulary.CancelRequest).addErrback(lambda _: None)
        self.cluster.network.pump()
        asked.addErrback(lambda _: None)
        self.cluster.network.advance(limits.REQUEST_PAUSE)
        self.assert_free(self.alice, self.bob)

    def test_two_of_the_same_caller(self) -> None:
        """The end of the first one, from a node that is lost, is not that of the second one."""
        self.ask(self.alice, "bob").addErrback(lambda _: None)
        self.cluster.between.cut.add(self.one.own.ident)
        again = self.came("alice", 1)
        second = self.ask(again, "bob")
        self.cluster.between.lose(self.one.own.ident)
        self.cluster.network.pump()
        self.bob.heard.clear()
        self.bob.done(self.bob.ask(vocabulary.Block, name=Name("alice")))
        self.cluster.network.pump()
        self.assertEqual(self.bob.said("withdrawn"), ["gone"])
        self.assert_no_answer(second)


class CrossingTests(ClusterCase):
    """Both ask each other."""

    def test_one_after_the_other(self) -> None:
        for first, second in ((self.alice, self.bob), (self.bob, self.alice)):
            names = {self.alice: "alice", self.bob: "bob"}
            asked = self.ask(first, names[second])
            answered = self.ask(second, names[first])
            opened = {first: first.done(asked), second: second.done(answered)}
            self.assertEqual(opened[self.alice]["role"], "caller")
            self.assertEqual(opened[self.bob]["role"], "callee")
            self.assertEqual(opened[first]["chat"], opened[second]["chat"])
            stream = opened[first]["stream"]
            self.assertEqual(opened[second]["stream"], stream)
            self.alice.send(stream, b"crossed")
            self.assertTrue(self.bob.received.endswith(b"crossed"))
            self.alice.done(self.alice.ask(vocabulary.EndChat, stream=stream))

    # Promise T294
    def test_at_the_same_time(self) -> None:
        """The request of the smaller name is the one that is joined."""
        calls = [
            who.standard.control.call(vocabulary.RequestChat, callee=Name(name))
            for who, name in ((self.alice, "bob"), (self.bob, "alice"))
        ]
        self.cluster.network.pump()
        first, second = (self.successResultOf(call) for call in calls)
        self.assertEqual((first["role"], second["role"]), ("caller", "callee"))
        self.assertEqual(first["chat"], second["chat"])
        self.assertEqual(first["stream"], second["stream"])
        self.bob.send(first["stream"], b"hello")
        self.assertEqual(self.alice.received, b"hello")
        self.alice.done(self.alice.ask(vocabulary.EndChat, stream=first["stream"]))
        self.assertEqual(self.bob.said("closed"), [first["stream"]])
        self.assert_free(self.alice, self.bob)


class ChatTests(ClusterCase):
    """A chat with one leg on each node."""

    def setUp(self) -> None:
        super().setUp()
        self.stream = chatting(self.alice, self.bob, "bob")

    def test_frames_pass_both_ways(self) -> None:
        self.alice.send(self.stream, b"from alice")
        self.bob.send(self.stream, b"from bob")
        self.assertEqual(self.bob.received, b"from alice")
        self.assertEqual(self.alice.received, b"from bob")

    # Promise T294
    def test_nobody_else_can_ask_them(self) -> None:
        carol = self.came("carol", 0)
        self.assert_no_answer(self.ask(carol, "bob"))
        self.assert_no_answer(self.ask(carol, "alice"))
        self.assertEqual(self.bob.said("missed"), ["carol"])

    def test_either_ends_it(self) -> None:
        for who, other in ((self.alice, self.bob), (self.bob, self.alice)):
            who.done(who.ask(vocabulary.EndChat, stream=self.stream))
            self.assertEqual(other.said("closed"), [self.stream])
            self.assertEqual(who.said("closed"), [])
            other.heard.clear()
            who.heard.clear()
            self.stream = chatting(self.alice, self.bob, "bob")

    def test_either_leaves(self) -> None:
        self.bob.standard_wire.cut()
        self.cluster.network.pump()
        self.assertEqual(self.alice.said("closed"), [self.stream])
        self.assert_free(self.alice)

    def test_what_was_said_before_the_end_arrives(self) -> None:
        self.alice.standard.send(b"")
        self.alice.send(self.stream, b"last")
        self.alice.done(self.alice.ask(vocabulary.EndChat, stream=self.stream))
        self.assertEqual(self.bob.received, b"last")

    def test_a_node_is_gone(self) -> None:
        """Whoever is left hears that the chat is over, and is free."""
        self.cluster.kill(self.two)
        self.assertEqual(self.alice.said("closed"), [self.stream])
        self.assert_free(self.alice)
