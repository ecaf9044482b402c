"""Introductions: what the introduced person agrees to, and what the introducer vouches for.

Three people are in it. The introducer knows both others and has verified them. Each of these is
introduced to the other one, the receiver. A receiver takes an introduction if the introducer has
signed it for this receiver, and the introduced person has agreed to it with the very key that is
introduced (docs/protocol.md, "Introductions").
"""

from __future__ import annotations

from securecom import statements
from securecom.identity import Identity, Name, PublicKey, framed
from securecom.values import Value

CONSENT_LABEL = b"SecureCom/1 introduction-consent"
VOUCHING_LABEL = b"SecureCom/1 introduction"


class Person(Value):
    """A name and the key that goes with it."""

    name: Name
    key: PublicKey

    @property
    def parts(self) -> tuple[bytes, bytes]:
        """What a statement says of them."""
        return self.name.encode("ascii"), statements.key_bytes(self.key)


def consent(server: bytes, introducer: Person, introduced: Person, receiver: Name) -> bytes:
    """What somebody signs who agrees to be introduced.

    :param server: its id (32 bytes).
    :param receiver: to whom; at that time their key is not known.
    """
    who = (*introducer.parts, *introduced.parts, receiver.encode("ascii"))
    return framed(CONSENT_LABEL, server, *who)


def vouching(server: bytes, introducer: Person, introduced: Person, receiver: Person) -> bytes:
    """What the introducer signs: this key is this person's. It is meant for one receiver."""
    who = (*introducer.parts, *introduced.parts, *receiver.parts)
    return framed(VOUCHING_LABEL, server, *who)


def agree(server: bytes, introducer: Person, own: Identity, name: Name, receiver: Name) -> bytes:
    """Our own signature of `consent`."""
    said = consent(server, introducer, Person(name, own.public_key), receiver)
    return statements.signed(own, said)


def has_agreed(
    server: bytes, introducer: Person, introduced: Person, receiver: Name, signature: bytes
) -> bool:
    """Whether the introduced person has signed `consent`, with the key that is introduced."""
    said = consent(server, introducer, introduced, receiver)
    return statements.has_signed(introduced.key, said, signature)
