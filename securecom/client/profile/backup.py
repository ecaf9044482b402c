"""A backup: a tar file of four or five files, encrypted under a pass phrase as an age file.

The tool `age` (https://age-encryption.org) opens it without us. The file says what it costs to try
a pass phrase, in time and memory, and that is checked before anything is tried.
"""

from __future__ import annotations

import base64
import binascii
import io
import mmap
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pyrage

from securecom import limits
from securecom.client.profile import age_reader, private_files
from securecom.client.profile.profile import (
    IDENTITY_FILE,
    KNOWN_PEERS_FILE,
    PROFILE_FILE,
    RETIREMENTS_FILE,
)
from securecom.client.profile.spelling import composed, spelt
from securecom.errors import BackupProblem, PassPhraseProblem
from securecom.text import shown
from securecom.values import Value
from securecom.whole_files import FILE_MODE

_HEAD = re.compile(
    rb"age-encryption\.org/v1\n"  # the version of the format
    rb"-> scrypt [A-Za-z0-9+/]{22} ([1-9][0-9]?)\n"  # a pass phrase, the salt, the work
    rb"[A-Za-z0-9+/]{43}\n"  # the file's own key under it
    rb"--- [A-Za-z0-9+/]{43}\n"  # and no other way in: pyrage takes for ever to read very many
)
_BINARY = b"age-encryption.org/"
_ARMOUR_BEGINS = re.compile(rb"-----BEGIN AGE ENCRYPTED FILE-----\s")
_ARMOUR = re.compile(
    rb"-----BEGIN AGE ENCRYPTED FILE-----\s+([A-Za-z0-9+/=\s]+)-----END AGE ENCRYPTED FILE-----"
)
_BOM = b"\xef\xbb\xbf"
#: What pyrage says when a pass phrase does not open the file's own key, and when the work would
#: take long on this machine, as it has measured it; the rest is damage.
_WRONG = "Decryption failed"
_TOO_MUCH = "Excessive work parameter"
#: Bytes of memory that scrypt takes for each unit of its N (with r = 8, as age has it).
_SCRYPT_BYTES = 1024
_MEBIBYTE = 2**20


class SealedFile(Value):
    """A file's bytes, known to begin as ours do and to cost a bounded amount of work.

    :param work: what a try of a pass phrase costs, as the exponent of scrypt's N.
    """

    path: Path
    data: bytes
    work: int

    def unseal(self, pass_phrase: bytes) -> bytes:
        """What is in it. Takes about a second on a usual machine, and as long as it takes on a
        slow one.

        :raises PassPhraseProblem: if that is not its pass phrase.
        :raises BackupProblem: if it is damaged, or this machine lacks the memory to open it.
        """
        self._check_memory()
        for spelling in spelt(pass_phrase):
            content = self._opened(spelling)
            if content is not None:
                return content
        what = f"that is not the pass phrase of the backup {self.path}"
        raise PassPhraseProblem(what, "Nothing was changed or sent. Try again.")

    def _opened(self, pass_phrase: bytes) -> bytes | None:
        """What is in it, None if that is not its pass phrase. :raises BackupProblem:"""
        try:
            return pyrage.passphrase.decrypt(self.data, pass_phrase.decode("utf-8"))
        except UnicodeDecodeError:
            return None
        except pyrage.DecryptError as error:
            if str(error) == _WRONG:
                return None
            if not str(error).startswith(_TOO_MUCH):
                raise damaged(self.path, _CUT_OFF) from None
        try:
            return age_reader.opened(self.data, pass_phrase)
        except age_reader.WrongPassPhrase:
            return None
        except MemoryError:
            raise self._too_much() from None
        except ValueError:
            raise damaged(self.path, _CUT_OFF) from None

    def _check_memory(self) -> None:
        """Without its memory, pyrage would end the process. :raises BackupProblem:"""
        try:
            mmap.mmap(-1, _SCRYPT_BYTES << self.work).close()
        except (OSError, MemoryError):
            raise self._too_much() from None

    def _too_much(self) -> BackupProblem:
        need = (_SCRYPT_BYTES << self.work) // _MEBIBYTE
        what = f"opening the backup {self.path} takes {need} MiB of memory, more than there is here"
        hint = (
            "Nothing was changed or sent. The backup may well be whole: close other programs, or "
            "restore it on a machine with more memory."
        )
        return BackupProblem(what, hint)


_CUT_OFF = "it is cut off, or not what was written"


