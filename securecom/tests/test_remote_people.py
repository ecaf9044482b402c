"""What stands for somebody on another node: a leg of a chat, and a request channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from securecom import framing, limits, vocabulary
from securecom.errors import PeerSilent, WireError
from securecom.identity import Identity, Name
from securecom.server.cluster.node_vocabulary import ChannelGone, OfferThere, WithdrawThere
from securecom.server.cluster.remote_people import RemoteChannel, RemoteLeg, RemotePerson
from securecom.server.relay import Relay
from securecom.server.session import Aside, no_pause

STREAM = 7


class Carried:
    """A carrier that keeps what it gets."""

    is_congested = False

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.holders: set[str] = set()
        self.is_over = False

    def carry(self, received: Any, congested: Any, ended: Any) -> Any:
        self.received, self.congested, self.ended = received, congested, ended
        return self

    def send(self, raw: bytes) -> None:
        self.sent.append(raw)

    def hold(self, who: str) -> None:
        self.holders.add(who)

    def release(self, who: str) -> None:
        self.holders.discard(who)

    def end(self) -> None:
        self.is_over = True


class Here:
    """The leg of somebody on this node."""

    is_congested = False

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.holders: set[str] = set()

    def send(self, frame: bytes) -> None:
        self.sent.append(frame)

    def forward_straight(
        self, stream: int, forward: Callable[[bytes], None], target: object = None
    ) -> None:
        pass

    def forward_no_more(self) -> None:
        pass

    def hold(self, who: str) -> None:
        self.holders.add(who)

    def release(self, who: str) -> None:
        self.holders.discard(who)


class LegTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.carrier, self.here, self.ended = Carried(), Here(), 0
        self.leg = RemoteLeg(self.carrier.carry, self.end)
        self.relay = Relay(STREAM, self.leg, self.here)
        self.leg.open(self.relay)

    def end(self) -> None:
        self.ended += 1

    def test_both_ways(self) -> None:
        frames = framing.encode_chat(STREAM, b"one") + framing.encode_chat(STREAM, b"two")
        self.relay.forward(self.here, frames)
        self.carrier.received(frames)
        self.assertEqual(self.carrier.sent, [frames])
        self.assertEqual(b"".join(self.here.sent), frames)

    # Promise T296
    def test_frames_of_another_chat(self) -> None:
        """Whatever another node does, only frames of this chat reach the person."""
        good = framing.encode_chat(STREAM, b"good")
        for bad in (
            framing.encode_chat(STREAM + 1, b"bad"),
            framing.encode(framing.CONTROL, b"bad"),
            good[:-1],
        ):
            self.here.sent.clear()
            self.assertRaises(WireError, self.carrier.received, good + bad)
            self.assertEqual(b"".join(self.here.sent), good)

    def test_many_frames(self) -> None:
        """More than one run of them."""
        frames = framing.encode_chat(STREAM, b"x") * (limits.FRAMES_A_RUN + 1)
        self.carrier.received(frames)
        self.assertEqual(b"".join(self.here.sent), frames)

    def test_congested_there(self) -> None:
        """Whoever sends from here is held until the other node has taken it."""
        self.carrier.congested(True)
        self.assertTrue(self.here.holders)
        self.carrier.congested(False)
        self.assertFalse(self.here.holders)

    def test_congested_here(self) -> None:
        """Nothing more is taken from the other node until the person here has read."""
        self.here.is_congested = True
        self.relay.congestion_changed(self.here)
        self.assertTrue(self.carrier.holders)
        self.here.is_congested = False
        self.relay.congestion_changed(self.here)
        self.assertFalse(self.carrier.holders)

    def test_congested_here_from_the_start(self) -> None:
        """Whoever reads slowly when the chat begins has nothing piled up for them, either."""
        carrier, here = Carried(), Here()
        here.is_congested = True
        leg = RemoteLeg(carrier.carry, self.end)
        relay = Relay(STREAM, leg, here)
        leg.open(relay)
        self.assertTrue(carrier.holders)
        here.is_congested = False
        relay.congestion_changed(here)
        self.assertFalse(carrier.holders)

    def test_ended_there(self) -> None:
        self.carrier.ended()
        self.assertEqual(self.ended, 1)

    def test_ended_here(self) -> None:
        """The other node is told, and nothing more passes, not even its own end."""
        self.leg.close()
        self.assertTrue(self.carrier.is_over)
        self.carrier.received(framing.encode_chat(STREAM, b"late"))
        self.carrier.congested(True)
        self.carrier.ended()
        self.assertEqual((self.here.sent, self.here.holders, self.ended), ([], set(), 0))

    def test_before_it_is_open(self) -> None:
        leg = RemoteLeg(self.carrier.carry, self.end)
        leg.send(b"early")
        leg.hold("somebody")
        leg.release("somebody")
        leg.close()
        self.assertEqual(self.carrier.sent, [])
        self.assertFalse(self.carrier.is_over)


class PersonTests(SynchronousTestCase):
    def test_only_their_own_node_asks_them(self) -> None:
        key = Identity.generate().public_key
        aside = Aside(Clock(), no_pause)
        who = (Name("alice"), key, b"")
        person = RemotePerson(bytes(16), bytes(16), *who, Carried().carry, lambda _: None, aside)
        self.assertFalse(person.reachable)
        self.assertFalse(person.admits(Name("bob")))
        self.assertRaises(RuntimeError, person.offer)
        self.assertRaises(RuntimeError, person.missed, Name("bob"))
        self.assertRaises(RuntimeError, person.withdraw, b"", "gone")
        self.assertRaises(RuntimeError, person.announce_stream, b"", 1)


class Links:
    """What was sent to other nodes."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []
        self.answer: Deferred[Any] = Deferred()

    def call(self, node: bytes, command: Any, **facts: Any) -> Deferred[Any]:
        self.said.append((node, command, facts))
        return self.answer

    def tell(self, node: bytes, command: Any, **facts: Any) -> None:
        self.said.append((node, command, facts))


class ChannelTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.links = Links()
        self.channel = RemoteChannel(self.links, b"node", b"channel")  # type: ignore[arg-type]

    def test_commands_are_passed_on(self) -> None:
        answer = self.channel.control.call(vocabulary.OfferChat, chat=b"chat", seconds=30)
        self.channel.control.tell(vocabulary.WithdrawOffer, chat=b"chat", reason="gone")
        self.links.answer.callback({"answer": "refuse"})
        self.assertEqual(self.successResultOf(answer), {"answer": "refuse"})
        facts = {"channel": b"channel", "chat": b"chat"}
        self.assertEqual(
            self.links.said,
            [
                (b"node", OfferThere, {**facts, "seconds": 30}),
                (b"node", WithdrawThere, {**facts, "reason": "gone"}),
            ],
        )

    def test_it_ends_there(self) -> None:
        """Whether it is replaced, or its client broke the rules."""
        self.channel.close()
        self.channel.fault(PeerSilent("a command was not answered"))
        self.assertEqual(self.links.said, 2 * [(b"node", ChannelGone, {"channel": b"channel"})])
