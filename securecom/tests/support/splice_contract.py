"""What holds of two spliced connections, whatever watches their sockets."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from OpenSSL import SSL

from securecom import limits
from securecom.tests.support.native_lines import Line, NativeCase
from securecom.tests.support.tls_ends import CLOSE
from securecom.tests.support.tls_sequences import bytes_of
from securecom.tests.support.turned_reactor import TurnedReactor
from securecom.transport import openssl, splice


class Noted:
    """A producer that notes what it is asked."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda: self.calls.append(name)


class Asked:
    """A gate that lets all of it pass, or nothing.

    :param is_allowed: is given the bytes, and how many of them count.
    """

    def __init__(self, is_allowed: Callable[[Any, int], bool]) -> None:
        self._is_allowed = is_allowed

    def begun(self) -> bytes:
        return b""

    def admit(self, data: Any, begun: int, size: int) -> int:
        assert not begun
        return size if self._is_allowed(data, size) else 0


class Tens:
    """A gate that lets tens of bytes pass, and keeps what is behind them."""

    def __init__(self) -> None:
        self.kept = b""
        self.is_open = True

    def begun(self) -> bytes:
        return self.kept

    def admit(self, data: Any, begun: int, size: int) -> int:
        assert bytes(data[0:begun]) == self.kept
        end = size - size % 10
        if end and self.is_open:
            self.kept = bytes(data[end:size])
            return end
        return 0


class SpliceCase(NativeCase):
    """What the first line's peer sends may go to the second's."""

    def setUp(self) -> None:
        super().setUp()
        self.lines = (self.one, self.two, self.three)
        self.asked: list[int] = []
        self.is_allowed = True
        self.assertTrue(self.one.tls.splice(self.two.tls, Asked(self.admits)))

    def admits(self, data: Any, size: int) -> bool:
        self.asked.append(size)
        self.seen = bytes(data[0:size])
        return self.is_allowed

    def send(self, size: int, number: int) -> bytes:
        self.one.peer.send(size, number)
        return bytes_of(number, size)

    def send_at_once(self, size: int, number: int) -> bytes:
        """It is read, and nothing else is done."""
        sent = self.send(size, number)
        self.one.deliver()
        self.assertIsNone(self.one.floor.doRead())
        return sent

    def pass_on(self) -> None:
        for line in self.lines:
            line.pass_on()


