"""The JSON lines that programs read and write."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client import events as e
from securecom.client.frontends import commands
from securecom.client.frontends.jsonl import Json
from securecom.client.frontends.orders import Order
from securecom.errors import BadArgument, BadName, SecurecomError, TooLong, UnknownCommand
from securecom.tests.support.hostile_text import HOSTILE
from securecom.tests.support.scripted_core import Failing

#: What is taken by commands that do not take just any word.
ARGUMENTS = {
    commands.SET: "ask people",
    commands.VERIFY: "yes",
    commands.LOG: "on",
    commands.INTRODUCE: "bob to carol",
    commands.TRUST: "bob SHA256:x",
    commands.AVAILABLE: "45m people",
    commands.AWAY: "until 15:00",
    commands.GET: "1",
    commands.DECLINE: "1",
    commands.CANCEL: "1",
}


class JsonInTests(SynchronousTestCase):
    def read(self, told: Any) -> Order:
        order = Json().read(told if isinstance(told, str) else json.dumps(told))
        assert order is not None
        return order

    def refused(self, told: Any, kind: type[SecurecomError] = BadArgument) -> None:
        self.assertRaises(kind, self.read, told)

    def test_a_command_with_its_argument_and_id(self) -> None:
        order = self.read({"command": "chat", "name": "bob", "id": 7})
        self.assertEqual(
            (order.command, order.argument, order.tag), (commands.CHAT, ("bob", None), 7)
        )

    def test_every_command_can_be_read(self) -> None:
        for command in commands.COMMANDS:
            told = {"command": command.word}
            if command.argument is not None:
                told[command.argument.field] = ARGUMENTS.get(command, "help")
            self.assertIs(self.read(told).command, command)

    def test_blank_lines_do_nothing(self) -> None:
        self.assertIsNone(Json().read("  "))

    def test_words_and_pins_are_checked(self) -> None:
        for word in ("yes", "no", "qr"):
            self.assertEqual(self.read({"command": "verify", "word": word}).argument, word)
        self.assertIsNone(self.read({"command": "verify"}).argument)
        for word in ("", "YEs please", "y", "maybe"):
            self.refused({"command": "verify", "word": word})
        order = self.read({"command": "trust", "pin": "Bob   SHA256:aB"})
        self.assertEqual(order.argument, ("bob", "SHA256:aB"))
        for pin in ("bob", "bob SHA256:x y", " ", "SHA256:x"):
            self.refused({"command": "trust", "pin": pin})
        self.refused({"command": "trust", "pin": "B/B SHA256:x"}, BadName)
        self.refused({"command": "trust"})

    def test_text_is_taken_as_it_is(self) -> None:
        order = self.read({"command": "say", "text": "/exit\n!exit"})
        self.assertEqual(order.argument, "/exit\n!exit")

    def test_what_is_no_command_is_refused(self) -> None:
        for told in ("hi", "{", "[]", "3", '"chat"', "null", "[" * 100_000, "1" * 10_000):
            self.refused(told)
        for told in ("{}", '{"command": 3}', '{"command": null}', '{"name": "bob"}'):
            self.refused(told)
        self.refused({"command": "hlep"}, UnknownCommand)
        self.refused({"command": "/help"}, UnknownCommand)
        self.refused({"command": "who"}, UnknownCommand)

    def test_wrong_arguments_are_refused(self) -> None:
        self.refused({"command": "chat"})
        self.refused({"command": "chat", "name": 3})
        self.refused({"command": "chat", "name": "bob", "extra": 1})
        self.refused({"command": "exit", "text": "x"})
        self.refused({"command": "say"})
        self.refused({"command": "say", "text": ""})
        self.refused('{"command": "say", "text": "\\ud800"}')
        self.refused({"command": "say", "text": "x" * (limits.MAX_TEXT + 1)}, TooLong)
        self.refused({"command": "chat", "name": "B B"}, BadName)
        self.refused({"command": "chat", "name": ""})

    def test_an_id_is_a_string_or_a_whole_number(self) -> None:
        for bad in ("true", "1.5", "[]", "{}"):
            self.refused(f'{{"command": "help", "id": {bad}}}')
        for good in ("x", 0, None):
            self.assertEqual(self.read({"command": "help", "id": good}).tag, good)


class JsonOutTests(SynchronousTestCase):
    def test_what_goes_out_is_printable_ascii_and_comes_back_the_same(self) -> None:
        text = HOSTILE + "\x7f\u0080ä\U0001f600"
        [line] = Json().lines(e.Message("bob", text))
        self.assertTrue(line.isascii() and line.isprintable())
        self.assertEqual(
            json.loads(line), {"event": "message", "chat": 0, "at": 0, "name": "bob", "text": text}
        )

    def test_a_success(self) -> None:
        [result] = Json().answer(Order(commands.STOP, tag=7), None, None)
        self.assertEqual(
            result.fields(), {"event": "result", "id": 7, "command": "stop", "ok": True}
        )

    def test_a_message_that_was_taken_tells_its_number(self) -> None:
        [result] = Json().answer(Order(commands.SAY, "hi", 7), 3, None)
        self.assertEqual(result.fields()["number"], 3)

    def test_what_was_asked_for_comes_before_the_result(self) -> None:
        users = e.Users([], "", False)
        told = Json().answer(Order(commands.USERS, tag="a"), users, None)
        self.assertIs(told[0], users)
        self.assertTrue(told[1].fields()["ok"])

    def test_a_failure(self) -> None:
        [result] = Json().answer(Order(commands.CHAT, "bob", 7), None, Failing("No"))
        self.assertEqual(
            result.fields(),
            {
                "event": "result",
                "id": 7,
                "command": "chat",
                "ok": False,
                "code": 999,
                "what": "No",
                "hint": "Try.",
            },
        )

    def test_a_bad_line_is_a_problem_and_a_result_for_its_id(self) -> None:
        [problem] = Json().complaint("nonsense", Failing("No"))
        self.assertEqual(problem.kind, "problem")
        [problem] = Json().complaint('{"command": "hlep"}', Failing("No"))
        self.assertEqual(problem.kind, "problem")
        _, result = Json().complaint('{"command": "hlep", "id": "x"}', Failing("No"))
        self.assertEqual(result.fields()["id"], "x")
        self.assertEqual(result.fields()["ok"], False)
