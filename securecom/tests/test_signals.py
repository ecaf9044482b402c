"""What a signal asks for is done by the reactor, not inside the handler."""

from __future__ import annotations

import ast
import io
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from twisted.logger import Logger, LogPublisher, textFileLogObserver
from twisted.trial.unittest import SkipTest, SynchronousTestCase

import securecom
from securecom.signals import on_signal

ROOT = Path(securecom.__file__).parent.parent
#: Files that install a handler of their own, and why that is safe.
EXEMPT = {
    "securecom/signals.py": "the one place",
    "securecom/client/program/standard_io.py": "before the reactor runs: ends us, by an exception",
    "securecom/client/frontends/line_editor.py": "the default, for a stop, and ours again",
    "securecom/client/frontends/fullscreen/enrolment.py": "before Twisted's reactor: asyncio's",
    "tests/support/nursery.py": "what a fresh process has",
    "securecom/tests/test_standard_io.py": "sets the default, and what was there again",
    "securecom/tests/test_contacts.py": "SIGALRM ends a test that hangs, by an exception",
    "benchmarks/sampling.py": "looks at the stack that it interrupts, and writes nothing",
}


class LaterReactor:
    """Keeps what it is given by `callFromThread` until `turn`."""

    def __init__(self) -> None:
        self.calls: list[tuple[Callable[..., object], tuple[Any, ...]]] = []

    def callFromThread(self, call: Callable[..., object], *arguments: Any) -> None:  # noqa: N802
        self.calls.append((call, arguments))

    def turn(self) -> None:
        calls, self.calls = self.calls, []
        for call, arguments in calls:
            call(*arguments)


class SignallingFile(io.RawIOBase):
    """A file that sends this process a signal while its first write is under way."""

    def __init__(self) -> None:
        self.held = b""
        self._sent = False

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.held += bytes(data)
        if not self._sent:
            self._sent = True
            os.kill(os.getpid(), signal.SIGUSR1)
        return len(data)


class HandlerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.addCleanup(signal.signal, signal.SIGUSR1, signal.getsignal(signal.SIGUSR1))
        self.reactor = LaterReactor()

    # Promise R1
    def test_the_call_is_made_in_the_reactors_next_turn(self) -> None:
        seen: list[str] = []
        on_signal(self.reactor, signal.SIGUSR1, seen.append, "came")
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR1)
        self.assertEqual(seen, [])
        self.reactor.turn()
        self.assertEqual(seen, ["came", "came"])

    # Promise R1
    def test_a_signal_in_the_middle_of_a_log_line_loses_no_line(self) -> None:
        file = SignallingFile()
        log_file = io.TextIOWrapper(io.BufferedWriter(file), encoding="utf-8")
        log = Logger(observer=LogPublisher(textFileLogObserver(log_file)))
        on_signal(self.reactor, signal.SIGUSR1, log.info, "the signal's own line")
        log.info("interrupted")
        self.reactor.turn()
        log.info("afterwards")
        lines = [line.partition("] ")[2] for line in file.held.decode().splitlines()]
        self.assertEqual(lines, ["interrupted", "the signal's own line", "afterwards"])


class EverywhereTests(SynchronousTestCase):
    # Promise R2
    def test_nobody_else_installs_a_handler(self) -> None:
        if not (ROOT / "benchmarks").exists():
            raise SkipTest("an installed package has only a part of the source")
        found = {str(path.relative_to(ROOT)) for path in self._sources() if _installs(path)}
        self.assertEqual(found, set(EXEMPT))

    @staticmethod
    def _sources() -> Iterator[Path]:
        for folder in ("securecom", "tests", "benchmarks", "docs"):
            yield from (ROOT / folder).rglob("*.py")


def _installs(path: Path) -> bool:
    """The file calls `signal.signal`."""
    calls = (
        node.func
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
    )
    return any(ast.unparse(function) == "signal.signal" for function in calls)
