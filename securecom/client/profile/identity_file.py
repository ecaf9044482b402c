"""Identity keys in files: Ed25519, in OpenSSH's private key format, ours or the person's own.

The format's outer part tells the kind of key and whether a pass phrase protects it, so a file
that cannot be used is refused before anybody is asked for anything.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from securecom import limits
from securecom.client.profile import private_files
from securecom.errors import IdentityProblem, PassPhraseProblem
from securecom.identity import Identity
from securecom.text import shown

_BEGIN = b"-----BEGIN OPENSSH PRIVATE KEY-----"
_END = b"-----END OPENSSH PRIVATE KEY-----"
_MAGIC = b"openssh-key-v1\0"
_KIND = b"ssh-ed25519"
_LENGTH = 4
#: Fields before the public key: cipher, kdf, kdf options.
_CIPHER, _FIELDS = 0, 3

#: The pass phrase of a file; called again after a wrong one.
AskPassPhrase = Callable[[Path], bytes]


@dataclass(frozen=True)
class IdentityFile:
    """An identity file's bytes, known to hold one Ed25519 key.

    :param title: what people know it as, if that is not its path.
    """

    path: Path
    data: bytes
    is_protected: bool
    title: str = ""

    @property
    def called(self) -> str:
        """As a question or an error names it."""
        return self.title or str(self.path)

    def unlock(self, pass_phrase: bytes | None) -> Identity:
        """The identity.

        :raises PassPhraseProblem: if that is not its pass phrase.
        :raises IdentityProblem: if the file is damaged.
        """
        try:
            key = serialization.load_ssh_private_key(self.data, pass_phrase)
        except UnsupportedAlgorithm as error:
            raise _unusable(self.path, f"its protection is not supported: {error}") from None
        except (ValueError, TypeError):
            if self.is_protected:
                hint = "Nothing was sent. Try again, or restore the file if it is damaged."
                what = f"that is not the pass phrase of {self.called}"
                raise PassPhraseProblem(what, hint) from None
            raise _unusable(self.path, "it is damaged") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise _unusable(self.path, "its private key is not the Ed25519 key it names")
        return Identity(key)


def read_identity_file(path: Path) -> IdentityFile:
    """The file, looked at as far as that goes without a pass phrase.

    :raises IdentityProblem: if it is missing, others may read it, or it holds something else.
    """
    try:
        data, is_open = private_files.read(path, limits.MAX_IDENTITY_FILE)
    except OSError as error:
        raise _unusable(path, (error.strerror or "unreadable").lower()) from None
    file = parse_identity_file(path, data)
    if is_open:
        what = f"others on this machine may read the identity file {path}; it was not used"
        raise IdentityProblem(what, f"Nothing was sent. Type: chmod 600 {path}")
    return file


def parse_identity_file(path: Path, data: bytes) -> IdentityFile:
    """The same of bytes that are, or will be, in a file. :raises IdentityProblem:"""
    if len(data) > limits.MAX_IDENTITY_FILE:
        raise _unusable(path, "it is too long for a key")
    cipher, kind = _outer_part(path, data)
    if kind != _KIND:
        what = f"it holds a key of the kind {shown(kind.decode('ascii', 'replace')[:40])}"
        raise _unusable(path, what, "Make one with: ssh-keygen -t ed25519")
    return IdentityFile(path, data, cipher != b"none")


def make_identity_file(path: Path, pass_phrase: bytes | None) -> Identity:
    """A new key, written before it is used for anything.

    :raises PassPhraseProblem: if that is too long for one. :raises IdentityProblem: if it cannot be
        written.
    """
    if pass_phrase and len(pass_phrase) > limits.MAX_PASS:
        what = f"a pass phrase has at most {limits.MAX_PASS} bytes, not {len(pass_phrase)}"
        raise PassPhraseProblem(what, "Nothing was made.")
    identity = Identity.generate()
    protection: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if pass_phrase:
        builder = serialization.PrivateFormat.OpenSSH.encryption_builder()
        protection = builder.kdf_rounds(limits.BCRYPT_ROUNDS).build(pass_phrase)
    data = identity.private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, protection
    )
    try:
        private_files.make_folder(path.parent)
        private_files.write(path, data)
    except OSError as error:
        raise _unusable(path, (error.strerror or "unwritable").lower()) from None
    return identity


def _outer_part(path: Path, data: bytes) -> tuple[bytes, bytes]:
    """Cipher and kind of key, as the unprotected part of the format tells them."""
    text = data.strip()
    if not (text.startswith(_BEGIN) and text.endswith(_END)):
        hint = "securecom takes keys in OpenSSH's own format; ssh-keygen -p -f FILE converts one"
        raise _unusable(path, "it is no OpenSSH private key", hint)
    try:
        blob = base64.b64decode(text[len(_BEGIN) : -len(_END)])
        if not blob.startswith(_MAGIC):
            raise ValueError("another version of the format")
        rest, fields = blob[len(_MAGIC) :], []
        for _ in range(_FIELDS):
            field, rest = _field(rest)
            fields.append(field)
        public_key, _ = _field(rest[_LENGTH:])  # behind the number of keys
        return fields[_CIPHER], _field(public_key)[0]
    except (ValueError, binascii.Error):
        raise _unusable(path, "it is damaged") from None


def _field(data: bytes) -> tuple[bytes, bytes]:
    """A field behind its length, and what comes after it."""
    length = int.from_bytes(data[:_LENGTH], "big")
    if len(data) < _LENGTH + length:
        raise ValueError("cut off")
    return data[_LENGTH : _LENGTH + length], data[_LENGTH + length :]


def _unusable(path: Path, why: str, hint: str = "") -> IdentityProblem:
    hint = f"Nothing was sent. {hint}".strip()
    return IdentityProblem(f"the identity file {path} cannot be used ({why})", hint)
