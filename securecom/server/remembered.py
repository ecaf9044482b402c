"""What the server holds in memory about a person, in the words of `/mydata`.

Other people's names are in it only where the person has seen them already. `NOT_SHOWN` lists what
is kept back because it belongs to somebody else, or would break their silence.
"""

from __future__ import annotations

from collections.abc import Sequence

from securecom.identity import Name
from securecom.server.switchboard import Lease
from securecom.vocabulary import Fact

#: What is kept back, and why.
NOT_SHOWN = tuple(
    Fact("not shown", what, why)
    for what, why in (
        ("who has blocked you, if anybody", "other people's block lists are theirs"),
        ("who is available to you by name", "other people's availability is theirs"),
        ("requests to you that you were not shown", "they are the callers'; missed ones you see"),
        (
            "whether your request reached anybody",
            "that would break the callee's silence",
        ),
        ("when your request ends without an answer", "a random time, for the same reason"),
        ("when your next commands are due", "your client knows what it sent within a minute"),
        ("how many connections come from your address", "your neighbours may share it"),
        ("the keys of your connections", "your client has them; nobody needs to see them"),
    )
)


def session(address: str, handle: bytes, request_channel: str, ended: int) -> list[Fact]:
    """A session."""
    return [
        Fact("session", "your address", address),
        Fact("session", "handle", handle.hex()),
        Fact("session", "request channel", request_channel),
        Fact("session", "chats ended, whose late frames are dropped", str(ended)),
    ]


def availability(lease: Lease | None) -> list[Fact]:
    """Who can ask this person, and how long."""
    if lease is None:
        return [Fact("availability", "you are", "away")]
    until = "the session ends" if lease.seconds is None else f"{lease.seconds:.0f} s from now"
    facts = [Fact("availability", "you are", "available"), Fact("availability", "until", until)]
    to = ["everybody"] if lease.audience is None else sorted(lease.audience)
    facts += [Fact("availability", "to", str(name)) for name in to]
    sees = "sees when you are busy"
    return facts + [Fact("availability", sees, str(name)) for name in sorted(lease.busy_to)]


def request(own: Name, caller: Name, wanted: Name, chat_seconds: int | None) -> list[Fact]:
    """An open request, as much as both people know of it."""
    span = [] if chat_seconds is None else [Fact("request", "for", f"{chat_seconds} s")]
    if caller == own:
        return [Fact("request", "you ask", str(wanted)), *span]
    return [Fact("request", "asks you", str(caller)), *span]


def chat(own: Name, names: tuple[Name, Name], stream: int) -> list[Fact]:
    """A chat."""
    peer = names[1] if names[0] == own else names[0]
    return [Fact("chat", "with", str(peer)), Fact("chat", "stream", str(stream))]


def cooldowns(own: Name, pairs: Sequence[tuple[Name, Name, int]]) -> list[Fact]:
    """Refusals by and of this person that are still remembered."""
    facts = []
    for caller, callee, left in pairs:
        wait = f"{left} s from now" if left else "now; another no makes it longer"
        if caller == own:
            facts.append(Fact("refusals", f"{callee} refused you, you may ask again", wait))
        else:
            facts.append(Fact("refusals", f"you refused {caller}, who may ask again", wait))
    return facts


def counts(by_you: int, to_you: int, lists: int) -> list[Fact]:
    """Events that rates count."""
    return [
        Fact("counted lately", "requests by you", str(by_you)),
        Fact("counted lately", "requests to you", str(to_you)),
        Fact("counted lately", "pages of the list of people", str(lists)),
    ]
