"""No JSON line is longer than docs/json.md promises, whatever an event holds."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.events import DataFact, DataHeld, Event, ListedUser, Message, Said, Users
from securecom.client.frontends import commands
from securecom.client.frontends.jsonl import CONTINUES, Json, Result
from securecom.client.frontends.orders import Order
from securecom.errors import BadArgument, TooLong
from securecom.tests.support.event_kinds import KINDS
from securecom.values import Value, field_names

#: Characters that take the most bytes, for their own bytes, when they are escaped; and others.
CHARACTERS = '\x7f\x00\n"\\a\u00e9\u4e00\U0001f600'
#: Items of a list: more than any of our lists can have.
MANY = 2000


def filled(kind: Any, text: str) -> Any:
    """A value of a type, in which every text is this one."""
    if isinstance(kind, types.UnionType):
        return filled(typing.get_args(kind)[0], text)
    if typing.get_origin(kind) is typing.Literal:
        return max(typing.get_args(kind), key=len)
    if typing.get_origin(kind) is list:
        return [filled(typing.get_args(kind)[0], "m" * limits.MAX_NAME)] * MANY
    if isinstance(kind, type) and issubclass(kind, Value):
        return example(kind, {}, text)
    return {str: text, int: 2**63, float: 1e300, bool: False, type(None): None}[kind]


def example(kind: Any, long: dict[str, Any], text: str = "short") -> Any:
    """An event with these fields; texts are short otherwise, lists empty."""
    hints = typing.get_type_hints(kind)
    values = {}
    for name in field_names(kind):
        value = filled(hints[name], text)
        values[name] = [] if isinstance(value, list) else value
    return kind(**{**values, **long})


def worst(kind: type[Event]) -> Iterator[Event]:
    """An event with each of its texts and lists as long as anything can be, one at a time."""
    hints = typing.get_type_hints(kind)
    for name in field_names(kind):
        value = filled(hints[name], "")
        if isinstance(value, list):
            yield example(kind, {name: value})
        for c in CHARACTERS if isinstance(value, str) else "":
            text = c * (limits.MAX_TEXT // len(c.encode()))
            yield example(kind, {name: filled(hints[name], text)})


def joined(lines: list[str]) -> dict[str, Any]:
    """What a reader has that follows docs/json.md."""
    whole: dict[str, Any] = {}
    going_on = None
    for line in lines:
        part = json.loads(line)
        name = part.pop(CONTINUES, None)
        if going_on is not None:
            part[going_on] = whole[going_on] + part[going_on]
        whole, going_on = part, name
    return whole


class LengthTests(SynchronousTestCase):
    def check(self, event: Event) -> list[str]:
        lines = Json().lines(event)
        self.assertLessEqual(max(map(len, lines)) + 1, limits.MAX_LINE, event.kind)
        self.assertTrue(all(line.isascii() and line.isprintable() for line in lines))
        self.assertEqual(joined(lines), json.loads(json.dumps(event.fields())), event.kind)
        return lines

    # Promise R85
    def test_every_event_with_the_worst_text_in_every_field(self) -> None:
        tried = 0
        for kind in [*KINDS, Result]:
            for event in worst(kind):
                self.check(event)
                tried += 1
        self.assertGreater(tried, 500)

    # Promise R85
    def test_a_message_of_nothing_but_delete_characters(self) -> None:
        text = "\x7f" * limits.MAX_TEXT
        for event in (Message("m" * limits.MAX_NAME, text), Said("bob", 10**9, text, True)):
            self.assertEqual(len(self.check(event)), 2)

    # Promise R86
    def test_what_fits_stays_one_line(self) -> None:
        room = limits.MAX_LINE - 1 - len(Json().lines(Message("bob", ""))[0])
        for text, count in (("x" * room, 1), ("x" * (room + 1), 2), ("\x00" * (room // 6), 1)):
            self.assertEqual(len(self.check(Message("bob", text))), count)
        self.assertNotIn(CONTINUES, Json().lines(Message("bob", "hi"))[0])

    # Promise R85
    def test_the_longest_lists_that_there_are(self) -> None:
        name = "m" * limits.MAX_NAME
        users = [ListedUser(name, "followed-verified")] * limits.MAX_USERS_SHOWN
        self.check(Users(users, name, True, [name] * limits.MAX_AUDIENCE))
        fact = DataFact("p" * 100, "w" * 100, "\x7f" * 1000)
        self.check(DataHeld(name, [fact] * (limits.MAX_MY_DATA // 1200)))

    # Promise R85
    @settings(deadline=None, max_examples=30)
    @given(st.text(st.sampled_from(CHARACTERS), min_size=50), st.integers(300, 1500))
    def test_any_text(self, text: str, times: int) -> None:
        self.check(Message("bob", text * times))

    # Promise R88
    def test_what_cannot_be_cut_is_a_problem_and_no_long_line(self) -> None:
        """Only a server that lies has such a fact."""
        event = DataHeld("alice", [DataFact("a", "b", "\x7f" * limits.MAX_TEXT)])
        [line] = Json().lines(event)
        told = json.loads(line)
        self.assertEqual((told["event"], told["code"]), ("problem", TooLong.code))

    # Promise R87
    def test_an_id_that_would_not_fit_is_refused(self) -> None:
        longest = "x" * (limits.MAX_ID - 2)
        order = Json().read(json.dumps({"command": "away", "id": longest}))
        assert order is not None
        self.assertEqual(order.tag, longest)
        for tag in (longest + "x", "\x7f" * 200, 10**limits.MAX_ID):
            line = json.dumps({"command": "away", "id": tag})
            self.assertRaises(BadArgument, Json().read, line)
            [event] = Json().complaint(line, BadArgument("no"))
            self.assertEqual(event.kind, "problem")

    # Promise R87
    def test_a_result_repeats_the_longest_id(self) -> None:
        tag = "\x7f" * 170
        for event in Json().answer(Order(commands.SAY, "hi", tag), None, BadArgument("x" * 40_000)):
            self.check(event)
