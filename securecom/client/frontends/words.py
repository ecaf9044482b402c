"""What people read: the words of every event, error and page of help.

Those about files, keys and people have modules of their own.

Each event has one function here, found by the event's class, which makes lines of it.
"""

from __future__ import annotations

from datetime import datetime
from functools import singledispatch
from itertools import groupby

from securecom.client import events as e
from securecom.client.frontends.file_words import file_words
from securecom.client.frontends.key_words import key_words
from securecom.client.frontends.marks import FACT, FRAME, OWN, SERVER, Line
from securecom.client.frontends.people_words import (
    lasts,
    people_words,
    vouched,
)
from securecom.client.terms import duration
from securecom.errors import PeerKeyChanged


@singledispatch
def words(event: e.Event) -> list[Line]:
    """The lines of an event; none for one that only repeats another."""
    return []


for _part in (file_words, key_words, people_words):
    for _kind, _wording in _part.registry.items():
        if _kind is not object:
            words.register(_kind, _wording)


# --- The program itself, and its settings, in words -------------------------------------------


@words.register
def _(event: e.AllSettings) -> list[Line]:
    return [line for one in event.settings for line in words(one)]


@words.register
def _(event: e.Setting) -> list[Line]:
    return [(FACT, f"{event.name} is {event.value}: {event.about}")]


@words.register
def _(event: e.Welcome) -> list[Line]:
    return [(FACT, f"securecom {event.version}; /help shows what you can do")]


#: How errors suggest commands; all others just say "Try".
_SUGGESTIONS = {
    PeerKeyChanged.code: "Only if it is this one: {}",
}


@words.register
def _(event: e.Problem) -> list[Line]:
    tries = [f"/{one.command} {one.argument}".rstrip() for one in event.suggested]
    suggestion = _SUGGESTIONS.get(event.code, "Try {}.").format(" or ".join(tries)) if tries else ""
    parts = (f"SC-{event.code} {event.what}.", event.hint, suggestion)
    return [(FACT, " ".join(part for part in parts if part))]


@words.register
def _(event: e.SecretWanted) -> list[Line]:
    return [(FACT, f"{event.question} (hidden; press Enter to cancel)")]


@words.register
def _(event: e.Notice) -> list[Line]:
    return [(FACT, event.text)]


@words.register
def _(event: e.Left) -> list[Line]:
    return [(FACT, "bye" if event.exit_code == 0 else f"bye (exit code {event.exit_code})")]


@words.register
def _(event: e.ScreenCleared) -> list[Line]:
    return [(FACT, "the screen is cleared; /help shows what you can do")]


@words.register
def _(event: e.BackedUp) -> list[Line]:
    people = "1 person" if event.people == 1 else f"{event.people} people"
    return [
        (FACT, f"the backup is written: {event.file}"),
        (FACT, f"in it, encrypted: your key, your settings, the keys of {people}"),
        (FACT, "not in it: messages, logs of chats, the twelve words of /retirement"),
        (
            FACT,
            "it is as good as your key: keep it and its pass phrase where only you can reach them",
        ),
        (FACT, "on another machine: securecom --restore FILE"),
    ]


# --- The connection, and who may ask us, in words ---------------------------------------------

_TO_NOBODY = "nobody: you have met none of them"


@words.register
def _(event: e.Connecting) -> list[Line]:
    return [(FACT, f"connecting to {event.host}, port {event.port}")]


@words.register
def _(event: e.Online) -> list[Line]:
    again = "again " if event.again else ""
    return [(FACT, f"online {again}as {event.name}; the server is {event.server}")]


@words.register
def _(event: e.Offline) -> list[Line]:
    if event.retry_in is None:  # the problem that follows says why
        return [(FACT, "offline")]
    retry = f"Trying again in {max(event.retry_in, 1):.0f} s"
    return [(FACT, f"offline: {event.why.rstrip('.')}. {retry}")]


@words.register
def _(event: e.RequestChannelState) -> list[Line]:
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
        return [(FACT, f"available{lasts}: anybody on this server may ask you for a chat")]
    return [(FACT, f"available{lasts} to {', '.join(event.to) or _TO_NOBODY}")]


