"""One session a person, and one request channel for it, on whichever nodes they are."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, refusals, vocabulary
from securecom.errors import DirectoryAway, NodeGone
from securecom.identity import Name
from securecom.server.cluster.directory import Place
from securecom.server.cluster.membership import NodeCommands
from securecom.server.cluster.node_vocabulary import ChannelGone, ProveThere
from securecom.server.cluster.other_channels import Channels
from securecom.tests.support.cluster_case import AVAILABLE, ClusterCase
from securecom.tests.support.memory_cluster import MemoryCluster
from securecom.tests.support.memory_server import ManualClient, chatting, result


class LoggingInCase(ClusterCase):
    """People log in, and the directory's answers may be late."""

    def held(self, node: int, method: str) -> Callable[[], None]:
        """From now on answers of this kind are kept from this node; the result lets them go."""
        directory = self.cluster.nodes[node].directory
        answer, late = getattr(directory, method), Deferred[None]()

        def ask(*words: Any) -> Deferred[Any]:
            answered, held = answer(*words), Deferred[Any]()
            late.addCallback(lambda _: answered.chainDeferred(held))
            return held

        patched = self.patch(directory, method, ask)

        def let_go() -> None:
            patched.restore()
            late.callback(None)
            self.cluster.network.pump()

        return let_go

    def log_in(self, name: str, node: int, takeover: bool) -> tuple[ManualClient, Deferred[object]]:
        client = ManualClient(self.cluster.nodes[node], self.identities[name])
        return client, client.ask(vocabulary.LogIn, **client.login(takeover))


