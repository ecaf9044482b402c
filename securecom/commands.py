"""The vocabulary: every command and every typed refusal, by channel and direction.

One declaration a message. A command goes from the side in its section's heading to the other and
is answered once, unless it says that it wants no answer. Bytes of each are in docs/protocol.md.
"""

from __future__ import annotations

from typing import ClassVar

from twisted.protocols import amp

from securecom import limits
from securecom.errors import BadKey, BadName, WireError
from securecom.identity import Name, PublicKey

# --- arguments ------------------------------------------------------------------------------


class NameArgument(amp.Argument):
    """A `Name`; anything else is a `WireError`."""

    def fromString(self, inString: bytes) -> Name:
        try:
            return Name(inString.decode("ascii"))
        except (BadName, UnicodeDecodeError):
            raise WireError("a name that is none") from None

    def toString(self, inObject: Name) -> bytes:
        return inObject.encode("ascii")


class KeyArgument(amp.Argument):
    """A `PublicKey`, 32 raw bytes."""

    def fromString(self, inString: bytes) -> PublicKey:
        try:
            return PublicKey(inString)
        except BadKey:
            raise WireError("a key that is none") from None

    def toString(self, inObject: PublicKey) -> bytes:
        return inObject.raw


class NamesArgument(amp.Argument):
    """A list of names, parted by one blank each."""

    def fromString(self, inString: bytes) -> list[Name]:
        words = inString.split(b" ") if inString else []
        return [NameArgument().fromString(word) for word in words]

    def toString(self, inObject: list[Name]) -> bytes:
        return " ".join(inObject).encode("ascii")


class FixedBytes(amp.Argument):
    """Exactly so many bytes."""

    def __init__(self, length: int, optional: bool = False) -> None:
        super().__init__(optional)
        self.length = length

    def fromString(self, inString: bytes) -> bytes:
        if len(inString) != self.length:
            raise WireError(f"{len(inString)} bytes where {self.length} belong")
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
        raise WireError("a number that may not be there")

    def toString(self, inObject: int) -> bytes:
        return b"%d" % inObject


class Word(amp.Argument):
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


PORT = Number(0, 65535)
STREAM = Number(1, 2**32 - 1)
CHAT_ID = FixedBytes(16)
MAC = FixedBytes(32)

# --- typed refusals -------------------------------------------------------------------------


_MAX_DIGITS = 6


class Refusal(Exception):
    """A command's typed refusal. Its text on the wire is for logs; people read their client's."""

    wire: ClassVar[bytes] = b"REFUSAL"

    def __init__(self, text: str = "") -> None:
        super().__init__(text)

    @property
    def seconds(self) -> int | None:
        """The text of `Refused` and `TooSoon`: how long to wait. None if it is no such number."""
        text = str(self)
        if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS:
            return int(text)
        return None


class NotEnrolled(Refusal):
    """No user has this key."""

    wire = b"NOT_ENROLLED"


class Disabled(Refusal):
    """The user of this key is disabled."""

    wire = b"DISABLED"


class AlreadyOnline(Refusal):
    """This key has a session, and the client did not ask to take it over."""

    wire = b"ALREADY_ONLINE"


class ServerFull(Refusal):
    """The server takes no further session now."""

    wire = b"SERVER_FULL"


class BadInvitation(Refusal):
    """Spent, expired, revoked or unknown: the server does not say which."""

    wire = b"BAD_INVITATION"


class KeyTaken(Refusal):
    """This key belongs to a user already."""

    wire = b"KEY_TAKEN"


class BadProof(Refusal):
    """No live session with this id, or a proof that is not its key's."""

    wire = b"BAD_PROOF"


class NotDialling(Refusal):
    """The server does not dial, or not this port, or nobody answered there."""

    wire = b"NOT_DIALLING"


class NoAnswer(Refusal):
    """Nobody of that name, or not there for us, or silent: one answer, and no sooner or later."""

    wire = b"NO_ANSWER"


class Refused(Refusal):
    """The callee said no. The text: seconds until the caller may ask them again."""

    wire = b"REFUSED"


