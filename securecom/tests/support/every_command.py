"""Every command and refusal of the protocol, and the longest value of each argument."""

from __future__ import annotations

from typing import Any

from twisted.protocols import amp

from securecom import limits, refusals, vocabulary
from securecom.identity import Identity, Name
from securecom.succession import LINK_BYTES
from securecom.vocabulary import (
    Fact,
    FactsArgument,
    FileName,
    FixedBytes,
    KeyArgument,
    NameArgument,
    NamesArgument,
    Number,
    OneOf,
    SecondKeyArgument,
    Signature,
)

COMMANDS = list(vocabulary.BY_NAME.values())


REFUSALS = refusals.Refusal.__subclasses__()


def longest(argument: amp.Argument) -> Any:
    """The value that takes the most bytes of those that we write."""
    name = Name("x" * limits.MAX_NAME)
    match argument:
        case FixedBytes():
            return bytes(argument.length)
        case Number():
            return argument.high
        case amp.String() if type(argument) is amp.String and not argument.optional:
            return bytes(limits.TOKEN_BYTES)
        case OneOf():
            return max(argument.words, key=len)
    lists = max(limits.MAX_AUDIENCE, limits.MAX_BLOCKED, limits.USERS_PAGE)
    return {
        FileName: "x" * limits.MAX_FILE_NAME,
        NameArgument: name,
        NamesArgument: [name] * lists,
        KeyArgument: Identity.generate().public_key,
        FactsArgument: [Fact("", "", "x" * (limits.MY_DATA_PAGE - 3))],
        SecondKeyArgument: Identity.generate().second_key,
        amp.Boolean: False,
        amp.String: bytes(limits.MAX_SUCCESSIONS * LINK_BYTES),
        amp.Unicode: "x" * limits.MAX_TEXT,
        Signature: bytes(limits.MAX_STATEMENT_SIGNATURE),
    }[type(argument)]
