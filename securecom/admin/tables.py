"""How `securecom-admin` shows things: tables, JSON lines, times, QR codes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

_BLOCKS = "█▀▄"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows under heads, in columns as wide as their widest cell."""
    lines = [heads, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]


def json_lines(objects: Iterable[Mapping[str, object]]) -> list[str]:
    """One JSON object per line, in ASCII."""
    return [json.dumps(one) for one in objects]


def day_and_time(seconds: float) -> str:
    """A time for people, always in UTC, since the server's users live in many places."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def iso(seconds: float) -> str:
    """A time for programs (ISO 8601, UTC, to the second)."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def qr_code(link: str, encoding: str) -> list[str]:
    """A link as a QR code, in half blocks or, where those cannot be shown, in coloured spaces.

    The link is in capitals, which take up less room in a QR code.
    """
    import segno  # few commands draw a code

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
