"""The server or the client with a wall clock that a test sets while it runs.

    python -m tests.support.set_clock FILE server|client NAME=VALUE… ARGUMENT…

FILE says how many seconds the clock is ahead (`WallClock`). Nothing else of the machine is changed;
Python's `time` module is, before Twisted is imported, so all of the program sees the other time.
OpenSSL does not: it asks the system when it looks at the dates of a certificate.
"""

from __future__ import annotations

import mmap
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

_SECONDS = struct.Struct("d")


class WallClock:
    """How far a program's wall clock is ahead of the machine's, in a file that it looks at."""

    def __init__(self, path: Path, ahead: float = 0.0) -> None:
        self.path = path
        path.write_bytes(_SECONDS.pack(ahead))

    def set(self, ahead: float) -> None:
        """To the machine's time and so many seconds."""
        with self.path.open("r+b") as file:
            file.write(_SECONDS.pack(ahead))


def follow(path: Path) -> None:
    """From now on this process has the wall clock of that file."""
    if any(name.startswith("twisted") for name in sys.modules):
        raise RuntimeError("Twisted has taken its clock already")
    with path.open("rb") as file:
        shared = mmap.mmap(file.fileno(), _SECONDS.size, access=mmap.ACCESS_READ)
    real, local, utc, text = time.time, time.localtime, time.gmtime, time.strftime

    def now() -> float:
        return real() + float(_SECONDS.unpack(shared[:])[0])

    changed: dict[str, Callable[..., object]] = {
        "time": now,
        "time_ns": lambda: int(now() * 1e9),
        "localtime": lambda *seconds: local(*seconds or (now(),)),
        "gmtime": lambda *seconds: utc(*seconds or (now(),)),
        "strftime": lambda how, *when: text(how, *when or (local(now()),)),
    }
    for name, function in changed.items():
        setattr(time, name, function)


def main(path: str, what: str, *words: str) -> None:
    """Be what is asked for."""
    follow(Path(path))
    from tests.support.shortened import shorten

    sys.argv[1:] = shorten(list(words))
    if what == "server":
        from twisted.scripts.twistd import run

        run()
        return
    from securecom.client.__main__ import main as client

    sys.exit(client())


if __name__ == "__main__":
    main(*sys.argv[1:])
