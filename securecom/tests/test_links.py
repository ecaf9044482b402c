"""Links between nodes: who may be at the other end, commands, and what holds when one breaks."""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import CancelledError
from twisted.protocols import amp

from securecom import framing, limits, refusals, tls
from securecom.connection import Connection
from securecom.errors import NodeGone
from securecom.server.cluster.directory import Node
from securecom.server.cluster.links import NodeConnection, OtherNode
from securecom.server.cluster.node_vocabulary import MeetNode
from securecom.tests.support.logged_warnings import warnings
from securecom.tests.support.memory_nodes import (
    Chat,
    Consider,
    MemoryNode,
    NodesCase,
    Remark,
    Repeat,
)
from securecom.tests.support.network import Wire
from securecom.tls import Credentials

NEVER = b"\x7f" * 16


class MeetingTests(NodesCase):
    def test_the_smaller_ident_dials_and_one_link_stands(self) -> None:
        one, two, three = self.linked(1, 2, 3)
        dialled = [[port for port, _ in node.dialled] for node in (one, two, three)]
        self.assertEqual(dialled, [[4002, 4003], [4003], []])
        self.assertEqual(len(self.network.wires), 3)

    def test_to_meet_again_changes_nothing(self) -> None:
        one, two = self.linked(1, 2)
        link = one.link_with(two)
        self.meet()
        self.assertIs(one.link_with(two), link)
        self.assertEqual(len(one.dialled), 1)

    def test_one_has_not_heard_of_the_other_yet(self) -> None:
        """It is refused, without a word in the log, and comes back until it is known."""
        one, two = self.node(1), self.node(2)
        with warnings() as lines:
            one.links.meet([one.node, two.node])
            self.network.advance(3, 0.1)
            self.assertFalse(one.links.is_linked(two.ident) or two.links.is_linked(one.ident))
            answer = one.links.call(two.ident, Repeat, text=b"x")
            self.meet()
            self.network.advance(limits.NODE_RETRY_LAST, 0.1)
        self.assertEqual(self.successResultOf(answer), {"text": b"x"})
        self.assertEqual(lines, [])

    def test_another_process_is_at_the_other_end(self) -> None:
        """As after a restart at the same port, of which the directory does not know yet."""
        one, two = self.node(1), self.node(2)
        three = self.node(3)
        self.network.ports[two.node.port] = three.links.factory
        three.links.meet([one.node])
        one.links.meet([two.node])
        self.network.advance(3)
        self.assertFalse(one.links.is_linked(two.ident) or three.links.is_linked(one.ident))
        self.assertGreater(len(one.dialled), 1)

    def test_another_node_is_at_the_other_end(self) -> None:
        """One that is known, and linked: that link stays as it is."""
        one, two, three = self.node(1), self.node(2), self.node(3)
        self.network.ports[two.node.port] = three.links.factory
        three.links.meet([one.node])
        one.links.meet([two.node, three.node])
        with warnings() as lines:
            self.network.advance(3, 0.1)
        self.assertTrue(one.links.is_linked(three.ident))
        self.assertFalse(one.links.is_linked(two.ident))
        self.assertEqual(lines, [])

    def test_the_larger_may_not_dial(self) -> None:
        """Else two links could replace each other without end."""
        one, two = self.node(1), self.node(2)
        one.is_cut_off = True
        self.meet()
        with patch.object(OtherNode, "is_dialled", True), warnings() as lines:
            two.links._others[one.ident]._dial()
            self.network.pump()
        self.assertTrue(any("should have waited" in line for line in lines), lines)

    def test_nobody_says_who_they_are(self) -> None:
        one, two = self.node(1), self.node(2)
        with patch.object(NodeConnection, "secured", lambda *_: None):
            self.meet()
            self.assertEqual(len(self.network.wires), 1)
            with warnings() as lines:
                self.network.advance(limits.MEETING_DEADLINE)
        self.assertIn("the meeting of two nodes was not finished", lines[0])
        self.assertFalse(one.links.is_linked(two.ident))

    def test_a_node_that_knows_us_but_does_not_say_who_it_is(self) -> None:
        one, two = self.node(1), self.node(2)
        said = NodeConnection.secured

        def secured(connection: NodeConnection, alpn: bytes) -> None:
            if connection._links is one.links:
                said(connection, alpn)

        with patch.object(NodeConnection, "secured", secured), warnings() as lines:
            self.meet()
        self.assertIn("does not say who it is", lines[0])
        self.assertFalse(one.links.is_linked(two.ident) or two.links.is_linked(one.ident))

    def test_who_somebody_is_is_said_once(self) -> None:
        one, two = self.linked(1, 2)
        with warnings() as lines:
            answer = one.links.call(two.ident, MeetNode, ident=one.ident)
            self.network.pump()
        self.failureResultOf(answer, NodeGone)
        self.assertIn("says twice", lines[0])

    def test_nothing_comes_before_the_meeting(self) -> None:
        ping = b"\0\4_ask\0\0011\0\10_command\0\4Ping\0\0"
        frames = {
            "a frame of a node before": framing.encode(framing.NODE, bytes(17)),
            "a command that may not come": framing.encode(framing.CONTROL, ping),
        }
        for why, frame in frames.items():
            self.nodes.clear()
            one, two = self.node(1), self.node(2)
            with (
                patch.object(NodeConnection, "secured", lambda one, _, f=frame: one.send(f)),
                warnings() as lines,
            ):
                self.meet()
            self.assertIn(why, " ".join(lines))
            for node in (one, two):
                node.links.stop()

    def test_a_second_link_replaces_the_first(self) -> None:
        one, two = self.linked(1, 2)
        here, there = self.chat(one, two)
        answer = two.links.call(one.ident, Consider)
        self.network.pump()
        old = two.link_with(one)
        here.carrier.send(framing.encode_chat(1, b"a"))
        one.links._others[two.ident]._dial()
        self.network.pump()
        self.assertIsNot(two.link_with(one), old)
        self.failureResultOf(answer, NodeGone)
        self.network.advance(1)
        self.assertEqual(len(self.network.wires), 1)
        here.carrier.send(framing.encode_chat(1, b"b"))
        self.network.pump()
        self.assertEqual(
            there.received, framing.encode_chat(1, b"a") + framing.encode_chat(1, b"b")
        )

    def test_a_certificate_that_was_renewed(self) -> None:
        one, two = self.linked(1, 2)
        renewed = self.credentials()
        two.links.renew(renewed)
        self.cut()
        self.network.advance(1, 0.1)
        shown = one.link_with(two).tls.get_peer_certificate().to_cryptography()
        self.assertEqual(shown, renewed.certificate)

    def test_a_nodes_certificate_comes_with_its_ca(self) -> None:
        good = self.credentials()
        self.assertRaises(ValueError, tls.node_end, Credentials(good.key, good.certificate))

    def test_an_address_that_is_none(self) -> None:
        """What one node says of itself keeps this one from nobody else."""
        one, two, three = (self.node(number) for number in (1, 2, 3))
        reach = one.links.endpoint
        odd = Node(two.ident, "n\xf6de.example.org", two.node.port)
        one.links.endpoint = lambda host, port: reach(host.encode("ascii").decode(), port)
        one.links.meet([odd, three.node])
        three.links.meet([one.node])
        self.network.pump()
        self.assertTrue(one.links.is_linked(three.ident))
        one.links.endpoint = reach
        self.assertFalse(one.links.is_linked(two.ident))