# --- A chat in words --------------------------------------------------------------------------

#: A chat with a changed key begins only after the person has accepted that key.
_STARTED = {
    "new": "first meeting",
    "met": "the one you know",
    "introduced": "introduced, not verified by yourself",
    "verified": "verified",
    "followed": "the NEW one, signed by the one you knew",
    "followed-verified": "the NEW one, signed by the verified one",
    "changed": "the NEW one that you accepted",
    "retired": "RETIRED by its owner",
}
_UNVERIFIED = (FRAME, "NOT VERIFIED. Call each other and both type /verify")
_VERIFIED = ("verified", "followed-verified")
_ENDINGS = {
    "by-me": "you ended the chat with {name}; its keys are gone",
    "by-peer": "{name} ended the chat; its keys are gone",
    "time-up": "the time of the chat with {name} is up; its keys are gone",
    "cut-off": "cut off: the chat with {name} stopped without a goodbye; its keys are gone",
}


@words.register
def _(event: e.ChatOpening) -> list[Line]:
    return [(FRAME, f"{event.name} and you agreed; setting up the chat")]


@words.register
def _(event: e.ChatStarted) -> list[Line]:
    starts = "you asked, so you write first"
    if event.role == "callee":
        starts = f"{event.name} writes first; what you type is sent after that"
    encrypted = "end-to-end encrypted; log off; /stop ends it"
    key = vouched(_STARTED[event.trust], event.introduced_by)
    return [
        (FRAME, f"chat with {event.name}{lasts(event.chat_seconds)}, {encrypted}"),
        (FRAME, f"their key: {key}, {event.fingerprint}"),
        *([] if event.trust in _VERIFIED else [_UNVERIFIED]),
        (FRAME, starts),
    ]


@words.register
def _(event: e.TimeLeft) -> list[Line]:
    return [(FRAME, f"{duration(event.seconds)} left until the chat ends by itself")]


@words.register
def _(event: e.Message) -> list[Line]:
    return [(f"{event.name}|", event.text)]


@words.register
def _(event: e.Said) -> list[Line]:
    kept = (
        [(FRAME, f"{event.number} waits until the other person has written")] if event.held else []
    )
    return [(OWN, event.text), *kept]


@words.register
def _(event: e.Delivered) -> list[Line]:
    return [(FRAME, f"{event.number} delivered")]


@words.register
def _(event: e.PeerTyping) -> list[Line]:
    return []  # lines that stay are no place for what is over in a moment


@words.register
def _(event: e.ChatOver) -> list[Line]:
    lines = [(FRAME, _ENDINGS[event.ending].format(name=event.name))]
    sent = [number for number in event.undelivered if number not in event.unsent]
    if event.unsent:
        lines.append((FRAME, f"never sent: {_numbers(event.unsent)}"))
    if sent:
        lines.append((FRAME, f"no receipt for {_numbers(sent)}: may not have arrived"))
    return lines


def _numbers(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))


# --- Events about agreed logs in words --------------------------------------------------------

#: What an agreement can and cannot do, shown to whoever asks for a log or agrees to one.
_HONEST = (
    FRAME,
    "this binds honest clients only: a modified one, or a camera, records without asking",
)
_ASKED = "you asked {name} to keep a log of this chat; nothing is written until they agree"
_ASKS = "{name} asks to keep a log of this chat: /log on agrees, /log off declines"
_ON = "log on since {at}: both of you keep this chat; /log off ends it for both; yours is in {file}"
_STANDS = {
    "off": "log off: nothing of this chat is written",
    "asked-by-me": "log off: {name} has not answered your request for one",
    "asked-by-peer": _ASKS,
    "on": _ON,
}
_CHANGES = {
    ("me", "asked-by-me", "off"): "log off: you no longer ask for one",
    ("me", "asked-by-peer", "off"): "log off: you do not agree to one",
    ("me", "on", "off"): "log off: you ended it for both; it is in {file}",
    ("peer", "asked-by-me", "off"): "log off: {name} does not agree to one",
    ("peer", "asked-by-peer", "off"): "log off: {name} no longer asks for one",
    ("peer", "on", "off"): "log off: {name} ended it for both; yours is in {file}",
    ("nobody", "on", "off"): "log off: it ends with the chat; it is in {file}",
}
_ASKING = {"asked-by-me": _ASKED, "asked-by-peer": _ASKS, "on": _ON}


