"""The beginning of a connection, its deadline, and its frames."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport

from securecom import framing, limits, tls
from securecom.connection import Connection
from securecom.errors import (
    NotYourStream,
    OurFault,
    TLSRefused,
    WireError,
)
from securecom.framing import encode_chat
from securecom.identity import Identity
from securecom.tests.support.joined_connections import NetworkCase, Plain, PlainTLS, Recorder
from securecom.tests.support.network import Wire

PING = framing.encode(framing.CONTROL, b"\0\4_ask\0\0011\0\10_command\0\4Ping\0\0")


class HandshakeTests(NetworkCase):
    # Promise T6
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

    # Promise T7
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

    def test_a_lane_that_nobody_reads_takes_no_frame(self) -> None:
        frame = framing.Frame(framing.EPOCH, b"x")
        self.assertRaises(WireError, Recorder(self.clock).frame_received, frame)

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
    def test_commands_and_chat_frames_reach_their_handlers(self) -> None:
        client, server, _ = self.pair()
        answer = client.ping()
        client.send(encode_chat(7, b"hello"))
        self.network.pump()
        self.assertEqual(self.successResultOf(answer), {})
        self.assertEqual([(r.stream, framing.chat_bytes(r)) for r in server.runs], [(7, b"hello")])

    # Promise T83
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

    # Promise T83
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

    # Promise T83
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
