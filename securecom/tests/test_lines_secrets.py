"""Pass phrases that a running client asks for: unseen, one at a time, never taken for a command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.api import ClientState
from securecom.client.events import Message
from securecom.client.frontends import Silent
from securecom.client.frontends.commands import Command
from securecom.client.frontends.jsonl import Json
from securecom.client.frontends.lines import Language, Lines
from securecom.client.frontends.orders import Order
from securecom.client.profile.identity_file import make_identity_file
from securecom.client.profile.passphrase import Vault
from securecom.errors import IdentityProblem, NotNow, PassPhraseProblem
from securecom.tests.support.lines_case import LinesCase

PHRASE = "correct horse"


class AskingCase(LinesCase):
    """An order that asks for a pass phrase before it is done."""

    def setUp(self) -> None:
        super().setUp()
        self.hidden: list[bool] = []
        self.lines = Lines(
            self.language(),
            self.clock,
            self._leave,
            patient=self.patient,
            hide=self.hidden.append,
            first=self.first,
        )
        self.transport = StringTransport()
        self.lines.makeConnection(self.transport)
        self.heard: list[Any] = []
        self.begun: Deferred[None] = Deferred()
        asks = Command("asks", "", frozenset(ClientState), lambda api, _: self.ask(), "", asks=True)
        self.begin(Order(asks))
        self.log_in()
        self.shown()

    def ask(self) -> Deferred[Any]:
        """As a command does that has something else to do first."""
        asked = self.begun.addCallback(lambda _: self.lines.ask_secret("which one?"))
        return asked.addBoth(self.heard.append)

    def start(self) -> None:
        self.begun.callback(None)
        self.clock.advance(0)


class TerminalTests(AskingCase):
    patient = False

    def test_the_next_line_answers_and_is_not_shown(self) -> None:
        self.start()
        self.assertIn("which one?", self.shown())
        self.type(f" {PHRASE} \n/users\n")
        self.assertEqual(self.heard, [f" {PHRASE} "])
        self.assertNotIn(PHRASE, self.shown())
        self.assertEqual(self.role.calls, [("users", "")])

    def test_typing_is_hidden_exactly_while_it_is_asked(self) -> None:
        self.assertEqual(self.hidden, [])
        self.start()
        self.assertEqual(self.hidden, [True])
        self.type(f"{PHRASE}\n")
        self.assertEqual(self.hidden, [True, False])

    # Promise R44
    def test_it_stays_hidden_while_the_answer_is_checked_and_until_the_command_is_done(
        self,
    ) -> None:
        """The next attempt may be typed before the question for it."""
        checked: Deferred[None] = Deferred()

        def ask_twice() -> Deferred[Any]:
            first = self.lines.ask_secret("which one?").addCallback(lambda _: checked)
            return first.addCallback(lambda _: self.lines.ask_secret("another?"))

        states = frozenset(ClientState)
        twice = Command("twice", "", states, lambda api, _: ask_twice(), "", asks=True)
        self.start()
        self.type(f"{PHRASE}\n")
        self.hidden.clear()
        assert self.lines._orders is not None
        self.lines._orders.take(Order(twice))
        self.type("wrong\n")
        self.assertEqual(self.hidden, [True])
        checked.callback(None)
        self.clock.advance(0)
        self.assertEqual(self.hidden, [True, True])
        self.type(f"{PHRASE}\n")
        self.assertEqual(self.hidden, [True, True, False])

    def test_it_is_hidden_again_after_a_stop(self) -> None:
        """The shell that had the terminal meanwhile left it as it wants it."""
        self.lines.continued()
        self.start()
        self.lines.continued()
        self.assertEqual(self.hidden, [True, True])
        self.type(f"{PHRASE}\n")
        self.lines.continued()
        self.assertEqual(self.hidden, [True, True, False])

    def test_what_is_typed_before_the_question_is_no_command(self) -> None:
        self.role.peer = "bob"  # type: ignore[assignment]
        self.type(f"{PHRASE}\n")
        self.assertEqual(self.role.calls, [])
        self.start()
        self.assertEqual(self.heard, [PHRASE])
        self.assertEqual(self.role.calls, [], "it was never said to anybody")

    def test_an_empty_line_means_cancel(self) -> None:
        self.start()
        self.type("\n")
        self.heard[0].trap(NotNow)
        self.assertEqual(self.hidden, [True, False])

    def test_events_go_on_meanwhile(self) -> None:
        self.start()
        self.lines.show(Message("bob", "hi"))
        self.assertIn("bob| hi", self.shown())
        self.type(f"{PHRASE}\n")
        self.assertEqual(self.heard, [PHRASE])

    def test_leaving_ends_the_question(self) -> None:
        self.start()
        self.lines.stop()
        self.heard[0].trap(NotNow)
        self.assertEqual(self.hidden, [True, False])

    def test_one_question_at_a_time(self) -> None:
        self.start()
        self.failureResultOf(self.lines.ask_secret("another?"), NotNow)
        self.assertNotIn("another?", self.shown())
        self.type(f"{PHRASE}\n")
        self.assertEqual(self.heard, [PHRASE])


class ScriptTests(AskingCase):
    def test_the_line_behind_the_command_answers(self) -> None:
        self.type(f"{PHRASE}\n/users\n")
        self.assertEqual(self.role.calls, [])
        self.start()
        self.assertEqual(self.heard, [PHRASE])
        self.assertEqual(self.role.calls, [("users", "")])

    def test_the_end_of_the_input_is_no_answer(self) -> None:
        self.start()
        self.lines.readConnectionLost()
        self.heard[0].trap(NotNow)

    def test_a_last_line_without_its_end_is_one(self) -> None:
        self.start()
        self.type(PHRASE)
        self.lines.readConnectionLost()
        self.assertEqual(self.heard, [PHRASE])

    def test_an_output_that_goes_away_ends_the_question(self) -> None:
        self.start()
        self.lines.connectionLost(Failure(ConnectionDone()))
        self.lines.stop()
        self.heard[0].trap(NotNow)


class InVainTests(AskingCase):
    """In a chat, a wrong pass phrase and whatever was typed behind it go to nobody."""

    patient = False

    def setUp(self) -> None:
        super().setUp()
        self.role.peer = "bob"  # type: ignore[assignment]
        self.checked: Deferred[None] = Deferred()

    def ask(self) -> Deferred[Any]:
        asked = super().ask()
        asked.addCallback(lambda _: self.checked)
        return asked.addCallback(lambda _: fail(PassPhraseProblem("that is not it")))

    def typed_wrong(self) -> None:
        self.start()
        self.type("wrong\n")
        self.checked.callback(None)
        self.clock.advance(0)

    # Promise T69
    def test_what_is_typed_again_by_reflex_is_no_message(self) -> None:
        self.typed_wrong()
        self.type(f"{PHRASE}\n//{PHRASE}\n!{PHRASE}\n")
        self.assertEqual(self.role.calls, [])
        self.assertEqual(self.shown().count("SC-203 a pass phrase was asked for"), 3)
        self.assertNotIn(PHRASE, self.shown())

    # Promise T69
    def test_nor_is_what_was_typed_ahead(self) -> None:
        self.start()
        self.type(f"wrong\n{PHRASE}\n{PHRASE}\n")
        self.checked.callback(None)
        self.clock.advance(0)
        self.assertEqual(self.role.calls, [])

    def test_nor_what_follows_an_unknown_command(self) -> None:
        self.typed_wrong()
        self.type(f"/bakcup x\n{PHRASE}\n")
        self.assertEqual(self.role.calls, [])

    def test_after_an_empty_line_it_is(self) -> None:
        self.typed_wrong()
        self.type("\nhello\n")
        self.assertEqual(self.role.calls, [("say", "hello")])

    def test_after_a_command_too(self) -> None:
        self.typed_wrong()
        self.type("/users\nhello\n")
        self.assertEqual(self.role.calls, [("users", ""), ("say", "hello")])


class InVainScriptTests(InVainTests):
    patient = True


class ProgramTests(AskingCase):
    def language(self) -> Language:
        return Json()

    def test_an_object_answers(self) -> None:
        self.start()
        self.assertIn('{"event":"secret-wanted","question":"which one?"}', self.shown())
        self.type(f'{{"secret": "{PHRASE}"}}\n')
        self.assertEqual(self.heard, [PHRASE])

    def test_a_command_is_no_answer_and_is_not_carried_out(self) -> None:
        self.start()
        half = r'{"secret": "\ud800"}'
        wrong = ('{"command": "users"}', '{"secret": 5}', '{"secret": "x", "id": 1}', "x", half)
        for line in wrong:
            self.type(f"{line}\n")
        self.assertEqual((self.heard, self.role.calls), ([], []))
        self.assertEqual(self.shown().count('"problem"'), len(wrong))
        self.type('{"secret": ""}\n')
        self.heard[0].trap(NotNow)


class SilentTests(SynchronousTestCase):
    def test_a_front_end_without_anybody_says_so(self) -> None:
        self.failureResultOf(Silent().ask_secret("which one?"), NotNow)


class VaultTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.typed = [PHRASE]
        self.questions: list[str] = []
        self.elsewhere = lambda call: succeed(None).addCallback(_do(call))
        self.vault = Vault(self.path, self.ask, self.elsewhere)

    def ask(self, question: str) -> Deferred[str]:
        self.questions.append(question)
        return succeed(self.typed.pop(0))

    def test_the_right_one(self) -> None:
        make_identity_file(self.path, PHRASE.encode())
        self.assertEqual(self.successResultOf(self.vault.pass_phrase()), PHRASE.encode())
        self.assertIn(str(self.path), self.questions[0])

    def test_a_wrong_one(self) -> None:
        make_identity_file(self.path, PHRASE.encode())
        self.typed = [PHRASE.upper()] * limits.PASS_ATTEMPTS + [PHRASE]
        self.failureResultOf(self.vault.pass_phrase(), PassPhraseProblem)
        self.assertEqual(self.typed, [PHRASE])

    def test_after_a_slip_the_next_line_is_asked_for_again(self) -> None:
        """It would be a line of the chat otherwise."""
        make_identity_file(self.path, PHRASE.encode())
        self.typed = [PHRASE.upper(), PHRASE]
        self.assertEqual(self.successResultOf(self.vault.pass_phrase()), PHRASE.encode())
        first, second = self.questions
        self.assertEqual(second, f"not that one; {first}")

    def test_whoever_leaves_it_is_not_asked_again(self) -> None:
        make_identity_file(self.path, PHRASE.encode())
        answers = [succeed("wrong"), fail(NotNow("no pass phrase was given"))]
        vault = Vault(self.path, lambda _: answers.pop(0), self.elsewhere)
        self.failureResultOf(vault.pass_phrase(), NotNow)

    def test_a_file_without_one_asks_nobody(self) -> None:
        make_identity_file(self.path, None)
        self.assertIsNone(self.successResultOf(self.vault.pass_phrase()))
        self.assertEqual(self.questions, [])

    def test_a_file_that_is_gone(self) -> None:
        self.failureResultOf(self.vault.pass_phrase(), IdentityProblem)


def _do(call: Any) -> Any:
    return lambda _: call()
