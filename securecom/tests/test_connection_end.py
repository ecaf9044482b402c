"""How a connection ends: closed or cut, by us or by the peer, and nothing afterwards."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from securecom import framing, limits, tls
from securecom.errors import (
    OurFault,
    ServerMismatch,
    WireError,
)
from securecom.framing import encode_chat
from securecom.tests.support.joined_connections import NetworkCase, Recorder
from securecom.tests.support.network import BUFFER


class EndTests(NetworkCase):
    def setUp(self) -> None:
        super().setUp()
        self.client, self.server, self.wire = self.pair()

    def assert_both_lost(self) -> None:
        self.assertEqual((len(self.client.losses), len(self.server.losses)), (1, 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_close_flushes_what_was_written(self) -> None:
        for length in (1, BUFFER * 4):
            self.client, self.server, _ = self.pair()
            self.server.send(encode_chat(1, bytes(length)))
            self.server.close()
            self.network.pump()
            got = b"".join(framing.chat_bytes(run) for run in self.client.runs)
            self.assertEqual(len(got), length)
            self.assert_both_lost()

    def test_a_close_takes_no_time_where_the_peer_answers(self) -> None:
        self.client.close()
        self.network.pump()
        self.assert_both_lost()
        self.assertIsNone(self.client.reason)

    def test_a_peer_that_never_answers_is_cut(self) -> None:
        self.client.hold("test")
        self.server.close()
        self.network.advance(limits.CLOSE_DEADLINE - 0.5)
        self.assertEqual(self.server.losses, [])
        self.network.advance(1)
        self.assertEqual(len(self.server.losses), 1)

    def test_a_close_while_held(self) -> None:
        self.server.hold("test")
        self.server.close()
        self.network.pump()  # or the peer's own goodbye would never be read
        self.assert_both_lost()

    def test_a_close_while_congested(self) -> None:
        self.client.hold("test")
        self.server.send(encode_chat(1, bytes(BUFFER * 4)))
        self.network.pump()
        self.assertTrue(self.server.is_congested)
        self.server.close()
        self.client.release("test")
        self.network.pump()
        self.assertEqual(sum(len(framing.chat_bytes(r)) for r in self.client.runs), BUFFER * 4)
        self.assert_both_lost()

    def test_a_close_while_congested_is_not_waited_for_longer_than_any(self) -> None:
        self.client.hold("test")
        self.server.send(encode_chat(1, bytes(BUFFER * 4)))
        self.network.pump()
        self.server.close()
        self.network.advance(limits.CLOSE_DEADLINE + 1)
        self.assertEqual(len(self.server.losses), 1)

    def test_a_fault_while_held_or_congested(self) -> None:
        for prepare in (
            lambda: self.server.hold("test"),
            lambda: self.server.send(encode_chat(1, bytes(BUFFER * 4))),
        ):
            self.client, self.server, _ = self.pair()
            self.client.hold("test")
            prepare()
            self.network.pump()
            self.server.fault(WireError("enough"))
            self.network.pump()
            self.assert_both_lost()

    def test_nothing_is_delivered_after_closing(self) -> None:
        self.client.hold("test")  # so that the close hangs
        self.server.close()
        self.client.send(encode_chat(1, b"late"))
        answer = self.client.ping()
        self.network.pump()
        self.assertEqual((self.server.runs, self.server.answers.pings), ([], 0))
        self.network.advance(limits.CLOSE_DEADLINE + 1)
        self.assert_both_lost()
        self.failureResultOf(answer, ConnectionLost)

    def test_nothing_is_sent_after_closing(self) -> None:
        self.server.close()
        self.server.send(encode_chat(1, b"late"))
        self.network.pump()
        self.assertEqual(self.client.runs, [])

    def test_an_answer_that_is_ready_after_the_end_goes_nowhere(self) -> None:
        waiting: Deferred[Any] = Deferred()
        self.server.answers.answer = lambda: waiting
        self.client.ping().addErrback(lambda _: None)
        self.network.pump()
        self.wire.cut()
        self.network.pump()
        waiting.callback({})
        self.assert_both_lost()

    def test_a_command_that_fails_after_the_end_is_logged_and_harms_nobody(self) -> None:
        waiting: Deferred[Any] = Deferred()
        self.server.answers.answer = lambda: waiting
        self.client.ping().addErrback(lambda _: None)
        self.network.pump()
        self.wire.cut()
        self.network.pump()
        waiting.errback(RuntimeError("too late"))
        self.assertEqual(len(self.flushLoggedErrors(OurFault)), 1)
        self.assert_both_lost()

    def test_the_end_fails_calls_that_wait(self) -> None:
        for what, how in (("server", "close"), ("client", "close"), ("wire", "cut")):
            self.server.answers.answer = Deferred
            answers = [self.client.ping() for _ in range(3)]
            self.network.pump()
            getattr(getattr(self, what), how)()
            self.network.pump()
            self.assert_both_lost()
            for answer in answers:
                self.failureResultOf(answer, ConnectionLost)
            self.failureResultOf(self.client.ping(), ConnectionLost)
            self.client, self.server, self.wire = self.pair()

    def test_ending_twice_or_both_ways_is_ending_once(self) -> None:
        self.server.close()
        self.server.close()
        self.server.fault(WireError("too late to matter"))
        self.network.pump()
        self.server.close()
        self.server.fault(WireError("much too late"))
        self.assert_both_lost()
        self.assertIsNone(self.server.reason)

    def test_both_ends_close_at_once(self) -> None:
        self.server.close()
        self.client.close()
        self.network.pump()
        self.assert_both_lost()

    def test_a_fault_cuts_at_once_and_is_the_reason(self) -> None:
        error = WireError("enough")
        self.server.fault(error)
        self.server.fault(WireError("more"))
        self.network.pump()
        self.assert_both_lost()
        self.assertIs(self.server.end, error)

    def test_a_machine_that_dies(self) -> None:
        self.wire.cut()
        self.network.pump()
        self.assert_both_lost()
        self.assertIsNone(self.client.reason)

    def test_a_close_before_the_handshake_is_over(self) -> None:
        client, server = Recorder(self.clock), Recorder(self.clock)
        client_tls = tls.standard_client(self.identity, self.pin)
        self.join(client, client_tls, server, tls.standard_server(self.credentials))
        client.close()
        self.network.pump()
        self.assertEqual((len(client.losses), len(server.losses)), (1, 1))
        self.assertFalse(client.is_secured or server.is_secured)


class BareTransportTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.connection = Recorder(self.clock)
        self.transport = StringTransport()
        self.connection.makeConnection(self.transport)

    def test_after_closing_nothing_is_written(self) -> None:
        self.connection.send(b"a")
        self.connection.close()
        self.connection.send(b"b")
        self.assertEqual(self.transport.value(), b"a")

    def test_after_closing_reading_is_neither_stopped_nor_resumed(self) -> None:
        self.connection.close()
        self.connection.hold("test")  # a transport that is closing takes neither
        self.connection.release("test")
        self.assertTrue(self.transport.disconnecting)

    def test_after_the_end_as_well(self) -> None:
        self.connection.connectionLost()
        self.transport.loseConnection()
        self.connection.hold("test")
        self.connection.release("test")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_first_reason_stays(self) -> None:
        first = ServerMismatch("another server")
        self.connection.certificate_refused(first)
        self.connection.certificate_refused(ServerMismatch("of no importance"))
        self.connection.fault(WireError("a consequence"))
        self.connection.connectionLost()
        self.assertIs(self.connection.end, first)


class UnconnectedTests(SynchronousTestCase):
    def test_before_there_is_a_transport_nothing_can_end_or_be_sent(self) -> None:
        connection = Recorder(clock=None)  # type: ignore[arg-type]
        connection.close()
        connection.fault(WireError("nobody is there"))
        connection.send(b"x")
        self.assertFalse(connection.is_closing)
