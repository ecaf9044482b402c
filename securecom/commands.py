"""The vocabulary: every command, by channel and direction.

One declaration a message. A command goes from the side in its section's heading to the other and
is answered once, unless it says that it wants no answer. Bytes of each are in docs/protocol.md.
"""

from __future__ import annotations

from twisted.protocols import amp

from securecom import limits
from securecom.arguments import (
    CHAT_ID,
    CHAT_SECONDS,
    MAC,
    PORT,
    SIGNATURE,
    STREAM,
    FactsArgument,
    FixedBytes,
    KeyArgument,
    NameArgument,
    NamesArgument,
    Number,
    Word,
)
from securecom.refusals import (
    AlreadyOnline,
    BadInvitation,
    BadProof,
    Busy,
    Cancelled,
    Disabled,
    KeyTaken,
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

# --- both directions, standard and request channel ------------------------------------------


class Ping(amp.Command):
    """Are you there? Every `limits.PING_INTERVAL`; also keeps a NAT's mapping alive."""


# --- enrolment: client to server ------------------------------------------------------------


class Enrol(amp.Command):
    """Spend an invitation on the key of this connection's certificate."""

    arguments = [(b"token", amp.String())]
    response = [(b"name", NameArgument())]
    errors = by_word(BadInvitation, KeyTaken, ServerTrouble)


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
    errors = by_word(NotEnrolled, Disabled, AlreadyOnline, ServerFull, ServerTrouble)


class LogOut(amp.Command):
    """End the session; the server closes after its answer."""


class SetAvailability(amp.Command):
    """Available (online) or away (offline). A new session is away.

    `seconds`: then the server ends it; absent: with the session. `audience`: those who may ask;
    absent: everybody. `busy_to`: those of them who are told when we are busy; absent: nobody.
    All mean nothing with `available` False.
    """

    arguments = [
        (b"available", amp.Boolean()),
        (b"seconds", Number(1, limits.MAX_LEASE, optional=True)),
        (b"audience", NamesArgument(optional=True)),
        (b"busy_to", NamesArgument(optional=True)),
    ]
    errors = by_word(ListFull)


class ListAvailable(amp.Command):
    """A page of the names who are available, in order, those after `after`, with `text` in them.

    `busy`: those of them who are, and let us see it; absent: nobody.
    """

    arguments = [(b"after", amp.String()), (b"text", amp.String())]
    response = [
        (b"names", NamesArgument()),
        (b"more", amp.Boolean()),
        (b"busy", NamesArgument(optional=True)),
    ]
    errors = by_word(TooManyRequests)


class RequestChat(amp.Command):
    """Ask for a chat; answered when the callee's stream is open.

    `key`: the callee's at this server (a pin goes before it). `role`: whose turn it is to speak;
    two requests that crossed make the smaller name the caller. `succession`: the chain that led to
    the key (`succession.encode`), if there is one.

    `chat_seconds`: how long the chat may last; absent: until somebody ends it. `their_seconds`:
    what the other asked, if the two crossed and one of them asked for an end; 0: they did not.
    """

    arguments = [(b"callee", NameArgument()), (b"chat_seconds", CHAT_SECONDS)]
    response = [
        (b"chat", CHAT_ID),
        (b"stream", STREAM),
        (b"key", KeyArgument()),
        (b"role", Word("caller", "callee")),
        (b"their_seconds", Number(0, limits.MAX_CHAT_SECONDS, optional=True)),
        (b"succession", amp.String(optional=True)),
    ]
    errors = by_word(NoAnswer, Busy, Refused, TooSoon, Cancelled, Occupied, TooManyRequests)


class CancelRequest(amp.Command):
    """Withdraw our open request. The request itself is then answered with `Cancelled`."""

    errors = by_word(NothingToEnd)


class EndChat(amp.Command):
    """End the chat of this stream; the server frees both."""

    arguments = [(b"stream", STREAM)]
    errors = by_word(NothingToEnd)


class Block(amp.Command):
    """Whoever has this name, now or later, may not ask us; to them we are not there.

    An open request of theirs gets no answer. A chat goes on.
    """

    arguments = [(b"name", NameArgument())]
    errors = by_word(ListFull, TooManyRequests, ServerTrouble)


class Unblock(amp.Command):
    """Undo `Block`. `changed`: the name was blocked."""

    arguments = [(b"name", NameArgument())]
    response = [(b"changed", amp.Boolean())]
    errors = by_word(TooManyRequests, ServerTrouble)


class ListBlocked(amp.Command):
    """All names that we have blocked, in order."""

    response = [(b"names", NamesArgument())]
    errors = by_word(TooManyRequests, ServerTrouble)


class NewKey(amp.Command):
    """Our key signs over to this one, which is ours from the answer on (`succession.Link`)."""

    arguments = [
        (b"key", KeyArgument()),
        (b"old_signature", SIGNATURE),
        (b"new_signature", SIGNATURE),
    ]
    errors = by_word(KeyTaken, BadProof, Occupied, TooManyRequests, ServerTrouble)


class MyData(amp.Command):
    """All that the server holds about us, page by page.

    `further`: the page behind the last one, of the same moment; False: begin, as it is now.
    """

    arguments = [(b"further", amp.Boolean())]
    response = [(b"facts", FactsArgument()), (b"more", amp.Boolean())]
    errors = by_word(TooManyRequests, ServerTrouble)


class ForgetMe(amp.Command):
    """Erase all that is ours, and end the session; nobody may have our name for a while.

    `name`: our own, so that this is not sent by mistake.
    """

    arguments = [(b"name", NameArgument())]
    errors = by_word(NotYou, ServerTrouble)


class DialMe(amp.Command):
    """Open the request channel to this port of our address; answered when it is proven."""

    arguments = [(b"port", Number(1, 65535))]
    errors = by_word(NotDialling)


# --- standard channel: server to client -----------------------------------------------------


class OpenStream(amp.Command):
    """A chat that we accepted begins; `chat` is the offer's. We are the callee."""

    arguments = [(b"chat", CHAT_ID), (b"stream", STREAM)]
    errors = by_word(NothingToEnd)


class StreamClosed(amp.Command):
    """The stream is gone: the other ended the chat, or is gone. Wants no answer."""

    arguments = [(b"stream", STREAM)]
    requiresAnswer = False


class Goodbye(amp.Command):
    """Why the server ends this session. Wants no answer."""

    arguments = [
        (
            b"reason",
            Word("taken-over", "disabled", "shutdown", "violation", "logged-out", "forgotten"),
        ),
    ]
    requiresAnswer = False


# --- request channel: client (daemon role) to server ----------------------------------------


class ProveSession(amp.Command):
    """This request channel belongs to that session. Must be the first command."""

    arguments = [(b"session", FixedBytes(16)), (b"proof", MAC)]
    response = [(b"proof", MAC)]
    errors = by_word(BadProof)


# --- request channel: server to client (daemon role) ----------------------------------------


class OfferChat(amp.Command):
    """Somebody asks for a chat; answered by the daemon role or, through it, by the person.

    `seconds`: how long the request stands; `chat_seconds`: how long the chat may last, if it has
    an end. `busy` and `unavailable` look alike to a caller who is not to see the former.
    `succession`: the chain that led to the caller's key, if there is one.
    """

    arguments = [
        (b"chat", CHAT_ID),
        (b"caller", NameArgument()),
        (b"key", KeyArgument()),
        (b"seconds", Number(1, 3600)),
        (b"chat_seconds", CHAT_SECONDS),
        (b"succession", amp.String(optional=True)),
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
    errors = by_word(BadProof)


class Say(amp.Command):
    """A message. Its answer is the delivery receipt."""

    arguments = [(b"text", amp.Unicode())]
    errors = by_word(OutOfTurn)


class Compared(amp.Command):
    """My person compared the safety numbers: `yes`, the same, or `no`, and this ends the chat.

    It tells the other person, and proves nothing to their client.
    """

    arguments = [(b"word", Word("yes", "no"))]


class Log(amp.Command):
    """My person wants a log of this chat, kept by both, or does not, or no longer, want one.

    Answered at once: it was heard. Only when both said "on" does either client write.
    """

    arguments = [(b"word", Word("on", "off"))]


class Switch(amp.Command):
    """My last word in this epoch; what follows is in the next one. Wants no answer."""

    requiresAnswer = False


class Bye(amp.Command):
    """I end this chat: like `Compared` no, a proof that it was ended and not cut off."""
