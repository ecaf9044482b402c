"""How long and with whom: the arguments of `/available`, `/away`, `/set` and `/chat`, as values."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from typing import Literal, cast

from securecom import limits
from securecom.errors import BadArgument
from securecom.identity import Name
from securecom.values import Value, replace

_MINUTE = 60


def duration(seconds: int) -> str:
    """Seconds as people say them: 45 s, 10 min, 1 h 30 min.

    From two minutes on they are rounded up to whole minutes; days are told in hours.
    """
    if seconds < 2 * _MINUTE:
        return f"{seconds} s"
    hours, minutes = divmod(-(-seconds // _MINUTE), _MINUTE)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


# --- settings: who may ask, who learns that one is busy, what rings, where files go -----------
# ask anyone|people|nobody        busy nobody|people|to NAME...
# notify off|bell|terminal|desktop        notify-names on|off        downloads FOLDER|default
# typing on|off
#
# As typed behind `/set`, and as kept in the profile. `people` are those whose key is pinned. Names
# come after `to`, so `people` can never be mistaken for one.

Ask = Literal["anyone", "people", "nobody"]
Notify = Literal["off", "bell", "terminal", "desktop"]

_ASK = ("anyone", "people", "nobody")
_NOTIFY = ("off", "bell", "terminal", "desktop")
_HINT = "Nothing was changed."


class BusyAudience(Value):
    """To one's people, or to those in `names`; to nobody if there are none."""

    people: bool = False
    names: tuple[Name, ...] = ()

    def __str__(self) -> str:
        if self.people:
            return "people"
        return " ".join(("to", *self.names)) if self.names else "nobody"


NOBODY = BusyAudience()


class Choices(Value):
    """`ask`: who may ask, however available one is. `busy`: who is told that one is busy.

    `notify`: what calls a person who is not looking; `notify_names`: it says who it is about.
    `downloads`: the folder for received files; empty: the usual one of this machine. `typing`: each
    of a chat may see that the other is writing.
    """

    ask: Ask = "anyone"
    busy: BusyAudience = NOBODY
    notify: Notify = "bell"
    notify_names: bool = False
    downloads: str = ""
    typing: bool = False

    def changed(self, text: str) -> Choices:
        """These, but for the one that the text names.

        :raises BadArgument: for anything else than the above. :raises BadName: likewise.
        """
        word, _, value = text.strip().partition(" ")
        match word.lower():
            case "ask":
                return replace(self, ask=read_ask(value.strip()))
            case "busy":
                return replace(self, busy=read_busy(value))
            case "notify":
                return replace(self, notify=read_notify(value.strip()))
            case "notify-names":
                return replace(self, notify_names=read_switch("notify-names", value.strip()))
            case "typing":
                return replace(self, typing=read_switch("typing", value.strip()))
            case "downloads":
                return replace(self, downloads=read_downloads(value.strip()))
        raise BadArgument("there is no such setting", _HINT, ("set", ""))


def read_ask(text: str) -> Ask:
    """:raises BadArgument: for anything else than one of the three words."""
    word = text.lower()
    if word not in _ASK:
        raise BadArgument("ask has to be anyone, people or nobody", _HINT)
    return cast(Ask, word)


def read_busy(text: str) -> BusyAudience:
    """:raises BadArgument: for anything else than the above. :raises BadName: likewise."""
    words = text.split()
    match [word.lower() for word in words]:
        case ["nobody"]:
            return NOBODY
        case ["people"]:
            return BusyAudience(people=True)
        case ["to", _, *_]:
            return BusyAudience(names=read_names(words[1:], _HINT))
    raise BadArgument("busy has to be nobody, people, or to and names", _HINT)


def read_notify(text: str) -> Notify:
    """:raises BadArgument: for anything else than one of the four words."""
    word = text.lower()
    if word not in _NOTIFY:
        raise BadArgument("notify has to be off, bell, terminal or desktop", _HINT)
    return cast(Notify, word)


def read_switch(name: str, text: str) -> bool:
    """:raises BadArgument: for anything else than on or off."""
    word = text.lower()
    if word not in ("on", "off"):
        raise BadArgument(f"{name} has to be on or off", _HINT)
    return word == "on"


