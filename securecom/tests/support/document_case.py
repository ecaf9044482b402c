"""The documents in docs/, as tests read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from twisted.protocols import amp
from twisted.trial.unittest import SkipTest, SynchronousTestCase

import securecom
from securecom import vocabulary

ROOT = Path(securecom.__file__).parent.parent


DOCS = ROOT / "docs"


def rows(text: str) -> Iterator[list[str]]:
    """The cells of every table, heads left out."""
    table: list[str] = []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            table.append(line)
            continue
        yield from ([cell.strip() for cell in row.strip("|").split(" | ")] for row in table[2:])
        table = []


class DocumentCase(SynchronousTestCase):
    def setUp(self) -> None:
        if not DOCS.exists():
            raise SkipTest("an installed package has no docs")

    def text(self, name: str) -> str:
        return (DOCS / name).read_text("utf-8")


def written(name: bytes, argument: amp.Argument) -> str:
    """An argument as the tables write it."""
    optional = " (optional)" if argument.optional else ""
    return f"`{name.decode()}` {kind(argument)}{optional}"


def kind(argument: amp.Argument) -> str:
    match argument:
        case vocabulary.FixedBytes():
            return f"{argument.length} bytes"
        case vocabulary.Number():
            return f"number {argument.low} to {argument.high}"
        case vocabulary.OneOf():
            return "/".join(f"`{word}`" for word in argument.words)
    return {
        vocabulary.FileName: "file name",
        vocabulary.NameArgument: "name",
        vocabulary.KeyArgument: "key",
        vocabulary.SecondKeyArgument: "second key",
        vocabulary.NamesArgument: "names",
        vocabulary.FactsArgument: "facts",
        vocabulary.Signature: "signature",
        amp.Boolean: "boolean",
        amp.String: "bytes",
        amp.Unicode: "text",
    }[type(argument)]


def row_of(command: type[amp.Command]) -> list[str]:
    """A command's row, but for what it means."""
    answer = ", ".join(written(*one) for one in command.response) or "empty"
    refusals = [f"`{word.decode()}`" for word in command.errors.values()]
    return [
        f"`{command.__name__}`",
        ", ".join(written(*one) for one in command.arguments) or "-",
        answer if command.requiresAnswer else "none",
        ", ".join(refusals) or "-",
    ]
