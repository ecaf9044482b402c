"""The end of a chat that both agreed to for so long and no longer.

Each client ends its own side, by its own clock, which no peer and no server can turn back.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from securecom import limits
from securecom.client.chat.agreement import Agreement
from securecom.client.events import Ending, Event, TimeLeft


class TimeLimit:
    """Counts from when the chat stands.

    :param show: tells the person, `limits.TIME_WARNING` before the end of a chat longer than that.
    :param leave: ends the chat.
    """

    def __init__(
        self,
        agreement: Agreement,
        clock: IReactorTime,
        show: Callable[[Event], None],
        leave: Callable[[], None],
    ) -> None:
        self._seconds, self._peer = agreement.seconds, agreement.peer
        self._clock, self._show, self._leave = clock, show, leave
        self._timers: list[IDelayedCall] = []
        self._ends: float | None = None
        self._is_up = False

    def begin(self) -> None:
        """The chat stands."""
        if self._seconds is None:
            return
        self._ends = self._clock.seconds() + self._seconds
        self._timers = [self._clock.callLater(self._seconds, self._end)]
        if self._seconds > limits.TIME_WARNING:
            before = self._seconds - limits.TIME_WARNING
            self._timers.append(self._clock.callLater(before, self._warn))

    def stop(self) -> None:
        """Somebody ends the chat, in so many words, before its time."""
        self._ends = None
        timers, self._timers = self._timers, []
        for timer in timers:
            if timer.active():
                timer.cancel()

    def ending(self, ending: Ending | None) -> Ending | None:
        """The chat ends: was it its time? A peer's clock may be a little ahead of ours."""
        ends = self._ends
        self.stop()
        if ending == "by-me" and self._is_up:
            return "time-up"
        if ending == "by-peer" and ends is not None:
            is_close = ends - self._clock.seconds() <= limits.TIME_UP_MARGIN
            return "time-up" if is_close else ending
        return ending

    def _warn(self) -> None:
        self._show(TimeLeft(self._peer, int(limits.TIME_WARNING)))

    def _end(self) -> None:
        self._is_up = True
        self._leave()
