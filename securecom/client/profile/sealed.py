"""Bytes under a pass phrase: an age file (https://age-encryption.org), made by pyrage.

The tool `age` opens it without us. What a pass phrase costs to try, time and memory, stands in the
file and is looked at before anything is tried.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pyrage

from securecom import limits
from securecom.client.profile import private_files
from securecom.errors import BackupProblem, PassPhraseProblem

_HEAD = re.compile(
    rb"age-encryption\.org/v1\n"  # the version of the format
    rb"-> scrypt [A-Za-z0-9+/]{22} ([1-9][0-9]?)\n"  # a pass phrase, the salt, the work
    rb"[A-Za-z0-9+/]{43}\n"  # the file's own key under it
    rb"--- [A-Za-z0-9+/]{43}\n"  # and no other way in: pyrage takes for ever to read very many
)
#: What pyrage says when a pass phrase does not open the file's own key; the rest is damage.
_WRONG = "Decryption failed"


@dataclass(frozen=True)
class SealedFile:
    """A file's bytes, known to begin as ours do and to cost a bounded amount of work."""

    path: Path
    data: bytes

    def unseal(self, pass_phrase: bytes) -> bytes:
        """What is in it. Takes about a second.

        :raises PassPhraseProblem: if that is not its pass phrase.
        :raises BackupProblem: if it is damaged.
        """
        try:
            text = pass_phrase.decode("utf-8")
            return pyrage.passphrase.decrypt(self.data, text)
        except UnicodeDecodeError:
            raise _wrong(self.path) from None
        except pyrage.DecryptError as error:
            if str(error) == _WRONG:
                raise _wrong(self.path) from None
            raise damaged(self.path, "it is cut off, or not what was written") from None


def seal(data: bytes, pass_phrase: str) -> bytes:
    """An age file. Takes about a second of one core, which no other thread has meanwhile."""
    return pyrage.passphrase.encrypt(data, pass_phrase)


def read_sealed_file(path: Path) -> SealedFile:
    """The file, looked at as far as that goes without its pass phrase.

    :raises BackupProblem: if it cannot be read, is too long, or is no such file.
    """
    try:
        data, _ = private_files.read(path, limits.MAX_BACKUP_FILE)
    except OSError as error:
        why = (error.strerror or "unreadable").lower()
        raise BackupProblem(f"the backup {path} cannot be read ({why})") from None
    if len(data) > limits.MAX_BACKUP_FILE:
        raise BackupProblem(f"{path} is too long for a backup")
    head = _HEAD.match(data)
    if head is None:
        raise BackupProblem(f"{path} is no backup of securecom, or one of a newer version")
    if int(head[1]) > limits.MAX_SCRYPT_WORK:
        what = f"{path} asks for more work (2^{int(head[1])}) than a backup of securecom does"
        raise BackupProblem(what)
    return SealedFile(path, data)


def damaged(path: Path, why: str) -> BackupProblem:
    """A backup that cannot be restored."""
    return BackupProblem(f"the backup {path} cannot be restored: {why}")


def _wrong(path: Path) -> PassPhraseProblem:
    what = f"that is not the pass phrase of the backup {path}"
    return PassPhraseProblem(what, "Nothing was changed or sent. Try again.")
