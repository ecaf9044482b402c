"""What is drawn on its way to the terminal, which may be slow, stand still or be gone.

The application never waits for it: a thread writes, and while much waits, what is drawn meanwhile
is left out. Once the terminal has taken all that waited, everything is drawn anew.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from queue import SimpleQueue

from securecom import limits


def written_soon(number: int, data: bytes) -> int:
    """Wait until a terminal takes something, and write; the number of bytes.

    A write that waits inside the kernel would keep everybody else from changing the terminal's
    modes, so the descriptor must not block. :raises OSError: if the terminal is gone.
    """
    select.select([], [number], [])
    try:
        return os.write(number, data)
    except BlockingIOError:
        return 0


class ScreenOutput:
    """Between who draws and the thread that writes, which runs `write_all`.

    Nothing here takes a lock that a signal handler could find taken.

    :param number: the terminal's descriptor, which does not block.
    :param caught_up: called in the thread when all is written after something was left out.
    """

    def __init__(
        self,
        number: int,
        caught_up: Callable[[], None],
        write: Callable[[int, bytes], int] = written_soon,
    ) -> None:
        self._number, self._caught_up, self._write = number, caught_up, write
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self._put = self._taken = 0  # bytes; each is changed by one thread alone
        self._skipped_to = 0
        self._leaves_out = self._is_ending = False

    def put(self, text: str) -> None:
        """Have it written, unless so much waits that it is left out."""
        if self._leaves_out and not self._is_ending:
            return
        data = text.encode("utf-8", "backslashreplace")
        if not self._is_ending and self._put - self._taken > limits.MAX_UNDRAWN_OUTPUT:
            self._leaves_out = True
            data = b""  # the thread finds this when it has written what was before
        self._put += len(data)
        self._queue.put(data)

    def hurry(self) -> None:
        """What follows gives the terminal back: nothing of it is left out, but what waits is, if
        the terminal has fallen behind.
        """
        if self._leaves_out:
            self._skipped_to = self._put
        self._is_ending = True

    def end(self) -> None:
        """The thread ends when it has written what was put so far."""
        self._queue.put(None)

    def write_all(self) -> None:
        """Write until the end; in a thread, since the terminal may take its time."""
        is_gone = False
        while (data := self._queue.get()) is not None:
            start, end = self._taken, self._taken + len(data)
            if not is_gone and start >= self._skipped_to:
                is_gone = not self._written(data)
            self._taken = end
            if self._leaves_out and end == self._put and not self._is_ending:
                self._leaves_out = False
                self._caught_up()

    def _written(self, data: bytes) -> bool:
        """False: the terminal is gone."""
        try:
            while data:
                data = data[self._write(self._number, data) :]
        except OSError:
            return False
        return True
