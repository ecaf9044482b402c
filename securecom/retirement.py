"""The retirement of a stolen key: twelve words on paper that can do this and nothing else.

The words are 128 random bits, which are in no file and from which nothing but the retirement key is
derived. Its public half is registered with the server and told to peers while the identity still is
its owner's. Whoever has the words can sign the statement that retires the name's keys, wherever
that public half is known (docs/protocol.md, "Retirement").
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from mnemonic import Mnemonic

from securecom import statements
from securecom.errors import BadArgument, BadKey
from securecom.identity import Identity, Name, PublicKey, framed

KEY_LABEL = b"SecureCom/1 retirement-key"
STATEMENT_LABEL = b"SecureCom/1 retirement"

#: Random bytes that the words stand for, and how many words that makes with 4 bits of check.
SECRET_BYTES = 16
WORDS = 12
_SEED_BYTES = 32


class RetirementSecret:
    """What the words stand for.

    :param secret: 16 random bytes.
    """

    def __init__(self, secret: bytes) -> None:
        seed = HKDF(SHA256(), _SEED_BYTES, None, KEY_LABEL).derive(secret)
        self._secret = secret
        self._keys = Identity(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def generate(cls, random: Callable[[int], bytes]) -> RetirementSecret:
        """A new one."""
        return cls(random(SECRET_BYTES))

    @classmethod
    def from_words(cls, text: str) -> RetirementSecret:
        """Read the words, in any case and with any white space.

        :raises BadArgument: if they are not twelve of the list, or their check does not fit.
        """
        words = text.lower().split()
        unknown = [word for word in words if word not in _list().wordlist]
        if len(words) != WORDS:
            raise _not_those(f"that is {len(words)} words, and there are {WORDS}")
        if unknown:
            at = words.index(unknown[0]) + 1
            raise _not_those(f"word {at} is not one of the list")
        if not _list().check(" ".join(words)):
            raise _not_those("these words do not fit together: one is wrong, or in another place")
        return cls(bytes(_list().to_entropy(words)))

    @property
    def words(self) -> list[str]:
        """The twelve words, the last of which holds the check."""
        return list(_list().to_mnemonic(self._secret).split())

    @property
    def public(self) -> bytes:
        """The public half: that of two keys, as an identity has them (64 bytes)."""
        return self._keys.public_key.encoded

    def retire(self, server: bytes, name: Name) -> bytes:
        """The signature of the statement that this name's keys at this server are retired."""
        return statements.signed(self._keys, statement(server, name, self.public))


def statement(server: bytes, name: Name, public: bytes) -> bytes:
    """What is signed: the keys of this name, at this server (its id), for which this public half
    was registered, are retired.
    """
    return framed(STATEMENT_LABEL, server, name.encode("ascii"), public)


def is_retired(server: bytes, name: Name, public: bytes, signature: bytes) -> bool:
    """Whether this is the signature of the statement by the owner of that public half."""
    try:
        keys = PublicKey.of_both(public)
    except BadKey:
        return False
    return statements.has_signed(keys, statement(server, name, public), signature)


@cache
def _list() -> Mnemonic:
    return Mnemonic("english")


def _not_those(what: str) -> BadArgument:
    return BadArgument(what, "Nothing was sent. Look at the paper, and type all of them again.")
