"""Successions: old identity keys hand over to new ones, and both sign the statement.

A *link* is one such statement, for one name on one server. A *chain* is a sequence of links, each
starting at the keys that the previous one leads to. Anybody who knows a person's keys at any point
of the chain can follow it to its end without trusting anybody else (docs/protocol.md, "A new key").

The old person's second key signs, too, if they had one. Links from before there were second keys
stay good for those who know the old first key alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from securecom import limits
from securecom.errors import BadKey, WireError
from securecom.identity import (
    BOTH_BYTES,
    SECOND_KEY_BYTES,
    SECOND_SIGNATURE_BYTES,
    Identity,
    Name,
    PublicKey,
    SecondKey,
    framed,
)
from securecom.values import Value

LABEL = b"SecureCom/2 key-succession"
#: Of a link that was made before there were second keys.
FIRST_KEYS_LABEL = b"SecureCom/1 key-succession"
#: What second keys sign a statement for: the old one, and the new one.
OLD_KEY = b"SecureCom/2 old key"
NEW_KEY = b"SecureCom/2 new key"

KEY_BYTES = 32
SIGNATURE_BYTES = 64
#: The first byte of an encoded link, and how many follow it: without second keys, and with them.
_FIRST_KEYS, _BOTH_KEYS = b"\1", b"\2"
FIRST_KEYS_LINK_BYTES = 1 + 2 * (KEY_BYTES + SIGNATURE_BYTES)
LINK_BYTES = (
    1 + KEY_BYTES + SECOND_KEY_BYTES + BOTH_BYTES + 2 * SIGNATURE_BYTES + SECOND_SIGNATURE_BYTES
)


def statement(server: bytes, name: Name, old: PublicKey, new: PublicKey) -> bytes:
    """What all keys sign: on this server (its id, 32 bytes) the name moves from old to new."""
    label = FIRST_KEYS_LABEL if old.second is None else LABEL
    return framed(label, server, name.encode("ascii"), old.encoded, new.encoded)


class Link(Value):
    """The old keys' statement for the new ones, and the new first key's proof of agreement.

    That the person holds the new second key is proved elsewhere: to the server by `NewKeyOffer`,
    to a peer by HELLO.

    :param old_second_key: None in a link from before there were second keys.
    """

    old: PublicKey
    new: PublicKey
    old_signature: bytes
    new_signature: bytes
    old_second_key: SecondKey | None = None
    old_second_signature: bytes | None = None

    @classmethod
    def signed(cls, server: bytes, name: Name, old: Identity, new: Identity) -> Link:
        """Make a link from the old identity to the new one, signed by both."""
        said = statement(server, name, old.public_key, new.public_key)
        return cls(
            old.public_key,
            new.public_key,
            old.private_key.sign(said),
            new.private_key.sign(said),
            old.second_key,
            old.sign_second(said, OLD_KEY),
        )

    def holds(self, server: bytes, name: Name) -> bool:
        """Whether these keys signed this link, for this name on this server.

        Of a person with both keys both must have, and such a person goes on with both.
        """
        if self.old.shares(self.new) or (self.old.second is None) != (self.new.second is None):
            return False
        said = statement(server, name, self.old, self.new)
        signed = ((self.old, self.old_signature), (self.new, self.new_signature))
        return all(_has_signed(*one, said) for one in signed) and self._second_holds(said)

    def _second_holds(self, said: bytes) -> bool:
        if self.old.second is None:
            return True
        key, signature = self.old_second_key, self.old_second_signature
        if key is None or signature is None or key.digest != self.old.second:
            return False
        return key.has_signed(signature, said, OLD_KEY)

    def encoded(self) -> bytes:
        """Encode it; docs/protocol.md has the order."""
        signatures = self.old_signature + self.new_signature
        if self.old_second_key is None:
            return _FIRST_KEYS + self.old.raw + self.new.raw + signatures
        keys = self.old.raw + self.old_second_key.raw + self.new.encoded
        return _BOTH_KEYS + keys + signatures + (self.old_second_signature or b"")


class NewKeyOffer(Value):
    """What `NewKey` says: a link, and the new second key's signature of the same statement."""

    old: PublicKey
    key: PublicKey
    old_signature: bytes
    new_signature: bytes
    old_second_key: SecondKey
    old_second_signature: bytes
    new_second_key: SecondKey
    new_second_signature: bytes

    @property
    def link(self) -> Link:
        """What others follow."""
        return Link(
            self.old,
            self.key,
            self.old_signature,
            self.new_signature,
            self.old_second_key,
            self.old_second_signature,
        )

    def holds(self, server: bytes, name: Name) -> bool:
        """Whether all four keys signed."""
        if self.new_second_key.digest != self.key.second or not self.link.holds(server, name):
            return False
        said = statement(server, name, self.old, self.key)
        return self.new_second_key.has_signed(self.new_second_signature, said, NEW_KEY)


