"""Chat requests and blocks in words."""

from __future__ import annotations

from securecom.client import events as e
from securecom.client.durations import duration
from securecom.client.frontends.wording.line import FACT, TRUST, USER, Line, lasting, person, words

_ASKED_OVER = {
    "refused": "{name} was refused",
    "dismissed": "dismissed: {name} sees what they would see if you were not there",
    "cancelled": "{name} withdrew the request",
    "expired": "the request of {name} expired without your answer",
    "gone": "{name} is gone, and the request with them",
    "crossed": "{name} and you asked each other: that is a yes",
}
_ANSWERED = {
    "accept": "accepted",
    "refuse": "refused",
    "dismiss": "dismissed them: they see what they would see if you were not there",
}


@words.register
def _(event: e.Asking) -> list[Line]:
    span = "" if event.chat_seconds is None else f" to chat{lasting(event.chat_seconds)}"
    lasts = f"{event.seconds} s at the most; /cancel withdraws it"
    return [(FACT, f"asking {person(event)}{span}, {lasts}")]


@words.register
def _(event: e.Asked) -> list[Line]:
    what = f"{event.name} asks to chat{lasting(event.chat_seconds)} ({event.seconds} s to answer)"
    return [
        (FACT, f"{what}: /accept, /refuse or /dismiss"),
        (FACT, f"their key: {TRUST[event.trust]}, {event.fingerprint}"),
        *_changed(event.name, event.trust, event.fingerprint),
    ]


def _changed(name: str, trust: e.Trust, fingerprint: str) -> list[Line]:
    """What it takes to accept a key that is not the pinned one."""
    if trust != "changed":
        return []
    return [
        (FACT, "KEY CHANGED. Ask them by another way whether they have a new key; if it is this:"),
        (FACT, f"/trust {name} {fingerprint}"),
    ]


@words.register
def _(event: e.AskedOver) -> list[Line]:
    text = _ASKED_OVER.get(event.reason)  # accepted: the opening chat says it
    return [] if text is None else [(FACT, text.format(name=event.name))]


@words.register
def _(event: e.AnsweredForYou) -> list[Line]:
    answer = _ANSWERED[event.answer]
    return [(FACT, f"{event.name} asked ({USER[event.trust]}): your program {answer}")]


@words.register
def _(event: e.RefusedForYou) -> list[Line]:
    reason = "busy" if event.reason == "busy" else "the server gives your own key for theirs"
    return [(FACT, f"{person(event)} asked: refused for you ({reason})")]


def _missed(requests: list[e.MissedRequest]) -> str:
    return ", ".join(
        person(one, "once" if one.count == 1 else f"{one.count} times", f"{duration(one.ago)} ago")
        for one in requests
    )


@words.register
def _(event: e.Missed) -> list[Line]:
    return [(FACT, f"asked while you were away or busy: {_missed(event.missed)}")]


@words.register
def _(event: e.Requests) -> list[Line]:
    told = []
    if event.asked_by is not None:
        told.append(f"{person(event.asked_by)} asks you: /accept, /refuse or /dismiss")
    if event.asking is not None:
        told.append(f"you ask {person(event.asking)}; /cancel withdraws it")
    if event.missed:
        told.append(f"asked in vain: {_missed(event.missed)}")
    return [(FACT, line) for line in told or ["no requests"]]


@words.register
def _(event: e.Blocked) -> list[Line]:
    if event.blocked:
        return [(FACT, f"{event.name} is blocked and cannot ask you; /unblock undoes it")]
    return [(FACT, f"{event.name} is no longer blocked")]


@words.register
def _(event: e.BlockList) -> list[Line]:
    if not event.users:
        return [(FACT, "you have blocked nobody")]
    return [(FACT, f"{len(event.users)} blocked: {', '.join(map(person, event.users))}")]
