"""A question to the engine is answered or fails in time, whatever becomes of the connection."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.errors import DirectoryAway
from securecom.tests.support.memory_engine import NO_TXREDISAPI, Way, Wire

try:
    from securecom.server.cluster.engine import Engine, EngineError
except ModuleNotFoundError:
    skip = NO_TXREDISAPI

PONG = b"+PONG\r\n"


class EngineCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.way = Clock(), Way()
        self.engine = Engine(self.clock, self.way)

    def logged_in(self) -> Wire:
        """The engine's end, once it has answered the log-in."""
        wire = self.way.open()
        self.assertEqual(wire.asked(), [[b"PING"]])
        wire.answer(PONG)
        return wire

    def connected(self) -> Wire:
        """A connection that has answered one question."""
        answer = self.engine.ask("GET", "a")
        wire = self.logged_in()
        self.assertEqual(wire.asked(), [[b"GET", b"a"]])
        wire.answer(b"$-1\r\n")
        self.assertIsNone(self.successResultOf(answer))
        return wire

    def fails(self, answer: Deferred[Any], words: str) -> None:
        self.assertIn(words, str(self.failureResultOf(answer, DirectoryAway).value))


class AskingTests(EngineCase):
    def test_answers_come_as_they_are(self) -> None:
        wire = self.connected()
        raw = {
            b"+007\r\n": "007",
            b":7\r\n": 7,
            b"$3\r\n007\r\n": b"007",
            b"$4\r\n\r\n\xff\x00\r\n": b"\r\n\xff\x00",
            b"$0\r\n\r\n": b"",
            b"*2\r\n$1\r\na\r\n$1\r\n7\r\n": [b"a", b"7"],
            b"*0\r\n": [],
        }
        answers = [self.engine.ask("GET", "a") for _ in raw]
        wire.answer(b"".join(raw))
        for _ in range(20):
            self.clock.advance(0)
        self.assertEqual([self.successResultOf(one) for one in answers], list(raw.values()))

    def test_words_leave_as_they_are(self) -> None:
        wire = self.connected()
        self.engine.ask("SET", "a", b"\xff\r\n", 7)
        self.assertEqual(
            wire.value(), b"*4\r\n$3\r\nSET\r\n$1\r\na\r\n$3\r\n\xff\r\n\r\n$1\r\n7\r\n"
        )

    def test_an_error_of_the_engine_is_told(self) -> None:
        wire = self.connected()
        answer = self.engine.ask("SET", "a", "b")
        wire.answer(b"-OOM command not allowed\r\n")
        error = self.failureResultOf(answer, EngineError).value
        self.assertEqual(error.word, "OOM")
        self.assertIn("SC-119 the engine refused (OOM command not allowed)", str(error))
        self.assertFalse(wire.is_aborted)

    def test_a_question_without_an_answer_fails_in_time(self) -> None:
        wire = self.connected()
        first = self.engine.ask("GET", "a")
        self.clock.advance(1)
        second = self.engine.ask("GET", "b")
        self.clock.advance(limits.DIRECTORY_DEADLINE - 1)
        self.fails(first, "does not answer")
        self.assertTrue(wire.is_aborted)
        self.fails(second, "was lost")

    def test_the_next_question_has_a_new_connection(self) -> None:
        self.connected()
        self.engine.ask("GET", "a").addErrback(lambda _: None)
        self.clock.advance(limits.DIRECTORY_DEADLINE)
        self.connected()

    def test_a_lost_connection_fails_what_it_was_asked(self) -> None:
        wire = self.connected()
        answers = [self.engine.ask("GET", name) for name in "abc"]
        wire.lose()
        for answer in answers:
            self.fails(answer, "was lost")
        self.connected()

    def test_a_time_of_ones_own(self) -> None:
        wire = self.connected()
        answer = self.engine.ask("GET", "a", by=self.clock.seconds() + 1)
        self.clock.advance(1)
        self.fails(answer, "does not answer")
        self.assertTrue(wire.is_aborted)

    def test_whoever_gives_up_leaves_the_order_of_answers(self) -> None:
        wire = self.connected()
        first, second = self.engine.ask("GET", "a"), self.engine.ask("GET", "b")
        first.cancel()
        self.failureResultOf(first, DirectoryAway)
        wire.answer(b"+a\r\n+b\r\n")
        self.assertEqual(self.successResultOf(second), "b")
        self.assertFalse(wire.is_aborted)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class ConnectingTests(EngineCase):
    def test_nothing_happens_while_nobody_asks(self) -> None:
        self.assertEqual(self.way.attempts, 0)
        wire = self.connected()
        wire.lose()
        self.assertEqual(self.way.attempts, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_all_who_wait_share_an_attempt(self) -> None:
        answers = [self.engine.ask("GET", name) for name in "ab"]
        self.assertEqual(self.way.attempts, 1)
        wire = self.logged_in()
        self.assertEqual(wire.asked(), [[b"GET", b"a"], [b"GET", b"b"]])
        wire.answer(b"+1\r\n+2\r\n")
        self.assertEqual([self.successResultOf(one) for one in answers], ["1", "2"])

    def test_the_log_in_goes_in_order(self) -> None:
        self.engine = Engine(self.clock, self.way, db=3, user="node", password="secret")
        answer = self.engine.ask("GET", "a")
        wire = self.way.open()
        for words in ([b"AUTH", b"node", b"secret"], [b"SELECT", b"3"]):
            self.assertEqual(wire.asked(), [words])
            wire.answer(b"+OK\r\n")
        self.assertEqual(wire.asked(), [[b"PING"]])
        wire.answer(PONG)
        self.assertEqual(wire.asked(), [[b"GET", b"a"]])
        self.assertNoResult(answer)

    def test_a_password_without_a_user(self) -> None:
        self.engine = Engine(self.clock, self.way, password="secret")
        self.engine.ask("GET", "a")
        self.assertEqual(self.way.open().asked(), [[b"AUTH", b"secret"]])

    def test_a_refused_log_in_is_not_the_last(self) -> None:
        self.engine = Engine(self.clock, self.way, password="secret")
        for _ in range(3):
            answer = self.engine.ask("GET", "a")
            wire = self.way.open()
            wire.answer(b"-WRONGPASS invalid username-password pair\r\n")
            self.fails(answer, "WRONGPASS invalid username-password pair")
            self.assertTrue(wire.is_aborted)
        answer = self.engine.ask("GET", "a")
        wire = self.way.open()
        wire.answer(b"+OK\r\n" + PONG + b"+1\r\n")
        self.assertEqual(self.successResultOf(answer), "1")

    def test_an_engine_that_loads_is_asked_again(self) -> None:
        answer = self.engine.ask("GET", "a")
        self.way.open().answer(b"-LOADING the dataset is loading\r\n")
        self.fails(answer, "LOADING")
        self.connected()

    def test_a_connection_lost_during_the_log_in_is_not_the_last(self) -> None:
        answer = self.engine.ask("GET", "a")
        self.way.open().lose()
        self.fails(answer, "cannot be reached")
        self.connected()

    def test_a_refused_connection_fails_at_once(self) -> None:
        answer = self.engine.ask("GET", "a")
        self.way.refuse(ConnectionRefusedError())
        self.fails(answer, "Connection was refused")
        self.connected()

    def test_a_connection_that_is_never_made(self) -> None:
        answer = self.engine.ask("GET", "a")
        self.clock.advance(limits.DIRECTORY_DEADLINE)
        self.fails(answer, "no answer in time")
        self.assertEqual((self.way.attempts, self.way.cancelled), (0, 1))

    def test_a_log_in_that_is_never_answered(self) -> None:
        answer = self.engine.ask("GET", "a")
        wire = self.way.open()
        self.clock.advance(limits.DIRECTORY_DEADLINE)
        self.fails(answer, "no answer in time")
        self.assertTrue(wire.is_aborted)
        self.connected()

    def test_after_a_failure_they_wait_less(self) -> None:
        first = self.engine.ask("GET", "a")
        self.way.refuse(ConnectionRefusedError())
        self.failureResultOf(first, DirectoryAway)
        second = self.engine.ask("GET", "a")
        self.clock.advance(limits.DIRECTORY_HASTE)
        self.fails(second, "cannot be reached")
        third = self.engine.ask("GET", "a")
        wire = self.logged_in()  # the second one's attempt, which still went on
        self.assertEqual(wire.asked(), [[b"GET", b"a"]])
        wire.answer(b"+1\r\n")
        self.assertEqual(self.successResultOf(third), "1")
        wire.lose()
        fourth = self.engine.ask("GET", "a")
        self.clock.advance(limits.DIRECTORY_HASTE)
        self.assertNoResult(fourth)

    def test_trouble_is_logged_once(self) -> None:
        with capturedLogs() as logs:
            for _ in range(3):
                self.engine.ask("GET", "a").addErrback(lambda _: None)
                self.way.refuse(ConnectionRefusedError())
            self.connected()
        found = [str(event.get("log_format")) for event in logs if "directory:" in str(event)]
        self.assertEqual(
            found,
            [
                "directory: the engine cannot be reached: {reason}",
                "directory: the engine is back",
            ],
        )


class ClosingTests(EngineCase):
    def test_what_is_unanswered_fails(self) -> None:
        wire = self.connected()
        answer = self.engine.ask("GET", "a")
        self.successResultOf(self.engine.close())
        self.assertTrue(wire.is_aborted)
        self.fails(answer, "was lost")
        self.fails(self.engine.ask("GET", "a"), "closed")
        self.assertEqual(self.way.attempts, 0)
        self.successResultOf(self.engine.close())

    def test_an_attempt_ends(self) -> None:
        answer = self.engine.ask("GET", "a")
        self.successResultOf(self.engine.close())
        self.assertEqual(self.way.cancelled, 1)
        self.fails(answer, "cannot be reached")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_log_in_ends(self) -> None:
        answer = self.engine.ask("GET", "a")
        wire = self.way.open()
        self.successResultOf(self.engine.close())
        self.assertTrue(wire.is_aborted)
        self.fails(answer, "cannot be reached")
