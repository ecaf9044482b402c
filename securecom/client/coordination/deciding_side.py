"""Requests that something else than the person may answer: whoever decides is consulted, once."""

from __future__ import annotations

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from securecom.client.coordination.consent import Consent, Decision, Facts, Verdict
from securecom.client.coordination.engagement import Engagement
from securecom.client.coordination.requests import Offer, Withdrawn
from securecom.client.coordination.station import Station
from securecom.client.events import AnsweredForYou
from securecom.errors import NotNow

_log = Logger()


class DecidingSide:
    """The offer that is being decided about; `life` is told what came of it.

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

    def _settle(self, verdict: Verdict) -> Offer:
        offer = self.take()
        fingerprint = offer.key.fingerprint
        self._station.show(AnsweredForYou(offer.caller, verdict, offer.trust, fingerprint))
        return offer

    def _facts(self, offer: Offer) -> Facts:
        missed = self._station.missed.of(offer.caller)
        count, ago = (missed.count, missed.ago) if missed is not None else (0, None)
        known = (offer.caller, offer.trust, offer.key.fingerprint)
        return Facts(*known, offer.seconds, count, ago, offer.chat_seconds)

    def _checked(self, decision: Decision, offer: Offer) -> Decision:
        """A changed key is for the person alone; pins may have changed meanwhile."""
        if decision == "accept":
            offer.trust = self._station.contacts.trust(offer.caller, offer.key, offer.chain)
        return "ask" if decision == "accept" and offer.trust == "changed" else decision

    def _decided(self, decision: Decision) -> None:
        """If the offer is gone meanwhile, `life` knows."""
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
