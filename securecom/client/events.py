"""What a front-end is shown, a class for each event; docs/json.md lists their fields.

Events about files and about keys have modules of their own.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from securecom.errors import SecurecomError
from securecom.values import Value, as_dict, field

#: What we know of a peer's key: never met, met before (pinned), introduced by somebody whom we have
#: verified, compared; not the pinned one but one that it signed over to, while it was met or
#: verified; not the pinned one; or pinned, and retired by its owner since it was stolen.
Trust = Literal[
    "new",
    "met",
    "introduced",
    "verified",
    "followed",
    "followed-verified",
    "changed",
    "retired",
]
#: How a key stands that proves somebody whom the person has met, and not a stranger.
KNOWN: frozenset[Trust] = frozenset(
    {"met", "introduced", "verified", "followed", "followed-verified"}
)
#: How a key stands to which nothing is sent, unless the person accepts a changed one.
REFUSED: frozenset[Trust] = frozenset({"changed", "retired"})
#: How the log of a chat stands. It is kept only while it is "on".
LogState = Literal["off", "asked-by-me", "asked-by-peer", "on"]
#: What a client is doing: the members of `api.ClientState`, as words.
StateWord = Literal["offline", "idle", "asked", "asking", "opening", "chat"]
#: Whether somebody can be asked for a chat, by what the server shows us: yes; yes, and they let us
#: see that they are busy; or no, which looks the same whatever the reason is.
Presence = Literal["available", "busy", "silent"]
#: How a chat came to its end: one of us said so inside it, the time that both had agreed to was
#: over, or it just stopped.
Ending = Literal["by-me", "by-peer", "time-up", "cut-off"]


class Event(Value):
    """Something happened."""

    kind: ClassVar[str] = ""

    def fields(self) -> dict[str, Any]:
        """The event as JSON has it."""
        return {"event": self.kind, **as_dict(self)}


# --- The connection to the server, and who may ask us over it ---------------------------------


class Connecting(Event):
    """A connection is being tried."""

    kind: ClassVar[str] = "connecting"
    host: str
    port: int


class Online(Event):
    """Logged in. `server`: the server's fingerprint, 16 characters in groups of four."""

    kind: ClassVar[str] = "online"
    name: str
    server: str
    again: bool


class Offline(Event):
    """Not logged in (any more). `retry_in`: seconds until the next attempt, None: there is none."""

    kind: ClassVar[str] = "offline"
    why: str
    retry_in: float | None


class StateChanged(Event):
    """The client is doing something else than before; it comes after what led there.

    `name`: the person who asks us, whom we ask, or with whom the chat is; None: nobody.
    """

    kind: ClassVar[str] = "state"
    state: StateWord
    before: StateWord
    name: str | None = None


class RequestChannelState(Event):
    """The request channel came or went. `how`: listen or dial; `port`: ours, in dial mode."""

    kind: ClassVar[str] = "request-channel"
    up: bool
    how: str
    port: int | None


class Availability(Event):
    """We are, or are no longer, available to be asked.

    `seconds`: until it is the other way round, None: until we say so. `to`: None: everybody.
    """

    kind: ClassVar[str] = "availability"
    available: bool
    seconds: int | None = None
    to: list[str] | None = None


class ListedUser(Event):
    """Somebody in a list."""

    kind: ClassVar[str] = "user"
    name: str
    trust: Trust
    introduced_by: str | None = None


class Users(Event):
    """Who is available. `more`: the list was cut.

    `busy`: the names of those who are, and let us see it.
    """

    kind: ClassVar[str] = "users"
    users: list[ListedUser]
    text: str
    more: bool
    busy: list[str] = field(default_factory=list)


class PersonNow(Event):
    """In a list: somebody whose key we know."""

    kind: ClassVar[str] = "person"
    name: str
    trust: Trust
    presence: Presence


class PeopleNow(Event):
    """Everybody whose key we know, in order; comes whenever it is another than before."""

    kind: ClassVar[str] = "people"
    people: list[PersonNow]


# --- Chat requests, ours and other people's; blocks -------------------------------------------


class Asking(Event):
    """Our request is on its way; it stands for so many seconds at the most.

    `chat_seconds`: how long the chat is to last, if it is to have an end.
    """

    kind: ClassVar[str] = "asking"
    name: str
    trust: Trust
    seconds: int
    chat_seconds: int | None = None
    introduced_by: str | None = None


