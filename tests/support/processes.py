"""Real processes under test, each with a deadline on every wait and a certain end.

A `Process` keeps all that it was told and all that it wrote. Waiting is for something to appear in
what it wrote, never for time to pass; when a deadline runs out, or the process ends meanwhile, the
failure shows its output.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import termios
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.process import ProcessReader
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import FailTest

from tests.support import nursery

T = TypeVar("T")
#: The tests' reactor, which is a module.
reactor: Any = _reactor

ROOT = Path(__file__).resolve().parents[2]
#: For anything that is waited for; long, since the machine may have other things to do.
DEADLINE = 60.0

# trial is about to change its folder: what children import is found by absolute paths.
_PYTHON_PATH = [str(ROOT), *(os.path.abspath(place) for place in sys.path if place)]
_SHOWN = 6000
_READ = 65536


def environment(home: Path, **more: str) -> dict[str, str]:
    """What a child sees: ours, but for settings of securecom and a home of its own.

    Python's own settings go too: `PYTHONUNBUFFERED`, common in containers, hides a server whose
    log stays in its buffer.
    """
    left_out = ("SECURECOM", "XDG_", "PYTHON")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(left_out)}
    own = {"PYTHONPATH": os.pathsep.join(_PYTHON_PATH), "HOME": str(home), "LC_ALL": "C.UTF-8"}
    own["TERM"] = "dumb"  # or a developer's terminal would decide which front-end is tested
    return {**kept, **own, **more}


class Process(ProcessProtocol):
    """One child process; it starts at once.

    :param files: the child's descriptors as `spawnProcess` takes them (default: three pipes).
    :param terminal: all three are a terminal of its own; what it echoes is in `output` too.
    """

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        files: Mapping[int, int | str] | None = None,
        folder: Path | None = None,
        terminal: bool = False,
    ) -> None:
        self.argv = list(argv)
        #: What came from each descriptor of the child.
        self.written: dict[int, bytearray] = {1: bytearray(), 2: bytearray()}
        #: The exit code, or minus the signal; None as long as it runs.
        self.exit_code: int | None = None
        self._changed: list[Deferred[None]] = []
        where = str(folder) if folder else None
        usual = environment(Path())
        if files is None and not terminal and nursery.can_raise(self.argv, env, usual):
            self._process: Any = nursery.Raised(
                reactor, argv[0], self.argv, dict(env), where, self, usual=usual
            )
        else:
            self._process = reactor.spawnProcess(
                self, argv[0], self.argv, dict(env), where, childFDs=files, usePTY=terminal
            )
        self.pid: int = self._process.pid
        # The kernel may report the end of a terminal or pipe without the data in front of it, and
        # Twisted then closes it unread (Twisted's issue 7932): we read the rest from these.
        ends = {1: self._process.fd} if terminal else self._readers()
        self._ours = {number: os.dup(end) for number, end in ends.items()}

    # --- what we see ------------------------------------------------------------------------

    @property
    def output(self) -> str:
        """Standard output so far."""
        return self.written[1].decode("utf-8", "replace")

    @property
    def errors(self) -> str:
        """Standard error so far."""
        return self.written[2].decode("utf-8", "replace")

    def __str__(self) -> str:
        told = [" ".join(self.argv), f"pid {self.pid}, exit code {self.exit_code}"]
        for number, data in self.written.items():
            if data:
                told += [f"descriptor {number}:", data.decode("utf-8", "replace")[-_SHOWN:]]
        return "\n".join(told)

    def memory(self) -> int:
        """The most memory that it has had so far, KiB; 0 where that cannot be known."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return 0
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        return int(found[1]) if found else 0

    async def until(self, what: str, find: Callable[[], T | None]) -> T:
        """What `find` finds in what the process has written, as soon as it finds anything."""
        end = reactor.seconds() + DEADLINE
        while (found := find()) is None:
            if self.exit_code is not None:
                raise FailTest(f"no {what}, and there will be none\n{self}")
            change: Deferred[None] = Deferred()
            self._changed.append(change)
            timer = reactor.callLater(max(end - reactor.seconds(), 0), change.cancel)
            try:
                await change
            except Exception:
                raise FailTest(f"no {what} within {DEADLINE:g} s\n{self}") from None
            finally:
                if timer.active():
                    timer.cancel()
        return found

    async def text(self, pattern: str) -> re.Match[str]:
        """A match in standard output or standard error."""
        compiled = re.compile(pattern, re.MULTILINE)
        return await self.until(
            repr(pattern), lambda: compiled.search(self.output) or compiled.search(self.errors)
        )

    async def ended(self) -> int:
        """Its exit code, when it has ended."""
        return await self.until("end", lambda: self.exit_code)

    # --- what we do -------------------------------------------------------------------------

    def type(self, text: str) -> None:
        """To its standard input."""
        self._process.write(text.encode("utf-8"))

    def terminal_modes(self) -> list[Any]:
        """Of its terminal, as `termios.tcgetattr` gives them."""
        return termios.tcgetattr(self._process.fd)

    def give(self, number: int, data: bytes) -> None:
        """All that its descriptor will ever read."""
        self._process.writeToChild(number, data)
        self._process.closeChildFD(number)

    def end_input(self) -> None:
        """Its standard input ends."""
        self._process.closeStdin()

    def stop_reading(self) -> None:
        """Nobody reads its standard output from now on."""
        self._process.pipes[1].stopReading()

    def go_on_reading(self) -> None:
        """And now again."""
        self._process.pipes[1].startReading()

    def close_output(self) -> None:
        """The reader of its standard output goes away."""
        os.close(self._ours.pop(1))
        self._process.closeStdout()

    def hang_up(self) -> None:
        """Its terminal is closed."""
        os.close(self._ours.pop(1))
        self._process.loseConnection()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        try:
            self._process.signalProcess(number)
        except ProcessExitedAlready:
            return

    def kill(self) -> Deferred[None]:
        """End it for sure; fires when it is gone."""
        gone: Deferred[None] = Deferred()
        if self.exit_code is not None:
            gone.callback(None)
            return gone
        self.signal(signal.SIGKILL)
        self._process.loseConnection()  # a pipe that nobody reads would keep it from ending

        def look(_: object = None) -> None:
            if self.exit_code is not None:
                gone.callback(None)
            else:
                change: Deferred[None] = Deferred()
                self._changed.append(change)
                change.addCallback(look)

        look()
        return gone

    # --- ProcessProtocol --------------------------------------------------------------------

    def childDataReceived(self, childFD: int, data: bytes) -> None:  # noqa: N803
        self.written.setdefault(childFD, bytearray()).extend(data)
        self.came(childFD, data)
        self._tell()

    def processEnded(self, reason: Failure) -> None:
        self._read_the_rest()
        how = reason.value
        self.exit_code = 0
        if isinstance(how, ProcessTerminated):
            self.exit_code = -how.signal if how.signal else how.exitCode
        elif not isinstance(how, ProcessDone):
            self.exit_code = 255
        self._tell()

    def came(self, number: int, data: bytes) -> None:
        """For subclasses: it wrote something."""

    def _readers(self) -> dict[int, int]:
        """Our ends of the pipes that it writes into, by its descriptors."""
        pipes = self._process.pipes.items()
        return {number: one.fileno() for number, one in pipes if isinstance(one, ProcessReader)}

    def _read_the_rest(self) -> None:
        """What it wrote and the reactor did not read; none of this waits."""
        while self._ours:
            number, ours = self._ours.popitem()
            with open(ours, "rb", buffering=0) as file, suppress(OSError):  # EIO: a terminal's end
                while data := file.read(_READ):
                    self.childDataReceived(number, data)

    def _tell(self) -> None:
        changed, self._changed = self._changed, []
        for one in changed:
            if not one.called:
                one.callback(None)
