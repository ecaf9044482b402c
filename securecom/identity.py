"""Identities: names, identity keys, their self-signed certificates, fingerprints.

A person has one secret and two keys. The Ed25519 key is the one in the identity file; a person
shows it to the server (client certificate of the standard channel) and to their peers (both
certificates of a chat). Certificates only carry the key: securecom ignores the names and dates in
them, and the TLS handshake proves that the peer holds the private key.

The second key is ML-DSA-65, which a quantum computer does not break. Its seed is derived from the
Ed25519 key's seed, and what it signs goes above TLS (docs/decisions/0061).
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import ClassVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import NameOID

from securecom import limits
from securecom.errors import BadKey, BadName, StateUnusable, WireError

_NAME = re.compile(rf"[a-z0-9][a-z0-9._-]{{0,{limits.MAX_NAME - 1}}}")
_KEY_BYTES = 32
_FOREVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))
_CROCKFORD = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"
)
_SSH_KIND = "ssh-ed25519"
# OpenSSH writes this before the 32 bytes: the kind, and the lengths of both.
_SSH_HEAD = b"\0\0\0\x0bssh-ed25519\0\0\0\x20"

#: Bytes of an ML-DSA-65 public key and of a signature (FIPS 204), and of a digest of the former.
SECOND_KEY_BYTES = 1952
SECOND_SIGNATURE_BYTES = 3309
DIGEST_BYTES = 32
#: An Ed25519 key and the digest of an ML-DSA-65 key.
BOTH_BYTES = 64
#: What HKDF derives the second key's seed for. Another purpose has another label.
SECOND_KEY_LABEL = b"SecureCom/2 ML-DSA-65 identity"
_SEED_BYTES = 32
_FINGERPRINT_LABEL = b"SecureCom/2 fingerprint"

# Points of small order, in every encoding that a lenient decoder accepts (y or y + p, either
# sign): such a key verifies signatures that nobody made.
# Source: ed25519, "Taming the many EdDSAs" (Chalkias, Garillot, Nikolaenko, 2020), table 1.
_P = 2**255 - 19
_ORDER_8_Y = 2707385501144840649318225287225658788936804267575313519463743609750303402022
_Y_BITS = 2**255 - 1
_SMALL_Y = frozenset({0, 1, _P - 1, _P, _P + 1, _ORDER_8_Y, _P - _ORDER_8_Y})


def framed(*parts: bytes) -> bytes:
    """The parts, each preceded by its length in 4 bytes: what is signed or hashed as one."""
    return b"".join([len(part).to_bytes(4, "big") + part for part in parts])


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
    """What a person is known by: both their keys. Two are equal only if both halves are.

    :param raw: the Ed25519 key (32 bytes, RFC 8032), known not to be of small order.
    :param second: the digest of the ML-DSA-65 key (`SecondKey.digest`). None in a certificate,
        which does not name it, and in pins and registries from before there were second keys.
    """

    raw: bytes
    second: bytes | None = None

    def __post_init__(self) -> None:
        if len(self.raw) != _KEY_BYTES:
            raise BadKey(f"an Ed25519 key has {_KEY_BYTES} bytes, not {len(self.raw)}")
        if int.from_bytes(self.raw, "little") & _Y_BITS in _SMALL_Y:
            raise BadKey("this Ed25519 key is of small order and proves nothing")
        if self.second is not None and len(self.second) != DIGEST_BYTES:
            raise BadKey(f"a second key's digest has {DIGEST_BYTES} bytes, not {len(self.second)}")

    @classmethod
    def of_both(cls, encoded: bytes) -> PublicKey:
        """Read what `encoded` gives for a person with both keys.

        :raises BadKey: if it is anything else, one key alone for instance.
        """
        if len(encoded) != BOTH_BYTES:
            raise BadKey(f"both keys take {BOTH_BYTES} bytes, not {len(encoded)}")
        return cls(encoded[:_KEY_BYTES], encoded[_KEY_BYTES:])

    @property
    def encoded(self) -> bytes:
        """The first key and, if it is known, the second one's digest: 64 bytes, or 32."""
        return self.raw + (self.second or b"")

    @property
    def first(self) -> PublicKey:
        """The Ed25519 key alone."""
        return PublicKey(self.raw)

    def completes(self, known: PublicKey) -> bool:
        """Whether this is a key that was known alone, now with a second one beside it."""
        return known.second is None and self.second is not None and known.raw == self.raw

    def shares(self, other: PublicKey) -> bool:
        """Whether one of its halves is one of the other's: then both claim to be one person."""
        return self.raw == other.raw or (self.second is not None and self.second == other.second)

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
        """`SHA256:` and 43 characters that stand for both keys.

        Of a first key that is known alone it is what `ssh-keygen -l` prints.
        """
        said = _SSH_HEAD + self.raw
        if self.second is not None:
            said = framed(_FINGERPRINT_LABEL, self.raw, self.second)
        digest = base64.b64encode(hashlib.sha256(said).digest())
        return "SHA256:" + digest.decode("ascii").rstrip("=")


