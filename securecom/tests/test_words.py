"""Errors become words in the front-end, and the core names no slash command."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import securecom.client
from securecom import errors
from securecom.client.events import problem
from securecom.client.frontends import commands
from securecom.client.frontends.jsonl import Json
from securecom.client.frontends.words import words
from securecom.errors import SecurecomError

_CLIENT = Path(securecom.client.__file__).parent
#: Where people are spoken to: the front-ends, and the command line.
_SPOKEN = ("frontends", "fullscreen", "program")
_COMMAND = re.compile(rf"(?<![\w/.:`])/({'|'.join(c.word for c in commands.TYPED)})\b")


def _makes_an_error(call: ast.Call) -> bool:
    name = getattr(call.func, "id", "")
    kind = getattr(errors, name, None)
    return name == "Denial" or (isinstance(kind, type) and issubclass(kind, SecurecomError))


def all_errors() -> list[type[SecurecomError]]:
    return [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, SecurecomError)
    ]


def constants(path: Path) -> list[str]:
    """The texts of a module that are not docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    apart = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in apart
    ]


class WordsTests(SynchronousTestCase):
    def test_every_error_is_said_with_its_number_and_what_to_do(self) -> None:
        for kind in all_errors():
            [(_, line)] = words(problem(kind("this happened")))
            self.assertEqual(line, f"SC-{kind.code} this happened. {kind.hint}")

    def test_every_error_can_suggest_commands(self) -> None:
        for kind in all_errors():
            error = kind("this happened", "Nothing was sent.", ("accept", "bob"), ("refuse", ""))
            [(_, line)] = words(problem(error))
            self.assertIn("/accept bob or /refuse", line)
            [text] = Json().lines(problem(error))
            told = json.loads(text)
            self.assertEqual(
                told["suggested"],
                [
                    {"command": "accept", "argument": "bob"},
                    {"command": "refuse", "argument": ""},
                ],
            )
            self.assertEqual(told["hint"], "Nothing was sent.")

    def test_a_changed_key_is_accepted_only_if_it_is_the_right_one(self) -> None:
        error = errors.PeerKeyChanged("another key", "Call them.", ("trust", "bob SHA256:x"))
        [(_, line)] = words(problem(error))
        expected = "SC-701 another key. Call them. Only if it is this one: /trust bob SHA256:x"
        self.assertEqual(line, expected)

    def test_the_core_names_no_slash_command(self) -> None:
        modules = [path for path in _CLIENT.rglob("*.py") if path.parent.name not in _SPOKEN]
        self.assertGreater(len(modules), 20)
        for path in (*modules, Path(errors.__file__)):
            for text in constants(path):
                self.assertIsNone(_COMMAND.search(text), f"{path.name}: {text}")

    def test_what_the_core_suggests_is_a_command(self) -> None:
        """Every pair of texts that is handed to an error, wherever it is written down."""
        suggested = []
        for path in _CLIENT.rglob("*.py"):
            tree = ast.parse(path.read_text("utf-8"))
            calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
            told = [call for call in calls if _makes_an_error(call)]
            pairs = [arg for call in told for arg in call.args if isinstance(arg, ast.Tuple)]
            for pair in pairs:
                match pair.elts:
                    case [
                        ast.Constant(value=str(word)),
                        ast.Constant() | ast.Name() | ast.JoinedStr(),
                    ]:
                        suggested.append(word)
        self.assertGreater(len(suggested), 5)
        self.assertLessEqual(set(suggested), {command.word for command in commands.TYPED})
