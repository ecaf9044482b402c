"""The vocabulary: every command, by channel and direction.

One declaration a message. A command goes from the side in its section's heading to the other and
is answered once, unless it says that it wants no answer. Bytes of each are in docs/protocol.md.
`pace`: how often the server takes it of one connection.
"""

from __future__ import annotations

from typing import ClassVar

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
from securecom.paces import IN_CHATS, ONCE, SENT_BY_SERVER, Pace, Unpaced
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


class Command(amp.Command):
    """A message, with its pace at the server. One that declares none cannot be made."""

    pace: ClassVar[Pace | Unpaced]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "pace" not in vars(cls):
            raise TypeError(f"{cls.__name__} does not say how often the server takes it")


# --- both directions, standard and request channel ------------------------------------------


class Ping(Command):
    """Are you there? Every `limits.PING_INTERVAL`; also keeps a NAT's mapping alive."""

    pace = Pace(limits.PINGS, limits.PACE_WINDOW)


# --- enrolment: client to server ------------------------------------------------------------


class Enrol(Command):
    """Spend an invitation on the key of this connection's certificate."""

    pace = ONCE
    arguments = [(b"token", amp.String())]
    response = [(b"name", NameArgument())]
    errors = by_word(BadInvitation, KeyTaken, ServerTrouble)


# --- standard channel: client to server -----------------------------------------------------


class LogIn(Command):
    """Open the session. Must be the first command.

    `takeover`: end a session that this key already has, instead of being refused.
    The answer: our name; the request channel's port; the port that the server may dial
    (0: any, for clients on its own machine; absent: it does not dial).
    """

    pace = ONCE
    arguments = [(b"takeover", amp.Boolean())]
    response = [
        (b"name", NameArgument()),
        (b"request_port", PORT),
        (b"dial_port", Number(0, 65535, optional=True)),
    ]
    errors = by_word(NotEnrolled, Disabled, AlreadyOnline, ServerFull, ServerTrouble)


class LogOut(Command):
    """End the session; the server closes after its answer."""

    pace = Pace(limits.LEAVINGS, limits.PACE_WINDOW)


class SetAvailability(Command):
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


class ListAvailable(Command):
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


class RequestChat(Command):
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
        (b"role", Word("caller", "callee")),
        (b"their_seconds", Number(0, limits.MAX_CHAT_SECONDS, optional=True)),
        (b"succession", amp.String(optional=True)),
    ]
    errors = by_word(NoAnswer, Busy, Refused, TooSoon, Cancelled, Occupied, TooManyRequests)


class CancelRequest(Command):
    """Withdraw our open request. The request itself is then answered with `Cancelled`."""

    pace = Pace(limits.ENDINGS, limits.PACE_WINDOW)
    errors = by_word(NothingToEnd)


class EndChat(Command):
    """End the chat of this stream; the server frees both."""

    pace = Pace(limits.ENDINGS, limits.PACE_WINDOW)
    arguments = [(b"stream", STREAM)]
    errors = by_word(NothingToEnd)


class Block(Command):
    """Whoever has this name, now or later, may not ask us; to them we are not there.

    An open request of theirs gets no answer. A chat goes on.
    """

    pace = Pace(limits.BLOCK_COMMANDS, limits.PACE_WINDOW)
    arguments = [(b"name", NameArgument())]
    errors = by_word(ListFull, TooManyRequests, ServerTrouble)


class Unblock(Command):
    """Undo `Block`. `changed`: the name was blocked."""

    pace = Pace(limits.BLOCK_COMMANDS, limits.PACE_WINDOW)
    arguments = [(b"name", NameArgument())]
    response = [(b"changed", amp.Boolean())]
    errors = by_word(TooManyRequests, ServerTrouble)


class ListBlocked(Command):
    """All names that we have blocked, in order."""

    pace = Pace(limits.BLOCK_COMMANDS, limits.PACE_WINDOW)
    response = [(b"names", NamesArgument())]
    errors = by_word(TooManyRequests, ServerTrouble)


class NewKey(Command):
    """Our key signs over to this one, which is ours from the answer on (`succession.Link`)."""

    pace = Pace(limits.NEW_KEY_COMMANDS, limits.PACE_WINDOW)
    arguments = [
        (b"key", KeyArgument()),
        (b"old_signature", SIGNATURE),
        (b"new_signature", SIGNATURE),
    ]
    errors = by_word(KeyTaken, BadProof, Occupied, TooManyRequests, ServerTrouble)


