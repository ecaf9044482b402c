"""The commands that were typed, kept in the profile for the next time; never what was said.

What is kept is a line each, at most `limits.HISTORY_LINES` of them, in a private file. Invitation
links are left out wherever they stand; pass phrases never come here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from securecom import limits
from securecom.client.profile import private_files

#: The file's name in the profile's folder.
FILE = "history"
_LINK = "securecom://"
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class CommandHistory:
    """The history of one profile.

    :param folder: the profile's; None keeps nothing.
    :param failed: called once with the reason if the file cannot be read or written.
    """

    def __init__(self, folder: Path | None, failed: Callable[[str], None]) -> None:
        self._path = None if folder is None else folder / FILE
        self._failed = failed
        self.commands: list[str] = self._read()

    def add(self, command: str) -> bool:
        """Keep a command. False: it is none to be kept, or the one before."""
        if len(command) > limits.HISTORY_LINE or not command.isprintable():
            return False
        if _LINK in command.lower() or self.commands[-1:] == [command]:
            return False
        self.commands = [*self.commands, command][-limits.HISTORY_LINES :]
        self._append(command)
        return True

    def _read(self) -> list[str]:
        if self._path is None:
            return []
        try:
            data, _ = private_files.read_plain(self._path, limits.HISTORY_BYTES)
        except FileNotFoundError:
            return []
        except OSError as error:
            self._give_up(error)
            return []
        lines = data.decode("utf-8", "replace").split("\n")
        kept = [one for one in lines if one.startswith(("/", "!")) and one.isprintable()]
        kept = kept[-limits.HISTORY_LINES :]
        if kept != lines[:-1]:
            self._write_all(self._path, kept)
        return kept

    def _write_all(self, path: Path, kept: list[str]) -> None:
        try:
            private_files.write(path, "".join(f"{one}\n" for one in kept).encode("utf-8"))
        except OSError as error:
            self._give_up(error)

    def _append(self, command: str) -> None:
        if self._path is None:
            return
        try:
            with os.fdopen(os.open(self._path, _FLAGS, 0o600), "ab") as file:
                file.write(f"{command}\n".encode("utf-8", "replace"))
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self._path = None
        self._failed((error.strerror or type(error).__name__).lower())
