"""The typed refusals: the words in which a command's answer can be no."""

from __future__ import annotations

from typing import ClassVar

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


class KeyInUse(Refusal):
    """This key is a user's, or was and has signed over to another."""

    wire = b"KEY_TAKEN"


class BadProof(Refusal):
    """A proof that does not prove: of a session, of a new key, of a chat."""

    wire = b"BAD_PROOF"


class NotDialling(Refusal):
    """The server does not dial, or not this port, or nobody answered there."""

    wire = b"NOT_DIALLING"


class NoAnswer(Refusal):
    """Nobody of that name, or not there for us, or silent: one answer, and no sooner or later."""

    wire = b"NO_ANSWER"


class Busy(Refusal):
    """The callee is busy, and lets the caller see it."""

    wire = b"BUSY"


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
    """The asker is in a request or a chat."""

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


class NotYou(Refusal):
    """The name is not the asker's own. Whether it is anybody's is not told."""

    wire = b"NOT_YOU"


class OutOfTurn(Refusal):
    """A message before HELLO, or from the callee before the caller spoke."""

    wire = b"OUT_OF_TURN"


class ServerTrouble(Refusal):
    """The server could not do it (its disk, its database). Nothing changed."""

    wire = b"SERVER_TROUBLE"


def by_word(*kinds: type[Refusal]) -> dict[type[Exception], bytes]:
    """The `errors` of a command, from the classes alone."""
    return {kind: kind.wire for kind in kinds}
