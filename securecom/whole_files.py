"""Private files on the disk: made and replaced whole, with nothing on the way followed.

What is below client and server. Both say in their own words what the system tells here: each call
may raise `OSError`.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

FOLDER_MODE = 0o700
FILE_MODE = 0o600
#: What filesystems say that know no locks, NFS without its lock daemon for one.
NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL})
_OTHERS = 0o077
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def is_open_to_others(mode: int) -> bool:
    """Somebody else on this machine has a right to what has this mode."""
    return bool(mode & _OTHERS)


def create(path: Path, data: bytes) -> None:
    """A new private file, safe on the disk; its name is so only after `sync_folder`.

    Whatever stands there, even a link that leads nowhere, is in the way.
    """
    with os.fdopen(os.open(path, _NEW, FILE_MODE), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace(path: Path, data: bytes) -> None:
    """A private file with new content: after a crash the old or the new one, never a mix."""
    new = path.with_name(f".{path.name}.new")
    with suppress(FileNotFoundError):  # most often; else a try was cut short
        os.unlink(new)
    create(new, data)
    new.replace(path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """New and renamed names in a folder reach the disk."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
