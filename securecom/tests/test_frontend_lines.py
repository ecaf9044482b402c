"""The line front-end between its input, its output and the main role."""

from __future__ import annotations

import time

from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.events import (
    ChatOver,
    DataFact,
    DataHeld,
    Delivered,
    KeyFollowed,
    Message,
    Notice,
    Offline,
    Problem,
    Said,
)
from securecom.client.frontends import commands
from securecom.client.frontends.jsonl import Json
from securecom.client.frontends.lines import Language, Lines
from securecom.client.frontends.orders import Order
from securecom.client.frontends.output import Output, Splitter, TerminalLines
from securecom.client.terms import Pause, Terms
from securecom.errors import BadArgument, TooLong
from securecom.identity import Name
from securecom.tests.support.lines_case import LinesCase
from securecom.tests.support.scripted_core import Failing


class SplitterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.splitter = Splitter()

    def lines(self) -> list[str]:
        return list(iter(self.splitter.next, None))

    def test_lines_in_pieces(self) -> None:
        self.splitter.feed(b"on")
        self.assertEqual(self.lines(), [])
        self.splitter.feed(b"e\r\ntwo\n\nthr")
        self.assertEqual(self.lines(), ["one", "two", ""])
        self.assertFalse(self.splitter.is_empty)

    def test_the_last_line_may_lack_its_end(self) -> None:
        self.splitter.feed(b"one\ntwo")
        self.splitter.end()
        self.assertEqual(self.lines(), ["one", "two"])
        self.assertTrue(self.splitter.is_empty)

    def test_an_input_that_ends_with_a_line_has_no_other(self) -> None:
        self.splitter.feed(b"one\n")
        self.splitter.end()
        self.assertEqual(self.lines(), ["one"])

    def test_a_line_that_is_not_utf_8_is_refused_alone(self) -> None:
        self.splitter.feed(b"\xff\xfe\nnext\n")
        self.assertRaises(BadArgument, self.splitter.next)
        self.assertEqual(self.lines(), ["next"])

    def test_a_line_over_the_limit_is_refused_once_and_skipped(self) -> None:
        self.splitter.feed(b"x" * (limits.MAX_LINE + 1))
        self.assertRaises(TooLong, self.splitter.next)
        for _ in range(3):
            self.splitter.feed(b"x" * limits.MAX_LINE)
            self.assertEqual(self.lines(), [])
            self.assertTrue(self.splitter.is_empty, "what is skipped is not kept")
        self.splitter.feed(b"x\nnext\n")
        self.assertEqual(self.lines(), ["next"])

    def test_a_whole_line_over_the_limit_is_refused(self) -> None:
        self.splitter.feed(b"x" * (limits.MAX_LINE + 1) + b"\nnext\n")
        self.assertRaises(TooLong, self.splitter.next)
        self.assertEqual(self.lines(), ["next"])

    def test_a_line_at_the_limit_is_taken(self) -> None:
        self.splitter.feed(b"x" * limits.MAX_LINE + b"\n")
        self.assertEqual(self.lines(), ["x" * limits.MAX_LINE])

    def test_many_short_lines_at_once_cost_no_more_than_their_bytes(self) -> None:
        self.splitter.feed(b"\n" * 2**20)
        before = time.process_time()
        self.assertEqual(len(self.lines()), 2**20)
        self.assertLess(time.process_time() - before, 6)
        self.assertTrue(self.splitter.is_empty)