class RequestOver(Event):
    """Our request came to nothing. Accepted ones end in `ChatStarted`.

    `wait`: seconds until the same person may be asked again, if that is known.
    """

    kind: ClassVar[str] = "request-over"
    name: str
    outcome: Literal["refused", "no-answer", "busy", "cancelled", "failed"]
    wait: int | None = None


class Asked(Event):
    """Somebody asks us; `/accept` or `/refuse` answers. `seconds`: to answer; `chat_seconds`: how
    long the chat is to last, if it is to have an end.
    """

    kind: ClassVar[str] = "asked"
    name: str
    trust: Trust
    fingerprint: str
    seconds: int
    chat_seconds: int | None = None
    introduced_by: str | None = None


class AskedOver(Event):
    """Their request is over before we answered, or because we did."""

    kind: ClassVar[str] = "asked-over"
    name: str
    reason: Literal["accepted", "refused", "dismissed", "cancelled", "expired", "gone", "crossed"]


class AnsweredForYou(Event):
    """The program that answers requests did so; the person was not asked."""

    kind: ClassVar[str] = "answered-for-you"
    name: str
    answer: Literal["accept", "refuse", "dismiss"]
    trust: Trust
    fingerprint: str


class RefusedForYou(Event):
    """The daemon role refused by itself."""

    kind: ClassVar[str] = "refused-for-you"
    name: str
    trust: Trust
    reason: Literal["busy", "own-key"]


class MissedCaller(Event):
    """In a list: somebody asked so many times in vain, last so many seconds ago."""

    kind: ClassVar[str] = "missed-request"
    name: str
    trust: Trust
    count: int
    ago: int


class Missed(Event):
    """Who asked in vain while we were away or busy, the latest first."""

    kind: ClassVar[str] = "missed"
    missed: list[MissedCaller]


class Requests(Event):
    """All requests. `asking`: whom we ask; `asked_by`: who asks us."""

    kind: ClassVar[str] = "requests"
    asking: ListedUser | None
    asked_by: ListedUser | None
    missed: list[MissedCaller]


class Blocked(Event):
    """A name is, or is no longer, blocked."""

    kind: ClassVar[str] = "blocked"
    name: str
    blocked: bool


class BlockList(Event):
    """All that we have blocked, in order."""

    kind: ClassVar[str] = "block-list"
    users: list[ListedUser]


# --- A chat, from both having agreed to its end -----------------------------------------------


class ChatEvent(Event, kw_only=True):
    """Something that belongs to one chat, so that a scrollback can be kept for each person.

    `chat`: 1 for the first chat since the client was started, then 2, 3, …; the server and the
    peer never see it. `at`: when it happened, in Unix seconds. Neither says what happened, so
    events that differ in nothing else are equal.
    """

    chat: int = field(default=0, compare=False)
    at: int = field(default=0, compare=False)


class ChatOpening(ChatEvent):
    """Both agreed; the end-to-end session is being set up."""

    kind: ClassVar[str] = "chat-opening"
    name: str


class ChatStarted(ChatEvent):
    """The end-to-end session stands. The caller is the first to speak.

    `chat_seconds`: how long it lasts, if it has an end.
    """

    kind: ClassVar[str] = "chat-started"
    name: str
    role: Literal["caller", "callee"]
    trust: Trust
    fingerprint: str
    chat_seconds: int | None = None
    introduced_by: str | None = None


class TimeLeft(ChatEvent):
    """The chat ends by itself in so many seconds."""

    kind: ClassVar[str] = "time-left"
    name: str
    seconds: int


class ChatLogState(Event):
    """How the log stands, and stood `before`. `by`: who changed it, or nobody: it was asked
    for, or the chat ended.

    `file` and `since` (Unix seconds) are those of the log that is kept, or has just ended.
    """

    kind: ClassVar[str] = "log"
    name: str
    state: LogState
    before: LogState
    by: Literal["me", "peer", "nobody"] = "nobody"
    file: str | None = None
    since: int | None = None


class Message(ChatEvent):
    """The peer said something."""

    kind: ClassVar[str] = "message"
    name: str
    text: str


