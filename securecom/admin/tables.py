"""How `securecom-admin` shows things: tables, JSON lines, times, QR codes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import segno

_BLOCKS = "█▀▄"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest cell, two blanks between them."""
    lines = [heads, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]


def json_lines(objects: Iterable[Mapping[str, object]]) -> list[str]:
    """One object a line, ASCII only."""
    return [json.dumps(one) for one in objects]


def day_and_time(seconds: float) -> str:
    """A moment for people, always in UTC: the server's users live in many places."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def iso(seconds: float) -> str:
    """A moment for programs (ISO 8601, UTC, whole seconds)."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def qr_code(link: str, encoding: str) -> list[str]:
    """A link as a QR code of half blocks, or of coloured blanks where those cannot be shown.

    The link is put in capitals, which a QR code holds in fewer dots.
    """
    text = io.StringIO()
    code = segno.make_qr(link.upper(), error="l")
    code.terminal(text, border=2, compact=_can_show(_BLOCKS, encoding))
    return text.getvalue().splitlines()


def _can_show(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