def seal(data: bytes, pass_phrase: str) -> bytes:
    """An age file. Takes about a second of one core, which no other thread has meanwhile.

    pyrage chooses the work by the time that one short try takes. If the machine is busy, stalls or
    its clock is set meanwhile, it chooses too little or too much; then the file is made again, and
    the one that costs most to try is taken.

    :raises BackupProblem: if each costs far too little or too much.
    """
    phrase = composed(pass_phrase.encode("utf-8")).decode("utf-8")
    best, most = b"", limits.MIN_SCRYPT_WORK - 1
    for _ in range(limits.SEAL_TRIES):
        sealed = pyrage.passphrase.encrypt(data, phrase)
        head = _HEAD.match(sealed)
        work = int(head[1]) if head else 0
        if most < work <= limits.MAX_SCRYPT_WORK:
            best, most = sealed, work
        if most >= limits.GOOD_SCRYPT_WORK:
            break
    if not best:
        raise unmeasured()
    return best


def unmeasured() -> BackupProblem:
    """A machine on which pyrage cannot tell how much work is right."""
    hint = "Nothing was written. Try again when this machine is less busy."
    return BackupProblem("the work that a backup takes could not be measured here", hint)


def read_sealed_file(path: Path) -> SealedFile:
    """The file, looked at as far as that goes without its pass phrase.

    :raises BackupProblem: if it cannot be read, is too long, or is no such file.
    """
    try:
        data, _ = private_files.read(path, limits.MAX_BACKUP_TEXT)
    except OSError as error:
        why = (error.strerror or "unreadable").lower()
        raise BackupProblem(f"the backup {path} cannot be read ({why})") from None
    return parse_sealed_file(path, data)


def parse_sealed_file(path: Path, data: bytes) -> SealedFile:
    """The same of bytes that are, or will be, in a file. :raises BackupProblem:"""
    data = _plain(path, data)
    if len(data) > limits.MAX_BACKUP_FILE:
        raise BackupProblem(f"{path} is too long for a backup")
    head = _HEAD.match(data)
    if head is None:
        raise BackupProblem(f"{path} is no backup of securecom, or one of a newer version")
    if int(head[1]) > limits.MAX_SCRYPT_WORK:
        what = f"{path} asks for more work (2^{int(head[1])}) than a backup of securecom does"
        raise BackupProblem(what)
    return SealedFile(path, data, int(head[1]))


def _plain(path: Path, data: bytes) -> bytes:
    """Without age's armour, and as it was before something turned its ends of line into CRLF."""
    if data.startswith(_BINARY):
        first, _, _ = data.partition(b"\n")
        return data.replace(b"\r\n", b"\n") if first.endswith(b"\r") else data
    text = data.removeprefix(_BOM).strip()
    if _ARMOUR_BEGINS.match(text) is None:
        return data
    armoured = _ARMOUR.fullmatch(text)
    try:
        if armoured is not None:
            return base64.b64decode(b"".join(armoured[1].split()), validate=True)
    except binascii.Error:
        pass
    raise damaged(path, "its armour is cut off, or not what was written")


def damaged(path: Path, why: str) -> BackupProblem:
    """A backup that cannot be restored."""
    return BackupProblem(f"the backup {path} cannot be restored: {why}")


# --- The tar file inside ----------------------------------------------------------------------
# In this order: `securecom-backup` (the version), `profile.toml`, `identity` (as it is on the disk,
# so that its own pass phrase stays on it), `known_peers`, and `retirements` if there is one. No
# folders, no links, no owners, no times. What is read is a tar file of exactly that kind; it is
# never unpacked onto a disk.

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
    RETIREMENTS_FILE: limits.MAX_RETIREMENTS_FILE,
}
_PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)
_SHOWN = 40


class Backup(Value):
    """The files of a backup, apart from its version.

    :param retirements: None if there is no such file, as in backups from before there were any.
    """

    profile: bytes
    identity: bytes
    known_peers: bytes
    retirements: bytes | None = None

    def packed(self) -> bytes:
        """The tar file: the same bytes for the same files, whenever and by whomever."""
        version = f"{_VERSION_TEXT} {VERSION}\n".encode("ascii")
        files = (version, self.profile, self.identity, self.known_peers, self.retirements)
        contents = [
            (name, data) for name, data in zip(_FILES, files, strict=True) if data is not None
        ]
        whole = io.BytesIO()
        with tarfile.open(fileobj=whole, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name, data in contents:
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
        if name not in files and name != RETIREMENTS_FILE:
            raise damaged(path, f"{name} is not in it")
    needed = (files[PROFILE_FILE], files[IDENTITY_FILE], files[KNOWN_PEERS_FILE])
    return Backup(*needed, files.get(RETIREMENTS_FILE))


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
    """Read the header of a file. :raises BackupProblem: if it is anything else, or too long."""
    try:
        member = tarfile.TarInfo.frombuf(block, "ascii", "strict")
    except (tarfile.TarError, ValueError):
        raise damaged(path, "what is in it is no tar file") from None
    if member.name not in _FILES:
        raise damaged(path, f"there is {shown(member.name[:_SHOWN])} in it, which does not belong")
    if member.type not in _PLAIN:
        raise damaged(path, f"{member.name} is not a regular file")
    if not 0 <= member.size <= _FILES[member.name]:
        raise damaged(path, f"{member.name} is too long")
    return member
