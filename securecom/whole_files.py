"""Private files, created and replaced whole, without following links.

Client and server both build on this. Every call may raise `OSError`, which each of them explains
in its own words.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

FOLDER_MODE = 0o700
FILE_MODE = 0o600
#: Errors from filesystems without locks, for example NFS without its lock daemon.
NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL})
_OTHERS = 0o077
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def is_open_to_others(mode: int) -> bool:
    """Whether this mode gives other users on this machine any access."""
    return bool(mode & _OTHERS)


def create(path: Path, data: bytes) -> None:
    """Create a private file, its content safe on the disk; its name is safe after `sync_folder`.

    Fails if anything has that name, even a link that leads nowhere.
    """
    with os.fdopen(os.open(path, _NEW, FILE_MODE), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace(path: Path, data: bytes) -> None:
    """Replace a private file: after a crash it is the old one or the new one, never a mix."""
    new = path.with_name(f".{path.name}.new")
    with suppress(FileNotFoundError):  # it exists only if an earlier attempt was cut short
        os.unlink(new)
    create(new, data)
    new.replace(path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make sure that new and renamed files in a folder are on the disk under their names."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