class OneSessionTests(LoggingInCase):
    """Whoever logs in on one node is no longer on another."""

    def test_without_taking_over(self) -> None:
        """The second log-in is refused, and the first session goes on."""
        _, asked = self.log_in("alice", 1, takeover=False)
        self.failureResultOf(asked, refusals.AlreadyOnline)
        self.assertEqual(self.alice.said("goodbye"), [])
        chatting(self.alice, self.bob, "bob")

    # Promise T294
    def test_taking_over(self) -> None:
        """The first session has ended before the second one is told that it has begun."""
        chatting(self.alice, self.bob, "bob")
        heard: list[object] = []
        again, asked = self.log_in("alice", 1, takeover=True)
        asked.addCallback(lambda _: heard.extend(self.alice.said("goodbye")))
        self.cluster.network.pump()
        self.assertEqual(heard, ["taken-over"])
        self.assertEqual(len(self.bob.said("closed")), 1)
        again.prove()
        again.done(again.ask(vocabulary.SetAvailability, **AVAILABLE))
        chatting(self.bob, again, "alice")

    def test_a_session_that_ended_leaves_room(self) -> None:
        self.alice.done(self.alice.ask(vocabulary.LogOut))
        self.cluster.network.pump()
        _, asked = self.log_in("alice", 1, takeover=False)
        self.successResultOf(asked)

    # Promise T294
    def test_a_session_that_was_taken_over_is_not_told_again(self) -> None:
        """Or whoever left the later one would seem to be in the former one, for good."""
        session = self.one.reception.sessions.of(Name("alice"))
        assert session is not None
        released: list[tuple[Name, Place]] = []
        release = self.one.directory.release

        def record(name: Name, place: Place) -> Deferred[None]:
            released.append((name, place))
            return release(name, place)

        self.patch(self.one.directory, "release", record)
        _, asked = self.log_in("alice", 1, takeover=True)
        self.cluster.network.pump()
        self.successResultOf(asked)
        self.assertEqual(released, [(Name("alice"), Place(self.one.own.ident, session.ident))])
        place = result(self.two.directory.where(Name("alice")))
        self.assertEqual(place.node, self.two.own.ident)

    def test_on_one_node(self) -> None:
        """Taking over works as ever where nothing is between the two."""
        again, asked = self.log_in("alice", 0, takeover=True)
        self.successResultOf(asked)
        self.assertEqual(self.alice.said("goodbye"), ["taken-over"])
        again.prove()
        chatting(again, self.bob, "bob")

    # Promise T294
    def test_two_at_once(self) -> None:
        """Of two log-ins at the same moment one is left, wherever they come in."""
        for nodes in ((0, 1), (0, 0), (1, 0)):
            self.cluster.engine.delay = 0.1
            both = []
            for node in nodes:
                client = ManualClient(self.cluster.nodes[node], self.identities["carol"])
                both.append(client)
                proof = client.login(takeover=True)
                client.standard.control.call(vocabulary.LogIn, **proof).addErrback(lambda _: None)
            self.cluster.network.advance(3.0, step=0.1)
            self.cluster.engine.delay = None
            self.cluster.network.advance(3.0)
            here = [node.reception.sessions.of(Name("carol")) for node in self.cluster.nodes]
            [session] = [one for one in here if one is not None]
            place = result(self.one.directory.where(Name("carol")))
            self.assertEqual(place.session, session.ident)
            for client in both:
                client.standard_wire.cut()
            self.cluster.network.pump()

    def test_the_directory_is_away(self) -> None:
        """Nobody can log in; chats go on, and people on one node can still ask each other."""
        carol = self.came("carol", 0)
        stream = chatting(self.alice, self.bob, "bob")
        self.cluster.engine.is_away = True
        self.cluster.network.advance(2 * limits.HEARTBEAT)
        dave = ManualClient(self.one, self.one.enrolled("dave"))
        asked = dave.ask(vocabulary.LogIn, **dave.login())
        self.failureResultOf(asked, refusals.ServerTrouble)
        self.alice.send(stream, b"still here")
        self.assertEqual(self.bob.received, b"still here")
        self.alice.done(self.alice.ask(vocabulary.EndChat, stream=stream))
        chatting(self.alice, carol, "carol")
        self.flushLoggedErrors()

    # Promise T294
    def test_the_directory_has_forgotten_everything(self) -> None:
        """Each node claims its people again."""
        self.cluster.engine.wipe()
        self.cluster.network.advance(2 * limits.HEARTBEAT)
        stream = chatting(self.alice, self.bob, "bob")
        self.alice.send(stream, b"again")
        self.assertEqual(self.bob.received, b"again")
        _, asked = self.log_in("alice", 1, takeover=False)
        self.failureResultOf(asked, refusals.AlreadyOnline)

    def test_the_directory_goes_away_while_it_is_told_again(self) -> None:
        """Nothing is logged but that, and the next heartbeat begins anew."""
        self.cluster.engine.wipe()
        gone = self.patch(self.one.directory, "claim", lambda *_: fail(DirectoryAway("gone")))
        self.cluster.network.advance(limits.HEARTBEAT)
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertIsNone(result(self.two.directory.where(Name("alice"))))
        gone.restore()
        self.cluster.network.advance(limits.HEARTBEAT)
        chatting(self.bob, self.alice, "alice")

    # Promise T294
    def test_a_node_that_was_taken_for_gone(self) -> None:
        """Whoever has logged in elsewhere meanwhile is no longer on it."""
        self.one.is_standing_still = True
        self.cluster.network.advance(limits.NODE_LAPSE + limits.HEARTBEAT)
        _, asked = self.log_in("alice", 1, takeover=False)
        self.successResultOf(asked)
        self.one.is_standing_still = False
        self.cluster.network.advance(limits.HEARTBEAT)
        self.assertEqual(self.alice.said("goodbye"), ["taken-over"])

    def test_a_node_is_gone(self) -> None:
        """Its people count as absent, and can log in elsewhere."""
        self.cluster.kill(self.two)
        self.cluster.network.advance(limits.NODE_LAPSE + limits.HEARTBEAT)
        again, asked = self.log_in("bob", 0, takeover=False)
        self.successResultOf(asked)
        again.prove()
        again.done(again.ask(vocabulary.SetAvailability, **AVAILABLE))
        chatting(self.alice, again, "bob")

    # Promise T294
    def test_whoever_takes_over_and_leaves_before_that_is_done(self) -> None:
        """On the same node, too: no session is left for which nothing is claimed."""
        self.cluster.engine.delay = 0.1
        again = ManualClient(self.one, self.identities["alice"])
        again.ask(vocabulary.LogIn, **again.login(takeover=True)).addErrback(lambda _: None)
        again.standard_wire.cut()
        self.cluster.network.advance(1.0, step=0.1)
        self.cluster.engine.delay = None
        self.assertEqual(self.alice.said("goodbye"), ["taken-over"])
        _, asked = self.log_in("alice", 1, takeover=False)
        self.successResultOf(asked)

    # Promise T294
    def test_taken_over_before_it_is_known_to_have_begun(self) -> None:
        """The other node's word comes before the directory's answer."""
        let_go = self.held(0, "claim")
        _, first = self.log_in("carol", 0, takeover=False)
        _, second = self.log_in("carol", 1, takeover=True)
        self.successResultOf(second)
        let_go()
        self.failureResultOf(first, refusals.AlreadyOnline)
        place = result(self.one.directory.where(Name("carol")))
        self.assertEqual(place.node, self.two.own.ident)

    # Promise T294
    def test_a_node_that_could_not_be_told(self) -> None:
        """It is told as soon as it can be, even if it never was taken for gone."""
        self.cluster.between.cut.add(self.one.own.ident)
        _, asked = self.log_in("alice", 1, takeover=True)
        self.successResultOf(asked)
        self.cluster.network.advance(limits.HEARTBEAT)
        self.assertEqual(self.alice.said("goodbye"), [])
        self.cluster.between.cut.clear()
        self.cluster.network.advance(limits.HEARTBEAT)
        self.assertEqual(self.alice.said("goodbye"), ["taken-over"])

    # Promise T294
    def test_taken_over_while_the_directory_is_told_again(self) -> None:
        """A log-in that is under way then is not finished."""
        let_go = self.held(0, "recall")
        _, first = self.log_in("carol", 0, takeover=False)
        self.cluster.engine.wipe()
        self.two.membership.announce()
        _, second = self.log_in("carol", 1, takeover=False)
        self.successResultOf(second)
        self.cluster.network.advance(limits.HEARTBEAT)
        let_go()
        self.failureResultOf(first, refusals.AlreadyOnline)

    # Promise T294
    def test_the_directory_has_forgotten_one_person(self) -> None:
        """Nobody gets in without taking over, where the session is."""
        self.cluster.engine.drop(b"server".hex(), "person", "alice")
        _, asked = self.log_in("alice", 0, takeover=False)
        self.failureResultOf(asked, refusals.AlreadyOnline)
        self.assertEqual(self.alice.said("goodbye"), [])

    def test_an_answer_that_makes_no_sense(self) -> None:
        """Nothing stays claimed."""
        odd = self.patch(self.one.directory, "recall", lambda _: fail(ValueError("odd")))
        _, asked = self.log_in("carol", 0, takeover=False)
        odd.restore()
        self.failureResultOf(asked)
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        _, asked = self.log_in("carol", 1, takeover=False)
        self.successResultOf(asked)

    def test_nodes_that_nobody_can_link_with(self) -> None:
        """The heart goes on beating."""
        odd = self.patch(self.one.links, "meet", lambda _: 1 / 0)
        self.successResultOf(self.one.membership.announce())
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        odd.restore()
        self.successResultOf(self.one.membership.announce())

    def test_disabled(self) -> None:
        """While somebody logs in: they are not let in on the strength of what was so before."""
        self.cluster.engine.delay = 0.5
        client = ManualClient(self.one, self.identities["carol"])
        asked = client.ask(vocabulary.LogIn, **client.login())
        result(self.two.registry.disable(Name("carol")))
        self.cluster.network.advance(2.0, step=0.1)
        self.failureResultOf(asked, refusals.Disabled)
        self.cluster.engine.delay = None
        self.assertIsNone(result(self.one.directory.where(Name("carol"))))


