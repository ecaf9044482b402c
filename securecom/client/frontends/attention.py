"""Getting the attention of somebody who is not looking: bell, title, and notification.

A front-end that draws on a terminal makes one `Attention` and calls three methods: `heard` with
every event, `looked` when the person comes, goes or types, and `close` at the end. What is written
never holds a word of what was said, and a name only if the person wants that.

How much gets through is up to terminal and multiplexer: docs/compatibility.md has the table. The
bell passes everything. Inside tmux and screen, a notification is wrapped for them to pass on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from securecom import limits
from securecom.client.events import Asked, Event, Message
from securecom.client.terms import Choices
from securecom.text import shown
from securecom.values import Value

_BELL = "\a"
_PUSH_TITLE, _POP_TITLE = "\033[22;2t", "\033[23;2t"
_TITLE = "\033]2;{}\033\\"
_PROGRAM = "securecom"

_OSC = {9: "\033]9;{}\a", 777: f"\033]777;notify;{_PROGRAM};{{}}\a"}

#: What `TERM` begins with where a title or a notification would be shown as text, or do harm.
_ONLY_BELL = ("linux", "vt", "cons", "ansi", "sun", "hurd")
#: What `TERM` begins with, or a variable that is set, where notifications are OSC 777 and not 9.
_OSC_777_TERMS, _OSC_777_VARIABLES = ("rxvt", "foot"), ("VTE_VERSION",)


class Means(Value):
    """What a terminal can do for us beyond the bell.

    :param titles: it has a title that we may change and put back.
    :param osc: the number of the control string for notifications: 9, 777, or None for none.
    :param inside: the multiplexer around us: tmux, screen, or None.
    """

    titles: bool
    osc: int | None
    inside: str | None

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Means:
        """What the environment says of the terminal."""
        term = environment.get("TERM", "")
        inside = "tmux" if "TMUX" in environment else "screen" if "STY" in environment else None
        if term.startswith(_ONLY_BELL):
            return cls(titles=False, osc=None, inside=inside)
        is_777 = term.startswith(_OSC_777_TERMS) or any(
            name in environment for name in _OSC_777_VARIABLES
        )
        return cls(titles=True, osc=777 if is_777 else 9, inside=inside)

    def notification(self, text: str) -> str:
        """The control string that has the terminal notify, wrapped for a multiplexer."""
        if self.osc is None:
            return ""
        body = _OSC[self.osc].format(text)
        if self.inside == "tmux":
            return "\033Ptmux;{}\033\\".format(body.replace("\033", "\033\033"))
        if self.inside == "screen":
            return f"\033P{body}\033\\"
        return body


class Attention:
    """Rings at a request, and at the first message while nobody looks.

    :param write: sends control characters to the terminal; they move nothing on it.
    :param means: what the terminal can do.
    :param choices: what the person has chosen, at this moment.
    :param seconds: a steady clock.
    :param desktop: shows a text on the desktop; None where nothing does.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        means: Means,
        choices: Callable[[], Choices],
        seconds: Callable[[], float],
        desktop: Callable[[str], None] | None = None,
    ) -> None:
        self._write, self._means, self._choices = write, means, choices
        self._seconds, self._desktop = seconds, desktop
        self._has_focus: bool | None = None  # None: the terminal does not say
        self._last_typed = seconds()
        self._rings: deque[float] = deque(maxlen=limits.RINGS)
        self._unseen = 0
        self._has_rung_for_message = self._is_titled = False

    def heard(self, event: Event) -> None:
        """Something happened."""
        if isinstance(event, Asked):
            if not self._has_focus:
                self._count()
            self._ring(event.name, "asks to chat", "somebody asks to chat")
        elif isinstance(event, Message) and not self._is_looked_at():
            self._count()
            if not self._has_rung_for_message:
                self._has_rung_for_message = True
                self._ring(event.name, "wrote", "a message came")

    def looked(self, focus: bool | None = None) -> None:
        """The person typed something; or the terminal says that it has the focus, or lost it.

        :param focus: what a terminal reports that was asked to (`CSI ? 1004 h`).
        """
        if focus is not None:
            self._has_focus = focus
        if focus is not False:
            self._last_typed = self._seconds()
            self._unseen, self._has_rung_for_message = 0, False
            self._show_count()

    def close(self) -> None:
        """The end: the title is as it was."""
        self._unseen = 0
        self._show_count()

    def _is_looked_at(self) -> bool:
        if self._has_focus is not None:
            return self._has_focus
        return self._seconds() - self._last_typed < limits.LOOKING

    def _count(self) -> None:
        self._unseen = min(self._unseen + 1, limits.MAX_UNSEEN)
        self._show_count()

    def _ring(self, name: str, named: str, unnamed: str) -> None:
        """Ring, unless that was done so often lately that a peer must be at play."""
        choices, now = self._choices(), self._seconds()
        if choices.notify == "off" or self._rang_too_often(now):
            return
        self._rings.append(now)
        self._write(_BELL)
        text = f"{_plain(name)} {named}" if choices.notify_names else unnamed
        if choices.notify == "terminal":
            self._write(self._means.notification(text))
        elif choices.notify == "desktop" and self._desktop is not None:
            self._desktop(text)

    def _rang_too_often(self, now: float) -> bool:
        return len(self._rings) == limits.RINGS and now - self._rings[0] < limits.RING_WINDOW

    def _show_count(self) -> None:
        if not self._means.titles or (not self._unseen and not self._is_titled):
            return
        if self._choices().notify == "off" and not self._is_titled:
            return
        if not self._unseen:
            # A terminal without a stack of titles keeps what it was told last.
            self._is_titled = False
            self._write(_TITLE.format(_PROGRAM) + _POP_TITLE)
            return
        before = "" if self._is_titled else _PUSH_TITLE
        self._is_titled = True
        self._write(before + _TITLE.format(f"({self._unseen}) {_PROGRAM}"))


def _plain(name: str) -> str:
    """A name as it may stand inside a control string."""
    return shown(name)[: limits.MAX_NAME].replace(";", "")
