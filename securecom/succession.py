"""Successions: an old identity key signs over to a new one, and the new one signs that it is there.

A *link* is one such statement, for one name at one server. A *chain* is links one behind the other,
each from the key that the one before it leads to. Who knows a key of the chain can follow it to its
end, and needs nobody's word for that (docs/protocol.md, "A new key").
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
    """What both keys sign: at this server (its id, 32 bytes) the name goes from key to key."""
    parts = (LABEL, server, name.encode("ascii"), old.raw, new.raw)
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


@dataclass(frozen=True, slots=True)
class Link:
    """One key's statement for another, and that one's proof that somebody has it."""

    old: PublicKey
    new: PublicKey
    old_signature: bytes
    new_signature: bytes

    @classmethod
    def signed(cls, server: bytes, name: Name, old: Identity, new: Identity) -> Link:
        """The old identity signs over to the new one."""
        said = statement(server, name, old.public_key, new.public_key)
        signatures = (one.private_key.sign(said) for one in (old, new))
        return cls(old.public_key, new.public_key, *signatures)

    def holds(self, server: bytes, name: Name) -> bool:
        """Both keys have signed this, for this name at this server."""
        said = statement(server, name, self.old, self.new)
        signed = ((self.old, self.old_signature), (self.new, self.new_signature))
        return self.old != self.new and all(_has_signed(*one, said) for one in signed)

    def encoded(self) -> bytes:
        """Old key, new key, the old key's signature, the new key's."""
        return self.old.raw + self.new.raw + self.old_signature + self.new_signature


def _has_signed(key: PublicKey, signature: bytes, said: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(signature, said)
    except (InvalidSignature, ValueError):
        return False
    return True


def encode(chain: Sequence[Link]) -> bytes:
    """Its links, the oldest first."""
    return b"".join(link.encoded() for link in chain)


def decode(data: bytes) -> tuple[Link, ...]:
    """The links of a chain, their signatures not yet looked at.

    :raises WireError: if these are not at most `limits.MAX_SUCCESSIONS` whole links.
    """
    count, rest = divmod(len(data), LINK_BYTES)
    if rest or count > limits.MAX_SUCCESSIONS:
        raise WireError("bytes that are no chain of keys")
    return tuple(_link(data[at * LINK_BYTES : (at + 1) * LINK_BYTES]) for at in range(count))


def _link(data: bytes) -> Link:
    keys, signatures = data[: 2 * KEY_BYTES], data[2 * KEY_BYTES :]
    try:
        old, new = PublicKey(keys[:KEY_BYTES]), PublicKey(keys[KEY_BYTES:])
    except BadKey:
        raise WireError("a chain with a key that is none") from None
    return Link(old, new, signatures[:SIGNATURE_BYTES], signatures[SIGNATURE_BYTES:])


def leads(chain: bytes, server: bytes, name: Name, known: PublicKey, offered: PublicKey) -> bool:
    """The chain shows that whoever had the known key signed over to the offered one.

    All of it has to be right, links before the known key too: both signatures of each, one link
    behind the other, no key twice, and the offered key at its end.
    """
    try:
        links = decode(chain)
    except WireError:
        return False
    if not links or links[-1].new != offered or known not in [link.old for link in links]:
        return False
    keys = [links[0].old, *(link.new for link in links)]
    is_line = all(one.new == next_one.old for one, next_one in pairwise(links))
    return is_line and len({*keys}) == len(keys) and all(one.holds(server, name) for one in links)
