"""The commands between the nodes of a server, beside `Ping`, with their argument types.

Each is sent by a node that knows, from the directory, that the other one is concerned. A node
trusts the others with what it does for its own people: whoever holds a node's certificate is the
server. docs/cluster.md has the way of a request through them.
"""

from __future__ import annotations

from twisted.protocols import amp

from securecom import limits
from securecom.refusals import BadProof, Busy, NoAnswer, Refused, by_word
from securecom.server.cluster.directory import IDENT_BYTES
from securecom.vocabulary import (
    CHAT_SECONDS,
    MAC,
    FixedBytes,
    KeyArgument,
    MissedRequest,
    NameArgument,
    NamesArgument,
    Number,
    OfferChat,
    OneOf,
    ReadyCommand,
    RequestChat,
    WithdrawOffer,
)

NODE_IDENT = FixedBytes(IDENT_BYTES)
REQUEST_ID = FixedBytes(IDENT_BYTES)
CHANNEL_ID = FixedBytes(IDENT_BYTES)
SESSION = FixedBytes(IDENT_BYTES)


class NodeCommand(ReadyCommand):
    """A command from one node to another. Their people's commands, which cause them, have paces."""


# --- links ----------------------------------------------------------------------------------


class MeetNode(NodeCommand):
    """I am the process with this ident. The first command of each; the link stands when both have
    been answered. `Ping` (`securecom.vocabulary`) may follow, and all other commands."""

    arguments = [(b"ident", NODE_IDENT)]


# --- requests: the caller's node to the callee's --------------------------------------------


class PassRequest(NodeCommand):
    """Somebody on this node asks somebody on yours; answered as `RequestChat` would be.

    The drawn moment has come: look for the callee now. `request` also names the chat's carrier.
    `milliseconds`: how long the request lasts. `Refused` has no number: the caller's node knows how
    long they have to wait.
    """

    arguments = [
        (b"request", REQUEST_ID),
        (b"caller", NameArgument()),
        (b"key", KeyArgument()),
        (b"succession", amp.String(optional=True)),
        (b"callee", NameArgument()),
        (b"milliseconds", Number(0, int(1000 * limits.REQUEST_EXPIRES))),
        (b"chat_seconds", CHAT_SECONDS),
    ]
    response = RequestChat.response
    errors = by_word(NoAnswer, Busy, Refused)


class TakeBackRequest(NodeCommand):
    """The request is over, or the chat that was made of it came too late. Wants no answer."""

    arguments = [
        (b"request", REQUEST_ID),
        (b"reason", OneOf("cancelled", "expired", "gone", "crossed")),
    ]
    requiresAnswer = False


class ListThere(NodeCommand):
    """A page of the people on your node whom this asker can ask."""

    arguments = [(b"asker", NameArgument()), (b"after", amp.String()), (b"text", amp.String())]
    response = [
        (b"names", NamesArgument()),
        (b"busy", NamesArgument()),
        (b"more", amp.Boolean()),
    ]


# --- sessions: the node where somebody logs in to the one where they were -------------------


class EndThere(NodeCommand):
    """This person has taken over their session on your node; answered when it is over."""

    arguments = [(b"name", NameArgument()), (b"session", SESSION)]


# --- request channels: their node to that of the session, and back --------------------------


class ProveThere(NodeCommand):
    """A client on this node says that its request channel belongs to a session on yours.

    `binding`: of that channel's TLS; `proof` is checked against it. `channel`: names the channel
    from now on.
    """

    arguments = [
        (b"session", SESSION),
        (b"proof", MAC),
        (b"binding", FixedBytes(32)),
        (b"channel", CHANNEL_ID),
    ]
    response = [(b"proof", MAC), (b"name", NameArgument())]
    errors = by_word(BadProof)


class ChannelGone(NodeCommand):
    """The request channel is gone, or has to go: either node may say so. Wants no answer."""

    arguments = [(b"channel", CHANNEL_ID)]
    requiresAnswer = False


class OfferThere(NodeCommand):
    """`OfferChat`, for the client at the other end of this channel."""

    arguments = [(b"channel", CHANNEL_ID), *OfferChat.arguments]
    response = OfferChat.response
    errors = by_word(NoAnswer)


class WithdrawThere(NodeCommand):
    """`WithdrawOffer`, for the client at the other end of this channel. Wants no answer."""

    arguments = [(b"channel", CHANNEL_ID), *WithdrawOffer.arguments]
    requiresAnswer = False


class MissedThere(NodeCommand):
    """`MissedRequest`, for the client at the other end of this channel. Wants no answer."""

    arguments = [(b"channel", CHANNEL_ID), *MissedRequest.arguments]
    requiresAnswer = False
