"""What a peer may not do on the control lane, and what happens when a command fails."""

from __future__ import annotations

import gc
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.protocols import amp
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.errors import NotYourStream, OurFault, WireError
from securecom.refusals import NothingToEnd
from securecom.tests.support.control_pair import SECRET, Side
from securecom.vocabulary import CancelRequest, ListAvailable, Ping


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

    def test_words_of_a_refusal_that_are_no_text(self) -> None:
        result = self.side.lane.call(CancelRequest)
        ask = self.side.boxes()[0][amp.ASK]
        self.side.receive(error=ask, error_code=b"NOTHING_TO_END", error_description=b"\xff")
        self.failureResultOf(result, NothingToEnd)
        self.assertEqual(self.side.faults, [])

    def test_a_bad_answer_to_a_call_that_the_end_of_the_connection_cancels(self) -> None:
        result = self.side.lane.call(ListAvailable, after=b"", text=b"")
        ask = self.side.boxes()[0][amp.ASK]
        self.side.fault = lambda error: result.cancel()  # type: ignore[method-assign]
        self.side.receive(answer=ask)
        self.failureResultOf(result, CancelledError)

    # Promise T13
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

    # Promise R104
    def test_a_tag_of_no_bytes(self) -> None:
        self.assert_refused(command=b"Ping", ask=b"")

    def test_the_longest_tag_and_one_byte_more(self) -> None:
        self.side.receive(command=b"Ping", ask=b"t" * limits.MAX_TAG)
        self.assertEqual(self.side.boxes(), [{b"_answer": b"t" * limits.MAX_TAG}])
        self.assert_refused(command=b"Ping", ask=b"t" * (limits.MAX_TAG + 1))

    # Promise R107
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

    # Promise T110
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
