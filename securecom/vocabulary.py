"""The vocabulary: every command on the wire, by channel and direction, with its argument types.

A command goes from the side in its section's heading to the other and is answered once, unless it
says that it wants no answer. Arguments are bytes on the wire and checked values here; bytes that
are not of their type are a `WireError`. docs/protocol.md has the bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from twisted.protocols import amp

from securecom import limits
from securecom.errors import BadKey, BadName, WireError
from securecom.identity import SECOND_SIGNATURE_BYTES, Name, PublicKey, SecondKey
from securecom.refusals import (
    AlreadyOnline,
    BadInvitation,
    BadProof,
    Busy,
    Cancelled,
    Disabled,
    KeyInUse,
    ListFull,
    NoAnswer,
    NotDialling,
    NotEnrolled,
    NothingToEnd,
    NotYou,
    Occupied,
    OutOfTurn,
    Refused,
    ServerFull,
    ServerTrouble,
    TooManyRequests,
    TooSoon,
    by_word,
)
from securecom.values import Value

#: Tabs and line feeds separate facts, so they cannot be inside one.
_PARTING = {ord("\t"): " ", ord("\n"): " "}


class NameArgument(amp.Argument):
    """A `Name`; anything else is a `WireError`."""

    def fromString(self, inString: bytes) -> Name:
        try:
            return Name(inString.decode("ascii"))
        except (BadName, UnicodeDecodeError):
            raise WireError("a name that is not one") from None

    def toString(self, inObject: Name) -> bytes:
        return inObject.encode("ascii")


class KeyArgument(amp.Argument):
    """A `PublicKey` with both halves, 64 bytes. One key without a second is none."""

    def fromString(self, inString: bytes) -> PublicKey:
        try:
            return PublicKey.of_both(inString)
        except BadKey as error:
            raise WireError(f"a person's keys that are none ({error.what})") from None

    def toString(self, inObject: PublicKey) -> bytes:
        return inObject.encoded


class SecondKeyArgument(amp.Argument):
    """A `SecondKey`, 1,952 raw bytes."""

    def fromString(self, inString: bytes) -> SecondKey:
        try:
            return SecondKey(inString)
        except BadKey as error:
            raise WireError(f"a second key that is none ({error.what})") from None

    def toString(self, inObject: SecondKey) -> bytes:
        return inObject.raw


class NamesArgument(amp.Argument):
    """A list of names with one space between two."""

    def fromString(self, inString: bytes) -> list[Name]:
        words = inString.split(b" ") if inString else []
        return [NameArgument().fromString(word) for word in words]

    def toString(self, inObject: list[Name]) -> bytes:
        return " ".join(inObject).encode("ascii")


class Fact(NamedTuple):
    """One thing that a server holds about a person: its heading, its label, its value."""

    part: str
    what: str
    value: str


class FactsArgument(amp.Argument):
    """A list of facts, with line feeds between them and tabs between the three texts of each."""

    def fromString(self, inString: bytes) -> list[Fact]:
        try:
            text = inString.decode("utf-8")
        except UnicodeDecodeError:
            raise WireError("facts that are not UTF-8") from None
        rows = [row.split("\t") for row in text.split("\n")] if text else []
        if any(len(row) != len(Fact._fields) for row in rows):
            raise WireError("a fact that is not one")
        return [Fact(*row) for row in rows]

    def toString(self, inObject: list[Fact]) -> bytes:
        return b"\n".join(map(fact_bytes, inObject))


def fact_bytes(fact: Fact) -> bytes:
    """A fact on the wire."""
    return "\t".join(text.translate(_PARTING) for text in fact).encode("utf-8")


class FixedBytes(amp.Argument):
    """A fixed number of bytes."""

    def __init__(self, length: int, optional: bool = False) -> None:
        super().__init__(optional)
        self.length = length

    def fromString(self, inString: bytes) -> bytes:
        if len(inString) != self.length:
            raise WireError(f"{len(inString)} bytes where {self.length} belong")
        return inString

    def toString(self, inObject: bytes) -> bytes:
        return inObject


class Signature(amp.Argument):
    """An identity's signature of a statement, or nothing."""

    def fromString(self, inString: bytes) -> bytes:
        if len(inString) > limits.MAX_STATEMENT_SIGNATURE:
            raise WireError("a signature that is too long")
        return inString

    def toString(self, inObject: bytes) -> bytes:
        return inObject


