"""Spans of time as people say them."""

from __future__ import annotations

_MINUTE = 60


def duration(seconds: int) -> str:
    """A whole number of seconds as people say it: 45 s, 10 min, 1 h 30 min."""
    if seconds < 2 * _MINUTE:
        return f"{seconds} s"
    hours, minutes = divmod(-(-seconds // _MINUTE), _MINUTE)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
