"""The way of chat frames: from their sender, if a chat is open to them, to the other person.

Here consent is enforced on every byte, since a stream is opened only for an accepted chat. Nothing
is read: whole runs of frames pass as they are, one write each. When one person reads slowly, the
other's connection is held, so that no more waits between them than two sockets hold;
`limits.NO_PROGRESS` ends a connection that never drains.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from securecom import limits
from securecom.errors import NotYourStream
from securecom.framing import Run


class Streams:
    """The stream that is open to one person, and ended ones whose late frames are harmless.

    :param leg: the person's standard channel.
    """

    __slots__ = ("_ended", "_leg", "_open")

    def __init__(self, leg: Leg) -> None:
        self._leg = leg
        self._open: Relay | None = None
        self._ended: tuple[int, ...] = ()

    @property
    def ended(self) -> int:
        """The number of ended streams that are remembered."""
        return len(self._ended)

    def open(self, relay: Relay) -> None:
        """Open the relay's stream to this person."""
        self._open = relay
        forward = partial(relay.forward, self._leg)
        self._leg.forward_straight(relay.stream, forward, relay.beyond(self._leg))

    def close(self, stream: int) -> None:
        """Close this stream; frames of it that are still on their way will be dropped."""
        self._ended = (*self._ended, stream)[-limits.ENDED_STREAMS :]
        if self._open is not None and self._open.stream == stream:
            self._open = None
            self._leg.forward_no_more()

    def received(self, run: Run) -> None:
        """Forward frames from this person, or drop those of an ended stream.

        Those of the open stream come here only if they did not go straight to the relay.

        :raises NotYourStream: this stream was never opened to them.
        """
        if self._open is not None and run.stream == self._open.stream:
            self._open.forward(self._leg, run.raw)
        elif run.stream not in self._ended:
            raise NotYourStream("chat frames for a stream that was never opened to their sender")

    def congestion_changed(self) -> None:
        """The leg became full or has room again."""
        if self._open is not None:
            self._open.congestion_changed(self._leg)


_HOLD = "the other leg's congestion"


class Leg(Protocol):
    """One person's end of a chat: their standard channel."""

    is_congested: bool

    def send(self, frame: bytes) -> None:
        """Write whole frames to this person."""

    def forward_straight(
        self, stream: int, forward: Callable[[bytes], None], target: object = None
    ) -> None:
        """Give whole frames of this stream to `forward`, and not to `Streams.received`.

        They may as well go to the target straight away, which is where `forward` sends them.
        """

    def forward_no_more(self) -> None:
        """Give all frames to `Streams.received` again."""

    def hold(self, who: str) -> None:
        """Stop reading from this person."""

    def release(self, who: str) -> None:
        """Read from them again."""


class Relay:
    """Joins the two legs of one chat.

    :param stream: the stream number in both legs' chat frames.
    """

    def __init__(self, stream: int, one: Leg, other: Leg) -> None:
        self.stream = stream
        self._other: dict[Leg, Leg] = {one: other, other: one}
        for leg in (one, other):
            self.congestion_changed(leg)

    def forward(self, source: Leg, raw: bytes) -> None:
        """Pass whole frames from one leg to the other as they are."""
        if target := self._other.get(source):
            target.send(raw)

    def beyond(self, leg: Leg) -> Leg | None:
        """The other leg; None if this one has none, or no more."""
        return self._other.get(leg)

    def congestion_changed(self, leg: Leg) -> None:
        """A leg became full, or has room again: hold or release the other."""
        if source := self._other.get(leg):
            if leg.is_congested:
                source.hold(_HOLD)
            else:
                source.release(_HOLD)

    def end(self) -> None:
        """Forward nothing more, and hold nobody."""
        legs, self._other = list(self._other), {}
        for leg in legs:
            leg.forward_no_more()
            leg.release(_HOLD)
