"""Chat frames that go straight on: the same as the ordinary way, whatever comes in any pieces."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase

from securecom import framing, limits, vocabulary
from securecom.connection import Connection, Gate
from securecom.errors import PeerSilent
from securecom.paces import Turns
from securecom.server.relay import Relay, Streams
from securecom.tests.support.passes import Passes

OPEN, ENDED, NEVER = 7, 8, 9
PING = framing.encode(framing.CONTROL, b"\0\4_ask\0\0011\0\10_command\0\4Ping\0\0")
PACE = 0.5


class Pipe:
    """A transport that notes what is done to it."""

    def __init__(self, events: list[Any]) -> None:
        self.write = partial(self._note, events, "answered")
        self.pauseProducing = partial(events.append, "paused")
        self.resumeProducing = partial(events.append, "resumed")
        self.unregisterProducer = partial(events.append, "unregistered")
        self.loseConnection = partial(events.append, "closed")
        self.abortConnection = partial(events.append, "cut")

    @staticmethod
    def _note(events: list[Any], what: str, data: bytes) -> None:
        events.append((what, data))


class Other:
    """The other leg: notes what it is sent, and does something at one of the writes."""

    is_congested = is_closing = False

    def __init__(self, events: list[Any], at: int, then: Callable[[], None]) -> None:
        self._events, self._left, self._then = events, at, then

    def send(self, frame: bytes) -> None:
        self._events.append(("forwarded", frame))
        self._left -= 1
        if self._left == 0:
            self._then()

    def forward_straight(
        self, stream: int, forward: Callable[[bytes], None], target: object = None
    ) -> None: ...
    def forward_no_more(self) -> None: ...
    def hold(self, who: str) -> None: ...
    def release(self, who: str) -> None: ...


class Answers(amp.CommandLocator):
    """Answers `Ping`."""

    @vocabulary.Ping.responder
    def ping(self) -> dict[str, Any]:
        return {}


class Ordinary(Connection):
    """A leg whose chat frames all go the ordinary way; every third command comes too early."""

    lanes = frozenset({framing.CONTROL, framing.CHAT})

    def __init__(self, clock: Passes, turns: Turns, at: int, then: str) -> None:
        super().__init__(clock)
        self.turns = turns
        self.events: list[Any] = []
        self.commands = 0
        self.pace(self, None)  # type: ignore[arg-type]
        self.transport = Pipe(self.events)  # type: ignore[assignment]
        self.is_secured = True
        self.established()
        self.streams = Streams(self)
        self.streams.close(ENDED)
        self.other = Other(self.events, at, partial(self.do, then))
        self.relay = Relay(OPEN, self, self.other)
        self.streams.open(self.relay)
        self.events.clear()

    def responders(self) -> amp.IResponderLocator:
        return Answers()

    def wait(self, *_: object) -> float:
        self.commands += 1
        return PACE if self.commands % 3 == 0 else 0.0

    def run_received(self, run: framing.Run) -> None:
        self.streams.received(run)

    def forward_straight(
        self, stream: int, forward: Callable[[bytes], None], target: object = None
    ) -> None:
        """Not here."""

    def do(self, what: str) -> None:
        """Something that may happen between two reads, or while the other leg is written to."""
        if what == "fault":
            raise PeerSilent("for the test")
        if what == "mistake":
            raise KeyError("for the test")
        if what == "congested":
            self.other.is_congested = not self.other.is_congested
            self.relay.congestion_changed(self.other)
        elif what == "end":
            self.relay.end()
            self.streams.close(OPEN)
        elif what == "open":
            self.relay = Relay(OPEN, self, self.other)
            self.streams.open(self.relay)
        elif what in ("hold", "release"):
            getattr(self, what)("the test")
        elif what == "close":
            self.close()


class Short(Ordinary):
    """The same, with the short way."""

    forward_straight = Connection.forward_straight


class Spliced(Ordinary):
    """The same, with a transport that writes to the other leg's by itself what may pass."""

    gate: Gate | None = None

    def forward_straight(
        self, stream: int, forward: Callable[[bytes], None], target: object = None
    ) -> None:
        super(Ordinary, self).forward_straight(stream, forward)
        self.gate = Gate(self, stream, cast(Connection, self.other), self._decoder)

    def forward_no_more(self) -> None:
        super().forward_no_more()
        self.gate = None

    def dataReceived(self, data: bytes) -> None:
        if data and self.gate is not None and (begun := self.gate.begun()) is not None:
            came = begun + data
            if end := self.gate.admit(came + b"rubbish", len(begun), len(came)):
                try:
                    self.other.send(came[:end])
                except Exception as error:
                    self._failed(error)
                return
        super().dataReceived(data)