class Said(ChatEvent):
    """A message of ours to `name`. `held`: it waits until the caller has spoken."""

    kind: ClassVar[str] = "said"
    name: str
    number: int
    text: str
    held: bool


class Delivered(ChatEvent):
    """The peer's client has shown the message with this number."""

    kind: ClassVar[str] = "delivered"
    name: str
    number: int


class PeerTyping(ChatEvent):
    """The peer is writing, or no longer. Comes only if both people have that switched on."""

    kind: ClassVar[str] = "typing"
    name: str
    typing: bool


class ChatOver(ChatEvent):
    """The chat is over and its keys are gone. `undelivered`: numbers without a receipt; `unsent`:
    those of them that were kept back until the end.
    """

    kind: ClassVar[str] = "chat-over"
    name: str
    ending: Ending
    undelivered: list[int]
    unsent: list[int] = field(default_factory=list)


# --- What the server holds about us, and its end ----------------------------------------------


class DataFact(Event):
    """One thing that the server holds: of what it is a part, what it is, its value. Its words."""

    kind: ClassVar[str] = "data-fact"
    part: str
    what: str
    value: str


class DataHeld(Event):
    """All that the server holds about us, by its own word."""

    kind: ClassVar[str] = "my-data"
    name: str
    facts: list[DataFact]


class ForgetMeMeans(Event):
    """What being forgotten would be; nothing was done. `days`: nobody can have the name."""

    kind: ClassVar[str] = "forget-me-means"
    name: str
    days: int


class Forgotten(Event):
    """The server has erased us. `folder`: what is left on this machine, None: nothing."""

    kind: ClassVar[str] = "forgotten"
    name: str
    days: int
    folder: str | None


# --- What the person has chosen for good ------------------------------------------------------


class Setting(Event):
    """One of them. `value`: as it is typed behind its name; `about`: what it does."""

    kind: ClassVar[str] = "setting"
    name: str
    value: str
    about: str


class AllSettings(Event):
    """All of them, as they are now."""

    kind: ClassVar[str] = "settings"
    settings: list[Setting]


# --- The program itself: help, problems, its beginning and end --------------------------------


class Welcome(Event):
    """The first event. `interface`: the version of what docs/json.md describes."""

    kind: ClassVar[str] = "hello"
    interface: int
    version: str


class HelpLine(Event):
    """One command.

    `usage`: as it is typed; `also`: other words for it; `now`: it makes sense; `group`: a heading;
    `brief`: a few words instead of `about`, empty for what is needed less often; `examples`: how it
    may be typed.
    """

    kind: ClassVar[str] = "help-line"
    command: str
    usage: str
    also: list[str]
    about: str
    now: bool
    group: str
    brief: str
    examples: list[str]


class ScreenCleared(Event):
    """The person wants an empty screen."""

    kind: ClassVar[str] = "screen-cleared"


class Help(Event):
    """What can be done, group by group. `topic`: what was asked for."""

    kind: ClassVar[str] = "help"
    topic: str | None
    lines: list[HelpLine]


class Suggestion(Event):
    """In a problem: a command that helps. `argument`: its argument, or empty."""

    kind: ClassVar[str] = "suggestion"
    command: str
    argument: str


class Problem(Event):
    """Something could not be done. `what` and `hint` are whole sentences without the number.

    `suggested`: commands that help now.
    """

    kind: ClassVar[str] = "problem"
    code: int
    what: str
    hint: str
    suggested: list[Suggestion] = field(default_factory=list)


def problem(error: SecurecomError) -> Problem:
    """The event for an error that nobody waits for."""
    suggested = [Suggestion(command, argument) for command, argument in error.suggested]
    return Problem(error.code, error.what, error.hint, suggested)


class SecretWanted(Event):
    """The next line of the input is the answer, a pass phrase, and is not shown."""

    kind: ClassVar[str] = "secret-wanted"
    question: str


class BackedUp(Event):
    """A backup is written, with our key and the keys of so many people."""

    kind: ClassVar[str] = "backed-up"
    file: str
    people: int


class Notice(Event):
    """A fact that asks for nothing."""

    kind: ClassVar[str] = "notice"
    text: str


class Left(Event):
    """The client is done. `exit_code`: see docs/json.md."""

    kind: ClassVar[str] = "left"
    exit_code: int
