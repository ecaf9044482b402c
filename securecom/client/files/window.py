"""How much of a chat's files may be under way, so that a message never waits long behind them.

Every buffer between the two would otherwise fill up, and on a slow line there is room for minutes.
So the window follows how long bytes wait beyond what the fastest took (the idea of LEDBAT, RFC
6817): it grows while they hardly wait, and shrinks when they wait for `limits.FILE_QUEUE_DELAY`.
"""

from __future__ import annotations

import math
from collections import deque

from securecom import limits

_SHRINK = 0.7


class Window:
    """Counts bytes of all transfers of one direction together."""

    def __init__(self) -> None:
        self.size = float(limits.FILE_WINDOW_FIRST)
        self._sent = self._kept = 0
        self._marks: deque[tuple[int, float]] = deque()  # up to where, and when it was sent
        self._fastest = math.inf
        self._shrunk_at = 0  # what was sent by then was sent into the larger window

    @property
    def room(self) -> int:
        """Bytes that may be sent now."""
        return max(0, int(self.size) - (self._sent - self._kept))

    def sent(self, count: int, now: float) -> None:
        """So many bytes have left."""
        self._sent += count
        self._marks.append((self._sent, now))

    def kept(self, count: int, now: float) -> None:
        """The receiver has so many more on its disk."""
        was_full = self.room < limits.FILE_CHUNK
        self._kept += count
        waited = None
        while self._marks and self._marks[0][0] <= self._kept:
            waited = now - self._marks.popleft()[1]
        if waited is not None:
            self._fastest = min(self._fastest, waited)
            self._adapt(waited - self._fastest, count, was_full)

    def forget(self, count: int) -> None:
        """So many bytes that were sent will not be acknowledged: their transfer is over."""
        self._kept += count

    def _adapt(self, queued: float, count: int, was_full: bool) -> None:
        if queued > limits.FILE_QUEUE_DELAY:
            if self._kept >= self._shrunk_at:
                self.size = max(limits.FILE_WINDOW_LEAST, self.size * _SHRINK)
                self._shrunk_at = self._sent
        elif was_full and queued < limits.FILE_QUEUE_DELAY / 2:
            self.size = min(limits.FILE_WINDOW, self.size + count)
