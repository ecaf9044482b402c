"""The files of agreed logs: `logs/NAME/2026-11-27-080510.txt` in the profile's folder.

They are nobody else's, and nothing on the way to them may be a link, so that no row ends up in a
file that somebody else has chosen.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from securecom import limits
from securecom.identity import Name
from securecom.whole_files import FILE_MODE, FOLDER_MODE

FOLDER = "logs"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class LogFiles:
    """Those of one profile (`transcript.Logs`).

    :param home: the profile's folder, which is there.
    :param now: seconds since 1970.
    """

    def __init__(self, home: Path, now: Callable[[], float]) -> None:
        self._home = home
        self.now = now

    def open(self, peer: Name) -> AppendedFile:
        """A new file, made now, for the log of a chat with `peer`. :raises OSError:"""
        at = time.strftime("%Y-%m-%d-%H%M%S", time.localtime(self.now()))
        with ExitStack() as held:
            folder = os.open(self._home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            held.callback(os.close, folder)
            for name in (FOLDER, peer):
                folder = _enter(folder, name)
                held.callback(os.close, folder)
            name, number = _create(folder, at)
        return AppendedFile(number, str(self._home / FOLDER / peer / name))


class AppendedFile:
    """A file that only grows (`transcript.LogFile`)."""

    def __init__(self, number: int, path: str) -> None:
        self._number = number
        self.path = path

    def append(self, data: bytes) -> None:
        """At its end; from here on the system has it, whatever becomes of us. :raises OSError:"""
        while data:
            data = data[os.write(self._number, data) :]

    def close(self) -> None:
        """:raises OSError: for what the system could not write after all."""
        os.close(self._number)


def _enter(parent: int, name: str) -> int:
    """A folder in a folder, made if it is not there, ours alone if it is."""
    with suppress(FileExistsError):
        os.mkdir(name, FOLDER_MODE, dir_fd=parent)
    folder = os.open(name, _FOLDER, dir_fd=parent)
    try:
        os.fchmod(folder, FOLDER_MODE)
    except OSError:
        os.close(folder)
        raise
    return folder


def _create(folder: int, at: str) -> tuple[str, int]:
    """A file that was not there: two logs may begin in one second, one after the other."""
    for count in range(1, limits.MAX_LOG_ASKS + 1):
        name = f"{at}.txt" if count == 1 else f"{at}-{count}.txt"
        with suppress(FileExistsError):
            return name, os.open(name, _NEW, FILE_MODE, dir_fd=folder)
    raise FileExistsError(f"{at}.txt and those after it are there already")