class Number(amp.Argument):
    """A whole number from `low` to `high`, in decimal digits."""

    def __init__(self, low: int, high: int, optional: bool = False) -> None:
        super().__init__(optional)
        self.low, self.high = low, high

    def fromString(self, inString: bytes) -> int:
        if inString.isdigit() and len(inString) <= len(str(self.high)):
            number = int(inString)
            if self.low <= number <= self.high:
                return number
        raise WireError("a number that is not allowed there")

    def toString(self, inObject: int) -> bytes:
        return b"%d" % inObject


class OneOf(amp.Argument):
    """One of a fixed set of words."""

    def __init__(self, *words: str) -> None:
        super().__init__()
        self.words = words

    def fromString(self, inString: bytes) -> str:
        for word in self.words:
            if inString == word.encode("ascii"):
                return word
        raise WireError("a word that is not in the vocabulary")

    def toString(self, inObject: str) -> bytes:
        return inObject.encode("ascii")


class FileName(amp.Argument):
    """The name of a file: UTF-8, 1 to `limits.MAX_FILE_NAME` bytes, without a slash or a NUL."""

    def fromString(self, inString: bytes) -> str:
        if not 1 <= len(inString) <= limits.MAX_FILE_NAME or b"/" in inString or b"\0" in inString:
            raise WireError("a file name that is not one")
        try:
            return inString.decode("utf-8")
        except UnicodeDecodeError:
            raise WireError("a file name that is not UTF-8") from None

    def toString(self, inObject: str) -> bytes:
        return inObject.encode("utf-8")


PORT = Number(1, 65535)
STREAM = Number(1, 2**32 - 1)
CHAT_ID = FixedBytes(16)
MAC = FixedBytes(32)
CHAT_SECONDS = Number(limits.MIN_CHAT_SECONDS, limits.MAX_CHAT_SECONDS, optional=True)
SIGNATURE = FixedBytes(64)
SECOND_SIGNATURE = FixedBytes(SECOND_SIGNATURE_BYTES)
#: A transfer, counted from 1 by the side that offers it.
TRANSFER = Number(1, 2**32 - 1)
#: A place in a file, or its size.
PLACE = Number(0, limits.MAX_FILE)
SHA256 = FixedBytes(32)
RETIREMENT_KEY = FixedBytes(64)


# --- paces ----------------------------------------------------------------------------------


class Pace(Value):
    """`count` commands of one kind at once, and after that as many in `seconds`, evenly spread."""

    count: int
    seconds: float


class Unpaced(Value):
    """Says why a command needs no pace at the server."""

    why: str


#: It ends the phase in which it can come.
ONCE = Unpaced("once a connection")
#: The server sends it.
SENT_BY_SERVER = Unpaced("the server sends it")
#: It is sent inside a chat, where the server cannot see it.
IN_CHATS = Unpaced("between two clients")


class _Named(NamedTuple):
    """An argument: its name on the wire and in Python, and what reads and writes its values."""

    wire: bytes
    name: str
    is_optional: bool
    read: Callable[[bytes], Any]
    write: Callable[[Any], bytes]


def _named(declared: list[tuple[bytes, amp.Argument]]) -> tuple[_Named, ...]:
    return tuple(
        _Named(wire, wire.decode("ascii"), kind.optional, kind.fromString, kind.toString)
        for wire, kind in declared
    )


