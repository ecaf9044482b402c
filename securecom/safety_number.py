"""The safety number, which two people compare on the phone or in person to rule out an interceptor.

Its 60 digits stand for two names and both keys of each, and are the same on both sides. An
interceptor would need keys, for each side others, that give both people the same 60 digits: about
2^100 tries (docs/protocol.md, "The safety number").
"""

from __future__ import annotations

import hashlib

from securecom.identity import Name, PublicKey, framed

LABEL = b"SecureCom/2 safety-number"

#: Groups of five digits, and how many of them are shown in a row.
GROUPS = 12
GROUPS_IN_A_ROW = 4
_GROUP = 5
_DIGITS = GROUPS * _GROUP


def safety_number(one: tuple[Name, PublicKey], other: tuple[Name, PublicKey]) -> str:
    """The 60 digits for two people, given in either order."""
    pairs = sorted((key.encoded, name.encode("ascii")) for name, key in (one, other))
    parts = (LABEL, *pairs[0], *pairs[1])
    digest = hashlib.sha512(framed(*parts))
    return f"{int.from_bytes(digest.digest(), 'big') % 10**_DIGITS:0{_DIGITS}}"


def in_groups(number: str) -> list[str]:
    """The 60 digits as 12 groups of five."""
    return [number[at : at + _GROUP] for at in range(0, _DIGITS, _GROUP)]


def in_rows(number: str) -> list[str]:
    """The 60 digits as people read them: three rows of four groups."""
    groups = in_groups(number)
    starts = range(0, GROUPS, GROUPS_IN_A_ROW)
    return [" ".join(groups[at : at + GROUPS_IN_A_ROW]) for at in starts]
