"""The JSON language: one object a line, in and out, for programs. docs/json.md is its contract.

What goes out is ASCII: everything else, control characters too, is escaped as JSON does it.
Escaping makes up to six bytes of one, so an event's length is known only afterwards: one that is
too long for a line goes on in the next.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, ClassVar

from securecom import limits
from securecom.client.events import Event, Suggestion, problem
from securecom.client.frontends import commands
from securecom.client.frontends.commands import Command, encoded
from securecom.client.frontends.orders import Order
from securecom.errors import BadArgument, SecurecomError, TooLong
from securecom.text import shown
from securecom.values import as_dict

#: The field of a part that is not the last: the name of the field that goes on.
CONTINUES = "continues"
#: Characters that JSON escapes with two.
_SHORT_ESCAPES = frozenset('"\\\b\f\n\r\t')

#: Raised when an object here changes in a way that a program could stumble over.
INTERFACE = 2


class Result(Event):
    """What became of a command; `id` is the command's own."""

    kind: ClassVar[str] = "result"
    id: str | int | None
    command: str | None
    ok: bool
    number: int | None = None
    code: int | None = None
    what: str | None = None
    hint: str | None = None
    suggested: list[Suggestion] | None = None

    def fields(self) -> dict[str, Any]:
        """`number` only for a message that was taken; the fields after it only for failures."""
        always = ("id", "command", "ok")
        others = ("number", "code", "what", "hint", "suggested")
        told = as_dict(self)
        facts = {name: told[name] for name in others if told[name] is not None}
        return {"event": self.kind, **{name: told[name] for name in always}, **facts}


class Json:
    """Objects for programs."""

    def read(self, line: str) -> Order | None:
        """An order from a JSON object; a blank line is none."""
        if not line.strip():
            return None
        told = _object(line)
        tag = _tag(told)
        word = told.pop("command", None)
        if not isinstance(word, str):
            raise BadArgument('the object has no "command" that is a string')
        command = commands.named(word)
        return Order(command, _argument(command, told), tag)

    def secret(self, line: str) -> str:
        """Language: `{"secret": "…"}` and nothing else."""
        told = _object(line)
        secret = told.pop("secret", None)
        if told or not isinstance(secret, str):
            raise BadArgument('a pass phrase is asked for: {"secret": "…"}, "" for none')
        encoded(secret)
        return secret

    def answer(self, order: Order, result: Any, error: SecurecomError | None) -> list[Event]:
        """Language: a result for every command, behind the event that was asked for."""
        word = order.command.word
        if error is not None:
            return [_failure(order.tag, word, error)]
        asked_for = [result] if isinstance(result, Event) else []
        number = result if isinstance(result, int) else None
        return [*asked_for, Result(order.tag, word, True, number)]

    def complaint(self, line: str, error: SecurecomError) -> list[Event]:
        """Language: a problem; with an id in the line a result too, for who waits for it."""
        try:
            tag = _tag(_object(line))
        except SecurecomError:
            tag = None
        return [problem(error)] + ([] if tag is None else [_failure(tag, None, error)])

    def lines(self, event: Event) -> list[str]:
        """The event as JSON, in more than one line if it is too long for one."""
        return list(_in_lines(event.fields()))


def _in_lines(fields: dict[str, Any]) -> Iterator[str]:
    """An object in one line, or in several of which each fits `limits.MAX_LINE` with its end.

    The parts are the same but for one text or list, the longest, of which each has a piece.
    """
    whole = _written(fields)
    if len(whole) < limits.MAX_LINE:
        yield whole
        return
    sizes = {n: len(_written(v)) for n, v in fields.items() if isinstance(v, str | list)}
    name = max(sizes, key=lambda n: sizes[n])
    value = fields[name]
    parted = {**fields, CONTINUES: name}
    room = limits.MAX_LINE - 1 - len(_written({**parted, name: value[:0]}))
    ends = list(_ends(value, room))
    if not ends:
        error = TooLong(f"a {fields['event']} event does not fit lines of {limits.MAX_LINE} bytes")
        yield _written(problem(error).fields())
        return
    for start, end in zip([0, *ends], ends, strict=False):
        yield _written({**parted, name: value[start:end]})
    yield _written({**fields, name: value[ends[-1] :]})


def _ends(value: str | list[Any], room: int) -> Iterator[int]:
    """Where to cut a value so that no piece is longer than `room`; nothing if that cannot be."""
    taken = 0
    for at, part in enumerate(value):
        size = _escaped(part) if isinstance(value, str) else len(_written(part)) + len(",")
        if size > room:
            return
        if taken + size > room:
            yield at
            taken = 0
        taken += size


def _escaped(c: str) -> int:
    """Bytes of one character in a line."""
    if " " <= c <= "~":
        return 2 if c in _SHORT_ESCAPES else 1
    if c in _SHORT_ESCAPES:
        return 2
    return len("\\uffff") if c <= "\uffff" else 2 * len("\\uffff")


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def _failure(tag: str | int | None, word: str | None, error: SecurecomError) -> Result:
    why = problem(error)
    return Result(tag, word, False, None, why.code, why.what, why.hint, why.suggested or None)


def _object(line: str) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        raise BadArgument("that line is not JSON") from None
    if not isinstance(told, dict):
        raise BadArgument("that line is not a JSON object")
    return told


def _tag(told: dict[str, Any]) -> str | int | None:
    tag = told.pop("id", None)
    if isinstance(tag, bool) or not isinstance(tag, str | int | None):
        raise BadArgument('an "id" is a string or a whole number')
    if len(_written(tag)) > limits.MAX_ID:
        raise BadArgument(f'an "id" has at most {limits.MAX_ID} bytes, quotes and escapes included')
    return tag


def _argument(command: Command, told: dict[str, Any]) -> Any:
    wanted = command.argument
    value = None if wanted is None else told.pop(wanted.field, None)
    if told:
        raise BadArgument(f'{command.word} takes no "{shown(min(told)[:40])}"')
    if value is None:
        if wanted is not None and wanted.required:
            raise BadArgument(f'{command.word} lacks its "{wanted.field}"')
        return None
    if wanted is None or not isinstance(value, str):
        raise BadArgument(f'the value of "{wanted.field if wanted else ""}" is not a string')
    if not value and wanted.required:
        raise BadArgument(f'the "{wanted.field}" of {command.word} is empty')
    return wanted.read(value)
