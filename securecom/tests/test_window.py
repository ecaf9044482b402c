"""The window follows how long bytes wait."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.files.window import Window


class Line:
    """A line of so many bytes a second, with a round trip, and a buffer without end."""

    def __init__(self, rate: float, trip: float) -> None:
        self.window = Window()
        self._rate, self._trip = rate, trip
        self._free = self.now = 0.0
        self._under_way: list[tuple[float, int]] = []

    def run(self, seconds: float) -> float:
        """Send as much as may be; the bytes a second that arrived."""
        end, arrived = self.now + seconds, 0
        while self.now < end:
            while self.window.room >= limits.FILE_CHUNK:
                self.window.sent(limits.FILE_CHUNK, self.now)
                self._free = max(self._free, self.now) + limits.FILE_CHUNK / self._rate
                self._under_way.append((self._free + self._trip, limits.FILE_CHUNK))
            self.now, count = self._under_way.pop(0)
            self.window.kept(count, self.now)
            arrived += count
        return arrived / seconds

    @property
    def waits(self) -> float:
        """Seconds that a message would wait behind the file."""
        return max(0.0, self._free - self.now)


class WindowTests(SynchronousTestCase):
    def test_a_fast_line_gets_all_of_it(self) -> None:
        line = Line(rate=1e9, trip=0.001)
        line.run(1)
        self.assertEqual(line.window.size, limits.FILE_WINDOW)

    def test_a_slow_line_is_used_and_a_message_waits_little(self) -> None:
        for rate, trip in ((100_000.0, 0.05), (1e6, 0.02), (1e6, 0.3), (1e7, 0.1)):
            line = Line(rate, trip)
            line.run(20)
            self.assertGreater(line.run(20), 0.7 * rate)
            self.assertLess(line.waits, 3 * limits.FILE_QUEUE_DELAY)

    def test_it_is_never_smaller_than_its_least(self) -> None:
        line = Line(rate=20_000.0, trip=0.05)
        line.run(60)
        self.assertGreaterEqual(line.window.size, limits.FILE_WINDOW_LEAST)

    def test_what_a_cancelled_transfer_had_under_way_is_forgotten(self) -> None:
        window = Window()
        room = window.room
        window.sent(100_000, 0.0)
        self.assertEqual(window.room, room - 100_000)
        window.forget(100_000)
        self.assertEqual(window.room, room)
