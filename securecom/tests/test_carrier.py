"""Chat bytes between nodes: whole, in order and bounded, whatever happens to the link."""

from __future__ import annotations

import random
import struct
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from securecom import framing, limits
from securecom.errors import WireError
from securecom.server.cluster import carrier
from securecom.server.cluster.carrier import FrameKind, SentBytes
from securecom.tests.support import carried
from securecom.tests.support.carried import Leg, TwoNodes, frames

#: How many runs there are in the everyday tests.
EVERYDAY = 300
HOLD = "the test"
CHUNK = framing.encode_chat(1, bytes(limits.MAX_CHAT_CHUNK))
WINDOW = limits.CARRIED_IN_FLIGHT


def small(text: bytes) -> bytes:
    """One short chat frame."""
    return framing.encode_chat(1, text)


class GeneratedRunsTests(SynchronousTestCase):
    def test_what_is_received_is_what_was_sent(self) -> None:
        self.assertEqual(carried.failing(EVERYDAY), "")

    def test_the_runs_go_back_and_lose_what_was_under_way(self) -> None:
        """Else they would show little."""
        backwards: list[int] = []
        go_back = SentBytes.go_back

        def note(out: SentBytes, received: int, credit: int) -> None:
            backwards.append(out._most_sent - received)
            go_back(out, received, credit)

        with patch.object(SentBytes, "go_back", note):
            self.assertEqual(carried.failing(50), "")
        self.assertGreater(sum(distance > 0 for distance in backwards), 50)

    def test_a_run_that_fails_is_told(self) -> None:
        with patch.object(SentBytes, "window", lambda *_: None):
            self.assertIn("held for nobody", carried.failing(50))


class ChatCase(SynchronousTestCase):
    """One chat between two nodes that are linked."""

    def setUp(self) -> None:
        self.two = TwoNodes()
        self.two.link()
        self.here, self.there = self.two.open()

    @property
    def written(self) -> bytes:
        """What this node wrote and the other one has not read."""
        assert self.two.outs is not None
        return self.two.outs[0].waiting

    def pour(self, leg: Leg) -> int:
        """Send as much as a sender does who is held when congested."""
        count = 0
        while not leg.carrier.is_congested:
            leg.send(CHUNK)
            count += 1
        return count


