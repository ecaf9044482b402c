"""Chat requests before they become a chat: ours, and other people's.

`AskingSide` sends ours. Other people's are first put to whoever decides for the user
(`DecidingSide`), then to the user (`AskedSide`).
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from securecom import limits, vocabulary
from securecom.client.chat.agreement import ChatTerms, Role
from securecom.client.coordination import outcomes
from securecom.client.coordination.engagement import (
    Answer,
    Consent,
    Decision,
    Engagement,
    Facts,
    Grant,
    Offer,
    OfferOver,
    OwnRequest,
    Verdict,
    Waiting,
    Withdrawn,
)
from securecom.client.coordination.station import Station
from securecom.client.denials import denied
from securecom.client.events import (
    REFUSED,
    AnsweredForYou,
    Asked,
    AskedOver,
    Asking,
    RefusedForYou,
    RequestOver,
    Trust,
)
from securecom.control import our_fault
from securecom.errors import (
    ChatFailed,
    ConnectionWasLost,
    NotNow,
    PeerKeyChanged,
    SecurecomError,
    WasCancelled,
)
from securecom.identity import Name
from securecom.values import replace

_log = Logger()

_PATIENCE = limits.REQUEST_EXPIRES + limits.OPENING_DEADLINE + limits.ANSWER_DEADLINE


class AskingSide:
    """Carries out what becomes of our request; the server's answer is an input of `life`."""

    life: Engagement

    def __init__(self, station: Station) -> None:
        self._station = station
        self._request: OwnRequest | None = None
        self._ends: list[Deferred[None]] = []

    @property
    def callee(self) -> Name | None:
        """Whom we ask."""
        return self._request.callee if self._request is not None else None

    def send(self, request: OwnRequest) -> None:
        """Ask the server; its answer, or why it could not be asked, comes back as an input."""
        self._request = request
        answer = maybeDeferred(self._ask, request)
        answer.addCallbacks(
            self._answered, self._denied, callbackArgs=(request,), errbackArgs=(request,)
        )
        answer.addErrback(lambda failure: _log.failure("a chat request broke", failure))

    def withdraw(self, done: Deferred[None]) -> None:
        """What becomes of it is the answer to the request itself; then `done` fires."""
        self.await_end(done)
        self._station.line.ask(vocabulary.CancelRequest).addErrback(lambda _: None)

    def await_end(self, done: Deferred[None]) -> None:
        """`done` fires when the request is over."""
        self._ends.append(done)

    def end_unwanted(self, grant: Grant) -> None:
        """A chat that we must not, or no longer want to, have."""
        self._station.end_chat(grant.stream)

    def give_up(self, error: SecurecomError) -> None:
        """A fault of ours: what the server still makes of the request is unwanted."""
        request, self._request = self._request, None
        self._ends.clear()
        if request is not None:
            self._station.show(RequestOver(request.callee, outcomes.word_of(error)))
            if self._station.is_online:
                self._station.line.ask(vocabulary.CancelRequest).addErrback(lambda _: None)

    def take(self) -> OwnRequest:
        """It became a chat. :raises NotNow: if there is none."""
        request, self._request = self._request, None
        if request is None:
            raise NotNow("there is no request")
        return request

    def failed(self, error: SecurecomError) -> None:
        """It came to nothing."""
        request, wait = self.take(), getattr(error, "wait", None)
        self._station.show(RequestOver(request.callee, outcomes.word_of(error), wait))
        request.stands.errback(Failure(error))
        ends, self._ends = self._ends, []
        for done in ends:
            done.callback(None)

    def cancelled(self) -> None:
        """We withdrew it, and it is over."""
        self.failed(WasCancelled("you withdrew your request"))

    def lost(self) -> None:
        """The server that was to answer is gone, or we have left it."""
        if self._station.is_leaving:
            self.failed(WasCancelled("you left, and your request with you"))
            return
        self.failed(ConnectionWasLost("the connection to the server was lost"))

    def _ask(self, request: OwnRequest) -> Deferred[dict[str, Any]]:
        line, callee, lasts = self._station.line, request.callee, request.terms.seconds
        trust = self._station.trust(callee)
        by = self._station.introducer(callee, trust)
        self._station.show(Asking(callee, trust, int(limits.REQUEST_EXPIRES), lasts, by))
        return line.ask(vocabulary.RequestChat, _PATIENCE, callee=callee, chat_seconds=lasts)

    def _answered(self, answer: dict[str, Any], request: OwnRequest) -> None:
        terms = _terms(request, answer["role"], answer.pop("their_seconds"))
        grant = Grant(**answer, terms=terms)
        try:
            trust = self._check(grant, request.callee)
        except SecurecomError as error:
            self.life.misgranted(grant, error)
        else:
            self.life.granted(replace(grant, trust=trust))

    def _denied(self, failure: Failure, request: OwnRequest) -> None:
        if failure.check(ConnectionWasLost) or self._station.is_closing:
            return  # `lost` says so
        error = denied(failure, vocabulary.RequestChat, name=request.callee).value
        self.life.denied(error if isinstance(error, SecurecomError) else our_fault(failure))

    def _check(self, grant: Grant, callee: Name) -> Trust:
        """The pin goes before the server's word; so does the rule for crossing requests.

        A server that gives us the callee's role although our name is the smaller one lies: such a
        chat would wait for ever. One that gives it where both had to ask anyway can choose no
        more than who speaks first, and HELLO binds the roles of both.
        """
        if grant.key.shares(self._station.identity.public_key):
            raise PeerKeyChanged(f"the server gives your own key for {callee}'s")
        trust = self._station.contacts.trust(callee, grant.key, grant.chain)
        if not self._station.contacts.may_be(callee, grant.key, grant.chain):
            if trust == "retired":
                raise outcomes.key_retired(callee)
            raise outcomes.key_changed(callee, grant.key)
        if grant.role == "callee" and self._station.name < callee:
            raise ChatFailed("the server mixed up who asked whom")
        return trust


