"""A Redis or Valkey of a test's own: on a unix socket in a folder of its own, or on loopback.

Its data are in memory alone, so a restarted one knows nothing. A test that needs it is skipped
where none is installed; `tests.suite` knows which ones.
"""

from __future__ import annotations

import re
import shutil
import signal
import tempfile
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest

from tests.support.processes import Process, environment

#: Why tests are skipped, for `tests.suite`.
NO_ENGINE = "there is no redis-server or valkey-server"
PROGRAMS = ("redis-server", "valkey-server")


def program(name: str | None = None) -> str:
    """The engine's program: this one, or the first that is installed."""
    for each in PROGRAMS if name is None else (name,):
        if (found := shutil.which(each)) is not None:
            return found
    raise SkipTest(NO_ENGINE if name is None else f"there is no {name}")


class RunningEngine:
    """An engine's process. `close` ends it.

    :param options: beside what every engine gets: no files, and a socket in a folder of its own.
    """

    def __init__(self, *options: str, name: str | None = None) -> None:
        self._program = program(name)
        self._folder = Path(tempfile.mkdtemp(prefix="engine-"))  # short: a path has 107 bytes
        self.socket = self._folder / "socket"
        self._options = options
        self.process = self._start()

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    @property
    def port(self) -> int:
        """Where it listens on loopback, if its options say so."""
        found = re.search(r"--(?:tls-)?port (\d+)", " ".join(self._options))
        assert found is not None
        return int(found[1])

    def _start(self) -> Process:
        own = ["--port", "0", "--unixsocket", str(self.socket), "--dir", str(self._folder)]
        argv = [self._program, *own, "--save", "", "--appendonly", "no", *self._options]
        return Process(argv, environment(self._folder))

    async def ready(self) -> RunningEngine:
        await self.process.text("eady to accept connections")
        return self

    async def restart(self) -> None:
        """Kill it, and start it again."""
        await self.kill()
        self.process = self._start()
        await self.ready()

    async def kill(self) -> None:
        await self.process.kill()

    def freeze(self) -> None:
        self.process.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.signal(signal.SIGCONT)

    def close(self) -> Deferred[None]:
        def gone(_: object) -> None:
            shutil.rmtree(self._folder, ignore_errors=True)

        self.thaw()
        return self.process.kill().addCallback(gone)
