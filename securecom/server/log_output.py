"""The server's log: what it writes, how much, and where.

Every event, ours or Twisted's, goes through one chain: the chain drops events below the chosen
level, replaces network addresses, counts repeated lines and writes the count once in a while,
rotates the file and deletes old ones. So strangers cannot fill the disk, and the log says nothing
about people.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Protocol, TextIO

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    eventAsText,
    formatTime,
)
from twisted.python.logfile import LogFile
from zope.interface import implementer

from securecom import limits, whole_files

LEVELS = tuple(level.name for level in LogLevel.iterconstants())
#: Log namespaces whose addresses are the server's own, and stay as they are.
_OWN = frozenset({"securecom.tap"})
#: Matches anything that may be an address, with the port after it as Twisted writes it.
_ADDRESS = re.compile(
    r"'?(?<![\w.:])([0-9A-Fa-f:.]*[:.][0-9A-Fa-f:.]*)(?:%\w+)?'?"
    r"(?:, ?(?:port=)?\d{1,5}\b|\]?:\d{1,5}\b)?"
)


class Sink(Protocol):
    """Where the log's lines go."""

    def write(self, text: str) -> object:
        """Write one or more whole lines."""


def without_addresses(text: str) -> str:
    """Replace every IPv4 or IPv6 address, and the port after it, with `(address)`."""
    return _ADDRESS.sub(_hidden, text)


def _hidden(found: re.Match[str]) -> str:
    candidate = found[1]
    for address in (candidate, candidate.rstrip(".:"), candidate.rpartition(":")[0]):
        try:
            ip_address(address)
        except ValueError:
            continue
        return "(address)" + candidate[len(candidate.rstrip(".")) :]
    return found[0]


def chosen(
    sink: Sink, level: str, clock: IReactorTime, now: Callable[[], float], addresses: bool
) -> tuple[ILogObserver, Callable[[], None]]:
    """Make an observer for all log events, and a function that writes the remaining counts.

    :param level: one of `LEVELS`.
    :param now: the wall clock, seconds since 1970.
    :param addresses: keep network addresses in the log.
    """
    lines = LogLines(sink, clock, now, addresses)
    predicate = LogLevelFilterPredicate(defaultLogLevel=LogLevel.levelWithName(level))
    return FilteringLogObserver(lines, [predicate]), lines.flush


@implementer(ILogObserver)
class LogLines:
    """Writes events as lines; counts those that repeat within `limits.LOG_REPEAT`.

    It writes the first of its kind at once, and one line with the number of repeats when the time
    is over. In that time it writes at most `limits.LOG_KINDS` different lines and only counts the
    others, so that varied lines cannot fill the disk either.
    """

    def __init__(
        self, sink: Sink, clock: IReactorTime, now: Callable[[], float], addresses: bool
    ) -> None:
        self._sink, self._clock, self._now, self._addresses = sink, clock, now, addresses
        self._again: dict[str, int] = {}
        self._left_out = 0
        self._timer: IDelayedCall | None = None

    def __call__(self, event: LogEvent) -> None:
        text = eventAsText(event, includeTimestamp=False)
        if not self._addresses and event.get("log_namespace") not in _OWN:
            text = without_addresses(text)
        if self._timer is None:
            self._timer = self._clock.callLater(limits.LOG_REPEAT, self._over)
        if text in self._again:
            self._again[text] += 1
        elif len(self._again) >= limits.LOG_KINDS:
            self._left_out += 1
        else:
            self._again[text] = 0
            self._write(event, text)

    def flush(self) -> None:
        """Write the counts, and start counting again."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._over()

    def _over(self) -> None:
        self._timer = None
        again, self._again = self._again, {}
        left_out, self._left_out = self._left_out, 0
        for text, count in again.items():
            if count:
                first = text.partition("\n")[0]
                self._write({}, f"({count} more within {limits.LOG_REPEAT:g} s) {first}")
        if left_out:
            self._write({}, f"({left_out} other lines within {limits.LOG_REPEAT:g} s not written)")

    def _write(self, event: LogEvent, text: str) -> None:
        stamp = formatTime(event.get("log_time", self._now()))
        lines = text[: limits.LOG_LINE].replace("\n", "\n\t")
        self._sink.write(f"{stamp} {lines}\n")


class BoundedFile(LogFile):
    """A log file that rotates by itself, keeps `limits.LOG_FILES` old ones, and can be reopened.

    Together they never exceed `limits.LOG_FILES + 1` times `limits.LOG_FILE_BYTES`, plus one line.
    """

    def __init__(self, path: Path) -> None:
        path = path.absolute()
        super().__init__(
            path.name,
            str(path.parent),
            rotateLength=limits.LOG_FILE_BYTES,
            defaultMode=None if path.exists() else whole_files.FILE_MODE,
            maxRotatedFiles=limits.LOG_FILES,
        )

    def reopen(self) -> None:
        """Open the file again, since another program has moved it; on failure, keep the old one."""
        before = self._file
        try:
            self._openFile()
        except OSError:
            return
        before.close()

    def rotate(self) -> None:
        """Move the file aside; if the folder does not allow that, empty it."""
        if not os.path.exists(self.path):  # another program has already moved it
            self.reopen()
            return
        before = self._file
        super().rotate()
        if self._file is before:
            self._file.truncate(0)
            self._file.seek(0)
            self.size = 0


class Syslog:
    """Sends lines to the system's log, as `twistd --syslog` does."""

    def __init__(self, prefix: str) -> None:
        import syslog

        self._send = syslog.syslog
        syslog.openlog(prefix, syslog.LOG_PID)

    def write(self, text: str) -> None:
        """Write a line without its time stamp, since the system adds its own."""
        self._send(text.partition(" ")[2].rstrip())


class Flushed:
    """Standard output, flushed after each line.

    Python does this itself only at a terminal. In a pipe or systemd's journal, lines would arrive
    in blocks of 8 KiB, hours late on a quiet server.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> None:
        """Write one or more whole lines."""
        self._file.write(text)
        self._file.flush()


def sink_of(twistd: Mapping[str, Any], standard_output: TextIO) -> Sink:
    """Open the log where twistd's own options say. :raises OSError: if that is impossible."""
    name = twistd.get("logfile")
    if twistd.get("syslog"):
        return Syslog(twistd.get("prefix") or "securecom")
    if name == "-" or (not name and twistd.get("nodaemon", True)):
        return Flushed(standard_output)
    return BoundedFile(Path(name or "twistd.log"))
