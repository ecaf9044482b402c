"""How long one is available, away or in a chat, and with whom: what people type, what it means.

    /available [45m] [people | to NAME NAME...]        /away [45m | until 15:00]
    /chat NAME [for 20m]

`people` are those whose key is pinned. It stands where no name can: names come behind `to`.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from securecom import limits
from securecom.client.durations import duration
from securecom.errors import BadArgument
from securecom.identity import Name

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SPAN = re.compile(r"(\d{1,6})([smhd])", re.ASCII)
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)
DAY = 86_400
_AVAILABLE = "Nothing was sent. Try /available 45m, /available people, /available 2h to bob carol."
_CHAT = "Nothing was sent. Try /chat bob, /chat bob for 20m."
_AWAY = "Nothing was sent. Try /away 45m, /away until 15:00."


@dataclass(frozen=True)
class Terms:
    """Available to everybody, to one's people, or to those in `names`; for so many seconds."""

    seconds: int | None = None
    people: bool = False
    names: tuple[Name, ...] = ()


@dataclass(frozen=True)
class Pause:
    """Away for so many seconds, or until a time of day (seconds since midnight), or for good."""

    seconds: int | None = None
    until: int | None = None


def shown_time() -> float:
    """What the clock on the wall shows here, in seconds: a day begins at every multiple of 86400.

    It jumps when the clock is set, with daylight saving, and when the machine gets another time
    zone.
    """
    time.tzset()  # or a time zone that was changed meanwhile would not count
    now = time.time()
    return now + time.localtime(now).tm_gmtoff


def next_time(of_day: int, shown: float) -> float:
    """When the clock shows this time of day (seconds since midnight) next, after it shows `shown`.

    In the seconds of `shown_time`. A time of day that is over is tomorrow's.
    """
    return shown + DAY - (shown - of_day) % DAY


def read_terms(text: str) -> Terms:
    """:raises BadArgument: for anything else than the above. :raises BadName: likewise."""
    words = text.split()
    seconds = _span(words.pop(0)) if words and _SPAN.fullmatch(words[0]) else None
    if not words:
        return Terms(seconds)
    if words == ["people"]:
        return Terms(seconds, people=True)
    if words[0] != "to" or words == ["to"]:
        raise BadArgument("that says neither how long nor to whom", _AVAILABLE)
    return Terms(seconds, names=read_names(words[1:], _AVAILABLE))


def read_names(words: list[str], hint: str) -> tuple[Name, ...]:
    """Each once. :raises BadArgument: if there are too many. :raises BadName: if one is none."""
    names = tuple(dict.fromkeys(Name(word.lower()) for word in words))
    if len(names) > limits.MAX_AUDIENCE:
        raise BadArgument(f"that is more than {limits.MAX_AUDIENCE} names", hint)
    return names


def read_pause(text: str) -> Pause:
    """:raises BadArgument: for anything else than the above."""
    words = text.split()
    if not words:
        return Pause()
    if len(words) == 1 and _SPAN.fullmatch(words[0]):
        return Pause(_span(words[0]))
    at = _TIME.fullmatch(words[1]) if len(words) == 2 and words[0] == "until" else None  # noqa: PLR2004
    if at is None:
        raise BadArgument("that does not say how long", _AWAY)
    return Pause(until=int(at[1]) * 3600 + int(at[2]) * 60)


def read_wish(text: str) -> tuple[Name, int | None]:
    """Whom one asks for a chat, and for how many seconds.

    :raises BadArgument: for anything else than the above. :raises BadName: likewise.
    """
    name, *span = text.split() or [text]
    if not span:
        return Name(name.lower()), None
    if len(span) != 2 or span[0] != "for" or not _SPAN.fullmatch(span[1]):  # noqa: PLR2004
        raise BadArgument("that does not say how long", _CHAT)
    seconds = int(span[1][:-1]) * _UNITS[span[1][-1]]
    if not limits.MIN_CHAT_SECONDS <= seconds <= limits.MAX_CHAT_SECONDS:
        least, most = duration(limits.MIN_CHAT_SECONDS), duration(limits.MAX_CHAT_SECONDS)
        raise BadArgument(f"a chat with an end lasts {least} to {most}", _CHAT)
    return Name(name.lower()), seconds


def _span(word: str) -> int:
    seconds = int(word[:-1]) * _UNITS[word[-1]]
    if not 1 <= seconds <= limits.MAX_LEASE:
        raise BadArgument("that is no time between a second and a week", "Nothing was sent.")
    return seconds