class CommandTests(NodesCase):
    def test_an_answer_and_a_refusal(self) -> None:
        one, two = self.linked(1, 2)
        for here, there in ((one, two), (two, one)):
            answer = here.links.call(there.ident, Repeat, text=b"x")
            refused = here.links.call(there.ident, Repeat, text=b"busy")
            self.network.pump()
            self.assertEqual(self.successResultOf(answer), {"text": b"x"})
            self.failureResultOf(refused, refusals.Busy)
            self.assertEqual(there.heard, [(here.ident, b"x"), (here.ident, b"busy")])

    def test_each_knows_who_asks(self) -> None:
        one, two, three = self.linked(1, 2, 3)
        for node in (one, three):
            node.links.tell(two.ident, Remark, text=b"x")
        self.network.pump()
        self.assertEqual(sorted(two.heard), [(one.ident, b"x"), (three.ident, b"x")])

    def test_what_waits_for_a_link_keeps_its_order(self) -> None:
        one, two = self.node(1), self.node(2)
        texts = [b"%d" % number for number in range(6)]
        answers = []
        for text in texts:
            if int(text) % 2:
                one.links.tell(two.ident, Remark, text=text)
            else:
                answers.append(one.links.call(two.ident, Repeat, text=text))
        self.meet()
        self.assertEqual([text for _, text in two.heard], texts)
        for answer in answers:
            self.successResultOf(answer)

    def test_no_link_in_time(self) -> None:
        one, two = self.node(1), self.node(2)
        answers = [one.links.call(ident, Repeat, text=b"x") for ident in (two.ident, NEVER)]
        one.links.tell(NEVER, Remark, text=b"x")
        self.network.advance(limits.LINK_DEADLINE - 0.5, 0.5)
        for answer in answers:
            self.assertNoResult(answer)
        self.network.advance(1)
        for answer in answers:
            self.assertIn("nothing was sent", str(self.failureResultOf(answer, NodeGone).value))
        self.meet()
        self.assertEqual(two.heard, [])

    def test_a_command_in_flight_fails_and_is_not_repeated(self) -> None:
        one, two = self.linked(1, 2)
        answers = [one.links.call(two.ident, Consider), two.links.call(one.ident, Consider)]
        self.network.pump()
        self.cut()
        for answer in answers:
            self.failureResultOf(answer, NodeGone)
        self.network.advance(1, 0.1)
        self.assertTrue(one.links.is_linked(two.ident))
        self.assertEqual((len(one.considered), len(two.considered)), (1, 1))

    def test_while_a_link_is_being_cut(self) -> None:
        one, two = self.linked(1, 2)
        one.link_with(two).fault(OSError())
        answer = one.links.call(two.ident, Repeat, text=b"x")
        self.network.advance(1, 0.1)
        self.assertEqual(self.successResultOf(answer), {"text": b"x"})

    def test_who_no_longer_wants_an_answer(self) -> None:
        """Before there is a link, in flight after having waited, and in flight."""
        one, two = self.node(1), self.node(2)
        early = one.links.call(two.ident, Repeat, text=b"x")
        early.cancel()
        waited = one.links.call(two.ident, Consider)
        self.meet()
        later = one.links.call(two.ident, Consider)
        self.network.pump()
        for answer in (waited, later):
            self.assertNoResult(answer)
            answer.cancel()
        for answer in (early, waited, later):
            self.failureResultOf(answer, CancelledError)
        self.assertEqual((two.heard, len(two.considered)), ([], 2))
        for considered in two.considered:
            considered.callback({})
        self.network.pump()
        self.assertTrue(one.links.is_linked(two.ident))

    def test_a_wrong_answer_costs_the_link(self) -> None:
        one, two = self.linked(1, 2)
        answer = one.links.call(two.ident, Consider)
        self.network.pump()
        with warnings() as lines:
            two.considered[0].errback(ValueError("a mistake"))
            self.network.pump()
        self.failureResultOf(answer, NodeGone)
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        self.assertTrue(any("cut" in line for line in lines))

    def test_many_commands_wait_for_an_answer(self) -> None:
        """More than a client may have; and there is an end to it before the other node cuts us."""
        one, two = self.linked(1, 2)
        with patch.object(NodeConnection, "most_unanswered", 40):
            self.cut()
            self.network.advance(1, 0.1)
            link = one.link_with(two)
            answers = [one.links.call(two.ident, Consider) for _ in range(40)]
            one.links.tell(two.ident, Remark, text=b"x")
            self.network.advance(2 * limits.NODE_PING)
            self.assertIs(one.link_with(two), link)
            self.assertGreater(len(two.considered), limits.MAX_UNANSWERED)
            self.failureResultOf(answers.pop(), NodeGone)
            for considered in two.considered:
                considered.callback({})
            self.network.pump()
            for answer in answers:
                self.successResultOf(answer)
            last = one.links.call(two.ident, Repeat, text=b"x")
            self.network.pump()
            self.successResultOf(last)

    def test_facts_that_cannot_be_said(self) -> None:
        one, two = self.linked(1, 2)
        self.failureResultOf(one.links.call(two.ident, Repeat), amp.InvalidSignature)
        self.assertEqual(one.link_with(two).open_calls, 0)


