"""Identity keys in files: Ed25519, in OpenSSH's private key format, ours or the person's own.

The format's outer part tells the kind of key and whether a pass phrase protects it, so a file
that cannot be used is refused before anybody is asked for anything.
"""

from __future__ import annotations

import base64
import binascii
import shlex
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import SSHPrivateKeyTypes

from securecom import limits
from securecom.client.profile import private_files
from securecom.client.profile.spelling import composed, spelt
from securecom.errors import BadKey, IdentityProblem, PassPhraseProblem
from securecom.identity import Identity
from securecom.text import shown
from securecom.values import Value

_BEGIN = b"-----BEGIN OPENSSH PRIVATE KEY-----"
_END = b"-----END OPENSSH PRIVATE KEY-----"
_MAGIC = b"openssh-key-v1\0"
_KIND = b"ssh-ed25519"
#: Of a key in hardware, whose file has no seed.
_IN_HARDWARE = b"sk-"
_LENGTH = 4
#: Fields before the public key: cipher, kdf, kdf options.
_FIELDS = 3
_NO_CIPHER, _NO_KDF, _KDF = b"none", b"none", b"bcrypt"
#: The ciphers that cryptography reads, of the ten that ssh-keygen writes.
_CIPHERS = frozenset({b"aes256-ctr", b"aes256-cbc", b"aes256-gcm@openssh.com"})
#: Writes the file again, under a new or the same pass phrase. ssh-keygen's own number of rounds is
#: 16, and less than what it replaces.
_SAVE_AGAIN = f"ssh-keygen -p -Z aes256-ctr -a {limits.BCRYPT_ROUNDS} -f"

#: What files begin with that hold a key in another form, what they are, and what makes the
#: right form of them; {file} is the file, {new} a new one.
_OTHER_FORMS = (
    (
        b"\xef\xbb\xbf",
        "it begins with a byte order mark (BOM)",
        "Take it away: (umask 077; tail -c +4 {file} > {new})",
    ),
    (
        (b"\xff\xfe", b"\xfe\xff"),
        "it is UTF-16 text",
        "Make plain text of it: (umask 077; iconv -f UTF-16 -t UTF-8 {file} > {new})",
    ),
    (
        b"PuTTY-User-Key-File-",
        "it is a PuTTY key",
        "PuTTYgen converts it: puttygen {file} -O private-openssh-new -o {new}",
    ),
    (
        (b"-----BEGIN PRIVATE KEY-----", b"-----BEGIN ENCRYPTED PRIVATE KEY-----"),
        "it is a PKCS#8 key",
        f"OpenSSH 9.6 or later converts it in its place: {_SAVE_AGAIN} {{file}}",
    ),
    (
        (b"ssh-", b"ecdsa-", b"sk-"),
        "it is no OpenSSH private key but a public one",
        "Name the file with the private key, usually without .pub.",
    ),
)

_MAKE_ONE = "Make one with: ssh-keygen -t ed25519"
#: Letters of a name in a file that an error repeats.
_MAX_WORD = 40

#: The pass phrase of a file; called again after a wrong one.
AskPassPhrase = Callable[[Path], bytes]


class IdentityFile(Value):
    """An identity file's bytes, known to hold one Ed25519 key.

    :param rounds: of bcrypt, which each try of its pass phrase takes; 0 without one.
    :param title: what people know it as, if that is not its path.
    """

    path: Path
    data: bytes
    is_protected: bool
    title: str = ""
    rounds: int = 0

    @property
    def called(self) -> str:
        """As a question or an error names it."""
        return self.title or str(self.path)

    def unlock(self, pass_phrase: bytes | None) -> Identity:
        """The identity.

        :raises PassPhraseProblem: if that is not its pass phrase.
        :raises IdentityProblem: if the file is damaged.
        """
        if not self.is_protected:
            key = self._key(None)
        else:
            keys = (self._key(spelling) for spelling in spelt(pass_phrase or b""))
            key = next((one for one in keys if one is not None), None)
            if key is None:
                hint = "Nothing was sent. Try again, or restore the file if it is damaged."
                what = f"that is not the pass phrase of {self.called}"
                raise PassPhraseProblem(what, hint)
        if not isinstance(key, Ed25519PrivateKey):
            raise _unusable(self.path, "its private key is not the Ed25519 key it names")
        try:
            return Identity(key)
        except BadKey as error:
            raise _unusable(self.path, error.what) from None

    def _key(self, pass_phrase: bytes | None) -> SSHPrivateKeyTypes | None:
        """The key; None if that is not the pass phrase, or the file is damaged behind it.

        :raises IdentityProblem: if there is no pass phrase, and the file is damaged.
        """
        try:
            return serialization.load_ssh_private_key(self.data, pass_phrase)
        except UnsupportedAlgorithm as error:
            raise _unusable(self.path, f"its protection is not supported: {error}") from None
        except (ValueError, TypeError, InvalidTag):
            # A cipher that checks what it deciphers (GCM) says InvalidTag of a wrong pass phrase.
            if self.is_protected:
                return None
            raise _unusable(self.path, "it is damaged") from None


