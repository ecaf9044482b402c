"""Which chat frames a person may send: those of the one stream that is open to them.

This is where consent is enforced on every byte: a stream is opened only for an accepted chat.
"""

from __future__ import annotations

from collections import deque

from securecom import limits
from securecom.errors import NotYourStream
from securecom.framing import Run
from securecom.server.relay import Leg, Relay


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