def new_key_arguments(server: bytes, name: Name, old: Identity, new: Identity) -> dict[str, Any]:
    """The arguments of `NewKey`."""
    return link_arguments(server, name, Link.signed(server, name, old, new), new)


def link_arguments(server: bytes, name: Name, link: Link, new: Identity) -> dict[str, Any]:
    """The arguments of `NewKey` for this link, which leads to the key of `new`."""
    said = statement(server, name, link.old, link.new)
    return {
        "key": link.new,
        "old_signature": link.old_signature,
        "new_signature": link.new_signature,
        "old_second_key": link.old_second_key,
        "old_second_signature": link.old_second_signature,
        "new_second_key": new.second_key,
        "new_second_signature": new.sign_second(said, NEW_KEY),
    }


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
    links: list[Link] = []
    while data:
        size = LINK_BYTES if data[:1] == _BOTH_KEYS else FIRST_KEYS_LINK_BYTES
        link, data = data[:size], data[size:]
        if len(link) != size or len(links) == limits.MAX_SUCCESSIONS:
            raise WireError("bytes that are not a chain of keys")
        links.append(_link(link))
    return tuple(links)


def _link(data: bytes) -> Link:
    kind, data = data[:1], data[1:]
    if kind not in (_FIRST_KEYS, _BOTH_KEYS):
        raise WireError("bytes that are not a chain of keys")
    old, data = data[:KEY_BYTES], data[KEY_BYTES:]
    try:
        if kind == _FIRST_KEYS:
            new, data = data[:KEY_BYTES], data[KEY_BYTES:]
            return Link(PublicKey(old), PublicKey(new), *_signatures(data))
        second, data = SecondKey(data[:SECOND_KEY_BYTES]), data[SECOND_KEY_BYTES:]
        both, data = data[:BOTH_BYTES], data[BOTH_BYTES:]
        old_key, new_key = PublicKey(old, second.digest), PublicKey.of_both(both)
        last = data[2 * SIGNATURE_BYTES :]
        return Link(old_key, new_key, *_signatures(data), second, last)
    except BadKey:
        raise WireError("a chain with an invalid key") from None


def _signatures(data: bytes) -> tuple[bytes, bytes]:
    return data[:SIGNATURE_BYTES], data[SIGNATURE_BYTES : 2 * SIGNATURE_BYTES]


def leads(chain: bytes, server: bytes, name: Name, known: PublicKey, offered: PublicKey) -> bool:
    """Whether the chain proves that the owner of the known keys handed over to the offered ones.

    The whole chain must be valid, including links before the known keys: the signatures of each
    link hold, each link starts where the previous one ends, no key occurs twice, and the last link
    ends at the offered keys. Where a first key is known alone, the next step may put a second one
    beside it; a second key is never left behind.
    """
    try:
        links = decode(chain)
    except WireError:
        return False
    if not any(_goes_on(known, link.old) for link in links):
        return False
    line = [*((one.new, other.old) for one, other in pairwise(links)), (links[-1].new, offered)]
    keys = [*(link.old for link in links), links[-1].new]
    is_line = all(_goes_on(*one) for one in line)
    is_once = not any(one.shares(other) for one, other in combinations(keys, 2))
    return is_line and is_once and all(one.holds(server, name) for one in links)


def _goes_on(known: PublicKey, following: PublicKey) -> bool:
    return following == known or following.completes(known)
