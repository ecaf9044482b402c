"""The control lane: boxes in frames, commands, answers, refusals, and what a peer may not do."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.protocols import amp
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from securecom import commands, framing, limits
from securecom.commands import CancelRequest, ListAvailable, NothingToEnd, Ping, Say
from securecom.control import PAD, ControlLane, parse_box
from securecom.errors import NotYourStream, OurFault, WireError
from securecom.identity import Name

Box = dict[bytes, bytes]
SECRET = b"a word of the peer's"


class Responders(amp.CommandLocator):
    """Answers with what the test says."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.act: Callable[[], Any] = dict

    @Ping.responder
    def ping(self) -> Any:
        self.asked.append(Ping)
        return self.act()

    @Say.responder
    def say(self, text: str) -> Any:
        self.asked.append(text)
        return self.act()

    @CancelRequest.responder
    def cancel(self) -> Any:
        self.asked.append(CancelRequest)
        return self.act()

    @commands.SetAvailability.responder
    def set_availability(self, available: bool) -> Any:
        self.asked.append(available)
        return self.act()

    @ListAvailable.responder
    def list_available(self, after: bytes, text: bytes) -> Any:
        self.asked.append((after, text))
        return self.act()

    @commands.StreamClosed.responder
    def stream_closed(self, stream: int) -> Any:
        self.asked.append(stream)
        return self.act()


class Side:
    """One end: a control lane, and what it sent."""

    def __init__(self, pad_to: int = 0) -> None:
        self.responders = Responders()
        self.sent: list[bytes] = []
        self.faults: list[Exception] = []
        self.lane = ControlLane(self, self.responders, pad_to)

    def send(self, frame: bytes) -> None:
        self.sent.append(frame)

    def fault(self, error: Exception) -> None:
        self.faults.append(error)

    def boxes(self) -> list[amp.AmpBox]:
        """What was sent since the last look, as boxes."""
        frames, self.sent = self.sent, []
        return [parse_box(frame[limits.FRAME_HEADER :]) for frame in frames]

    def receive(self, **box: bytes) -> None:
        """A box from the peer; keys without their underscores where AMP has them."""
        reserved = {"command", "ask", "answer", "error", "error_code", "error_description"}
        keys = {(f"_{k}" if k in reserved else k).encode(): v for k, v in box.items()}
        self.lane.receive(serialized(keys))


def serialized(box: Box) -> bytes:
    result: bytes = amp.AmpBox(box).serialize()
    return result


def join(one: Side, other: Side) -> None:
    """Hand over what both sent, until neither sends."""
    while one.sent or other.sent:
        for here, there in ((one, other), (other, one)):
            frames, here.sent = here.sent, []
            for item in framing.Decoder(frozenset({framing.CONTROL})).feed(b"".join(frames)):
                there.lane.receive(item.body)  # type: ignore[union-attr]


class BoxTests(SynchronousTestCase):
    @given(st.dictionaries(st.binary(min_size=1, max_size=255), st.binary(max_size=300)))
    def test_round_trip(self, box: Box) -> None:
        box.pop(PAD, None)
        if box:
            self.assertEqual(parse_box(serialized(box)), box)

    @given(st.binary(max_size=100))
    def test_junk_raises_only_wire_errors(self, junk: bytes) -> None:
        try:
            box = parse_box(junk)
        except WireError:
            return
        box_without_order = sorted(serialized(box))
        self.assertEqual(box_without_order, sorted(junk))

    def test_exactly_one_box_fills_the_frame(self) -> None:
        one = serialized({b"a": b"b"})
        self.assertEqual(parse_box(one), {b"a": b"b"})
        for wrong in (
            b"",
            b"\0",
            b"\0\0",
            one[:-1],
            one[:-2],
            one + b"\0",
            one + b"\0\0",
            one + one,
        ):
            self.assertRaises(WireError, parse_box, wrong)

    def test_a_key_or_value_that_ends_too_early(self) -> None:
        for wrong in (b"\0\1", b"\0\2a", b"\0\1a\0", b"\0\1a\0\5b\0\0", b"\0\1a\xff\xff"):
            error = self.assertRaises(WireError, parse_box, wrong)
            self.assertIn("too early", str(error))

    def test_a_key_that_comes_twice(self) -> None:
        twice = b"\0\1a\0\1b\0\1a\0\1c\0\0"
        self.assertIn("twice", str(self.assertRaises(WireError, parse_box, twice)))

    def test_the_longest_key_and_one_byte_more(self) -> None:
        for length, is_good in ((255, True), (256, False), (300, False)):
            body = length.to_bytes(2, "big") + b"k" * length + b"\0\1v\0\0"
            if is_good:
                self.assertEqual(parse_box(body), {b"k" * length: b"v"})
            else:
                self.assertRaises(WireError, parse_box, body)

    def test_padding_is_dropped(self) -> None:
        self.assertEqual(parse_box(serialized({b"a": b"b", PAD: bytes(99)})), {b"a": b"b"})

    def test_padding_alone_is_no_box_that_may_come(self) -> None:
        self.assertRaises(WireError, Side().lane.receive, serialized({PAD: bytes(9)}))


class ConversationTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.here, self.there = Side(), Side()

    def call(self, command: type[amp.Command], **arguments: Any) -> Deferred[dict[str, Any]]:
        result = self.here.lane.call(command, **arguments)
        join(self.here, self.there)
        return result

    def assert_untroubled(self) -> None:
        self.assertEqual((self.here.faults, self.there.faults), ([], []))

    def test_a_command_is_answered(self) -> None:
        self.there.responders.act = lambda: {"names": [Name("bob")], "more": False}
        answer = self.successResultOf(self.call(ListAvailable, after=b"", text=b"o"))
        self.assertEqual(answer, {"names": ["bob"], "more": False})
        self.assertEqual(self.there.responders.asked, [(b"", b"o")])
        self.assert_untroubled()

    def test_answers_find_their_questions_in_any_order(self) -> None:
        waiting: list[Deferred[Any]] = []

        def later() -> Deferred[Any]:
            waiting.append(Deferred())
            return waiting[-1]

        self.there.responders.act = later
        results = [self.call(ListAvailable, after=b"", text=b"") for _ in range(3)]
        for number in (2, 0, 1):
            waiting[number].callback({"names": [Name(f"n{number}")], "more": False})
            join(self.here, self.there)
        for number, result in enumerate(results):
            self.assertEqual(self.successResultOf(result)["names"], [f"n{number}"])

    def test_a_typed_refusal_travels_and_comes_back_as_its_class(self) -> None:
        def refuse() -> None:
            raise NothingToEnd("it was over")

        self.there.responders.act = refuse
        error = self.failureResultOf(self.call(CancelRequest), NothingToEnd).value
        self.assertEqual(str(error), "it was over")
        self.assert_untroubled()

    def test_a_late_refusal_travels_too(self) -> None:
        waiting: Deferred[Any] = Deferred()
        self.there.responders.act = lambda: waiting
        result = self.call(CancelRequest)
        waiting.errback(NothingToEnd())
        join(self.here, self.there)
        self.failureResultOf(result, NothingToEnd)
        self.assert_untroubled()

    def test_telling_wants_no_answer(self) -> None:
        self.here.lane.tell(commands.StreamClosed, stream=7)
        join(self.here, self.there)
        self.assertEqual(self.there.responders.asked, [7])
        self.assert_untroubled()

    def test_a_call_that_is_wrong_on_our_side_is_not_the_peers_fault(self) -> None:
        self.failureResultOf(self.here.lane.call(Say), amp.InvalidSignature)
        self.assertEqual((self.here.sent, self.here.faults), ([], []))

    def test_a_message_that_fits_no_frame_is_not_sent(self) -> None:
        text = "x" * (limits.MAX_BODY + 1)
        self.assertRaises(ValueError, self.here.lane.call, Say, text=text)
        self.assertEqual(self.here.sent, [])

    def test_bytes_of_answers_are_counted_those_of_commands_are_not(self) -> None:
        self.call(Ping)
        self.here.lane.tell(commands.StreamClosed, stream=1)
        self.assertEqual(self.here.lane.answer_bytes, 0)
        (frame,) = self.sent_answer()
        self.assertEqual(self.there.lane.answer_bytes, 2 * len(frame))

    def sent_answer(self) -> list[bytes]:
        self.here.sent.clear()
        self.here.lane.call(Ping)
        self.there.lane.receive(self.here.sent.pop()[limits.FRAME_HEADER :])
        frames, self.there.sent = self.there.sent, []
        return frames