def switch(is_on: bool) -> str:
    """As it is typed."""
    return "on" if is_on else "off"


def _nowhere(_: Choices) -> None:
    """Where there is no profile they last as long as the client."""


def read_downloads(text: str) -> str:
    """The whole path of a folder; empty for `default`, and for nothing.

    :raises BadArgument: for what is no whole path.
    """
    if text in ("", "default"):
        return ""
    path = os.path.expanduser(text)
    if not os.path.isabs(path) or "\0" in path:
        raise BadArgument("downloads has to be the whole path of a folder, or default", _HINT)
    return path


class KeptChoices(Value):
    """The choices at the start, and what keeps others; that may raise `ProfileProblem`."""

    choices: Choices = Choices()
    keep: Callable[[Choices], None] = _nowhere


# --- availability, pauses, chats --------------------------------------------------------------
# /available [45m] [people | to NAME NAME...]        /away [45m | until 15:00]
# /chat NAME [for 20m]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SPAN = re.compile(r"(\d{1,6})([smhd])", re.ASCII)
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)
DAY = 86_400

#: The wall clock in seconds since 1970, for what has a date.
unix_time: Callable[[], float] = time.time


class AvailabilityTerms(Value):
    """Available to everybody, to one's people, or to those in `names`; for so many seconds."""

    seconds: int | None = None
    people: bool = False
    names: tuple[Name, ...] = ()


class Pause(Value):
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


def read_terms(text: str) -> AvailabilityTerms:
    """:raises BadArgument: for anything else than the above. :raises BadName: likewise."""
    words = text.split()
    seconds = _span(words.pop(0)) if words and _SPAN.fullmatch(words[0]) else None
    if not words:
        return AvailabilityTerms(seconds)
    if words == ["people"]:
        return AvailabilityTerms(seconds, people=True)
    if words[0] != "to" or words == ["to"]:
        raise BadArgument("that says neither how long nor to whom")
    return AvailabilityTerms(seconds, names=read_names(words[1:], "Nothing was sent."))


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
        raise BadArgument("that does not say how long")
    return Pause(until=int(at[1]) * 3600 + int(at[2]) * 60)


def read_wish(text: str) -> tuple[Name, int | None]:
    """Whom one asks for a chat, and for how many seconds.

    :raises BadArgument: for anything else than the above. :raises BadName: likewise.
    """
    name, *span = text.split() or [text]
    if not span:
        return Name(name.lower()), None
    if len(span) != 2 or span[0] != "for" or not _SPAN.fullmatch(span[1]):  # noqa: PLR2004
        raise BadArgument("that does not say how long")
    seconds = int(span[1][:-1]) * _UNITS[span[1][-1]]
    if not limits.MIN_CHAT_SECONDS <= seconds <= limits.MAX_CHAT_SECONDS:
        least, most = duration(limits.MIN_CHAT_SECONDS), duration(limits.MAX_CHAT_SECONDS)
        raise BadArgument(f"a chat with an end lasts {least} to {most}")
    return Name(name.lower()), seconds


class IntroductionWish(Value):
    """What is wanted of introductions: make one, take one back, or answer an offer.

    :param other: in an answer, the person one would be introduced to; `one` is empty then.
    """

    word: Literal["make", "cancel", "yes", "no"]
    one: str
    other: Name


def read_introduction(text: str) -> IntroductionWish:
    """:raises BadArgument: for anything else than the above. :raises BadName: likewise."""
    match text.lower().split():
        case [one, "to", other]:
            return IntroductionWish("make", Name(one), Name(other))
        case ["cancel", one, "to", other]:
            return IntroductionWish("cancel", Name(one), Name(other))
        case ["yes", other]:
            return IntroductionWish("yes", "", Name(other))
        case ["no", other]:
            return IntroductionWish("no", "", Name(other))
    raise BadArgument("that does not say who is introduced to whom")


def _span(word: str) -> int:
    seconds = int(word[:-1]) * _UNITS[word[-1]]
    if not 1 <= seconds <= limits.MAX_LEASE:
        raise BadArgument("that is no time between a second and a week", "Nothing was sent.")
    return seconds
