"""The refusals with which a peer or the server may answer a command."""

from __future__ import annotations

from typing import ClassVar

_MAX_DIGITS = 6


class Refusal(Exception):
    """A typed refusal of a command. Its text on the wire is for logs; people see their client's."""

    wire: ClassVar[bytes] = b"REFUSAL"

    def __init__(self, text: str = "") -> None:
        super().__init__(text)

    @property
    def seconds(self) -> int | None:
        """How long to wait, from the text of `Refused` and `TooSoon`; None if it has no number."""
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
    """The server accepts no more sessions at the moment."""

    wire = b"SERVER_FULL"


class BadInvitation(Refusal):
    """The invitation is spent, expired, revoked or unknown; the server does not say which."""

    wire = b"BAD_INVITATION"


class KeyInUse(Refusal):
    """This key belongs to a user, or did until it signed over to another key."""

    wire = b"KEY_TAKEN"


class BadProof(Refusal):
    """An invalid proof of a session, a new key or a chat."""

    wire = b"BAD_PROOF"


class NotDialling(Refusal):
    """The server does not dial, or does not dial this port, or nobody answered there."""

    wire = b"NOT_DIALLING"


class NoAnswer(Refusal):
    """There is nobody of that name, or they are not available to us, or they did not answer.

    The server gives the same answer at the same time in each case.
    """

    wire = b"NO_ANSWER"


class Busy(Refusal):
    """The callee is busy, and allows the caller to know."""

    wire = b"BUSY"


class Refused(Refusal):
    """The callee said no. The text is the seconds until the caller may ask them again."""

    wire = b"REFUSED"


class TooSoon(Refusal):
    """The callee said no recently. The text is the seconds until the caller may ask them again."""

    wire = b"TOO_SOON"


class Cancelled(Refusal):
    """The caller withdrew the request."""

    wire = b"CANCELLED"


class Occupied(Refusal):
    """The caller is already in a request or a chat."""

    wire = b"OCCUPIED"


class TooManyRequests(Refusal):
    """The caller has reached one of the server's rate limits."""

    wire = b"TOO_MANY_REQUESTS"


class ListFull(Refusal):
    """`limits.MAX_BLOCKED` names are blocked already."""

    wire = b"LIST_FULL"


class NothingToEnd(Refusal):
    """There is no such request or chat: it was already over."""

    wire = b"NOTHING_TO_END"


class NotYou(Refusal):
    """The name is not the caller's own. The server does not say whether anybody has it."""

    wire = b"NOT_YOU"


class OutOfTurn(Refusal):
    """The message came before HELLO, or from the callee before the caller spoke."""

    wire = b"OUT_OF_TURN"


class ServerTrouble(Refusal):
    """The server failed (its disk or its database). Nothing changed."""

    wire = b"SERVER_TROUBLE"


def by_word(*kinds: type[Refusal]) -> dict[type[Exception], bytes]:
    """Map refusals to their words on the wire, as AMP's `errors` of a command."""
    return {kind: kind.wire for kind in kinds}
