"""Output to a terminal that may be slow."""

from __future__ import annotations

import os
import pty
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from securecom.client.frontends.terminal_writer import TerminalWriter, hung_up, opened


@implementer(IPushProducer)
class Reader:
    """A producer that notes how it is told to go."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")

    def stopProducing(self) -> None:
        self.told.append("stop")


class TerminalWriterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.here, self.there = pty.openpty()
        self.addCleanup(self.close, self.here)
        self.addCleanup(self.close, self.there)
        self.reactor: Any = MemoryReactorClock()

    def close(self, number: int) -> None:
        try:
            os.close(number)
        except OSError:
            return

    def test_it_opens_a_file_of_its_own(self) -> None:
        """The one that the shell has too stays as it is."""
        number = opened(self.there)
        self.addCleanup(os.close, number)
        self.assertFalse(os.get_blocking(number))
        self.assertTrue(os.get_blocking(self.there))
        os.write(number, b"x")
        self.assertEqual(os.read(self.here, 10), b"x")

    def test_where_the_terminal_has_no_name_a_copy_has_to_do(self) -> None:
        real = os.open
        self.patch(os, "open", lambda *words: self.fail_to_open() if words else real(*words))
        number = opened(self.there)
        self.addCleanup(os.close, number)
        os.write(number, b"x")
        self.assertEqual(os.read(self.here, 10), b"x")

    def fail_to_open(self) -> int:
        raise OSError(6, "No such device or address")

    def test_a_slow_terminal_pauses_who_writes(self) -> None:
        writer = TerminalWriter(self.reactor, opened(self.there))
        reader = Reader()
        writer.registerProducer(reader, True)
        for _ in range(30):
            writer.write(b"x" * 10_000)
        writer.doWrite()
        writer.doWrite()  # nobody reads: the terminal takes no more
        self.assertEqual(set(reader.told), {"pause"})
        os.set_blocking(self.here, False)
        for _ in range(1000):
            try:
                os.read(self.here, 65536)
            except BlockingIOError:
                writer.doWrite()
        self.assertEqual(reader.told[-1], "resume")

    def test_the_end_comes_after_the_last_byte(self) -> None:
        writer = TerminalWriter(self.reactor, opened(self.there))
        writer.write(b"last")
        writer.loseConnection()
        self.assertNoResult(writer.over)
        result = writer.doWrite()
        if result:
            writer.connectionLost(result)
        self.successResultOf(writer.over)
        self.assertEqual(os.read(self.here, 10), b"last")
        self.assertEqual(writer.fileno(), -1)

    def test_a_terminal_that_is_gone(self) -> None:
        self.assertFalse(hung_up(0) and os.isatty(0))
        os.close(self.here)
        self.assertTrue(hung_up(self.there))
