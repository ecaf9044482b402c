"""A wire in memory behaves as Twisted's TCP does, where securecom depends on it."""

from __future__ import annotations

from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
)
from twisted.internet.interfaces import IConsumer, ITCPTransport
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from securecom.tests.support.network import BUFFER, MemoryTransport, Network
from securecom.tests.support.recording_protocol import RecordingProtocol


class Producer:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")

    def stopProducing(self) -> None:
        self.told.append("stop")


class WireCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = Network()
        self.factory = Factory.forProtocol(RecordingProtocol)
        self.factory.noisy = False
        self.wire = self.network.connect(self.factory, self.factory)
        self.here, self.there = self.wire.client, self.wire.server

    def at(self, end: MemoryTransport) -> RecordingProtocol:
        assert isinstance(end.protocol, RecordingProtocol)
        return end.protocol


class TransportTests(WireCase):
    def test_it_is_what_twisted_calls_a_tcp_transport(self) -> None:
        verifyObject(ITCPTransport, self.here)
        verifyObject(IConsumer, self.here)
        self.here.setTcpNoDelay(True)
        self.here.setTcpKeepAlive(True)
        self.assertTrue(self.here.getTcpNoDelay())
        self.assertFalse(self.here.getTcpKeepAlive())
        self.assertRaises(NotImplementedError, self.here.loseWriteConnection)

    def test_bytes_arrive_in_order_when_the_network_is_pumped(self) -> None:
        self.here.write(b"a")
        self.here.writeSequence([b"b", b"c"])
        self.assertEqual(self.at(self.there).received, b"")
        self.network.pump()
        self.assertEqual(self.at(self.there).received, b"abc")

    def test_no_more_at_once_than_a_socket_gives(self) -> None:
        self.here.write(bytes(3 * BUFFER))
        self.network.pump()
        self.assertEqual([len(piece) for piece in self.at(self.there).pieces], [BUFFER] * 3)

    def test_a_pause_keeps_bytes_on_the_wire(self) -> None:
        self.there.pauseProducing()
        self.here.write(b"a")
        self.network.pump()
        self.assertEqual(self.at(self.there).received, b"")
        self.there.resumeProducing()
        self.network.pump()
        self.assertEqual(self.at(self.there).received, b"a")

    def test_a_tap_sees_and_changes_what_passes(self) -> None:
        seen: list[bytes] = []

        def tap(data: bytes) -> bytes:
            seen.append(data)
            return data.upper()

        self.here.tap = tap
        self.here.write(b"a")
        self.network.pump()
        self.assertEqual((seen, self.at(self.there).received), ([b"a"], b"A"))

    def test_a_tap_may_swallow(self) -> None:
        self.here.tap = lambda _: b""
        self.here.write(b"a")
        self.network.pump()
        self.assertEqual(self.at(self.there).pieces, [])

    def test_each_end_knows_both_addresses(self) -> None:
        self.assertEqual(self.here.getHost(), self.there.getPeer())
        self.assertEqual(self.here.getPeer(), self.there.getHost())
        other = self.network.connect(self.factory, self.factory, "203.0.113.9")
        address = other.server.getPeer()
        self.assertEqual(address.host, "203.0.113.9")
        self.assertNotEqual(address, self.there.getPeer())


