"""What a process under test has written is read to its end, however that end comes."""

from __future__ import annotations

import os

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from tests.support.processes import Process
from tests.support.system_case import SystemCase


class LastWordsTests(SystemCase):
    """The kernel may tell of an end before it tells of data; the reactor then reads no more."""

    async def prepare(self) -> None:
        """No server is needed."""

    def written_unread(self, *, terminal: bool) -> Process:
        """A process that has ended, and of whose words the reactor knows nothing yet."""
        process = self.run_process("/bin/sh", "-c", "echo last words", terminal=terminal)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        self.assertEqual(process.output, "")
        return process

    async def test_at_a_terminal(self) -> None:
        process = self.written_unread(terminal=True)
        process._process.stopReading()
        process._process.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(await process.ended(), 0)
        self.assertEqual(process.output, "last words\r\n")

    async def test_in_a_pipe(self) -> None:
        process = self.written_unread(terminal=False)
        reader = process._process.pipes[1]  # not all of them: Twisted would wait for it at once
        reader.stopReading()
        reader.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(await process.ended(), 0)
        self.assertEqual(process.output, "last words\n")
