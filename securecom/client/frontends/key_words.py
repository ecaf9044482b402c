"""What people read about keys: comparisons, pins, retirements, introductions."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import singledispatch

from securecom import limits
from securecom.client import events as e
from securecom.client import key_events
from securecom.client.frontends.marks import FACT, Line
from securecom.client.frontends.people_words import vouched
from securecom.safety_number import in_rows

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
    ("peer", "yes"): "{name} says that they are the same; what counts here is your own /verify yes",
    ("peer", "no"): "{name} says that they DIFFER, which ends the chat: somebody may be "
    "between you. Say nothing secret here; ask the server's admin",
}


@singledispatch
def key_words(event: e.Event) -> list[Line]:
    """The lines of such an event."""
    return []


@key_words.register
def _(event: key_events.SafetyNumber) -> list[Line]:
    rows = [(FACT, f"    {row}") for row in in_rows(event.number.replace(" ", ""))]
    return [(FACT, f"safety number with {event.name}, {_COMPARE[event.trust]}:"), *rows, _ANSWER]


@key_words.register
def _(event: key_events.SafetyCode) -> list[Line]:
    return [(FACT, f"safety number with {event.name}, {_COMPARE[event.trust]}:"), _ANSWER]


@key_words.register
def _(event: key_events.WordsToCompare) -> list[Line]:
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


def _tries(event: key_events.WordsToCompare) -> list[Line]:
    """What an interceptor gains who keeps breaking comparisons off."""
    if event.tries <= 1:
        return []
    what = f"this is try {event.tries} of {limits.MAX_WORD_TRIES} with {event.name}"
    return [(FACT, f"{what}: somebody between you gets one guess each time, of one in 2^66")]


@key_words.register
def _(event: key_events.ComparisonResult) -> list[Line]:
    return [(FACT, _COMPARED[event.by, event.word].format(name=event.name))]


@key_words.register
def _(event: key_events.KeyAccepted) -> list[Line]:
    what = f"you accept this key as {event.name}'s: it replaces the known one once they prove that"
    return [(FACT, f"{what} they have it, and is not verified; now /accept, or /chat {event.name}")]


@key_words.register
def _(event: key_events.KeyFollowed) -> list[Line]:
    is_verified = event.trust == "verified"
    state = "verified, as the old one was" if is_verified else "not verified"
    return [
        (FACT, f"{event.name} has a NEW KEY, signed by the one you knew; it is {state}"),
        (FACT, f"    new: {event.fingerprint}"),
        (FACT, f"    old: {event.former}, no longer valid"),
    ]


@key_words.register
def _(event: key_events.KeyCompleted) -> list[Line]:
    again = "you compared the first key alone: /verify again" if event.compared else "not verified"
    return [
        (FACT, f"{event.name} now has a second key, against quantum computers; {again}"),
        (FACT, f"    both keys: {event.fingerprint}"),
        (FACT, f"    the first alone: {event.former}"),
    ]


@key_words.register
def _(event: key_events.KeyRenewed) -> list[Line]:
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


@key_words.register
def _(event: key_events.RetirementMade) -> list[Line]:
    lines = [(FACT, f"twelve words that can retire the key of {event.name}, and nothing else:")]
    anywhere = f"/retire {event.name} in anybody's client on this server, or on any machine "
    anywhere += f"securecom --retire {event.name} LINK, with a link of this server"
    for at in range(0, len(event.words), _WORDS_IN_A_ROW):
        row = enumerate(event.words[at : at + _WORDS_IN_A_ROW], at + 1)
        lines.append((FACT, "    " + "  ".join(f"{number}. {word}" for number, word in row)))
    return [
        *lines,
        (FACT, "write them on paper now: they are kept nowhere and not shown again; then /clear"),
        (FACT, f"if your key is stolen: {anywhere}, even a spent one"),
        (FACT, "whoever finds the paper can retire your key, and do nothing else"),
    ]


@key_words.register
def _(event: key_events.KeyRetired) -> list[Line]:
    here = f"the key that you know as {event.name}'s is retired: it gets nothing from you any more"
    whose = "it too" if event.here else f"{event.name}'s key"
    server = f"the server has retired {whose}: nobody can log in with it, and it has no session"
    if not event.here:
        here = f"nothing changes here: {event.name} has not told you that these words retire a key"
    if not event.server:
        server = "the server has not: it knows no such key, or could not be asked"
    way = f"{event.name} needs an invitation from the server's admin to make a new key"
    return [(FACT, here), (FACT, server), (FACT, way)]


@key_words.register
def _(event: key_events.RetirementDiffers) -> list[Line]:
    what = f"{event.name} names other words than before as those that can retire their key"
    return [
        (FACT, f"{what}; the first ones count. If they did not mean to, somebody has their key")
    ]


@key_words.register
def _(event: key_events.KeyNotRenewed) -> list[Line]:
    what = "the server never got the new key that you had begun to make: it is erased"
    return [(FACT, f"{what}, and your key is still {event.fingerprint}")]


@key_words.register
def _(event: key_events.Fingerprints) -> list[Line]:
    whose = "your key" if event.name is None else f"{event.name}, your key"
    return [(FACT, f"{whose}: {event.fingerprint}"), (FACT, f"the server: {event.server}")]


@key_words.register
def _(event: key_events.Whois) -> list[Line]:
    if event.fingerprint is None or event.first_seen is None:
        return [(FACT, f"{event.name}: never met, no key is known")]
    state = "verified" if event.trust == "verified" else "NOT VERIFIED"
    if event.trust == "retired":
        state = "RETIRED by its owner"
    if event.trust == "introduced":
        state = vouched("introduced, not verified by yourself", event.introduced_by)
    since = f"since {_day(event.first_seen)}"
    lines = [(FACT, f"{event.name}: {state}, {since}, {event.fingerprint}")]
    return lines + [line for one in reversed(event.earlier) for line in key_words(one)]


@key_words.register
def _(event: key_events.FormerKey) -> list[Line]:
    state = "verified" if event.trust == "verified" else "not verified"
    span = f"{_day(event.first_seen)} to {_day(event.until)}"
    end = ", which signed the next one" if event.signed_over else ""
    return [(FACT, f"    before: {state}, {span}, {event.fingerprint}{end}")]


_STEPS = {
    "begun": "introducing {name} and {other} to each other: each is asked in a chat with you, "
    "and gets nothing before both say yes",
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


@key_words.register
def _(event: key_events.IntroductionStep) -> list[Line]:
    what = _STEPS[event.stage].format(name=event.name, other=event.other)
    if event.next is not None:
        what = f"{what}; it goes on when you chat with {event.next}"
    return [(FACT, what)]


@key_words.register
def _(event: key_events.IntroductionOffered) -> list[Line]:
    what = f"{event.name} offers to introduce you to {event.other}: each of you gets the other's "
    lines = [(FACT, f"{what}key from {event.name} if both agree")]
    if event.trust != "verified":
        return [*lines, (FACT, f"verify {event.name} first: /verify")]
    answers = f"/introduce yes {event.other} or /introduce no {event.other}"
    return [*lines, (FACT, answers)]


@key_words.register
def _(event: key_events.Introduced) -> list[Line]:
    state = "verified by you before"
    if event.trust == "introduced":
        state = f"introduced by {event.by} (verified)"
    return [(FACT, f"{event.name}'s key, from {event.by}: {state}, {event.fingerprint}")]


@key_words.register
def _(event: key_events.IntroductionList) -> list[Line]:
    if not event.pending:
        return [(FACT, "you are introducing nobody; /introduce NAME to NAME begins")]
    return [line for one in event.pending for line in key_words(one)]


@key_words.register
def _(event: key_events.PendingIntroduction) -> list[Line]:
    agreed, done = (", ".join(names) or "nobody" for names in (event.agreed, event.done))
    what = f"{event.name} and {event.other}: said yes: {agreed}; have the key: {done}"
    two = (event.name, event.other)
    waiting = [name for name in two if name not in event.agreed]
    waiting = waiting or [name for name in two if name not in event.done]
    return [(FACT, f"{what}. It goes on when you chat with {' or '.join(waiting)}")]


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
