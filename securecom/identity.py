"""Identities: names, Ed25519 identity keys, their self-signed certificates, fingerprints.

A person shows the same key to the server (client certificate of the standard channel) and to
their peers (both certificates of a chat). Certificates only carry the key: securecom ignores the
names and dates in them, and the TLS handshake proves that the peer holds the private key.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.x509.oid import NameOID

from securecom import limits
from securecom.errors import BadKey, BadName, WireError

_NAME = re.compile(rf"[a-z0-9][a-z0-9._-]{{0,{limits.MAX_NAME - 1}}}")
_KEY_BYTES = 32
_FOREVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))
_CROCKFORD = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"
)
_SSH_KIND = "ssh-ed25519"
# OpenSSH writes this before the 32 bytes: the kind, and the lengths of both.
_SSH_HEAD = b"\0\0\0\x0bssh-ed25519\0\0\0\x20"

# Points of small order, in every encoding that a lenient decoder accepts (y or y + p, either
# sign): such a key verifies signatures that nobody made.
# Source: ed25519, "Taming the many EdDSAs" (Chalkias, Garillot, Nikolaenko, 2020), table 1.
_P = 2**255 - 19
_ORDER_8_Y = 2707385501144840649318225287225658788936804267575313519463743609750303402022
_SMALL_Y = frozenset({0, 1, _P - 1, _P, _P + 1, _ORDER_8_Y, _P - _ORDER_8_Y})


class Name(str):
    """A person's name on a server: lower-case ASCII, so that no two look alike by accident."""

    __slots__ = ()

    def __new__(cls, text: str) -> Name:
        """:raises BadName: if the text is not a valid name."""
        if not _NAME.fullmatch(text):
            raise BadName("that is not a name")
        return super().__new__(cls, text)


@dataclass(frozen=True)
class PublicKey:
    """An Ed25519 public key (32 bytes, RFC 8032), known not to be of small order."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != _KEY_BYTES:
            raise BadKey(f"an Ed25519 key has {_KEY_BYTES} bytes, not {len(self.raw)}")
        if int.from_bytes(self.raw, "little") & (2**255 - 1) in _SMALL_Y:
            raise BadKey("this Ed25519 key is of small order and proves nothing")

    @classmethod
    def from_openssh(cls, line: str) -> PublicKey:
        """Parse an OpenSSH line, `ssh-ed25519 AAAA… [comment]`.

        :raises BadKey: if the line holds anything else.
        """
        if len(line.splitlines()) != 1:
            raise BadKey("that is not one OpenSSH public key")
        kind, key, *_comment = [*line.split(maxsplit=2), "", ""]
        if kind != _SSH_KIND:  # a certificate over such a key has a kind of its own
            raise BadKey("that is not an OpenSSH key of the kind ssh-ed25519")
        try:
            blob = base64.b64decode(key, validate=True)
        except ValueError:
            raise BadKey("that OpenSSH public key is not whole") from None
        if not blob.startswith(_SSH_HEAD):
            raise BadKey("that OpenSSH public key is not whole")
        return cls(blob.removeprefix(_SSH_HEAD))

    def to_openssh(self) -> str:
        """The key as OpenSSH writes it, without a comment."""
        blob = base64.b64encode(_SSH_HEAD + self.raw)
        return f"{_SSH_KIND} {blob.decode('ascii')}"

    @property
    def fingerprint(self) -> str:
        """The fingerprint as `ssh-keygen -l` prints it: `SHA256:` and 43 characters."""
        digest = base64.b64encode(hashlib.sha256(_SSH_HEAD + self.raw).digest())
        return "SHA256:" + digest.decode("ascii").rstrip("=")


class Identity:
    """A private key and the certificate that carries its public half."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self.private_key = key
        self.public_key = PublicKey(key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> Identity:
        """Make an identity with a new key."""
        return cls(Ed25519PrivateKey.generate())

    @cached_property
    def certificate(self) -> x509.Certificate:
        """A self-signed certificate that says the same for everybody and never expires.

        Only the key in it counts.
        """
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "securecom identity")])
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.private_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_FOREVER[0])
            .not_valid_after(_FOREVER[1])
            .sign(self.private_key, None)
        )


def certified_key(certificate: x509.Certificate) -> PublicKey:
    """Check a self-signed Ed25519 certificate's signature and return its key; ignore its names.

    :raises WireError: if the certificate is anything else.
    """
    try:
        key = certificate.public_key()
        is_own_issuer = certificate.issuer == certificate.subject
    except (ValueError, UnsupportedAlgorithm):
        raise WireError("an identity certificate that cannot be read") from None
    if not isinstance(key, Ed25519PublicKey):
        raise WireError("an identity certificate without an Ed25519 key")
    if not is_own_issuer:
        raise WireError("an identity certificate that somebody else issued")
    try:
        key.verify(certificate.signature, certificate.tbs_certificate_bytes)
    except InvalidSignature:
        raise WireError("an identity certificate with a bad signature") from None
    try:
        return PublicKey(key.public_bytes_raw())
    except BadKey as error:
        raise WireError(error.what) from None


def server_id(ca: x509.Certificate) -> bytes:
    """The id by which clients know a server: SHA-256 of its CA certificate (32 bytes)."""
    return hashlib.sha256(ca.public_bytes(serialization.Encoding.DER)).digest()


def server_fingerprint(ident: bytes) -> str:
    """A server id for people: its first 80 bits, as `K7QD-9M2X-4TPA-ZC3E` (Crockford base32)."""
    text = base64.b32encode(ident[:10]).translate(_CROCKFORD).decode("ascii")
    return "-".join(text[at : at + 4] for at in range(0, 16, 4))