def _terms(request: OwnRequest, role: Role, theirs: int | None) -> ChatTerms:
    """How long the chat may last. HELLO proves what the server says of the other's request."""
    return request.terms if theirs is None else request.terms.crossed_with(theirs, role)


# --- Other people's requests, put to the user ------------------------------------------------


class AskedSide:
    """Carries out what becomes of an offer; that it expired is an input of `life`.

    One offer at a time, in one of three places: `held` while our own request to the same person
    is out, `open` before the person, `accepted` until the server opens its stream.
    """

    life: Engagement

    def __init__(self, station: Station, waiting: Waiting) -> None:
        self._station, self._waiting = station, waiting
        self.held: Offer | None = None
        self.open: Offer | None = None
        self.accepted: Offer | None = None
        self._stands: Deferred[None] = Deferred()
        self._timer: IDelayedCall | None = None
        self._voided: tuple[Offer, float] | None = None  # which, and when
        self._by_name_until = self._altered_until = 0.0

    @property
    def caller(self) -> Name:
        """Whose offer is open. :raises NotNow: if there is none."""
        return _there(self.open).caller

    @property
    def is_mistakable(self) -> bool:
        """The open offer has just taken another person's place: a yes must say to whom."""
        return self.open is not None and self._station.clock.seconds() < self._by_name_until

    @property
    def is_altered(self) -> bool:
        """The open offer has just taken the place of one by the same person that said something
        else: a yes may be meant for that one.
        """
        return self.open is not None and self._station.clock.seconds() < self._altered_until

    def hold(self, offer: Offer) -> None:
        """Wait for what the server makes of the two requests."""
        self.held = offer

    def drop_held(self, answer: Answer) -> None:
        """The held offer, if there is one, no longer matters."""
        held, self.held = self.held, None
        if held is not None:
            held.reply(answer)

    def take_held(self) -> Offer:
        """Our own request is over: the held offer counts."""
        held, self.held = self.held, None
        return _there(held)

    def consider(self, offer: Offer) -> None:
        """Ask the person."""
        self._compare_with_last(offer)
        self.open = offer
        self._wait(offer.seconds)
        facts = (offer.key.fingerprint, offer.seconds, offer.terms.seconds)
        by = self._station.introducer(offer.caller, offer.trust)
        self._station.show(Asked(offer.caller, offer.trust, *facts, by))

    def _compare_with_last(self, offer: Offer) -> None:
        """Does it take another's place while the user may be about to answer that one?"""
        if self._voided is None:
            return
        now, (last, at) = self._station.clock.seconds(), self._voided
        until = now + limits.ACCEPT_BY_NAME if now - at < limits.ACCEPT_BY_NAME else 0.0
        if last.caller != offer.caller:
            self._by_name_until = until
        elif (last.key, last.terms) != (offer.key, offer.terms):
            self._altered_until = until

    def accept(self, stands: Deferred[None]) -> None:
        """The person says yes; the stream has to come soon."""
        self._expect(self._close("accepted"), stands)

    def accept_unasked(self, offer: Offer) -> None:
        """Accept in the user's name, and show them if it comes to nothing."""
        stands = self._waiting.promise()
        stands.addErrback(self._station.show_failure)
        self._expect(offer, stands)

    def refuse(self) -> None:
        """The person says no."""
        self._close("refused").reply("refuse")

    def dismiss(self) -> None:
        """The user ignores it: to the caller nobody seems to be there."""
        self._close("dismissed").reply("unavailable")

    def void(self, reason: Withdrawn) -> None:
        """The open offer is over; nobody waits for our answer."""
        offer = self._close(reason)
        self._voided = offer, self._station.clock.seconds()
        if reason != "crossed":
            self._station.missed.note(offer.caller)
        offer.reply("unavailable")

    def decline(self, offer: Offer, with_us: bool) -> None:
        """Answer "busy". The user hears of it once, unless the caller is with us anyway."""
        offer.reply("busy")
        if not with_us and self._station.missed.note(offer.caller):
            self._station.show(RefusedForYou(offer.caller, offer.trust, "busy"))

    def take_accepted(self) -> tuple[Offer, Deferred[None]]:
        """Its stream is open."""
        self._wait(None)
        offer, self.accepted = self.accepted, None
        return _there(offer), self._stands

    def opening_failed(self, error: SecurecomError) -> None:
        """Accepted, and then it came to nothing."""
        _, stands = self.take_accepted()
        stands.errback(Failure(error))

    def line_lost(self) -> None:
        """The line went, or we left, between our yes and the chat."""
        if self._station.is_leaving:
            self.opening_failed(WasCancelled("you left before the chat began"))
        else:
            self.opening_failed(ConnectionWasLost("the connection to the server was lost"))

    def give_up(self, error: SecurecomError) -> None:
        """A fault of ours: no offer is there any more."""
        self._wait(None)
        offer, self.held, self.open, self.accepted = self.open, None, None, None
        if offer is not None:
            self._station.show(AskedOver(offer.caller, "gone"))

    def _expect(self, offer: Offer, stands: Deferred[None]) -> None:
        self.accepted, self._stands = offer, stands
        self._wait(limits.OPENING_DEADLINE)
        offer.reply("accept")

    def _close(self, reason: OfferOver) -> Offer:
        self._wait(None)
        offer, self.open = _there(self.open), None
        self._station.show(AskedOver(offer.caller, reason))
        return offer

    def _wait(self, seconds: float | None) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        if seconds is not None:
            self._timer = self._station.clock.callLater(seconds, self.life.expired)