class TooSoon(Refusal):
    """The callee said no not long ago. The text: seconds until the caller may ask them again."""

    wire = b"TOO_SOON"


class Cancelled(Refusal):
    """The caller withdrew the request."""

    wire = b"CANCELLED"


class Occupied(Refusal):
    """The asker has a request or a chat already."""

    wire = b"OCCUPIED"


class TooManyRequests(Refusal):
    """A rate limit of the server."""

    wire = b"TOO_MANY_REQUESTS"


class ListFull(Refusal):
    """`limits.MAX_BLOCKED` names are blocked already."""

    wire = b"LIST_FULL"


class NothingToEnd(Refusal):
    """No such request or chat: it was over already."""

    wire = b"NOTHING_TO_END"


class OutOfTurn(Refusal):
    """A message before HELLO, or from the callee before the caller spoke."""

    wire = b"OUT_OF_TURN"


class ServerTrouble(Refusal):
    """The server could not do it (its disk, its database). Nothing changed."""

    wire = b"SERVER_TROUBLE"


def refusals(*kinds: type[Refusal]) -> dict[type[Exception], bytes]:
    """The `errors` of a command, from the classes alone."""
    return {kind: kind.wire for kind in kinds}


# --- both directions, standard and request channel ------------------------------------------


class Ping(amp.Command):
    """Are you there? Every `limits.PING_INTERVAL`; also keeps a NAT's mapping alive."""


# --- enrolment: client to server ------------------------------------------------------------


class Enrol(amp.Command):
    """Spend an invitation on the key of this connection's certificate."""

    arguments = [(b"token", amp.String())]
    response = [(b"name", NameArgument())]
    errors = refusals(BadInvitation, KeyTaken, ServerTrouble)


# --- standard channel: client to server -----------------------------------------------------


class LogIn(amp.Command):
    """Open the session. Must be the first command.

    `takeover`: end a session that this key already has, instead of being refused.
    The answer: our name; the request channel's port; the port that the server may dial
    (0: any, for clients on its own machine; absent: it does not dial).
    """

    arguments = [(b"takeover", amp.Boolean())]
    response = [
        (b"name", NameArgument()),
        (b"request_port", PORT),
        (b"dial_port", Number(0, 65535, optional=True)),
    ]
    errors = refusals(NotEnrolled, Disabled, AlreadyOnline, ServerFull, ServerTrouble)


class LogOut(amp.Command):
    """End the session; the server closes after its answer."""


class SetAvailability(amp.Command):
    """Available (online) or away (offline). A new session is away.

    `seconds`: then the server ends it; absent: with the session. `audience`: those who may ask;
    absent: everybody. Both mean nothing with `available` False.
    """

    arguments = [
        (b"available", amp.Boolean()),
        (b"seconds", Number(1, limits.MAX_LEASE, optional=True)),
        (b"audience", NamesArgument(optional=True)),
    ]
    errors = refusals(ListFull)


class ListAvailable(amp.Command):
    """A page of the names who are available, in order, those after `after`, with `text` in them."""

    arguments = [(b"after", amp.String()), (b"text", amp.String())]
    response = [(b"names", NamesArgument()), (b"more", amp.Boolean())]
    errors = refusals(TooManyRequests)


class RequestChat(amp.Command):
    """Ask for a chat; answered when the callee's stream is open.

    `key`: the callee's at this server (a pin goes before it). `role`: whose turn it is to speak;
    two requests that crossed make the smaller name the caller.
    """

    arguments = [(b"callee", NameArgument())]
    response = [
        (b"chat", CHAT_ID),
        (b"stream", STREAM),
        (b"key", KeyArgument()),
        (b"role", Word("caller", "callee")),
    ]
    errors = refusals(NoAnswer, Refused, TooSoon, Cancelled, Occupied, TooManyRequests)


class CancelRequest(amp.Command):
    """Withdraw our open request. The request itself is then answered with `Cancelled`."""

    errors = refusals(NothingToEnd)


