"""A chat in words."""

from __future__ import annotations

from securecom.client import events as e
from securecom.client.durations import duration
from securecom.client.frontends.wording.line import FRAME, OWN, Line, lasting, words

#: A chat with a changed key is one with the key that was taken for the known one.
_STARTED = {
    "new": "first meeting",
    "met": "the one you know",
    "verified": "verified",
    "followed": "the NEW one, signed over by the one you knew",
    "followed-verified": "the NEW one, signed over by the verified one",
    "changed": "the NEW one that you took",
}
_UNVERIFIED = (FRAME, "NOT VERIFIED: /verify, both, while you talk on the phone")
_VERIFIED = ("verified", "followed-verified")
_ENDINGS = {
    "by-me": "you ended the chat with {name}; its keys are gone",
    "by-peer": "{name} ended the chat; its keys are gone",
    "time-up": "the time of the chat with {name} is up; its keys are gone",
    "cut-off": "cut off: the chat with {name} just stopped; its keys are gone",
}


@words.register
def _(event: e.ChatOpening) -> list[Line]:
    return [(FRAME, f"{event.name} and you agreed; setting up the chat")]


@words.register
def _(event: e.ChatStarted) -> list[Line]:
    starts = "you start: who asked writes first"
    if event.role == "callee":
        starts = f"{event.name} starts; what you type is kept until then"
    encrypted = "end-to-end encrypted; log off; /stop ends it"
    return [
        (FRAME, f"chat with {event.name}{lasting(event.chat_seconds)}, {encrypted}"),
        (FRAME, f"their key: {_STARTED[event.trust]}, {event.fingerprint}"),
        *([] if event.trust in _VERIFIED else [_UNVERIFIED]),
        (FRAME, starts),
    ]


@words.register
def _(event: e.TimeLeft) -> list[Line]:
    return [(FRAME, f"{duration(event.seconds)} left: then the chat ends by itself")]


@words.register
def _(event: e.Message) -> list[Line]:
    return [(f"{event.name}|", event.text)]


@words.register
def _(event: e.Said) -> list[Line]:
    kept = [(FRAME, f"{event.number} is kept until the other has spoken")] if event.held else []
    return [(OWN, event.text), *kept]


@words.register
def _(event: e.Delivered) -> list[Line]:
    return [(FRAME, f"{event.number} delivered")]


@words.register
def _(event: e.ChatOver) -> list[Line]:
    lines = [(FRAME, _ENDINGS[event.ending].format(name=event.name))]
    sent = [number for number in event.undelivered if number not in event.unsent]
    if event.unsent:
        lines.append((FRAME, f"kept back and never sent: {_numbers(event.unsent)}"))
    if sent:
        lines.append((FRAME, f"no receipt for {_numbers(sent)}: may not have arrived"))
    return lines


def _numbers(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))
