"""The compiled splice does what the one in Python does, and asks Python about all else."""

from __future__ import annotations

import errno
import gc
import importlib
import itertools
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from securecom import framing, limits
from securecom.tests.support import fast_runs, fast_sockets
from securecom.tests.support.frame_gate import STREAM, FrameGate, SplicedOnly, frame
from securecom.tests.support.native_lines import Line, NativeCase
from securecom.tests.support.sealed_records import DATA
from securecom.tests.support.sieve_reactor import SieveReactor
from securecom.tests.support.tls_ends import CLOSE
from securecom.tests.support.turned_reactor import TurnedReactor
from securecom.transport import fast, openssl, sieve

NOT_INSTALLED = "" if fast.MODULE is not None else "securecom_fast is not installed: ./dev fast"
MUCH = 10**6
PING = framing.encode(framing.CONTROL, b"\0\4_ask\0\0011\0\10_command\0\4Ping\0\0")


class FastCase(NativeCase):
    """What the first line's peer sends may go to the second's."""

    if NOT_INSTALLED:
        skip = NOT_INSTALLED

    def setUp(self) -> None:
        super().setUp()
        fast_sockets.use(self.one, self.two, self.three)
        self.addCleanup(fast_sockets.use_the_kernels)
        self.splice(MUCH)

    def splice(self, *granted: int) -> None:
        self.gate = FrameGate(*granted)
        self.assertTrue(self.one.tls.splice(self.two.tls, self.gate))
        self.assertIn("Passer", repr(vars(self.one.floor)["doRead"]))

    def send(self, data: bytes) -> bytes:
        """In as few records as it fits."""
        for at in range(0, len(data), limits.TLS_RECORD):
            self.one.peer.write(data[at : at + limits.TLS_RECORD])
        return data

    def read(self) -> Any:
        """Let all that was sent come, and read once."""
        self.one.deliver()
        return self.one.floor.doRead()

    def pass_on(self) -> None:
        for line in (self.one, self.two):
            line.pass_on()

    @property
    def passed(self) -> bytes:
        return bytes(self.two.peer.received)

    @property
    def delivered(self) -> bytes:
        return self.one.protocol.received