class TerminalLinesTests(SynchronousTestCase):
    """What one read of a terminal brings, which is a line or a part of one."""

    def setUp(self) -> None:
        self.lines = TerminalLines()

    def read(self, *chunks: bytes) -> list[str]:
        for chunk in chunks:
            self.lines.feed(chunk)
        return list(iter(self.lines.next, None))

    def test_lines(self) -> None:
        self.assertEqual(self.read(b"one\n", b"two\r\n", b"\n"), ["one", "two", ""])
        self.assertTrue(self.lines.is_empty)
        self.lines.end()
        self.assertEqual(self.read(), [])

    def test_a_line_that_the_kernel_may_have_cut_is_refused(self) -> None:
        """The rest of it is gone, in the middle of a character perhaps."""
        most = limits.TERMINAL_LINE
        for text in ("x" * 9000, "\u4e00" * 1366, "\U0001f600" * 1024, "\u00e9" * 2100):
            self.lines.feed(text.encode()[:most] + b"\n")
            error = self.assertRaises(TooLong, self.lines.next)
            self.assertIn("4095 bytes or more", error.what)
            self.assertIn("Nothing was sent", error.hint)
        longest = "x" * (most - 1)
        self.assertEqual(self.read(longest.encode() + b"\n", b"next\n"), [longest, "next"])

    def test_also_if_the_end_of_it_came_by_itself(self) -> None:
        """A Ctrl-D behind it does not make it whole."""
        self.lines.feed(b"x" * limits.TERMINAL_LINE)
        self.lines.feed(b"the end\n")
        self.assertRaises(TooLong, self.lines.next)
        self.assertEqual(self.read(b"next\n"), ["next"])

    def test_a_ctrl_d_in_the_middle_sends_nothing(self) -> None:
        self.assertEqual(self.read(b"half a "), [])
        self.assertFalse(self.lines.is_empty)
        self.assertEqual(self.read(b"draft\n"), ["half a draft"], "as it stands on the screen")

    def test_a_line_that_was_begun_is_none_when_the_input_ends(self) -> None:
        self.read(b"half a draft")
        self.lines.end()
        error = self.assertRaises(BadArgument, self.lines.next)
        self.assertIn("not sent", error.hint)
        self.assertEqual(self.read(), [])
        self.assertTrue(self.lines.is_empty)

    def test_what_waits_for_its_end_is_bounded(self) -> None:
        for _ in range(100):
            self.lines.feed(b"x" * 1000)
        self.lines.feed(b"\n")
        self.assertRaises(TooLong, self.lines.next)
        self.assertLessEqual(len(self.lines._begun), limits.MAX_LINE + 1)

    def test_several_lines_in_one_read_are_several(self) -> None:
        self.assertEqual(self.read(b"a\nb\nc", b"d\n"), ["a", "b", "cd"])

    def test_a_line_that_is_not_utf_8_is_refused_alone(self) -> None:
        self.lines.feed(b"\xff\n")
        self.assertRaises(BadArgument, self.lines.next)
        self.assertEqual(self.read(b"next\n"), ["next"])


class OutputTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.full: list[bool] = []
        self.transport = StringTransport()
        self.output = Output(self.full.append, lambda count: [f"{count} missing"])

    def test_what_was_written_before_there_is_an_output_goes_out_first(self) -> None:
        self.output.write(["one"])
        self.output.connect(self.transport)
        self.output.write(["two"])
        self.assertEqual(self.transport.value(), b"one\ntwo\n")

    def test_a_slow_reader_stops_us_and_then_gets_everything(self) -> None:
        self.output.connect(self.transport)
        self.output.pauseProducing()
        line = "x" * 1023
        count = limits.MAX_UNSHOWN // 1024
        self.output.write([line] * count)
        self.assertEqual(self.full, [])
        self.output.write([line])
        self.output.write([line])
        self.assertEqual(self.full, [True])
        self.assertEqual(self.transport.value(), b"")
        self.output.resumeProducing()
        self.assertEqual(self.full, [True, False])
        self.assertEqual(self.transport.value().count(b"\n"), count + 2)

    def test_memory_is_bounded_and_what_is_missing_is_said(self) -> None:
        self.output.connect(self.transport)
        self.output.pauseProducing()
        line = "x" * 1023
        most = 2 * limits.MAX_UNSHOWN // 1024
        self.output.write([line] * (most + 5))
        self.output.resumeProducing()
        self.assertEqual(self.transport.value().count(line.encode()), most)
        self.assertTrue(self.transport.value().endswith(b"5 missing\n"))

    def test_what_must_not_be_missed_is_taken_also_then(self) -> None:
        self.output.connect(self.transport)
        self.output.pauseProducing()
        for _ in range(2 * limits.MAX_UNSHOWN // 1024):
            self.output.write(["x" * 1023])
        self.output.write(["a fact"])
        self.output.write(["y" * 1023] * 1024, kept=True)
        self.output.write(["x" * limits.MAX_UNSHOWN_AT_ALL], kept=True)
        self.output.resumeProducing()
        self.assertEqual(self.transport.value().count(b"y" * 1023), 1024)
        self.assertNotIn(b"a fact", self.transport.value())
        self.assertTrue(self.transport.value().endswith(b"2 missing\n"))

    def test_a_reader_that_stops_again_half_way_keeps_us_waiting(self) -> None:
        self.output.connect(self.transport)
        self.output.pauseProducing()
        self.output.write(["x" * limits.MAX_UNSHOWN, "y"])
        write = self.transport.write

        def write_and_fill(data: bytes) -> None:
            write(data)
            self.output.pauseProducing()

        self.patch(self.transport, "write", write_and_fill)
        self.output.resumeProducing()
        self.assertEqual(self.full, [True])
        self.output.resumeProducing()
        self.assertEqual(self.full, [True, False])

    def test_closing_writes_what_waits(self) -> None:
        self.output.connect(self.transport)
        self.output.pauseProducing()
        self.output.write(["last"])
        self.output.close()
        self.assertEqual(self.transport.value(), b"last\n")
        self.assertTrue(self.transport.disconnecting)
        self.assertIsNone(self.transport.producer, "or the transport would never close")
        self.output.close()

    def test_after_the_end_nothing_is_kept_and_nobody_held(self) -> None:
        for end in (Output.close, Output.stopProducing):
            self.setUp()
            self.output.connect(self.transport)
            self.output.pauseProducing()
            self.output.write(["x" * limits.MAX_UNSHOWN])
            end(self.output)
            self.assertEqual(self.full, [True, False])
            self.output.write(["x" * limits.MAX_UNSHOWN])
            self.assertEqual(self.full, [True, False])

    def test_a_lone_surrogate_cannot_stop_the_output(self) -> None:
        self.output.connect(self.transport)
        self.output.write(["\ud800"])
        self.assertEqual(self.transport.value(), b"\\ud800\n")


class ScriptTests(LinesCase):
    """Input that is no terminal."""

    def test_nothing_is_read_before_there_is_a_role(self) -> None:
        self.assertEqual(self.transport.producerState, "paused")
        self.begin()
        self.assertEqual(self.transport.producerState, "producing")

    def test_what_comes_early_nevertheless_is_kept(self) -> None:
        self.type("/available\n")
        self.begin()
        self.assertEqual(self.role.calls, [("set_available", Terms())])

    def test_the_input_is_held_while_orders_wait(self) -> None:
        self.role.is_online = False
        self.begin()
        self.type("/users\n/away\n")
        self.assertEqual(self.transport.producerState, "paused")
        self.log_in()
        self.assertEqual([call[0] for call in self.role.calls], ["users", "set_away"])
        self.assertEqual(self.transport.producerState, "producing")

    def test_bad_lines_are_answered_and_the_next_one_is_read(self) -> None:
        self.begin()
        self.lines.dataReceived(b"/hlep\n\xff\n/away\n")
        text = self.shown()
        self.assertIn("SC-201", text)
        self.assertIn("not UTF-8", text)
        self.assertEqual(self.role.calls, [("set_away", Pause())])

    def test_the_question_of_the_original_chat(self) -> None:
        self.begin()
        self.type("!chat\nbob\n")
        self.assertIn("Whom?", self.shown())
        self.assertEqual(self.role.calls, [("request_chat", "bob")])

    def test_the_end_of_the_input_waits_for_what_is_outstanding(self) -> None:
        self.begin()
        self.log_in()
        self.type("/chat bob\nhi")
        self.lines.readConnectionLost()
        self.assertEqual(self.leaves, 0)
        self.role.begin_chat("bob")
        self.clock.advance(0)
        self.assertEqual(self.role.calls[-1], ("say", "hi"))
        self.lines.show(Said(1, "hi", False))
        self.clock.advance(0)
        self.leaves = 0
        self.lines.show(Delivered(1))
        self.clock.advance(0)
        self.assertEqual(self.leaves, 1)

    def test_the_end_of_an_empty_input_waits_for_the_log_in(self) -> None:
        self.role.is_online = False
        self.begin()
        self.lines.readConnectionLost()
        self.assertEqual(self.leaves, 0)
        self.log_in()
        self.assertEqual(self.leaves, 1)

    def test_the_end_of_the_input_does_not_wait_for_ever(self) -> None:
        self.role.is_online = False
        self.begin()
        self.type("/users\n")
        self.lines.readConnectionLost()
        for _ in range(10):
            self.clock.advance(limits.FINISH_DEADLINE / 10 - 0.1)
            self.lines.show(Offline("refused", 1.0))
            self.clock.advance(0)
        self.assertEqual(self.leaves, 0)
        self.clock.advance(1)
        self.assertEqual(self.leaves, 1)

    def test_giving_up_does_not_say_that_nothing_was_sent(self) -> None:
        self.begin()
        self.log_in()
        self.role.begin_chat("bob")
        self.type("hi\n")
        self.lines.show(Said(1, "hi", False))
        self.lines.readConnectionLost()
        self.clock.advance(limits.FINISH_DEADLINE)
        shown = self.shown()
        self.assertIn("SC-601 not everything was done in time. What had no receipt may", shown)
        self.assertNotIn("Nothing was sent", shown)

    def test_progress_gives_what_is_outstanding_its_time_again(self) -> None:
        self.begin()
        self.log_in()
        self.type("/chat bob\nhi\n")
        self.lines.readConnectionLost()
        self.clock.advance(limits.FINISH_DEADLINE - 1)
        self.role.begin_chat("bob")
        self.lines.show(Said(1, "hi", True))
        self.clock.advance(0)
        self.clock.advance(limits.FINISH_DEADLINE - 1)
        self.assertEqual(self.leaves, 0)
        self.clock.advance(1)
        self.assertEqual(self.leaves, 1)

    def test_what_goes_wrong_first_is_kept(self) -> None:
        self.assertIsNone(self.lines.first_error)
        self.begin()
        self.assertIsNone(self.lines.first_error)
        self.type("/hlep\n")
        self.assertEqual(getattr(self.lines.first_error, "code", None), 201)

    def test_if_the_chat_that_the_command_line_asked_for_fails_a_script_is_over(self) -> None:
        self.begin(Order(commands.CHAT, (Name("bob"), None), essential=True))
        self.type("hi\n")
        self.role.fail_request(Failing("no"))
        self.assertEqual(self.leaves, 1)

    def test_a_slow_reader_holds_the_server_and_the_input(self) -> None:
        self.begin()
        self.reader.pauseProducing()
        self.lines.show(Message("bob", "x" * limits.MAX_UNSHOWN))
        self.assertTrue(self.role.is_held)
        self.assertEqual(self.transport.producerState, "paused")
        self.reader.resumeProducing()
        self.assertFalse(self.role.is_held)
        self.assertEqual(self.transport.producerState, "producing")

    def test_a_slow_reader_misses_no_message_nor_the_end_of_the_chat(self) -> None:
        self.begin()
        self.reader.pauseProducing()
        for _ in range(60):  # what one read may bring after the pause
            self.lines.show(Message("m" * limits.MAX_NAME, "\n" * 1024))
        self.lines.show(Message("bob", "the last"))
        self.lines.show(ChatOver("bob", "cut-off", []))
        self.lines.show(Problem(1, "a problem", ""))
        self.reader.resumeProducing()
        shown = self.shown()
        for words in ("the last", "cut off", "a problem"):
            self.assertIn(words, shown)
        self.assertNotIn("were not shown", shown)

    def test_a_slow_reader_before_there_is_a_role_harms_nothing(self) -> None:
        self.reader.pauseProducing()
        self.lines.show(Notice("x" * (2 * limits.MAX_UNSHOWN - 20)))
        self.lines.show(Notice("too much"))
        self.reader.resumeProducing()
        self.assertIn("1 lines were not shown", self.shown())

    def test_an_output_that_goes_away_means_leaving(self) -> None:
        self.begin()
        self.lines.writeConnectionLost()
        self.lines.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.leaves, 1)
        self.assertTrue(self.lines.is_gone)
        self.successResultOf(self.lines.close())

    def test_closing_waits_until_all_is_written(self) -> None:
        self.begin()
        self.lines.readConnectionLost()
        closed = self.lines.close()
        self.assertTrue(self.transport.disconnecting)
        self.assertNoResult(closed)
        self.lines.connectionLost(Failure(ConnectionDone()))
        self.successResultOf(closed)
        self.assertFalse(self.lines.is_gone)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_after_closing_nothing_more_is_taken(self) -> None:
        self.begin()
        self.lines.close()
        self.type("/away\n")
        self.assertEqual(self.role.calls, [])

    def test_without_an_output_closing_is_immediate(self) -> None:
        lines = Lines(self.language(), self.clock, self._leave, patient=True)
        lines.show(Notice("x"))
        self.successResultOf(lines.close())


