"""Bytes to frames and back."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from securecom import framing, limits
from securecom.errors import WireError
from securecom.framing import CHAT, CONTROL, DATA, Decoder, Frame, Run, chat_bytes, whole_run

LANES = frozenset({CONTROL, CHAT})
STREAMS = st.integers(1, 2**32 - 1)
SOME = st.binary(max_size=300)
CONTROL_FRAMES = SOME.map(lambda body: framing.encode(CONTROL, body))
CHAT_FRAMES = st.builds(framing.encode_chat, st.sampled_from([1, 2]), st.binary(min_size=1))
WIRE = st.lists(CONTROL_FRAMES | CHAT_FRAMES).map(b"".join)


def feed(decoder: Decoder, *pieces: bytes) -> tuple[list[Frame | Run], WireError | None]:
    """All that comes out, and what it ended with."""
    items: list[Frame | Run] = []
    try:
        for piece in pieces:
            items.extend(decoder.feed(piece))  # extend keeps what came before an error
    except WireError as error:
        return items, error
    return items, None


def joined(items: list[Frame | Run]) -> list[Frame | Run]:
    """Neighbouring runs of one stream made one, as if all had come in one piece."""
    result: list[Frame | Run] = []
    for item in items:
        last = result[-1] if result else None
        if isinstance(item, Run) and isinstance(last, Run) and item.stream == last.stream:
            result[-1] = Run(item.stream, last.raw + item.raw)
        else:
            result.append(item)
    return result


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(places)]


class RoundTripTests(SynchronousTestCase):
    @given(st.sampled_from([CONTROL, DATA]), SOME)
    def test_a_frame(self, lane: int, body: bytes) -> None:
        items, error = feed(Decoder(frozenset({CONTROL, DATA})), framing.encode(lane, body))
        self.assertEqual((items, error), ([Frame(lane, body)], None))

    @given(STREAMS, st.binary(min_size=1, max_size=300))
    def test_chat_bytes(self, stream: int, data: bytes) -> None:
        raw = framing.encode_chat(stream, data)
        items, error = feed(Decoder(LANES), raw)
        self.assertEqual((items, error), ([Run(stream, raw)], None))
        self.assertEqual(chat_bytes(Run(stream, raw)), data)

    def test_chat_bytes_longer_than_a_frame_are_one_run_of_several(self) -> None:
        data = bytes(range(256)) * 256  # 64 KiB
        raw = framing.encode_chat(7, data)
        self.assertEqual(len(raw), len(data) + 4 * (limits.FRAME_HEADER + 4))
        items, _ = feed(Decoder(LANES), raw)
        self.assertEqual(items, [Run(7, raw)])
        self.assertEqual(chat_bytes(Run(7, raw)), data)

    def test_no_chat_bytes_are_no_frame(self) -> None:
        self.assertEqual(framing.encode_chat(7, b""), b"")

    @given(WIRE, st.lists(st.integers(0, 10_000), max_size=12))
    def test_any_split_gives_the_same_frames(self, wire: bytes, cuts: list[int]) -> None:
        whole, error = feed(Decoder(LANES), wire)
        self.assertIsNone(error)
        parts, error = feed(Decoder(LANES), *split(wire, cuts))
        self.assertEqual((joined(parts), error), (whole, None))
        self.assertEqual(joined(whole), whole)  # in one piece runs are as long as can be

    @given(WIRE)
    def test_byte_by_byte(self, wire: bytes) -> None:
        parts, error = feed(Decoder(LANES), *(bytes((byte,)) for byte in wire))
        self.assertEqual((joined(parts), error), (feed(Decoder(LANES), wire)[0], None))

    @given(WIRE | st.binary(max_size=12), st.binary(max_size=6))
    def test_a_frame_alone_is_the_only_one_that_feeding_would_give(
        self, wire: bytes, before: bytes
    ) -> None:
        for first in (b"", before):
            decoder, fed = Decoder(LANES), Decoder(LANES)
            if feed(decoder, first)[1] is not None:
                continue
            feed(fed, first)
            alone = decoder.alone(wire)
            if alone is not None:
                self.assertEqual(feed(fed, wire), ([alone], None))
                self.assertEqual((decoder.held, fed.held), (0, 0))

    def test_what_is_alone_and_what_is_not(self) -> None:
        most = 20
        longest = framing.encode(CONTROL, bytes(most))
        for frame in (framing.encode(CONTROL, b""), framing.encode(CONTROL, b"abc"), longest):
            self.assertEqual(Decoder(LANES, most).alone(frame), Frame(CONTROL, frame[4:]))
        for other in (
            b"",
            longest[:3],
            longest[:-1],
            longest + b"\0",
            framing.encode(CONTROL, bytes(most + 1)),
            framing.encode(DATA, b"a lane that is not read here"[:most]),
            framing.encode_chat(1, b"a chat's"),
        ):
            self.assertIsNone(Decoder(LANES, most).alone(other), other)
        begun = Decoder(LANES)
        list(begun.feed(longest[:5]))
        self.assertIsNone(begun.alone(longest))

    def test_runs_end_where_the_stream_or_the_lane_changes(self) -> None:
        one, two = framing.encode_chat(1, b"a"), framing.encode_chat(2, b"b")
        word = framing.encode(CONTROL, b"x")
        items, _ = feed(Decoder(LANES), one + one + two + one + word + one)
        frame = Frame(CONTROL, b"x")
        self.assertEqual(items, [Run(1, one + one), Run(2, two), Run(1, one), frame, Run(1, one)])

    # Promise R34
    def test_a_run_has_an_end(self) -> None:
        one = framing.encode_chat(1, b"a")
        items, _ = feed(Decoder(LANES), (2 * limits.FRAMES_A_RUN + 3) * one)
        runs = [item for item in items if isinstance(item, Run)]
        self.assertEqual([run.frames for run in runs], [limits.FRAMES_A_RUN] * 2 + [3])
        self.assertEqual(b"".join(run.raw for run in runs), (2 * limits.FRAMES_A_RUN + 3) * one)


class WholeRunTests(SynchronousTestCase):
    """What stands at the beginning, as the decoder finds it."""

    @given(WIRE, st.binary(max_size=40), st.integers(0, 10_000), st.sampled_from([1, 2]))
    def test_as_the_decoder(self, wire: bytes, junk: bytes, cut: int, stream: int) -> None:
        data = wire[: cut % (len(wire) + 1)] + junk
        items, _ = feed(Decoder(LANES, 200), data)
        end, frames = whole_run(data, stream, 200)
        first = items[0] if items else None
        if isinstance(first, Run) and first.stream == stream:
            self.assertEqual((data[:end], frames), (first.raw, first.frames))
        else:
            self.assertEqual((end, frames), (0, 0))

    # Promise T13
    def test_bounds(self) -> None:
        def frame(body: bytes, lane: int = CHAT) -> bytes:
            return framing.encode(lane, body, most=2**20)

        number = b"\0\0\0\7"
        good = frame(number + b"x")
        bad = {
            "another lane": frame(number + b"x", lane=CONTROL),
            "a lane above": frame(number + b"x", lane=2),
            "another stream": frame(b"\0\0\0\5x"),
            "no bytes": frame(number) + b"more",
            "no stream": frame(b"") + b"more",
            "too long": frame(number + bytes(limits.MAX_BODY - 3)),
            "cut": good[:-1],
            "a header only": good[:4],
        }
        for what, data in bad.items():
            self.assertEqual(whole_run(data, 7, limits.MAX_BODY), (0, 0), what)
            self.assertEqual(whole_run(good + data, 7, limits.MAX_BODY), (len(good), 1), what)
        longest = frame(number + bytes(limits.MAX_BODY - 4))
        self.assertEqual(whole_run(longest, 7, limits.MAX_BODY), (len(longest), 1))

    # Promise R34
    def test_a_run_has_an_end(self) -> None:
        one = framing.encode_chat(1, b"a")
        end, frames = whole_run((limits.FRAMES_A_RUN + 1) * one, 1, limits.MAX_BODY)
        self.assertEqual((end, frames), (limits.FRAMES_A_RUN * len(one), limits.FRAMES_A_RUN))

    def test_many_of_one_length(self) -> None:
        """They are compared several at once, and each counts for itself."""
        several = limits.EVEN_FRAMES
        one, last = framing.encode_chat(7, b"abc"), framing.encode_chat(7, b"abcd")
        others = {
            "another length": last,
            "another stream": framing.encode_chat(8, b"abc"),
            "another lane": framing.encode(DATA, one[4:]),
            "cut": one[:-1],
        }
        for before in range(3 * several + 2):
            for what, other in others.items():
                for behind in (0,) if what == "cut" else (0, 1, several):
                    data = before * one + other + behind * one
                    whole = before + (1 + behind if other is last else 0)
                    end = before * len(one) + (len(last) + behind * len(one)) * (other is last)
                    self.assertEqual(whole_run(data, 7, 200), (end, whole), what)

    def test_even_frames_do_not_go_beyond_the_end(self) -> None:
        one = framing.encode_chat(7, b"abc")
        for count in (limits.FRAMES_A_RUN - 1, limits.FRAMES_A_RUN, limits.FRAMES_A_RUN + 9):
            data = (count + 1) * one
            wanted = min(count, limits.FRAMES_A_RUN)
            for more in (0, 1, len(one) - 1):
                found = whole_run(data, 7, 200, 0, count * len(one) + more)
                self.assertEqual(found, (wanted * len(one), wanted))
        for start in (0, 1):
            found = whole_run(bytes(start) + 30 * one, 7, 200, start)
            self.assertEqual(found, (start + 30 * len(one), 30))


class BegunTests(SynchronousTestCase):
    def test_the_beginning_of_a_frame_and_no_more(self) -> None:
        decoder = Decoder(LANES, 200)
        whole = framing.encode(CONTROL, bytes(50))
        for size in range(1, len(whole)):
            self.assertTrue(decoder.is_begun(whole[: min(size, 4)], size))
        self.assertFalse(decoder.is_begun(whole[:4], len(whole)))
        self.assertFalse(decoder.is_begun(whole[:4], len(whole) + 1))
        self.assertTrue(decoder.is_begun(b"\1\0\0\xc8", 5))
        for malformed in (b"", b"\x63", b"\x63\0\0\1", b"\1\0\0\xc9"):
            self.assertFalse(decoder.is_begun(malformed, max(4, len(malformed))), malformed)


class WholePartsTests(SynchronousTestCase):
    def test_parts_are_whole_frames_and_as_long_as_they_may_be(self) -> None:
        frames = [framing.encode_chat(1, bytes(size)) for size in (10, 20, 30, 500, 1, 1, 90)]
        parts = list(framing.whole_parts(b"".join(frames), 100))
        whole = [b"".join(frames[:3]), frames[3], b"".join(frames[4:6]), frames[6]]
        self.assertEqual(parts, whole)
        self.assertEqual(list(framing.whole_parts(frames[0], 1)), [frames[0]])


class JunkTests(SynchronousTestCase):
    # Promise T83
    @given(st.lists(st.binary(max_size=60), max_size=20))
    def test_junk_raises_only_wire_errors(self, pieces: list[bytes]) -> None:
        items, error = feed(Decoder(LANES), *pieces)
        for item in items:  # what came out before is whole
            self.assertTrue(isinstance(item, Frame) or chat_bytes(item))
        self.assertIsInstance(error, WireError | None)

    @given(WIRE, st.binary(min_size=1, max_size=40), st.lists(st.integers(0, 10_000), max_size=5))
    def test_junk_after_frames_splits_alike(
        self, wire: bytes, junk: bytes, cuts: list[int]
    ) -> None:
        whole, error = feed(Decoder(LANES), wire + junk)
        parts, other = feed(Decoder(LANES), *split(wire + junk, cuts))
        self.assertEqual(joined(parts), joined(whole))
        self.assertEqual(error is None, other is None)

    # Promise T13
    def test_an_unknown_lane_is_refused_from_its_first_byte_on(self) -> None:
        for lane in (DATA, 3, 255):
            for rest in (b"", b"\0", b"\0\0\1x"):
                items, error = feed(Decoder(LANES), bytes((lane,)) + rest)
                self.assertEqual(items, [])
                self.assertIn(f"lane {lane}", str(error))

    def test_only_the_channels_own_lanes(self) -> None:
        chat = framing.encode_chat(1, b"a")
        self.assertIsNotNone(feed(Decoder(frozenset({CONTROL})), chat)[1])
        self.assertIsNone(feed(Decoder(LANES), chat)[1])

    def test_frames_before_a_bad_one_are_still_given(self) -> None:
        good, chat = framing.encode(CONTROL, b"x"), framing.encode_chat(1, b"a")
        for bad in (b"\7", b"\0\xff\0\0", b"\1\0\0\4\0\0\0\1", b"\1\0\0\5\0\0\0\0a"):
            for before in (good, chat, good + chat, chat + good):
                items, error = feed(Decoder(LANES), before + bad)
                self.assertIsInstance(error, WireError)
                self.assertEqual(items, feed(Decoder(LANES), before)[0])

    def test_stream_number_nought(self) -> None:
        _, error = feed(Decoder(LANES), b"\1\0\0\5\0\0\0\0a")
        self.assertIn("without a stream", str(error))

    def test_a_chat_frame_without_bytes(self) -> None:
        for body in (b"", b"\0", b"\0\0\0\1"):
            _, error = feed(Decoder(LANES), b"\1" + len(body).to_bytes(3, "big") + body)
            self.assertIn("without bytes", str(error))


class LimitTests(SynchronousTestCase):
    def test_the_longest_body_and_one_byte_more(self) -> None:
        body = bytes(limits.MAX_BODY)
        items, error = feed(Decoder(LANES), framing.encode(CONTROL, body))
        self.assertEqual((items, error), ([Frame(CONTROL, body)], None))
        header = bytes((CONTROL,)) + (limits.MAX_BODY + 1).to_bytes(3, "big")
        items, error = feed(Decoder(LANES), header + body + b"x")
        self.assertEqual(items, [])
        self.assertIn(str(limits.MAX_BODY + 1), str(error))

    # Promise T13
    def test_a_length_over_the_limit_is_refused_before_the_body_comes(self) -> None:
        header = bytes((CONTROL,)) + (limits.MAX_BODY + 1).to_bytes(3, "big")
        for pieces in ([header], [header[:3], header[3:]]):
            self.assertIsNotNone(feed(Decoder(LANES), *pieces)[1])
        self.assertIsNone(feed(Decoder(LANES), header[:3])[1])

    def test_the_longest_body_is_the_longest_that_is_sent(self) -> None:
        self.assertEqual(len(framing.encode(CONTROL, bytes(limits.MAX_BODY))), limits.MAX_BODY + 4)
        self.assertRaises(ValueError, framing.encode, CONTROL, bytes(limits.MAX_BODY + 1))

    def test_a_chat_frame_of_the_longest_body_is_taken(self) -> None:
        body = b"\0\0\0\1" + bytes(limits.MAX_BODY - 4)
        items, error = feed(Decoder(LANES), framing.encode(CHAT, body))
        self.assertEqual((items, error), ([Run(1, framing.encode(CHAT, body))], None))

    def test_stream_numbers_from_one_to_the_last(self) -> None:
        for stream in (1, 2**32 - 1):
            items, _ = feed(Decoder(LANES), framing.encode_chat(stream, b"a"))
            self.assertEqual(items[0].stream, stream)  # type: ignore[union-attr]
        self.assertRaises(OverflowError, framing.encode_chat, 2**32, b"a")

    # Promise T13
    def test_one_unfinished_frame_is_held_at_the_most(self) -> None:
        decoder, most = Decoder(LANES), framing.encode(CONTROL, bytes(limits.MAX_BODY))
        for _ in range(3):  # two whole ones, then all but one byte of a third
            feed(decoder, most * 2 + most[:-1])
            self.assertEqual(decoder.held, len(most) - 1)
            feed(decoder, most[-1:])
            self.assertEqual(decoder.held, 0)

    def test_what_was_refused_is_not_kept(self) -> None:
        for pieces in ([b"\7" * 30_000], [b"\0\0\0", b"\1x\7"], [b"\1\0\0", b"\1x"]):
            decoder = Decoder(LANES)
            self.assertIsNotNone(feed(decoder, *pieces)[1])
            self.assertEqual(decoder.held, 0)
