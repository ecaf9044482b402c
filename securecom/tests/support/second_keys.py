"""Second keys for tests: arguments that prove one, or that only have the right shape."""

from __future__ import annotations

from typing import Any

from securecom.identity import (
    SECOND_KEY_BYTES,
    SECOND_SIGNATURE_BYTES,
    Identity,
    SecondKey,
)

#: A second key that has signed nothing, for commands that are refused for another reason.
UNPROVED: dict[str, Any] = {
    "second_key": SecondKey(bytes(SECOND_KEY_BYTES)),
    "signature": bytes(SECOND_SIGNATURE_BYTES),
}


class QuantumThief(Identity):
    """Somebody who has computed another person's first key from its public half.

    What they computed signs like the original. It is no seed, so the second key is their own.
    """

    def __init__(self, victim: Identity) -> None:
        super().__init__(victim.private_key)
        self._own = Identity.generate()

    @property
    def second_key(self) -> SecondKey:
        return self._own.second_key

    def sign_second(self, said: bytes, purpose: bytes) -> bytes:
        return self._own.sign_second(said, purpose)