class ProducerTests(WireCase):
    def setUp(self) -> None:
        super().setUp()
        self.producer = Producer()
        self.here.registerProducer(self.producer, True)

    def test_a_full_transport_pauses_and_an_empty_one_resumes(self) -> None:
        self.there.pauseProducing()
        self.here.write(bytes(BUFFER))
        self.assertEqual(self.producer.told, [])
        self.here.write(b"x")
        self.here.write(b"y")
        self.network.pump()
        self.assertEqual(self.producer.told, ["pause"])
        self.there.resumeProducing()
        self.network.pump()
        self.assertEqual(self.producer.told, ["pause", "resume"])

    def test_it_resumes_only_once_it_is_empty(self) -> None:
        self.here.write(bytes(BUFFER + 1))
        self.here.deliver()
        self.assertEqual(self.producer.told, ["pause"])
        self.here.deliver()
        self.assertEqual(self.producer.told, ["pause", "resume"])

    def test_one_producer_at_a_time(self) -> None:
        self.assertRaises(RuntimeError, self.here.registerProducer, Producer(), True)
        self.here.unregisterProducer()
        self.here.registerProducer(Producer(), True)

    def test_a_producer_keeps_the_transport_open(self) -> None:
        self.here.loseConnection()
        self.here.write(b"more")
        self.network.pump()
        self.assertEqual((self.at(self.here).losses, self.at(self.there).received), ([], b"more"))
        self.here.unregisterProducer()
        self.network.pump()
        self.assertEqual(self.at(self.here).losses, [ConnectionDone])

    def test_a_lost_connection_stops_its_producer(self) -> None:
        self.wire.cut()
        self.network.pump()
        self.assertEqual(self.producer.told, ["stop"])

    def test_a_producer_that_comes_too_late_is_stopped(self) -> None:
        self.wire.cut()
        self.network.pump()
        late = Producer()
        self.here.registerProducer(late, True)
        self.assertEqual(late.told, ["stop"])


class EndTests(WireCase):
    def test_a_close_flushes_and_then_both_are_lost(self) -> None:
        self.here.write(bytes(3 * BUFFER))
        self.here.loseConnection()
        self.here.write(b"too late")
        self.network.pump()
        self.assertEqual(self.at(self.there).received, bytes(3 * BUFFER))
        self.assertEqual(self.at(self.here).losses, [ConnectionDone])
        self.assertEqual(self.at(self.there).losses, [ConnectionDone])
        self.assertEqual(self.network.wires, [])

    def test_stopping_to_produce_is_closing(self) -> None:
        self.here.stopProducing()
        self.network.pump()
        self.assertEqual(self.at(self.here).losses, [ConnectionDone])

    def test_an_abort_flushes_nothing_and_says_so(self) -> None:
        self.here.write(b"a")
        self.here.abortConnection()
        self.here.write(b"b")
        self.network.pump()
        self.assertEqual(self.at(self.there).received, b"")
        self.assertEqual(self.at(self.here).losses, [ConnectionAborted])
        self.assertEqual(self.at(self.there).losses, [ConnectionLost])

    def test_nothing_reaches_an_end_that_has_closed_or_aborted(self) -> None:
        for how in ("loseConnection", "abortConnection"):
            wire = self.network.connect(self.factory, self.factory)
            wire.server.write(b"a")
            getattr(wire.client, how)()
            wire.client.resumeProducing()
            self.network.pump()
            self.assertEqual(self.at(wire.client).received, b"")

    def test_both_close_with_bytes_under_way(self) -> None:
        for end in (self.here, self.there):
            end.write(b"a")
            end.loseConnection()
        self.network.pump()
        self.assertEqual(self.at(self.here).losses, [ConnectionDone])
        self.assertEqual(self.at(self.there).losses, [ConnectionDone])

    def test_a_close_waits_for_a_reader_that_does_not_read(self) -> None:
        self.there.pauseProducing()
        self.here.write(b"a")
        self.here.loseConnection()
        self.network.advance(60)
        self.assertEqual(self.at(self.here).losses, [])
        self.there.resumeProducing()
        self.network.pump()
        self.assertEqual(self.at(self.there).received, b"a")
        self.assertEqual(self.at(self.here).losses, [ConnectionDone])

    def test_a_cut_takes_what_was_under_way_with_it(self) -> None:
        self.here.write(b"a")
        self.wire.cut()
        self.network.pump()
        self.assertEqual(self.at(self.there).received, b"")
        self.assertEqual((len(self.at(self.here).losses), len(self.at(self.there).losses)), (1, 1))