def chat(stream: int) -> st.SearchStrategy[bytes]:
    """A few or many frames of one stream."""
    frame = st.integers(1, 40).map(lambda size: framing.encode_chat(stream, bytes(size)))
    return st.builds(
        lambda one, count: count * one, frame, st.integers(1, 3) | st.integers(50, 150)
    )


LARGE = st.integers(15_000, limits.MAX_CHAT_CHUNK).map(
    lambda size: framing.encode_chat(OPEN, bytes(size))
)
BAD = st.sampled_from(
    [
        b"\7",
        b"\1\0\0\4\0\0\0\7",
        b"\1\0\0\5\0\0\0\0a",
        b"\1\xff\0\0",
        framing.encode_chat(NEVER, b"a"),
    ]
)
#: Frames inside a frame: what stands behind its header must not be taken for the beginning of one.
INNER = 3 * framing.encode_chat(OPEN, b"a")
PARTS = st.one_of(
    *(chat(OPEN), chat(OPEN), LARGE, chat(ENDED), st.just(PING), st.just(5 * PING)),
    st.just(framing.encode_chat(OPEN, INNER)),
)
#: Bytes that come with the next piece only.
LATER = st.sampled_from([0, 0, 0, len(INNER)]) | st.integers(0, 300)
#: What happens after a piece; each is given to `do`, or done to the clock and to the turns.
BETWEEN = st.sampled_from(
    (
        *("-", "-", "-", "pass", "pass", "later", "take", "queue"),
        *("hold", "release", "congested", "end", "open", "close"),
    )
)
PIECES = st.lists(
    st.tuples(st.lists(PARTS, min_size=1, max_size=3).map(b"".join), LATER, BETWEEN), max_size=12
)
THEN = st.sampled_from(["fault", "mistake", "congested", "end", "hold", "close"])


def nothing() -> None:
    """A turn of somebody else's."""


class Way:
    """A connection with a clock and turns of its own."""

    def __init__(self, kind: type[Ordinary], at: int, then: str) -> None:
        self.clock = Passes()
        self.turns = Turns(self.clock)
        self.leg = kind(self.clock, self.turns, at, then)

    def read(self, data: bytes, between: str) -> tuple[Any, ...]:
        """Let this come and that happen; returns all that can be told from outside, and counts."""
        self.leg.dataReceived(data)
        if between in ("pass", "later"):
            self.clock.advance(PACE if between == "later" else 0)
        elif between == "take":
            self.turns.take()
        elif between == "queue":
            self.turns.queue(nothing)
        else:
            self.leg.do(between)
        return self.told

    @property
    def told(self) -> tuple[Any, ...]:
        """Events, why it is over, what is held, and how turns and frames were counted."""
        leg, turns = self.leg, self.turns
        counted = leg._relayed if leg._pass == turns.passes else 0
        is_mid_frame = leg.is_mid_frame and not leg.is_closing  # nothing is worked on any more
        calls = sorted(call.getTime() for call in self.clock.getDelayedCalls())
        return (
            *(list(leg.events), repr(leg.reason), leg.is_closing, leg.is_held, is_mid_frame),
            *(counted, turns.passes, turns._left, len(turns._waiting), leg.commands, calls),
        )