class ReentranceTests(NodesCase):
    def test_one_that_is_cancelled_because_another_failed(self) -> None:
        """All others are told, and so is the handler."""
        one, two = self.linked(1, 2)
        self.network.ports.clear()
        self.cut()
        first, second, third = (
            one.links.call(two.ident, Repeat, text=text) for text in (b"1", b"2", b"3")
        )
        first.addErrback(lambda _: second.cancel())
        one.links.meet([one.node])
        self.assertEqual(one.lost, [two.ident])
        self.failureResultOf(second, CancelledError)
        self.failureResultOf(third, NodeGone)


class LossTests(NodesCase):
    def test_it_is_dialled_again_with_growing_waits(self) -> None:
        one, two = self.linked(1, 2)
        self.network.advance(limits.NODE_SETTLED + 1)
        self.cut_off(one, two)
        one.dialled.clear()
        self.cut()
        self.network.advance(16, 0.05)
        times = [when for _, when in one.dialled]
        waits = [after - before for before, after in pairwise(times)]
        self.assertEqual([round(wait, 1) for wait in waits[:4]], [0.4, 0.8, 1.6, 2.0])
        self.assertEqual({round(wait, 1) for wait in waits[3:]}, {limits.NODE_RETRY_LAST})
        self.cut_off(one, two, is_so=False)
        self.network.advance(limits.NODE_RETRY_LAST, 0.1)
        self.assertTrue(one.links.is_linked(two.ident))
        self.assertEqual((one.lost, two.lost), ([], []))

    def test_links_that_do_not_last_are_not_dialled_faster_and_faster(self) -> None:
        one, _ = self.linked(1, 2)
        for _ in range(20):
            self.cut()
            self.network.advance(limits.NODE_RETRY_LAST, 0.1)
        self.assertLess(len(one.dialled), 24)

    def test_a_dead_node(self) -> None:
        """Its chats end before the handler is told, once; what waits for it fails."""
        one, two = self.linked(1, 2)
        chat = Chat(one, two, bytes(16))
        told: list[int] = []
        self.patch(one, "node_lost", lambda node: told.append(chat.ends))
        one.links.handler.node_lost = one.node_lost  # type: ignore[method-assign]
        self.cut_off(one, two)
        self.network.advance(5, 0.5)
        self.cut()
        self.network.advance(limits.NODE_DEAD - limits.NODE_PING - 1, 0.5)
        self.assertEqual((chat.ends, told), (0, []))
        answer = one.links.call(two.ident, Repeat, text=b"x")
        self.network.advance(3, 0.5)
        self.assertEqual((chat.ends, told), (1, [1]))
        self.failureResultOf(answer, NodeGone)
        late = Chat(one, two, b"\1" * 16)
        self.network.advance(60)
        self.assertEqual((late.ends, told), (1, [1]))

    def test_a_dead_node_comes_back(self) -> None:
        one, two = self.linked(1, 2)
        self.cut_off(one, two)
        here, there = self.chat(one, two)
        self.cut()
        self.network.advance(limits.NODE_DEAD + 1, 0.5)
        self.assertEqual((one.lost, two.lost), ([two.ident], [one.ident]))
        self.cut_off(one, two, is_so=False)
        self.network.advance(limits.NODE_RETRY_LAST, 0.5)
        again, there_again = self.chat(one, two, 2)
        again.carrier.send(framing.encode_chat(1, b"a"))
        self.network.pump()
        self.assertEqual((here.ends, there.ends), (1, 1))
        self.assertEqual(there_again.received, framing.encode_chat(1, b"a"))

    def test_a_node_that_was_never_reached(self) -> None:
        one, two = self.node(1), self.node(2)
        self.cut_off(one, two)
        self.meet()
        self.network.advance(limits.NODE_DEAD + 0.5, 0.5)
        self.assertEqual((one.lost, two.lost), ([two.ident], [one.ident]))

    def test_a_process_that_has_ended(self) -> None:
        """Nothing listens there any more, so the other one need not wait, whoever dials."""
        for ending in (0, 1):
            self.nodes.clear()
            pair = self.linked(1, 2)
            ended, left = pair[ending], pair[1 - ending]
            chat = Chat(left, ended, bytes(16))
            ended.links.stop()
            self.patch(ended.links, "meet", lambda _: None)
            del self.network.ports[ended.node.port]
            self.cut()
            self.network.advance(2, 0.1)
            self.assertEqual((chat.ends, left.lost), (1, [ended.ident]))
            self.network.advance(60)
            self.assertEqual(left.lost, [ended.ident])
            left.links.stop()
            del self.network.ports[left.node.port]

    def test_a_refusal_now_and_then(self) -> None:
        """As while the other node is only about to listen; that alone does not end chats."""
        one, two = self.linked(1, 2)
        here, _ = self.chat(one, two)
        listens = self.network.ports.pop(two.node.port)
        self.cut()
        for _ in range(10):
            while not one.dialled or self.clock.seconds() - one.dialled[-1][1] > 0:
                self.network.advance(0.1, 0.1)
            one.is_cut_off = not one.is_cut_off
            self.network.advance(0.1, 0.1)
        one.is_cut_off = False
        self.network.ports[two.node.port] = listens
        self.network.advance(limits.NODE_RETRY_LAST, 0.1)
        self.assertTrue(one.links.is_linked(two.ident))
        self.assertEqual(here.ends, 0)

    def test_who_only_looks_leaves_at_once(self) -> None:
        one, two = self.linked(1, 2)
        one.is_cut_off = True
        self.cut()
        self.network.advance(3, 0.1)
        self.assertGreater(len(two.dialled), 2)
        self.assertEqual(self.network.wires, [])
        one.is_cut_off = False
        self.network.advance(limits.NODE_RETRY_LAST, 0.1)
        looked = len(two.dialled)
        self.network.advance(10)
        self.assertEqual(len(two.dialled), looked)
        self.assertTrue(one.links.is_linked(two.ident))

    @staticmethod
    def cut_off(*nodes: MemoryNode, is_so: bool = True) -> None:
        """They reach nobody, or somebody again."""
        for node in nodes:
            node.is_cut_off = is_so

    def test_a_link_that_is_cut_one_way(self) -> None:
        """Whichever way it is: chats at both ends end in time."""
        for way in ("client", "server"):
            self.nodes.clear()
            one, two = self.linked(1, 2)
            here, there = self.chat(one, two)
            self.lose(self.wire(), way)
            connect, start = self.network.connect, self.clock.seconds()
            self.network.connect = lambda *a, w=way, c=connect: self.lose(c(*a), w)  # type: ignore[method-assign]
            while not (here.ends and there.ends):
                self.network.advance(0.5, 0.5)
                self.assertLessEqual(self.clock.seconds() - start, limits.NODE_DEAD + 0.5, way)
            for node in (one, two):
                node.links.stop()
                del self.network.ports[node.node.port]
            self.cut()
            self.network.connect = connect  # type: ignore[method-assign]

    @staticmethod
    def lose(wire: Wire, way: str) -> Wire:
        """What this end writes never arrives."""
        end: Any = getattr(wire, way)
        end.tap = lambda _: b""
        return wire

    def test_a_silent_node_is_cut_off_long_before_it_is_dead(self) -> None:
        """So that another link has a chance."""
        one, two = self.linked(1, 2)
        for end in (self.wire().client, self.wire().server):
            end.reading = False
        with warnings() as lines:
            self.network.advance(limits.NODE_SILENT + limits.NODE_PING, 0.5)
        self.assertIn(f"silence for {limits.NODE_SILENT:g} s", lines[0])
        self.network.advance(2, 0.5)
        self.assertTrue(one.links.is_linked(two.ident))
        self.assertEqual((one.lost, two.lost), ([], []))

    def test_a_quiet_link_stands(self) -> None:
        one, two = self.linked(1, 2)
        link = one.link_with(two)
        self.network.advance(300)
        self.assertIs(one.link_with(two), link)

    def test_a_node_that_leaves(self) -> None:
        one, two = self.linked(1, 2)
        here, there = self.chat(one, two)
        two.links.stop()
        self.network.pump()
        self.assertEqual((here.ends, there.ends), (1, 1))
        self.assertFalse(one.links.is_linked(two.ident))
        one.links.meet([one.node])
        self.assertEqual((one.lost, two.lost), ([two.ident], []))
        answer = one.links.call(two.ident, Repeat, text=b"x")
        self.network.advance(limits.LINK_DEADLINE, 0.5)
        self.failureResultOf(answer, NodeGone)

    def test_a_node_that_the_directory_has_lost(self) -> None:
        """Its chats go on for as long as the link stands."""
        one, two = self.linked(1, 2)
        here, there = self.chat(one, two)
        for node in (one, two):
            node.links.meet([node.node])
        self.network.pump()
        self.assertTrue(one.links.is_linked(two.ident))
        here.carrier.send(framing.encode_chat(1, b"x"))
        self.network.pump()
        self.assertEqual(there.received, framing.encode_chat(1, b"x"))
        self.cut()
        one.links.meet([one.node])
        self.assertEqual((here.ends, one.lost), (1, [two.ident]))

    def test_a_node_leaves_while_it_is_dialled(self) -> None:
        one, two = self.node(1), self.node(2)
        two.links.meet([one.node])
        one.links.meet([two.node])
        one.links.meet([])
        self.network.advance(5, 0.5)
        self.assertFalse(one.links.is_linked(two.ident) or two.links.is_linked(one.ident))

    def test_stop(self) -> None:
        one, two = self.linked(1, 2)
        here, there = self.chat(one, two)
        answer = one.links.call(NEVER, Repeat, text=b"x")
        in_flight = one.links.call(two.ident, Consider)
        one.links.stop()
        self.network.pump()
        self.failureResultOf(answer, NodeGone)
        self.failureResultOf(in_flight, NodeGone)
        self.assertEqual((here.ends, there.ends, one.lost), (1, 1, []))


