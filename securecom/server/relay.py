"""Joins the two legs of a chat: whole runs of frames, one write each, memory bounded.

The relay reads nothing. When one leg's reader is slow, the other leg's writer is held, so that
what waits between them is what two sockets hold; `limits.NO_PROGRESS` ends a reader that never
comes back.
"""

from __future__ import annotations

from typing import Protocol

_HOLD = "the other leg's congestion"


class Leg(Protocol):
    """One person's end of a chat: their standard channel."""

    is_congested: bool

    def send(self, frame: bytes) -> None:
        """Write whole frames to this person."""

    def hold(self, who: str) -> None:
        """Read nothing more from this person."""

    def release(self, who: str) -> None:
        """Read from them again."""


class Relay:
    """The two legs of one chat.

    :param stream: the number that both legs' chat frames bear.
    """

    def __init__(self, stream: int, one: Leg, other: Leg) -> None:
        self.stream = stream
        self._other: dict[Leg, Leg] = {one: other, other: one}
        for leg in (one, other):
            self.congestion_changed(leg)

    def forward(self, source: Leg, raw: bytes) -> None:
        """Whole frames from one leg go to the other as they are."""
        if target := self._other.get(source):
            target.send(raw)

    def congestion_changed(self, leg: Leg) -> None:
        """A leg became full or has room again: its counterpart is held or released."""
        if source := self._other.get(leg):
            if leg.is_congested:
                source.hold(_HOLD)
            else:
                source.release(_HOLD)

    def end(self) -> None:
        """Forward nothing more, hold nobody."""
        legs, self._other = list(self._other), {}
        for leg in legs:
            leg.release(_HOLD)