class TerminalTests(LinesCase):
    patient = False

    def test_orders_are_answered_at_once(self) -> None:
        self.role.is_online = False
        self.begin()
        self.type("/users\n")
        self.assertIn("you are offline", self.shown())

    def test_a_failed_chat_from_the_command_line_leaves_the_person_there(self) -> None:
        self.begin(Order(commands.CHAT, (Name("bob"), None), essential=True))
        self.role.fail_request(Failing("no"))
        self.assertEqual(self.leaves, 0)
        self.assertIn("SC-999 no. Try.", self.shown())

    def test_the_end_of_the_input_is_the_end(self) -> None:
        self.begin()
        self.log_in()
        self.lines.readConnectionLost()
        self.assertEqual(self.leaves, 1)


class LongTests(LinesCase):
    patient = False

    def test_a_key_that_was_followed_is_told_whoever_reads_slowly(self) -> None:
        self.begin()
        self.reader.pauseProducing()
        self.lines.show(Notice("x" * (2 * limits.MAX_UNSHOWN - 20)))
        self.lines.show(Notice("too much"))
        self.lines.show(KeyFollowed("bob", "SHA256:old", "SHA256:new", "met"))
        self.reader.resumeProducing()
        shown = self.shown()
        self.assertIn("were not shown", shown)
        self.assertIn("bob has a NEW KEY", shown)

    def test_all_that_the_server_holds_is_shown_however_long(self) -> None:
        self.begin()
        fact = DataFact("blocked by you", "name", "m" * 1000)
        count = 3 * limits.MAX_UNSHOWN // 1000
        self.lines.show(DataHeld("alice", [fact] * count))
        self.assertEqual(self.shown().count(fact.value), count)
        self.assertNotIn("were not shown", self.shown())