@words.register
def _(event: e.ChatLogState) -> list[Line]:
    if event.state == event.before:
        text = _STANDS[event.state]
    else:
        change = (event.by, event.before, event.state)
        text = _CHANGES.get(change) or _ASKING.get(event.state) or _STANDS[event.state]
    at = "" if event.since is None else datetime.fromtimestamp(event.since).strftime("%H:%M")
    told = (FRAME, text.format(name=event.name, file=event.file, at=at))
    return [told] if event.state == "off" else [told, _HONEST]


# --- Events about what the server holds, in words ---------------------------------------------
# The texts of facts are the server's own, so each of their rows bears its mark: none can pose as
# something that this client says, such as a question for a pass phrase.


@words.register
def _(event: e.DataHeld) -> list[Line]:
    lines = [(FACT, f"what the server says it holds about you, {event.name}:")]
    for part in dict.fromkeys(fact.part for fact in event.facts):  # each once
        lines.append((SERVER, f"{part}:"))
        lines += [line for fact in event.facts if fact.part == part for line in words(fact)]
    return lines


@words.register
def _(event: e.DataFact) -> list[Line]:
    return [(SERVER, f"    {event.what}: {event.value}")]


@words.register
def _(event: e.ForgetMeMeans) -> list[Line]:
    return [
        (FACT, "the server erases your key, your blocks and everything else about you, for good"),
        (FACT, f"for {event.days} days nobody can have the name {event.name}, not even you"),
        (
            FACT,
            "people who blocked it keep it blocked that long; others keep what they know about you",
        ),
        (FACT, "your files on this machine stay"),
        (FACT, f"to do it: /forget-me {event.name}"),
    ]


@words.register
def _(event: e.Forgotten) -> list[Line]:
    days = f"for {event.days} days nobody can have that name"
    lines = [(FACT, f"the server has forgotten {event.name}; {days}")]
    if event.folder is not None:
        what = (
            "your key, unless that is a file of your own elsewhere, and the keys of people you met"
        )
        lines.append((FACT, f"left on this machine, for you to delete: {event.folder} ({what})"))
    return lines


# --- Help in words: a screenful of what makes sense now, or all there is to say about a command


@words.register
def _(event: e.Help) -> list[Line]:
    if event.topic is None:
        return _short(event.lines)
    if len(event.lines) == 1:
        return words(event.lines[0])
    told: list[Line] = []
    for group, lines in groupby(event.lines, lambda line: line.group):
        told += [(FACT, group.upper()), *(told for line in lines for told in words(line))]
    return told


@words.register
def _(event: e.HelpLine) -> list[Line]:
    also = f" (also {', '.join(event.also)})" if event.also else ""
    when = "" if event.now else "  [not now]"
    lines = [(FACT, f"{event.usage:16}  {event.about}{also}{when}")]
    if event.examples:
        lines.append((FACT, f"{'for example':>16}  {', '.join(event.examples)}"))
    return lines


def _short(lines: list[e.HelpLine]) -> list[Line]:
    """A line each for what is most needed now, and the names of the rest."""
    near = [line for line in lines if line.now and line.brief]
    far = [line for line in lines if line not in near and line.usage.startswith("/")]
    room = max(len(line.usage) for line in near)
    told = [(FACT, f"{line.usage:{room}}  {line.brief}") for line in near]
    room = max((len(line.group) for line in far), default=0) + 1
    for group, those in groupby(far, lambda line: line.group):
        names = " ".join(line.usage.split()[0] for line in those)
        told.append((FACT, f"{f'{group}:':{room}}  {names}"))
    return told
