"""Who of the people we know can be asked for a chat now: looked up again and again, while a
front-end shows it.

The client asks the server for the list that `/users` shows, so the server tells nothing more than
that, and learns no name from us (docs/decisions/0058). The list is read page by page at a slow
pace, and to its end, whoever we know: where we stopped would tell a name to a server that chooses
its pages for that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from securecom import limits
from securecom.client.coordination.station import Station
from securecom.client.events import PeopleNow, PersonNow, Presence
from securecom.errors import SecurecomError
from securecom.identity import Name

#: Asks for the page of the list after a name.
Page = Callable[[str], Deferred[dict[str, Any]]]

#: By whether they are busy, if they are in the list.
_PRESENCE: dict[bool | None, Presence] = {None: "silent", True: "busy", False: "available"}


class PeopleWatch:
    """Shows `PeopleNow` whenever it is another than before.

    :param page: the server's list after a name, or an error.
    """

    def __init__(self, station: Station, page: Page) -> None:
        self._station, self._page = station, page
        self._is_wanted = self._is_asking = False
        self._timer: IDelayedCall | None = None
        self._found: dict[Name, bool] = {}  # in this round so far: are they busy?
        self._now: dict[Name, bool] = {}  # at the end of the last one
        self._pages = 0
        self._shown: PeopleNow | None = None
        station.people_changed = self._tell

    def watch(self, wanted: bool) -> None:
        """Begin, or end."""
        if wanted == self._is_wanted:
            return
        self._is_wanted = wanted
        if wanted:
            self._tell()
            self._begin()
        else:
            self._wait(None)
            self._shown = None

    def came_online(self) -> None:
        """The server can be asked."""
        self._begin()

    def went_offline(self) -> None:
        """Nobody can be asked for a chat any more."""
        self._wait(None)
        self._now = {}
        self._tell()

    def end(self) -> None:
        """The client is over."""
        self._is_wanted = False
        self._wait(None)

    # --- a round ----------------------------------------------------------------------------

    def _begin(self) -> None:
        """From the start of the list; there is nothing to ask for if we know nobody."""
        self._wait(None)
        if not self._is_wanted or self._is_asking or not self._station.is_online:
            return
        self._found, self._pages = {}, 0
        if not self._names():
            self._wait(limits.WATCH_INTERVAL, self._begin)
            return
        self._ask("")

    def _ask(self, after: str) -> None:
        self._is_asking = True
        self._pages += 1
        page = self._page(after)
        page.addBoth(self._answered)
        page.addCallback(self._turn, after)
        page.addErrback(lambda _: self._wait(limits.WATCH_INTERVAL, self._begin))

    def _answered(self, result: Any) -> Any:
        self._is_asking = False
        return result

    def _turn(self, page: dict[str, Any], after: str) -> None:
        """Go on, or end the round."""
        names: list[Name] = page["names"]
        if any(one <= former for one, former in zip(names, [after, *names], strict=False)):
            raise ValueError  # a list out of order could go on for ever: another round, later
        busy = set(page["busy"] or ())
        self._found.update({name: name in busy for name in names})
        is_done = not page["more"] or not names
        if not self._is_wanted or not self._station.is_online:
            return
        if is_done or self._pages >= limits.MAX_WATCH_PAGES:
            self._now = self._found
            self._tell()
            self._wait(limits.WATCH_INTERVAL, self._begin)
        else:
            self._wait(limits.WATCH_PAGE_INTERVAL, self._ask, names[-1])

    def _wait(
        self, seconds: float | None, call: Callable[..., None] | None = None, *arguments: Any
    ) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        if seconds is not None and call is not None and self._is_wanted:
            self._timer = self._station.clock.callLater(seconds, call, *arguments)

    # --- what is shown ----------------------------------------------------------------------

    def _names(self) -> list[Name]:
        """Pins that cannot be read are nobody's."""
        try:
            return self._station.contacts.names()
        except SecurecomError:
            return []

    def _tell(self) -> None:
        if not self._is_wanted:
            return
        people = PeopleNow([self._person(name) for name in self._names()])
        if people != self._shown:
            self._shown = people
            self._station.show(people)

    def _person(self, name: Name) -> PersonNow:
        return PersonNow(name, self._station.trust(name), _PRESENCE[self._now.get(name)])
