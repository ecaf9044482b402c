"""What is sent: a regular file, a folder packed into a tar file, or a pipe read to its end.

Each becomes one open file whose size and SHA-256 are known before it is offered. A folder and a
pipe are first copied into a file that has no name, so that nothing is left of it when we end,
however we end. Everything here may wait for a disk: call it outside the reactor's thread.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import select
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from securecom import limits
from securecom.client.files.names import safe_name
from securecom.errors import FileFailed, FileProblem
from securecom.text import shown

if TYPE_CHECKING:
    import tarfile

    from typing_extensions import Buffer

_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
#: What a pipe is called at the other end.
PIPE = "stdin"


class Source:
    """An open file to be sent.

    :param number: its descriptor, which this object closes.
    :param name: as it is offered.
    """

    def __init__(self, number: int, name: str) -> None:
        self._number = number
        self.name = name
        self.size = os.fstat(number).st_size
        self.sha256 = b""
        self._running = hashlib.sha256()
        self._at = 0

    def examine(self, is_wanted: Callable[[], bool]) -> None:
        """Compute the SHA-256. :raises FileProblem: if it cannot be read, or is not wanted."""
        whole, at = hashlib.sha256(), 0
        while at < self.size:
            if not is_wanted():
                raise FileProblem("the chat ended before the file was offered")
            block = _read(self._number, limits.FILE_READ, at)
            if not block:
                raise FileProblem(f"{shown(self.name)} became shorter while it was read")
            whole.update(block[: self.size - at])
            at += len(block)
        self.sha256 = whole.digest()

    def begin(self, offset: int, sha256: bytes, is_wanted: Callable[[], bool]) -> int:
        """Where to begin for somebody who has so many bytes with this SHA-256.

        :raises FileFailed: if the file cannot be read, or is not wanted any more.
        """
        self._running, self._at = hashlib.sha256(), 0
        while 0 < offset <= self.size and self._at < offset:
            if not is_wanted():
                raise FileFailed(f"{shown(self.name)} is not wanted any more")
            self.read(min(limits.FILE_READ, offset - self._at))
        if self._at != offset or self._running.digest() != sha256:
            self._running, self._at = hashlib.sha256(), 0
        return self._at

    def read(self, most: int = limits.FILE_READ) -> bytes:
        """The next bytes; none at the end.

        :raises FileChanged: before the last bytes are given, if it is not the offered file.
        :raises FileFailed: if the file cannot be read.
        """
        size = min(most, self.size - self._at)
        try:
            block = _read(self._number, size, self._at)
        except OSError as error:
            raise FileFailed(f"{shown(self.name)} cannot be read ({_reason(error)})") from None
        self._running.update(block)
        self._at += len(block)
        is_last = self._at == self.size
        if len(block) < size or (is_last and self._running.digest() != self.sha256):
            raise FileChanged(f"{shown(self.name)} changed after it was offered")
        return block

    def close(self) -> None:
        """Never raises."""
        number, self._number = self._number, -1
        if number >= 0:
            os.close(number)


class FileChanged(FileFailed):
    """The file is not the offered one any more."""


def _read(number: int, most: int, at: int) -> bytes:
    """As many bytes as asked for, or fewer at the end. :raises OSError:"""
    block = os.pread(number, most, at)
    while len(block) < most and (more := os.pread(number, most - len(block), at + len(block))):
        block += more
    return block


def opened(path: str, spool: Path, is_wanted: Callable[[], bool]) -> Source:
    """A file or folder. :raises FileProblem: if it cannot be sent.

    :param spool: a folder of our own, for files without a name.
    :param is_wanted: asked again and again; when it says no, the work ends.
    """
    try:
        place = Path(path).expanduser()
        number = os.open(place, _OPEN)
    except (OSError, ValueError, RuntimeError) as error:
        raise FileProblem(f"{shown(path)} cannot be opened ({_reason(error)})") from None
    mode = os.fstat(number).st_mode
    name = safe_name(os.path.basename(os.path.abspath(place)))
    if stat.S_ISREG(mode):
        return _examined(number, name, is_wanted)
    os.close(number)
    if not stat.S_ISDIR(mode):
        raise FileProblem(f"{shown(path)} is neither a file nor a folder")
    return _examined(_packed(place, name, spool, is_wanted), f"{name}.tar", is_wanted)


def piped(descriptor: int, spool: Path, is_wanted: Callable[[], bool]) -> Source:
    """What a descriptor gives until its end; it is closed. :raises FileProblem: as `opened`."""
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return _examined(os.dup(descriptor), PIPE, is_wanted)
        number = _nameless(spool)
        try:
            while block := _next(descriptor, is_wanted):
                _write_all(number, block)
        except BaseException:
            os.close(number)
            raise
    except OSError as error:
        raise FileProblem(f"the input cannot be read or kept ({_reason(error)})") from None
    finally:
        os.close(descriptor)
    return _examined(number, PIPE, is_wanted)


def _next(descriptor: int, is_wanted: Callable[[], bool]) -> bytes:
    """The next bytes of a pipe; none at its end. A pipe may say nothing for ever, and the program
    has to end all the same.
    """
    while is_wanted():
        if select.select([descriptor], [], [], limits.PIPE_LOOK)[0]:
            return os.read(descriptor, limits.FILE_READ)
    raise FileProblem("the chat ended before the input did")


def _examined(number: int, name: str, is_wanted: Callable[[], bool]) -> Source:
    source = Source(number, name)
    try:
        if source.size > limits.MAX_FILE:
            raise FileProblem(f"{shown(name)} is larger than a file may be")
        source.examine(is_wanted)
    except OSError as error:
        source.close()
        raise FileProblem(f"{shown(name)} cannot be read ({_reason(error)})") from None
    except FileProblem:
        source.close()
        raise
    return source


def _nameless(spool: Path) -> int:
    """A new private file that nobody finds. :raises OSError:"""
    import tempfile  # what few need is not imported at the start

    number, path = tempfile.mkstemp(dir=spool, prefix=".sending-")
    os.unlink(path)
    return number


def _write_all(number: int, data: bytes) -> None:
    while data:
        data = data[os.write(number, data) :]


# --- a folder as a tar file -------------------------------------------------------------------


def _packed(folder: Path, name: str, spool: Path, is_wanted: Callable[[], bool]) -> int:
    """The folder's files, folders and links, without owners. :raises FileProblem:

    :param folder: may be a link to one; links in it stay links.
    """
    import tarfile

    count = 0

    def check() -> None:
        if not is_wanted():
            raise FileProblem("the chat ended before the folder was offered")

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        nonlocal count
        count += 1
        check()
        tar.getmembers().clear()  # all of it would be kept until the end
        if count > limits.MAX_FOLDER_ENTRIES:
            most = limits.MAX_FOLDER_ENTRIES
            raise FileProblem(f"{shown(name)} has more than {most} files", "Nothing was sent.")
        if not (entry.isreg() or entry.isdir() or entry.issym() or entry.islnk()):
            return None  # a socket, pipe or device cannot be sent
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        return entry

    try:
        number = _nameless(spool)
        try:
            with (
                _Checked(os.dup(number), check) as file,
                tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar,
            ):
                tar.add(folder.resolve(), arcname=name, filter=plain)
        except BaseException:
            os.close(number)
            raise
    except (OSError, ValueError, RecursionError, tarfile.TarError) as error:
        raise FileProblem(f"{shown(name)} cannot be packed ({_reason(error)})") from None
    return number


class _Checked(io.BufferedWriter):
    """What a tar file is written into; `check` is asked before every piece, and may raise."""

    def __init__(self, number: int, check: Callable[[], None]) -> None:
        super().__init__(io.FileIO(number, "wb"))
        self._check = check

    def write(self, data: Buffer) -> int:
        """Write all of it."""
        self._check()
        return super().write(data)


def _reason(error: Exception) -> str:
    """What the system says, for people."""
    if isinstance(error, OSError):
        if error.errno == errno.ENOSPC:
            return "the disk is full"
        return (error.strerror or str(error)).lower()
    if isinstance(error, RecursionError):
        return "its folders are nested too deeply"
    if isinstance(error, RuntimeError):  # pathlib raises it
        return "there is no such home folder"
    return "that is no path" if isinstance(error, ValueError) else type(error).__name__


#: The same for other modules.
reason = _reason
