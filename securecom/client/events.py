"""Everything that a client can have to tell its person, one class each.

The same objects serve people (a line of text each) and programs (a JSON object each: the field
names here are that interface, docs/json.md). Names come validated; text from peers is raw here
and goes through `securecom.text.shown` wherever a terminal may see it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

from securecom.errors import SecurecomError

#: What we know of a peer's key: never met, met before (pinned), compared, or not the pinned one.
Trust = Literal["new", "met", "verified", "changed"]
#: What somebody found who compared the safety numbers: the same, or not.
Word = Literal["yes", "no"]
#: How a chat came to its end: one of us said so inside it, or it just stopped.
Ending = Literal["by-me", "by-peer", "cut-off"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened."""

    kind: ClassVar[str] = ""

    def fields(self) -> dict[str, Any]:
        """The event as JSON has it."""
        return {"event": self.kind, **asdict(self)}


# --- the connection -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connecting(Event):
    """A connection is being tried."""

    kind: ClassVar[str] = "connecting"
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Online(Event):
    """Logged in. `server`: the server's fingerprint, 16 characters in groups of four."""

    kind: ClassVar[str] = "online"
    name: str
    server: str
    again: bool


@dataclass(frozen=True, slots=True)
class Offline(Event):
    """Not logged in (any more). `retry_in`: seconds until the next attempt, None: there is none."""

    kind: ClassVar[str] = "offline"
    why: str
    retry_in: float | None


@dataclass(frozen=True, slots=True)
class RequestChannel(Event):
    """The request channel came or went. `how`: listen or dial; `port`: ours, in dial mode."""

    kind: ClassVar[str] = "request-channel"
    up: bool
    how: str
    port: int | None


@dataclass(frozen=True, slots=True)
class Availability(Event):
    """We are, or are no longer, available to be asked.

    `seconds`: until it is the other way round, None: until we say so. `to`: None: everybody.
    """

    kind: ClassVar[str] = "availability"
    available: bool
    seconds: int | None = None
    to: list[str] | None = None


@dataclass(frozen=True, slots=True)
class User(Event):
    """Somebody in a list."""

    kind: ClassVar[str] = "user"
    name: str
    trust: Trust


@dataclass(frozen=True, slots=True)
class Users(Event):
    """Who is available. `more`: the list was cut."""

    kind: ClassVar[str] = "users"
    users: list[User]
    text: str
    more: bool


# --- requests -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asking(Event):
    """Our request is on its way; it stands for so many seconds at the most."""

    kind: ClassVar[str] = "asking"
    name: str
    seconds: int


@dataclass(frozen=True, slots=True)
class RequestOver(Event):
    """Our request came to nothing. Accepted ones end in `ChatStarted`.

    `wait`: seconds until the same person may be asked again, if that is known.
    """

    kind: ClassVar[str] = "request-over"
    name: str
    outcome: Literal["refused", "no-answer", "cancelled", "failed"]
    wait: int | None = None


@dataclass(frozen=True, slots=True)
class Asked(Event):
    """Somebody asks us; `/accept` or `/refuse` answers."""

    kind: ClassVar[str] = "asked"
    name: str
    trust: Trust
    fingerprint: str
    seconds: int


@dataclass(frozen=True, slots=True)
class AskedOver(Event):
    """Their request is over before we answered, or because we did."""

    kind: ClassVar[str] = "asked-over"
    name: str
    reason: Literal["accepted", "refused", "dismissed", "cancelled", "expired", "gone", "crossed"]


@dataclass(frozen=True, slots=True)
class RefusedForYou(Event):
    """The daemon role refused by itself."""

    kind: ClassVar[str] = "refused-for-you"
    name: str
    reason: Literal["busy", "own-key"]


@dataclass(frozen=True, slots=True)
class MissedRequest(Event):
    """In a list: somebody asked so many times in vain, last so many seconds ago."""

    kind: ClassVar[str] = "missed-request"
    name: str
    count: int
    ago: int


@dataclass(frozen=True, slots=True)
class Missed(Event):
    """Who asked in vain while we were away or busy, the latest first."""

    kind: ClassVar[str] = "missed"
    missed: list[MissedRequest]


@dataclass(frozen=True, slots=True)
class Requests(Event):
    """All requests. `asking`: whom we ask; `asked_by`: who asks us."""

    kind: ClassVar[str] = "requests"
    asking: str | None
    asked_by: str | None
    missed: list[MissedRequest]


@dataclass(frozen=True, slots=True)
class Blocked(Event):
    """A name is, or is no longer, blocked."""

    kind: ClassVar[str] = "blocked"
    name: str
    blocked: bool


