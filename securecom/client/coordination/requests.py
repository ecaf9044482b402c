"""Our requests and other people's offers, while they are open."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from twisted.internet.defer import Deferred

from securecom.client.chat.agreement import Role, Span
from securecom.client.events import KNOWN, Trust
from securecom.identity import Name, PublicKey

#: What the daemon role answers to an offer.
Answer = Literal["accept", "refuse", "busy", "unavailable"]
#: Why an offer is no longer open, as the server says.
Withdrawn = Literal["cancelled", "expired", "gone", "crossed"]
#: Why an offer that the person saw is no longer open.
OfferOver = Literal["accepted", "refused", "dismissed", "cancelled", "expired", "gone", "crossed"]


@dataclass(eq=False)
class Request:
    """We asked; `stands` is the person's, and fires when the chat stands."""

    callee: Name
    stands: Deferred[None] = field(default_factory=Deferred)
    chat_seconds: int | None = None


@dataclass(frozen=True)
class Grant:
    """A chat is ours to open: id, stream, the peer's key, our role, how the key is trusted.

    :param succession: the chain that is said to lead to the key, if the server gave one.
    """

    chat: bytes
    stream: int
    key: PublicKey
    role: Role
    trust: Trust = "new"
    succession: bytes | None = None
    span: Span = ()

    @property
    def chain(self) -> bytes:
        """The chain; an empty one leads nowhere."""
        return self.succession or b""


@dataclass(eq=False)
class Offer:
    """Somebody asks us, for so many seconds. The key, and what leads to it, the server says.

    `chat_seconds`: how long the chat is to last, if it is to have an end.
    """

    chat: bytes
    caller: Name
    key: PublicKey
    seconds: int
    chain: bytes = b""
    trust: Trust = "new"
    chat_seconds: int | None = None
    answer: Deferred[Answer] = field(default_factory=Deferred)

    @property
    def is_known(self) -> bool:
        """The person has met whoever asks."""
        return self.trust in KNOWN

    @property
    def span(self) -> Span:
        """What our yes agrees to."""
        return () if self.chat_seconds is None else (self.chat_seconds,)

    def reply(self, answer: Answer) -> None:
        """Answer it, once."""
        self.answer.callback(answer)
