"""Time and endpoints of the network in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import (
    CannotListenError,
    ConnectionLost,
    ConnectionRefusedError,
)
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from securecom.tests.support.network import Network, Wire
from securecom.tests.support.recording_protocol import RecordingProtocol


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
        self.accepted: list[RecordingProtocol] = []
        self.server = Factory.forProtocol(self.accept)
        self.client = Factory.forProtocol(RecordingProtocol)
        self.server.noisy = self.client.noisy = False

    def accept(self) -> RecordingProtocol:
        self.accepted.append(RecordingProtocol())
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
