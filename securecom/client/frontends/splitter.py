"""Bytes of an input into its lines, in bounded memory, at the pace of whoever takes them."""

from __future__ import annotations

from securecom import limits
from securecom.errors import BadArgument, TooLong


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
        try:
            return line.removesuffix(b"\r").decode("utf-8")
        except UnicodeDecodeError:
            raise BadArgument("a line that is not UTF-8") from None

    @property
    def is_empty(self) -> bool:
        """Nothing is left of what was fed."""
        return not self._buffer

    def _take(self, end: int) -> None:
        """A line ends at `end`; below 0: with the buffer."""
        self._start = end + 1
        if not 0 < self._start < len(self._buffer):
            self._buffer, self._start = b"", 0
