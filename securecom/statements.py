"""Statements that a person's identity signs, and that others check: introductions.

Everything that makes or checks such a signature does it here, so that a change in what an identity
is made of has one place. Both keys sign, and both signatures must be good.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from securecom.identity import (
    BOTH_BYTES,
    SECOND_KEY_BYTES,
    SECOND_SIGNATURE_BYTES,
    Identity,
    PublicKey,
    SecondKey,
)

#: What a second key signs a statement for; the statement begins with a label of its own.
PURPOSE = b"SecureCom/2 statement"

_FIRST_BYTES = 64
#: The first key's signature, the second key, its signature.
SIGNATURE_BYTES = _FIRST_BYTES + SECOND_KEY_BYTES + SECOND_SIGNATURE_BYTES


def signed(identity: Identity, said: bytes) -> bytes:
    """The identity's signature of a statement, which begins with a label of its own."""
    second = identity.second_key.raw + identity.sign_second(said, PURPOSE)
    return identity.private_key.sign(said) + second


def has_signed(key: PublicKey, said: bytes, signature: bytes) -> bool:
    """Whether this is the signature of the owner of both keys."""
    if len(signature) != SIGNATURE_BYTES:
        return False
    first, rest = signature[:_FIRST_BYTES], signature[_FIRST_BYTES:]
    second, last = SecondKey(rest[:SECOND_KEY_BYTES]), rest[SECOND_KEY_BYTES:]
    if second.digest != key.second:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(first, said)
    except (InvalidSignature, ValueError):
        return False
    return second.has_signed(last, said, PURPOSE)


def key_bytes(key: PublicKey) -> bytes:
    """The keys as statements have them."""
    return key.encoded


def key_from(data: bytes) -> PublicKey:
    """Both keys, or a first one that is known alone, for which nobody can vouch.

    :raises BadKey: if these bytes are neither.
    """
    return PublicKey.of_both(data) if len(data) == BOTH_BYTES else PublicKey(data)
