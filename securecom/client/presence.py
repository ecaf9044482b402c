"""Whether the person may be asked: by whom, until when, and what comes then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall

from securecom import limits, vocabulary
from securecom.client.coordination.coordinator import Coordinator
from securecom.client.coordination.station import Station
from securecom.client.denials import denied
from securecom.client.events import Availability, problem
from securecom.client.terms import DAY, AvailabilityTerms, Choices, Pause, next_time
from securecom.errors import BadArgument, NotNow, SecurecomError
from securecom.identity import Name

_NOBODY: frozenset[Name] = frozenset()
_TO_SOME = ("available", "to NAME NAME")


class Presence:
    """Keeps the terms over reconnects, and ends them by itself; the server ends its lease, too.

    What the person has chosen for good is the ceiling: the terms never reach further.

    :param available: whether the person wants to be available once online.
    :param wall: what the clock on the wall shows, see `terms.shown_time`.
    """

    def __init__(
        self,
        station: Station,
        coordinator: Coordinator,
        available: bool,
        choices: Choices,
        wall: Callable[[], float],
    ) -> None:
        self._station, self._coordinator = station, coordinator
        self._wall = wall
        self._is_wanted = available
        self.choices = choices
        self._terms = AvailabilityTerms()
        self._timer: IDelayedCall | None = None
        #: Where the person named a time of day: when it turns, in the seconds of the wall.
        self._until: float | None = None
        station.met_somebody = self._met

    def come(self, terms: AvailabilityTerms) -> Deferred[None]:
        """Available from now on."""
        hindrance = self._hindrance(terms) or self._strangers_among(terms.names)
        if hindrance is not None:
            return fail(hindrance)
        self._terms = terms
        return self._change(True, terms.seconds)

    def go(self, pause: Pause) -> Deferred[None]:
        """Away from now on, and back after the pause."""
        if pause.until is None:
            return self._change(False, pause.seconds)
        shown = self._wall()
        until = next_time(pause.until, shown)
        return self._change(False, until - shown, until)

    def clock_was_set(self) -> None:
        """A time of day is what the wall shows, whatever happens in between.

        One that the clock has jumped over is there; after a jump back it is the next one that
        comes, however far that is from the one that was meant at first.
        """
        if self._until is None or self._timer is None:
            return
        shown = self._wall()
        if shown < self._until:
            self._until = next_time(round(self._until) % DAY, shown)
            self._timer.cancel()
            self._timer = self._station.clock.callLater(self._until - shown, self._time_is_up)
        else:
            self._timer.cancel()
            self._turn()

    def choose(self, choices: Choices) -> Deferred[None]:
        """These count from now on, for what runs already too. Never fails."""
        former, self.choices = self.choices, choices
        if choices.ask == "nobody" and (self._is_wanted or self._timer is not None):
            return self._change(False, None).addErrback(lambda _: None)
        return self._renew(is_news=former.ask != choices.ask)

    def restore(self) -> None:
        """On line: what was wanted counts again."""
        self._coordinator.is_available = self._is_wanted
        self._coordinator.askers = self._askers()
        self._coordinator.audience = self._audience()
        self._coordinator.reconsider()

    def announce(self, again: bool) -> None:
        """And the server is told; who is away hears it at the first log-in."""
        was_wanted = self._is_wanted
        self._give_up_what_cannot_be()
        if self._is_wanted:
            self._tell().addErrback(lambda _: None)  # the loss is told as such
        elif was_wanted or not again:
            self._station.show(Availability(False, self._left()))

    def end(self) -> None:
        """The client is over."""
        self._stop_timer()

    # --- changes ----------------------------------------------------------------------------

    def _change(
        self, wanted: bool, seconds: float | None, until: float | None = None
    ) -> Deferred[None]:
        self._stop_timer()
        if seconds is not None:
            self._timer = self._station.clock.callLater(seconds, self._time_is_up)
            self._until = until
        self._is_wanted = wanted
        self.restore()  # "away" counts from now, whatever is on its way
        return self._tell() if self._station.is_online else succeed(None)

    def _time_is_up(self) -> None:
        """But for a time of day it is the wall that says so."""
        left = 0.0 if self._until is None else self._until - self._wall()
        if left > 0:
            self._timer = self._station.clock.callLater(left, self._time_is_up)
        else:
            self._turn()

    def _turn(self) -> None:
        """The time is up: the other way round, until the person says so."""
        self._timer = None
        self._terms = AvailabilityTerms(None, self._terms.people, self._terms.names)
        self._is_wanted = not self._is_wanted
        self._give_up_what_cannot_be()
        self._change(self._is_wanted, None).addErrback(lambda _: None)  # the loss is told as such

    def _renew(self, *, is_news: bool) -> Deferred[None]:
        """The same terms, to whom they are now."""
        was_wanted = self._is_wanted
        self.restore()
        self._give_up_what_cannot_be()
        if not was_wanted or not self._station.is_online:
            return succeed(None)
        return self._tell(is_news=is_news or not self._is_wanted).addErrback(lambda _: None)

    def _met(self) -> None:
        """One more of our people."""
        if self._terms.people or self.choices.ask == "people" or self.choices.busy.people:
            self._renew(is_news=False)

    def _give_up_what_cannot_be(self) -> None:
        hindrance = self._hindrance(self._terms)
        if self._is_wanted and hindrance is not None:
            self._stop_timer()
            self._is_wanted = False
            self.restore()
            self._station.show(problem(hindrance))

    def _stop_timer(self) -> None:
        timer, self._timer, self._until = self._timer, None, None
        if timer is not None and timer.active():
            timer.cancel()

    # --- to whom ----------------------------------------------------------------------------

    def _hindrance(self, terms: AvailabilityTerms) -> SecurecomError | None:
        """Why one cannot be available on these terms, if one cannot."""
        if self.choices.ask == "nobody":
            allow = (("set", "ask people"), ("set", "ask anyone"))
            return NotNow("you let nobody ask you", "Nothing was sent.", *allow)
        if not terms.people and self.choices.ask == "anyone":
            return None
        try:
            count = len(self._station.contacts.names())
        except SecurecomError as error:
            return error
        if count > limits.MAX_AUDIENCE and not terms.names:
            what = f"you know more than {limits.MAX_AUDIENCE} people"
            return BadArgument(what, "Nothing was sent. Name some.", _TO_SOME)
        return None

    def _strangers_among(self, names: tuple[Name, ...]) -> SecurecomError | None:
        askers = self._askers()
        strangers = [] if askers is None else [name for name in names if name not in askers]
        if not strangers:
            return None
        what = f"you have never met {strangers[0]}, and let only people ask whom you have met"
        return BadArgument(what, "Nothing was sent.", ("set", "ask anyone"))

    def _people(self) -> frozenset[Name]:
        """Pins that cannot be read are nobody's."""
        try:
            return frozenset(self._station.contacts.names())
        except SecurecomError:
            return _NOBODY

    def _askers(self) -> frozenset[Name] | None:
        """Who may ask at all; None: anyone."""
        match self.choices.ask:
            case "anyone":
                return None
            case "people":
                return self._people()
        return _NOBODY

    def _audience(self) -> frozenset[Name] | None:
        audience = frozenset(self._terms.names) or None
        if self._terms.people:
            audience = self._people()
        askers = self._askers()
        if audience is None or askers is None:
            return audience if askers is None else askers
        return audience & askers

    def _busy_to(self) -> list[Name] | None:
        people = self._people() if self.choices.busy.people else _NOBODY
        names = people or frozenset(self.choices.busy.names)
        return sorted(names) if 0 < len(names) <= limits.MAX_AUDIENCE else None

    # --- the server -------------------------------------------------------------------------

    def _left(self) -> int | None:
        if self._timer is None:
            return None
        return max(1, round(self._timer.getTime() - self._station.clock.seconds()))

    def _tell(self, *, is_news: bool = True) -> Deferred[None]:
        wanted, left, audience = self._is_wanted, self._left(), self._coordinator.audience
        to: list[str] | None = None if audience is None or not wanted else sorted(audience)
        more: dict[str, Any] = {}
        if wanted:
            more = {"seconds": left, "audience": to, "busy_to": self._busy_to()}
        answer = self._station.line.ask(vocabulary.SetAvailability, available=wanted, **more)
        answer.addErrback(denied, vocabulary.SetAvailability)
        told = Availability(wanted, left, to)
        return answer.addCallback(lambda _: self._told(told) if is_news else None)

    def _told(self, event: Availability) -> None:
        self._station.show(event)
        if event.available:
            self._station.tell_missed()
