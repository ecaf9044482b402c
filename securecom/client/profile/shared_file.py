"""A file of the profile that several clients of one profile read, and replace as a whole.

It is replaced (temporary file, fsync, rename) under a lock on a file beside it, and read again
whenever another client has replaced it, so that none of them loses what another has written. A file
that we would not have written, or that other users of this machine may change, is refused and left
as it is.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

from securecom import limits, whole_files
from securecom.client.profile import private_files
from securecom.errors import StateBusy, StateDamaged

Content = TypeVar("Content")

_LOCK_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class SharedFile(Generic[Content]):
    """One such file, and what it holds.

    :param path: None keeps the content in memory only.
    :param most: how many bytes it may have.
    :param parse: makes the content of the file's bytes; raises `StateDamaged`.
    :param written: makes the file's bytes of the content.
    :param empty: makes the content of a file that is not there.
    """

    def __init__(
        self,
        path: Path | None,
        most: int,
        parse: Callable[[bytes, Path], Content],
        written: Callable[[Content], bytes],
        empty: Callable[[], Content],
    ) -> None:
        self.path = path
        self._most, self._parse, self._written, self._empty = most, parse, written, empty
        #: As it was read or written last.
        self.content = empty()
        self._seen: tuple[int, int, int, int] | None = None

    def read(self) -> Content:
        """Read it again if somebody has replaced it.

        :raises StateDamaged: if it cannot be read, or is not what we write.
        """
        if self.path is None:
            return self.content
        try:
            facts = self.path.stat()
            seen = (facts.st_ino, facts.st_mtime_ns, facts.st_size, facts.st_mode)
            if seen != self._seen:
                self.content = self._parse(self._bytes(self.path), self.path)
                self._seen = seen
        except FileNotFoundError:
            self.content, self._seen = self._empty(), None
        except OSError as error:
            raise _unusable(self.path, error) from None
        return self.content

    @contextmanager
    def changing(self) -> Iterator[Content]:
        """Read it, and keep others from writing meanwhile. Nothing waits here.

        :raises StateBusy: if another client is writing.
        :raises StateDamaged: if it cannot be read or locked.
        """
        if self.path is None:
            yield self.content
            return
        try:
            lock = os.open(
                self.path.with_name(self.path.name + ".lock"), _LOCK_FLAGS, whole_files.FILE_MODE
            )
        except OSError as error:
            raise _unusable(self.path, error) from None
        try:
            _lock(lock, self.path)
            yield self.read()
        finally:
            os.close(lock)

    def write(self, content: Content) -> None:
        """Replace it. :raises StateDamaged: then what is on the disk counts."""
        self.content = content
        if self.path is None:
            return
        try:
            private_files.write(self.path, self._bounded(self._written(content), self.path))
        except (OSError, StateDamaged) as error:
            self.content, self._seen = self._empty(), None
            if isinstance(error, StateDamaged):
                raise
            raise _unusable(self.path, error) from None

    def _bytes(self, path: Path) -> bytes:
        """:raises OSError: if it cannot be read."""
        data, is_open = private_files.read_plain(path, self._most)
        if is_open:
            what = f"others on this machine may use {path}; it was not read"
            raise StateDamaged(what, f"Nothing was changed. Type: chmod 600 {path}")
        return self._bounded(data, path)

    def _bounded(self, data: bytes, path: Path) -> bytes:
        """:raises StateDamaged: if it is longer than what is read."""
        if len(data) > self._most:
            raise StateDamaged(f"{path} would be longer than {self._most} bytes")
        return data


def _unusable(path: Path, error: OSError) -> StateDamaged:
    return StateDamaged(f"{path} cannot be used ({error.strerror})")


def _lock(lock: int, path: Path) -> None:
    """Take the lock now: we are in the reactor's thread, so nothing may wait for it."""
    for _ in range(limits.LOCK_TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        except OSError as error:
            if error.errno not in whole_files.NO_LOCKS:
                raise _unusable(path, error) from None
            hint = "Nothing was kept. Keep profiles on a local disk: --data-dir names the folder."
            raise StateDamaged(f"{path} cannot be locked ({error.strerror})", hint) from None
        return
    raise StateBusy(f"another client is writing {path}; nothing was kept")
