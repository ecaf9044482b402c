"""What a killed server leaves behind: a file or link with its process number in it.

Twisted takes such a number for a running server if any process has it. In a container the next
server usually has the very same number (1), so it takes itself for the other one. A number that is
our own cannot be that of a server that ran before we started.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

#: Twisted's name for the link that says who listens on a unix socket.
_LOCK = ".lock"


def remove_pid_file(path: Path) -> None:
    """Remove twistd's file if the number in it is our own."""
    try:
        if int(path.read_text("ascii")) == os.getpid():
            path.unlink()
    except (OSError, ValueError):  # not there, or not ours to judge: twistd says so
        return


def remove_socket_lock(path: Path) -> None:
    """Remove a unix socket with its lock if the number there is our own and nobody listens.

    Twisted removes a dead socket only together with a lock that it has found stale itself.

    Two containers that share a folder may both have the number 1, and one of them be alive.
    """
    lock = path.with_name(path.name + _LOCK)
    try:
        if os.readlink(lock) == str(os.getpid()) and not _is_served(path):
            lock.unlink()
            if path.is_socket():
                path.unlink()
    except OSError:  # no lock, or not ours to remove: Twisted says so when it listens
        return


def _is_served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as asked:
        asked.setblocking(False)
        try:
            asked.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except BlockingIOError:  # its queue is full
            return True
    return True
