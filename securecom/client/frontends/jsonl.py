"""The JSON language: one object a line, in and out, for programs. docs/json.md is its contract.

What goes out is ASCII: everything else, control characters too, is escaped as JSON does it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

from securecom.client.events import Event, problem
from securecom.client.frontends import commands
from securecom.client.frontends.commands import Command
from securecom.client.frontends.orders import Order
from securecom.client.frontends.typed import checked, encoded
from securecom.errors import BadArgument, SecurecomError
from securecom.text import shown

#: Raised when an object here changes in a way that a program could stumble over.
INTERFACE = 1


@dataclass(frozen=True, slots=True)
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

    def fields(self) -> dict[str, Any]:
        """`number` only of a message that was taken; `code`, `what`, `hint` only of failures."""
        always = ("id", "command", "ok")
        told = {name: getattr(self, name) for name in (*always, "number", "code", "what", "hint")}
        kept = {name: value for name, value in told.items() if name in always or value is not None}
        return {"event": self.kind, **kept}


class Json:
    """Objects for programs."""

    def read(self, line: str) -> Order | None:
        """Language."""
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
        """Language."""
        return [json.dumps(event.fields(), ensure_ascii=True, separators=(",", ":"))]


def _failure(tag: str | int | None, word: str | None, error: SecurecomError) -> Result:
    return Result(tag, word, False, None, error.code, error.what, error.hint)


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
    return tag


def _argument(command: Command, told: dict[str, Any]) -> str | None:
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
    return checked(wanted, value)