class FollowingTests(LoggingInCase):
    """What holds somebody back, and what the engine knows of them."""

    # Promise T298
    def test_a_cool_down(self) -> None:
        """It is the same on another node, also after a while."""
        asked = self.ask(self.alice, "bob")
        self.bob.answer("refuse")
        self.failureResultOf(asked, refusals.Refused)
        self.alice.done(self.alice.ask(vocabulary.LogOut))
        self.cluster.network.advance(2 * limits.HEARTBEAT)
        again = self.came("alice", 1)
        refusal = self.failureResultOf(self.ask(again, "bob"), refusals.TooSoon)
        left = limits.COOLDOWN_FIRST - 2 * limits.HEARTBEAT
        self.assertLessEqual(left, refusal.value.seconds)
        self.assertLess(refusal.value.seconds, limits.COOLDOWN_FIRST)

    def refused(self) -> None:
        """Bob refuses Alice."""
        asked = self.ask(self.alice, "bob")
        self.bob.answer("refuse")
        self.failureResultOf(asked, refusals.Refused)

    # Promise T298
    def test_a_cool_down_on_the_same_node(self) -> None:
        """It counts from the first moment, also for a session that takes over."""
        self.assert_no_answer(self.ask(self.alice, "nobody"))
        self.cluster.network.advance(limits.HEARTBEAT)
        self.refused()
        again = self.came("alice", 0)
        self.failureResultOf(self.ask(again, "bob"), refusals.TooSoon)

    # Promise T298
    def test_a_cool_down_that_is_slow(self) -> None:
        """The directory has it before a session on another node begins."""
        self.refused()
        let_go = self.held(0, "keep")
        again, asked = self.log_in("alice", 1, takeover=True)
        self.assertNoResult(asked)
        let_go()
        self.successResultOf(asked)
        self.failureResultOf(self.ask(again, "bob"), refusals.TooSoon)

    # Promise T298
    def test_a_cool_down_that_was_not_recalled_yet(self) -> None:
        """A node that does not know it does not have it forgotten."""
        self.bob = self.came("bob", 0)
        self.refused()
        self.alice.done(self.alice.ask(vocabulary.LogOut))
        self.cluster.network.pump()
        let_go = self.held(1, "recall")
        _, first = self.log_in("alice", 1, takeover=True)
        again = self.came("alice", 0)
        let_go()
        self.failureResultOf(first, refusals.AlreadyOnline)
        self.failureResultOf(self.ask(again, "bob"), refusals.TooSoon)

    # Promise T298
    def test_a_cool_down_of_a_session_that_was_taken_over_untold(self) -> None:
        """A node that was not told does not take what it knows for the latest."""
        carol = self.came("carol", 1)
        self.cluster.between.cut.add(self.one.own.ident)
        elsewhere = self.came("alice", 1)
        asked = self.ask(elsewhere, "carol")
        carol.answer("refuse")
        self.failureResultOf(asked, refusals.Refused)
        self.cluster.between.cut.clear()
        again = self.came("alice", 0)
        self.failureResultOf(self.ask(again, "carol"), refusals.TooSoon)

    # Promise T298
    def test_a_cool_down_of_a_session_that_another_had_nearly_taken_over(self) -> None:
        """What this node knows is written before the other one's word counts."""
        self.bob = self.came("bob", 0)
        self.assert_no_answer(self.ask(self.alice, "nobody"))
        self.cluster.network.advance(limits.HEARTBEAT)
        self.refused()
        self.cluster.between.cut.add(self.one.own.ident)
        let_go = self.held(1, "recall")
        _, first = self.log_in("alice", 1, takeover=True)
        self.cluster.between.cut.clear()
        again = self.came("alice", 0)
        let_go()
        self.failureResultOf(first, refusals.AlreadyOnline)
        self.failureResultOf(self.ask(again, "bob"), refusals.TooSoon)

    def test_of_many_people(self) -> None:
        """They are told of in turn, so that other work has its own, and none is left out."""
        self.patch(limits, "CLAIMS_AT_ONCE", 2)
        names = {Name("alice"), Name("bob"), Name("carol")}
        self.bob, _ = self.came("bob", 0), self.came("carol", 0)
        self.cluster.network.advance(limits.HEARTBEAT)
        told: list[Name] = []
        keep = self.one.directory.keep

        def keeping(name: Name, *facts: Any) -> Deferred[None]:
            told.append(name)
            return keep(name, *facts)

        self.patch(self.one.directory, "keep", keeping)
        self.cluster.engine.freeze()
        self.one.membership._places.keep_in_turn(set(names))
        self.assertEqual(len(told), 2)
        self.cluster.engine.thaw()
        self.assertEqual(set(told), names)

    # Promise T298
    def test_a_rate(self) -> None:
        """Also if the node is gone, but for its last seconds."""
        for node in self.cluster.nodes:
            self.patch(node.switchboard.restraints.by_caller, "_count", 1)
        self.assert_no_answer(self.ask(self.alice, "nobody"))
        self.cluster.kill(self.one)
        self.cluster.network.advance(limits.NODE_LAPSE)
        again = self.came("alice", 1)
        self.failureResultOf(self.ask(again, "bob"), refusals.TooManyRequests)

    def test_my_data_names_the_node(self) -> None:
        """It is what the directory holds of somebody."""
        facts = self.alice.done(self.alice.ask(vocabulary.MyData, further=False))["facts"]
        self.assertIn(("session", "node of the server", self.one.own.ident.hex()), facts)

    # Promise T293
    def test_the_engine_knows_no_key_and_nothing_that_was_said(self) -> None:
        stream = chatting(self.alice, self.bob, "bob")
        self.alice.send(stream, b"between us")
        self.bob.done(self.bob.ask(vocabulary.Block, name=Name("carol")))
        self.cluster.network.advance(2 * limits.HEARTBEAT)
        known = repr(self.cluster.engine._values).encode()
        for node, name in ((self.one, "alice"), (self.two, "bob")):
            session = node.reception.sessions.of(Name(name))
            assert session is not None
            for secret in (session.request_key, session.key.raw, b"between us", b"carol"):
                self.assertNotIn(repr(secret).encode()[2:-1], known)
            self.assertIn(name.encode(), known)


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


