"""What passes from one TLS connection to another without being delivered, and all that does not."""

from __future__ import annotations

import random
from typing import Any

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.tests.support import splice_contract
from securecom.tests.support.native_lines import Line, NativeCase
from securecom.tests.support.tls_sequences import bytes_of
from securecom.transport import openssl, splice


class PassingTests(splice_contract.Passing):
    """Each socket is watched by the reactor."""


class EndingTests(splice_contract.Ending):
    """The same."""


class AskingTests(splice_contract.SpliceCase):
    """What OpenSSL is asked, and what it leaves behind."""

    def test_whole_records_say_themselves_that_nothing_is_left(self) -> None:
        self.send(200, 0)
        self.pass_on()
        asked: list[Any] = []
        held = openssl._held

        def noted(memory: Any, where: Any) -> Any:
            asked.append(memory)
            return held(memory, where)

        self.patch(openssl, "_held", noted)
        for _ in range(2):
            for number in range(4):
                self.send(200, number)
            self.send_at_once(200, 4)
        answers = self.one.tls._tlsConnection._from_ssl
        self.assertEqual((self.asked, asked), ([200, 1000, 1000], [answers] * 2))

    # Promise R134
    def test_a_peer_that_asked_for_short_records(self) -> None:
        """OpenSSL takes no more at once then, and none of it twice."""
        write = openssl._write
        self.patch(splice, "_write", lambda tls, data, size: write(tls, data, min(size, 512)))
        sent = b""
        for number, size in enumerate((512, 513, 2000, limits.TLS_RECORD)):
            sent += self.send(size, number)
            self.pass_on()
            self.assertEqual(bytes(self.two.peer.received), sent)
        self.assertEqual(self.one.protocol.calls, [])

    def test_an_error_is_no_other_connections(self) -> None:
        """Whoever is written to would say so to OpenSSL, but may be past that."""
        self.two.tls._tlsConnection.shutdown()
        self.patch(self.two.tls, "write", lambda _: None)
        self.send_at_once(200, 1)
        self.send(limits.TLS_RECORD, 2)
        self.send_at_once(200, 3)
        self.assertEqual((len(self.asked), openssl._lib.ERR_get_error()), (2, 0))


class ReadingTests(splice_contract.SpliceCase):
    """How much one read takes of a socket that is full."""

    def setUp(self) -> None:
        super().setUp()
        self.one.wire.most = 1 << 20  # it gives what it is asked for

    def reads(self, times: int, size: int = limits.TLS_RECORD) -> list[bool]:
        """Read so often while there are records of this size; which reads took more than usual."""
        while len(self.one.wire.incoming) < times * limits.LARGE_READ:
            self.send(size, 1)
            self.one.deliver()
        found = []
        for _ in range(times):
            before = len(self.one.wire.incoming)
            self.one.floor.doRead()
            found.append(before - len(self.one.wire.incoming) > limits.READ_AT_ONCE)
        self.one.wire.incoming.clear()
        return found

    def test_large_records_that_pass_are_read_in_large_pieces(self) -> None:
        self.assertEqual(self.reads(4), [False, True, True, True])

    def test_what_does_not_pass_is_read_as_usual(self) -> None:
        self.is_allowed = False
        self.assertEqual(self.reads(3), [False] * 3)

    def test_tiny_records_are_read_as_usual(self) -> None:
        self.assertEqual(self.reads(3, 20), [False] * 3)

    def test_a_large_piece_that_did_not_pass_is_not_tried_again_at_once(self) -> None:
        usual = limits.READS_BEFORE_LARGE
        self.patch(self, "admits", lambda _, size: size <= limits.READ_AT_ONCE)
        self.assertTrue(self.one.tls.splice(self.two.tls, splice_contract.Asked(self.admits)))
        self.assertEqual(self.reads(usual + 3), [False, True, *[False] * usual, True])

    def test_nothing_large_is_read_for_somebody_who_reads_slowly(self) -> None:
        self.assertEqual(self.reads(2), [False, True])
        self.two.wire.room = 10
        self.assertEqual(self.reads(3), [True, False, False])


class RefusedTests(NativeCase):
    """Who cannot be spliced is left as they are."""

    def refused(self, source: Line, target: Any) -> None:
        self.assertFalse(
            source.tls.splice(target, splice_contract.Asked(lambda *_: self.fail("asked")))
        )
        source.peer.send(200, 1)
        source.pass_on()
        self.assertEqual(source.protocol.received, bytes_of(1, 200))

    def test_another_kind_of_target(self) -> None:
        self.refused(self.one, object())

    def test_a_target_that_closes(self) -> None:
        self.two.tls.loseConnection()
        self.refused(self.one, self.two.tls)

    def test_a_target_without_a_socket(self) -> None:
        """As below a nested TLS session."""
        self.two.tls._tcp = None
        self.refused(self.one, self.two.tls)

    def test_a_target_whose_handshake_is_not_over(self) -> None:
        self.two.tls._is_settled = False
        self.refused(self.one, self.two.tls)

    def test_a_target_that_is_broken(self) -> None:
        """Which its protocol has not been told yet."""
        self.two.tls._end = SSL.Error()
        self.refused(self.one, self.two.tls)

    def test_a_source_that_closes(self) -> None:
        self.one.tls.loseConnection()
        self.refused(self.one, self.two.tls)


class SameTests(SynchronousTestCase):
    """Spliced or written, both peers see the same, whatever happens."""

    def test_generated_sequences(self) -> None:
        for seed in range(150):
            told = []
            for is_spliced in (False, True):
                pair, chance = (
                    splice_contract.Pair(is_spliced, random.Random(seed)),
                    random.Random(seed),
                )
                for number in range(chance.randrange(4, 25)):
                    pair.step(chance, number)
                told.append(pair.told())
            self.assertEqual(told[1], told[0], f"seed {seed}")