class ChatTests(NodesCase):
    def test_a_chat_goes_on_over_the_next_link(self) -> None:
        one, two = self.linked(1, 2)
        here, there = self.chat(one, two)
        said = [framing.encode_chat(1, b"%d" % number) for number in range(50)]
        for number, frame in enumerate(said):
            here.carrier.send(frame)
            there.carrier.send(frame)
            if number % 7 == 0:
                self.cut()
            self.network.advance(0.3, 0.1)
        self.network.advance(3, 0.1)
        self.assertEqual((here.received, there.received), (b"".join(said), b"".join(said)))
        self.assertEqual((here.ends, there.ends), (0, 0))

    def test_a_command_that_opens_a_chat_while_there_is_no_link(self) -> None:
        """It is carried out before the other node hears where that chat goes on."""
        one, two = self.node(1), self.node(2)
        one.links.meet([two.node])
        made: list[Chat] = []
        self.patch(two, "heard", [])
        two.heard = _Opening(lambda: made.append(Chat(two, one, bytes(16))))
        here = Chat(one, two, bytes(16))
        here.carrier.send(framing.encode_chat(1, b"a"))
        one.links.tell(two.ident, Remark, text=b"open")
        two.links.meet([one.node])
        self.network.advance(3, 0.1)
        made[0].carrier.send(framing.encode_chat(1, b"b"))
        self.network.pump()
        self.assertEqual(made[0].received, framing.encode_chat(1, b"a"))
        self.assertEqual((here.received, here.ends), (framing.encode_chat(1, b"b"), 0))

    def test_a_node_that_is_not_known(self) -> None:
        one = self.node(1)
        chat = Chat(one, self.node(2), bytes(16))
        chat.carrier.send(framing.encode_chat(1, b"a"))
        self.assertEqual(chat.ends, 0)
        self.network.pump()
        self.assertEqual(chat.ends, 1)

    def test_a_full_link_is_shared(self) -> None:
        """A chat that sends all it may does not keep another one waiting for long."""
        one, two = self.linked(1, 2)
        much, much_there = self.chat(one, two, 1)
        little, little_there = self.chat(one, two, 2)
        wire = self.wire()
        wire.server.reading = False
        chunk = framing.encode_chat(1, bytes(limits.MAX_CHAT_CHUNK))
        for number in range(3, 6):  # fill the transport
            other, _ = self.chat(one, two, number)
            for _ in range(4):
                other.carrier.send(chunk)
        self.assertTrue(one.link_with(two).is_congested)
        for _ in range(8):
            much.carrier.send(chunk)
        little.carrier.send(framing.encode_chat(1, b"a"))
        wire.server.reading = True
        while not little_there.received:
            self.network.clock.advance(0)
            for end in (wire.client, wire.server):
                end.deliver()
        self.assertLess(len(much_there.received), 5 * len(chunk))
        self.network.pump()
        self.assertEqual(len(much_there.received), 8 * len(chunk))

    def test_what_is_sent_in_one_turn_is_one_write(self) -> None:
        one, two = self.linked(1, 2)
        chats = [self.chat(one, two, number) for number in range(20)]
        frame = framing.encode_chat(1, b"a")
        with patch.object(Connection, "send", autospec=True, side_effect=Connection.send) as send:
            for here, _ in chats:
                here.carrier.send(frame)
            self.assertEqual(send.call_count, 0)
            self.network.clock.advance(0)
            self.assertEqual(send.call_count, 1)
        self.network.pump()
        self.assertEqual([there.received for _, there in chats], [frame] * 20)

    def test_what_is_gathered_has_an_end(self) -> None:
        one, two = self.linked(1, 2)
        chunk = framing.encode_chat(1, bytes(limits.MAX_CHAT_CHUNK))
        chats = [self.chat(one, two, number) for number in range(20)]
        for here, _ in chats:
            here.carrier.send(chunk)
        self.assertLess(one.link_with(two)._gathered_bytes, limits.NODE_GATHERED)

    def test_a_command_comes_behind_what_was_said_before(self) -> None:
        one, two = self.linked(1, 2)
        here, there = self.chat(one, two)
        here.carrier.send(framing.encode_chat(1, b"a"))
        at: list[bytes] = []
        self.patch(two, "heard", _Opening(lambda: at.append(there.received)))
        one.links.tell(two.ident, Remark, text=b"x")
        self.network.pump()
        self.assertEqual(at, [framing.encode_chat(1, b"a")])

    def test_a_link_that_is_closed_says_the_rest(self) -> None:
        one, two = self.linked(1, 2)
        here, there = self.chat(one, two)
        here.carrier.send(framing.encode_chat(1, b"a"))
        one.link_with(two).close()
        while self.wire().client.deliver():
            pass
        self.assertEqual(there.received, framing.encode_chat(1, b"a"))

    def test_commands_do_not_wait_behind_chats(self) -> None:
        one, two = self.linked(1, 2)
        self.wire().server.reading = False
        chunk = framing.encode_chat(1, bytes(limits.MAX_CHAT_CHUNK))
        chats = [self.chat(one, two, number) for number in range(20)]
        for here, _ in chats:
            for _ in range(4):
                here.carrier.send(chunk)
        answer = one.links.call(two.ident, Repeat, text=b"x")
        self.wire().server.reading = True
        while not answer.called:
            for end in (self.wire().client, self.wire().server):
                end.deliver()
        self.assertLess(sum(len(there.received) for _, there in chats), 20 * len(chunk))
        self.network.advance(1, 0.1)
        self.assertEqual(sum(len(there.received) for _, there in chats), 80 * len(chunk))