class ListTests(SynchronousTestCase):
    """Who can be asked, on all nodes."""

    def setUp(self) -> None:
        self.cluster = MemoryCluster(3)
        self.asker = self.cluster.nodes[0].came(self.cluster.nodes[0].enrolled("asker"))

    def come(self, name: str, node: int, **terms: object) -> ManualClient:
        at = self.cluster.nodes[node]
        client = at.came(at.enrolled(name))
        client.done(client.ask(vocabulary.SetAvailability, **AVAILABLE, **terms))
        return client

    def pages(self) -> list[list[str]]:
        found: list[list[str]] = []
        after = b""
        while True:
            asked = self.asker.ask(vocabulary.ListAvailable, after=after, text=b"")
            page = self.asker.done(asked)
            found.append(page["names"])
            if not page["more"]:
                return found
            after = page["names"][-1].encode()

    def test_in_order_and_once_each(self) -> None:
        self.patch(limits, "USERS_PAGE", 3)
        names = [f"{letter}{node}" for letter in "abcd" for node in range(3)]
        for name in names:
            self.come(name, int(name[1]))
        pages = self.pages()
        self.assertEqual(list(chain(*pages)), names)
        self.assertTrue(all(0 < len(page) <= limits.USERS_PAGE for page in pages))

    def test_each_page_goes_on(self) -> None:
        """Also if all the names that are left are on one node."""
        self.patch(limits, "USERS_PAGE", 2)
        names = [f"n{number}" for number in range(7)]
        for name in names:
            self.come(name, 2)
        self.come("z", 1)
        self.assertEqual(list(chain(*self.pages())), [*names, "z"])

    def test_only_whom_one_can_ask(self) -> None:
        blocker = self.come("blocker", 1)
        blocker.done(blocker.ask(vocabulary.Block, name=Name("asker")))
        self.come("chooser", 2, audience=[Name("blocker")])
        friend = self.come("friend", 2, busy_to=[Name("asker")])
        self.come("other", 1)
        self.assertEqual(self.pages(), [["friend", "other"]])
        chatting(friend, self.come("there", 0), "there")
        asked = self.asker.ask(vocabulary.ListAvailable, after=b"", text=b"")
        self.assertEqual(self.asker.done(asked)["busy"], ["friend"])

    def test_a_node_that_does_not_answer(self) -> None:
        """Its people are left out, and the list comes in time."""
        self.come("here", 0)
        self.come("there", 2)
        self.patch(NodeCommands, "locateResponder", lambda *_: lambda _: Deferred())
        asked = self.asker.ask(vocabulary.ListAvailable, after=b"", text=b"")
        self.assertNoResult(asked)
        self.cluster.network.advance(limits.LINK_DEADLINE)
        self.assertEqual(self.successResultOf(asked)["names"], ["here"])

    def test_a_node_that_is_gone(self) -> None:
        self.come("here", 1)
        self.come("there", 2)
        self.cluster.kill(self.cluster.nodes[2])
        self.assertEqual(self.pages(), [["here"]])


class DirectoryTests(ClusterCase):
    def test_who_is_where(self) -> None:
        place = result(self.two.directory.where(Name("alice")))
        session = self.one.reception.sessions.of(Name("alice"))
        assert session is not None
        self.assertEqual(place, Place(self.one.own.ident, session.ident))
        self.alice.standard_wire.cut()
        self.cluster.network.pump()
        self.assertIsNone(result(self.two.directory.where(Name("alice"))))
