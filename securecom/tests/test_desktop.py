"""Notifications by `notify-send`: one at a time, never for ever, never on our terminal."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.program.desktop import Desktop, desktop_of


class _Processes(Clock):
    """A reactor whose processes the test ends."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[tuple[Any, list[str], Any]] = []
        self.signals: list[str] = []
        self.is_out = False

    def spawnProcess(self, protocol: Any, _: str, arguments: Any, **named: Any) -> Any:  # noqa: N802
        if self.is_out:
            raise OSError("no more processes")
        self.runs.append((protocol, arguments, named["childFDs"]))
        return self

    def signalProcess(self, name: str) -> None:  # noqa: N802
        self.signals.append(name)
        if len(self.signals) > 1:
            raise ProcessExitedAlready()

    def end(self) -> None:
        self.runs[-1][0].processEnded(Failure(ProcessDone(0)))


class DesktopTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = _Processes()
        self.notify = Desktop(self.reactor, "/usr/bin/notify-send", {"PATH": "/usr/bin"}).notify

    def test_it_shows_the_text_and_has_no_descriptor_of_ours(self) -> None:
        self.notify("--somebody asks")
        ((_, arguments, descriptors),) = self.reactor.runs
        self.assertEqual(arguments[-3:], ["--", "securecom", "--somebody asks"])
        self.assertEqual(descriptors, {})

    def test_one_at_a_time(self) -> None:
        for _ in range(5):
            self.notify("x")
        self.assertEqual(len(self.reactor.runs), 1)
        self.reactor.end()
        self.notify("x")
        self.assertEqual(len(self.reactor.runs), 2)

    def test_one_that_hangs_is_killed(self) -> None:
        self.notify("x")
        self.reactor.advance(limits.NOTIFY_DEADLINE)
        self.assertEqual(self.reactor.signals, ["KILL"])
        self.reactor.end()
        self.notify("x")
        self.reactor.advance(limits.NOTIFY_DEADLINE)  # that one has just exited

    def test_one_that_ends_is_not_killed(self) -> None:
        self.notify("x")
        self.reactor.end()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_no_process_to_be_had(self) -> None:
        self.reactor.is_out = True
        self.notify("x")
        self.reactor.is_out = False
        self.notify("x")
        self.assertEqual(len(self.reactor.runs), 1)

    def test_a_machine_without_the_program(self) -> None:
        folder = self.mktemp()
        os.mkdir(folder)
        self.assertIsNone(desktop_of(self.reactor, {"PATH": folder}))
        program = os.path.join(folder, "notify-send")
        os.close(os.open(program, os.O_CREAT | os.O_WRONLY, 0o700))
        self.assertIsNotNone(desktop_of(self.reactor, {"PATH": folder}))
