"""Input split into lines, and output that waits for its reader."""

from __future__ import annotations

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.frontends.output import Output, Splitter, TerminalLines
from securecom.errors import BadArgument, TooLong


class SplitterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.splitter = Splitter()

    def lines(self) -> list[str]:
        return list(iter(self.splitter.next, None))

    def test_lines_in_pieces(self) -> None:
        self.splitter.feed(b"on")
        self.assertEqual(self.lines(), [])
        self.splitter.feed(b"e\r\ntwo\n\nthr")
        self.assertEqual(self.lines(), ["one", "two", ""])
        self.assertFalse(self.splitter.is_empty)

    def test_the_last_line_may_lack_its_end(self) -> None:
        self.splitter.feed(b"one\ntwo")
        self.splitter.end()
        self.assertEqual(self.lines(), ["one", "two"])
        self.assertTrue(self.splitter.is_empty)

    def test_an_input_that_ends_with_a_line_has_no_other(self) -> None:
        self.splitter.feed(b"one\n")
        self.splitter.end()
        self.assertEqual(self.lines(), ["one"])

    def test_a_line_that_is_not_utf_8_is_refused_alone(self) -> None:
        self.splitter.feed(b"\xff\xfe\nnext\n")
        self.assertRaises(BadArgument, self.splitter.next)
        self.assertEqual(self.lines(), ["next"])

    def test_a_line_over_the_limit_is_refused_once_and_skipped(self) -> None:
        self.splitter.feed(b"x" * (limits.MAX_LINE + 1))
        self.assertRaises(TooLong, self.splitter.next)
        for _ in range(3):
            self.splitter.feed(b"x" * limits.MAX_LINE)
            self.assertEqual(self.lines(), [])
            self.assertTrue(self.splitter.is_empty, "what is skipped is not kept")
        self.splitter.feed(b"x\nnext\n")
        self.assertEqual(self.lines(), ["next"])

    def test_a_whole_line_over_the_limit_is_refused(self) -> None:
        self.splitter.feed(b"x" * (limits.MAX_LINE + 1) + b"\nnext\n")
        self.assertRaises(TooLong, self.splitter.next)
        self.assertEqual(self.lines(), ["next"])

    def test_a_line_at_the_limit_is_taken(self) -> None:
        self.splitter.feed(b"x" * limits.MAX_LINE + b"\n")
        self.assertEqual(self.lines(), ["x" * limits.MAX_LINE])

    def test_many_short_lines_at_once_cost_no_more_than_their_bytes(self) -> None:
        """What is left is not copied for each line: that would be the square of it."""
        self.splitter.feed(b"\n" * 1000)
        kept = self.splitter._buffer
        for _ in range(999):
            self.assertEqual(self.splitter.next(), "")
            self.assertIs(self.splitter._buffer, kept)
        self.assertEqual(self.lines(), [""])
        self.assertTrue(self.splitter.is_empty)


class TerminalLinesTests(SynchronousTestCase):
    """What one read of a terminal brings, which is a line or a part of one."""

    def setUp(self) -> None:
        self.lines = TerminalLines()

    def read(self, *chunks: bytes) -> list[str]:
        for chunk in chunks:
            self.lines.feed(chunk)
        return list(iter(self.lines.next, None))

    def test_lines(self) -> None:
        self.assertEqual(self.read(b"one\n", b"two\r\n", b"\n"), ["one", "two", ""])
        self.assertTrue(self.lines.is_empty)
        self.lines.end()
        self.assertEqual(self.read(), [])

    # Promise R38
    def test_a_line_that_the_kernel_may_have_cut_is_refused(self) -> None:
        """The rest of it is gone, in the middle of a character perhaps."""
        most = limits.TERMINAL_LINE
        for text in ("x" * 9000, "\u4e00" * 1366, "\U0001f600" * 1024, "\u00e9" * 2100):
            self.lines.feed(text.encode()[:most] + b"\n")
            error = self.assertRaises(TooLong, self.lines.next)
            self.assertIn("4095 bytes or more", error.what)
            self.assertIn("Nothing was sent", error.hint)
        longest = "x" * (most - 1)
        self.assertEqual(self.read(longest.encode() + b"\n", b"next\n"), [longest, "next"])

    def test_also_if_the_end_of_it_came_by_itself(self) -> None:
        """A Ctrl-D behind it does not make it whole."""
        self.lines.feed(b"x" * limits.TERMINAL_LINE)
        self.lines.feed(b"the end\n")
        self.assertRaises(TooLong, self.lines.next)
        self.assertEqual(self.read(b"next\n"), ["next"])

    # Promise R39
    def test_a_ctrl_d_in_the_middle_sends_nothing(self) -> None:
        self.assertEqual(self.read(b"half a "), [])
        self.assertFalse(self.lines.is_empty)
        self.assertEqual(self.read(b"draft\n"), ["half a draft"], "as it stands on the screen")

    def test_an_unfinished_line_is_dropped_when_the_input_ends(self) -> None:
        self.read(b"half a draft")
        self.lines.end()
        error = self.assertRaises(BadArgument, self.lines.next)
        self.assertIn("not sent", error.hint)
        self.assertEqual(self.read(), [])
        self.assertTrue(self.lines.is_empty)

    def test_what_waits_for_its_end_is_bounded(self) -> None:
        for _ in range(100):
            self.lines.feed(b"x" * 1000)
        self.lines.feed(b"\n")
        self.assertRaises(TooLong, self.lines.next)
        self.assertLessEqual(len(self.lines._begun), limits.MAX_LINE + 1)

    def test_several_lines_in_one_read_are_several(self) -> None:
        self.assertEqual(self.read(b"a\nb\nc", b"d\n"), ["a", "b", "cd"])

    def test_a_line_that_is_not_utf_8_is_refused_alone(self) -> None:
        self.lines.feed(b"\xff\n")
        self.assertRaises(BadArgument, self.lines.next)
        self.assertEqual(self.read(b"next\n"), ["next"])


class OutputTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.full: list[bool] = []
        self.transport = StringTransport()
        self.output = Output(self.full.append, lambda count: [f"{count} missing"])

    def test_what_was_written_before_there_is_an_output_goes_out_first(self) -> None:
        self.output.write(["one"])
        self.output.connect(self.transport)
        self.output.write(["two"])
        self.assertEqual(self.transport.value(), b"one\ntwo\n")

    def test_a_slow_reader_stops_us_and_then_gets_everything(self) -> None:
        self.output.connect(self.transport)
        self.output.pauseProducing()
        line = "x" * 1023
        count = limits.MAX_UNSHOWN // 1024
        self.output.write([line] * count)
        self.assertEqual(self.full, [])
        self.output.write([line])
        self.output.write([line])
        self.assertEqual(self.full, [True])
        self.assertEqual(self.transport.value(), b"")
        self.output.resumeProducing()
        self.assertEqual(self.full, [True, False])
        self.assertEqual(self.transport.value().count(b"\n"), count + 2)

    def test_memory_is_bounded_and_what_is_missing_is_said(self) -> None:
        self.output.connect(self.transport)
        self.output.pauseProducing()
        line = "x" * 1023
        most = 2 * limits.MAX_UNSHOWN // 1024
        self.output.write([line] * (most + 5))
        self.output.resumeProducing()
        self.assertEqual(self.transport.value().count(line.encode()), most)
        self.assertTrue(self.transport.value().endswith(b"5 missing\n"))

    # Promise T70
    def test_what_must_not_be_missed_is_taken_also_then(self) -> None:
        self.output.connect(self.transport)
        self.output.pauseProducing()
        for _ in range(2 * limits.MAX_UNSHOWN // 1024):
            self.output.write(["x" * 1023])
        self.output.write(["a fact"])
        self.output.write(["y" * 1023] * 1024, kept=True)
        self.output.write(["x" * limits.MAX_UNSHOWN_AT_ALL], kept=True)
        self.output.resumeProducing()
        self.assertEqual(self.transport.value().count(b"y" * 1023), 1024)
        self.assertNotIn(b"a fact", self.transport.value())
        self.assertTrue(self.transport.value().endswith(b"2 missing\n"))

    def test_a_reader_that_stops_again_half_way_keeps_us_waiting(self) -> None:
        self.output.connect(self.transport)
        self.output.pauseProducing()
        self.output.write(["x" * limits.MAX_UNSHOWN, "y"])
        write = self.transport.write

        def write_and_fill(data: bytes) -> None:
            write(data)
            self.output.pauseProducing()

        self.patch(self.transport, "write", write_and_fill)
        self.output.resumeProducing()
        self.assertEqual(self.full, [True])
        self.output.resumeProducing()
        self.assertEqual(self.full, [True, False])

    def test_closing_writes_what_waits(self) -> None:
        self.output.connect(self.transport)
        self.output.pauseProducing()
        self.output.write(["last"])
        self.output.close()
        self.assertEqual(self.transport.value(), b"last\n")
        self.assertTrue(self.transport.disconnecting)
        self.assertIsNone(self.transport.producer, "or the transport would never close")
        self.output.close()

    def test_after_the_end_nothing_is_kept_and_nobody_held(self) -> None:
        for end in (Output.close, Output.stopProducing):
            self.setUp()
            self.output.connect(self.transport)
            self.output.pauseProducing()
            self.output.write(["x" * limits.MAX_UNSHOWN])
            end(self.output)
            self.assertEqual(self.full, [True, False])
            self.output.write(["x" * limits.MAX_UNSHOWN])
            self.assertEqual(self.full, [True, False])

    def test_a_lone_surrogate_cannot_stop_the_output(self) -> None:
        self.output.connect(self.transport)
        self.output.write(["\ud800"])
        self.assertEqual(self.transport.value(), b"\\ud800\n")
