"""Spends invitations in PostgreSQL, one for each line it reads: `python -m tests.support.spender`.

Arguments: the registry's address and the server's id in hexadecimal. A line is the hash of a token
in hexadecimal; the answer is the name that the invitation was for, or the refusal's class.
"""

from __future__ import annotations

import sys

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from securecom import limits
from securecom.identity import Identity, Name
from securecom.server.postgres import Address
from securecom.server.postgres_registry import open_directly
from tests.support.postgres_case import PATIENT


def main(url: str, server: str) -> None:
    limits.DATABASE_BUSY, limits.REGISTRY_DEADLINE = PATIENT, 2 * PATIENT
    registry = open_directly(Address.parse(url), bytes.fromhex(server))
    print("ready", flush=True)
    for line in sys.stdin:
        key = Identity.generate().public_key
        print(_told(registry.spend(bytes.fromhex(line), key, 0.0)), flush=True)


def _told(result: Deferred[Name]) -> str:
    told: list[str] = []
    result.addCallbacks(str, _word).addCallback(told.append)
    return told[0]


def _word(failure: Failure) -> str:
    return type(failure.value).__name__


if __name__ == "__main__":
    main(*sys.argv[1:])
