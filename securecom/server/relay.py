"""Which chat frames a person may send: those of the one stream that is open to them.

This is where consent is enforced on every byte: a stream is opened only for an accepted chat.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from securecom import limits
from securecom.errors import NotYourStream
from securecom.framing import Run


class Streams:
    """One person's open stream, and the ended ones whose late frames are harmless.

    :param leg: the person's standard channel.
    """

    def __init__(self, leg: Leg) -> None:
        self._leg = leg
        self._open: Relay | None = None
        self._ended: deque[int] = deque(maxlen=limits.ENDED_STREAMS)

    @property
    def ended(self) -> int:
        """How many ended ones are remembered."""
        return len(self._ended)

    def open(self, relay: Relay) -> None:
        """The relay's stream is this person's from now on."""
        self._open = relay

    def close(self, stream: int) -> None:
        """This stream is over; frames of it that are still on their way are dropped."""
        self._ended.append(stream)
        if self._open is not None and self._open.stream == stream:
            self._open = None

    def received(self, run: Run) -> None:
        """Frames came from this person.

        :raises NotYourStream: if this stream was never opened to them.
        """
        if self._open is not None and run.stream == self._open.stream:
            self._open.forward(self._leg, run.raw)
        elif run.stream not in self._ended:
            raise NotYourStream("chat frames for a stream that was never opened to their sender")

    def congestion_changed(self) -> None:
        """The leg became full or has room again."""
        if self._open is not None:
            self._open.congestion_changed(self._leg)


# --- Joins the two legs of a chat: whole runs of frames, one write each, memory bounded -------
# The relay reads nothing. When one leg's reader is slow, the other leg's writer is held, so that
# what waits between them is what two sockets hold; `limits.NO_PROGRESS` ends a reader that never
# comes back.

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