@dataclass(frozen=True, slots=True)
class BlockList(Event):
    """All that we have blocked, in order."""

    kind: ClassVar[str] = "block-list"
    names: list[str]


# --- the chat -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ChatOpening(Event):
    """Both agreed; the end-to-end session is being set up."""

    kind: ClassVar[str] = "chat-opening"
    name: str


@dataclass(frozen=True, slots=True)
class ChatStarted(Event):
    """The end-to-end session stands. The caller is the first to speak."""

    kind: ClassVar[str] = "chat-started"
    name: str
    role: Literal["caller", "callee"]
    trust: Trust
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Message(Event):
    """The peer said something."""

    kind: ClassVar[str] = "message"
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Said(Event):
    """A message of ours. `held`: it waits until the caller has spoken."""

    kind: ClassVar[str] = "said"
    number: int
    text: str
    held: bool


@dataclass(frozen=True, slots=True)
class Delivered(Event):
    """The peer's client has shown the message with this number."""

    kind: ClassVar[str] = "delivered"
    number: int


@dataclass(frozen=True, slots=True)
class ChatOver(Event):
    """The chat is over and its keys are gone. `undelivered`: numbers without a receipt; `unsent`:
    those of them that were kept back until the end.
    """

    kind: ClassVar[str] = "chat-over"
    name: str
    ending: Ending
    undelivered: list[int]
    unsent: list[int] = field(default_factory=list)


# --- keys ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SafetyNumber(Event):
    """What the two of a chat compare. `number`: 12 groups of five digits, a blank between them."""

    kind: ClassVar[str] = "safety-number"
    name: str
    number: str
    trust: Trust


@dataclass(frozen=True, slots=True)
class SafetyCode(Event):
    """The same, to be scanned. `digits`: what the QR code holds, 60 digits and nothing else."""

    kind: ClassVar[str] = "safety-code"
    name: str
    digits: str
    trust: Trust


@dataclass(frozen=True, slots=True)
class Compared(Event):
    """One of the two said what the comparison came to. A peer's word changes no trust of ours."""

    kind: ClassVar[str] = "compared"
    name: str
    by: Literal["me", "peer"]
    word: Word


@dataclass(frozen=True, slots=True)
class KeyTaken(Event):
    """The person takes this key in place of the pinned one, once the peer has proved it."""

    kind: ClassVar[str] = "key-taken"
    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Fingerprints(Event):
    """Our own key's and the server's. `name`: None before the first log-in."""

    kind: ClassVar[str] = "fingerprints"
    name: str | None
    fingerprint: str
    server: str


@dataclass(frozen=True, slots=True)
class OldKey(Event):
    """A key that was somebody's pin. `first_seen`, `until`: Unix seconds."""

    kind: ClassVar[str] = "old-key"
    fingerprint: str
    first_seen: int
    until: int
    trust: Trust


@dataclass(frozen=True, slots=True)
class Whois(Event):
    """What is pinned for a name; nothing if we never met. `first_seen`: Unix seconds."""

    kind: ClassVar[str] = "whois"
    name: str
    trust: Trust
    fingerprint: str | None
    first_seen: int | None
    earlier: list[OldKey]


# --- everything else ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hello(Event):
    """The first event. `interface`: the version of what docs/json.md describes."""

    kind: ClassVar[str] = "hello"
    interface: int
    version: str


@dataclass(frozen=True, slots=True)
class HelpLine(Event):
    """One command. `usage`: as it is typed; `also`: other words for it; `now`: it makes sense."""

    kind: ClassVar[str] = "help-line"
    command: str
    usage: str
    also: list[str]
    about: str
    now: bool


@dataclass(frozen=True, slots=True)
class Help(Event):
    """What can be done, what makes sense now first."""

    kind: ClassVar[str] = "help"
    lines: list[HelpLine]


@dataclass(frozen=True, slots=True)
class Problem(Event):
    """Something could not be done. `what` and `hint` are whole sentences without the number."""

    kind: ClassVar[str] = "problem"
    code: int
    what: str
    hint: str


def problem(error: SecurecomError) -> Problem:
    """The event for an error that nobody waits for."""
    return Problem(error.code, error.what, error.hint)


@dataclass(frozen=True, slots=True)
class Notice(Event):
    """A fact that asks for nothing."""

    kind: ClassVar[str] = "notice"
    text: str


@dataclass(frozen=True, slots=True)
class Left(Event):
    """The client is done. `exit_code`: see docs/json.md."""

    kind: ClassVar[str] = "left"
    exit_code: int
