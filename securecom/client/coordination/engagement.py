"""Chat requests while they are open, and what can happen to them and to a chat."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from securecom.client.chat.agreement import NO_END, ChatTerms, Role
from securecom.client.events import KNOWN, Ending, Trust
from securecom.errors import SecurecomError
from securecom.identity import Name, PublicKey
from securecom.values import Value

_T = TypeVar("_T")

#: What the daemon role answers to an offer.
Answer = Literal["accept", "refuse", "busy", "unavailable"]
#: Why an offer is no longer open, as the server says.
Withdrawn = Literal["cancelled", "expired", "gone", "crossed"]
#: Why an offer that the person saw is no longer open.
OfferOver = Literal["accepted", "refused", "dismissed", "cancelled", "expired", "gone", "crossed"]


@dataclass(eq=False)
class OwnRequest:
    """A request of ours; `stands` fires when it has become a chat that stands."""

    callee: Name
    stands: Deferred[None] = field(default_factory=Deferred)
    terms: ChatTerms = NO_END


class Grant(Value):
    """A chat is ours to open: id, stream, the peer's key, our role, how the key is trusted.

    :param succession: the chain that is said to lead to the key, if the server gave one.
    """

    chat: bytes
    stream: int
    key: PublicKey
    role: Role
    trust: Trust = "new"
    succession: bytes | None = None
    terms: ChatTerms = NO_END

    @property
    def chain(self) -> bytes:
        """The chain; an empty one leads nowhere."""
        return self.succession or b""


@dataclass(eq=False)
class Offer:
    """Somebody asks us. The key, and the chain that leads to it, are what the server says.

    :param seconds: how long the request stands.
    :param terms: what our yes agrees to.
    """

    chat: bytes
    caller: Name
    key: PublicKey
    seconds: int
    chain: bytes = b""
    trust: Trust = "new"
    terms: ChatTerms = NO_END
    answer: Deferred[Answer] = field(default_factory=Deferred)

    @property
    def is_known(self) -> bool:
        """The user has met the caller before."""
        return self.trust in KNOWN

    def reply(self, answer: Answer) -> None:
        """Answer it, once."""
        self.answer.callback(answer)


class Waiting:
    """Everybody to whom the engagement owes an outcome, so that a fault of ours forgets nobody."""

    def __init__(self) -> None:
        self._promises: dict[Deferred[None], None] = {}
        self._offers: dict[Offer, None] = {}

    def promise(self) -> Deferred[None]:
        """A Deferred that will fire, whatever happens."""
        return self.keep(Deferred())

    def keep(self, promise: Deferred[None]) -> Deferred[None]:
        """This one will fire, whatever happens."""
        self._promises[promise] = None
        return promise.addBoth(self._kept, promise)

    def answer(self, offer: Offer) -> Deferred[Answer]:
        """Will be answered, whatever happens."""
        self._offers[offer] = None
        return offer.answer.addBoth(self._answered, offer)

    def give_up(self, error: SecurecomError) -> None:
        """Nothing will come of it: say why; to other people nobody was there."""
        for promise in list(self._promises):
            promise.errback(Failure(error))
        for offer in list(self._offers):
            offer.reply("unavailable")

    def _kept(self, result: _T, promise: Deferred[None]) -> _T:
        del self._promises[promise]
        return result

    def _answered(self, result: _T, offer: Offer) -> _T:
        del self._offers[offer]
        return result


# --- Who answers a request: the user, unless a program decides first --------------------------

#: An answer in the user's name.
Verdict = Literal["accept", "refuse", "dismiss"]
#: `ask`: let the person decide.
Decision = Verdict | Literal["ask"]


class Facts(Value):
    """What is known of a request. The names are those of docs/json.md.

    :param seconds: how long it stands.
    :param missed: how often they asked in vain lately; `ago`: seconds since the last time.
    :param chat_seconds: how long the chat is to last, if it is to have an end.
    """

    name: str
    trust: Trust
    fingerprint: str
    seconds: int
    missed: int
    ago: int | None
    chat_seconds: int | None = None


class Consent(Protocol):
    """Decides about requests that would be put before the person."""

    def decide(self, facts: Facts) -> Deferred[Decision]:
        """The decision; a failure means `ask`. Cancelled when nobody wants to know any more."""


class AskThePerson:
    """Every request is for the person."""

    def decide(self, facts: Facts) -> Deferred[Decision]:
        """Leave it to the user."""
        return succeed("ask")


ASK_THE_PERSON: Final = AskThePerson()


# --- Inputs of the state machine in `engagement_states` ----------------------------------------


class Engagement(Protocol):
    """What can happen between us and other people."""

    def connected(self) -> None:
        """Logged in."""

    def ask(self, request: OwnRequest) -> None:
        """The person asks somebody."""

    def cancel(self, done: Deferred[None]) -> None:
        """The person withdraws the request."""

    def granted(self, grant: Grant) -> None:
        """Our request became a chat."""

    def misgranted(self, grant: Grant, error: SecurecomError) -> None:
        """Our request became a chat that we must not have."""

    def denied(self, error: SecurecomError) -> None:
        """Our request came to nothing."""

    def offered(self, offer: Offer) -> None:
        """Somebody asks us."""

    def offered_by_callee(self, offer: Offer) -> None:
        """The person whom we ask asks us."""

    def withdrawn(self, reason: Withdrawn) -> None:
        """The open offer is void."""

    def expired(self) -> None:
        """The open offer, or the wait for its stream, took too long."""

    def undecided(self) -> None:
        """The offer is for the person."""

    def agreed(self) -> None:
        """A yes to the offer, in the user's name."""

    def declined(self, verdict: Verdict) -> None:
        """A no, or no answer, in the user's name."""

    def accept(self, done: Deferred[None]) -> None:
        """The person says yes; `done` fires when the chat stands."""

    def refuse(self, done: Deferred[None]) -> None:
        """The person says no."""

    def dismiss(self, done: Deferred[None]) -> None:
        """The user ignores the offer, and does not want to be asked any longer."""

    def stream_opened(self, number: int) -> None:
        """The server opened the stream of the offer that we accepted."""

    def stood(self) -> None:
        """The end-to-end session is secure."""

    def over(self, ending: Ending | None, undelivered: list[int], error: Exception | None) -> None:
        """The end-to-end session is over."""

    def stop(self, done: Deferred[None]) -> None:
        """The person ends the chat."""

    def lost(self) -> None:
        """The standard channel is gone."""

    def broke(self, error: SecurecomError) -> None:
        """An output raised: whatever is going on ends."""
