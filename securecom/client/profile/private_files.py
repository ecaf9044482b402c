"""Private files and folders of the client: 0600 and 0700, replaced whole, never followed."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path

from securecom import whole_files
from securecom.whole_files import FOLDER_MODE, is_open_to_others, sync_folder

#: What filesystems say that know no hard links, FAT on a memory stick for one.
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
_PLAIN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_DESCRIPTORS, _PROCESSES = Path("/dev/fd"), Path("/proc")
#: Symbolic links that the kernel follows at most (path_resolution(7)).
_MAX_LINKS = 40
#: What to do about a file or folder of ours that we may not use.
MAY_BE_ROOTS = (
    "Nothing was sent. If securecom once ran with sudo, its folder may be root's: "
    "sudo chown -R $(id -u) FOLDER gives it back to you."
)
_OLD = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC


def make_folder(path: Path) -> None:
    """The folder, and those above it that are not there. :raises OSError:"""
    missing = [one for one in (path, *path.parents) if not one.exists()]
    for folder in reversed(missing):
        folder.mkdir(FOLDER_MODE, exist_ok=True)


def write(path: Path, data: bytes) -> None:
    """All of the new file or all of the old one, also when the power goes. :raises OSError:"""
    whole_files.replace(path, data)


def write_over(path: Path, data: bytes) -> None:
    """As `write`, and what the file held is then overwritten where it was. :raises OSError:"""
    old = os.open(path, _OLD)
    try:
        write(path, data)
        _blank(old)
    finally:
        os.close(old)


def erase(path: Path) -> None:
    """Overwrite the file where it is, and remove it. :raises OSError:"""
    file = os.open(path, _OLD)
    try:
        path.unlink()
        _blank(file)
    finally:
        os.close(file)
    sync_folder(path.parent)


def _blank(file: int) -> None:
    """Zeros, on the disk; not in what the disk or its file system has put aside, and not if the
    file goes by another name too.
    """
    facts = os.fstat(file)
    if not facts.st_nlink:
        os.pwrite(file, bytes(facts.st_size), 0)
        os.fsync(file)


def write_beside(path: Path, data: bytes) -> None:
    """A new file, whole or not at all, in the place of none. :raises OSError: also if one is there.

    Nothing that stands there is followed or replaced, a link that leads nowhere neither.
    """
    new = path.with_name(f".{secrets.token_hex(8)}.new")
    try:
        whole_files.create(new, data)
        _put(new, path)
    finally:
        new.unlink(missing_ok=True)
    sync_folder(path.parent)


def _put(new: Path, path: Path) -> None:
    """Give a file its name, if nobody has it. :raises OSError:"""
    try:
        os.link(new, path, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        whole_files.create(path, b"")  # now the name is ours
        new.replace(path)


def read_plain(path: Path, most: int) -> tuple[bytes, bool]:
    """As `read`, of a regular file only: a pipe would keep us waiting, and be empty the next time.

    :raises OSError: also if it is anything else.
    """
    with os.fdopen(os.open(path, _PLAIN), "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        return file.read(most + 1), is_open_to_others(mode)


def is_descriptor(path: Path) -> bool:
    """The path leads to a file that this process has open, such as `/dev/stdin` or `<(...)`: in
    the next process it is another file, or none. :raises OSError: if it cannot be followed.
    """
    for _ in range(_MAX_LINKS):
        parent = Path(os.path.realpath(path.parent))
        if parent == _DESCRIPTORS or parent.is_relative_to(_PROCESSES):
            return True
        if not path.is_symlink():
            return False
        path = parent / path.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def read(path: Path, most: int) -> tuple[bytes, bool]:
    """Read at most `most` + 1 bytes; say whether others on this machine may use the file.

    Only a regular file can be open to others: a pipe from the shell, say, never is.

    :raises OSError: if it cannot be read.
    """
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        return file.read(most + 1), stat.S_ISREG(mode) and is_open_to_others(mode)