class PaddingTests(SynchronousTestCase):
    def test_commands_answers_and_refusals_are_a_multiple_long(self) -> None:
        here, there = Side(limits.CHAT_PADDING), Side(limits.CHAT_PADDING)
        lengths = set()
        for text in ("", "a", "a" * 150, "a" * 200, "a" * 256, "\u20ac" * 5000):
            here.lane.call(Say, text=text)
            lengths.add(len(here.sent[-1]))
        self.assertGreater(len(lengths), 2)
        there.responders.act = dict
        for frame in here.sent:
            self.assertEqual(len(frame) % limits.CHAT_PADDING, 0)
            there.lane.receive(frame[limits.FRAME_HEADER :])
        self.assertEqual(there.responders.asked[1], "a")  # nothing of the padding is in it

        def refuse() -> None:
            raise commands.OutOfTurn("x" * 50)

        there.responders.act = refuse
        there.lane.receive(here.sent[0][limits.FRAME_HEADER :])
        self.assertEqual(len(there.sent), 7)
        for frame in there.sent:
            self.assertEqual(len(frame), limits.CHAT_PADDING)

    def test_every_length_is_padded_to_the_next_multiple_and_not_further(self) -> None:
        side, bare = Side(limits.CHAT_PADDING), Side()
        for length in range(2 * limits.CHAT_PADDING):
            for one in (side, bare):
                one.sent.clear()
                one.lane.call(Say, text="a" * length)
            self.assertEqual(len(side.sent[0]) % limits.CHAT_PADDING, 0)
            self.assertLess(len(side.sent[0]) - len(bare.sent[0]) - 8, limits.CHAT_PADDING)

    def test_padding_is_zeros_whatever_is_said(self) -> None:
        side = Side(limits.CHAT_PADDING)
        side.lane.call(Say, text="a")
        rest = side.sent[0].partition(PAD)[2]
        length = int.from_bytes(rest[:2], "big")
        self.assertGreater(length, 100)
        self.assertEqual(rest[2 : 2 + length], bytes(length))

    def test_without_padding_no_byte_is_wasted(self) -> None:
        side = Side()
        side.lane.call(Ping)
        self.assertNotIn(PAD, side.sent[0])