class MyData(Command):
    """All that the server holds about us, page by page.

    `further`: the page behind the last one, of the same moment; False: begin, as it is now.
    """

    pace = Pace(limits.MY_DATA_PAGES, limits.PACE_WINDOW)
    arguments = [(b"further", amp.Boolean())]
    response = [(b"facts", FactsArgument()), (b"more", amp.Boolean())]
    errors = by_word(TooManyRequests, ServerTrouble)


class ForgetMe(Command):
    """Erase all that is ours, and end the session; nobody may have our name for a while.

    `name`: our own, so that this is not sent by mistake.
    """

    pace = Pace(limits.LEAVINGS, limits.PACE_WINDOW)
    arguments = [(b"name", NameArgument())]
    errors = by_word(NotYou, ServerTrouble)


class DialMe(Command):
    """Open the request channel to this port of our address; answered when it is proven."""

    pace = Pace(limits.DIALS, limits.PACE_WINDOW)
    arguments = [(b"port", Number(1, 65535))]
    errors = by_word(NotDialling)


# --- standard channel: server to client -----------------------------------------------------


class OpenStream(Command):
    """A chat that we accepted begins; `chat` is the offer's. We are the callee."""

    pace = SENT_BY_SERVER
    arguments = [(b"chat", CHAT_ID), (b"stream", STREAM)]
    errors = by_word(NothingToEnd)


class StreamClosed(Command):
    """The stream is gone: the other ended the chat, or is gone. Wants no answer."""

    pace = SENT_BY_SERVER
    arguments = [(b"stream", STREAM)]
    requiresAnswer = False


class Goodbye(Command):
    """Why the server ends this session. Wants no answer."""

    pace = SENT_BY_SERVER
    arguments = [
        (
            b"reason",
            Word("taken-over", "disabled", "shutdown", "violation", "logged-out", "forgotten"),
        ),
    ]
    requiresAnswer = False


# --- request channel: client (daemon role) to server ----------------------------------------


class ProveSession(Command):
    """This request channel belongs to that session. Must be the first command."""

    pace = ONCE
    arguments = [(b"session", FixedBytes(16)), (b"proof", MAC)]
    response = [(b"proof", MAC)]
    errors = by_word(BadProof)


# --- request channel: server to client (daemon role) ----------------------------------------


class OfferChat(Command):
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
    response = [(b"answer", Word("accept", "refuse", "busy", "unavailable"))]


class WithdrawOffer(Command):
    """The request is over; an answer no longer counts. Wants no answer.

    `crossed`: our own request to the same person was taken for the answer.
    """

    pace = SENT_BY_SERVER
    arguments = [(b"chat", CHAT_ID), (b"reason", Word("cancelled", "expired", "gone", "crossed"))]
    requiresAnswer = False


class MissedRequest(Command):
    """Somebody asked for us while we were away or busy, and was not put before us.

    Nobody whom we have blocked. Wants no answer.
    """

    pace = SENT_BY_SERVER
    arguments = [(b"caller", NameArgument())]
    requiresAnswer = False


# --- chat, end to end: both directions ------------------------------------------------------


class Hello(Command):
    """I know who we two are and which chat this is. Must be the first command of each side.

    In a rekey: the peer of this epoch is also the peer of the next one.
    """

    pace = IN_CHATS
    arguments = [(b"proof", MAC)]
    errors = by_word(BadProof)


class Say(Command):
    """A message. Its answer is the delivery receipt."""

    pace = IN_CHATS
    arguments = [(b"text", amp.Unicode())]
    errors = by_word(OutOfTurn)


class Compared(Command):
    """My person compared the safety numbers: `yes`, the same, or `no`, and this ends the chat.

    It tells the other person, and proves nothing to their client.
    """

    pace = IN_CHATS
    arguments = [(b"word", Word("yes", "no"))]


class Log(Command):
    """My person wants a log of this chat, kept by both, or does not, or no longer, want one.

    Answered at once: it was heard. Only when both said "on" does either client write.
    """

    pace = IN_CHATS
    arguments = [(b"word", Word("on", "off"))]


class Switch(Command):
    """My last word in this epoch; what follows is in the next one. Wants no answer."""

    pace = IN_CHATS
    requiresAnswer = False


class Bye(Command):
    """I end this chat: like `Compared` no, a proof that it was ended and not cut off."""

    pace = IN_CHATS


#: Every command by its name on the wire.
BY_NAME: dict[bytes, type[Command]] = {one.commandName: one for one in Command.__subclasses__()}
