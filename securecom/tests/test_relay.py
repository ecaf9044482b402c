"""The relay: consent on every byte, whole runs, bounded memory, and an end for both."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from securecom import framing, limits, refusals, vocabulary
from securecom.errors import NotYourStream
from securecom.identity import Name
from securecom.server.relay import Relay, Streams
from securecom.tests.support.memory_server import ManualClient, MemoryServer, chatting
from securecom.tests.support.network import BUFFER
from securecom.vocabulary import Pace


class ChatCase(SynchronousTestCase):
    """Alice and Bob in a chat, Carol beside them."""

    def setUp(self) -> None:
        self.server = MemoryServer()
        self.alice, self.bob = self.server.client("alice"), self.server.client("bob")
        self.carol = self.server.client("carol")
        self.stream = chatting(self.alice, self.bob, "bob")

    def end(self, client: ManualClient) -> None:
        client.done(client.ask(vocabulary.EndChat, stream=self.stream))

    def assert_thrown_out(self, client: ManualClient) -> None:
        self.server.network.advance(limits.CLOSE_DEADLINE)
        self.assertEqual(client.said("goodbye"), ["violation"])
        self.assertIsNotNone(client.standard.lost_reason)


class ForwardingTests(ChatCase):
    """What goes in comes out at the other end, and nowhere else."""

    def test_both_ways(self) -> None:
        self.alice.send(self.stream, b"ping")
        self.bob.send(self.stream, b"pong")
        self.assertEqual((self.bob.received, self.alice.received), (b"ping", b"pong"))
        self.assertEqual(self.carol.received, b"")

    def test_large(self) -> None:
        data = bytes(range(256)) * 2000
        self.alice.send(self.stream, data)
        self.assertEqual(self.bob.received, data)

    def test_run_is_one_write(self) -> None:
        """Many frames that came together leave together."""
        legs = [FakeLeg(), FakeLeg()]
        streams = Streams(legs[0])
        streams.open(Relay(7, *legs))
        frames = b"".join(framing.encode_chat(7, b"x") for _ in range(50))
        decoder = framing.Decoder(frozenset({framing.CHAT}))
        for run in decoder.feed(frames):
            streams.received(run)  # type: ignore[arg-type]
        self.assertEqual(legs[1].written, [frames])


class FakeLeg:
    """A leg that notes what is done to it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.holders: set[str] = set()
        self.is_congested = False
        self.straight = 0
        self.target: object = None

    def send(self, frame: bytes) -> None:
        self.written.append(frame)

    def forward_straight(
        self, stream: int, forward: Callable[[bytes], None], target: object = None
    ) -> None:
        self.straight, self.target = stream, target

    def forward_no_more(self) -> None:
        self.straight = 0

    def hold(self, who: str) -> None:
        self.holders.add(who)

    def release(self, who: str) -> None:
        self.holders.discard(who)