class PassingTests(FastCase):
    def test_frames_pass_and_nobody_is_told(self) -> None:
        sent = b""
        for number, size in enumerate((1, 37, 200, 5000, limits.MAX_CHAT_CHUNK)):
            sent += self.send(frame(size, number))
            self.pass_on()
            self.assertEqual(self.passed, sent)
        self.assertEqual(self.one.protocol.calls, [])
        self.assertTrue(self.gate.is_heard)

    def test_what_comes_in_one_read_passes_together(self) -> None:
        sent = self.send(frame(200, 1)) + self.send(frame(3000, 2) + frame(9, 3))
        self.assertIsNone(self.read())
        self.assertEqual(self.gate.asked, [3])
        self.pass_on()
        self.assertEqual((self.passed, self.delivered), (sent, b""))

    def test_a_frame_that_came_in_part_is_kept(self) -> None:
        """With the gate, wherever it is cut."""
        sent = frame(30, 1) + frame(40, 2)
        for cut in range(1, len(sent)):
            self.splice(MUCH)
            self.two.peer.received.clear()
            first = len(frame(30, 1))
            self.send(sent[: first + cut % 40])
            self.pass_on()
            self.assertEqual(self.gate.begun(), sent[first : first + cut % 40])
            self.send(sent[first + cut % 40 :])
            self.pass_on()
            self.assertEqual((self.passed, self.gate.begun()), (sent, b""))
        self.assertEqual(self.delivered, b"")

    def test_large_frames_across_reads(self) -> None:
        sent = b"".join(frame(limits.MAX_CHAT_CHUNK, number) for number in range(20))
        self.send(sent)
        self.pass_on()
        self.assertEqual((self.passed, self.delivered), (sent, b""))

    def test_a_record_in_pieces(self) -> None:
        sent = self.send(frame(300, 1))
        data = self.one.peer.take(len(self.one.peer.wire))
        for at in range(len(data)):
            self.one.wire.incoming += data[at : at + 1]
            self.reactor.turn()
        self.pass_on()
        self.assertEqual((self.passed, self.delivered), (sent, b""))

    def test_a_rest_is_not_taken_for_nothing(self) -> None:
        """The read that completes a record brings as many bytes as it has, others among them."""
        sent = self.send(frame(200, 0))
        self.pass_on()
        sent += self.send(frame(200, 1)) + self.send(frame(5, 2)) + self.send(frame(6, 3))
        wire = self.one.peer.take(len(self.one.peer.wire))
        rest = len(wire) - (len(frame(200)) + limits.TLS_SEAL)
        for part in (wire[:rest], wire[rest:]):
            self.one.wire.incoming += part
            self.reactor.turn()
        self.pass_on()
        self.assertEqual((self.passed, self.delivered), (sent, b""))

    def test_what_the_kernel_does_not_take_follows_in_order(self) -> None:
        sent = b""
        for number, room in enumerate((10, 1 << 20, 0)):
            self.two.wire.room = room
            sent += self.send(frame(200, number))
            self.assertIsNone(self.read())
        self.assertEqual(len(self.two.wire.outgoing), 10)
        self.two.wire.room = 20
        self.reactor.turn()  # the reactor has begun with them
        self.two.wire.room = 1 << 20
        sent += self.send(frame(200, 9))
        self.assertIsNone(self.read())
        self.assertEqual(len(self.two.wire.outgoing), 30)
        self.pass_on()
        self.assertEqual(self.passed, sent)

    def test_a_call_that_was_interrupted(self) -> None:
        """By a signal, or since there was nothing to do after all."""
        sent = b""
        for number, code in enumerate((errno.EINTR, errno.EAGAIN, errno.EWOULDBLOCK)):
            sent += self.send(frame(200, number))
            for trips in ([code], [0, code]):  # receiving, sending
                fast_sockets.use(self.one, self.two, trip=partial(trips.pop, 0))
                self.assertIsNone(self.read())
        fast_sockets.use(self.one, self.two)
        self.pass_on()
        self.assertEqual((self.passed, self.delivered, self.one.protocol.lost), (sent, b"", []))

    def test_a_target_whose_socket_is_broken(self) -> None:
        """The reactor finds out."""
        self.two.wire.is_reset = True
        self.send(frame(200))
        self.assertIsNone(self.read())
        self.reactor.turn()
        self.assertEqual(len(self.two.protocol.lost), 1)


class DeliveringTests(FastCase):
    def assert_delivered(self, data: bytes) -> None:
        """And what belongs to the stream passes again afterwards."""
        before, passed = self.delivered, self.passed
        self.send(data)
        self.pass_on()
        self.assertEqual((self.delivered[len(before) :], self.passed), (data, passed))

    # Promise T61
    def test_what_is_no_frame_of_the_stream(self) -> None:
        for data in (
            PING,
            frame(5, stream=STREAM + 1),
            frame(5) + PING,
            framing.encode(2, b"\0\0\0\7abc"),
            b"\1\0\0\4\0\0\0\7",
            framing.encode(framing.CHAT, b"\0\0\0\7" + bytes(limits.MAX_BODY - 3), most=MUCH),
        ):
            self.assert_delivered(data)
        sent = self.send(frame(200))
        self.pass_on()
        self.assertEqual(self.passed, sent)

    def test_more_frames_than_a_run(self) -> None:
        self.assert_delivered((limits.FRAMES_A_RUN + 1) * frame(1))

    def test_while_the_gate_is_shut(self) -> None:
        self.assert_delivered(PING)
        self.gate.is_open = False
        self.assert_delivered(frame(200))

    def test_what_was_kept_is_not_delivered_twice(self) -> None:
        begun = frame(200, 1)[:50]
        self.send(frame(5) + begun)
        self.pass_on()
        self.assertEqual(self.gate.begun(), begun)
        self.assert_delivered(frame(200, 1)[50:] + PING)

    # Promise R34
    def test_a_run_that_is_not_granted(self) -> None:
        self.splice(-1, 0)
        self.assert_delivered(frame(200))
        sent = self.send(frame(200))
        self.pass_on()
        self.assertEqual(self.passed, sent)

    # Promise R34
    def test_it_asks_again_when_what_was_granted_is_used_up(self) -> None:
        cost = limits.RUN_WORK + 2
        self.splice(3 * cost, 3 * cost - 1, 0)
        for _ in range(10):
            self.send(2 * frame(5))
            self.pass_on()
        self.assertEqual(self.gate.asked, [2] * 5)  # the 1st, 5th, 8th, 9th and 10th
        self.assertEqual(self.delivered, b"")

    def test_after_no_more_each_run_is_asked_for(self) -> None:
        self.splice(MUCH, 0, -1)
        self.gate.granted = [2 * limits.RUN_WORK, -1]
        for _ in range(4):
            self.send(frame(5))
            self.pass_on()
        self.assertEqual(self.gate.asked, [1, 1, 1])
        self.assertEqual((self.passed, self.delivered), (2 * frame(5), 2 * frame(5)))


