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
        self._due = 0.0
        self._is_heard = False  # since the peer was asked whether it is there
        self._check: IDelayedCall | None = None
        self._timer: IDelayedCall | None = None

    def start(self) -> None:
        """The connection is of use from now on."""
        self.heard()
        self._look_later()

    def heard(self) -> None:
        """Bytes came."""
        self._heard = self._clock.seconds()
        self._is_heard = True

    def check(self) -> None:
        """We stood still: the peer has `limits.WAKE_ANSWER` seconds to show that it is there."""
        if self._timer is None or self._check is not None or self._connection.is_closing:
            return
        self._is_heard = False
        self._ping()
        self._check = self._clock.callLater(limits.WAKE_ANSWER, self._read_first)

    def stop(self) -> None:
        """The connection is over."""
        timers = (self._timer, self._check)
        self._timer = self._check = None
        for timer in timers:
            if timer is not None:
                timer.cancel()

    def _look_later(self) -> None:
        self._due = self._clock.seconds() + limits.PING_INTERVAL
        self._timer = self._clock.callLater(limits.PING_INTERVAL, self._look)

    def _ping(self) -> None:
        self._connection.control.call(commands.Ping).addErrback(lambda _: None)

    def _read_first(self) -> None:
        """A reactor runs timers before it reads: let it read what has come."""
        self._check = self._clock.callLater(0, self._checked)

    def _checked(self) -> None:
        self._check = None
        if not (self._is_heard or self._connection.is_held or self._connection.is_closing):
            self._connection.fault(PeerSilent("no answer after this machine stood still"))

    def _look(self) -> None:
        self._timer = None
        if self._connection.is_closing:
            return
        stood_still = self._clock.seconds() - self._due >= limits.STOOD_STILL
        if self._connection.is_held or stood_still:  # we did not read: silence says nothing
            self._heard = self._clock.seconds()
        if self._clock.seconds() - self._heard >= limits.PEER_GONE:
            self._connection.fault(PeerSilent(f"silence for {limits.PEER_GONE:g} s"))
            return
        if self._sends_pings:
            self._ping()
        self._look_later()
