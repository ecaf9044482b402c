"""Chats between two nodes over links that break at any byte: generated runs, and what must hold.

`python -m securecom.tests.support.carried COUNT [FIRST SEED]` runs as many as one has time for.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable

from twisted.internet.task import Clock

from securecom import framing, limits
from securecom.server.cluster.carrier import Carrier, Carriers

#: What an outlet takes before it is congested, as a transport does.
FULL = 64 * 1024
STEPS = 60
#: A run that a node got from one read may have so many bytes.
MOST_AT_ONCE = limits.READ_AT_ONCE + limits.FRAME_HEADER + limits.MAX_BODY


class Out:
    """One direction of a link: bytes that were written and have not arrived."""

    def __init__(self) -> None:
        self.is_congested = False
        self.waiting = b""

    def send(self, frame: bytes) -> None:
        self.waiting += frame
        self.is_congested = self.is_congested or len(self.waiting) > FULL


class Leg:
    """One node's end of a chat, and what its person sent and got."""

    def __init__(self, carriers: Carriers, chat: bytes) -> None:
        self.sent, self.received = b"", b""
        self.ends = 0
        self.congestion: list[bool] = []
        self.has_ended = False
        self.carrier: Carrier = carriers.open(chat, self.take, self.congestion.append, self.ended)
        self.on_take: Callable[[bytes], None] = lambda _: None
        self._reader = framing.Decoder(frozenset({framing.CHAT}))

    def take(self, raw: bytes) -> None:
        runs = list(self._reader.feed(raw))
        assert runs and not self._reader.held, "a frame that was cut"
        self.received += raw
        self.on_take(raw)

    def ended(self) -> None:
        self.ends += 1

    @property
    def is_over(self) -> bool:
        return self.has_ended or self.ends > 0

    def send(self, raw: bytes) -> None:
        if not self.is_over:
            self.sent += raw
        self.carrier.send(raw)

    def end(self) -> None:
        self.has_ended = True
        self.carrier.end()