class Passing(SpliceCase):
    def test_a_record_passes_and_nobody_is_told(self) -> None:
        sent = b""
        for number, size in enumerate((200, 1, limits.TLS_RECORD, 37)):
            sent += self.send(size, number)
            self.pass_on()
            self.assertEqual(self.seen, bytes_of(number, size))
        self.assertEqual(bytes(self.two.peer.received), sent)
        self.assertEqual(self.one.protocol.calls, [])

    def test_records_that_come_together_pass_together(self) -> None:
        sent = self.send(200, 1) + self.send(300, 2)
        self.pass_on()
        self.assertEqual((bytes(self.two.peer.received), self.asked), (sent, [500]))
        self.assertEqual(self.one.protocol.calls, [])

    def test_what_is_not_admitted_is_delivered(self) -> None:
        self.is_allowed = False
        sent = self.send(200, 1)
        self.pass_on()
        self.assertEqual((self.one.protocol.received, self.two.peer.received), (sent, b""))

    def test_more_than_a_record_passes(self) -> None:
        """As much as comes in one read, in as few records as it fits."""
        sent = b"".join(self.send(limits.TLS_RECORD - 400, number) for number in range(4))
        self.one.deliver()
        self.reactor.turn()
        self.assertEqual((sum(self.asked) > 3 * limits.TLS_RECORD, len(self.asked)), (True, 1))
        self.pass_on()
        self.assertEqual(bytes(self.two.peer.received), sent)
        self.assertEqual(self.one.protocol.calls, [])

    def test_what_a_gate_has_taken_goes_before_the_next(self) -> None:
        gate, sent = Tens(), b""
        self.one.tls.splice(self.two.tls, gate)
        for number, size in enumerate((15, 25, 10, 19, limits.TLS_RECORD, 50_000, 7, 18)):
            for at in range(0, size, limits.TLS_RECORD):
                sent += self.send(min(size - at, limits.TLS_RECORD), 10 * number + at)
            self.pass_on()
            self.assertEqual(self.one.protocol.calls, [])
            self.assertEqual(bytes(self.two.peer.received) + gate.kept, sent)

    def test_what_is_delivered_begins_behind_what_a_gate_has_taken(self) -> None:
        """It knows the beginning already."""
        gate = Tens()
        self.one.tls.splice(self.two.tls, gate)
        self.send(14, 1)
        self.pass_on()
        gate.is_open = False
        sent = self.send(36, 2)
        self.pass_on()
        self.assertEqual((self.one.protocol.received, len(gate.kept)), (sent, 4))
        gate.is_open, gate.kept = True, b""  # what was delivered has been worked on with the rest
        sent = self.send(40, 3)
        self.pass_on()
        self.assertEqual(bytes(self.two.peer.received)[-40:], sent)

    def test_a_record_in_pieces(self) -> None:
        sent = self.send(300, 1)
        data = self.one.peer.take(len(self.one.peer.wire))
        for at in range(len(data)):
            self.one.wire.incoming += data[at : at + 1]
            self.reactor.turn()
        self.pass_on()
        self.assertEqual(bytes(self.two.peer.received), sent)

    def test_so_few_bytes_that_minus_one_fits_them(self) -> None:
        """OpenSSL says -1 to a part of a record; less what encryption adds, that many came."""
        sent = self.send(200, 1)
        self.pass_on()
        sent += self.send(200, 2)
        self.one.wire.incoming += self.one.peer.take(limits.TLS_SEAL - 1)
        self.reactor.turn()
        self.assertEqual((self.one.protocol.calls, self.asked), ([], [200]))
        self.pass_on()
        self.assertEqual(bytes(self.two.peer.received), sent)

    def test_a_rest_is_not_taken_for_nothing(self) -> None:
        """The read that completes a record brings as many bytes as it has, others among them."""
        self.pass_on()
        sent = self.send(200, 1) + self.send(5, 2) + self.send(6, 3)
        wire = self.one.peer.take(len(self.one.peer.wire))
        rest = len(wire) - (200 + limits.TLS_SEAL)
        self.one.wire.incoming += wire[:rest]
        self.reactor.turn()
        self.one.wire.incoming += wire[rest:]
        self.reactor.turn()
        self.pass_on()
        self.assertEqual(bytes(self.two.peer.received), sent)

    def test_a_record_behind_the_rest_of_another_does_not_wait(self) -> None:
        """That came with a whole one, and has the size of what was missing."""
        self.send(200, 0)
        self.pass_on()
        for number in range(2):
            small = limits.TLS_SEAL + 2
            self.send(300, 1)
            wire = self.one.peer.take(len(self.one.peer.wire))
            self.send(200, 2)
            wire += self.one.peer.take(small)
            self.one.wire.incoming += wire
            self.reactor.turn()
            self.send(2, 3)
            self.pass_on()
            self.assertEqual(len(self.two.peer.received), 200 + 502 * (number + 1))

    def test_both_ways(self) -> None:
        self.assertTrue(self.two.tls.splice(self.one.tls, Asked(self.admits)))
        for number in range(4):
            self.one.peer.send(200, number)
            self.two.peer.send(300, number + 10)
            self.pass_on()
        self.pass_on()
        self.assertEqual(
            bytes(self.two.peer.received), b"".join(bytes_of(number, 200) for number in range(4))
        )
        self.assertEqual(len(self.one.peer.received), 4 * 300)
        self.assertEqual((self.one.protocol.calls, self.two.protocol.calls), ([], []))

    def test_what_the_kernel_does_not_take_follows_in_order(self) -> None:
        self.two.wire.room = 10
        sent = self.send_at_once(200, 1)
        self.two.wire.room = 1 << 20  # there is room, but others wait before
        sent += self.send_at_once(200, 2)
        self.assertEqual(len(self.two.wire.outgoing), 10)
        self.two.wire.room = 20
        self.reactor.turn()  # the reactor has begun with them
        self.two.wire.room = 1 << 20
        sent += self.send_at_once(200, 3)
        self.assertEqual(len(self.two.wire.outgoing), 30)
        self.pass_on()
        self.assertEqual(bytes(self.two.peer.received), sent)

    def test_a_peer_that_reads_nothing_stops_the_producer(self) -> None:
        producer = Noted()
        calls = producer.calls
        self.two.wire.room = 0
        self.two.tls.registerProducer(producer, True)
        for number in range(8):
            self.send(limits.TLS_RECORD, number)
            self.one.pass_on()
        self.assertEqual(calls, ["pauseProducing"])
        self.two.wire.room = 1 << 20
        self.pass_on()
        self.assertEqual(calls, ["pauseProducing", "resumeProducing"])
        self.assertEqual(len(self.two.peer.received), 8 * limits.TLS_RECORD)

    def test_openssl_is_given_a_large_read_in_pieces(self) -> None:
        """Its memory for that would stay with the connection."""
        given: list[int] = []
        write = openssl._bio_write

        def noted(bio: Any, data: Any, count: int) -> Any:
            given.append(count)
            return write(bio, data, count)

        for module in (openssl, splice):
            self.patch(module, "_bio_write", noted)
        for size in (1, 300, limits.TLS_RECORD):  # several, one and no record in a piece
            sent = b"".join(self.send(size, number) for number in range(90_000 // (size + 22)))
            self.pass_on()
            self.assertTrue(bytes(self.two.peer.received).endswith(sent))
        self.assertEqual(max(given), limits.TLS_PIECE)
        self.one.tls.unsplice()
        sent = b"".join(self.send(limits.TLS_RECORD, number) for number in range(5))
        self.pass_on()
        self.assertEqual((self.one.protocol.received, max(given)), (sent, limits.TLS_PIECE))

    def test_a_broken_record_in_the_first_piece(self) -> None:
        sent = self.send(300, 1)
        self.send(300, 2)
        self.one.peer.wire[-1] ^= 1
        for number in range(4):
            self.send(limits.TLS_RECORD, number)
        self.pass_on()
        seen = self.one.protocol.received + bytes(self.two.peer.received)
        self.assertEqual((seen, self.one.protocol.lost), (sent, [SSL.Error]))


class Ending(SpliceCase):
    """As soon as either end is not as it was, what comes is delivered."""

    def assert_delivered(self) -> None:
        sent = self.send_at_once(200, 1)
        self.assertEqual((self.one.protocol.received, self.asked), (sent, []))
        self.assertEqual([line.tls._splice or line.tls._source for line in self.lines], [None] * 3)

    def test_no_more(self) -> None:
        self.one.tls.unsplice()
        self.assert_delivered()
        self.one.tls.unsplice()

    def test_the_target_closes(self) -> None:
        """It may still be written to, since it has a producer; by its protocol only."""
        self.two.tls.registerProducer(Noted(), True)
        self.two.tls.loseConnection()
        self.assert_delivered()

    def test_the_target_is_aborted(self) -> None:
        self.two.tls.abortConnection()
        self.assert_delivered()

    def test_the_targets_peer_closes(self) -> None:
        """Its socket is still there."""
        self.two.peer.close()
        self.two.deliver()
        self.assertIsNone(self.two.floor.doRead())
        self.assert_delivered()

    def test_the_targets_peer_breaks_a_record(self) -> None:
        self.two.peer.send(100, 3)
        self.two.peer.wire[-1] ^= 1
        self.two.pass_on()
        self.assert_delivered()

    def test_the_target_is_gone(self) -> None:
        self.two.wire.is_reset = True
        self.two.pass_on()
        self.assert_delivered()

    def test_the_target_has_bytes_that_wait_for_the_peer(self) -> None:
        self.two.tls._bufferedWrite(b"first")
        self.assert_delivered()

    def test_openssl_takes_no_more_for_the_target(self) -> None:
        """Nobody said so to the splice: the target finds out, as it does if it is written to."""
        self.two.tls._tlsConnection.shutdown()
        self.send(200, 1)
        self.one.pass_on()
        self.assertEqual((self.one.protocol.received, self.asked), (b"", [200]))
        self.assertTrue(self.two.tls._lostTLSConnection)

    def test_openssl_takes_no_more_of_several_records(self) -> None:
        """The target is given the rest, all of it here, and shuts TLS down."""
        self.two.tls._tlsConnection.shutdown()
        self.send(limits.TLS_RECORD, 1)
        self.send(200, 2)
        self.one.pass_on()
        self.assertEqual((self.one.protocol.received, self.two.tls._lostTLSConnection), (b"", True))

    def test_another_target(self) -> None:
        """Then the first one's end changes nothing."""
        self.assertTrue(self.one.tls.splice(self.three.tls, Asked(self.admits)))
        self.two.tls.abortConnection()
        sent = self.send(200, 1)
        self.pass_on()
        self.assertEqual((bytes(self.three.peer.received), self.asked), (sent, [200]))

    def test_another_source(self) -> None:
        self.assertTrue(self.three.tls.splice(self.two.tls, Asked(self.admits)))
        sent = self.send_at_once(200, 1)
        self.assertEqual((self.one.protocol.received, self.asked), (sent, []))
        self.three.peer.send(200, 2)
        self.pass_on()
        self.pass_on()
        self.assertEqual(bytes(self.two.peer.received), bytes_of(2, 200))
        self.two.tls.loseConnection()
        self.three.peer.send(200, 3)
        self.three.pass_on()
        self.assertEqual(self.three.protocol.received, bytes_of(3, 200))

    def test_the_source_is_aborted(self) -> None:
        self.send(200, 1)
        self.one.tls.abortConnection()
        self.one.tls.unsplice()
        self.one.deliver()
        self.assertIsNone(self.one.floor.doRead())
        self.pass_on()
        self.assertEqual((self.one.protocol.received, self.asked), (b"", []))
        self.assertEqual(bytes(self.two.peer.received), b"")

    def test_the_source_closes(self) -> None:
        self.one.tls.loseConnection()
        self.assert_delivered()

    def test_the_sources_peer_closes_behind_its_last_word(self) -> None:
        sent = self.send(200, 1)
        self.one.peer.close()
        self.pass_on()
        self.assertEqual((self.one.protocol.received, self.one.peer.end), (sent, CLOSE))
        self.assertEqual(len(self.one.protocol.lost), 1)

    def test_a_broken_record_behind_a_whole_one(self) -> None:
        sent = self.send(200, 1)
        self.send(200, 2)
        self.one.peer.wire[-1] ^= 1
        self.pass_on()
        self.assertEqual(self.one.protocol.received, sent)
        self.assertEqual(self.one.protocol.lost, [SSL.Error])
        self.assertEqual(self.two.protocol.lost, [])

    def test_a_broken_record(self) -> None:
        self.send(200, 1)
        self.pass_on()
        self.send(200, 2)
        self.one.peer.wire[-1] ^= 1
        self.pass_on()
        self.assertEqual(bytes(self.two.peer.received), bytes_of(1, 200))
        self.assertEqual(self.one.protocol.lost, [SSL.Error])

    def test_the_sources_socket_ends(self) -> None:
        for number, end in enumerate(("is_ended", "is_reset")):
            line = (self.one, self.three)[number]
            line.tls.splice(self.two.tls, Asked(self.admits))
            setattr(line.wire, end, True)
            line.pass_on()
            self.assertEqual(len(line.protocol.lost), 1)
            self.assertNotIn("doRead", vars(line.floor))

    def test_a_read_for_nothing(self) -> None:
        self.assertIsNone(self.one.floor.doRead())
        self.assertEqual(self.asked, [])


class Pair:
    """Two lines; what comes to the first goes to the second, spliced or written."""

    def __init__(
        self, is_spliced: bool, chance: random.Random, reactor: TurnedReactor | None = None
    ) -> None:
        self.reactor = reactor or TurnedReactor()
        self.one, self.two = Line(self.reactor), Line(self.reactor)
        self.is_spliced, self.chance = is_spliced, chance
        self.one.protocol.when_received = self.two.tls.write
        if is_spliced:
            self.one.tls.splice(self.two.tls, Asked(lambda data, size: chance.random() < 0.8))

    def step(self, chance: random.Random, number: int) -> None:
        """Something happens."""
        what = chance.choice(
            ("send", "send", "send", "piece", "all", "all", "room", "own", "drain", "end")
        )
        if what == "send":
            self.one.peer.send(chance.choice((1, 37, 200, 5000, limits.TLS_RECORD)), number)
        elif what == "piece":
            self.one.wire.incoming += self.one.peer.take(
                chance.choice((1, 21, 22, 200, 5022, 20_000))
            )
        elif what == "all":
            self.one.deliver()
        elif what == "room":
            self.two.wire.room = chance.choice((0, 10, 1000, 1 << 20))
        elif what == "own":
            self.two.tls.write(bytes_of(number, chance.choice((1, 200))))
        elif what == "drain":
            self.two.peer.feed(bytes(self.two.wire.outgoing))
            self.two.wire.outgoing.clear()
        elif chance.random() < 0.2:
            self.end(chance)
        self.reactor.turn()

    def end(self, chance: random.Random) -> None:
        """One of them ends."""
        line = chance.choice((self.one, self.two))
        what = chance.choice(("loseConnection", "abortConnection", "close", "reset"))
        if what == "close":
            line.peer.close()
        elif what == "reset":
            line.wire.is_reset = True
        else:
            getattr(line.tls, what)()

    def told(self) -> tuple[Any, ...]:
        """What both ends have seen once everything has come through."""
        self.two.wire.room = 1 << 30
        for _ in range(3):
            self.one.pass_on()
            self.two.pass_on()
        lines = (self.one, self.two)
        return tuple((bytes(line.peer.received), line.protocol.lost) for line in lines)
