"""Reading that is held, writing that is congested, and the memory both take."""

from __future__ import annotations

from securecom import framing, limits
from securecom.errors import (
    PeerSilent,
    WireError,
)
from securecom.framing import encode_chat
from securecom.tests.support.joined_connections import NetworkCase, Recorder
from securecom.tests.support.network import BUFFER

MEGABYTE = 2**20


class _Noting:
    """A transport that notes what is asked of its reading."""

    def __init__(self, notes: list[str]) -> None:
        self._notes = notes

    def pauseProducing(self) -> None:
        self._notes.append("paused")

    def resumeProducing(self) -> None:
        self._notes.append("resumed")


class HoldTests(NetworkCase):
    def setUp(self) -> None:
        super().setUp()
        self.client, self.server, self.wire = self.pair()

    def say(self) -> int:
        """Send a byte; how many have come by then."""
        self.client.send(encode_chat(1, b"a"))
        self.network.pump()
        return sum(len(framing.chat_bytes(run)) for run in self.server.runs)

    def test_reading_stops_until_every_holder_has_released(self) -> None:
        self.server.hold("one")
        self.server.hold("two")
        self.assertEqual((self.say(), self.server.is_held), (0, True))
        self.server.release("one")
        self.assertEqual(self.say(), 0)
        self.server.release("two")
        self.assertFalse(self.server.is_held)
        self.assertEqual(self.say(), 3)

    def test_who_holds_twice_releases_once(self) -> None:
        self.server.hold("one")
        self.server.hold("one")
        self.server.release("one")
        self.assertEqual(self.say(), 1)

    def test_who_never_held_releases_nobody_else(self) -> None:
        self.server.hold("one")
        self.server.release("two")
        self.assertEqual(self.say(), 0)

    def test_a_release_without_a_hold_does_not_touch_the_transport(self) -> None:
        resumed: list[str] = []
        self.patch(self.server, "transport", _Noting(resumed))
        self.server.release("one")
        self.assertEqual(resumed, [])
        self.server.hold("one")
        self.server.release("one")
        self.assertEqual(resumed, ["paused", "resumed"])

    def test_holding_does_not_hinder_writing(self) -> None:
        self.server.hold("one")
        self.server.send(encode_chat(1, b"a"))
        self.network.pump()
        self.assertEqual(len(self.client.runs), 1)

    def test_what_a_held_connection_leaves_on_the_wire_is_bounded(self) -> None:
        self.server.hold("one")
        self.client.send(encode_chat(1, bytes(BUFFER * 2)))
        self.network.pump()
        self.assertTrue(self.client.is_congested)
        self.assertEqual(self.server.runs, [])

    def test_holding_and_releasing_after_the_end_changes_nothing(self) -> None:
        self.wire.cut()
        self.network.pump()
        self.server.hold("one")
        self.server.release("one")
        self.assertEqual(len(self.server.losses), 1)


