"""Statements that a person's identity signs, and that others check: introductions.

Everything that makes or checks such a signature does it here, so that a change in what an identity
is made of has one place.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from securecom.identity import Identity, PublicKey


def signed(identity: Identity, said: bytes) -> bytes:
    """The identity's signature of a statement, which begins with a label of its own."""
    return identity.private_key.sign(said)


def has_signed(key: PublicKey, said: bytes, signature: bytes) -> bool:
    """Whether this is the signature of this key's owner."""
    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(signature, said)
    except (InvalidSignature, ValueError):
        return False
    return True


def key_bytes(key: PublicKey) -> bytes:
    """The key as statements have it."""
    return key.raw


def key_from(data: bytes) -> PublicKey:
    """:raises BadKey: if these bytes are no key."""
    return PublicKey(data)