class StayTests(LinesCase):
    stay = True

    def test_the_end_of_the_input_is_not_the_end(self) -> None:
        self.begin()
        self.log_in()
        self.lines.readConnectionLost()
        self.clock.advance(2 * limits.FINISH_DEADLINE)
        self.assertEqual(self.leaves, 0)


class JsonLinesTests(LinesCase):
    def language(self) -> Language:
        return Json()

    def test_a_program_gets_a_result_for_its_id(self) -> None:
        self.begin()
        self.type('{"command":"away","id":1}\nnonsense\n')
        self.assertEqual(
            self.shown().splitlines(),
            [
                '{"event":"result","id":1,"command":"away","ok":true}',
                '{"event":"problem","code":202,"what":"that line is not JSON",'
                '"hint":"Nothing was sent."}',
            ],
        )


class KernelLinesTests(LinesCase):
    """A person at a terminal whose lines the kernel puts together."""

    patient = False

    def setUp(self) -> None:
        super().setUp()
        self.lines = Lines(
            self.language(), self.clock, self._leave, patient=False, kernel_lines=True
        )
        self.transport = StringTransport()
        self.lines.makeConnection(self.transport)
        self.begin()
        self.log_in()
        self.role.begin_chat("bob")

    def test_a_cut_line_is_not_said(self) -> None:
        self.type("x" * limits.TERMINAL_LINE + "\n")
        self.assertIn("SC-205", self.shown())
        self.type("short\n")
        self.assertEqual(self.role.calls, [("say", "short")])

    def test_leaving_with_two_ctrl_d_says_no_half_draft(self) -> None:
        self.type("half a draft")
        self.lines.readConnectionLost()
        self.assertEqual(self.role.calls, [])
        self.assertIn("was not finished. It was not sent.", self.shown())
        self.assertEqual(self.leaves, 1)