class ConsentTests(ChatCase):
    """A chat frame without an accepted chat ends its sender's session, nobody else's."""

    # Promise T60
    def test_never_opened(self) -> None:
        self.carol.send(12345, b"x")
        self.assert_thrown_out(self.carol)

    # Promise T61
    def test_somebody_elses_stream(self) -> None:
        self.carol.send(self.stream, b"injected")
        self.assert_thrown_out(self.carol)
        self.assertEqual((self.alice.received, self.bob.received), (b"", b""))
        self.alice.send(self.stream, b"still here")
        self.assertEqual(self.bob.received, b"still here")

    # Promise T61
    def test_another_number_while_chatting(self) -> None:
        self.alice.send(self.stream + 1, b"x")
        self.assert_thrown_out(self.alice)
        self.assertEqual(self.bob.said("closed"), [self.stream])

    # Promise T60
    def test_while_only_asking(self) -> None:
        """Not one byte before the acceptance, whatever number is guessed."""
        dave = self.server.client("dave")
        asked = dave.ask(vocabulary.RequestChat, callee=Name("carol"))
        for number in range(1, 9):
            dave.send(number, b"x")
        self.assert_thrown_out(dave)
        self.failureResultOf(asked, ConnectionLost)
        self.assertEqual(self.carol.received, b"")

    def test_late_frames_are_dropped(self) -> None:
        """Both were still sending when the other ended: no offence."""
        self.end(self.bob)
        self.alice.send(self.stream, b"too late")
        self.bob.send(self.stream, b"too late")
        self.assertEqual((self.bob.received, self.alice.received), (b"", b""))
        self.assertEqual(self.alice.done(self.alice.ask(vocabulary.Ping)), {})
        self.assertEqual(self.bob.done(self.bob.ask(vocabulary.Ping)), {})

    def test_late_frames_do_not_reach_the_next_chat(self) -> None:
        self.end(self.bob)
        chatting(self.alice, self.carol, "carol")
        self.alice.send(self.stream, b"old")
        self.assertEqual(self.carol.received, b"")

    def test_nothing_goes_straight_after_the_end(self) -> None:
        legs = FakeLeg(), FakeLeg()
        relay = Relay(7, *legs)
        Streams(legs[0]).open(relay)
        self.assertEqual((legs[0].straight, legs[0].target), (7, legs[1]))
        relay.end()
        self.assertEqual(legs[0].straight, 0)

    def test_only_the_open_stream_goes_straight(self) -> None:
        leg = FakeLeg()
        streams = Streams(leg)
        streams.open(Relay(7, leg, FakeLeg()))
        streams.close(6)
        self.assertEqual(leg.straight, 7)
        streams.close(7)
        self.assertEqual(leg.straight, 0)

    def test_very_late_frames(self) -> None:
        """Only so many ended streams are remembered."""
        streams = Streams(FakeLeg())
        for number in range(1, limits.ENDED_STREAMS + 2):
            streams.close(number)
        streams.received(framing.Run(2, b""))
        self.assertRaises(NotYourStream, streams.received, framing.Run(1, b""))


class EndTests(ChatCase):
    """However a chat ends, both are free, and the other is told."""

    def test_end(self) -> None:
        self.end(self.alice)
        self.assertEqual(self.bob.said("closed"), [self.stream])
        self.assertEqual(self.alice.said("closed"), [])
        chatting(self.alice, self.bob, "bob")

    def test_twice(self) -> None:
        self.end(self.alice)
        for client in (self.alice, self.bob):
            asked = client.ask(vocabulary.EndChat, stream=self.stream)
            self.failureResultOf(asked, refusals.NothingToEnd)

    # Promise T63
    def test_somebody_elses(self) -> None:
        asked = self.carol.ask(vocabulary.EndChat, stream=self.stream)
        self.failureResultOf(asked, refusals.NothingToEnd)
        dave = self.server.client("dave")
        daves = chatting(dave, self.carol, "carol")
        asked = dave.ask(vocabulary.EndChat, stream=self.stream)
        self.failureResultOf(asked, refusals.NothingToEnd)
        dave.send(daves, b"y")
        self.assertEqual(self.carol.received, b"y")
        self.alice.send(self.stream, b"x")
        self.assertEqual(self.bob.received, b"x")

    def test_either_vanishes(self) -> None:
        self.alice.standard_wire.cut()
        self.server.network.pump()
        self.assertEqual(self.bob.said("closed"), [self.stream])
        chatting(self.bob, self.carol, "carol")

    def test_request_channel_may_go_in_a_chat(self) -> None:
        """The chat stands on the standard channel."""
        self.bob.request_wire.cut()  # type: ignore[union-attr]
        self.server.network.pump()
        self.alice.send(self.stream, b"x")
        self.assertEqual(self.bob.received, b"x")

    def test_taken_over_in_a_chat(self) -> None:
        ManualClient(self.server, self.bob.identity).log_in(takeover=True)
        self.assertEqual(self.alice.said("closed"), [self.stream])