def read_identity_file(path: Path) -> IdentityFile:
    """The file, looked at as far as that goes without a pass phrase.

    :raises IdentityProblem: if it is missing or no regular file, others may read it, or it holds
        something else.
    """
    try:
        data, is_open = private_files.read_plain(path, limits.MAX_IDENTITY_FILE)
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
    outer = _outer_part(path, data)
    if outer.kind != _KIND:
        what = f"it holds a key of the kind {_word(outer.kind)}"
        if outer.kind.startswith(_IN_HARDWARE):
            what = "its secret is in a security key, not in the file: no second key comes of it"
        raise _unusable(path, what, _MAKE_ONE)
    outer.check_protection(path)
    is_protected = outer.cipher != _NO_CIPHER
    rounds = outer.rounds if is_protected else 0
    return IdentityFile(path, data, is_protected, rounds=rounds)


def make_identity_file(path: Path, pass_phrase: bytes | None) -> Identity:
    """A new key, written before it is used for anything.

    :raises PassPhraseProblem: if that is too long for one. :raises IdentityProblem: if it cannot be
        written.
    """
    pass_phrase = pass_phrase and composed(pass_phrase)
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
    except PermissionError:
        what = f"the identity file {path} cannot be written (permission denied)"
        raise IdentityProblem(what, private_files.MAY_BE_ROOTS) from None
    except OSError as error:
        raise _unusable(path, (error.strerror or "unwritable").lower()) from None
    return identity


class _OuterPart(Value):
    """What the unprotected part of the format says."""

    cipher: bytes
    kdf: bytes
    rounds: int
    kind: bytes

    def check_protection(self, path: Path) -> None:
        """:raises IdentityProblem: if no pass phrase could open the file here."""
        if (self.cipher, self.kdf) == (_NO_CIPHER, _NO_KDF):
            return
        again = f"This writes it in a form that can: {_SAVE_AGAIN} {_quoted(path)}"
        if self.cipher not in _CIPHERS:
            raise _unusable(path, f"its cipher is {_word(self.cipher)}", again)
        if self.kdf != _KDF:
            raise _unusable(path, f"its pass phrase is hashed with {_word(self.kdf)}", again)
        if not 0 < self.rounds <= limits.MAX_BCRYPT_ROUNDS:
            what = f"a try of its pass phrase takes {self.rounds} rounds"
            raise _unusable(path, f"{what}; at most {limits.MAX_BCRYPT_ROUNDS} are made", again)


def _outer_part(path: Path, data: bytes) -> _OuterPart:
    """:raises IdentityProblem: if the bytes are no key in OpenSSH's form."""
    text = data.lstrip()
    end = text.find(_END)  # what comes behind it is no part of the key, as OpenSSH has it
    if not text.startswith(_BEGIN) or end < 0:
        raise _of_another_form(path, text)
    try:
        blob = base64.b64decode(text[len(_BEGIN) : end])
        if not blob.startswith(_MAGIC):
            raise ValueError("another version of the format")
        rest, fields = blob[len(_MAGIC) :], []
        for _ in range(_FIELDS):
            field, rest = _field(rest)
            fields.append(field)
        public_key, _ = _field(rest[_LENGTH:])  # behind the number of keys
        cipher, kdf, options = fields
        rounds = int.from_bytes(_field(options)[1], "big") if options else 0
        return _OuterPart(cipher, kdf, rounds, _field(public_key)[0])
    except (ValueError, binascii.Error):
        raise _unusable(path, "it is damaged") from None


def _of_another_form(path: Path, text: bytes) -> IdentityProblem:
    """What the file is instead, as far as its beginning tells, and what makes a key of it."""
    for begin, what, hint in _OTHER_FORMS:
        if text.startswith(begin):
            file, new = _quoted(path), _quoted(path.with_name(f"{path.name}.openssh"))
            return _unusable(path, what, hint.format(file=file, new=new))
    return _unusable(path, "it is no OpenSSH private key", _MAKE_ONE)


def _quoted(path: Path) -> str:
    """The path as a shell takes it."""
    return shown(shlex.quote(str(path)))


def _word(name: bytes) -> str:
    return shown(name.decode("ascii", "replace")[:_MAX_WORD])


def _field(data: bytes) -> tuple[bytes, bytes]:
    """A field behind its length, and what comes after it."""
    length = int.from_bytes(data[:_LENGTH], "big")
    if len(data) < _LENGTH + length:
        raise ValueError("cut off")
    return data[_LENGTH : _LENGTH + length], data[_LENGTH + length :]


def _unusable(path: Path, why: str, hint: str = "") -> IdentityProblem:
    hint = f"Nothing was sent. {hint}".strip()
    return IdentityProblem(f"the identity file {path} cannot be used ({why})", hint)