class HostileTests(SynchronousTestCase):
    """What a peer may not do; nothing of it is answered, and none of its words are logged."""

    def setUp(self) -> None:
        self.side = Side()
        self.events: list[LogEvent] = []
        self.note: ILogObserver = self.events.append  # type: ignore[assignment]
        globalLogPublisher.addObserver(self.note)
        self.addCleanup(globalLogPublisher.removeObserver, self.note)
        self.addCleanup(self.assert_nothing_of_the_peer_in_the_log)

    def assert_nothing_of_the_peer_in_the_log(self) -> None:
        for event in self.events:
            text = formatEvent(event) + repr(event.get("log_failure", ""))
            if "log_failure" in event:
                text += event["log_failure"].getTraceback(detail="verbose")
            self.assertNotIn(SECRET.decode(), text)

    def assert_refused(self, **box: bytes) -> None:
        error = self.assertRaises(WireError, self.side.receive, **box)
        self.assertNotIn(SECRET.decode(), str(error))
        self.assertEqual(self.side.sent, [])

    def test_a_box_that_is_neither_command_nor_answer(self) -> None:
        self.assert_refused(a=SECRET)
        self.assert_refused(ask=b"1")

    def test_a_box_that_is_several_things(self) -> None:
        for others in (
            {"answer": b"1"},
            {"error": b"1", "error_code": b"", "error_description": b""},
        ):
            self.assert_refused(command=b"Ping", ask=b"1", **others)
        result = self.side.lane.call(Ping)
        tag = self.side.boxes()[0][amp.ASK]
        self.assert_refused(command=b"Ping", ask=b"1", answer=tag)
        self.assertNoResult(result)
        self.assertEqual(self.side.responders.asked, [])

    def test_an_unknown_command(self) -> None:
        for ask in ({"ask": b"1"}, {}):
            self.assert_refused(command=SECRET, **ask)

    def test_a_command_of_another_channel(self) -> None:
        self.assert_refused(command=b"OfferChat", ask=b"1")

    def test_bad_arguments(self) -> None:
        bad: list[dict[str, bytes]] = [
            {"command": b"SetAvailability", "available": SECRET},
            {"command": b"SetAvailability"},
            {"command": b"Say", "text": b"\xff" + SECRET},
            {"command": b"Say", "txt": SECRET},
            {"command": b"StreamClosed", "stream": SECRET},
            {"command": b"StreamClosed", "stream": b"0"},
        ]
        for box in bad:
            self.assert_refused(**box)
            self.assert_refused(ask=b"1", **box)
        self.assertEqual(self.side.responders.asked, [])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_unknown_keys_are_ignored(self) -> None:
        self.side.receive(command=b"Ping", ask=b"1", colour=SECRET)
        self.assertEqual(self.side.boxes(), [{b"_answer": b"1"}])

    def test_an_answer_to_what_was_never_asked(self) -> None:
        self.assert_refused(answer=SECRET)
        self.assert_refused(error=SECRET, error_code=b"X", error_description=b"")

    def test_an_answer_that_comes_twice(self) -> None:
        result = self.side.lane.call(Ping)
        ask = self.side.boxes()[0][amp.ASK]
        self.side.receive(answer=ask)
        self.assertEqual(self.successResultOf(result), {})
        self.assert_refused(answer=ask)

    def test_an_error_that_is_not_whole_does_not_lose_the_call(self) -> None:
        result = self.side.lane.call(CancelRequest)
        ask = self.side.boxes()[0][amp.ASK]
        self.assert_refused(error=ask)
        self.assert_refused(error=ask, error_code=b"NOTHING_TO_END")
        self.assertNoResult(result)
        self.side.lane.stop(Failure(ConnectionLost()))
        self.failureResultOf(result, ConnectionLost)

    def assert_bad_answer(self, command: type[amp.Command], /, **box: bytes) -> None:
        arguments = {"after": b"", "text": b""} if command is ListAvailable else {}
        result = self.side.lane.call(command, **arguments)
        tag = self.side.boxes()[0][amp.ASK]
        self.side.receive(**{k: tag if k in ("answer", "error") else v for k, v in box.items()})
        failure = self.failureResultOf(result, WireError)
        self.assertNotIn(SECRET.decode(), failure.getTraceback())
        self.assertEqual(self.side.faults.pop(), failure.value)

    def test_an_answer_that_the_command_cannot_have(self) -> None:
        self.assert_bad_answer(ListAvailable, answer=b"")
        self.assert_bad_answer(ListAvailable, answer=b"", names=SECRET, more=b"True")
        self.assert_bad_answer(ListAvailable, answer=b"", names=b"", more=SECRET)

    def test_a_refusal_that_the_command_cannot_have(self) -> None:
        said = {"error": b"", "error_description": SECRET}
        for code in (b"REFUSED", b"UNKNOWN", b"UNHANDLED", SECRET):
            self.assert_bad_answer(CancelRequest, error_code=code, **said)

    def test_too_many_commands_at_once(self) -> None:
        self.hold_answers()
        for number in range(limits.MAX_UNANSWERED):
            self.side.receive(command=b"Ping", ask=b"%d" % number)
        self.assert_refused(command=b"Ping", ask=b"x")
        self.assertEqual(len(self.side.responders.asked), limits.MAX_UNANSWERED)

    def test_commands_that_want_no_answer_count_as_well(self) -> None:
        self.hold_answers()
        for _ in range(limits.MAX_UNANSWERED):
            self.side.receive(command=b"Ping")
        self.assert_refused(command=b"Ping")

    def test_each_answer_or_refusal_makes_room_for_one_more(self) -> None:
        waiting = self.hold_answers()
        for number in range(limits.MAX_UNANSWERED):
            self.side.receive(command=b"CancelRequest", ask=b"%d" % number)
        waiting[3].callback({})
        waiting[7].errback(NothingToEnd())
        for _ in range(2):
            self.side.receive(command=b"Ping", ask=b"x")
        self.assertRaises(WireError, self.side.receive, command=b"Ping", ask=b"x")

    def test_many_commands_one_after_the_other_are_no_flood(self) -> None:
        for _ in range(3 * limits.MAX_UNANSWERED):
            self.side.receive(command=b"Ping", ask=b"1")
        self.assertEqual(len(self.side.sent), 3 * limits.MAX_UNANSWERED)

    def hold_answers(self) -> list[Deferred[Any]]:
        waiting: list[Deferred[Any]] = []

        def later() -> Deferred[Any]:
            waiting.append(Deferred())
            return waiting[-1]

        self.side.responders.act = later
        return waiting

    def test_the_longest_tag_and_one_byte_more(self) -> None:
        self.side.receive(command=b"Ping", ask=b"t" * limits.MAX_TAG)
        self.assertEqual(self.side.boxes(), [{b"_answer": b"t" * limits.MAX_TAG}])
        self.assert_refused(command=b"Ping", ask=b"t" * (limits.MAX_TAG + 1))

    def test_a_refusal_with_nowhere_to_go(self) -> None:
        waiting = self.hold_answers()
        self.side.receive(command=b"CancelRequest")
        waiting[0].errback(NothingToEnd(SECRET.decode()))
        self.assertIsInstance(self.side.faults[0], WireError)
        self.assertNotIn(SECRET.decode(), str(self.side.faults[0]))


