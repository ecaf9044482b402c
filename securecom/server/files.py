"""The server's private files. It follows no links, and refuses files that others can use.

Folders have mode 0700, files 0600. Every error names the file.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from securecom import limits, whole_files
from securecom.errors import StateDamaged, StateUnusable
from securecom.whole_files import FILE_MODE, FOLDER_MODE, is_open_to_others


@contextlib.contextmanager
def telling(path: Path) -> Iterator[None]:
    """Put this around the use of `path`: it turns system errors into ones that people can read.

    :raises StateUnusable: for every `OSError`.
    """
    try:
        yield
    except OSError as error:
        raise StateUnusable(f"{path} cannot be used ({error.strerror})") from None


def check_folder(path: Path) -> None:
    """:raises StateDamaged: if this is not a folder, or others have access to it."""
    with telling(path):
        facts = path.lstat()
    if not stat.S_ISDIR(facts.st_mode):
        raise StateDamaged(f"{path} is not a folder")
    _check_owner(path, facts)
    _check_mode(path, facts.st_mode, FOLDER_MODE)


def check_file(path: Path) -> None:
    """:raises StateDamaged: if this is not a regular file, or others have access to it."""
    with telling(path):
        try:
            facts = path.lstat()
        except FileNotFoundError:
            raise StateDamaged(f"{path} is missing") from None
    if not stat.S_ISREG(facts.st_mode):
        raise StateDamaged(f"{path} is not a regular file")
    _check_owner(path, facts)
    _check_mode(path, facts.st_mode, FILE_MODE)


def _check_owner(path: Path, facts: os.stat_result) -> None:
    """Refuse another user's file: its owner could have written anything into it, and still can."""
    if facts.st_uid != os.geteuid():
        raise StateDamaged(
            f"{path} belongs to another user; it was not read",
            "Run as that user, or chown it to this one if you trust what is in it.",
        )


def _check_mode(path: Path, mode: int, wanted: int) -> None:
    if is_open_to_others(mode):
        raise StateDamaged(
            f"others on this machine may use {path}; it was not read",
            f"If nobody did, type: chmod {wanted:o} {path}",
        )


def read(path: Path) -> bytes:
    """Read a private file of at most `limits.MAX_STATE_FILE` bytes.

    :raises StateDamaged: if it is missing, longer, not a regular file, or not private.
    """
    check_file(path)
    with telling(path), open(path, "rb", opener=_without_following) as file:
        data = file.read(limits.MAX_STATE_FILE + 1)
    if len(data) > limits.MAX_STATE_FILE:
        raise StateDamaged(f"{path} is longer than any file that securecom writes")
    return data


def _without_following(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)


def create(path: Path, data: bytes) -> None:
    """Write a new private file. :raises StateUnusable: if that fails, or the file exists."""
    with telling(path):
        whole_files.create(path, data)


def replace(path: Path, data: bytes) -> None:
    """Replace a private file completely or not at all. :raises StateUnusable: if that fails."""
    with telling(path):
        whole_files.replace(path, data)
