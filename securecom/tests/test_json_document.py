"""docs/json.md says what the code does: every command, event, field, type and exit code."""

from __future__ import annotations

import json
import re
import types
import typing
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

import securecom
from securecom import limits
from securecom.client.coordination.engagement import Facts
from securecom.client.frontends.commands import COMMANDS
from securecom.client.frontends.jsonl import INTERFACE, Json, Result
from securecom.client.program import deciding, exits
from securecom.errors import ProgramFailed
from securecom.tests.support.event_kinds import KINDS
from securecom.values import Value, field_names

_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
_DOCUMENT = Path(securecom.__file__).parent.parent / "docs" / "json.md"


def rows(text: str) -> list[list[str]]:
    """The cells of a table, without its head."""
    table = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[2:]]


def written(kind: Any) -> str:
    """A type as the document writes it."""
    if isinstance(kind, types.UnionType):
        return " or ".join(map(written, typing.get_args(kind)))
    if typing.get_origin(kind) is typing.Literal:
        return ", ".join(f'`"{word}"`' for word in typing.get_args(kind))
    if typing.get_origin(kind) is list:
        return f"list of {written(*typing.get_args(kind))}"
    if isinstance(kind, type) and issubclass(kind, Value):
        return f"`{getattr(kind, 'kind', '')}`"
    return _TYPES[kind]


class DocumentTests(SynchronousTestCase):
    def setUp(self) -> None:
        if not _DOCUMENT.exists():
            raise SkipTest("an installed package has no docs")
        self.text = _DOCUMENT.read_text("utf-8")
        self.sections = dict(re.findall(r"^## (.+?)$(.*?)(?=^## |\Z)", self.text, re.M | re.S))

    def test_commands(self) -> None:
        told = [row[:3] for row in rows(self.sections["Commands"])]
        real = [
            [f"`{c.word}`", f"`{c.argument.field}`", "yes" if c.argument.required else "no"]
            if c.argument
            else [f"`{c.word}`", "", ""]
            for c in COMMANDS
        ]
        self.assertEqual(told, real)

    def test_events_and_their_fields(self) -> None:
        parts = re.split(r"^### `(.+?)`$", self.sections["Events"], flags=re.M)[1:]
        told = {
            kind: [row[:2] for row in rows(text)]
            for kind, text in zip(parts[::2], parts[1::2], strict=True)
        }
        real = {}
        for kind in (*KINDS, Result):
            hints = typing.get_type_hints(kind)
            real[kind.kind] = [[f"`{name}`", written(hints[name])] for name in field_names(kind)]
        self.assertEqual(told, real)

    def test_every_field_says_what_it_means(self) -> None:
        for row in rows(self.sections["Events"]):
            if row[0].startswith("`"):
                self.assertTrue(row[2], row)

    def test_what_a_program_that_answers_requests_reads_and_writes(self) -> None:
        section = self.sections["A program that answers requests"]
        hints = typing.get_type_hints(Facts)
        real = [["`event`", "string"], ["`interface`", "integer"]]
        real += [[f"`{name}`", written(hints[name])] for name in field_names(Facts)]
        self.assertEqual([row[:2] for row in rows(section)], real)
        facts = Facts("bob", "new", "SHA256:f", 45, 0, None)
        told = json.loads(deciding.question(facts))
        self.assertEqual([f"`{name}`" for name in told], [row[0] for row in real])
        for word in ("accept", "refuse", "dismiss", "ask"):
            self.assertIn(f'"{word}"', section)
        self.assertIn(f"has {limits.PROGRAM_DEADLINE:g} of them", section)
        self.assertIn(f"most {limits.MAX_PROGRAM_ANSWER} bytes", section)
        self.assertIn(f"(code {ProgramFailed.code})", section)

    def test_the_guide_to_bots_names_the_same_limits(self) -> None:
        guide = (_DOCUMENT.parent / "bots.md").read_text("utf-8")
        for told in (
            f"longer than {limits.PROGRAM_DEADLINE:g} s",
            f"more than {limits.MAX_PROGRAM_ANSWER} bytes",
        ):
            self.assertIn(told, guide)
        (line,) = re.findall(r"^echo '(\{.*\})' \|$", guide, re.M)
        facts = Facts("bob", "met", "SHA256:x", 45, 0, None)
        self.assertEqual(json.loads(line), json.loads(deciding.question(facts)))

    def test_exit_codes(self) -> None:
        told = {
            int(code) for row in rows(self.sections["Exit codes"]) for code in row[0].split(",")
        }
        codes = {v for k, v in vars(exits).items() if k.isupper() and isinstance(v, int)}
        signalled = {exits.SIGNALLED + number for number in (1, 2, 3, 15)}
        self.assertEqual(told, codes - {exits.SIGNALLED} | signalled)

    def test_the_worked_example_is_made_of_real_commands_and_events(self) -> None:
        example = re.findall(r"^([<>]) (\{.*\})$", self.text, re.M)
        self.assertGreater(len(example), 15)
        fields = {kind.kind: {"event", *field_names(kind)} for kind in KINDS}
        for direction, line in example:
            told = json.loads(line)
            if direction == ">":
                self.assertIsNotNone(Json().read(line))
            elif told["event"] == "result":
                self.assertTrue(told["ok"])
            else:
                self.assertEqual(set(told), fields[told["event"]])

    def test_the_version_of_the_interface(self) -> None:
        self.assertIn(f'"interface":{INTERFACE},', self.text)
        self.assertIn(f"of this document: {INTERFACE}", self.text)
