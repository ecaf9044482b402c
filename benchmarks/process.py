"""A server process on a core of its own: started, asked what it has used, ended for certain."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOOPBACK = "tcp:0:interface=127.0.0.1"
#: For a server to open its ports, or to end.
PATIENCE = 30.0

_TICKS = os.sysconf("SC_CLK_TCK")
_CORES = sorted(os.sched_getaffinity(0))
_SERVER_CORE, _GENERATOR_CORE = _CORES[0], _CORES[-1]
_ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
_PORTS = re.compile(r"standard channel on port (\d+), request channel on port (\d+)")


@dataclass(frozen=True)
class Variant:
    """A server to be measured.

    :param command: what is run; endpoints and state are added.
    :param speaks: whether it speaks the protocol, or relays bytes between each two connections.
    """

    name: str
    command: tuple[str, ...]
    speaks: bool = True


def _ours(what: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "benchmarks.servers", what)


_TWISTD = ("-n", "--pidfile=", "securecom")
PRODUCT = Variant(
    "securecom", (sys.executable, str(Path(sys.executable).with_name("twistd")), *_TWISTD)
)
FRAMES = Variant("frame by frame", (*_ours("frames"), *_TWISTD))
UNSHARED = Variant("unshared", (*_ours("unshared"), *_TWISTD))
BYTES = Variant("bare TLS", _ours("bytes"), speaks=False)
HANDSHAKES = Variant("bare TLS", _ours("handshakes"), speaks=False)


def sampled(out: Path) -> Variant:
    """The product, its stack looked at now and then; the counts go to `out`."""
    return Variant("sampled", (*_ours("sampled"), str(out), *_TWISTD))


@dataclass
class Server:
    """A server that runs, with its ports."""

    pid: int
    standard: int
    request: int

    def cpu_seconds(self) -> float:
        """CPU seconds of all its threads so far, user's and system's."""
        after_name = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        user, system = after_name[11:13]  # fields 14 and 15 of proc(5)
        return (int(user) + int(system)) / _TICKS

    def memory(self) -> int:
        """Proportional set size in KiB: shared pages count by their share."""
        text = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
        if found is None:
            raise RuntimeError("no Pss in smaps_rollup")
        return int(found[1])


def pin_generator() -> None:
    """This process leaves the server's core alone (if there are two)."""
    os.sched_setaffinity(0, {_GENERATOR_CORE})


@contextlib.contextmanager
def server(variant: Variant, state: Path, log: Path) -> Iterator[Server]:
    """A server of this kind on this state; it has ended when the context has."""
    where = ["--standard", LOOPBACK, "--request", LOOPBACK, "--no-dial", "--state", str(state)]
    with log.open("wb") as out:
        process = start_pinned([*variant.command, *where], out.fileno())
    try:
        yield Server(process.pid, *ports_of(process, log))
    finally:
        end(process)


def start_pinned(command: Sequence[str], out: int) -> subprocess.Popen[bytes]:
    """Start a server. A child inherits the affinity of the moment, before it has any thread."""
    os.sched_setaffinity(0, {_SERVER_CORE})
    try:
        return subprocess.Popen(  # noqa: S603 - our own words
            command, stdout=out, stderr=subprocess.STDOUT, env=_ENVIRONMENT
        )
    finally:
        pin_generator()


def ports_of(process: subprocess.Popen[bytes], log: Path) -> tuple[int, int]:
    """Wait until a server says which ports it has opened."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        if found := _PORTS.search(log.read_text()):
            return int(found[1]), int(found[2])
        time.sleep(0.05)
    raise RuntimeError(f"the server opened no ports:\n{log.read_text()}")


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process for certain."""
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
