"""Events about keys in words: comparisons, pins, copies."""

from __future__ import annotations

from datetime import UTC, datetime

from securecom.client import events as e
from securecom.client.frontends.wording.line import FACT, Line, words
from securecom.safety_number import in_rows

_COMPARE = {
    "new": "not verified",
    "met": "not verified",
    "verified": "verified before",
    "changed": "NOT FOR THE KEY THAT IS PINNED NOW",
}
_ANSWER = (FACT, "compare all of it by phone or in person: /verify yes or /verify no")
_COMPARED = {
    ("me", "yes"): "{name} is verified from now on, by your word",
    ("me", "no"): "the numbers differ: the chat ends, {name} is NOT VERIFIED, and somebody may be "
    "between you. Say nothing secret here; ask the server's admin",
    ("peer", "yes"): "{name} says that the numbers are the same; whether you trust their key, only "
    "your own /verify yes decides",
    ("peer", "no"): "{name} says that the numbers DIFFER, which ends the chat: somebody may be "
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
def _(event: e.Compared) -> list[Line]:
    return [(FACT, _COMPARED[event.by, event.word].format(name=event.name))]


@words.register
def _(event: e.KeyTaken) -> list[Line]:
    what = f"you take this key for {event.name}'s: it replaces the known one as soon as they prove"
    return [(FACT, f"{what} to have it, and is not verified; /accept, or /chat {event.name}")]


@words.register
def _(event: e.KeyFollowed) -> list[Line]:
    is_verified = event.trust == "verified"
    state = (
        "verified, as the old one was" if is_verified else "not verified, as the old one was not"
    )
    return [
        (FACT, f"{event.name} has a NEW KEY, which the one you knew signed over to; it is {state}"),
        (FACT, f"    new: {event.fingerprint}"),
        (FACT, f"    old: {event.former}, from now on nobody's"),
    ]


@words.register
def _(event: e.KeyRenewed) -> list[Line]:
    old = "erased from this disk; copies of it, snapshots and what an SSD puts aside are not"
    if event.kept is not None:
        old = (
            f"still in {event.kept}, which is your own file: whoever has it can pass for you with "
        )
        old += "people who have not met your new key"
    return [
        (FACT, "you have a NEW KEY, and your old one signed over to it: who knows you follows"),
        (FACT, f"    new: {event.fingerprint}"),
        (FACT, f"    old: {event.former}"),
        (FACT, f"the old private key is {old}"),
        (FACT, "backups of before hold the old key, which is good no more: make a new /backup"),
    ]


@words.register
def _(event: e.KeyNotRenewed) -> list[Line]:
    what = "the server never took the new key that you had begun to make: it is erased"
    return [(FACT, f"{what}, and your key is what it was, {event.fingerprint}")]


@words.register
def _(event: e.Fingerprints) -> list[Line]:
    whose = "your key" if event.name is None else f"{event.name}, your key"
    return [(FACT, f"{whose}: {event.fingerprint}"), (FACT, f"the server: {event.server}")]


@words.register
def _(event: e.Whois) -> list[Line]:
    if event.fingerprint is None or event.first_seen is None:
        return [(FACT, f"{event.name}: never met, no key is known")]
    state = "verified" if event.trust == "verified" else "NOT VERIFIED"
    since = f"since {_day(event.first_seen)}"
    lines = [(FACT, f"{event.name}: {state}, {since}, {event.fingerprint}")]
    return lines + [line for one in reversed(event.earlier) for line in words(one)]


@words.register
def _(event: e.OldKey) -> list[Line]:
    state = "verified" if event.trust == "verified" else "not verified"
    span = f"{_day(event.first_seen)} to {_day(event.until)}"
    end = ", which signed over to the next" if event.signed_over else ""
    return [(FACT, f"    before: {state}, {span}, {event.fingerprint}{end}")]


@words.register
def _(event: e.BackedUp) -> list[Line]:
    people = "1 person" if event.people == 1 else f"{event.people} people"
    return [
        (FACT, f"the backup is written: {event.file}"),
        (FACT, f"in it, encrypted: your key, your settings, the keys of {people}"),
        (FACT, "not in it: messages, logs of chats"),
        (FACT, "it is as good as your key: keep it, and its pass phrase, where only you come"),
        (FACT, "on another machine: securecom --restore FILE"),
    ]


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
