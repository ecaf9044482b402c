"""The control lane: boxes in frames, commands, answers, refusals, padding, the end."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.protocols import amp
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, refusals, vocabulary
from securecom.control import PAD, ControlLane, Locator, box_bytes, parse_box
from securecom.errors import OurFault, WireError
from securecom.identity import Name
from securecom.refusals import NothingToEnd
from securecom.tests.support.control_pair import Box, Side, join, serialized
from securecom.vocabulary import CancelRequest, ListAvailable, Ping, Say


class BoxTests(SynchronousTestCase):
    @given(st.dictionaries(st.binary(min_size=1, max_size=255), st.binary(max_size=300)))
    def test_round_trip(self, box: Box) -> None:
        box.pop(PAD, None)
        if box:
            self.assertEqual(parse_box(serialized(box)), box)

    # Promise T83
    @given(st.binary(max_size=100))
    def test_junk_raises_only_wire_errors(self, junk: bytes) -> None:
        try:
            box = parse_box(junk)
        except WireError:
            return
        box_without_order = sorted(serialized(box))
        self.assertEqual(box_without_order, sorted(junk))

    @given(st.dictionaries(st.binary(min_size=1, max_size=255), st.binary(max_size=300)))
    def test_it_is_written_as_amp_writes_it(self, box: Box) -> None:
        self.assertEqual(box_bytes(amp.AmpBox(box)), serialized(box))

    def test_the_longest_value_and_one_byte_more(self) -> None:
        for length in (255, 256, amp.MAX_VALUE_LENGTH):
            box = amp.AmpBox({b"a": b"v" * length})
            self.assertEqual(parse_box(box_bytes(box)), box)
        too_long = amp.AmpBox({b"a": b"v" * (amp.MAX_VALUE_LENGTH + 1)})
        self.assertRaises(ValueError, box_bytes, too_long)

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

    def test_no_length_of_a_key_is_taken_for_a_shorter_one(self) -> None:
        good = b"\0\1a\0\1b\0\0"
        self.assertEqual(parse_box(good), {b"a": b"b"})
        for wrong in (b"\1" + good[1:], good[:-2] + b"\1\0"):
            self.assertRaises(WireError, parse_box, wrong)

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
        self.assertEqual(answer, {"names": ["bob"], "more": False, "busy": None})
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
        self.here.lane.tell(vocabulary.StreamClosed, stream=7)
        join(self.here, self.there)
        self.assertEqual(self.there.responders.asked, [7])
        self.assert_untroubled()

    # Promise R100
    def test_who_stops_waiting_passes_over_a_late_answer_and_keeps_nothing(self) -> None:
        waiting: list[Deferred[Any]] = []

        def later() -> Deferred[Any]:
            waiting.append(Deferred())
            return waiting[-1]

        self.there.responders.act = later
        calls = [self.call(CancelRequest) for _ in range(3)]
        for call in calls:
            call.cancel()
            self.failureResultOf(call, CancelledError)
        self.assertEqual(self.here.lane._waiting, {})
        waiting[0].callback({})
        waiting[1].errback(NothingToEnd())
        waiting[2].errback(NothingToEnd())
        join(self.here, self.there)
        self.assert_untroubled()
        self.there.responders.act = dict
        self.assertEqual(self.successResultOf(self.call(CancelRequest)), {})

    # Promise R100
    def test_an_answer_to_a_call_given_up_long_ago_was_not_asked_for(self) -> None:
        calls = [self.here.lane.call(Ping) for _ in range(limits.GIVEN_UP_ANSWERS + 1)]
        tags = [box[amp.ASK] for box in self.here.boxes()]
        for call in calls:
            call.cancel()
            self.failureResultOf(call, CancelledError)
        self.here.receive(answer=tags[-1])
        self.here.receive(answer=tags[1])
        for tag in (tags[1], tags[0]):  # one comes twice, one too late
            self.assertRaises(WireError, self.here.receive, answer=tag)

    def test_a_call_that_is_wrong_on_our_side_is_not_the_peers_fault(self) -> None:
        self.failureResultOf(self.here.lane.call(Say), amp.InvalidSignature)
        self.assertEqual((self.here.sent, self.here.faults), ([], []))

    def test_a_message_that_fits_no_frame_is_not_sent(self) -> None:
        text = "x" * (limits.MAX_BODY + 1)
        self.assertRaises(ValueError, self.here.lane.call, Say, text=text)
        self.assertEqual(self.here.sent, [])

    def test_bytes_of_answers_are_counted_those_of_commands_are_not(self) -> None:
        self.call(Ping)
        self.here.lane.tell(vocabulary.StreamClosed, stream=1)
        self.assertEqual(self.here.lane.answer_bytes, 0)
        (frame,) = self.sent_answer()
        self.assertEqual(self.there.lane.answer_bytes, 2 * len(frame))

    def sent_answer(self) -> list[bytes]:
        self.here.sent.clear()
        self.here.lane.call(Ping)
        self.there.lane.receive(self.here.sent.pop()[limits.FRAME_HEADER :])
        frames, self.there.sent = self.there.sent, []
        return frames


class Quick(Locator):
    """Answers at once, at once with a refusal, or later."""

    def __init__(self) -> None:
        self.later: Deferred[Any] = Deferred()

    @Ping.responder
    def ping(self) -> Any:
        return {}

    @CancelRequest.responder
    def cancel(self) -> Any:
        raise NothingToEnd("it was over")

    @ListAvailable.responder
    def list_available(self, after: bytes, text: bytes) -> Any:
        return self.later

    @Say.responder
    def say(self, text: str) -> Any:
        raise KeyError(text)


class LocatorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.side, self.locator = Side(), Quick()
        self.side.lane = ControlLane(self.side, self.locator)

    def test_what_is_known_at_once_is_no_deferred(self) -> None:
        box = amp.AmpBox()
        self.assertEqual(self.locator.locateResponder(b"Ping")(box), {})
        refused = self.locator.locateResponder(b"CancelRequest")(box)
        self.assertEqual(refused.value.errorCode, NothingToEnd.wire)

    def test_it_answers_as_amps_own_does(self) -> None:
        self.side.receive(command=b"Ping", ask=b"1")
        self.side.receive(command=b"CancelRequest", ask=b"2")
        self.side.receive(command=b"ListAvailable", ask=b"3", after=b"", text=b"")
        ping, cancel = self.side.boxes()
        self.assertEqual(ping, {b"_answer": b"1"})
        self.assertEqual(cancel[amp.ERROR_CODE], NothingToEnd.wire)
        self.locator.later.callback({"names": [], "more": False})
        self.assertEqual(self.side.boxes()[0][amp.ANSWER], b"3")
        self.assertFalse(self.side.lane.owes_answers)
        self.assertEqual(self.side.faults, [])

    def test_a_mistake_of_ours_ends_the_connection_and_is_not_answered(self) -> None:
        self.side.receive(command=b"Say", ask=b"1", text=b"x")
        self.assertEqual(self.side.sent, [])
        self.assertIsInstance(self.side.faults[0], OurFault)
        self.flushLoggedErrors(OurFault)

    def test_an_answer_that_fits_no_frame_is_a_mistake_of_ours(self) -> None:
        self.side.receive(command=b"ListAvailable", ask=b"1", after=b"", text=b"")
        names = [Name("n" * 32)] * (limits.MAX_BODY // 32)
        self.locator.later.callback({"names": names, "more": False})
        self.assertEqual(self.side.sent, [])
        self.assertIsInstance(self.side.faults[0], OurFault)
        self.flushLoggedErrors(OurFault)


class PaddingTests(SynchronousTestCase):
    # Promise T24
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
            raise refusals.OutOfTurn("x" * 50)

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
        self.side.lane.tell(vocabulary.StreamClosed, stream=1)
        self.assertEqual(self.side.sent, [])

    def test_a_call_made_while_the_others_fail_fails_too(self) -> None:
        again: list[Deferred[Any]] = []
        first = self.side.lane.call(Ping)
        first.addErrback(lambda _: again.append(self.side.lane.call(Ping)))
        self.stop()
        self.failureResultOf(again[0], ConnectionLost)

    def test_a_call_that_is_cancelled_while_the_others_fail_takes_nobody_else_theirs(self) -> None:
        results = [self.side.lane.call(Ping) for _ in range(3)]
        results[0].addErrback(lambda _: results[1].cancel())
        self.stop()
        self.failureResultOf(results[1], CancelledError)
        self.failureResultOf(results[2], ConnectionLost)

    def test_an_answer_of_ours_that_comes_too_late_is_only_handed_to_the_owner(self) -> None:
        waiting: Deferred[Any] = Deferred()
        self.side.responders.act = lambda: waiting
        self.side.receive(command=b"Ping", ask=b"1")
        self.stop()
        waiting.callback({})
        self.assertEqual(self.side.faults, [])
