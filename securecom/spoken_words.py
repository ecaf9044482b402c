"""Six words that two people in a chat read to each other: a shorter comparison than 60 digits.

The words stand for the two names, the two keys and this one chat, and for a random number of each
side. Both sides commit to their numbers before either shows one, so somebody between the two gets
one guess in 2^66, however much they compute (docs/protocol.md, "Six words").
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache

from mnemonic import Mnemonic

COMMITMENT_LABEL = b"SecureCom/1 words-commitment"
WORDS_LABEL = b"SecureCom/1 words"

#: Bytes of a side's random number.
NONCE_BYTES = 32
#: How many words there are, and the bits that each stands for (the list has 2^11 words).
WORDS = 6
BITS = 11


def commitment(context: bytes, role: str, nonce: bytes) -> bytes:
    """What the side in this role sends before it shows its number; it reveals nothing about it.

    :param context: the chat's (`Agreement.words_context`), so that it is good in no other chat.
    """
    return _digest(COMMITMENT_LABEL, context, role.encode("ascii"), nonce)


def spoken_words(context: bytes, caller_nonce: bytes, callee_nonce: bytes) -> list[str]:
    """The six words: the first 66 bits of a digest, 11 for each word."""
    digest = _digest(WORDS_LABEL, context, caller_nonce, callee_nonce)
    number = int.from_bytes(digest, "big") >> (len(digest) * 8 - WORDS * BITS)
    places = (number >> (BITS * at) & (2**BITS - 1) for at in reversed(range(WORDS)))
    return [word_list()[place] for place in places]


@cache
def word_list() -> Sequence[str]:
    """The English list of BIP 39: no two of its words have the same first four letters."""
    return tuple(Mnemonic("english").wordlist)


def _digest(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()
