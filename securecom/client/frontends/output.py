"""Lines in and out: bytes of an input cut into lines, and lines for an output that may be slow.

Both hold a bounded amount: a slow reader makes the client stop reading, from the server too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IPushProducer, ITransport
from zope.interface import implementer

from securecom import limits
from securecom.errors import BadArgument, TooLong


class LineSource(Protocol):
    """Puts lines together from what comes in, in pieces."""

    def feed(self, data: bytes) -> None:
        """More of the input."""

    def end(self) -> None:
        """There is no more."""

    def next(self) -> str | None:
        """The next line, or None. :raises SecurecomError: for one that nothing can be done with."""

    @property
    def is_empty(self) -> bool:
        """Nothing is left of what was fed."""


class Splitter:
    """Lines end with LF or CRLF; the last one may lack its end."""

    def __init__(self) -> None:
        self._buffer = b""
        self._start = 0  # what is before it was taken
        self._skips = False  # the rest of a line that was too long
        self._has_ended = False

    def feed(self, data: bytes) -> None:
        """More of the input."""
        if self._skips:
            _, end, data = data.partition(b"\n")
            self._skips = not end
        self._buffer = self._buffer[self._start :] + data
        self._start = 0

    def end(self) -> None:
        """There is no more."""
        self._has_ended = True

    def next(self) -> str | None:
        """The next line, without its end, or None if there is no whole one.

        :raises TooLong: for a line over the limit, which is gone then.
        :raises BadArgument: for a line that is not UTF-8, likewise.
        """
        end = self._buffer.find(b"\n", self._start)
        is_whole = end >= 0
        line = self._buffer[self._start : end if is_whole else None]
        if len(line) > limits.MAX_LINE:
            self._skips = not is_whole
            self._take(end)
            raise TooLong(f"a line of more than {limits.MAX_LINE} bytes")
        if not is_whole and not (self._has_ended and line):
            return None
        self._take(end)
        return _decoded(line)

    @property
    def is_empty(self) -> bool:
        """Nothing is left of what was fed."""
        return not self._buffer

    def _take(self, end: int) -> None:
        """A line ends at `end`; below 0: with the buffer."""
        self._start = end + 1
        if not 0 < self._start < len(self._buffer):
            self._buffer, self._start = b"", 0


class TerminalLines:
    """The same for a terminal in the kernel's line mode, where each read brings one line at most.

    That mode keeps so many bytes of a line, drops what is typed behind them, and says nothing: a
    line that came that far is refused. A read without the end of a line is a Ctrl-D in the middle:
    what it brought waits for the rest of the line, as it does on the screen, and is no line if the
    input ends before that.
    """

    def __init__(self) -> None:
        self._whole: deque[bytes | None] = deque()  # None: it may have been cut
        self._begun = b""
        self._may_be_cut = False
        self._was_begun = False  # the input ended in the middle of a line

    def feed(self, data: bytes) -> None:
        """What one read brought."""
        *whole, rest = data.split(b"\n")
        for line in whole:
            self._feed(line + b"\n")
        if rest:
            self._feed(rest)

    def _feed(self, piece: bytes) -> None:
        text = piece.removesuffix(b"\n")
        self._may_be_cut |= len(text) >= limits.TERMINAL_LINE
        self._begun = (self._begun + text)[: limits.MAX_LINE + 1]
        if piece.endswith(b"\n"):
            self._whole.append(None if self._may_be_cut else self._begun)
            self._begun, self._may_be_cut = b"", False

    def end(self) -> None:
        """There is no more."""
        self._was_begun = bool(self._begun)
        self._begun = b""

    def next(self) -> str | None:
        """The next line, without its end, or None if there is no whole one.

        :raises TooLong: for a line that the kernel may have cut, or over the limit.
        :raises BadArgument: for a line that is not UTF-8, or the last one if it was not finished.
        """
        if not self._whole:
            if self._was_begun:
                self._was_begun = False
                raise BadArgument("the line that was begun was not finished", "It was not sent.")
            return None
        line = self._whole.popleft()
        if line is None:
            raise TooLong(
                f"a line of {limits.TERMINAL_LINE} bytes or more, of which a terminal may drop the "
                "end",
                "Nothing was sent. Write it as several lines, or send it from a file.",
            )
        if len(line) > limits.MAX_LINE:
            raise TooLong(f"a line of more than {limits.MAX_LINE} bytes")
        return _decoded(line)

    @property
    def is_empty(self) -> bool:
        """Nothing is left of what was fed."""
        return not self._whole and not self._begun


def _decoded(line: bytes) -> str:
    try:
        return line.removesuffix(b"\r").decode("utf-8")
    except UnicodeDecodeError:
        raise BadArgument("a line that is not UTF-8") from None


# --- lines out --------------------------------------------------------------------------------
# When the reader is slow we first take in nothing more (`full`). What comes nevertheless and would
# fill the memory is counted instead of kept, and the count is shown once there is room again.


@implementer(IPushProducer)
class Output:
    """What waits for one slow reader.

    :param full: called with True when too much waits, with False when all of it has gone.
    :param missing: says in a line that so many were not shown.
    """

    def __init__(self, full: Callable[[bool], None], missing: Callable[[int], list[str]]) -> None:
        self._full = full
        self._missing = missing
        self._transport: ITransport | None = None
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._dropped = 0
        self._is_paused = True
        self._is_full = False
        self._is_over = False

    def connect(self, transport: ITransport) -> None:
        """Begin: what was written so far goes out."""
        self._transport = transport
        transport.registerProducer(self, True)  # type: ignore[attr-defined]
        self.resumeProducing()

    def write(self, lines: list[str], *, kept: bool = False) -> None:
        """Write lines, or keep them until the reader has room. Afterwards nobody reads them.

        :param kept: these must not be among the missing.
        """
        most = limits.MAX_UNSHOWN_AT_ALL if kept else 2 * limits.MAX_UNSHOWN
        if self._is_over:
            return
        for line in lines:
            data = line.encode("utf-8", "backslashreplace") + b"\n"
            if self._size + len(data) > most:
                self._dropped += 1
                continue
            self._waiting.append(data)
            self._size += len(data)
        self._flush()
        if self._size > limits.MAX_UNSHOWN and not self._is_full:
            self._is_full = True
            self._full(True)

    def control(self, text: str) -> None:
        """Write control characters, which stand in no line; none, if the reader is that slow."""
        data = text.encode("ascii", "ignore")
        if not self._is_over and self._size + len(data) <= limits.MAX_UNSHOWN:
            self._waiting.append(data)
            self._size += len(data)
            self._flush()

    def close(self) -> None:
        """Hand everything to the transport, which closes when it has written it."""
        if self._transport is not None:
            transport, self._transport = self._transport, None
            transport.writeSequence(list(self._waiting))
            transport.unregisterProducer()  # type: ignore[attr-defined]
            transport.loseConnection()
        self._end()

    def _end(self) -> None:
        """Keep nothing, hold nobody: who leaves has answers to read."""
        self._is_over = True
        self._waiting.clear()
        self._size = 0
        if self._is_full:
            self._is_full = False
            self._full(False)

    def _flush(self) -> None:
        while self._waiting and not self._is_paused and self._transport is not None:
            data = self._waiting.popleft()
            self._size -= len(data)
            self._transport.write(data)  # may pause us

    # IPushProducer

    def pauseProducing(self) -> None:
        """The transport is full."""
        self._is_paused = True

    def resumeProducing(self) -> None:
        """The transport has room."""
        self._is_paused = False
        self._flush()
        if self._waiting:
            return
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self.write(self._missing(dropped))
        if self._is_full:
            self._is_full = False
            self._full(False)

    def stopProducing(self) -> None:
        """The transport is gone; whoever owns it hears of it too."""
        self._transport = None
        self._end()
