"""What a backup holds, as the plain tar file that is then encrypted.

Four files, in this order: `securecom-backup` (the version), `profile.toml`, `identity` (as it is on
the disk, so that its own pass phrase stays on it), `known_peers`. No folders, no links, no owners,
no times. What is read is a tar file of exactly that kind; it is never unpacked onto a disk.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from securecom import limits
from securecom.client.profile.profile import IDENTITY_FILE, KNOWN_PEERS_FILE, PROFILE_FILE
from securecom.client.profile.sealed import damaged
from securecom.errors import BackupProblem
from securecom.text import shown
from securecom.whole_files import FILE_MODE

VERSION = 1
VERSION_FILE = "securecom-backup"

_VERSION_TEXT = "securecom backup"
_VERSION = re.compile(rb"securecom backup ([1-9][0-9]{0,3})\n")
#: The files and the bytes that each may have.
_FILES = {
    VERSION_FILE: len(_VERSION_TEXT) + 6,
    PROFILE_FILE: limits.MAX_PROFILE_FILE,
    IDENTITY_FILE: limits.MAX_IDENTITY_FILE,
    KNOWN_PEERS_FILE: limits.MAX_KNOWN_PEERS_FILE,
}
_PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)
_SHOWN = 40


@dataclass(frozen=True)
class Backup:
    """The files."""

    profile: bytes
    identity: bytes
    known_peers: bytes

    def packed(self) -> bytes:
        """The tar file: the same bytes for the same files, whenever and by whomever."""
        version = f"{_VERSION_TEXT} {VERSION}\n".encode("ascii")
        contents = (version, self.profile, self.identity, self.known_peers)
        whole = io.BytesIO()
        with tarfile.open(fileobj=whole, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name, data in zip(_FILES, contents, strict=True):
                member = tarfile.TarInfo(name)
                member.mode, member.size = FILE_MODE, len(data)
                tar.addfile(member, io.BytesIO(data))
        return whole.getvalue()


def unpacked(path: Path, data: bytes) -> Backup:
    """The files of a tar file.

    :param path: the backup's, for errors.
    :raises BackupProblem: for whatever `packed` does not write.
    """
    files: dict[str, bytes] = {}
    for name, content in _members(path, data):
        if not files:
            _check_version(path, name, content)
        if name in files:
            raise damaged(path, f"{name} is in it twice")
        files[name] = content
    for name in _FILES:
        if name not in files:
            raise damaged(path, f"{name} is not in it")
    return Backup(files[PROFILE_FILE], files[IDENTITY_FILE], files[KNOWN_PEERS_FILE])


def _check_version(path: Path, name: str, content: bytes) -> None:
    """The first file says how to read the others."""
    version = _VERSION.fullmatch(content)
    if name != VERSION_FILE or version is None:
        raise damaged(path, f"it does not begin with {VERSION_FILE}")
    if int(version[1]) != VERSION:
        hint = "Nothing was changed or sent. Restore it with a newer securecom."
        raise BackupProblem(f"the backup {path} is of version {int(version[1])}", hint)


def _members(path: Path, data: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and content, one after the other."""
    at = 0
    while (block := data[at : at + tarfile.BLOCKSIZE]).strip(b"\0"):
        member = _header(path, block)
        at += tarfile.BLOCKSIZE
        content = data[at : at + member.size]
        if len(content) != member.size:
            raise damaged(path, f"{member.name} is cut off")
        yield member.name, content
        at += -(-member.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
    if not block or data[at:].strip(b"\0"):
        raise damaged(path, "it does not end as it should")


def _header(path: Path, block: bytes) -> tarfile.TarInfo:
    """A plain file of ours. :raises BackupProblem: if it is anything else, or too long."""
    try:
        member = tarfile.TarInfo.frombuf(block, "ascii", "strict")
    except (tarfile.TarError, ValueError):
        raise damaged(path, "what is in it is no tar file") from None
    if member.name not in _FILES:
        raise damaged(path, f"there is {shown(member.name[:_SHOWN])} in it, which does not belong")
    if member.type not in _PLAIN:
        raise damaged(path, f"{member.name} is no plain file")
    if not 0 <= member.size <= _FILES[member.name]:
        raise damaged(path, f"{member.name} is too long")
    return member
