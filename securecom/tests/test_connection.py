"""A connection's life: secured, established, held, congested, closed or cut; and its timers."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from securecom import framing, limits, tls
from securecom.connection import Connection
from securecom.errors import (
    NotYourStream,
    OurFault,
    PeerSilent,
    ServerMismatch,
    TLSRefused,
    WireError,
)
from securecom.framing import encode_chat
from securecom.identity import Identity
from securecom.testing import BUFFER, Wire
from securecom.tests.pairs import NetworkCase, Plain, PlainTLS, Recorder

MEGABYTE = 2**20
PING = framing.encode(framing.CONTROL, b"\0\4_ask\0\0011\0\10_command\0\4Ping\0\0")


class HandshakeTests(NetworkCase):
    def test_bytes_before_the_handshake_cut_the_connection(self) -> None:
        """As when a wrapper between TLS and us swallows `handshakeCompleted`."""
        connection = Recorder(self.clock)
        transport = StringTransport()
        connection.makeConnection(transport)
        connection.dataReceived(PING)
        self.assertTrue(transport.disconnected)
        self.assertIsInstance(connection.reason, WireError)
        connection.connectionLost()
        self.assertEqual((connection.runs, connection.answers.pings), ([], 0))

    def test_junk_instead_of_a_handshake(self) -> None:
        server = Recorder(self.clock)
        wire = self.wire_to(server)
        wire.client.write(b"GET / HTTP/1.1\r\n\r\n")
        self.network.pump()
        self.assertEqual((len(server.losses), server.is_secured), (1, False))

    def test_what_is_written_before_the_handshake_is_not_looked_at_until_tls_is_checked(
        self,
    ) -> None:
        """A peer whose ALPN is wrong, and who sends a command with its handshake."""
        own = Identity.generate()
        server, client = Recorder(self.clock), Chatty()
        stranger = PlainTLS(alpn=(b"h2",), chain=(own.certificate,), key=own.private_key)
        self.join(client, stranger, server, tls.standard_server(self.credentials))
        self.network.pump()
        self.assertIsInstance(server.end, TLSRefused)
        self.assertEqual(server.answers.pings, 0)

    def test_nobody_logs_in_within_the_deadline(self) -> None:
        for secured in (False, True):
            server = Recorder(self.clock)
            if secured:
                client_tls = tls.standard_client(self.identity, self.pin)
                self.join(
                    Recorder(self.clock), client_tls, server, tls.standard_server(self.credentials)
                )
            else:
                self.wire_to(server)
            self.network.advance(limits.LOGIN_DEADLINE - 0.5)
            self.assertEqual((server.is_secured, server.losses), (secured, []))
            self.network.advance(1.0)
            self.assertIsInstance(server.end, WireError)

    def test_a_handshake_that_drips_does_not_move_the_deadline(self) -> None:
        server = Recorder(self.clock)
        wire = self.wire_to(server)
        for byte in b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03\x00":
            wire.client.write(bytes((byte,)))
            self.network.advance(1.0)
        self.assertIsInstance(server.end, WireError)

    def test_established_lifts_the_deadline(self) -> None:
        client, server, _ = self.pair()
        self.network.advance(10 * limits.LOGIN_DEADLINE)
        self.assertEqual((client.losses, server.losses), ([], []))

    def test_established_is_told_once_it_is_so(self) -> None:
        told: list[str] = []
        connection = Recorder(self.clock)
        connection.on_established = lambda: told.append("established")
        connection.makeConnection(StringTransport())
        self.assertFalse(connection.is_established)
        connection.established()
        self.assertTrue(connection.is_established)
        self.assertEqual(told, ["established"])

    def test_nothing_is_established_after_closing(self) -> None:
        """Else the deadline of the close would be lifted."""
        told: list[str] = []
        _, server, wire = self.pair()
        server.on_established = lambda: told.append("established")
        wire.server.reading = False
        server.close()
        server.established()
        self.network.advance(limits.CLOSE_DEADLINE + 1)
        self.assertEqual((len(server.losses), told), (1, []))

    def test_a_subclass_has_to_say_who_answers(self) -> None:
        self.assertRaises(NotImplementedError, Connection, self.clock)

    def test_a_channel_without_chat_takes_no_run(self) -> None:
        class Bare(Connection):
            def responders(self) -> Any:
                return None

        bare = Bare(self.clock)
        self.assertRaises(WireError, bare.run_received, framing.Run(1, encode_chat(1, b"a")))

    def wire_to(self, server: Recorder) -> Wire:
        """A bare wire to our server, with nothing at its other end that speaks TLS."""
        return self.join_bare(Protocol(), server, tls.standard_server(self.credentials))


class Chatty(Plain):
    """Sends a command as soon as it is connected."""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(PING)


class FrameTests(NetworkCase):
    def test_commands_and_chat_frames_reach_who_wants_them(self) -> None:
        client, server, _ = self.pair()
        answer = client.ping()
        client.send(encode_chat(7, b"hello"))
        self.network.pump()
        self.assertEqual(self.successResultOf(answer), {})
        self.assertEqual([(r.stream, framing.chat_bytes(r)) for r in server.runs], [(7, b"hello")])

    def test_bytes_that_are_no_frame_cut_the_connection(self) -> None:
        client, server, _ = self.pair()
        client.send(b"\xff")
        self.network.pump()
        self.assertIsInstance(server.end, WireError)
        self.assertEqual(len(client.losses), 1)

    def test_frames_before_a_bad_one_are_still_taken_those_after_it_are_not(self) -> None:
        client, server, _ = self.pair()
        good = encode_chat(7, b"a")
        client.send(good + b"\xff" + good)
        self.network.pump()
        self.assertEqual(server.runs, [framing.Run(7, good)])
        self.assertIsInstance(server.end, WireError)

    def test_a_fault_from_inside_a_command(self) -> None:
        client, server, _ = self.pair()
        error = NotYourStream("a frame of somebody else's stream")

        def fault() -> dict[str, Any]:
            server.fault(error)
            return {}

        server.answers.answer = fault
        answer = client.ping()
        client.send(encode_chat(7, b"a"))
        self.network.pump()
        self.assertIs(server.end, error)
        self.assertEqual(server.runs, [])
        self.failureResultOf(answer, ConnectionLost)

    def test_a_peers_fault_found_by_a_subclass(self) -> None:
        client, server, _ = self.pair()
        error = NotYourStream("a frame of somebody else's stream")

        def refuse(run: framing.Run) -> None:
            raise error

        server.on_run = refuse
        client.send(encode_chat(7, b"a"))
        self.network.pump()
        self.assertIs(server.end, error)

    def test_a_mistake_of_ours_ends_this_connection_and_goes_no_further(self) -> None:
        client, server, _ = self.pair()

        def break_down(run: framing.Run) -> None:
            raise KeyError(framing.chat_bytes(run))

        server.on_run = break_down
        client.send(encode_chat(7, b"a secret"))
        self.network.pump()
        self.assertIsInstance(server.end, OurFault)
        (failure,) = self.flushLoggedErrors(OurFault)
        self.assertNotIn("a secret", failure.getTraceback(detail="verbose"))

    def test_a_close_in_the_middle_of_what_came_ends_the_reading(self) -> None:
        client, server, _ = self.pair()

        def close(run: framing.Run) -> None:
            server.runs.append(run)
            server.close()

        server.on_run = close
        client.send(encode_chat(1, b"a") + encode_chat(2, b"b"))
        self.network.pump()
        self.assertEqual(len(server.runs), 1)


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
            self.client.hold("test")
            self.fill(self.server)
            self.network.advance(limits.NO_PROGRESS - 1)
            self.client.release("test")
            self.network.pump()
        self.network.advance(2 * limits.NO_PROGRESS)
        self.assertEqual(self.server.losses, [])

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
