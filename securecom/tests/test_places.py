"""One session a person, on whichever node, and what holds them back there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail

from securecom import limits, refusals, vocabulary
from securecom.errors import DirectoryAway
from securecom.identity import Name
from securecom.server.cluster.directory import Place
from securecom.tests.support.cluster_case import AVAILABLE, ClusterCase
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


class DirectoryTests(ClusterCase):
    def test_who_is_where(self) -> None:
        place = result(self.two.directory.where(Name("alice")))
        session = self.one.reception.sessions.of(Name("alice"))
        assert session is not None
        self.assertEqual(place, Place(self.one.own.ident, session.ident))
        self.alice.standard_wire.cut()
        self.cluster.network.pump()
        self.assertIsNone(result(self.two.directory.where(Name("alice"))))
