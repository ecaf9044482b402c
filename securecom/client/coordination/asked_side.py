"""Other people's requests: held, put to the person, answered, and awaited once accepted."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from securecom import limits
from securecom.client.coordination.engagement import Engagement
from securecom.client.coordination.requests import Answer, Offer, OfferOver, Withdrawn
from securecom.client.coordination.station import Station
from securecom.client.events import Asked, AskedOver, RefusedForYou
from securecom.errors import ConnectionWasLost, NotNow, SecurecomError, WasCancelled


class AskedSide:
    """What is done about offers; `life` is told when the one before the person expires.

    One offer at a time, in one of three places: `held` while our own request to the same person
    is out, `open` before the person, `accepted` until the server opens its stream.
    """

    life: Engagement

    def __init__(self, station: Station) -> None:
        self._station = station
        self.held: Offer | None = None
        self.open: Offer | None = None
        self.accepted: Offer | None = None
        self._stands: Deferred[None] = Deferred()
        self._timer: IDelayedCall | None = None
        self._voided: tuple[Offer, float] | None = None  # which, and when
        self._by_name_until = self._altered_until = 0.0

    @property
    def is_mistakable(self) -> bool:
        """The open offer has just taken another person's place: who says yes must say to whom."""
        return self.open is not None and self._station.clock.seconds() < self._by_name_until

    @property
    def is_altered(self) -> bool:
        """The open offer has just taken the place of one by the same person that said something
        else: a yes may be meant for that one.
        """
        return self.open is not None and self._station.clock.seconds() < self._altered_until

    def hold(self, offer: Offer) -> None:
        """Wait what the server makes of the two requests."""
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
        fingerprint = offer.key.fingerprint
        self._station.show(
            Asked(offer.caller, offer.trust, fingerprint, offer.seconds, offer.chat_seconds)
        )

    def _compare_with_last(self, offer: Offer) -> None:
        """Does it take another's place while a hand is on its way to the key?"""
        if self._voided is None:
            return
        now, (last, at) = self._station.clock.seconds(), self._voided
        until = now + limits.ACCEPT_BY_NAME if now - at < limits.ACCEPT_BY_NAME else 0.0
        if last.caller != offer.caller:
            self._by_name_until = until
        elif (last.key, last.chat_seconds) != (offer.key, offer.chat_seconds):
            self._altered_until = until

    def accept(self, stands: Deferred[None]) -> None:
        """The person says yes; the stream has to come soon."""
        self._expect(self._close("accepted"), stands)

    def accept_unasked(self, offer: Offer) -> None:
        """The same in the person's name, who is told if it comes to nothing."""
        stands: Deferred[None] = Deferred()
        stands.addErrback(self._station.show_failure)
        self._expect(offer, stands)

    def refuse(self) -> None:
        """The person says no."""
        self._close("refused").reply("refuse")

    def dismiss(self) -> None:
        """The person says nothing: to the one who asks nobody was there."""
        self._close("dismissed").reply("unavailable")

    def void(self, reason: Withdrawn) -> None:
        """The open offer is over; nobody waits for our answer."""
        offer = self._close(reason)
        self._voided = offer, self._station.clock.seconds()
        if reason != "crossed":
            self._station.missed.note(offer.caller)
        offer.reply("unavailable")

    def decline(self, offer: Offer, with_us: bool) -> None:
        """Busy. The person hears of it once, unless it is from the one who is with us anyway."""
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