class TwoNodes:
    """The chats of two nodes, and the link between them, if there is one."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.nodes = (Carriers(self.clock), Carriers(self.clock))
        self.chats: list[tuple[Leg, Leg]] = []
        self.outs: tuple[Out, Out] | None = None
        self._readers = (self._reader(), self._reader())

    @staticmethod
    def _reader() -> framing.Decoder:
        return framing.Decoder(frozenset({framing.NODE}), limits.MAX_SERVER_BODY)

    def link(self) -> None:
        """Link, for the first time or again."""
        self.cut()
        self.outs = (Out(), Out())
        self._readers = (self._reader(), self._reader())
        for node, out in zip(self.nodes, self.outs, strict=True):
            node.linked(out)

    def cut(self) -> None:
        """The link is gone, with all that has not arrived."""
        if self.outs is not None:
            self.outs = None
            for node in self.nodes:
                node.unlinked()

    def open(self) -> tuple[Leg, Leg]:
        """One more chat; there has to be a link."""
        chat = len(self.chats).to_bytes(16, "big")
        legs = (Leg(self.nodes[0], chat), Leg(self.nodes[1], chat))
        self.chats.append(legs)
        return legs

    def deliver(self, side: int, count: int) -> None:
        """Let so many bytes of what this side wrote arrive."""
        if self.outs is None:
            return
        out, other = self.outs[side], 1 - side
        data, out.waiting = out.waiting[:count], out.waiting[count:]
        for frame in self._readers[other].feed(data):
            assert isinstance(frame, framing.Frame)
            self.nodes[other].frame_received(frame.body)
        if out.is_congested and not out.waiting:
            out.is_congested = False
            self.nodes[side].go_on()

    def settle(self) -> None:
        """Let all arrive that can, acknowledgements that wait for a moment too."""
        for _ in range(10_000):
            if self.outs is None or not any(out.waiting for out in self.outs):
                self.clock.advance(limits.CARRIED_WAIT)
            if self.outs is None or not any(out.waiting for out in self.outs):
                return
            for side in (0, 1):
                self.deliver(side, FULL)
        raise AssertionError("the two nodes never come to rest")


def frames(rng: random.Random, count: int) -> bytes:
    """So many whole chat frames of random lengths and contents."""
    sizes = (rng.choice((1, 100, 1000, limits.MAX_CHAT_CHUNK)) for _ in range(count))
    return b"".join(framing.encode_chat(7, rng.randbytes(rng.randint(1, size))) for size in sizes)


class Run:
    """One generated run. Everything is decided by the seed."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._two = TwoNodes()
        self._held: set[tuple[int, int]] = set()

    def play(self) -> None:
        """Play it. :raises AssertionError: if something does not hold."""
        self._two.link()
        for _ in range(self._rng.randint(1, 4)):
            self._two.open()
        for _ in range(STEPS):
            self._step()
            self._check()
        self._end()

    def _step(self) -> None:
        rng, two = self._rng, self._two
        at, side = rng.randrange(len(two.chats)), rng.randrange(2)
        leg = two.chats[at][side]
        kinds = {"send": 10, "deliver": 12, "cut": 3, "link": 3, "hold": 2, "end": 1, "open": 1}
        match rng.choices(("release", *kinds), (4, *kinds.values()))[0]:
            case "send":
                while not leg.carrier.is_congested and rng.random() < 0.8:
                    leg.send(frames(rng, rng.randint(1, 5)))
            case "deliver":
                two.deliver(side, rng.choice((1, 30, 1000, 20_000, FULL)))
            case "cut":  # at any byte
                two.deliver(side, rng.randint(0, FULL))
                two.cut()
            case "link":
                two.link()
            case "hold":
                leg.carrier.hold("the test")
                self._held.add((at, side))
            case "end":
                leg.end()
            case "open" if two.outs is not None:
                two.open()
            case "release":
                leg.carrier.release("the test")
                self._held.discard((at, side))
                two.clock.advance(rng.choice((0, limits.CARRIED_WAIT, 1.0)))

    def _check(self) -> None:
        for legs in self._two.chats:
            for leg, other in (legs, legs[::-1]):
                assert other.sent.startswith(leg.received), "bytes that were not sent, or not so"
                outgoing, incoming = leg.carrier.held
                assert outgoing <= limits.CARRIED_IN_FLIGHT + MOST_AT_ONCE, "too much is held"
                assert incoming <= limits.CARRIED_IN_FLIGHT, "too much is kept"
                assert leg.ends + leg.has_ended <= 2 and leg.ends <= 1, "ended twice"

    def _end(self) -> None:
        two = self._two
        two.link()
        two.settle()
        for at, side in self._held:
            two.chats[at][side].carrier.release("the test")
        two.settle()
        self._check()
        for legs in two.chats:
            for leg, other in (legs, legs[::-1]):
                if not leg.has_ended:
                    assert leg.received == other.sent, "bytes are missing"
                assert leg.is_over == other.is_over, "over for one of the two"
                assert leg.carrier.held == (0, 0), "something is held for nobody"
                assert not leg.carrier.is_congested, "held for nothing"
                assert leg.congestion[-1:] in ([], [False]) or leg.has_ended, "never released"
        alive = sum(not legs[0].is_over for legs in two.chats)
        assert [len(node) for node in two.nodes] == [alive, alive], "a chat is left over"
        assert not two.clock.getDelayedCalls(), "something still waits"


def failing(count: int, first: int = 0) -> str:
    """Play so many runs. Returns which one failed, and how; nothing if none did."""
    for seed in range(first, first + count):
        try:
            Run(seed).play()
        except Exception as error:
            return f"seed {seed}: {type(error).__name__} {error}"
    return ""


if __name__ == "__main__":
    sys.exit(failing(*map(int, sys.argv[1:])))
