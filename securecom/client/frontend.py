"""What a client needs of a front-end; `frontends` has some."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred

from securecom.client.events import Event


class Frontend(Protocol):
    """Shows what happens, and asks for what nobody may see."""

    def show(self, event: Event) -> None:
        """Tell the person. Must not raise, must not wait."""

    def ask_secret(self, question: str) -> Deferred[str]:
        """A pass phrase, typed unseen and never shown again.

        Fails with `NotNow` if there is nobody to ask, or the person rather says nothing.
        """
