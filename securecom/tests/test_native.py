"""The TLS transport with shared buffers, on Twisted's TCP connection: stories of several of them.

What one of them does is compared with Twisted's own in `test_transport_sequences`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IConsumer, ITLSTransport, ITransport
from zope.interface.verify import verifyObject

from securecom import limits
from securecom.tests.support import tls_lines
from securecom.tests.support.native_lines import Line, NativeCase
from securecom.tests.support.tls_ends import CLOSE
from securecom.tests.support.tls_lines import NotingProducer
from securecom.tests.support.tls_sequences import bytes_of
from securecom.transport import openssl
from securecom.transport.native import NativeTLS


class Noted:
    """Counts the calls of a function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.calls = function, 0

    def __call__(self, *args: Any) -> Any:
        self.calls += 1
        return self.function(*args)


class SharedBufferTests(NativeCase):
    # Promise T291
    def test_what_is_written_to_others_while_reading_is_not_mixed_up(self) -> None:
        """A ring: each hands over what it gets, while the first is still in its read."""
        lines = (self.one, self.two, self.three)
        for line, other in zip(lines, (*lines[1:], lines[0]), strict=True):
            line.protocol.when_received = other.tls.write
        wanted = [b"", b"", b""]
        for number, size in enumerate((1, 200, 16384, 16384, 37, 9000)):
            for at, line in enumerate(lines):
                line.peer.send(size, 10 * number + at)
                wanted[(at + 1) % 3] += bytes_of(10 * number + at, size)
            if number % 2:
                for line in lines:
                    line.deliver()
        for line in lines:
            line.pass_on()
            line.pass_on()
        for line, all_of_it in zip(lines, wanted, strict=True):
            self.assertEqual(bytes(line.peer.received), all_of_it)

    # Promise T291
    def test_an_echo_inside_the_read(self) -> None:
        self.one.protocol.when_received = self.one.tls.write
        for number in range(5):
            self.one.peer.send(16384, number)
        self.one.pass_on()
        self.one.pass_on()
        self.assertEqual(bytes(self.one.peer.received), self.one.protocol.received)
        self.assertEqual(len(self.one.protocol.received), 5 * 16384)

    # Promise T291
    def test_a_broken_record_of_one_ends_no_other(self) -> None:
        """OpenSSL keeps its errors in one queue; others are read while the end is not yet told."""
        self.two.peer.send(500, 1)
        self.two.wire.incoming += self.two.peer.take(300)  # so OpenSSL is asked why that is all
        self.one.protocol.when_received = lambda _: self.assertIsNone(self.two.floor.doRead())
        self.one.peer.send(100, 2)
        self.one.peer.send(100, 3)
        self.one.peer.wire[-1] ^= 1
        self.one.pass_on()
        self.assertEqual(self.one.protocol.received, bytes_of(2, 100))
        self.assertEqual(self.one.protocol.lost, [SSL.Error])
        self.two.pass_on()
        self.assertEqual(self.two.protocol.received, bytes_of(1, 500))
        self.assertEqual(self.two.protocol.lost, [])

    # Promise T291
    def test_a_write_that_fails_ends_no_other(self) -> None:
        self.one.peer.send(100, 3)
        self.one.peer.wire[-1] ^= 1
        self.one.pass_on()
        self.one.tls.write(b"too late")
        self.two.tls.write(b"fine")
        self.two.pass_on()
        self.two.pass_on()
        self.assertEqual(bytes(self.two.peer.received), b"fine")
        self.assertEqual(self.two.protocol.lost, [])


