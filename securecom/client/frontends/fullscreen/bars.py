"""The bars: who we are, what is going on, who asks, what is asked before something is sent."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text
from textual.widget import Widget

from securecom.client.api import ClientState
from securecom.client.frontends.fullscreen.rows import pieces
from securecom.client.frontends.fullscreen.situation import OpenRequest, Situation
from securecom.client.frontends.people_words import TRUST, lasts, vouched
from securecom.values import Value

_ROOMY = 13  # rows of a screen that has room for a fingerprint
_WIDE = 60


class _Row(Widget, can_focus=False):
    """One row of text, made of what is going on."""

    def __init__(self, name: str, situation: Situation) -> None:
        super().__init__(id=name)
        self._situation = situation
        self._shown = ""

    def update(self) -> None:
        """Draw it again if it would look different."""
        text = self._text()
        if text != self._shown:
            self._shown = text
            self.refresh()

    def render(self) -> Text:
        self._shown = self._text()
        return Text(self._shown, no_wrap=True)

    def _text(self) -> str:
        raise NotImplementedError


class TopBar(_Row):
    """Our name, the server, and whether people can ask us."""

    def __init__(self, situation: Situation) -> None:
        super().__init__("top", situation)

    def _text(self) -> str:
        now, width = self._situation, self.size.width
        who = now.name or "securecom"
        left = f" {who} @ {now.host}" if now.host else f" {who}"
        right = f"{_availability(now)}  F1 help "
        room = max(width - len(right), 0)
        left = left if len(left) <= room else left[: max(room - 1, 0)] + "~" * (room > 0)
        return f"{left:{room}}{right}"[:width]


def _availability(now: Situation) -> str:
    if not now.is_online:
        wait = now.left(now.retry_at)
        return f"OFFLINE, trying in {wait} s" if wait else "OFFLINE"
    left = "" if now.available_until is None else f" {_clock(now.left(now.available_until))}"
    if not now.is_available:
        return f"AWAY{left}"
    to = "" if now.available_to is None else f" TO {len(now.available_to)}"
    return f"AVAILABLE{to}{left}"


def _clock(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


class StatusBar(_Row):
    """What is going on, and what the conversation on the screen holds below its last row."""

    def __init__(self, situation: Situation) -> None:
        super().__init__("status", situation)
        self.below = 0
        self.viewed = ""
        self.note = ""

    def _text(self) -> str:
        parts = [self.note] if self.note else [*self._going_on(), *self._aside()]
        width = self.size.width
        text = " " + " | ".join(part for part in parts if part)
        while len(text) > width and len(parts) > 1:
            parts.pop()
            text = " " + " | ".join(part for part in parts if part)
        return f"{text:{width}}"[:width]

    def _going_on(self) -> list[str]:
        now = self._situation
        match now.state:
            case ClientState.CHAT:
                verified = now.peer_trust in ("verified", "followed-verified")
                left = "" if now.chat_until is None else f"{_clock(now.left(now.chat_until))} left"
                trust = "verified" if verified else "NOT VERIFIED"
                typing = "is writing" if now.is_peer_typing else ""
                return [f"chat with {now.peer}", typing, trust, left, f"log {now.log}"]
            case ClientState.OPENING:
                return [f"setting up the chat with {now.peer}"]
            case ClientState.ASKING if now.asking is not None:
                left = f"{now.left(now.asking_until)} s"
                return [f"asking {now.asking.name}", left, "/cancel withdraws it"]
            case ClientState.ASKED if now.request is not None:
                return [f"{now.request.asked.name} asks you"]
            case ClientState.OFFLINE:
                return ["offline", "/reconnect tries now"]
        missed = f"{now.missed} asked in vain: /requests" if now.missed else ""
        return ["not in a chat", missed]

    def _aside(self) -> list[str]:
        now = self._situation
        elsewhere = now.is_chatting and self.viewed != now.peer
        return [
            f"{self.below} rows below: Esc" if self.below else "",
            f"Alt+C shows {now.peer}" if elsewhere else "",
        ]


class RequestBar(Widget, can_focus=False):
    """Who asks, how far their key is trusted, and how long there is to answer."""

    def __init__(self, situation: Situation) -> None:
        super().__init__(id="request")
        self._situation = situation

    def update(self) -> None:
        """Show or hide it, and count down."""
        request = self._situation.request
        self.display = request is not None
        if request is not None:
            self.set_class(request.has_unknown_key, "changed")
            self.styles.height = len(self._lines(request))
            self.refresh()

    def render(self) -> Text:
        request = self._situation.request
        if request is None:
            return Text("")
        return Text("\n".join(self._lines(request)), no_wrap=True)

    def _lines(self, request: OpenRequest) -> list[str]:
        """Name, key and fingerprint, and what to press; less where there is no room."""
        asked, (width, height) = request.asked, self.app.size
        left = f"{self._situation.left(request.deadline)} s"
        what = f" {asked.name} asks to chat{lasts(asked.chat_seconds)}"
        room = width - len(what) - len(left) - 12
        first = f"{what}{left:>{room + len(left)}} to answer " if room > 0 else f"{what}, {left}"
        key, keys = (
            f" key: {vouched(TRUST[asked.trust], asked.introduced_by)}",
            " Alt+Y accept  Alt+N refuse  /dismiss  /block",
        )
        if width < _WIDE:
            keys = " Alt+Y yes  Alt+N no  /dismiss"
        if request.is_key_taken:
            key = " key: another than before, which you have accepted"[:width]
        if request.has_unknown_key:
            key = " KEY CHANGED. Call them before you answer"[:width]
            keys = f"{keys}  /trust"
        if height < _ROOMY:
            return [first, key, keys] if asked.trust == "changed" else [first, keys]
        fingerprint = [f" {piece}" for piece, _, _ in pieces(asked.fingerprint, width - 1)]
        return [first, key, *fingerprint, keys]


class Question(Value):
    """Something asked before it is done. `keys`: those that mean yes."""

    text: str
    keys: tuple[str, ...]
    yes: Callable[[], None]


class QuestionBar(Widget, can_focus=False):
    """One question above the line; every other key goes on typing."""

    def __init__(self) -> None:
        super().__init__(id="question")
        self.question: Question | None = None
        self.display = False

    def ask(self, question: Question | None) -> None:
        """Ask it; None: ask nothing any more."""
        self.question = question
        self.display = question is not None
        self.refresh()

    def render(self) -> Text:
        return Text("" if self.question is None else f" {self.question.text}", no_wrap=True)