class _Opening(list[Any]):
    """Does something for whatever is appended."""

    def __init__(self, do: Any) -> None:
        super().__init__()
        self._do = do

    def append(self, one: Any) -> None:
        super().append(one)
        self._do()


class FaultTests(NodesCase):
    """A node that breaks the rules loses its link; others keep theirs."""

    def test_each_fault(self) -> None:
        cases = {
            "too short": framing.encode(framing.NODE, b"\0" * 16),
            "is none": framing.encode(framing.NODE, b"\7" + bytes(16)),
            "may not come here": framing.encode(
                framing.CONTROL, b"\0\4_ask\0\0011\0\10_command\0\4Nope\0\0"
            ),
            "a frame on lane 1": framing.encode_chat(1, b"a"),
            "not the next ones": framing.encode(
                framing.NODE, b"\0" + bytes(15) + b"\1" + b"\0" * 7 + b"\5" + b"x"
            ),
        }
        for why, frame in cases.items():
            self.nodes.clear()
            one, two, three = self.linked(1, 2, 3)
            here, _ = self.chat(one, three)
            self.chat(one, two)
            link = one.link_with(three)
            with warnings() as lines:
                two.link_with(one).send(frame)
                self.network.pump()
            self.assertEqual([why in line for line in lines], [True], (why, lines))
            self.assertIn(two.ident.hex(), lines[0])
            self.assertIs(one.link_with(three), link)
            self.assertEqual(here.ends, 0)
            for node in (one, two, three):
                node.links.stop()
                del self.network.ports[node.node.port]
            self.cut()

    def test_a_mistake_of_ours_about_one_chat_ends_that_chat(self) -> None:
        one, two = self.linked(1, 2)
        here, there = self.chat(one, two, 1)
        other, other_there = self.chat(one, two, 2)
        there.carrier._received = lambda raw: 1 / 0  # type: ignore[assignment]
        here.carrier.send(framing.encode_chat(1, b"a"))
        other.carrier.send(framing.encode_chat(1, b"b"))
        self.network.pump()
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        self.assertEqual((here.ends, there.ends), (1, 1))
        self.assertEqual(other_there.received, framing.encode_chat(1, b"b"))
        self.assertTrue(one.links.is_linked(two.ident))

    def test_answers_that_nobody_reads(self) -> None:
        one, two = self.linked(1, 2)
        self.patch(NodeConnection, "most_unread", 100_000)
        self.wire().client.reading = False
        with warnings() as lines:
            for _ in range(60):
                for _ in range(10):
                    one.links.call(two.ident, Repeat, text=bytes(1000)).addErrback(lambda _: None)
                self.network.pump()
        self.assertIn("answers unread", lines[0])
