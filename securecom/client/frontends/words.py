"""What people read: the words of every event, error and page of help.

Each event has one function here, found by the event's class, which makes lines of it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import singledispatch
from itertools import groupby

from securecom import limits
from securecom.client import events as e
from securecom.client.terms import duration
from securecom.errors import PeerKeyChanged
from securecom.safety_number import in_rows

# --- A line of words, its marks, and the words that several events use ------------------------

Line = tuple[str, str]

FACT = "*"
FRAME = "--"
OWN = ">"
SERVER = "(server)"

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
def words(event: e.Event) -> list[Line]:
    """The lines of an event; none for one that only repeats another."""
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
def _(event: e.StateChanged) -> list[Line]:
    return []  # the events before it say what happened


@words.register
def _(event: e.PeopleNow) -> list[Line]:
    told = ", ".join(
        f"{one.name} ({USER[one.trust]}, {PRESENCE[one.presence]})" for one in event.people
    )
    return [(FACT, f"people you know: {told}" if told else "you know nobody yet")]


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


@words.register
def _(event: e.Users) -> list[Line]:
    matching = f" with {event.text!r} in the name" if event.text else ""
    if not event.users:
        return [(FACT, f"nobody{matching} is available")]
    names = ", ".join(person(user, *["busy"] * (user.name in event.busy)) for user in event.users)
    more = "; there are more: /users TEXT narrows it down" if event.more else ""
    return [(FACT, f"{len(event.users)}{matching} available: {names}{more}")]


# --- Chat requests and blocks in words --------------------------------------------------------

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


@words.register
def _(event: e.Asking) -> list[Line]:
    span = "" if event.chat_seconds is None else f" to chat{lasts(event.chat_seconds)}"
    waits = f"waiting up to {event.seconds} s for an answer; /cancel withdraws it"
    return [(FACT, f"asking {person(event)}{span}, {waits}")]


@words.register
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
    reason = "busy" if event.reason == "busy" else "the server claims that your own key is theirs"
    return [(FACT, f"{person(event)} asked: refused for you ({reason})")]


def _missed(requests: list[e.MissedCaller]) -> str:
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
        told.append(f"{person(event.asked_by)} is asking you: /accept, /refuse or /dismiss")
    if event.asking is not None:
        told.append(f"you are asking {person(event.asking)}; /cancel withdraws it")
    if event.missed:
        told.append(f"missed: {_missed(event.missed)}")
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


# --- Files in words ---------------------------------------------------------------------------
# A peer chooses the name of a file. It has no quotation marks in it (`files.names.safe_name`), so
# between ours it cannot go on as words of ours.

_KIB = 1024
_ENDED = {
    ("out", "done"): '"{file}" arrived at {name}, whole and checked ({size})',
    ("in", "done"): '"{file}" is here, whole and checked ({size}): {path}',
    ("out", "declined"): '{name} does not want "{file}"',
    ("in", "declined"): 'you declined "{file}"',
    ("out", "cancelled-by-me"): 'you cancelled "{file}"',
    ("in", "cancelled-by-me"): 'you cancelled "{file}"; what had arrived is deleted',
    ("out", "cancelled-by-peer"): '{name} cancelled "{file}" at {done} of {size}',
    ("in", "cancelled-by-peer"): '{name} cancelled "{file}" at {done} of {size}',
    ("out", "chat-over"): '"{file}" stopped at {done} of {size}: the chat is over',
    ("in", "chat-over"): '"{file}" stopped at {done} of {size}: the chat is over',
    ("out", "changed"): '"{file}" changed after you offered it, so the rest was not sent',
    ("in", "changed"): '"{file}" changed at {name}\'s after it was offered: it is not saved',
    ("out", "damaged"): '"{file}" arrived DAMAGED at {name}: it is not saved there',
    ("in", "damaged"): '"{file}" arrived DAMAGED (another SHA-256 than offered): it is not saved',
    ("out", "failed-here"): '"{file}" could not be read to its end and was not sent',
    ("in", "failed-here"): '"{file}" could not be saved',
    ("out", "failed-there"): '{name} could not save "{file}"',
    ("in", "failed-there"): '{name} could not read "{file}" to its end',
}
_STATES = {"offered": "on offer", "under-way": "under way", "checking": "being checked"}


def amount(count: int) -> str:
    """Bytes as people say them: 512 bytes, 1.2 MiB."""
    if count < _KIB:
        return "1 byte" if count == 1 else f"{count} bytes"
    value = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        value /= _KIB
        if value < 1000:  # noqa: PLR2004
            return f"{value:.3g} {unit}"
    return f"{value / _KIB:.3g} TiB"


@words.register
def _(event: e.FileOffered) -> list[Line]:
    digest = (FRAME, f"    SHA-256 {event.sha256}")
    if event.direction == "in":
        answers = f"/get {event.number} fetches it, /decline {event.number} refuses it"
        what = f'{event.name} offers a file: "{event.file}" ({amount(event.size)}); {answers}'
        return [(FRAME, what), digest]
    waits = f"nothing is sent before they fetch it; /cancel {event.number} withdraws it"
    return [
        (FRAME, f"{event.number} {event.file} ({amount(event.size)}) is offered; {waits}"),
        digest,
    ]


@words.register
def _(event: e.FileProgress) -> list[Line]:
    share = 100 * event.done // max(event.size, 1)
    way = "from" if event.direction == "in" else "to"
    left = "" if event.seconds_left is None else f", {duration(event.seconds_left)} left"
    done = f"{amount(event.done)} of {amount(event.size)}, {amount(event.rate)}/s{left}"
    return [(FRAME, f'{event.number} "{event.file}" {way} {event.name}: {share} % ({done})')]


@words.register
def _(event: e.FileOver) -> list[Line]:
    text = _ENDED[event.direction, event.ending].format(
        file=event.file,
        name=event.name,
        size=amount(event.size),
        done=amount(event.done),
        path=event.path,
    )
    if event.resumable:
        text += "; what has arrived is kept, and the same file goes on from there"
    return [(FRAME, text)]


@words.register
def _(event: e.Transfers) -> list[Line]:
    if not event.transfers:
        return [(FACT, "no file is on offer or under way")]
    return [line for one in event.transfers for line in words(one)]


@words.register
def _(event: e.Transfer) -> list[Line]:
    way = "from" if event.direction == "in" else "to"
    done = f"{amount(event.done)} of {amount(event.size)}"
    state = _STATES[event.state]
    return [(FACT, f'{event.number} "{event.file}" {way} {event.name}: {state}, {done}')]


# --- Events about keys in words: comparisons, pins, copies ------------------------------------

_COMPARE = {
    "new": "not verified",
    "met": "not verified",
    "introduced": "introduced, not verified by yourself",
    "verified": "verified before",
    "changed": "FOR ANOTHER KEY THAN THE PINNED ONE",
    "retired": "FOR A KEY THAT ITS OWNER HAS RETIRED",
}
#: Of the twelve that can retire a key.
_WORDS_IN_A_ROW = 4
_ANSWER = (FACT, "compare all of it by phone or in person: /verify yes or /verify no")
_COMPARED = {
    ("me", "yes"): "{name} is now verified, on your word",
    ("me", "no"): "they differ: the chat ends, {name} is NOT VERIFIED, and somebody may be "
    "between you. Say nothing secret here; ask the server's admin",
    ("peer", "yes"): "{name} says that they are the same; only your own /verify yes makes "
    "their key a verified one",
    ("peer", "no"): "{name} says that they DIFFER, which ends the chat: somebody may be "
    "between you. Say nothing secret here; ask the server's admin",
}


@words.register
def _(event: e.SafetyNumber) -> list[Line]:
    rows = [(FACT, f"    {row}") for row in in_rows(event.number.replace(" ", ""))]
    return [(FACT, f"safety number with {event.name}, {_COMPARE[event.trust]}:"), *rows, _ANSWER]


@words.register
def _(event: e.SafetyCode) -> list[Line]:
    return [(FACT, f"safety number with {event.name}, {_COMPARE[event.trust]}:"), _ANSWER]


@words.register
def _(event: e.WordsToCompare) -> list[Line]:
    if event.state in ("asked-by-me", "agreed"):
        what = f"you asked for six words to compare; they are shown when {event.name} types"
        return [(FACT, f"{what} /verify words too"), *_tries(event)]
    if event.state == "asked-by-peer":
        what = f"{event.name} wants to compare six words: call each other, then type /verify words"
        return [(FACT, what)]
    return [
        (FACT, f"six words with {event.name}, {_COMPARE[event.trust]}:"),
        (FACT, f"    {' '.join(event.words)}"),
        *_tries(event),
        (FACT, "read all six to each other by phone or in person: /verify yes or /verify no"),
    ]


def _tries(event: e.WordsToCompare) -> list[Line]:
    """What an interceptor gains who keeps breaking comparisons off."""
    if event.tries <= 1:
        return []
    what = f"this is try {event.tries} of {limits.MAX_WORD_TRIES} with {event.name}"
    return [(FACT, f"{what}: somebody between you gets one guess each time, of one in 2^66")]


@words.register
def _(event: e.ComparisonResult) -> list[Line]:
    return [(FACT, _COMPARED[event.by, event.word].format(name=event.name))]


@words.register
def _(event: e.KeyAccepted) -> list[Line]:
    what = f"you accept this key as {event.name}'s: it replaces the known one once they prove that"
    return [(FACT, f"{what} they have it, and is not verified; now /accept, or /chat {event.name}")]


@words.register
def _(event: e.KeyFollowed) -> list[Line]:
    is_verified = event.trust == "verified"
    state = "verified, as the old one was" if is_verified else "not verified"
    return [
        (FACT, f"{event.name} has a NEW KEY, signed by the one you knew; it is {state}"),
        (FACT, f"    new: {event.fingerprint}"),
        (FACT, f"    old: {event.former}, no longer valid"),
    ]


@words.register
def _(event: e.KeyCompleted) -> list[Line]:
    again = "you compared the first key alone: /verify again" if event.compared else "not verified"
    return [
        (FACT, f"{event.name} now has a second key, against quantum computers; {again}"),
        (FACT, f"    both keys: {event.fingerprint}"),
        (FACT, f"    the first alone: {event.former}"),
    ]


@words.register
def _(event: e.KeyRenewed) -> list[Line]:
    old = "erased from this disk, but not from copies, snapshots, or blocks an SSD has set aside"
    if event.kept is not None:
        old = f"still in {event.kept}, which is your own file: whoever has it can pose as you to "
        old += "people who have not met your new key"
    return [
        (FACT, "you have a NEW KEY, signed by your old one, so people who know you follow"),
        (FACT, f"    new: {event.fingerprint}"),
        (FACT, f"    old: {event.former}"),
        (FACT, f"the old private key is {old}"),
        (FACT, "older backups hold the old key, which no longer works: make a new /backup"),
    ]


@words.register
def _(event: e.RetirementMade) -> list[Line]:
    lines = [(FACT, f"twelve words that can retire the key of {event.name}, and nothing else:")]
    for at in range(0, len(event.words), _WORDS_IN_A_ROW):
        row = enumerate(event.words[at : at + _WORDS_IN_A_ROW], at + 1)
        lines.append((FACT, "    " + "  ".join(f"{number}. {word}" for number, word in row)))
    return [
        *lines,
        (FACT, "write them on paper now: they are kept nowhere and not shown again"),
        (FACT, f"if your key is stolen: securecom --retire {event.name}, or /retire {event.name}"),
        (FACT, "in anybody's client on this server. Whoever finds the paper can do only that"),
    ]


@words.register
def _(event: e.KeyRetired) -> list[Line]:
    here = f"the key that you know as {event.name}'s is retired: it gets nothing from you any more"
    if not event.here:
        here = f"you know no key of {event.name} that these words retire"
    server = "the server has retired it too: nobody can log in with it, and it has no session"
    if not event.server:
        server = "the server has not: it knows no such key, or could not be asked"
    way = f"{event.name} needs an invitation from the server's admin to make a new key"
    return [(FACT, here), (FACT, server), (FACT, way)]


@words.register
def _(event: e.RetirementDiffers) -> list[Line]:
    what = f"{event.name} names other words than before as those that can retire their key"
    return [
        (FACT, f"{what}; the first ones count. If they did not mean to, somebody has their key")
    ]


@words.register
def _(event: e.KeyNotRenewed) -> list[Line]:
    what = "the server never got the new key that you had begun to make: it is erased"
    return [(FACT, f"{what}, and your key is still {event.fingerprint}")]


@words.register
def _(event: e.Fingerprints) -> list[Line]:
    whose = "your key" if event.name is None else f"{event.name}, your key"
    return [(FACT, f"{whose}: {event.fingerprint}"), (FACT, f"the server: {event.server}")]


@words.register
def _(event: e.Whois) -> list[Line]:
    if event.fingerprint is None or event.first_seen is None:
        return [(FACT, f"{event.name}: never met, no key is known")]
    state = "verified" if event.trust == "verified" else "NOT VERIFIED"
    if event.trust == "retired":
        state = "RETIRED by its owner"
    if event.trust == "introduced":
        state = vouched("introduced, not verified by yourself", event.introduced_by)
    since = f"since {_day(event.first_seen)}"
    lines = [(FACT, f"{event.name}: {state}, {since}, {event.fingerprint}")]
    return lines + [line for one in reversed(event.earlier) for line in words(one)]


@words.register
def _(event: e.FormerKey) -> list[Line]:
    state = "verified" if event.trust == "verified" else "not verified"
    span = f"{_day(event.first_seen)} to {_day(event.until)}"
    end = ", which signed the next one" if event.signed_over else ""
    return [(FACT, f"    before: {state}, {span}, {event.fingerprint}{end}")]


_STEPS = {
    "begun": "introducing {name} and {other} to each other: each is asked in your next chat with "
    "them, and gets nothing before both say yes",
    "cancelled": "{name} and {other} are no longer being introduced; what one of them got stays",
    "asked": "asking {name} whether they want to be introduced to {other}",
    "yes": "{name} wants to be introduced to {other}",
    "no": "{name} does not want to be introduced to {other}: the introduction is dropped",
    "delivered": "{name} has {other}'s key from you",
    "dropped": "the introduction of {name} and {other} is dropped: one of them is not verified now "
    "with the key that you had verified",
    "i-agreed": "you agreed: {name} may give {other} your key, and {other}'s to you if they agree",
    "i-declined": "you said no: {name} introduces you and {other} no further",
}


@words.register
def _(event: e.IntroductionStep) -> list[Line]:
    return [(FACT, _STEPS[event.stage].format(name=event.name, other=event.other))]


@words.register
def _(event: e.IntroductionOffered) -> list[Line]:
    what = f"{event.name} offers to introduce you to {event.other}: each of you gets the other's "
    lines = [(FACT, f"{what}key from {event.name} if both agree")]
    if event.trust != "verified":
        return [*lines, (FACT, f"verify {event.name} first: /verify")]
    answers = f"/introduce yes {event.other} or /introduce no {event.other}"
    return [*lines, (FACT, answers)]


@words.register
def _(event: e.Introduced) -> list[Line]:
    state = "verified by you before"
    if event.trust == "introduced":
        state = f"introduced by {event.by} (verified)"
    return [(FACT, f"{event.name}'s key, from {event.by}: {state}, {event.fingerprint}")]


@words.register
def _(event: e.IntroductionList) -> list[Line]:
    if not event.pending:
        return [(FACT, "you are introducing nobody; /introduce NAME to NAME begins")]
    return [line for one in event.pending for line in words(one)]


@words.register
def _(event: e.PendingIntroduction) -> list[Line]:
    agreed, done = (", ".join(names) or "nobody" for names in (event.agreed, event.done))
    what = f"{event.name} and {event.other}: said yes: {agreed}; have the key: {done}"
    return [(FACT, f"{what}. Chat with each of them to go on")]


@words.register
def _(event: e.BackedUp) -> list[Line]:
    people = "1 person" if event.people == 1 else f"{event.people} people"
    return [
        (FACT, f"the backup is written: {event.file}"),
        (FACT, f"in it, encrypted: your key, your settings, the keys of {people}"),
        (FACT, "not in it: messages, logs of chats"),
        (
            FACT,
            "it is as good as your key: keep it and its pass phrase where only you can reach them",
        ),
        (FACT, "on another machine: securecom --restore FILE"),
    ]


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


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
