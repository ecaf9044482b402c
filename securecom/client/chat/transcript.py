"""The rows of an agreed log, as they are written: time, who, text.

A peer's text cannot stand in another's place: every row of it, its second lines too, begins with
the time, the name and a bar, and what a terminal would obey is made visible.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from securecom import limits
from securecom.errors import LogFailed
from securecom.identity import Name
from securecom.text import shown

_OURS = "--"  # no name begins like that


class LogFile(Protocol):
    """Where rows go; both methods may raise OSError."""

    @property
    def path(self) -> str:
        """Where people find it."""

    def append(self, data: bytes) -> None:
        """At its end, at once."""

    def close(self) -> None:
        """There is no more."""


class Logs(Protocol):
    """Where the files of agreed logs are."""

    def now(self) -> float:
        """Seconds since 1970."""

    def open(self, peer: Name) -> LogFile:
        """A new file. :raises OSError:"""


class Transcript:
    """One log, from both having said so to its end.

    :param peer: with whom.
    :raises LogFailed: if there can be no file.
    """

    def __init__(self, logs: Logs, peer: Name, first: str) -> None:
        self._now: Callable[[], float] = logs.now
        self.since = int(logs.now())
        self._size = 0
        try:
            self._file = logs.open(peer)
        except OSError as error:
            raise _failed(error) from None
        self.path = self._file.path
        day = time.strftime("%Y-%m-%d", time.localtime(self.since))
        try:
            self._write(_OURS, f"{day}: {first}")
        except LogFailed:
            self.end("it could not be written")
            raise

    def message(self, who: Name, text: str) -> None:
        """:raises LogFailed: if it cannot be written, or the log is as long as it may be."""
        self._write(f"{who}|", text)

    def end(self, why: str) -> None:
        """Say so, if that is still possible, and close the file."""
        with suppress(OSError):  # it may be the disk that ends it
            self._file.append(self._rows(_OURS, f"the log ends: {why}"))
        with suppress(OSError):
            self._file.close()

    def _write(self, mark: str, text: str) -> None:
        data = self._rows(mark, text)
        if self._size + len(data) > limits.MAX_LOG_BYTES:
            raise LogFailed(f"the log has {limits.MAX_LOG_BYTES} bytes, which is the most")
        try:
            self._file.append(data)
        except OSError as error:
            raise _failed(error) from None
        self._size += len(data)

    def _rows(self, mark: str, text: str) -> bytes:
        at = time.strftime("%H:%M:%S", time.localtime(self._now()))
        lines = text.split("\n", limits.MAX_LINES_SHOWN)
        return "".join(f"{at}  {mark} {shown(line)}\n" for line in lines).encode("utf-8")


def _failed(error: OSError) -> LogFailed:
    return LogFailed(f"the log cannot be written ({(error.strerror or str(error)).lower()})")