class ReadyCommand(amp.Command):
    """A command that writes and reads its arguments as `amp.Command` does, but faster.

    What that takes is found out once, and not for each box.
    """

    _asked: ClassVar[tuple[_Named, ...]]
    _asked_names: ClassVar[frozenset[str]]
    _answered: ClassVar[tuple[_Named, ...]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._asked, cls._answered = _named(cls.arguments), _named(cls.response)
        cls._asked_names = frozenset(one.name for one in cls._asked)

    @classmethod
    def makeArguments(cls, objects: dict[str, Any], proto: object) -> amp.AmpBox:
        if not objects.keys() <= cls._asked_names:
            raise amp.InvalidSignature(f"{cls.__name__} has no such arguments")
        return _written(objects, cls._asked)

    @classmethod
    def makeResponse(cls, objects: dict[str, Any], proto: object) -> amp.AmpBox:
        return _written(objects, cls._answered)

    @classmethod
    def parseArguments(cls, box: amp.AmpBox, protocol: object) -> dict[str, Any]:
        return _read(box, cls._asked)

    @classmethod
    def parseResponse(cls, box: amp.AmpBox, protocol: object) -> dict[str, Any]:
        return _read(box, cls._answered)


class PacedCommand(ReadyCommand):
    """A command that declares how often the server takes it. Without a pace it is a TypeError."""

    pace: ClassVar[Pace | Unpaced]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "pace" not in vars(cls):
            raise TypeError(f"{cls.__name__} does not say how often the server takes it")


def new_box() -> amp.AmpBox:
    """An empty box. AMP's own way also looks through what it is to hold."""
    return amp.AmpBox.__new__(amp.AmpBox)


def _written(objects: dict[str, Any], declared: tuple[_Named, ...]) -> amp.AmpBox:
    box = new_box()
    for wire, name, is_optional, _, write in declared:
        if not is_optional or objects.get(name) is not None:
            box[wire] = write(objects[name])
    return box


def _read(box: amp.AmpBox, declared: tuple[_Named, ...]) -> dict[str, Any]:
    return {
        name: None if is_optional and wire not in box else read(box[wire])
        for wire, name, is_optional, read, _ in declared
    }


# --- both directions, standard and request channel ------------------------------------------


class Ping(PacedCommand):
    """Are you there? Sent every `limits.PING_INTERVAL`, which also keeps NAT mappings alive."""

    pace = Pace(limits.PINGS, limits.PACE_WINDOW)


# --- enrolment: client to server ------------------------------------------------------------


class Enrol(PacedCommand):
    """Spend an invitation on the key of this connection's certificate and a second one.

    `signature`: by the second key, of `peers.said_to_server`.
    """

    pace = ONCE
    arguments = [
        (b"token", amp.String()),
        (b"second_key", SecondKeyArgument()),
        (b"signature", SECOND_SIGNATURE),
    ]
    response = [(b"name", NameArgument())]
    errors = by_word(BadInvitation, BadProof, KeyInUse, ServerTrouble)


class Retire(PacedCommand):
    """The keys of this name, for which this public half was registered, are retired.

    `signature`: of `retirement.statement`. Whoever has it may send it, also once in place of
    `Enrol`, with the certificate of any key.
    """

    pace = Pace(limits.NEW_KEY_COMMANDS, limits.PACE_WINDOW)
    arguments = [
        (b"name", NameArgument()),
        (b"public", RETIREMENT_KEY),
        (b"signature", Signature()),
    ]
    errors = by_word(BadProof, ServerTrouble)


# --- standard channel: client to server -----------------------------------------------------


class LogIn(PacedCommand):
    """Open the session. Must be the first command.

    `takeover`: end a session that this key already has, instead of being refused.
    `signature`: by the second key, of `peers.said_to_server`.
    The answer: our name; the request channel's port; the port that the server may dial
    (0: any, for clients on its own machine; absent: it does not dial); the server's time (Unix
    seconds; absent: it does not say), for people who wonder whether a clock is wrong.
    """

    pace = ONCE
    arguments = [
        (b"takeover", amp.Boolean()),
        (b"second_key", SecondKeyArgument()),
        (b"signature", SECOND_SIGNATURE),
    ]
    response = [
        (b"name", NameArgument()),
        (b"request_port", PORT),
        (b"dial_port", Number(0, 65535, optional=True)),
        (b"time", Number(0, 2**40, optional=True)),
    ]
    errors = by_word(NotEnrolled, Disabled, BadProof, AlreadyOnline, ServerFull, ServerTrouble)


class LogOut(PacedCommand):
    """End the session; the server closes the connection after its answer."""

    pace = Pace(limits.LOG_OUTS, limits.PACE_WINDOW)


class SetAvailability(PacedCommand):
    """Available (online) or away (offline). A new session is away.

    `seconds`: then the server ends it; absent: with the session. `audience`: those who may ask;
    absent: everybody. `busy_to`: those of them who are told when we are busy; absent: nobody.
    All mean nothing with `available` False.
    """

    pace = Pace(limits.AVAILABILITIES, limits.PACE_WINDOW)
    arguments = [
        (b"available", amp.Boolean()),
        (b"seconds", Number(1, limits.MAX_LEASE, optional=True)),
        (b"audience", NamesArgument(optional=True)),
        (b"busy_to", NamesArgument(optional=True)),
    ]
    errors = by_word(ListFull)


class ListAvailable(PacedCommand):
    """A page of the names who are available, in order, those after `after`, with `text` in them.

    `busy`: those of them who are, and let us see it; absent: nobody.
    """

    pace = Pace(limits.LIST_PAGES, limits.PACE_WINDOW)
    arguments = [(b"after", amp.String()), (b"text", amp.String())]
    response = [
        (b"names", NamesArgument()),
        (b"more", amp.Boolean()),
        (b"busy", NamesArgument(optional=True)),
    ]
    errors = by_word(TooManyRequests)


class RequestChat(PacedCommand):
    """Ask for a chat; answered when the callee's stream is open.

    `key`: the callee's at this server (a pin goes before it). `role`: whose turn it is to speak;
    two requests that crossed make the smaller name the caller. `succession`: the chain that led to
    the key (`succession.encode`), if there is one.

    `chat_seconds`: how long the chat may last; absent: until somebody ends it. `their_seconds`:
    what the other asked, if the two crossed and one of them asked for an end; 0: they did not.
    """

    pace = Pace(limits.CHAT_REQUESTS, limits.PACE_WINDOW)
    arguments = [(b"callee", NameArgument()), (b"chat_seconds", CHAT_SECONDS)]
    response = [
        (b"chat", CHAT_ID),
        (b"stream", STREAM),
        (b"key", KeyArgument()),
        (b"role", OneOf("caller", "callee")),
        (b"their_seconds", Number(0, limits.MAX_CHAT_SECONDS, optional=True)),
        (b"succession", amp.String(optional=True)),
    ]
    errors = by_word(NoAnswer, Busy, Refused, TooSoon, Cancelled, Occupied, TooManyRequests)


class CancelRequest(PacedCommand):
    """Withdraw our open request, which is then answered with `Cancelled`."""

    pace = Pace(limits.ENDINGS, limits.PACE_WINDOW)
    errors = by_word(NothingToEnd)


class EndChat(PacedCommand):
    """End the chat of this stream; the server frees both."""

    pace = Pace(limits.ENDINGS, limits.PACE_WINDOW)
    arguments = [(b"stream", STREAM)]
    errors = by_word(NothingToEnd)


class Block(PacedCommand):
    """Whoever has this name, now or later, may not ask us; to them we are not there.

    An open request of theirs gets no answer. A chat goes on.
    """

    pace = Pace(limits.BLOCK_COMMANDS, limits.BLOCK_WINDOW)
    arguments = [(b"name", NameArgument())]
    errors = by_word(ListFull, TooManyRequests, ServerTrouble)


class Unblock(PacedCommand):
    """Undo `Block`. `changed`: whether the name was blocked."""

    pace = Pace(limits.BLOCK_COMMANDS, limits.BLOCK_WINDOW)
    arguments = [(b"name", NameArgument())]
    response = [(b"changed", amp.Boolean())]
    errors = by_word(TooManyRequests, ServerTrouble)


class ListBlocked(PacedCommand):
    """All names that we have blocked, in order."""

    pace = Pace(limits.BLOCK_COMMANDS, limits.BLOCK_WINDOW)
    response = [(b"names", NamesArgument())]
    errors = by_word(TooManyRequests, ServerTrouble)


class NewKey(PacedCommand):
    """Replace our keys by these, from the answer on.

    The old keys and the new ones sign, both halves of each (`succession.Link`).
    """

    pace = Pace(limits.NEW_KEY_COMMANDS, limits.PACE_WINDOW)
    arguments = [
        (b"key", KeyArgument()),
        (b"old_signature", SIGNATURE),
        (b"new_signature", SIGNATURE),
        (b"old_second_key", SecondKeyArgument()),
        (b"old_second_signature", SECOND_SIGNATURE),
        (b"new_second_key", SecondKeyArgument()),
        (b"new_second_signature", SECOND_SIGNATURE),
    ]
    errors = by_word(KeyInUse, BadProof, Occupied, TooManyRequests, ServerTrouble)


class SetRetirement(PacedCommand):
    """Register the public half of what can retire our keys. The first one counts."""

    pace = Pace(limits.NEW_KEY_COMMANDS, limits.PACE_WINDOW)
    arguments = [(b"public", RETIREMENT_KEY)]
    errors = by_word(KeyInUse, TooManyRequests, ServerTrouble)


class MyData(PacedCommand):
    """All that the server holds about us, page by page.

    `further`: the next page, as of the same moment; False: the first page, as of now.
    """

    pace = Pace(limits.MY_DATA_PAGES, limits.PACE_WINDOW)
    arguments = [(b"further", amp.Boolean())]
    response = [(b"facts", FactsArgument()), (b"more", amp.Boolean())]
    errors = by_word(TooManyRequests, ServerTrouble)


class ForgetMe(PacedCommand):
    """Erase all that is ours, and end the session; nobody may have our name for a while.

    `name`: our own, so that this is not sent by mistake.
    """

    pace = Pace(limits.FORGETTINGS, limits.PACE_WINDOW)
    arguments = [(b"name", NameArgument())]
    errors = by_word(NotYou, ServerTrouble)


class DialMe(PacedCommand):
    """Open the request channel to this port of our address; answered when it is proven."""

    pace = Pace(limits.DIALS, limits.PACE_WINDOW)
    arguments = [(b"port", Number(1, 65535))]
    errors = by_word(NotDialling)


# --- standard channel: server to client -----------------------------------------------------


class OpenStream(PacedCommand):
    """A chat that we accepted begins; `chat` is the offer's. We are the callee."""

    pace = SENT_BY_SERVER
    arguments = [(b"chat", CHAT_ID), (b"stream", STREAM)]
    errors = by_word(NothingToEnd)


class StreamClosed(PacedCommand):
    """The other person has ended the chat, or has gone. Wants no answer."""

    pace = SENT_BY_SERVER
    arguments = [(b"stream", STREAM)]
    requiresAnswer = False


class Goodbye(PacedCommand):
    """Why the server ends this session. Wants no answer."""

    pace = SENT_BY_SERVER
    arguments = [
        (
            b"reason",
            OneOf("taken-over", "disabled", "shutdown", "violation", "logged-out", "forgotten"),
        ),
    ]
    requiresAnswer = False


# --- request channel: client (daemon role) to server ----------------------------------------


class ProveSession(PacedCommand):
    """This request channel belongs to that session. Must be the first command."""

    pace = ONCE
    arguments = [(b"session", FixedBytes(16)), (b"proof", MAC)]
    response = [(b"proof", MAC)]
    errors = by_word(BadProof)


# --- request channel: server to client (daemon role) ----------------------------------------


class OfferChat(PacedCommand):
    """Somebody asks for a chat; answered by the daemon role or, through it, by the person.

    `seconds`: how long the request stands; `chat_seconds`: how long the chat may last, if it has
    an end. `busy` and `unavailable` look alike to a caller who is not to see the former.
    `succession`: the chain that led to the caller's key, if there is one.
    """

    pace = SENT_BY_SERVER
    arguments = [
        (b"chat", CHAT_ID),
        (b"caller", NameArgument()),
        (b"key", KeyArgument()),
        (b"seconds", Number(1, 3600)),
        (b"chat_seconds", CHAT_SECONDS),
        (b"succession", amp.String(optional=True)),
    ]
    response = [(b"answer", OneOf("accept", "refuse", "busy", "unavailable"))]


class WithdrawOffer(PacedCommand):
    """The request is over; an answer no longer counts. Wants no answer.

    `crossed`: our own request to the same person was taken for the answer.
    """

    pace = SENT_BY_SERVER
    arguments = [(b"chat", CHAT_ID), (b"reason", OneOf("cancelled", "expired", "gone", "crossed"))]
    requiresAnswer = False


class MissedRequest(PacedCommand):
    """Somebody asked for us while we were away or busy, and was not put before us.

    Nobody whom we have blocked. Wants no answer.
    """

    pace = SENT_BY_SERVER
    arguments = [(b"caller", NameArgument())]
    requiresAnswer = False


# --- chat, end to end: both directions ------------------------------------------------------


class Hello(PacedCommand):
    """Proves that I know who we are and which chat this is. Must be each side's first command.

    In a rekey: the peer of this epoch is also the peer of the next one. `signature`: by my second
    key, of `Agreement.hello_said` or `Agreement.rekey_said`. `knows`: which commands my client has
    that are not in every client of this version. `retirement`: the public half of what can retire
    my keys.
    """

    pace = IN_CHATS
    arguments = [
        (b"proof", MAC),
        (b"second_key", SecondKeyArgument()),
        (b"signature", SECOND_SIGNATURE),
        (b"knows", NamesArgument(optional=True)),
        (b"retirement", FixedBytes(64, optional=True)),
    ]
    errors = by_word(BadProof)


class Say(PacedCommand):
    """A message. Its answer is the delivery receipt."""

    pace = IN_CHATS
    arguments = [(b"text", amp.Unicode())]
    errors = by_word(OutOfTurn)


class Compared(PacedCommand):
    """My user compared the safety numbers: `yes` if they match, or `no`, which ends the chat.

    This informs the other user; to their client it proves nothing.
    """

    pace = IN_CHATS
    arguments = [(b"word", OneOf("yes", "no"))]


class Typing(PacedCommand):
    """My user is writing just now. Only to a peer that wants to know."""

    pace = IN_CHATS


class CommitWords(PacedCommand):
    """My user wants to compare six words; this is what I commit to. Once in a chat."""

    pace = IN_CHATS
    arguments = [(b"commitment", MAC)]


class RevealWords(PacedCommand):
    """What I committed to. Only after both of us have sent a commitment."""

    pace = IN_CHATS
    arguments = [(b"nonce", MAC)]


class Introduce(PacedCommand):
    """My user offers to introduce yours to `other`. The answer only confirms receipt."""

    pace = IN_CHATS
    arguments = [(b"other", NameArgument())]


class AgreeIntroduction(PacedCommand):
    """My user wants to be introduced to `other`, or does not.

    `consent`: my signature of `introduction.consent`; for a no, as many zero bytes.
    """

    pace = IN_CHATS
    arguments = [
        (b"other", NameArgument()),
        (b"word", OneOf("yes", "no")),
        (b"consent", Signature()),
    ]


class Vouch(PacedCommand):
    """This key is `other`'s, whom my user has verified, and who agreed.

    `signature`: mine, of `introduction.vouching`; `consent`: that of `other`.
    """

    pace = IN_CHATS
    arguments = [
        (b"other", NameArgument()),
        (b"key", KeyArgument()),
        (b"signature", Signature()),
        (b"consent", Signature()),
    ]


class Log(PacedCommand):
    """My user wants both sides to keep a log of this chat, or does not (any longer).

    The answer only confirms receipt. Neither client writes until both users said "on".
    """

    pace = IN_CHATS
    arguments = [(b"word", OneOf("on", "off"))]


class OfferFile(PacedCommand):
    """My user offers a file. Nothing of it is sent before `GetFile`. The answer only confirms
    receipt, as that to a message does.

    `number`: one more than that of my last offer in this chat.
    """

    pace = IN_CHATS
    arguments = [
        (b"number", TRANSFER),
        (b"name", FileName()),
        (b"size", PLACE),
        (b"sha256", SHA256),
    ]


class GetFile(PacedCommand):
    """My user wants the file that you offered. Wants no answer.

    `offset`: I have this many bytes of it already, and their SHA-256 is `sha256`.
    """

    pace = IN_CHATS
    arguments = [(b"number", TRANSFER), (b"offset", PLACE), (b"sha256", SHA256)]
    requiresAnswer = False


class BeginFile(PacedCommand):
    """The data of my file begin here, on the data lane. Wants no answer.

    `offset`: yours, or 0 if what you have is not the beginning of this file.
    """

    pace = IN_CHATS
    arguments = [(b"number", TRANSFER), (b"offset", PLACE)]
    requiresAnswer = False


class KeptFile(PacedCommand):
    """I have written your file to my disk up to `offset`; you may send more. Wants no answer."""

    pace = IN_CHATS
    arguments = [(b"number", TRANSFER), (b"offset", PLACE)]
    requiresAnswer = False


class CloseFile(PacedCommand):
    """A transfer is over, or never begins. The answer only confirms receipt.

    `owner`: whose offer it was, as the sender of this command sees it.
    `why`: the receiver says `done`, `declined`, `cancelled`, `failed` (it cannot write the file)
    or `damaged` (the SHA-256 is another one); the offering side says `cancelled`, `failed` (it
    cannot read the file) or `changed` (the file is not the offered one any more).
    """

    pace = IN_CHATS
    arguments = [
        (b"number", TRANSFER),
        (b"owner", OneOf("mine", "yours")),
        (b"why", OneOf("done", "declined", "cancelled", "failed", "damaged", "changed")),
    ]


class Switch(PacedCommand):
    """My last command in this epoch; the next one is in the next epoch. Wants no answer."""

    pace = IN_CHATS
    requiresAnswer = False


class Bye(PacedCommand):
    """I end this chat. Like `Compared` no, it proves that the chat was not just cut off."""

    pace = IN_CHATS


#: Every command by its name on the wire.
BY_NAME: dict[bytes, type[PacedCommand]] = {
    one.commandName: one for one in PacedCommand.__subclasses__()
}
