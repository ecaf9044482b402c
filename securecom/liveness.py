"""Is the peer still there? Pings out, and a limit on silence."""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall

from securecom import commands, limits
from securecom.connection import Connection
from securecom.errors import PeerSilent


class Liveness:
    """Watches one connection from its log-in to its end.

    :param sends_pings: this side pings; the other only answers.
    """

    def __init__(self, connection: Connection, sends_pings: bool) -> None:
        self._connection = connection
        self._clock = connection.clock
        self._sends_pings = sends_pings
        self._heard = 0.0
        self._timer: IDelayedCall | None = None

    def start(self) -> None:
        """The connection is of use from now on."""
        self.heard()
        self._timer = self._clock.callLater(limits.PING_INTERVAL, self._look)

    def heard(self) -> None:
        """Bytes came."""
        self._heard = self._clock.seconds()

    def stop(self) -> None:
        """The connection is over."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _look(self) -> None:
        self._timer = None
        if self._connection.is_closing:
            return
        if self._connection.is_held:  # we do not read: silence says nothing
            self.heard()
        if self._clock.seconds() - self._heard >= limits.PEER_GONE:
            self._connection.fault(PeerSilent(f"silence for {limits.PEER_GONE:g} s"))
            return
        if self._sends_pings:
            self._connection.control.call(commands.Ping).addErrback(lambda _: None)
        self._timer = self._clock.callLater(limits.PING_INTERVAL, self._look)