def _there(offer: Offer | None) -> Offer:
    if offer is None:
        raise NotNow("nobody is asking you")
    return offer


# --- Other people's requests, put to a program that may answer for the user --------------------


class DecidingSide:
    """Has an offer decided about; the decision is an input of `life`.

    A decision counts only for the offer that it was asked for, and only as long as that stands.
    """

    life: Engagement

    def __init__(self, station: Station, consent: Consent) -> None:
        self._station, self._consent = station, consent
        self.offer: Offer | None = None
        self._decision: Deferred[Decision] | None = None
        self._timer: IDelayedCall | None = None

    def consult(self, offer: Offer) -> None:
        """Have it decided; the time to answer runs from here."""
        self.offer = offer
        self._timer = self._station.clock.callLater(offer.seconds, self.life.expired)
        self._decision = decision = maybeDeferred(self._consent.decide, self._facts(offer))
        decision.addCallback(self._checked, offer)
        decision.addCallbacks(self._decided, self._failed, errbackArgs=(offer,))
        decision.addErrback(lambda failure: _log.failure("a decision broke", failure))

    def take(self) -> Offer:
        """Nothing decides about it any more. Its `seconds` are those that are left.

        :raises NotNow: if there is none.
        """
        offer, self.offer = self.offer, None
        timer, self._timer = self._timer, None
        decision, self._decision = self._decision, None
        if offer is None:
            raise NotNow("nobody is asking you")
        if timer is not None and timer.active():
            offer.seconds = max(1, round(timer.getTime() - self._station.clock.seconds()))
            timer.cancel()
        if decision is not None:
            decision.cancel()
        return offer

    def agree(self) -> Offer:
        """It is accepted in the person's name; whoever awaits its stream answers it."""
        return self._settle("accept")

    def decline(self, verdict: Verdict) -> None:
        """It is refused or dismissed in the person's name."""
        self._settle(verdict).reply("refuse" if verdict == "refuse" else "unavailable")

    def void(self, reason: Withdrawn) -> None:
        """It is over before anything was decided, and before the person saw it."""
        offer = self.take()
        if reason != "crossed":
            self._station.missed.note(offer.caller)
        offer.reply("unavailable")

    def give_up(self, error: SecurecomError) -> None:
        """A fault of ours: nothing is decided about any more."""
        if self.offer is not None:
            self.take()

    def _settle(self, verdict: Verdict) -> Offer:
        offer = self.take()
        fingerprint = offer.key.fingerprint
        self._station.show(AnsweredForYou(offer.caller, verdict, offer.trust, fingerprint))
        return offer

    def _facts(self, offer: Offer) -> Facts:
        missed = self._station.missed.of(offer.caller)
        count, ago = (missed.count, missed.ago) if missed is not None else (0, None)
        known = (offer.caller, offer.trust, offer.key.fingerprint)
        return Facts(*known, offer.seconds, count, ago, offer.terms.seconds)

    def _checked(self, decision: Decision, offer: Offer) -> Decision:
        """A changed key is for the person alone; pins may have changed meanwhile."""
        if decision == "accept":
            offer.trust = self._station.contacts.trust(offer.caller, offer.key, offer.chain)
        return "ask" if decision == "accept" and offer.trust in REFUSED else decision

    def _decided(self, decision: Decision) -> None:
        """An input that comes too late changes nothing."""
        if decision == "ask":
            self.life.undecided()
        elif decision == "accept":
            self.life.agreed()
        else:
            self.life.declined(decision)

    def _failed(self, failure: Failure, offer: Offer) -> None:
        if offer is self.offer:  # else it was cancelled
            self._station.show_failure(failure)
            self.life.undecided()