class FlowTests(ChatCase):
    def test_both_ways(self) -> None:
        self.here.send(small(b"a") + small(b"b"))
        self.there.send(small(b"c"))
        self.two.settle()
        self.assertEqual(self.there.received, small(b"a") + small(b"b"))
        self.assertEqual(self.here.received, small(b"c"))

    def test_what_is_under_way_is_bounded(self) -> None:
        self.pour(self.here)
        self.assertEqual(self.here.carrier.held[0], WINDOW + len(CHUNK))
        self.assertLess(len(self.written), WINDOW + len(CHUNK))
        self.two.settle()
        self.assertFalse(self.here.carrier.is_congested)
        self.assertEqual(self.there.received, self.here.sent)
        self.assertEqual(self.here.congestion, [True, False])

    def test_a_slow_receiver_holds_the_sender(self) -> None:
        """A window at the receiver, and one more at the sender; no more than that."""
        self.there.carrier.hold(HOLD)
        for _ in range(20):
            self.pour(self.here)
            self.two.settle()
        self.assertTrue(self.here.carrier.is_congested)
        self.assertLess(len(self.here.sent), 2 * (WINDOW + len(CHUNK)))
        self.assertLessEqual(self.there.carrier.held[1], WINDOW)
        self.assertEqual(self.there.received, b"")
        self.there.carrier.release(HOLD)
        self.two.settle()
        self.assertFalse(self.here.carrier.is_congested)
        self.assertEqual(self.there.received, self.here.sent)

    def test_a_receiver_that_holds_from_within(self) -> None:
        """As a leg does whose transport becomes full while it is written to."""
        self.there.on_take = lambda _: self.there.carrier.hold(HOLD)
        for number in range(5):
            self.here.send(small(b"%d" % number))
        for count in range(1, 6):
            self.two.settle()
            self.assertEqual(len(self.there.received), count * len(small(b"0")))
            self.there.carrier.release(HOLD)

    def test_two_holders(self) -> None:
        for who in ("one", "other"):
            self.there.carrier.hold(who)
        self.here.send(small(b"a"))
        self.two.settle()
        self.there.carrier.release("one")
        self.assertEqual(self.there.received, b"")
        self.there.carrier.release("other")
        self.assertEqual(self.there.received, small(b"a"))

    def test_frames_are_never_cut(self) -> None:
        """However much comes at once; `Leg` looks at each piece."""
        self.here.send(frames(random.Random(1), 40))
        self.two.settle()
        self.assertEqual(self.there.received, self.here.sent)

    def test_what_waited_leaves_together(self) -> None:
        self.two.cut()
        for _ in range(100):
            self.here.send(small(b"a"))
        self.two.link()
        self.two.deliver(1, 1000)
        whole = framing.Decoder(frozenset({framing.NODE}), limits.MAX_SERVER_BODY)
        self.assertEqual(len(list(whole.feed(self.written))), 2)  # where it goes on, and all bytes

    def test_acknowledgements_are_few(self) -> None:
        """Short messages are acknowledged together, after a moment; long ones on the way."""
        for _ in range(50):
            self.here.send(small(b"a"))
        self.two.deliver(0, 10_000)
        assert self.two.outs is not None
        self.assertEqual(self.two.outs[1].waiting, b"")
        self.two.clock.advance(limits.CARRIED_WAIT)
        self.assertEqual(len(self.two.outs[1].waiting), 37)
        self.two.settle()
        self.assertEqual(self.here.carrier.held, (0, 0))
        self.here.send(small(b"a"))
        self.here.send(2 * CHUNK)
        self.two.deliver(0, 40_000)
        self.two.clock.advance(0)
        self.assertEqual(len(self.two.outs[1].waiting), 37)

    def test_acknowledgements_are_gathered_while_more_comes(self) -> None:
        """Of all chats, for as long as each turn of the reactor brings something."""
        assert self.two.outs is not None
        senders = [self.here, *(self.two.open()[0] for _ in range(9))]
        turns: list[int] = []
        for sender in senders:
            sender.send(2 * CHUNK)
            self.two.deliver(0, 40_000)
            self.turn()
            turns.append(len(self.two.outs[1].waiting) // 37)
        self.assertEqual(turns, [0] * 7 + [8, 8, 8])
        for _ in range(2):
            self.turn()
        self.assertEqual(len(self.two.outs[1].waiting) // 37, 10)

    def turn(self) -> None:
        """What a reactor does in one turn; a `Clock` also runs what is added meanwhile."""
        clock = self.two.clock
        for call in [one for one in clock.calls if one.getTime() <= clock.seconds()]:
            clock.calls.remove(call)
            call.called = True
            call.func(*call.args)

    def test_nothing_is_sent_into_a_full_link(self) -> None:
        assert self.two.outs is not None
        self.two.outs[0].is_congested = True
        self.here.send(small(b"a"))
        self.assertEqual(self.written, b"")
        self.two.deliver(0, 0)
        self.assertNotEqual(self.written, b"")

    def test_chats_take_turns(self) -> None:
        """One that has much to send is not before another one that has little."""
        assert self.two.outs is not None
        other, other_there = self.two.open()
        self.two.outs[0].is_congested = True
        for _ in range(8):
            self.here.send(CHUNK)
        other.send(small(b"a"))
        for _ in range(3):
            self.two.deliver(0, limits.CARRIED_SHARE + 200)
        self.assertEqual(other_there.received, small(b"a"))
        self.assertLess(len(self.there.received), 8 * len(CHUNK))

    def test_a_sender_that_does_not_mind(self) -> None:
        """It cannot fill the memory."""
        self.two.cut()
        for _ in range(100):
            self.here.carrier.send(CHUNK)
            self.assertLessEqual(self.here.carrier.held[0], limits.MAX_RELAY_BUFFER + len(CHUNK))
        self.assertEqual(self.here.ends, 0)
        self.two.clock.advance(0)
        self.assertEqual(self.here.ends, 1)
        self.assertEqual(self.here.carrier.held, (0, 0))
        self.two.link()
        self.two.settle()
        self.assertEqual(self.there.ends, 1)

    def test_a_run_of_nothing(self) -> None:
        self.here.carrier.send(b"")
        self.assertEqual(self.written, b"")


class LinkTests(ChatCase):
    def test_the_sender_goes_back_to_what_was_received(self) -> None:
        for _ in range(4):
            self.here.send(small(b"a" * 500))
        self.two.deliver(0, 700)  # one frame, and a part of the next
        self.two.cut()
        self.here.send(small(b"b"))
        self.two.link()
        self.two.settle()
        self.assertEqual(self.there.received, self.here.sent)

    def test_what_was_acknowledged_is_not_kept(self) -> None:
        self.here.send(CHUNK)
        self.two.settle()
        self.assertEqual(self.here.carrier.held, (0, 0))
        self.two.link()
        self.two.settle()
        self.assertEqual(self.there.received, CHUNK)

    def test_an_acknowledgement_that_was_lost(self) -> None:
        self.here.send(CHUNK)
        self.two.deliver(0, 20_000)
        self.two.link()
        self.two.settle()
        self.assertEqual(self.there.received, CHUNK)
        self.assertEqual(self.here.carrier.held, (0, 0))

    def test_a_window_is_not_forgotten_with_the_link(self) -> None:
        self.there.carrier.hold(HOLD)
        self.pour(self.here)
        for _ in range(3):
            self.two.settle()
            self.two.link()
        self.two.settle()
        self.assertLessEqual(self.there.carrier.held[1], WINDOW)

    def test_a_chat_that_only_one_has_when_the_link_comes(self) -> None:
        """The other gets it in the same moment: nothing was sent on either side."""
        self.two.cut()
        here = Leg(self.two.nodes[0], b"c" * 16)
        here.send(small(b"a"))
        self.two.link()
        there = Leg(self.two.nodes[1], b"c" * 16)
        self.two.settle()
        there.send(small(b"b"))
        self.two.settle()
        self.assertEqual((there.received, here.received), (small(b"a"), small(b"b")))

    def test_a_chat_that_one_has_begun_before_the_other_goes_on(self) -> None:
        """That cannot be the same one: it ends."""
        self.two.cut()
        here = Leg(self.two.nodes[0], b"c" * 16)
        self.two.link()
        there = Leg(self.two.nodes[1], b"c" * 16)
        there.send(small(b"b"))
        self.two.deliver(0, 1000)
        self.two.settle()
        self.assertEqual((here.ends, there.ends), (1, 1))

    def test_a_chat_that_the_other_node_forgot(self) -> None:
        self.two.cut()
        self.two.nodes[1].end_all()
        self.two.link()
        self.here.send(small(b"a"))
        self.two.settle()
        self.assertEqual((self.here.ends, self.there.ends), (1, 1))
        self.assertEqual([len(node) for node in self.two.nodes], [0, 0])


class EndTests(ChatCase):
    def test_the_end_comes_behind_the_last_byte(self) -> None:
        self.pour(self.here)
        self.there.carrier.hold(HOLD)
        self.here.end()
        self.here.end()
        self.here.carrier.send(CHUNK)
        self.two.settle()
        self.assertEqual(self.there.ends, 0)
        self.there.carrier.release(HOLD)
        self.two.settle()
        self.assertEqual((self.there.received, self.there.ends), (self.here.sent, 1))
        self.assertEqual((self.here.ends, [len(node) for node in self.two.nodes]), (0, [0, 0]))
        self.assertEqual(self.two.clock.getDelayedCalls(), [])

    def test_the_end_outlives_the_link(self) -> None:
        """Before it was sent, after that, and after it was heard."""
        for cut in (0, 10, 10_000):
            here, there = self.two.open()
            here.send(small(b"a"))
            self.two.settle()
            self.two.cut() if not cut else None
            here.end()
            self.two.deliver(0, cut)
            self.two.link()
            self.two.settle()
            self.assertEqual((there.received, there.ends, here.ends), (small(b"a"), 1, 0), cut)

    def test_the_end_is_said_again_while_the_rest_is_kept(self) -> None:
        self.there.carrier.hold(HOLD)
        self.here.send(small(b"a"))
        self.here.end()
        self.two.settle()
        self.two.link()
        self.two.settle()
        self.there.carrier.send(CHUNK)
        self.there.carrier.release(HOLD)
        self.two.settle()
        self.assertEqual((self.there.received, self.there.ends), (small(b"a"), 1))

    def test_both_end(self) -> None:
        self.here.send(small(b"a"))
        self.here.end()
        self.there.end()
        self.two.settle()
        self.assertEqual((self.here.ends, self.there.ends), (0, 0))
        self.assertEqual([len(node) for node in self.two.nodes], [0, 0])

    def test_who_ended_is_not_told_more(self) -> None:
        """And whoever still sends to them is not held for ever."""
        self.here.end()
        count = self.pour(self.there)
        self.two.settle()
        self.assertEqual((self.here.received, self.there.ends), (b"", 1))
        self.assertFalse(self.there.carrier.is_congested)
        self.assertGreater(count, 1)

    def test_the_receiver_ends_while_it_is_given_something(self) -> None:
        self.there.carrier.hold(HOLD)
        for text in (b"a", b"b"):
            self.here.send(small(text))
        self.two.settle()
        self.there.on_take = lambda _: self.there.end()
        self.there.carrier.release(HOLD)
        self.two.settle()
        self.assertEqual((self.there.received, self.here.ends), (small(b"a"), 1))

    def test_an_end_that_the_other_node_does_not_take(self) -> None:
        """It is not waited for longer than a dead node is."""
        self.there.carrier.hold(HOLD)
        for _ in range(2):
            self.pour(self.here)
            self.two.settle()
        self.pour(self.here)
        self.here.end()
        self.two.settle()
        self.two.clock.advance(limits.NODE_DEAD)
        self.assertEqual(len(self.two.nodes[0]), 0)
        self.two.settle()
        self.assertEqual((self.there.ends, self.here.ends), (1, 0))

    def test_a_dead_node(self) -> None:
        """What was not passed on is lost, and the sender is not held any more."""
        self.there.carrier.hold(HOLD)
        self.pour(self.here)
        self.pour(self.there)
        self.two.deliver(0, WINDOW)
        self.two.cut()
        for node in self.two.nodes:
            node.end_all()
        self.assertEqual((self.here.ends, self.there.ends), (1, 1))
        for leg in (self.here, self.there):
            self.assertEqual((leg.carrier.held, leg.congestion[-1]), ((0, 0), False))
        self.there.carrier.release(HOLD)
        self.here.carrier.send(CHUNK)
        self.assertEqual((self.there.received, self.here.carrier.held), (b"", (0, 0)))

    def test_a_node_that_dies_behind_the_end(self) -> None:
        self.there.carrier.hold(HOLD)
        self.here.send(small(b"a"))
        self.here.end()
        self.two.settle()
        self.two.nodes[1].end_all()
        self.assertEqual(self.there.ends, 1)

    def test_the_leg_makes_a_mistake_about_the_end(self) -> None:
        self.there.carrier._ended = lambda: 1 / 0  # type: ignore[assignment]
        self.here.end()
        self.two.settle()
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        self.assertEqual([len(node) for node in self.two.nodes], [0, 0])


def frame(kind: int, *numbers: int, chat: bytes = bytes(16), rest: bytes = b"") -> bytes:
    """The body of a frame as a node may write it that keeps no rules."""
    return struct.pack(">B", kind) + chat + struct.pack(f">{len(numbers)}Q", *numbers) + rest


class LyingNodeTests(ChatCase):
    """Whatever another node says, it cannot make this one lose count or fill its memory."""

    def take(self, body: bytes) -> None:
        self.two.nodes[0].frame_received(body)

    def assert_refused(self, why: str, body: bytes) -> None:
        error = self.assertRaises(WireError, self.take, body)
        self.assertIn(why, str(error))

    def test_frames_that_are_none(self) -> None:
        for body in (
            *(b"", b"\0" * 16, frame(5), frame(255, 1, 2)),
            *(frame(FrameKind.BYTES, 0), frame(FrameKind.BYTES), frame(FrameKind.NO_CHAT, 1)),
            *(
                frame(FrameKind.WINDOW, 0),
                frame(FrameKind.RESUME, 0, 1, rest=b"x"),
                frame(FrameKind.END, 0, 1),
            ),
        ):
            self.assertRaises(WireError, self.take, body)
            unknown = body[:1] + b"u" * 16 + body[17:]
            self.assertRaises(WireError, self.take, unknown)

    def test_it_acknowledges_more_than_was_sent(self) -> None:
        self.here.send(CHUNK)
        sent = len(CHUNK)
        self.assert_refused("not sent", frame(FrameKind.WINDOW, sent + 1, sent + WINDOW))
        self.take(frame(FrameKind.WINDOW, sent, sent + WINDOW))

    def test_it_acknowledges_less_than_before(self) -> None:
        self.here.send(CHUNK)
        self.take(frame(FrameKind.WINDOW, len(CHUNK), WINDOW))
        self.assert_refused("not sent", frame(FrameKind.WINDOW, 0, WINDOW))

    def test_it_acknowledges_a_part_of_a_piece(self) -> None:
        self.here.send(CHUNK)
        self.assert_refused("part of a piece", frame(FrameKind.WINDOW, 5, WINDOW))

    def test_it_allows_more_than_it_can_take(self) -> None:
        self.assert_refused("can take", frame(FrameKind.WINDOW, 0, WINDOW + 1))
        self.assert_refused("can take", frame(FrameKind.WINDOW, 0, 2**64 - 1))

    def test_it_allows_less_than_before(self) -> None:
        self.assert_refused("can take", frame(FrameKind.WINDOW, 0, WINDOW - 1))

    def test_bytes_that_are_not_the_next(self) -> None:
        self.take(frame(FrameKind.BYTES, 0, rest=small(b"a")))
        for place in (0, 1, 2 * len(small(b"a")), 2**64 - 1):
            self.assert_refused("not the next", frame(FrameKind.BYTES, place, rest=small(b"b")))
        self.take(frame(FrameKind.BYTES, len(small(b"a")), rest=small(b"b")))
        self.assertEqual(self.here.received, small(b"a") + small(b"b"))

    def test_more_bytes_than_are_allowed(self) -> None:
        self.here.carrier.hold(HOLD)
        for place in range(0, WINDOW, len(CHUNK)):
            self.take(frame(FrameKind.BYTES, place, rest=CHUNK))
        self.assert_refused("more chat bytes", frame(FrameKind.BYTES, WINDOW, rest=small(b"a")))
        self.assertEqual(self.here.carrier.held[1], WINDOW)

    def test_an_end_in_the_wrong_place(self) -> None:
        self.take(frame(FrameKind.BYTES, 0, rest=small(b"a")))
        self.assert_refused("not behind", frame(FrameKind.END, 0))
        self.assert_refused("not behind", frame(FrameKind.END, 100))

    def test_bytes_behind_the_end(self) -> None:
        self.here.carrier.hold(HOLD)
        self.take(frame(FrameKind.BYTES, 0, rest=small(b"a")))
        self.take(frame(FrameKind.END, len(small(b"a"))))
        more = frame(FrameKind.BYTES, len(small(b"a")), rest=small(b"b"))
        self.assert_refused("behind the last", more)

    def test_it_goes_back_to_where_it_never_was(self) -> None:
        self.here.send(CHUNK)
        self.two.settle()
        self.here.send(small(b"a"))
        sent = len(CHUNK) + len(small(b"a"))
        for received in (len(CHUNK) - 1, sent + 1, 2**64 - 1):
            body = frame(FrameKind.RESUME, received, min(received + WINDOW, 2**64 - 1))
            self.two.link()
            self.assert_refused("not sent", body)
        for credit in (len(CHUNK) - 1, len(CHUNK) + WINDOW + 1):
            self.two.link()
            self.assert_refused("can take", frame(FrameKind.RESUME, len(CHUNK), credit))
        self.two.link()
        part = frame(FrameKind.RESUME, len(CHUNK) + 1, len(CHUNK) + WINDOW)
        self.assert_refused("part of a piece", part)

    def test_it_goes_back_twice(self) -> None:
        self.two.link()
        self.take(frame(FrameKind.RESUME, 0, WINDOW))
        self.assert_refused("twice", frame(FrameKind.RESUME, 0, WINDOW))

    def test_it_acknowledges_before_it_has_gone_back(self) -> None:
        self.two.link()
        self.assert_refused("before it has said", frame(FrameKind.WINDOW, 0, WINDOW))

    def test_a_chat_that_nobody_has(self) -> None:
        """Its bytes are dropped, and the other node is told once."""
        assert self.two.outs is not None
        for kind, numbers in (
            (FrameKind.BYTES, (7,)),
            (FrameKind.RESUME, (0, 9)),
            (FrameKind.END, (0,)),
        ):
            chat = bytes([kind + 1]) * 16
            rest = b"x" if kind == FrameKind.BYTES else b""
            for _ in range(3):
                self.take(frame(kind, *numbers, chat=chat, rest=rest))
            said = framing.encode(framing.NODE, frame(FrameKind.NO_CHAT, chat=chat))
            self.assertEqual(self.written, said)
            self.two.outs[0].waiting = b""
        self.take(frame(FrameKind.WINDOW, 0, 9, chat=b"w" * 16))
        self.take(frame(FrameKind.NO_CHAT, chat=b"w" * 16))
        self.assertEqual(self.written, b"")

    def test_a_chat_that_this_node_has_only_after_it_said_no(self) -> None:
        self.take(frame(FrameKind.BYTES, 0, chat=b"s" * 16, rest=b"x"))
        late = Leg(self.two.nodes[0], b"s" * 16)
        self.assertEqual(late.ends, 0)
        self.two.clock.advance(0)
        self.assertEqual(late.ends, 1)

    def test_a_flood_of_chats_that_nobody_has(self) -> None:
        chats = [number.to_bytes(16, "big") for number in range(1, limits.MAX_STRAY_CHATS + 2)]
        last = frame(FrameKind.BYTES, 0, chat=chats.pop(), rest=b"x")
        for chat in chats:
            self.take(frame(FrameKind.BYTES, 0, chat=chat, rest=b"x"))
        self.assert_refused("more chats than", last)
        self.two.clock.advance(limits.NODE_PING)
        self.take(last)

    def test_chats_are_told_apart(self) -> None:
        self.assertRaises(ValueError, Leg, self.two.nodes[0], bytes(16))
        self.assertRaises(ValueError, Leg, self.two.nodes[0], bytes(15))

    def test_random_frames(self) -> None:
        """They are refused, or do something; no other error comes of them."""
        rng = random.Random(0)
        refused = 0
        self.here.carrier._received = lambda _: None
        for _ in range(3000):
            numbers = [rng.choice((0, 1, 9, WINDOW, 2**63)) for _ in range(rng.randrange(3))]
            body = frame(rng.randrange(6), *numbers, chat=bytes([rng.randrange(3)]) * 16)
            try:
                self.take(body + rng.randbytes(rng.choice((0, 0, 9))))
            except WireError:
                refused += 1
        self.assertGreater(refused, 1000)
        self.assertLessEqual(self.here.carrier.held[1], WINDOW)

    def test_the_longest_frame_that_is_sent_fits(self) -> None:
        longest = limits.MAX_BODY + limits.FRAME_HEADER
        self.assertLessEqual(longest, limits.CARRIED_SHARE)
        self.assertLessEqual(limits.CARRIED_SHARE, limits.CARRIED_IN_FLIGHT)
        self.assertLess(limits.CARRIED_SHARE + carrier._head_and_place.size, limits.MAX_SERVER_BODY)