class FaultTests(SynchronousTestCase):
    """A command that fails otherwise than by a refusal ends the connection."""

    def setUp(self) -> None:
        self.side = Side()

    def fail_with(self, error: Exception, **ask: bytes) -> Exception:
        def fail() -> None:
            raise error

        self.side.responders.act = fail
        self.side.receive(command=b"Ping", **ask)
        return self.side.faults[0]

    def test_a_peers_fault_is_the_connections_reason(self) -> None:
        error = NotYourStream("a stream of somebody else's")
        self.assertIs(self.fail_with(error, ask=b"1"), error)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_also_where_no_answer_is_wanted(self) -> None:
        error = NotYourStream("a stream of somebody else's")
        self.assertIs(self.fail_with(error), error)

    def test_a_mistake_of_ours_is_logged_without_its_values(self) -> None:
        for kind in (KeyError, ValueError, RuntimeError):
            self.side.faults.clear()
            self.assertIsInstance(self.fail_with(kind(SECRET), ask=b"1"), OurFault)
            (failure,) = self.flushLoggedErrors(OurFault)
            trace = failure.getTraceback(detail="verbose")
            self.assertIn(kind.__name__, trace)
            self.assertIn("fail(", trace)  # where it happened
            self.assertNotIn(SECRET.decode(), trace)

    def test_a_refusal_that_the_command_does_not_declare_is_a_mistake_of_ours(self) -> None:
        self.assertIsInstance(self.fail_with(NothingToEnd(), ask=b"1"), OurFault)
        self.flushLoggedErrors(OurFault)

    def test_a_result_that_cannot_be_sent_is_a_mistake_of_ours(self) -> None:
        self.side.responders.act = lambda: {"names": 3, "more": False}
        self.side.receive(command=b"ListAvailable", ask=b"1", after=b"", text=b"")
        self.assertIsInstance(self.side.faults[0], OurFault)
        self.flushLoggedErrors(OurFault)

    def test_a_refusal_that_our_side_forgot_to_take_is_logged_and_ends_nothing(self) -> None:
        self.side.lane.call(CancelRequest)
        ask = self.side.boxes()[0][amp.ASK]
        self.side.receive(error=ask, error_code=b"NOTHING_TO_END", error_description=b"")
        gc.collect()
        self.assertEqual(len(self.flushLoggedErrors(NothingToEnd)), 1)
        self.assertEqual(self.side.faults, [])


class StopTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.side = Side()

    def stop(self) -> None:
        self.side.lane.stop(Failure(ConnectionLost()))

    def test_what_waits_for_an_answer_fails(self) -> None:
        results = [self.side.lane.call(Ping) for _ in range(3)]
        self.stop()
        for result in results:
            self.failureResultOf(result, ConnectionLost)
        self.assertEqual(self.side.faults, [])

    def test_calls_after_the_end_fail_and_send_nothing(self) -> None:
        self.stop()
        self.failureResultOf(self.side.lane.call(Ping), ConnectionLost)
        self.side.lane.tell(commands.StreamClosed, stream=1)
        self.assertEqual(self.side.sent, [])

    def test_a_call_made_while_the_others_fail_fails_too(self) -> None:
        again: list[Deferred[Any]] = []
        first = self.side.lane.call(Ping)
        first.addErrback(lambda _: again.append(self.side.lane.call(Ping)))
        self.stop()
        self.failureResultOf(again[0], ConnectionLost)

    def test_an_answer_of_ours_that_comes_too_late_is_only_handed_to_the_owner(self) -> None:
        waiting: Deferred[Any] = Deferred()
        self.side.responders.act = lambda: waiting
        self.side.receive(command=b"Ping", ask=b"1")
        self.stop()
        waiting.callback({})
        self.assertEqual(self.side.faults, [])
