"""The person's settings: shown, changed, kept. They count at once."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from securecom import limits
from securecom.client import events
from securecom.client.coordination.station import Station
from securecom.client.presence import Presence
from securecom.client.terms import Choices, KeptChoices, switch
from securecom.errors import BadArgument

_ABOUT = {
    "ask": "who may ask you at all, even while you are available: anyone, people (whose key you "
    "know), nobody",
    "busy": "who of them sees that you are busy; to others you seem offline: nobody, people, "
    "to NAME NAME",
    "notify": "what calls you when you are not looking, never with a word of what was said: off, "
    "bell, terminal (bell and a notification by the terminal), desktop (bell and notify-send)",
    "notify-names": "whether a notification says who it is about: on, off",
    "typing": "whether you and the other person of a chat see, in the full screen, when one of "
    "you is writing; from the next chat on, and only if both have it on: on, off",
    "downloads": "the folder for the files that you get: its whole path, or default",
}


class Settings:
    """Shows the settings, and changes one at a time."""

    def __init__(self, station: Station, presence: Presence, kept: KeptChoices) -> None:
        self._station, self._presence = station, presence
        self._keep = kept.keep

    @property
    def choices(self) -> Choices:
        """The same as values."""
        return self._presence.choices

    def all(self) -> events.AllSettings:
        """What is chosen now."""
        choices = self._presence.choices
        values = {
            "ask": choices.ask,
            "busy": str(choices.busy),
            "notify": choices.notify,
            "notify-names": switch(choices.notify_names),
            "typing": switch(choices.typing),
            "downloads": choices.downloads or "default",
        }
        return events.AllSettings([events.Setting(n, v, _ABOUT[n]) for n, v in values.items()])

    def change(self, text: str) -> Deferred[events.AllSettings]:
        """Choose something else; fires when the server knows, or the line is lost.

        :raises BadArgument: for what is no setting or no value of it.
        :raises ProfileProblem: if it cannot be kept. In both cases nothing changed.
        """
        choices = self._presence.choices.changed(text)
        self._check(choices)
        self._keep(choices)
        return self._presence.choose(choices).addCallback(lambda _: self.all())

    def _check(self, choices: Choices) -> None:
        is_new = choices.busy != self._presence.choices.busy
        if not is_new or not choices.busy.people:
            return
        if len(self._station.contacts.names()) > limits.MAX_AUDIENCE:
            what = f"you know more than {limits.MAX_AUDIENCE} people"
            hint = "Nothing was changed. Name some."
            raise BadArgument(what, hint, ("set", "busy to NAME NAME"))
