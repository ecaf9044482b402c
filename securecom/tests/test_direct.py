"""The two TLS transports of ours: stories of one connection, each told of both.

What each does is compared with Twisted's own in `test_transport_sequences`.
"""

from __future__ import annotations

from collections.abc import Iterator

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.tests.support.tls_ends import CLOSE
from securecom.tests.support.tls_lines import Line, Noting, NotingProducer
from securecom.tests.support.tls_sequences import bytes_of
from securecom.tests.support.turned_reactor import TurnedReactor
from securecom.transport.direct import DirectTLS
from securecom.transport.native import NativeTLS

KINDS = (DirectTLS, NativeTLS)
#: More than Twisted gathers, and more than a socket's transport takes before it pauses.
MUCH = 200_000


class LineCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = TurnedReactor()

    def lines(self, on_socket: bool = True) -> Iterator[Line]:
        """A connection of each kind; its handshake is over."""
        for kind in KINDS:
            line = Line(self.reactor, kind, on_socket=on_socket)
            line.shake()
            yield line

    def fresh(self) -> Iterator[tuple[type[DirectTLS], Noting]]:
        """Each kind, with a protocol that is not connected yet."""
        for kind in KINDS:
            yield kind, Noting()


class EndReasonTests(LineCase):
    def test_it_keeps_no_frames(self) -> None:
        """They would keep all that was at work when the end was read, until Python looks for it."""
        for line in self.lines():
            line.peer.close()
            line.pass_on()
            assert isinstance(line.tls, DirectTLS)
            self.assertIsInstance(line.tls._end, SSL.ZeroReturnError)
            assert line.tls._end is not None
            self.assertIsNone(line.tls._end.__traceback__)


class HandshakeTests(LineCase):
    def test_it_is_told_once(self) -> None:
        for line in self.lines():
            for number in range(3):
                line.peer.send(100, number)
                line.pass_on()
            self.assertEqual(line.protocol.handshakes, 1)

    def test_it_is_told_once_if_it_comes_byte_by_byte(self) -> None:
        for kind, protocol in self.fresh():
            line = Line(self.reactor, kind, protocol)
            line.peer.when_shaken(lambda line=line: line.peer.send(100, 1))  # type: ignore[misc]
            while line.peer.wire or line.wire.outgoing:
                line.wire.incoming += line.peer.take(1)
                self.reactor.turn()
                line.peer.feed(bytes(line.wire.outgoing))
                line.wire.outgoing.clear()
            self.assertEqual((protocol.handshakes, protocol.received), (1, bytes_of(1, 100)))

    def test_nobody_is_told_of_one_that_was_aborted(self) -> None:
        for kind, protocol in self.fresh():
            line = Line(self.reactor, kind, protocol)
            line.deliver()
            line.tls.abortConnection()
            for _ in range(3):
                line.pass_on()
            self.assertEqual((protocol.handshakes, protocol.calls), (0, []))

    # Promise R132
    def test_what_is_written_before_its_end_goes_first(self) -> None:
        """Twisted's own sends it after what `handshakeCompleted` writes, if that is much."""
        for size in (5, MUCH):
            for kind, protocol in self.fresh():
                early, late = bytes_of(1, 40_000), bytes_of(2, size)
                line = Line(self.reactor, kind, protocol)
                line.tls.write(early)
                protocol.when_shaken = lambda line=line, late=late: line.tls.write(late)  # type: ignore[misc]
                line.shake()
                line.tls.write(b"last")
                line.pass_on()
                self.assertEqual(bytes(line.peer.received), early + late + b"last")

    def test_nothing_written_before_it_pauses_nobody(self) -> None:
        for kind, protocol in self.fresh():
            producer = NotingProducer()
            line = Line(self.reactor, kind, protocol)
            line.tls.write(b"early")
            line.tls.registerProducer(producer, True)
            line.tls.write(b"")
            self.assertEqual(producer.calls, [])

    def test_what_is_written_before_it_is_lost_with_it(self) -> None:
        for kind, protocol in self.fresh():
            producer = NotingProducer()
            line = Line(self.reactor, kind, protocol)
            line.tls.write(b"early")
            line.tls.registerProducer(producer, True)
            line.wire.is_ended = True
            line.pass_on()
            line.tls.write(b"late")
            self.assertEqual(producer.calls, ["stopProducing"])
            self.assertEqual(protocol.lost, [ConnectionLost])

    def test_closing_at_its_end_sends_what_was_written_before(self) -> None:
        for kind, protocol in self.fresh():
            line = Line(self.reactor, kind, protocol)
            line.tls.write(b"early")
            protocol.when_shaken = line.tls.loseConnection
            line.shake()
            self.assertEqual((bytes(line.peer.received), line.peer.end), (b"early", CLOSE))


