"""Output to a terminal that never waits for it, however slow it is."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.internet.fdesc import writeToFD
from twisted.python.failure import Failure


def opened(number: int) -> int:
    """Open the terminal of a descriptor once more, so that it does not block for us alone.

    The open file behind standard output is the shell's too: if that were changed, the shell's next
    programs would fail to write, and after a SIGKILL nobody would change it back. Where the
    terminal's name is not known here (in some containers), that file has to do.
    """
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    for name in (os.ttyname, lambda _: "/dev/tty"):
        with contextlib.suppress(OSError):
            return os.open(name(number), flags)
    copy = os.dup(number)
    os.set_blocking(copy, False)
    return copy


class TerminalWriter(FileDescriptor):
    """Holds what the terminal has not taken yet. A producer is paused while that is much.

    :param number: a descriptor that does not block. It is closed at the end.
    """

    def __init__(self, reactor: Any, number: int) -> None:
        super().__init__(reactor)
        self._number = number
        self.connected = 1
        #: Fires when everything is written after `loseConnection`, or when the terminal is gone.
        self.over: Deferred[None] = Deferred()

    def fileno(self) -> int:
        """The descriptor, -1 once it is closed."""
        return self._number

    def writeSomeData(self, data: bytes) -> int | Exception:
        """FileDescriptor: write what there is room for."""
        written: int | Exception = writeToFD(self._number, data)
        return written

    def connectionLost(self, reason: Failure) -> None:
        """FileDescriptor: all is written, or the terminal is gone."""
        super().connectionLost(reason)
        if self._number >= 0:
            number, self._number = self._number, -1
            os.close(number)
        if not self.over.called:
            self.over.callback(None)


def hung_up(number: int) -> bool:
    """The terminal of a descriptor is gone: reading fails, or brings nothing for ever."""
    try:
        os.tcgetpgrp(number)
    except OSError as error:
        return error.errno in (errno.EIO, errno.EBADF, errno.ENXIO)
    return False
