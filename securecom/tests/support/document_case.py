"""The documents in docs/, as tests read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

import securecom

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
