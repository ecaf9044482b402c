"""What is received: a private `.part` file beside the place where it is to be saved.

It is ours alone, no link is followed on the way to it, and nothing is ever overwritten: the whole
file gets its name by a hard link, which fails if the name is taken, and then the next name is
tried. An unfinished one is found again by who offers what, so that the same file from the same
person goes on. Everything here may wait for a disk: call it outside the reactor's thread.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from securecom import limits
from securecom.client.files.names import numbered
from securecom.client.files.sources import reason
from securecom.errors import FileFailed, FileProblem
from securecom.text import shown
from securecom.values import Value
from securecom.whole_files import FILE_MODE, FOLDER_MODE

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_PART = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_HOLD = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PATTERN = re.compile(r"\.securecom-[0-9a-f]{32}\.part")
_DAY = 86_400
#: What file systems say that know no hard links.
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class Destination(Value):
    """Where a file is to be saved.

    :param folder: made if `is_default` and it is not there.
    :param is_exact: the user chose this name; another one will not do.
    """

    folder: Path
    name: str
    is_default: bool
    is_exact: bool


def place_for(name: str, downloads: Path, path: str | None) -> Destination:
    """Where a file goes. :raises FileProblem: if it cannot go there.

    :param path: what the user asked for: a folder, or a file that does not exist.
    """
    if path is None:
        return Destination(downloads, name, is_default=True, is_exact=False)
    try:
        chosen = Path(path).expanduser()
        if chosen.is_dir():
            return Destination(chosen, name, is_default=False, is_exact=False)
        if path.endswith("/") or not chosen.parent.is_dir():
            raise FileProblem(f"there is no folder {shown(str(chosen.parent))}")
        if "\0" in path:
            raise FileProblem(f"{shown(path)} is no path")
        if os.path.lexists(chosen):
            raise FileProblem(f"{shown(path)} exists already, and nothing is overwritten")
    except (OSError, ValueError, RuntimeError) as error:
        raise FileProblem(f"{shown(path)} cannot be used ({reason(error)})") from None
    return Destination(chosen.parent, chosen.name, is_default=False, is_exact=True)


class Part:
    """A file that is being received.

    :param about: what tells this transfer from others: who offers what to whom, and where.
    """

    def __init__(self, place: Destination, about: bytes, size: int, sha256: bytes) -> None:
        self._place, self._size, self._sha256 = place, size, sha256
        self._name = f".securecom-{hashlib.sha256(about).hexdigest()[:32]}.part"
        self._folder = self._number = -1
        self._running = hashlib.sha256()
        #: Bytes that are there.
        self.at = 0

    def open(self, is_wanted: Callable[[], bool]) -> bytes:
        """Make it, or go on with it; the SHA-256 of what is there.

        :param is_wanted: asked again and again; when it says no, the work ends.
        :raises FileProblem: if nothing can be written there. Then nothing was.
        """
        try:
            self._open(is_wanted)
        except OSError as error:
            self.close()
            raise FileProblem(f"{self._where} cannot be used ({reason(error)})") from None
        except FileProblem:
            self.close()
            raise
        return self._running.digest()

    def _open(self, is_wanted: Callable[[], bool]) -> None:
        if self._place.is_default:
            self._place.folder.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
        self._folder = os.open(self._place.folder, _FOLDER)
        self._sweep()
        self._number = os.open(self._name, _PART, FILE_MODE, dir_fd=self._folder)
        try:
            fcntl.flock(self._number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            facts = os.fstat(self._number)
            if (
                not stat.S_ISREG(facts.st_mode)
                or facts.st_uid != os.geteuid()
                or facts.st_nlink > 1
                or facts.st_mode & 0o077
            ):
                raise FileProblem(f"{self._where} holds a file that is not our own: {self._name}")
            # Who held it until now may have finished it: then it has another name by now.
            named = os.stat(self._name, dir_fd=self._folder, follow_symlinks=False)
            if not os.path.samestat(facts, named):
                raise BlockingIOError
        except (BlockingIOError, FileNotFoundError):
            raise FileProblem("this file is being received already") from None
        self._go_on(facts.st_size, is_wanted)
        self._check_room()

    def _go_on(self, length: int, is_wanted: Callable[[], bool]) -> None:
        """What is there already counts, unless it is more than the file has."""
        while self.at < length <= self._size:
            if not is_wanted():
                raise FileProblem("it is not wanted any more")
            block = os.pread(self._number, min(limits.FILE_READ, length - self.at), self.at)
            if not block:
                break
            self._running.update(block)
            self.at += len(block)
        os.ftruncate(self._number, self.at)
        os.lseek(self._number, self.at, os.SEEK_SET)

    def _check_room(self) -> None:
        facts = os.fstatvfs(self._number)
        room, needed = facts.f_bavail * facts.f_frsize, self._size - self.at
        if needed > room:
            if not self.at:
                os.unlink(self._name, dir_fd=self._folder)
            what = f"{self._where} has room for {room} bytes, and the file needs {needed}"
            raise FileProblem(what, "Nothing was written. Make room, or choose another folder.")

    def restart(self) -> None:
        """What is there is not the beginning of this file. :raises FileFailed:"""
        self._running, self.at = hashlib.sha256(), 0
        try:
            os.ftruncate(self._number, 0)
            os.lseek(self._number, 0, os.SEEK_SET)
        except OSError as error:
            raise FileFailed(f"{self._where}: {reason(error)}") from None

    def write(self, data: bytes | bytearray) -> None:
        """:raises FileFailed: if it cannot be written; what was written before is kept."""
        rest = memoryview(data)
        try:
            while rest:
                written = os.write(self._number, rest)
                self._running.update(rest[:written])
                self.at += written
                rest = rest[written:]
        except OSError as error:
            raise FileFailed(f"{self._where}: {reason(error)}") from None

    def finish(self) -> str | None:
        """Give the file its name; the whole path. None, and no file, if it is damaged.

        :raises FileFailed: if it can have no name; the part is kept.
        """
        if self.at != self._size or self._running.digest() != self._sha256:
            self.discard()
            return None
        try:
            os.fsync(self._number)
            name = self._named()
            os.fsync(self._folder)
        except OSError as error:
            raise FileFailed(f"{self._where}: {reason(error)}") from None
        finally:
            self.close()
        return str(self._place.folder / name)

    def _named(self) -> str:
        for number in range(1 if self._place.is_exact else limits.MAX_SAME_NAMES + 1):
            name = numbered(self._place.name, number)
            try:
                _link(self._name, name, self._folder)
            except FileExistsError:
                continue
            return name
        raise FileExistsError(errno.EEXIST, "there is a file of that name already")

    def discard(self) -> None:
        """Remove it. Never raises."""
        if self._folder >= 0:
            with suppress(OSError):
                os.unlink(self._name, dir_fd=self._folder)
        self.close()

    def leave(self) -> bool:
        """Keep it, to go on later; False if there is nothing to keep. Never raises."""
        if not self.at:
            self.discard()
        self.close()
        return bool(self.at)

    def close(self) -> None:
        """Never raises."""
        numbers, self._number, self._folder = (self._number, self._folder), -1, -1
        for number in numbers:
            if number >= 0:
                with suppress(OSError):
                    os.close(number)

    @property
    def _where(self) -> str:
        return shown(str(self._place.folder))

    def _sweep(self) -> None:
        """Remove our unfinished files that are old, and the oldest of too many."""
        parts = []
        for name in os.listdir(self._folder):
            if _PATTERN.fullmatch(name) and name != self._name:
                with suppress(OSError):
                    facts = os.stat(name, dir_fd=self._folder, follow_symlinks=False)
                    parts.append((facts.st_mtime, name))
        parts.sort(reverse=True)
        oldest = time.time() - limits.PART_DAYS * _DAY
        for at, (changed, name) in enumerate(parts):
            if changed < oldest or at >= limits.MAX_PARTS - 1:
                self._sweep_one(name)

    def _sweep_one(self, name: str) -> None:
        with suppress(OSError):
            number = os.open(
                name,
                os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC,
                dir_fd=self._folder,
            )
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)  # another client's may be in use
                os.unlink(name, dir_fd=self._folder)
            finally:
                os.close(number)


def _link(old: str, new: str, folder: int) -> None:
    """Rename, but never over another file. :raises OSError:"""
    try:
        os.link(old, new, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        os.close(os.open(new, _HOLD, FILE_MODE, dir_fd=folder))  # now the name is ours
        os.replace(old, new, src_dir_fd=folder, dst_dir_fd=folder)
    else:
        os.unlink(old, dir_fd=folder)
