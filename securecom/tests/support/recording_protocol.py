"""A protocol that records what it receives."""

from __future__ import annotations

from twisted.internet.error import (
    ConnectionDone,
)
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure


class RecordingProtocol(Protocol):
    """Notes what comes."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.losses: list[type[BaseException] | None] = []

    def dataReceived(self, data: bytes) -> None:
        self.pieces.append(data)

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        self.losses.append(reason.type)

    @property
    def received(self) -> bytes:
        return b"".join(self.pieces)
