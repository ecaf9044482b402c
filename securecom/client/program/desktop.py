"""Notifications on the desktop, by the program `notify-send`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from securecom import limits

PROGRAM = "notify-send"
_TITLE = "securecom"


def desktop_of(
    reactor: Any, environment: Mapping[str, str] = os.environ
) -> Callable[[str], None] | None:
    """What shows a text on the desktop; None if there is no such program."""
    path = shutil.which(PROGRAM, path=environment.get("PATH"))
    return None if path is None else Desktop(reactor, path, environment).notify


class Desktop:
    """Runs `notify-send`, one at a time: while it runs, a further text is not shown.

    Its input and output are closed, so that it cannot disturb the terminal.
    """

    def __init__(self, reactor: Any, path: str, environment: Mapping[str, str]) -> None:
        self._reactor, self._path, self._environment = reactor, path, dict(environment)
        self._is_running = False

    def notify(self, text: str) -> None:
        """Show it."""
        if self._is_running:
            return
        self._is_running = True
        run = _Run(self._reactor, self._ended)
        arguments = [self._path, "--app-name", _TITLE, "--", _TITLE, text]
        try:
            process = self._reactor.spawnProcess(
                run, self._path, arguments, env=self._environment, childFDs={}
            )
        except OSError:  # no process to be had: the bell has rung all the same
            self._ended()
            return
        run.kill_later(process)

    def _ended(self) -> None:
        self._is_running = False


class _Run(ProcessProtocol):
    """One run of the program, killed if it does not end."""

    def __init__(self, reactor: Any, ended: Callable[[], None]) -> None:
        self._reactor, self._ended = reactor, ended
        self._deadline: IDelayedCall | None = None

    def kill_later(self, process: Any) -> None:
        """Kill it after the deadline."""
        self._deadline = self._reactor.callLater(limits.NOTIFY_DEADLINE, self._kill, process)

    def processEnded(self, reason: Failure) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._ended()

    def _kill(self, process: Any) -> None:
        with suppress(ProcessExitedAlready):
            process.signalProcess("KILL")
