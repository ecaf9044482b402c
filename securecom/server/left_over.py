"""Removes what a killed server leaves behind: a file or link with its process number in it.

Twisted takes it that a server is running if any process has that number. In a container the next
server usually has the same number (1), so it would take itself for the other one. But a number that
is our own cannot belong to a server that still runs.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

#: The suffix of the link in which Twisted notes who listens on a unix socket.
_LOCK = ".lock"


def remove_pid_file(path: Path) -> None:
    """Remove twistd's file if the number in it is our own."""
    try:
        if int(path.read_text("ascii")) == os.getpid():
            path.unlink()
    except (OSError, ValueError):  # it is missing, or twistd will say what is wrong with it
        return


def remove_socket_lock(path: Path) -> None:
    """Remove a unix socket with its lock if the number there is our own and nobody listens.

    Twisted removes a dead socket only together with a lock that it has found to be stale. Whether
    somebody listens matters, since two containers that share a folder may both have the number 1.
    """
    lock = path.with_name(path.name + _LOCK)
    try:
        if os.readlink(lock) == str(os.getpid()) and not _is_served(path):
            lock.unlink()
            if path.is_socket():
                path.unlink()
    except OSError:  # there is no lock, or Twisted will say what is wrong when it listens
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
