"""Front-ends: how a person, or a program, sees the client and speaks to it.

A front-end gets events through `show` and calls the main role's methods. It holds no rule of the
protocol. `Silent` shows nothing and is whole: bots and tests may use it.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail

from securecom.client.events import Event
from securecom.errors import NotNow


class Silent:
    """The front-end that says nothing."""

    def show(self, event: Event) -> None:
        """Nothing."""

    def ask_secret(self, question: str) -> Deferred[str]:
        """Nobody is there."""
        return fail(NotNow("there is nobody to ask for a pass phrase"))