@dataclass(frozen=True)
class SecondKey:
    """An ML-DSA-65 public key (1,952 bytes, FIPS 204)."""

    raw: bytes
    #: The library here was seen to refuse a signature for another purpose than its own.
    purposes_count: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if len(self.raw) != SECOND_KEY_BYTES:
            raise BadKey(f"an ML-DSA-65 key has {SECOND_KEY_BYTES} bytes, not {len(self.raw)}")

    @cached_property
    def digest(self) -> bytes:
        """What stands for the key wherever 1,952 bytes are too many: its SHA-256."""
        return hashlib.sha256(self.raw).digest()

    def has_signed(self, signature: bytes, said: bytes, purpose: bytes) -> bool:
        """Whether this is a signature of what was said, for this purpose and no other.

        :raises StateUnusable: if the library takes a signature for one purpose for any: such ones
            exist, and with them nothing here would prove anything.
        """
        if not self._verifies(signature, said, purpose):
            return False
        if not SecondKey.purposes_count:  # asked once, with the first good signature
            if self._verifies(signature, said, purpose + b" "):
                what = "the cryptographic library here ignores what a signature is for"
                raise StateUnusable(what, "Nothing was accepted. Install another one.")
            SecondKey.purposes_count = True
        return True

    def _verifies(self, signature: bytes, said: bytes, purpose: bytes) -> bool:
        try:
            key = MLDSA65PublicKey.from_public_bytes(self.raw)
            key.verify(signature, said, purpose)
        except (InvalidSignature, ValueError):
            return False
        return True


def derived_key(key: Ed25519PrivateKey, label: bytes) -> MLDSA65PrivateKey:
    """The ML-DSA-65 key that belongs to this Ed25519 key and this label.

    It is derived from the seed, of which the Ed25519 scalar is a hash: who computes the scalar from
    the public key does not have the seed.
    """
    seed = HKDF(hashes.SHA256(), _SEED_BYTES, None, label).derive(key.private_bytes_raw())
    return MLDSA65PrivateKey.from_seed_bytes(seed)


class Identity:
    """A private key, the second key derived from it, and the certificate of its public half."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self.private_key = key

    @cached_property
    def public_key(self) -> PublicKey:
        """Both public keys."""
        return PublicKey(self.private_key.public_key().public_bytes_raw(), self.second_key.digest)

    @cached_property
    def _second_private_key(self) -> MLDSA65PrivateKey:
        return derived_key(self.private_key, SECOND_KEY_LABEL)

    @cached_property
    def second_key(self) -> SecondKey:
        """The public half of the second key."""
        return SecondKey(self._second_private_key.public_key().public_bytes_raw())

    def sign_second(self, said: bytes, purpose: bytes) -> bytes:
        """Sign with the second key, for one purpose (ML-DSA's context). No two are alike.

        It takes about a millisecond, and up to ten.
        """
        return self._second_private_key.sign(said, purpose)

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
    """Check a self-signed certificate's signature and return its first key; ignore its names.

    :raises WireError: if the certificate is anything else.
    """
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise WireError("an identity certificate that cannot be read") from None
    if not isinstance(key, Ed25519PublicKey):
        raise WireError("an identity certificate without an Ed25519 key")
    _check_signature(certificate, key)
    try:
        return PublicKey(key.public_bytes_raw())
    except BadKey as error:
        raise WireError(error.what) from None


def _check_signature(certificate: x509.Certificate, key: Ed25519PublicKey) -> None:
    """:raises WireError: unless this key has signed the certificate, which names one party only."""
    try:
        certificate.verify_directly_issued_by(certificate)
    except InvalidSignature:
        raise WireError("an identity certificate with a bad signature") from None
    except (ValueError, TypeError):  # it finds more to complain about than we do: ask for ours
        _check_step_by_step(certificate, key)


def _check_step_by_step(certificate: x509.Certificate, key: Ed25519PublicKey) -> None:
    """The same, more slowly: names are parsed, and nothing but the key says how it was signed."""
    try:
        is_own_issuer = certificate.issuer == certificate.subject
    except ValueError:
        raise WireError("an identity certificate that cannot be read") from None
    if not is_own_issuer:
        raise WireError("an identity certificate that somebody else issued")
    try:
        key.verify(certificate.signature, certificate.tbs_certificate_bytes)
    except InvalidSignature:
        raise WireError("an identity certificate with a bad signature") from None


def server_id(ca: x509.Certificate) -> bytes:
    """The id by which clients know a server: SHA-256 of its CA certificate (32 bytes)."""
    return hashlib.sha256(ca.public_bytes(serialization.Encoding.DER)).digest()


def server_fingerprint(ident: bytes) -> str:
    """A server id for people: its first 80 bits, as `K7QD-9M2X-4TPA-ZC3E` (Crockford base32)."""
    text = base64.b32encode(ident[:10]).translate(_CROCKFORD).decode("ascii")
    return "-".join(text[at : at + 4] for at in range(0, 16, 4))