class EndChat(amp.Command):
    """End the chat of this stream; the server frees both."""

    arguments = [(b"stream", STREAM)]
    errors = refusals(NothingToEnd)


class Block(amp.Command):
    """Whoever has this name, now or later, may not ask us; to them we are not there.

    An open request of theirs gets no answer. A chat goes on.
    """

    arguments = [(b"name", NameArgument())]
    errors = refusals(ListFull, ServerTrouble)


class Unblock(amp.Command):
    """Undo `Block`. `changed`: the name was blocked."""

    arguments = [(b"name", NameArgument())]
    response = [(b"changed", amp.Boolean())]
    errors = refusals(ServerTrouble)


class ListBlocked(amp.Command):
    """All names that we have blocked, in order."""

    response = [(b"names", NamesArgument())]
    errors = refusals(ServerTrouble)


class DialMe(amp.Command):
    """Open the request channel to this port of our address; answered when it is proven."""

    arguments = [(b"port", Number(1, 65535))]
    errors = refusals(NotDialling)


# --- standard channel: server to client -----------------------------------------------------


class OpenStream(amp.Command):
    """A chat that we accepted begins; `chat` is the offer's. We are the callee."""

    arguments = [(b"chat", CHAT_ID), (b"stream", STREAM)]
    errors = refusals(NothingToEnd)


class StreamClosed(amp.Command):
    """The stream is gone: the other ended the chat, or is gone. Wants no answer."""

    arguments = [(b"stream", STREAM)]
    requiresAnswer = False


class Goodbye(amp.Command):
    """Why the server ends this session. Wants no answer."""

    arguments = [
        (b"reason", Word("taken-over", "disabled", "shutdown", "violation", "logged-out")),
    ]
    requiresAnswer = False


# --- request channel: client (daemon role) to server ----------------------------------------


class ProveSession(amp.Command):
    """This request channel belongs to that session. Must be the first command."""

    arguments = [(b"session", FixedBytes(16)), (b"proof", MAC)]
    response = [(b"proof", MAC)]
    errors = refusals(BadProof)


# --- request channel: server to client (daemon role) ----------------------------------------


class OfferChat(amp.Command):
    """Somebody asks for a chat; answered by the daemon role or, through it, by the person.

    `seconds`: how long the request stands. `busy` and `unavailable` look alike to the caller.
    """

    arguments = [
        (b"chat", CHAT_ID),
        (b"caller", NameArgument()),
        (b"key", KeyArgument()),
        (b"seconds", Number(1, 3600)),
    ]
    response = [(b"answer", Word("accept", "refuse", "busy", "unavailable"))]


class WithdrawOffer(amp.Command):
    """The request is over; an answer no longer counts. Wants no answer.

    `crossed`: our own request to the same person was taken for the answer.
    """

    arguments = [(b"chat", CHAT_ID), (b"reason", Word("cancelled", "expired", "gone", "crossed"))]
    requiresAnswer = False


class MissedRequest(amp.Command):
    """Somebody asked for us while we were away or busy, and was not put before us.

    Nobody whom we have blocked. Wants no answer.
    """

    arguments = [(b"caller", NameArgument())]
    requiresAnswer = False


# --- chat, end to end: both directions ------------------------------------------------------


class Hello(amp.Command):
    """I know who we two are and which chat this is. Must be the first command of each side.

    In a rekey: the peer of this epoch is also the peer of the next one.
    """

    arguments = [(b"proof", MAC)]
    errors = refusals(BadProof)


class Say(amp.Command):
    """A message. Its answer is the delivery receipt."""

    arguments = [(b"text", amp.Unicode())]
    errors = refusals(OutOfTurn)


class Compared(amp.Command):
    """My person compared the safety numbers: `yes`, the same, or `no`, and this ends the chat.

    It tells the other person, and proves nothing to their client.
    """

    arguments = [(b"word", Word("yes", "no"))]


class Switch(amp.Command):
    """My last word in this epoch; what follows is in the next one. Wants no answer."""

    requiresAnswer = False


class Bye(amp.Command):
    """I end this chat: like `Compared` no, a proof that it was ended and not cut off."""