class BackpressureTests(ChatCase):
    """A callee who does not read stops the caller, in bounded memory."""

    def flood(self, chunks: int = 200) -> None:
        """Alice sends as fast as her transport takes it."""
        chunk = framing.encode_chat(self.stream, bytes(limits.MAX_CHAT_CHUNK))
        for _ in range(chunks):
            if not self.alice.standard.is_congested:
                self.alice.standard.send(chunk)
            self.server.network.pump()

    def waiting(self) -> int:
        """Bytes that the server holds for Bob."""
        return len(self.bob.standard_wire.server.outgoing)

    # Promise T82
    def test_bounded(self) -> None:
        """By the transport's mark and one read on top, for TLS a little more."""
        self.bob.standard_wire.client.pauseProducing()
        self.flood()
        self.assertGreater(self.waiting(), BUFFER)
        self.assertLessEqual(self.waiting(), 2 * BUFFER + 1024)
        self.assertLessEqual(self.waiting(), limits.MAX_RELAY_BUFFER)
        self.assertFalse(self.alice.standard_wire.server.reading)
        self.assertTrue(self.alice.standard.is_congested)

    def test_nothing_is_lost_when_the_reader_comes_back(self) -> None:
        self.bob.standard_wire.client.pauseProducing()
        self.flood()
        self.bob.standard_wire.client.resumeProducing()
        self.server.network.pump()
        self.assertTrue(self.alice.standard_wire.server.reading)
        self.assertFalse(self.alice.standard.is_congested)
        self.alice.send(self.stream, b"last")
        self.assertTrue(self.bob.received.endswith(b"last"))
        self.assertEqual((len(self.bob.received) - 4) % limits.MAX_CHAT_CHUNK, 0)

    # Promise T82
    def test_no_progress_ends_the_reader(self) -> None:
        """And frees the writer, so that ending a chat never hangs."""
        self.bob.standard_wire.client.pauseProducing()
        self.flood()
        self.server.network.advance(limits.NO_PROGRESS + limits.CLOSE_DEADLINE + 1)
        self.assertEqual(self.alice.said("closed"), [self.stream])
        self.assertTrue(self.alice.standard_wire.server.reading)
        self.assertEqual(self.alice.done(self.alice.ask(vocabulary.Ping)), {})

    def test_end_of_chat_releases_the_writer(self) -> None:
        self.bob.standard_wire.client.pauseProducing()
        self.flood()
        self.bob.ask(vocabulary.EndChat, stream=self.stream)
        self.bob.standard_wire.client.resumeProducing()
        self.server.network.pump()
        self.assertTrue(self.alice.standard_wire.server.reading)

    def test_client_that_reads_no_answers(self) -> None:
        """Commands without end, answers unread: the session ends before memory does.

        Whatever their pace: that of `Ping` would never fill a buffer.
        """
        self.patch(vocabulary.Ping, "pace", Pace(1_000_000, 1.0))
        self.carol.standard_wire.client.pauseProducing()
        most = 0
        for _ in range(400):
            for _ in range(50):
                self.carol.standard.control.call(vocabulary.Ping).addErrback(lambda _: None)
            self.server.network.pump()
            most = max(most, len(self.carol.standard_wire.server.outgoing))
        self.assertEqual(len(self.server.reception.sessions), 2)
        self.assertLessEqual(most, limits.MAX_RELAY_BUFFER)

    def test_relay_of_a_leg_that_is_full_already(self) -> None:
        full, other = FakeLeg(), FakeLeg()
        full.is_congested = True
        relay = Relay(1, full, other)
        self.assertTrue(other.holders)
        relay.end()
        self.assertFalse(other.holders)
        relay.forward(full, b"x")
        relay.congestion_changed(full)
        self.assertEqual((other.written, other.holders), ([], set()))

    def test_reader_that_drips(self) -> None:
        """It is the slow reader who goes, not the one who writes to them."""
        for _ in range(4):
            self.bob.standard_wire.client.pauseProducing()
            self.flood(40)
            self.server.network.advance(limits.NO_PROGRESS - 5)
            self.bob.standard_wire.client.resumeProducing()
            self.server.network.pump()
            self.alice.ask(vocabulary.Ping).addErrback(lambda _: None)
        self.assertEqual(self.alice.said("closed"), [self.stream])
        self.assertIsNone(self.alice.standard.lost_reason)
