"""Whether the person may be asked: by whom, until when, and what comes then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall

from securecom import commands, limits
from securecom.client.coordination.coordinator import Coordinator
from securecom.client.coordination.station import Station
from securecom.client.events import Availability
from securecom.client.terms import Pause, Terms
from securecom.errors import BadArgument
from securecom.identity import Name


class Presence:
    """Keeps the terms over reconnects, and ends them by itself; the server ends its lease, too.

    :param available: whether the person wants to be available once on line.
    :param time_of_day: seconds since midnight, here.
    """

    def __init__(
        self,
        station: Station,
        coordinator: Coordinator,
        available: bool,
        time_of_day: Callable[[], int],
    ) -> None:
        self._station, self._coordinator = station, coordinator
        self._time_of_day = time_of_day
        self._is_wanted = available
        self._terms = Terms()
        self._timer: IDelayedCall | None = None

    def come(self, terms: Terms) -> Deferred[None]:
        """Available from now on."""
        if terms.people and len(self._station.contacts.names()) > limits.MAX_AUDIENCE:
            hint = "Nothing was sent. Name some: /available to NAME NAME."
            return fail(BadArgument(f"your people are more than {limits.MAX_AUDIENCE}", hint))
        self._terms = terms
        return self._change(True, terms.seconds)

    def go(self, pause: Pause) -> Deferred[None]:
        """Away from now on, and back after the pause."""
        return self._change(False, pause.lasts(self._time_of_day()))

    def restore(self) -> None:
        """On line: what was wanted counts again."""
        self._coordinator.is_available = self._is_wanted
        self._coordinator.audience = self._audience()
        self._coordinator.reconsider()

    def announce(self, again: bool) -> None:
        """And the server is told; who is away hears it at the first log-in."""
        if self._is_wanted:
            self._tell().addErrback(lambda _: None)  # the loss is told as such
        elif not again:
            self._station.show(Availability(False, self._left()))

    def _change(self, wanted: bool, seconds: int | None) -> Deferred[None]:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        if seconds is not None:
            self._timer = self._station.clock.callLater(seconds, self._turn)
        self._is_wanted = wanted
        self.restore()  # "away" counts from now, whatever is on its way
        return self._tell() if self._station.is_online else succeed(None)

    def _turn(self) -> None:
        """The time is up: the other way round, until the person says so."""
        self._timer = None
        terms = Terms(None, self._terms.people, self._terms.names)
        turned = self._change(False, None) if self._is_wanted else self.come(terms)
        turned.addErrback(lambda _: None)  # the loss is told as such

    def _audience(self) -> frozenset[Name] | None:
        if self._terms.people:
            return frozenset(self._station.contacts.names())
        return frozenset(self._terms.names) or None

    def _left(self) -> int | None:
        if self._timer is None:
            return None
        return max(1, round(self._timer.getTime() - self._station.clock.seconds()))

    def _tell(self) -> Deferred[None]:
        wanted, left, audience = self._is_wanted, self._left(), self._coordinator.audience
        to: list[str] | None = None if audience is None or not wanted else sorted(audience)
        more: dict[str, Any] = {}
        if wanted:
            more = {"seconds": left, "audience": to}
        answer = self._station.line.ask(commands.SetAvailability, available=wanted, **more)
        told = Availability(wanted, left, to)
        return answer.addCallback(lambda _: self._told(told))

    def _told(self, event: Availability) -> None:
        self._station.show(event)
        if event.available:
            self._station.tell_missed()