class EndingTests(FastCase):
    def test_nothing_to_read(self) -> None:
        self.assertIsNone(self.one.floor.doRead())

    def test_the_sources_socket_ends(self) -> None:
        for line, end in ((self.one, "is_ended"), (self.three, "is_reset")):
            line.tls.splice(self.two.tls, FrameGate(MUCH))
            setattr(line.wire, end, True)
            line.pass_on()
            self.assertEqual(len(line.protocol.lost), 1)
            self.assertNotIn("doRead", vars(line.floor))

    def test_the_sources_peer_closes_behind_its_last_word(self) -> None:
        sent = self.send(frame(200))
        self.one.peer.close()
        self.pass_on()
        self.assertEqual((self.delivered, self.one.peer.end), (sent, CLOSE))
        self.assertEqual(len(self.one.protocol.lost), 1)

    def test_a_broken_record(self) -> None:
        sent = self.send(frame(200, 1))
        self.pass_on()
        self.send(frame(200, 2))
        self.one.peer.wire[-1] ^= 1
        self.pass_on()
        self.assertEqual((self.passed, self.delivered), (sent, b""))
        self.assertEqual(self.one.protocol.lost, [SSL.Error])

    def test_a_broken_record_behind_a_whole_one(self) -> None:
        sent = self.send(frame(200, 1))
        self.send(frame(200, 2))
        self.one.peer.wire[-1] ^= 1
        self.pass_on()
        self.assertEqual((self.passed, self.delivered), (b"", sent))
        self.assertEqual(self.one.protocol.lost, [SSL.Error])

    def test_openssl_takes_no_more_for_the_target(self) -> None:
        self.two.tls._tlsConnection.shutdown()
        self.send(frame(limits.MAX_CHAT_CHUNK))
        self.one.pass_on()
        self.assertEqual(self.delivered, b"")
        self.assertTrue(self.two.tls._lostTLSConnection)

    def test_either_ends(self) -> None:
        for end in ("loseConnection", "abortConnection"):
            for number in (0, 1):
                lines = [Line(self.reactor), Line(self.reactor)]
                fast_sockets.use(*lines)
                lines[0].tls.splice(lines[1].tls, FrameGate(MUCH))
                getattr(lines[number].tls, end)()
                self.assertNotIn("Passer", repr(vars(lines[0].floor).get("doRead")))

    def test_an_end_while_the_gate_is_asked(self) -> None:
        """The reader has its own references: what it uses is there until it returns."""
        for question in ("begun", "keep", "_grant"):
            for number, how in itertools.product((0, 1), ("lose", "abort", "unsplice", "shut")):
                pair = fast_runs.Pair("compiled", (0,), ((question.strip("_"), 0, how, number),))
                pair.play(("send", 0, ((frame(200) + frame(9)[:5], DATA, 0),)))
                pair.play(("come", 0, 1 << 30))
                self.assertEqual(pair.told()[0], [])

    def test_an_error_of_the_target_is_nobody_elses(self) -> None:
        """OpenSSL has one queue for the errors of all connections."""
        for gate in (FrameGate(MUCH), SplicedOnly(MUCH)):
            line = Line(self.reactor)
            fast_sockets.use(self.one, self.two, line)
            self.patch(gate, "_grant", lambda frames, tls=line.tls: tls.loseConnection() or 0)
            self.one.tls.splice(line.tls, gate)
            self.send(frame(200))
            self.assertIsNone(self.read())
            self.assertEqual(openssl._lib.ERR_peek_error(), 0)

    def test_too_much_was_begun(self) -> None:
        self.patch(self.gate._decoder, "begun", bytes(limits.MAX_BODY + limits.FRAME_HEADER + 1))
        self.send(frame(200))
        self.assertRaises(ValueError, self.read)

    def test_an_answer_that_is_none(self) -> None:
        for question, answer, kind in (
            *(("begun", "text", TypeError), ("_grant", None, TypeError)),
            *(("_grant", 1 << 70, OverflowError), ("keep", fast_runs.Truth(), ArithmeticError)),
        ):
            line = Line(self.reactor)
            fast_sockets.use(line, self.two)
            gate = FrameGate(MUCH)
            self.patch(gate, question, lambda *_, answer=answer: answer)
            line.tls.splice(self.two.tls, gate)
            line.peer.write(frame(200) + frame(9)[:5])
            line.deliver()
            self.assertRaises(kind, line.floor.doRead)

    def test_nothing_is_left_of_a_splice(self) -> None:
        """Before Python collects garbage, too."""
        self.patch(sieve, "sieve_of", fast_runs.sieve_of)
        self.addCleanup(gc.enable)
        for reactor in (TurnedReactor(), SieveReactor()):
            gc.collect()
            gc.disable()
            before = fast_runs.passers()
            one, two = Line(reactor), Line(reactor)
            fast_sockets.use(one, two)
            for is_read in (False, True):
                one.tls.splice(two.tls, FrameGate(MUCH))
                self.assertEqual(fast_runs.passers(), before + 1)
                if is_read:
                    one.peer.write(frame(200))
                    one.pass_on()
                one.tls.unsplice()
                self.assertEqual(fast_runs.passers(), before)

    def test_an_error_in_python_comes_through(self) -> None:
        self.patch(self.gate, "_grant", lambda frames: 1 // 0)
        self.send(frame(200))
        self.assertRaises(ZeroDivisionError, self.read)


class RunTests(SynchronousTestCase):
    if NOT_INSTALLED:
        skip = NOT_INSTALLED

    @given(
        st.lists(
            st.sampled_from([frame(1), frame(37), frame(200, 3), frame(9, stream=8), PING])
            | st.binary(max_size=20),
            max_size=8,
        ).map(b"".join),
        st.integers(0, 20),
        st.integers(0, 30),
        st.sampled_from([7, 8]),
    )
    def test_as_in_python(self, data: bytes, at: int, less: int, stream: int) -> None:
        at = min(at, len(data))
        length = max(at, len(data) - less)
        wanted = framing.whole_run(data, stream, 150, at, length)
        self.assertEqual(fast.MODULE.whole_run(data, stream, 150, at, length), wanted)

    def test_lengths_at_the_bounds(self) -> None:
        """A frame that is too short, too long, or not whole, ends the run."""
        first = frame(9)
        for length in (0, 1, 3, 4, 5, 149, 150, 151, 0xFFFFFF):
            one = fast_runs.raw(length)
            is_one = 5 <= length <= 150
            for data, frames in (
                (first + one, 1 + is_one),
                (first + one[:-1], 1),
                (first + one + first, 1 + 2 * is_one),
            ):
                found = fast.MODULE.whole_run(data, STREAM, 150, 0, len(data))
                self.assertEqual(found, framing.whole_run(data, STREAM, 150))
                self.assertEqual(found[1], frames)

    def test_as_long_as_in_python(self) -> None:
        data = (limits.FRAMES_A_RUN + 2) * frame(1)
        self.assertEqual(
            fast.MODULE.whole_run(data, STREAM, limits.MAX_BODY, 0, len(data)),
            framing.whole_run(data, STREAM, limits.MAX_BODY),
        )

    def test_beyond_the_bytes(self) -> None:
        for at, length in ((-1, 3), (2, 1), (0, 4)):
            self.assertRaises(ValueError, fast.MODULE.whole_run, b"abc", 7, 150, at, length)


class SetUpTests(SynchronousTestCase):
    if NOT_INSTALLED:
        skip = NOT_INSTALLED

    def test_buffers_that_are_too_small(self) -> None:
        one = (1,) * 7, (1,) * 3
        most = (1 << 31) - 1
        for sizes in (
            *((100, 199, 10, 1, 50), (100, 400, 100, 1, 50), (0, 400, 10, 1, 50)),
            *((100, 400, 50, 51, 50), (100, 400, most, 1, 50), (100, 400, 10, most, 50)),
            (100, 400, 10, 1, 0),
        ):
            self.assertRaises(ValueError, fast.MODULE.setup, *one, sizes, (1, 1), 2, None, None)

    def test_a_missing_address(self) -> None:
        sizes = (100, 400, 10, 1, 50)
        for functions, buffers in (((1,) * 6 + (0,), (1, 1, 1)), ((1,) * 7, (1, 0, 1))):
            self.assertRaises(
                *(ValueError, fast.MODULE.setup, functions, buffers, sizes, (1, 1), 2, None, None)
            )

    def test_frames_that_do_not_fit(self) -> None:
        """With a record in part, and a read, and what encryption adds."""
        most = limits.TLS_BUFFER // 2 - 2 * limits.TLS_RECORD - limits.FRAME_HEADER
        for too_long in (most + 1, (1 << 32) - 1):
            self.assertRaises(ValueError, self.make, too_long)
        self.make(most)

    def make(self, most: int) -> None:
        fast.MODULE.Passer(0, 0, 1, 1, 1, 1, 1, STREAM, most, None, None, None, None)


class SameTests(SynchronousTestCase):
    """Written, spliced or compiled, both peers see the same, whatever happens."""

    if NOT_INSTALLED:
        skip = NOT_INSTALLED

    def test_generated_stories(self) -> None:
        self.addCleanup(fast_sockets.use_the_kernels)
        self.patch(sieve, "sieve_of", fast_runs.sieve_of)
        for seed in range(100):
            self.assertEqual(fast_runs.check(seed), "")
        self.flushLoggedErrors()  # of gates that fail


class LoadingTests(SynchronousTestCase):
    """With or without the module, which is not loaded here."""

    def imports(self, result: Any) -> None:
        def import_module(name: str) -> Any:
            if isinstance(result, Exception):
                raise result
            return result

        self.patch(importlib, "import_module", import_module)

    def test_it_is_not_installed(self) -> None:
        self.imports(ModuleNotFoundError())
        self.assertEqual(fast.load(), (None, ""))

    def test_it_cannot_be_loaded(self) -> None:
        self.imports(ImportError("for another Python"))
        module, why = fast.load()
        self.assertEqual((module, "for another Python" in why), (None, True))

    def test_another_version(self) -> None:
        self.imports(type("Module", (), {"INTERFACE": fast.INTERFACE + 1}))
        module, why = fast.load()
        self.assertEqual((module, "another version" in why), (None, True))

    def test_another_openssl(self) -> None:
        self.imports(type("Module", (), {"INTERFACE": fast.INTERFACE}))
        for names in ({"SSL_read": "long(*)(SSL *)"}, {"SSL_reed": "int(*)(SSL *)"}):
            self.patch(fast, "FUNCTIONS", names)
            module, why = fast.load()
            self.assertEqual((module, "OpenSSL" in why), (None, True))

    def test_a_gate_that_it_cannot_ask(self) -> None:
        """Is asked by the one in Python."""
        reactor = TurnedReactor()
        one, two = Line(reactor), Line(reactor)
        one.tls.splice(two.tls, SplicedOnly(0))
        self.assertIn("Splice", repr(vars(one.floor)["doRead"]))

    def test_the_functions_are_there(self) -> None:
        """Of the versions that this is tested with."""
        self.assertEqual(len(openssl.addresses(fast.FUNCTIONS) or ()), len(fast.FUNCTIONS))
