"""Events in words: what a person reads, one short line for most, without time or gutter.

A line is a mark and its text. `*` marks facts, `--` what frames a chat, `>` one's own messages,
`NAME|` a peer's, `(server)` the server's: no name contains `*`, `-` in front, `>`, `|` or `(`.
Text is raw here.
"""

from __future__ import annotations

from functools import singledispatch

from securecom.client import events as e
from securecom.client.durations import duration

Line = tuple[str, str]

FACT = "*"
FRAME = "--"
OWN = ">"
SERVER = "(server)"

TRUST = {
    "new": "first meeting, not verified",
    "met": "the one you know, not verified",
    "verified": "verified",
    "followed": "a NEW one, signed over by the one you know, not verified",
    "followed-verified": "a NEW one, signed over by the verified one you know",
    "changed": "NOT THE ONE YOU KNOW",
}
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
_USER = {
    "new": "never met",
    "met": "met",
    "verified": "verified",
    "followed": "NEW KEY of the one you know",
    "followed-verified": "NEW KEY of the verified one",
    "changed": "KEY CHANGED",
}
_TO_NOBODY = "nobody: none of them is among the people whom you have met"
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
_ENDINGS = {
    "by-me": "you ended the chat with {name}; its keys are gone",
    "by-peer": "{name} ended the chat; its keys are gone",
    "time-up": "the time of the chat with {name} is up; its keys are gone",
    "cut-off": "cut off: the chat with {name} just stopped; its keys are gone",
}


@singledispatch
def words(event: e.Event) -> list[Line]:
    """The lines of an event. One that has nothing to add to others has none."""
    return []


# --- the connection -------------------------------------------------------------------------


@words.register
def _(event: e.Connecting) -> list[Line]:
    return [(FACT, f"connecting to {event.host}, port {event.port}")]


@words.register
def _(event: e.Online) -> list[Line]:
    again = "again " if event.again else ""
    return [(FACT, f"on line {again}as {event.name}; the server is {event.server}")]


@words.register
def _(event: e.Offline) -> list[Line]:
    if event.retry_in is None:  # the problem that follows says why
        return [(FACT, "off line")]
    retry = f"Trying again in {max(event.retry_in, 1):.0f} s"
    return [(FACT, f"off line: {event.why.rstrip('.')}. {retry}")]


@words.register
def _(event: e.RequestChannel) -> list[Line]:
    if not event.up:
        return [(FACT, "the request channel is down: chat requests cannot reach you for now")]
    port = "" if event.port is None else f"; the server dialled port {event.port}"
    return [(FACT, f"the request channel is up{port}")]


@words.register
def _(event: e.Availability) -> list[Line]:
    lasts = "" if event.seconds is None else f" for {duration(event.seconds)}"
    if not event.available:
        hint = "; /available changes that" if event.seconds is None else ""
        return [(FACT, f"away{lasts}: nobody can ask you{hint}")]
    if event.to is None:
        return [(FACT, f"available{lasts}: anybody here may ask you for a chat")]
    return [(FACT, f"available{lasts} to {', '.join(event.to) or _TO_NOBODY}")]


@words.register
def _(event: e.Users) -> list[Line]:
    matching = f" with {event.text!r} in the name" if event.text else ""
    if not event.users:
        return [(FACT, f"nobody{matching} is available")]
    names = ", ".join(_user(user, *["busy"] * (user.name in event.busy)) for user in event.users)
    more = "; there are more: /users TEXT narrows it down" if event.more else ""
    return [(FACT, f"{len(event.users)}{matching} available: {names}{more}")]


def _user(someone: e.User | e.Asking | e.RefusedForYou | e.MissedRequest, *more: str) -> str:
    """A name never stands in a list or a request without what is known of its key."""
    return f"{someone.name} ({', '.join((_USER[someone.trust], *more))})"


# --- requests -------------------------------------------------------------------------------


@words.register
def _(event: e.Asking) -> list[Line]:
    span = "" if event.chat_seconds is None else f" to chat{_for(event.chat_seconds)}"
    lasts = f"{event.seconds} s at the most; /cancel withdraws it"
    return [(FACT, f"asking {_user(event)}{span}, {lasts}")]


@words.register
def _(event: e.Asked) -> list[Line]:
    what = f"{event.name} asks to chat{_for(event.chat_seconds)} ({event.seconds} s to answer)"
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


def _for(seconds: int | None) -> str:
    """How long a chat is to last, if it is to have an end."""
    return "" if seconds is None else f" for {duration(seconds)}"


@words.register
def _(event: e.AskedOver) -> list[Line]:
    text = _ASKED_OVER.get(event.reason)  # accepted: the opening chat says it
    return [] if text is None else [(FACT, text.format(name=event.name))]


@words.register
def _(event: e.AnsweredForYou) -> list[Line]:
    answer = _ANSWERED[event.answer]
    return [(FACT, f"{event.name} asked ({_USER[event.trust]}): your program {answer}")]


@words.register
def _(event: e.RefusedForYou) -> list[Line]:
    reason = "busy" if event.reason == "busy" else "the server gives your own key for theirs"
    return [(FACT, f"{_user(event)} asked: refused for you ({reason})")]


def _missed(requests: list[e.MissedRequest]) -> str:
    return ", ".join(
        _user(one, "once" if one.count == 1 else f"{one.count} times", f"{duration(one.ago)} ago")
        for one in requests
    )


@words.register
def _(event: e.Missed) -> list[Line]:
    return [(FACT, f"asked while you were away or busy: {_missed(event.missed)}")]


@words.register
def _(event: e.Requests) -> list[Line]:
    told = []
    if event.asked_by is not None:
        told.append(f"{_user(event.asked_by)} asks you: /accept, /refuse or /dismiss")
    if event.asking is not None:
        told.append(f"you ask {_user(event.asking)}; /cancel withdraws it")
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
    return [(FACT, f"{len(event.users)} blocked: {', '.join(map(_user, event.users))}")]


# --- the chat -------------------------------------------------------------------------------


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
        (FRAME, f"chat with {event.name}{_for(event.chat_seconds)}, {encrypted}"),
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


# --- everything else ------------------------------------------------------------------------


@words.register
def _(event: e.Settings) -> list[Line]:
    return [line for one in event.settings for line in words(one)]


@words.register
def _(event: e.Setting) -> list[Line]:
    return [(FACT, f"{event.name} is {event.value}; it says {event.about}")]


@words.register
def _(event: e.Hello) -> list[Line]:
    return [(FACT, f"securecom {event.version}; /help tells what you can do")]


@words.register
def _(event: e.Problem) -> list[Line]:
    return [(FACT, f"SC-{event.code} {event.what}. {event.hint}".rstrip())]


@words.register
def _(event: e.SecretWanted) -> list[Line]:
    return [(FACT, f"{event.question} (not shown; an empty line: leave it)")]


@words.register
def _(event: e.Notice) -> list[Line]:
    return [(FACT, event.text)]


@words.register
def _(event: e.Left) -> list[Line]:
    return [(FACT, "bye" if event.exit_code == 0 else f"bye (exit code {event.exit_code})")]