class CongestionTests(NetworkCase):
    def setUp(self) -> None:
        super().setUp()
        self.client, self.server, self.wire = self.pair()

    def fill(self, end: Recorder, length: int = 2 * BUFFER) -> None:
        end.send(encode_chat(1, bytes(length)))

    def received(self, end: Recorder) -> int:
        return sum(len(framing.chat_bytes(run)) for run in end.runs)

    def test_a_full_transport_is_told_and_so_is_its_relief(self) -> None:
        self.client.hold("test")
        self.fill(self.server)
        self.network.pump()
        self.assertEqual((self.server.congestion, self.server.is_congested), ([True], True))
        self.client.release("test")
        self.network.pump()
        self.assertEqual((self.server.congestion, self.server.is_congested), ([True, False], False))
        self.assertEqual(self.received(self.client), 2 * BUFFER)

    def test_relief_stops_the_clock_of_no_progress(self) -> None:
        for _ in range(3):
            self.stall(limits.NO_PROGRESS - 1)
            self.network.advance(2 * limits.NO_PROGRESS)
        self.assertEqual(self.server.losses, [])

    def stall(self, seconds: float) -> None:
        """The client reads nothing for a while, then all there is."""
        self.client.hold("test")
        self.fill(self.server)
        self.network.advance(seconds)
        self.client.release("test")
        self.network.pump()

    def test_a_slow_reader_that_goes_on_reading_stays(self) -> None:
        for _ in range(20):
            self.stall(limits.DRAIN_CREDIT)
        self.assertEqual(self.server.losses, [])

    def test_a_reader_that_drips_is_cut(self) -> None:
        """A buffer emptied now and then does not buy the whole patience anew."""
        for _ in range(3):
            self.stall(limits.NO_PROGRESS - 5)
        self.assertIsInstance(self.server.end, PeerSilent)

    def test_a_reader_that_takes_nothing_is_cut(self) -> None:
        self.client.hold("test")
        self.fill(self.server)
        self.network.advance(limits.NO_PROGRESS - 1)
        self.assertEqual(self.server.losses, [])
        self.network.advance(2)
        self.assertIsInstance(self.server.end, PeerSilent)
        self.assertEqual(len(self.client.losses), 1)

    def test_congestion_both_ways_drains(self) -> None:
        """If a full end stopped reading, two full ends would wait for each other for ever."""
        for end in (self.client, self.server):
            self.fill(end, MEGABYTE)
        self.network.pump()
        self.assertEqual(self.received(self.client), MEGABYTE)
        self.assertEqual(self.received(self.server), MEGABYTE)
        self.assertEqual(self.client.congestion, [True, False])
        self.assertEqual(self.server.congestion, [True, False])

    def test_a_full_end_goes_on_reading(self) -> None:
        self.client.hold("test")
        self.fill(self.server)
        self.fill(self.client, 100)
        self.network.pump()
        self.assertTrue(self.server.is_congested)
        self.assertEqual(self.received(self.server), 100)

    # Promise T13
    def test_a_peer_that_asks_on_and_does_not_read_is_cut_in_bounded_memory(self) -> None:
        self.client.hold("test")
        self.fill(self.server)
        self.network.pump()
        before = self.wire.server.sent
        for _ in range(200):
            for _ in range(100):
                self.client.ping().addErrback(lambda _: None)
            self.network.pump()
        self.assertIsInstance(self.server.end, WireError)
        self.assertIn("unread", str(self.server.end))
        most = limits.MAX_UNREAD_ANSWERS
        self.assertLess(self.wire.server.sent - before, 3 * most)

    def test_as_many_answers_as_are_allowed_may_wait(self) -> None:
        self.client.hold("test")
        self.fill(self.server)
        self.network.pump()
        answers = [self.client.ping() for _ in range(limits.MAX_UNDELIVERED)]
        self.network.pump()
        self.assertEqual(self.server.losses, [])
        self.client.release("test")
        self.network.pump()
        for answer in answers:
            self.assertEqual(self.successResultOf(answer), {})

    def test_answers_are_counted_anew_each_time(self) -> None:
        for _ in range(5):
            self.client.hold("test")
            self.fill(self.server)
            self.network.pump()
            for _ in range(1000):
                self.client.ping()
            self.network.pump()
            self.client.release("test")
            self.network.pump()
        self.assertGreater(self.server.control.answer_bytes, limits.MAX_UNREAD_ANSWERS)
        self.assertEqual(self.server.losses, [])

    def test_answers_that_are_read_are_never_too_many(self) -> None:
        for _ in range(100):
            for _ in range(100):
                self.client.ping()
            self.network.pump()
        self.assertGreater(self.server.control.answer_bytes, 3 * limits.MAX_UNREAD_ANSWERS)
        self.assertEqual(self.server.losses, [])

    def test_pausing_or_resuming_twice_is_told_once(self) -> None:
        for _ in range(2):
            self.server.pauseProducing()
        for _ in range(2):
            self.server.resumeProducing()
        self.assertEqual(self.server.congestion, [True, False])
