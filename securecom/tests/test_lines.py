"""The front-end of lines, between its input, its output and the main role."""

from __future__ import annotations

from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from securecom import limits
from securecom.client.events import (
    ChatOver,
    DataFact,
    DataHeld,
    Delivered,
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
from securecom.client.frontends.output import TerminalLines
from securecom.client.key_events import KeyFollowed
from securecom.client.terms import AvailabilityTerms, Pause
from securecom.identity import Name
from securecom.tests.support.lines_case import LinesCase
from securecom.tests.support.scripted_core import Failing


class ScriptTests(LinesCase):
    """Input that is no terminal."""

    def test_nothing_is_read_before_there_is_a_role(self) -> None:
        self.assertEqual(self.transport.producerState, "paused")
        self.begin()
        self.assertEqual(self.transport.producerState, "producing")

    def test_what_comes_early_nevertheless_is_kept(self) -> None:
        self.type("/available\n")
        self.begin()
        self.assertEqual(self.role.calls, [("set_available", AvailabilityTerms())])

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
        self.lines.show(Said("bob", 1, "hi", False))
        self.clock.advance(0)
        self.leaves = 0
        self.lines.show(Delivered("bob", 1))
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

    # Promise R83
    def test_giving_up_does_not_say_that_nothing_was_sent(self) -> None:
        self.begin()
        self.log_in()
        self.role.begin_chat("bob")
        self.type("hi\n")
        self.lines.show(Said("bob", 1, "hi", False))
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
        self.lines.show(Said("bob", 1, "hi", True))
        self.clock.advance(0)
        self.clock.advance(limits.FINISH_DEADLINE - 1)
        self.assertEqual(self.leaves, 0)
        self.clock.advance(1)
        self.assertEqual(self.leaves, 1)

    def test_what_goes_wrong_first_is_kept(self) -> None:
        self.assertIsNone(self.lines.failure)
        self.begin()
        self.assertIsNone(self.lines.failure)
        self.type("/hlep\n")
        self.assertEqual(getattr(self.lines.failure, "code", None), 201)

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
        self.successResultOf(self.lines.start())
        self.successResultOf(self.lines.close())

    def test_closing_waits_until_all_is_written(self) -> None:
        self.begin()
        self.lines.readConnectionLost()
        closed = self.lines.close()
        self.assertTrue(self.transport.disconnecting)
        self.assertNoResult(closed)
        self.lines.connectionLost(Failure(ConnectionDone()))
        self.successResultOf(closed)
        self.assertEqual(self.leaves, 0)
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
                '"hint":"Nothing was sent.","suggested":[]}',
            ],
        )


class KernelLinesTests(LinesCase):
    """A person at a terminal whose lines the kernel puts together."""

    patient = False

    def setUp(self) -> None:
        super().setUp()
        self.lines = Lines(
            self.language(), self.clock, self._leave, patient=False, source=TerminalLines()
        )
        self.transport = StringTransport()
        self.lines.makeConnection(self.transport)
        self.begin()
        self.log_in()
        self.role.begin_chat("bob")

    # Promise R38
    def test_a_cut_line_is_not_said(self) -> None:
        self.type("x" * limits.TERMINAL_LINE + "\n")
        self.assertIn("SC-205", self.shown())
        self.type("short\n")
        self.assertEqual(self.role.calls, [("say", "short")])

    # Promise R39
    def test_leaving_with_two_ctrl_d_says_no_half_draft(self) -> None:
        self.type("half a draft")
        self.lines.readConnectionLost()
        self.assertEqual(self.role.calls, [])
        self.assertIn("was not finished. It was not sent.", self.shown())
        self.assertEqual(self.leaves, 1)