class NativeTests(NativeCase):
    def test_what_came_together_is_delivered_together(self) -> None:
        for number in range(3):
            self.one.peer.send(1000, number)
        self.one.pass_on()
        self.assertEqual(self.one.protocol.calls, [3000])

    def test_a_record_that_comes_in_pieces(self) -> None:
        self.one.peer.send(300, 1)
        data = self.one.peer.take(len(self.one.peer.wire))
        for at in range(len(data)):
            self.assertEqual(self.one.protocol.received, b"")
            self.one.wire.incoming += data[at : at + 1]
            self.reactor.turn()
        self.assertEqual(self.one.protocol.received, bytes_of(1, 300))

    def test_sizes(self) -> None:
        sent = b""
        for size in (1, 37, 16383, 16384, 16385, 60_000, limits.TLS_BUFFER, 1_000_000):
            self.one.tls.write(data := bytes_of(size, size))
            sent += data
            self.one.peer.feed(bytes(self.one.wire.outgoing))
            self.one.wire.outgoing.clear()
            self.assertEqual(len(self.one.peer.received), len(sent), "nothing is kept back")
        self.one.tls.write(b"")
        self.one.tls.writeSequence([b"a", b"", b"bc"])
        self.one.pass_on()
        self.assertEqual(bytes(self.one.peer.received), sent + b"abc")

    # Promise R134
    def test_a_peer_that_asked_for_short_records(self) -> None:
        """As `max_fragment_length` has it: OpenSSL takes no more at once then."""
        write = openssl._write
        self.patch(openssl, "_write", lambda tls, data, size: write(tls, data, min(size, 512)))
        sent = b""
        for size in (511, 512, 513, 2000, 16384, 60_000):
            self.one.tls.write(data := bytes_of(size, size))
            sent += data
            self.one.pass_on()
            self.assertEqual(bytes(self.one.peer.received), sent)
        sealed, count, _ = openssl.encrypt(self.one.tls._tlsConnection, data := bytes_of(1, 2000))
        self.one.peer.feed(bytes(sealed))
        self.assertEqual((count, bytes(self.one.peer.received)), (2000, sent + data))

    # Promise R131
    def test_openssl_holds_one_record_at_a_time(self) -> None:
        """Its memory never shrinks, and would be the user's for as long as they are online."""
        held, write = [], openssl._write

        def counting(*args: Any) -> int:
            held.append(openssl._held(self.one.tls._tlsConnection._from_ssl, openssl._no_data))
            done: int = write(*args)
            return done

        self.patch(openssl, "_write", counting)
        self.one.tls.write(bytes(5 * limits.TLS_RECORD))
        self.assertEqual(held, [0] * 5)
        self.one.pass_on()
        self.assertEqual(len(self.one.peer.received), 5 * limits.TLS_RECORD)

    # Promise R132
    def test_a_write_does_not_overtake_one_that_waits(self) -> None:
        self.one.tls._bufferedWrite(b"first")
        self.one.tls.write(b"second")
        self.one.peer.send(1, 1)
        self.one.pass_on()
        self.assertEqual(bytes(self.one.peer.received), b"firstsecond")

    def test_what_the_kernel_does_not_take_follows_in_order(self) -> None:
        self.one.wire.room = 10
        self.one.tls.write(b"a" * 200)
        self.one.wire.room = 1 << 20  # there is room, but others wait before
        self.one.tls.write(b"b" * 200)
        self.assertEqual(len(self.one.wire.outgoing), 10)
        self.one.wire.room = 20
        self.reactor.turn()  # the reactor has begun with them
        self.one.wire.room = 1 << 20
        self.one.tls.write(b"c" * 200)
        self.assertEqual(len(self.one.wire.outgoing), 30)
        self.one.pass_on()
        self.assertEqual(bytes(self.one.peer.received), b"a" * 200 + b"b" * 200 + b"c" * 200)

    def test_a_peer_that_reads_nothing_stops_the_producer(self) -> None:
        producer = NotingProducer()
        self.one.wire.room = 0
        self.one.tls.registerProducer(producer, True)
        for _ in range(8):
            self.one.tls.write(bytes(16384))
        self.assertEqual(producer.calls, ["pauseProducing"])
        self.one.wire.room = 1 << 20
        self.one.pass_on()
        self.assertEqual(producer.calls, ["pauseProducing", "resumeProducing"])
        self.assertEqual(bytes(self.one.peer.received), bytes(8 * 16384))

    def test_an_aborted_connection_does_not_look_closed(self) -> None:
        self.one.tls.abortConnection()
        self.one.pass_on()
        self.assertNotEqual(self.one.peer.end, CLOSE)
        self.assertEqual(len(self.one.protocol.lost), 1)
        self.two.tls.loseConnection()
        self.two.pass_on()
        self.assertEqual(self.two.peer.end, CLOSE)

    def test_a_peer_that_closes_behind_its_question_gets_the_answer(self) -> None:
        """Both in one read, where Twisted's usual transport loses the answer."""
        self.one.protocol.when_received = self.one.tls.write
        self.one.peer.send(100, 1)
        self.one.peer.close()
        self.one.pass_on()
        self.assertEqual(bytes(self.one.peer.received), bytes_of(1, 100))
        self.assertEqual(len(self.one.protocol.lost), 1)

    def test_nothing_is_sent_after_losing(self) -> None:
        self.one.tls.write(b"before")
        self.one.tls.loseConnection()
        self.one.tls.write(b"after")
        self.one.pass_on()
        self.assertEqual(bytes(self.one.peer.received), b"before")

    def test_the_socket_is_given_back_at_the_end(self) -> None:
        self.assertIn("doRead", vars(self.one.floor))
        self.one.wire.is_ended = True
        self.one.pass_on()
        self.assertNotIn("doRead", vars(self.one.floor))
        self.assertEqual(len(self.one.protocol.lost), 1)

    def test_what_openssl_says_after_the_handshake_waits_for_the_next_write(self) -> None:
        """Tickets, which no client of ours uses: one more send for each log-in."""
        line = tls_lines.Line(self.reactor, NativeTLS)
        line.pass_on()
        line.deliver()
        self.reactor.turn()
        self.assertEqual(line.protocol.handshakes, 1)
        self.assertEqual(bytes(line.wire.outgoing), b"")
        self.patch(line.wire, "send", noted := Noted(line.wire.send))
        line.tls.write(b"answer")
        self.assertEqual(noted.calls, 1)
        line.pass_on()
        self.assertEqual(bytes(line.peer.received), b"answer")

    def test_a_question_that_came_with_the_handshake_is_answered_at_once(self) -> None:
        line = tls_lines.Line(self.reactor, NativeTLS)
        line.protocol.when_received = line.tls.write
        line.pass_on()
        line.peer.send(100, 1)
        line.pass_on()
        self.assertEqual(bytes(line.peer.received), bytes_of(1, 100))
        self.assertTrue(line.tls._is_settled)

    def test_a_server_waits_for_the_first_bytes(self) -> None:
        self.patch(openssl, "_shake", noted := Noted(openssl._shake))
        line = tls_lines.Line(self.reactor, NativeTLS)
        self.assertEqual(noted.calls, 0)
        line.shake()
        self.assertEqual(noted.calls, 2)

    def test_the_memory_of_the_handshake_is_given_back_once(self) -> None:
        line = Line(self.reactor)
        self.assertTrue(line.tls._is_settled)
        kept = line.tls._tlsConnection._into_ssl
        line.peer.send(100, 1)
        line.pass_on()
        self.assertIs(line.tls._tlsConnection._into_ssl, kept)

    def test_no_memory_is_made_at_the_end(self) -> None:
        self.patch(openssl, "_new_bio", noted := Noted(openssl._new_bio))
        self.one.wire.is_ended = True
        self.one.pass_on()
        self.assertEqual((len(self.one.protocol.lost), noted.calls), (1, 0))

    def test_not_while_there_are_bytes_in_it(self) -> None:
        tls = self.one.tls._tlsConnection
        kept = tls._into_ssl
        self.one.peer.send(100, 1)
        data = self.one.peer.take(len(self.one.peer.wire))
        tls.bio_write(data[:50])
        self.assertFalse(openssl.renew_memory(tls))
        self.assertIs(tls._into_ssl, kept)

    def test_it_is_what_twisted_promises(self) -> None:
        for interface in (ITransport, ITLSTransport, IConsumer):
            verifyObject(interface, self.one.tls)
        self.assertIsInstance(self.one.tls.getHandle(), SSL.Connection)
        self.assertIsNone(self.one.tls.getPeerCertificate())
        self.assertEqual(self.one.tls.negotiatedProtocol, b"securecom-test/1")
