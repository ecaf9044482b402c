"""The network in memory behaves as Twisted's TCP does, where securecom depends on it."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import (
    CannotListenError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
)
from twisted.internet.interfaces import IConsumer, IListeningPort, ITCPTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from securecom.testing import BUFFER, MemoryTransport, Network, Wire


class Noting(Protocol):
    """Notes what comes."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.losses: list[type[BaseException] | None] = []

    def dataReceived(self, data: bytes) -> None:
        self.pieces.append(data)

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        self.losses.append(reason.type)

    @property
    def received(self) -> bytes:
        return b"".join(self.pieces)


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
        self.factory = Factory.forProtocol(Noting)
        self.factory.noisy = False
        self.wire = self.network.connect(self.factory, self.factory)
        self.here, self.there = self.wire.client, self.wire.server

    def at(self, end: MemoryTransport) -> Noting:
        assert isinstance(end.protocol, Noting)
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

    def test_nothing_reaches_who_has_closed_or_aborted(self) -> None:
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


class TimeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = Network()

    def test_time_passes_in_steps_and_pumping_takes_none(self) -> None:
        times: list[float] = []
        for wait in (0, 1, 2.5, 4):
            self.network.clock.callLater(wait, lambda: times.append(self.network.clock.seconds()))
        self.network.pump()
        self.assertEqual(times, [0])
        self.network.advance(3.5)
        self.assertEqual((times, self.network.clock.seconds()), ([0, 1, 3], 3.5))
        self.network.advance(1, step=0.25)
        self.assertEqual(times, [0, 1, 3, 4])

    def test_what_is_due_at_once_happens_within_one_pump(self) -> None:
        done: list[int] = []
        later = self.network.clock.callLater
        later(0, lambda: later(0, lambda: later(0, lambda: done.append(1))))
        self.network.pump()
        self.assertEqual(done, [1])

    def test_a_network_that_never_rests_is_an_error(self) -> None:
        class Echo(Protocol):
            def dataReceived(self, data: bytes) -> None:
                assert self.transport is not None
                self.transport.write(data)

        factory = Factory.forProtocol(Echo)
        wire = self.network.connect(factory, factory)
        wire.client.write(b"a")
        self.assertRaises(RuntimeError, self.network.pump)


class EndpointTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = Network()
        self.accepted: list[Noting] = []
        self.server = Factory.forProtocol(self.accept)
        self.client = Factory.forProtocol(Noting)
        self.server.noisy = self.client.noisy = False

    def accept(self) -> Noting:
        self.accepted.append(Noting())
        return self.accepted[-1]

    def listen(self, port: int = 0) -> Any:
        return self.successResultOf(self.network.server_endpoint(port).listen(self.server))

    def connect(self, port: int, source: str = "192.0.2.1") -> Any:
        return self.network.client_endpoint(port, source).connect(self.client)

    def test_a_client_reaches_what_listens(self) -> None:
        port = self.listen(4241)
        verifyObject(IListeningPort, port)
        client = self.successResultOf(self.connect(4241, "203.0.113.9"))
        client.transport.write(b"a")
        self.network.pump()
        self.assertEqual(self.accepted[0].received, b"a")
        self.assertEqual(self.network.wires[0].server.getPeer().host, "203.0.113.9")
        self.assertEqual(port.getHost().port, 4241)
        self.assertIsInstance(port.getHost(), IPv4Address)

    def test_nobody_listens(self) -> None:
        self.failureResultOf(self.connect(4241), ConnectionRefusedError)

    def test_port_nought_is_a_free_one(self) -> None:
        ports = {self.listen().getHost().port for _ in range(3)}
        self.assertEqual(len(ports), 3)
        self.assertNotIn(0, ports)

    def test_a_port_that_is_taken(self) -> None:
        self.listen(4241)
        listening = self.network.server_endpoint(4241).listen(self.server)
        self.failureResultOf(listening, CannotListenError)

    def test_a_port_that_stopped_listening_keeps_its_connections(self) -> None:
        port = self.listen(4241)
        port.startListening()
        client = self.successResultOf(self.connect(4241))
        self.successResultOf(port.stopListening())
        self.successResultOf(port.stopListening())  # again is no error
        self.failureResultOf(self.connect(4241), ConnectionRefusedError)
        client.transport.write(b"a")
        self.network.pump()
        self.assertEqual(self.accepted[0].received, b"a")
        self.assertEqual(self.server.numPorts, 0)

    def test_a_server_that_wants_no_more_closes_at_once(self) -> None:
        self.server.buildProtocol = lambda _: None  # type: ignore[method-assign, assignment]
        self.listen(4241)
        client = self.successResultOf(self.connect(4241))
        self.network.pump()
        self.assertEqual(client.losses, [ConnectionLost])

    def test_a_client_that_wants_nothing_after_all(self) -> None:
        self.client.buildProtocol = lambda _: None  # type: ignore[method-assign, assignment]
        self.listen(4241)
        self.failureResultOf(self.connect(4241), ConnectionRefusedError)
        self.network.pump()
        self.assertEqual(self.accepted[0].losses, [ConnectionLost])

    def test_a_wire_is_two_transports(self) -> None:
        wire = self.network.connect(self.client, self.server)
        self.assertIsInstance(wire, Wire)
        self.assertIs(wire.client.other, wire.server)
        self.assertIs(wire.server.other, wire.client)
