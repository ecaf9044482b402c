"""What a client needs of a front-end; `frontends` has some."""

from __future__ import annotations

from typing import Protocol

from securecom.client.events import Event


class Frontend(Protocol):
    """Shows what happens."""

    def show(self, event: Event) -> None:
        """Tell the person. Must not raise, must not wait."""
