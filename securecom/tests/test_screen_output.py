"""A terminal that is slow, stands still or is gone, and who draws on it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.frontends.fullscreen.screen_output import ScreenOutput

FRAME = "x" * 1000


class ScreenOutputTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(limits, "MAX_UNDRAWN_OUTPUT", 10 * len(FRAME))
        self.seen = b""
        self.most = 1 << 20
        self.caught_up = 0
        self.output = ScreenOutput(99, self.draw_anew, self.write)

    def draw_anew(self) -> None:
        self.caught_up += 1
        self.output.put("all of it")

    def write(self, number: int, data: bytes) -> int:
        self.assertEqual(number, 99)
        if not self.most:
            raise OSError
        self.seen += data[: self.most]
        return min(self.most, len(data))

    def flow(self) -> bytes:
        """The terminal takes all that waits."""
        self.output.end()
        self.output.write_all()
        seen, self.seen = self.seen, b""
        return seen

    def test_what_is_drawn_is_written_in_order(self) -> None:
        self.most = 3
        for text in ("one ", "two ", "ö\ud800"):
            self.output.put(text)
        self.assertEqual(self.flow(), "one two ö\\ud800".encode())
        self.assertEqual(self.caught_up, 0)

    # Promise R129
    def test_a_terminal_that_stands_still_costs_bounded_memory(self) -> None:
        for _ in range(10_000):
            self.output.put(FRAME)
        self.assertEqual(len(self.flow()), limits.MAX_UNDRAWN_OUTPUT + len(FRAME))

    # Promise R129
    def test_once_it_has_caught_up_everything_is_drawn_anew(self) -> None:
        for _ in range(20):
            self.output.put(FRAME)
        self.flow()
        self.assertEqual(self.caught_up, 1)
        self.output.put(", and more")
        self.assertEqual(self.flow(), b"all of it, and more")
        self.assertEqual(self.caught_up, 1)

    def test_at_the_end_frames_are_left_out_and_what_gives_the_terminal_back_is_not(self) -> None:
        for _ in range(20):
            self.output.put(FRAME)
        self.output.hurry()
        for _ in range(20):
            self.output.put("back ")
        self.assertEqual(self.flow(), b"back " * 20)
        self.assertEqual(self.caught_up, 0)

    def test_at_the_end_nothing_is_left_out_of_what_a_quick_terminal_gets(self) -> None:
        self.output.put("drawn, ")
        self.output.hurry()
        self.output.put("back")
        self.assertEqual(self.flow(), b"drawn, back")

    def test_a_terminal_that_is_gone_stops_nobody(self) -> None:
        self.most = 0
        for _ in range(20):
            self.output.put(FRAME)
        self.assertEqual(self.flow(), b"")
