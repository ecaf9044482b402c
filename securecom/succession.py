"""Successions: an old identity key hands over to a new one, and both keys sign the statement.

A *link* is one such statement, for one name on one server. A *chain* is a sequence of links, each
starting at the key that the previous one leads to. Anybody who knows a key in the chain can follow
it to its end without trusting anybody else (docs/protocol.md, "A new key").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from securecom import limits
from securecom.errors import BadKey, WireError
from securecom.identity import Identity, Name, PublicKey

LABEL = b"SecureCom/1 key-succession"

KEY_BYTES = 32
SIGNATURE_BYTES = 64
LINK_BYTES = 2 * (KEY_BYTES + SIGNATURE_BYTES)


def statement(server: bytes, name: Name, old: PublicKey, new: PublicKey) -> bytes:
    """What both keys sign: on this server (its id, 32 bytes) the name moves from old to new."""
    parts = (LABEL, server, name.encode("ascii"), old.raw, new.raw)
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


@dataclass(frozen=True, slots=True)
class Link:
    """The old key's statement for the new one, and the new key's proof that its owner agrees."""

    old: PublicKey
    new: PublicKey
    old_signature: bytes
    new_signature: bytes

    @classmethod
    def signed(cls, server: bytes, name: Name, old: Identity, new: Identity) -> Link:
        """Make a link from the old identity to the new one, signed by both."""
        said = statement(server, name, old.public_key, new.public_key)
        signatures = (one.private_key.sign(said) for one in (old, new))
        return cls(old.public_key, new.public_key, *signatures)

    def holds(self, server: bytes, name: Name) -> bool:
        """Whether both keys signed this link, for this name on this server."""
        said = statement(server, name, self.old, self.new)
        signed = ((self.old, self.old_signature), (self.new, self.new_signature))
        return self.old != self.new and all(_has_signed(*one, said) for one in signed)

    def encoded(self) -> bytes:
        """Encode it: old key, new key, the old key's signature, the new key's signature."""
        return self.old.raw + self.new.raw + self.old_signature + self.new_signature


def _has_signed(key: PublicKey, signature: bytes, said: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(signature, said)
    except (InvalidSignature, ValueError):
        return False
    return True


def encode(chain: Sequence[Link]) -> bytes:
    """Encode a chain: its links, oldest first."""
    return b"".join(link.encoded() for link in chain)


def decode(data: bytes) -> tuple[Link, ...]:
    """Decode the links of a chain, without checking their signatures.

    :raises WireError: unless the data is whole links, at most `limits.MAX_SUCCESSIONS` of them.
    """
    count, rest = divmod(len(data), LINK_BYTES)
    if rest or count > limits.MAX_SUCCESSIONS:
        raise WireError("bytes that are not a chain of keys")
    return tuple(_link(data[at * LINK_BYTES : (at + 1) * LINK_BYTES]) for at in range(count))


def _link(data: bytes) -> Link:
    keys, signatures = data[: 2 * KEY_BYTES], data[2 * KEY_BYTES :]
    try:
        old, new = PublicKey(keys[:KEY_BYTES]), PublicKey(keys[KEY_BYTES:])
    except BadKey:
        raise WireError("a chain with an invalid key") from None
    return Link(old, new, signatures[:SIGNATURE_BYTES], signatures[SIGNATURE_BYTES:])


def leads(chain: bytes, server: bytes, name: Name, known: PublicKey, offered: PublicKey) -> bool:
    """Whether the chain proves that the owner of the known key handed over to the offered one.

    The whole chain must be valid, including links before the known key: both signatures of each
    link hold, each link starts where the previous one ends, no key occurs twice, and the last link
    ends at the offered key.
    """
    try:
        links = decode(chain)
    except WireError:
        return False
    if known not in [link.old for link in links] or links[-1].new != offered:
        return False
    keys = [links[0].old, *(link.new for link in links)]
    is_line = all(one.new == next_one.old for one, next_one in pairwise(links))
    return is_line and len({*keys}) == len(keys) and all(one.holds(server, name) for one in links)
