"""The types that arguments and answers have on the wire: bytes in, checked values out.

What is none of its type is a `WireError`. docs/protocol.md, "Arguments", has the bytes.
"""

from __future__ import annotations

from typing import NamedTuple

from twisted.protocols import amp

from securecom import limits
from securecom.errors import BadKey, BadName, WireError
from securecom.identity import Name, PublicKey

#: What parts facts and their texts is no part of them.
_PARTING = {ord("\t"): " ", ord("\n"): " "}


class NameArgument(amp.Argument):
    """A `Name`; anything else is a `WireError`."""

    def fromString(self, inString: bytes) -> Name:
        try:
            return Name(inString.decode("ascii"))
        except (BadName, UnicodeDecodeError):
            raise WireError("a name that is none") from None

    def toString(self, inObject: Name) -> bytes:
        return inObject.encode("ascii")


class KeyArgument(amp.Argument):
    """A `PublicKey`, 32 raw bytes."""

    def fromString(self, inString: bytes) -> PublicKey:
        try:
            return PublicKey(inString)
        except BadKey:
            raise WireError("a key that is none") from None

    def toString(self, inObject: PublicKey) -> bytes:
        return inObject.raw


class NamesArgument(amp.Argument):
    """A list of names, parted by one blank each."""

    def fromString(self, inString: bytes) -> list[Name]:
        words = inString.split(b" ") if inString else []
        return [NameArgument().fromString(word) for word in words]

    def toString(self, inObject: list[Name]) -> bytes:
        return " ".join(inObject).encode("ascii")


class Fact(NamedTuple):
    """One thing that a server holds about a person: of what it is a part, what it is, its value."""

    part: str
    what: str
    value: str


class FactsArgument(amp.Argument):
    """A list of facts, a line feed between two, tabs between the texts of one."""

    def fromString(self, inString: bytes) -> list[Fact]:
        try:
            text = inString.decode("utf-8")
        except UnicodeDecodeError:
            raise WireError("facts that are no UTF-8") from None
        rows = [row.split("\t") for row in text.split("\n")] if text else []
        if any(len(row) != len(Fact._fields) for row in rows):
            raise WireError("a fact that is none")
        return [Fact(*row) for row in rows]

    def toString(self, inObject: list[Fact]) -> bytes:
        return b"\n".join(map(fact_bytes, inObject))


def fact_bytes(fact: Fact) -> bytes:
    """A fact on the wire."""
    return "\t".join(text.translate(_PARTING) for text in fact).encode("utf-8")


class FixedBytes(amp.Argument):
    """Exactly so many bytes."""

    def __init__(self, length: int, optional: bool = False) -> None:
        super().__init__(optional)
        self.length = length

    def fromString(self, inString: bytes) -> bytes:
        if len(inString) != self.length:
            raise WireError(f"{len(inString)} bytes where {self.length} belong")
        return inString

    def toString(self, inObject: bytes) -> bytes:
        return inObject


class Number(amp.Argument):
    """A whole number from `low` to `high`, in decimal digits."""

    def __init__(self, low: int, high: int, optional: bool = False) -> None:
        super().__init__(optional)
        self.low, self.high = low, high

    def fromString(self, inString: bytes) -> int:
        if inString.isdigit() and len(inString) <= len(str(self.high)):
            number = int(inString)
            if self.low <= number <= self.high:
                return number
        raise WireError("a number that may not be there")

    def toString(self, inObject: int) -> bytes:
        return b"%d" % inObject


class Word(amp.Argument):
    """One of a fixed set of words."""

    def __init__(self, *words: str) -> None:
        super().__init__()
        self.words = words

    def fromString(self, inString: bytes) -> str:
        for word in self.words:
            if inString == word.encode("ascii"):
                return word
        raise WireError("a word that is not in the vocabulary")

    def toString(self, inObject: str) -> bytes:
        return inObject.encode("ascii")


PORT = Number(1, 65535)
STREAM = Number(1, 2**32 - 1)
CHAT_ID = FixedBytes(16)
MAC = FixedBytes(32)
CHAT_SECONDS = Number(limits.MIN_CHAT_SECONDS, limits.MAX_CHAT_SECONDS, optional=True)
SIGNATURE = FixedBytes(64)
