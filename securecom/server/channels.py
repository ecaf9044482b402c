"""What a session needs of its two channels."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IReactorTime

from securecom.control import ControlLane
from securecom.server.relay import Leg


class RequestChannel(Protocol):
    """What a session needs of its request channel."""

    control: ControlLane

    @property
    def how(self) -> str:
        """How it came to be, for the person."""

    def close(self) -> None:
        """End it."""

    def fault(self, error: Exception) -> None:
        """Cut it."""


class StandardChannel(Leg, Protocol):
    """What a session needs of its standard channel."""

    clock: IReactorTime
    control: ControlLane

    def close(self) -> None:
        """Send what is written and end it."""

    def fault(self, error: Exception) -> None:
        """Cut it."""

    def leave(self) -> None:
        """The session is over, before the connection is."""

    def peer_host(self) -> str:
        """The client's address as the server sees it."""
