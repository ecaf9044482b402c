"""What people read about people: how a name is shown, who is available, who asks whom, blocks."""

from __future__ import annotations

from functools import singledispatch

from securecom.client import events as e
from securecom.client.frontends.marks import FACT, Line
from securecom.client.terms import duration

TRUST = {
    "new": "first meeting, not verified",
    "met": "the one you know, not verified",
    "introduced": "introduced, not verified by yourself",
    "verified": "verified",
    "followed": "a NEW one, signed by the one you know, not verified",
    "followed-verified": "a NEW one, signed by the verified one you know",
    "changed": "NOT THE ONE YOU KNOW",
    "retired": "RETIRED by its owner: it was stolen, and this is not them",
}
#: The same in brackets after a name.
USER = {
    "new": "never met",
    "met": "met",
    "introduced": "introduced",
    "verified": "verified",
    "followed": "NEW KEY, signed by the old one",
    "followed-verified": "NEW KEY, signed by the verified one",
    "changed": "KEY CHANGED",
    "retired": "KEY RETIRED",
}
#: Whether somebody can be asked for a chat.
PRESENCE = {"available": "available", "busy": "busy", "silent": "not available"}


@singledispatch
def people_words(event: e.Event) -> list[Line]:
    """The lines of such an event."""
    return []


def person(someone: e.ListedUser | e.Asking | e.RefusedForYou | e.MissedCaller, *more: str) -> str:
    """A name as lists and requests show it: always with what is known about its key."""
    by = getattr(someone, "introduced_by", None)
    return f"{someone.name} ({', '.join((vouched(USER[someone.trust], by), *more))})"


def vouched(text: str, by: str | None) -> str:
    """How a key stands; if somebody introduced it, who that is. They are verified, or it would
    count for nothing.
    """
    return text.replace("introduced", f"introduced by {by} (verified)", 1) if by else text


def lasts(seconds: int | None) -> str:
    """How long a chat is to last, if it is to have an end."""
    return "" if seconds is None else f" for {duration(seconds)}"


_ASKED_OVER = {
    "refused": "{name} was refused",
    "dismissed": "ignored: to {name} you seem offline",
    "cancelled": "{name} withdrew the request",
    "expired": "{name}'s request expired without your answer",
    "gone": "{name} has gone offline, and the request with them",
    "crossed": "{name} and you asked each other, which counts as a yes",
}
_ANSWERED = {
    "accept": "accepted",
    "refuse": "refused",
    "dismiss": "ignored them: to them you seem offline",
}


@people_words.register
def _(event: e.Asking) -> list[Line]:
    span = "" if event.chat_seconds is None else f" to chat{lasts(event.chat_seconds)}"
    waits = f"waiting up to {event.seconds} s for an answer; /cancel withdraws it"
    return [(FACT, f"asking {person(event)}{span}, {waits}")]


@people_words.register
def _(event: e.Asked) -> list[Line]:
    what = f"{event.name} asks to chat{lasts(event.chat_seconds)} ({event.seconds} s to answer)"
    return [
        (FACT, f"{what}: /accept, /refuse or /dismiss"),
        (
            FACT,
            f"their key: {vouched(TRUST[event.trust], event.introduced_by)}, {event.fingerprint}",
        ),
        *_changed(event.name, event.trust, event.fingerprint),
    ]


def _changed(name: str, trust: e.Trust, fingerprint: str) -> list[Line]:
    """How to accept a key that is not the pinned one."""
    if trust != "changed":
        return []
    return [
        (
            FACT,
            "KEY CHANGED. Call them and ask whether they have a new key; only if it is this one:",
        ),
        (FACT, f"/trust {name} {fingerprint}"),
    ]


@people_words.register
def _(event: e.AskedOver) -> list[Line]:
    text = _ASKED_OVER.get(event.reason)  # accepted: the opening chat says it
    return [] if text is None else [(FACT, text.format(name=event.name))]


@people_words.register
def _(event: e.AnsweredForYou) -> list[Line]:
    answer = _ANSWERED[event.answer]
    return [(FACT, f"{event.name} asked ({USER[event.trust]}): your program {answer}")]


@people_words.register
def _(event: e.RefusedForYou) -> list[Line]:
    reason = "busy" if event.reason == "busy" else "the server claims that your own key is theirs"
    return [(FACT, f"{person(event)} asked: refused for you ({reason})")]


def _missed(requests: list[e.MissedCaller]) -> str:
    return ", ".join(
        person(one, "once" if one.count == 1 else f"{one.count} times", f"{duration(one.ago)} ago")
        for one in requests
    )


@people_words.register
def _(event: e.Missed) -> list[Line]:
    return [(FACT, f"asked while you were away or busy: {_missed(event.missed)}")]


@people_words.register
def _(event: e.Requests) -> list[Line]:
    told = []
    if event.asked_by is not None:
        told.append(f"{person(event.asked_by)} is asking you: /accept, /refuse or /dismiss")
    if event.asking is not None:
        told.append(f"you are asking {person(event.asking)}; /cancel withdraws it")
    if event.missed:
        told.append(f"missed: {_missed(event.missed)}")
    return [(FACT, line) for line in told or ["no requests"]]


@people_words.register
def _(event: e.Blocked) -> list[Line]:
    if event.blocked:
        return [(FACT, f"{event.name} is blocked and cannot ask you; /unblock undoes it")]
    return [(FACT, f"{event.name} is no longer blocked")]


@people_words.register
def _(event: e.BlockList) -> list[Line]:
    if not event.users:
        return [(FACT, "you have blocked nobody")]
    return [(FACT, f"{len(event.users)} blocked: {', '.join(map(person, event.users))}")]


@people_words.register
def _(event: e.PeopleNow) -> list[Line]:
    told = ", ".join(
        f"{one.name} ({USER[one.trust]}, {PRESENCE[one.presence]})" for one in event.people
    )
    return [(FACT, f"people you know: {told}" if told else "you know nobody yet")]


@people_words.register
def _(event: e.Users) -> list[Line]:
    matching = f" with {event.text!r} in the name" if event.text else ""
    if not event.users:
        return [(FACT, f"nobody{matching} is available")]
    names = ", ".join(person(user, *["busy"] * (user.name in event.busy)) for user in event.users)
    more = "; there are more: /users TEXT narrows it down" if event.more else ""
    return [(FACT, f"{len(event.users)}{matching} available: {names}{more}")]


@people_words.register
def _(event: e.StateChanged) -> list[Line]:
    return []  # the events before it say what happened