class ReadingTests(LineCase):
    def test_a_pause_inside_a_read_is_good_for_the_next_one(self) -> None:
        """What has come in this read is delivered, as Twisted does; then nothing is read."""
        for line in self.lines():
            line.protocol.when_received = lambda _, line=line: line.tls.pauseProducing()  # type: ignore[misc]
            line.peer.send(100, 1)
            line.peer.send(200, 2)
            line.pass_on()
            came = bytes_of(1, 100) + bytes_of(2, 200)
            self.assertEqual(line.protocol.received, came)
            line.peer.send(300, 3)
            line.pass_on()
            self.assertEqual(line.protocol.received, came)
            self.assertTrue(line.wire.incoming)
            line.tls.resumeProducing()
            line.pass_on()
            self.assertEqual(line.protocol.received, came + bytes_of(3, 300))

    def test_what_came_together_is_delivered_together_within_bounds(self) -> None:
        for line in self.lines():
            for number in range(limits.RECORDS_AT_ONCE + 1):
                line.peer.send(10, number)
            line.pass_on()
            self.assertLessEqual(len(line.protocol.calls), 2)
            self.assertEqual(len(line.protocol.received), 10 * (limits.RECORDS_AT_ONCE + 1))

    def test_a_broken_record_behind_others(self) -> None:
        """The protocol gets these; its answer cannot be sent; the peer gets an alert."""
        for line in self.lines():
            line.protocol.when_received = line.tls.write
            line.peer.send(100, 1)
            line.peer.send(100, 2)
            line.peer.wire[-1] ^= 1
            line.pass_on()
            self.assertEqual(line.protocol.received, bytes_of(1, 100))
            self.assertEqual(line.protocol.lost, [SSL.Error])
            self.assertEqual(bytes(line.peer.received), b"")
            self.assertIn("bad record mac", line.peer.end)
            self.assertEqual(self.reactor.raised, [])

    def test_an_abort_inside_a_read_is_its_end(self) -> None:
        for line in self.lines():
            line.protocol.when_received = lambda _, line=line: line.tls.abortConnection()  # type: ignore[misc]
            for number in range(3 * limits.RECORDS_AT_ONCE):
                line.peer.send(10, number)
            line.pass_on()
            self.assertEqual(len(line.protocol.calls), 1)
            self.assertEqual(len(line.protocol.lost), 1)


class WritingTests(LineCase):
    def test_it_leaves_at_once(self) -> None:
        for line in self.lines():
            line.tls.write(b"now")
            line.peer.feed(bytes(line.wire.outgoing))
            self.assertEqual(bytes(line.peer.received), b"now")
            self.assertEqual(self.reactor.writers, set())

    def test_without_a_socket_the_transport_below_has_it(self) -> None:
        for line in self.lines(on_socket=False):
            line.tls.write(bytes_of(1, MUCH))
            self.assertEqual(bytes(line.wire.outgoing), b"")
            line.pass_on()
            self.assertEqual(bytes(line.peer.received), bytes_of(1, MUCH))

    def test_a_socket_that_is_broken_is_no_error_of_the_writer(self) -> None:
        for line in self.lines():
            line.wire.is_reset = True
            line.tls.write(b"into the void")
            line.pass_on()
            self.assertEqual(line.protocol.lost, [ConnectionLost])


class EndTests(LineCase):
    # Promise R130, T82
    def test_one_who_closed_while_bytes_waited_is_gone_when_they_have_left(self) -> None:
        """Twisted's TCP would wait for the paused producer, which nothing will ever resume."""
        for line in self.lines():
            producer = NotingProducer()
            line.tls.registerProducer(producer, True)
            line.wire.room = 0
            line.tls.write(bytes_of(1, MUCH))
            line.peer.close()
            line.pass_on()
            self.assertEqual((producer.calls, line.protocol.lost), (["pauseProducing"], []))
            line.wire.room = 1 << 62
            line.pass_on()
            self.assertEqual(producer.calls, ["pauseProducing", "stopProducing"])
            self.assertEqual(line.protocol.lost, [ConnectionDone])
            self.assertEqual(bytes(line.peer.received), bytes_of(1, MUCH))

    def test_a_producer_of_one_who_closed_is_stopped_once(self) -> None:
        for line in self.lines():
            producer = NotingProducer()
            line.tls.registerProducer(producer, True)
            line.peer.close()
            line.pass_on()
            self.assertEqual(producer.calls, ["stopProducing"])

    def test_one_who_unregisters_when_the_peer_has_closed_is_not_stopped(self) -> None:
        for line in self.lines():
            producer = NotingProducer()
            line.tls.registerProducer(producer, True)
            line.wire.room = 0
            line.tls.write(bytes_of(1, MUCH))
            line.peer.close()
            line.pass_on()
            line.tls.unregisterProducer()
            line.wire.room = 1 << 62
            line.pass_on()
            self.assertEqual(producer.calls, ["pauseProducing"])
            self.assertEqual(line.protocol.lost, [ConnectionDone])
