"""The warnings that an operator would see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from twisted.logger import (
    ILogObserver,
    LogEvent,
    LogLevel,
    formatEvent,
    globalLogPublisher,
)
from zope.interface import implementer


@implementer(ILogObserver)
class Warnings(list[str]):
    """The lines of warnings that an operator sees."""

    def __call__(self, event: LogEvent) -> None:
        if event["log_level"] >= LogLevel.warn:
            self.append(formatEvent(event))


@contextmanager
def warnings() -> Iterator[list[str]]:
    """What is logged meanwhile."""
    lines = Warnings()
    globalLogPublisher.addObserver(lines)
    try:
        yield lines
    finally:
        globalLogPublisher.removeObserver(lines)