class SameTests(SynchronousTestCase):
    """Each sequence goes both ways."""

    @settings(deadline=None, max_examples=300)
    @given(PIECES, st.just(b"") | BAD, st.integers(1, 20), THEN)
    # Promise T61, R34
    def test_both_ways(
        self, pieces: list[tuple[bytes, int, str]], bad: bytes, at: int, then: str
    ) -> None:
        ordinary, short, spliced = (Way(kind, at, then) for kind in (Ordinary, Short, Spliced))
        rest = b""
        for piece, later, between in [*pieces, (bad, 0, "-")]:
            came = rest + piece
            cut = max(0, len(came) - later)
            came, rest = came[:cut], came[cut:]
            wanted = ordinary.read(came, between)
            self.assertEqual(short.read(came, between), wanted)
            self.assertEqual(spliced.read(came, between), wanted)
        for _ in range(20):  # until nothing waits for its turn or its time
            for way in (ordinary, short, spliced):
                way.clock.advance(PACE)
            self.assertEqual(short.told, ordinary.told)
            self.assertEqual(spliced.told, ordinary.told)
        self.flushLoggedErrors()

    def test_it_is_short(self) -> None:
        """Whole frames of the open stream come to nobody on the way."""
        way = Way(Short, 0, "-")
        self.patch(way.leg, "run_received", self.fail)
        self.patch(way.leg, "_read_on", self.fail)
        frames = 3 * framing.encode_chat(OPEN, b"a")
        way.read(frames, "-")
        self.assertEqual(way.leg.events, [("forwarded", frames)])

    # Promise T61
    def test_what_a_transport_may_pass_on_by_itself(self) -> None:
        """Whole frames of the open stream, while both legs are open; that counts as heard."""
        way = Way(Spliced, 0, "-")
        admit, one = cast(Any, way.leg).gate.admit, framing.encode_chat(OPEN, b"a")
        for refused in (
            one[:-1],
            framing.encode_chat(NEVER, b"a"),
            PING,
            *(one + PING, one + b"\7", one + b"\1\xff\0\0"),
        ):
            self.assertEqual(admit(refused, 0, len(refused)), 0)
        self.assertFalse(way.leg.is_heard)
        self.assertEqual(admit(one + PING, 0, len(one)), len(one))
        self.assertTrue(way.leg.is_heard)
        outer = framing.encode_chat(OPEN, INNER)
        way.leg.dataReceived(outer[: -len(INNER)])
        self.assertEqual(admit(INNER, 0, len(INNER)), 0, "these stand inside a frame")
        way.leg.dataReceived(INNER)
        way.leg.other.is_closing = True
        self.assertEqual(admit(one, 0, len(one)), 0)
        way.leg.other.is_closing = False
        way.leg.close()
        self.assertEqual(admit(one, 0, len(one)), 0)

    # Promise T61
    def test_what_begins_behind_whole_frames_is_kept(self) -> None:
        """And belongs before what comes next, whichever way that takes."""
        one = framing.encode_chat(OPEN, b"abc")
        for begun in (one[:1], one[:5], one[:-1], PING[:3], PING[:-1]):
            way = Way(Spliced, 0, "-")
            gate = cast(Any, way.leg).gate
            self.assertEqual(gate.admit(one + begun, 0, len(one + begun)), len(one))
            self.assertEqual((gate.begun(), way.leg.is_mid_frame), (begun, True))
            whole = PING if begun[0] == PING[0] else one
            way.leg.dataReceived(whole[len(begun) :])
            self.assertEqual((gate.begun(), way.leg.is_closing), (b"", False))
            what = "answered" if whole is PING else "forwarded"
            self.assertEqual([event[0] for event in way.leg.events], [what])

    # Promise T61
    def test_what_is_kept_is_the_beginning_of_a_frame(self) -> None:
        way = Way(Spliced, 0, "-")
        gate, one = cast(Any, way.leg).gate, framing.encode_chat(OPEN, b"abc")
        for begun in (one[:5], PING[:-1], b""):
            self.assertTrue(gate.keep(begun))
            self.assertEqual(gate.begun(), begun)
        gate.keep(one[:5])
        for other in (one, one + one[:3], PING, b"\7", b"\1\xff\0\0"):
            self.assertFalse(gate.keep(other))
            self.assertEqual(gate.begun(), one[:5])

    def test_while_something_waits_or_is_closing_nothing_may_pass(self) -> None:
        for hinder in ("target", "source", "items"):
            way = Way(Spliced, 0, "-")
            gate = cast(Any, way.leg).gate
            self.assertEqual(gate.begun(), b"")
            if hinder == "target":
                way.leg.other.is_closing = True
            elif hinder == "source":
                way.leg.close()
            else:
                self.patch(way.turns, "take", lambda: False)
                way.leg.dataReceived(PING)
            self.assertIsNone(gate.begun(), hinder)

    # Promise R35
    def test_nothing_goes_before_a_command_that_waits(self) -> None:
        """Whether it came alone or with others."""
        one = framing.encode_chat(OPEN, b"a")
        for kind in (Ordinary, Short, Spliced):
            for came in (PING, 2 * PING):
                way = Way(kind, 0, "-")
                self.patch(way.turns, "take", lambda: False)
                way.read(came, "-")
                way.read(one, "-")
                self.assertNotIn(("forwarded", one), way.leg.events)
                way.clock.advance(0)
                told = [event[0] for event in way.leg.events if event not in ("paused", "resumed")]
                self.assertEqual(told, ["answered"] * (len(came) // len(PING)) + ["forwarded"])

    # Promise R34
    def test_what_is_granted_is_this_passs_share(self) -> None:
        """Whoever counts for itself gets what is left of it, once; the next has to have a turn."""
        way = Way(Spliced, 0, "-")
        gate, share = cast(Any, way.leg).gate, limits.CHAT_SHARE
        self.assertEqual(gate.grant(3), share - limits.RUN_WORK - 3)
        self.assertEqual((way.leg._relayed, way.turns._left), (share, limits.TURNS_AT_ONCE))
        for left in range(limits.TURNS_AT_ONCE):
            self.assertEqual(way.turns._left, limits.TURNS_AT_ONCE - left)
            self.assertEqual(gate.grant(1), 0)
        self.assertEqual(gate.grant(1), -1)
        way.clock.advance(0)
        self.assertEqual(gate.grant(share), 0)
        way.turns.take()
        way.clock.advance(0)
        self.assertEqual(gate.grant(1), share - limits.RUN_WORK - 1)

    # Promise R34
    def test_more_than_a_share_takes_a_turn(self) -> None:
        """However few frames come at a time; each pass of the reactor has a share."""
        way = Way(Short, 0, "-")
        asked: list[str] = []

        def take() -> bool:
            asked.append("a turn")
            return False

        self.patch(way.turns, "take", take)
        one = framing.encode_chat(OPEN, b"a")
        free = limits.CHAT_SHARE // (limits.RUN_WORK + 1)
        for _ in range(free):
            way.read(one, "-")
        self.assertEqual((len(way.leg.events), asked), (free, []))
        way.read(one, "-")
        self.assertEqual((len(way.leg.events), set(asked)), (free, {"a turn"}))
        asked.clear()
        way.clock.advance(0)  # the turn comes, and with it a new share
        way.read(one, "-")
        self.assertEqual((len(way.leg.events), asked), (free + 2, []))

    # Promise R34
    def test_who_gets_a_turn_at_once_goes_straight_on(self) -> None:
        """As long as nobody waits; who has to is not forgotten."""
        one = framing.encode_chat(OPEN, b"a")
        free = limits.CHAT_SHARE // (limits.RUN_WORK + 1)
        for kind in (Short, Spliced):
            way = Way(kind, 0, "-")
            ordinary: list[object] = []
            self.patch(way.leg, "run_received", ordinary.append)
            for _ in range(free + limits.TURNS_AT_ONCE):
                way.read(one, "-")
            self.assertEqual(
                (len(way.leg.events), way.turns._left), (free + limits.TURNS_AT_ONCE, 0)
            )
            self.assertEqual(ordinary, [])
            way.read(one, "-")
            self.assertEqual((ordinary, len(way.turns._waiting)), ([], 1))
            way.clock.advance(0)
            self.assertEqual(len(ordinary), 1)
