from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IPushProducer, ITransport
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from securecom import framing, limits
from securecom.client.chat.stream import Stream
from securecom.tests.support.chat_pair import Leg


class Notes(Protocol):
    def __init__(self) -> None:
        self.received = b""
        self.losses: list[type[BaseException] | None] = []

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        self.losses.append(reason.type)


@implementer(IPushProducer)
class Producer:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")


class StreamTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.leg, self.clock, self.protocol = Leg(), Clock(), Notes()
        self.stream = Stream(9, self.leg, self.clock)
        self.stream.carry(self.protocol)

    def test_it_is_what_it_says(self) -> None:
        for interface in (ITransport, IConsumer, IPushProducer):
            self.assertTrue(verifyObject(interface, self.stream))

    def test_what_is_written_leaves_at_once_in_chat_frames(self) -> None:
        data = bytes(range(256)) * 200
        self.stream.write(data[:5])
        self.stream.writeSequence([data[5:6], data[6:]])
        self.stream.write(b"")
        frames = list(framing.Decoder(frozenset({framing.CHAT})).feed(self.leg.outgoing))
        (run,) = frames
        assert isinstance(run, framing.Run)
        self.assertEqual((run.stream, framing.chat_bytes(run)), (9, data))
        self.assertGreater(len(run.raw), len(data) + 2 * limits.FRAME_HEADER)

    def test_what_comes_is_handed_on(self) -> None:
        self.stream.received(b"abc")
        self.assertEqual(self.protocol.received, b"abc")

    def test_its_address_is_its_number(self) -> None:
        self.assertEqual(self.stream.getPeer(), self.stream.getHost())
        self.assertEqual(self.stream.getPeer().number, 9)

    # --- flow -------------------------------------------------------------------------------

    def test_congestion_of_the_channel_pauses_and_resumes_whoever_writes(self) -> None:
        producer = Producer()
        self.stream.congestion_changed()  # nobody writes: nobody to pause
        self.stream.registerProducer(producer, True)
        self.leg.is_congested = True
        self.stream.congestion_changed()
        self.leg.is_congested = False
        self.stream.congestion_changed()
        self.stream.unregisterProducer()
        self.stream.congestion_changed()
        self.assertEqual(producer.calls, ["pause", "resume"])

    def test_who_begins_to_write_into_a_full_channel_is_paused(self) -> None:
        producer = Producer()
        self.leg.is_congested = True
        self.stream.registerProducer(producer, True)
        self.assertEqual(producer.calls, ["pause"])

    def test_there_is_one_producer_and_it_pushes(self) -> None:
        self.assertRaises(RuntimeError, self.stream.registerProducer, Producer(), False)
        self.stream.registerProducer(Producer(), True)
        self.assertRaises(RuntimeError, self.stream.registerProducer, Producer(), True)

    def test_a_producer_that_comes_after_the_end_is_stopped(self) -> None:
        producer = Producer()
        self.stream.loseConnection()
        self.stream.registerProducer(producer, True)
        self.assertEqual(producer.calls, ["stop"])

    def test_a_chat_that_does_not_want_to_read_holds_the_channel(self) -> None:
        self.stream.pauseProducing()
        self.assertEqual(len(self.leg.holders), 1)
        self.stream.resumeProducing()
        self.assertEqual(self.leg.holders, set())

    def test_the_end_lets_go_of_the_channel_and_it_stays_so(self) -> None:
        self.stream.pauseProducing()
        self.stream.loseConnection()
        self.assertEqual(self.leg.holders, set())
        self.stream.pauseProducing()
        self.assertEqual(self.leg.holders, set())

    # --- the end ----------------------------------------------------------------------------

    def check_end(self, end: Any, reason: type[BaseException]) -> None:
        end()
        self.assertTrue(self.stream.disconnecting)
        self.assertEqual(self.protocol.losses, [])  # never from inside a call
        self.stream.write(b"late")
        self.stream.received(b"late")
        self.stream.loseConnection()
        self.clock.advance(0)
        self.clock.advance(1)
        self.assertEqual(self.protocol.losses, [reason])
        self.assertEqual((self.leg.outgoing, self.protocol.received), (b"", b""))

    def test_we_close(self) -> None:
        self.check_end(self.stream.loseConnection, ConnectionDone)

    def test_we_abort(self) -> None:
        self.check_end(self.stream.abortConnection, ConnectionAborted)

    def test_we_stop_reading_for_good(self) -> None:
        self.check_end(self.stream.stopProducing, ConnectionDone)

    def test_the_server_closes(self) -> None:
        self.check_end(self.stream.closed, ConnectionDone)

    def test_the_channel_is_lost(self) -> None:
        self.check_end(self.stream.lost, ConnectionLost)

    def test_a_stream_that_carries_nothing_ends_quietly(self) -> None:
        stream = Stream(1, self.leg, self.clock)
        stream.received(b"too early")
        stream.closed()
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
