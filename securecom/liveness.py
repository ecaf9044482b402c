"""Whether the peer of a connection is still there."""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall

from securecom import limits, vocabulary
from securecom.connection import Connection
from securecom.errors import PeerSilent
from securecom.looks import Looks


class Liveness:
    """Watches whether the peer of a connection is still there, from log-in to the end.

    :param sends_pings: whether this side pings; the other only answers.
    :param looks: when it looks, and pings, shared with others to save timers; None: its own, every
        `PING_INTERVAL`.
    :param gone: a peer that sends no byte for so many seconds is gone; None: `PEER_GONE`.
    """

    __slots__ = (
        "_check",
        "_clock",
        "_connection",
        "_heard",
        "_looks",
        "_own_gone",
        "_sends_pings",
        "_worked",
        "due",
    )

    def __init__(
        self,
        connection: Connection,
        sends_pings: bool,
        looks: Looks | None = None,
        gone: float | None = None,
    ) -> None:
        self._connection = connection
        self._clock = connection.clock
        self._sends_pings = sends_pings
        self._heard = self._worked = 0.0
        self.due = 0.0
        self._looks = Looks(self._clock, limits.PING_INTERVAL) if looks is None else looks
        self._own_gone = gone
        self._check: IDelayedCall | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._heard = self._worked = self._clock.seconds()
        self._looks.add(self)

    @property
    def _gone(self) -> float:
        return limits.PEER_GONE if self._own_gone is None else self._own_gone

    @property
    def worked_at(self) -> float:
        """When the last ping that was answered was sent: then, both directions worked."""
        return self._worked

    def check(self) -> None:
        """This process stood still. Give the peer `limits.WAKE_ANSWER` seconds to answer a ping."""
        if self not in self._looks or self._check is not None or self._connection.is_closing:
            return
        self._note()
        self._ping()
        self._check = self._clock.callLater(limits.WAKE_ANSWER, self._read_first)

    def stop(self) -> None:
        """The connection is over."""
        self._looks.drop(self)
        check, self._check = self._check, None
        if check is not None:
            check.cancel()

    def _note(self) -> None:
        """If bytes came since the last time, that is now: a read would do without a clock."""
        if self._connection.is_heard:
            self._connection.is_heard, self._heard = False, self._clock.seconds()

    def _ping(self) -> None:
        answer = self._connection.control.call(vocabulary.Ping)
        answer.addCallbacks(self._answered, lambda _: None, callbackArgs=(self._clock.seconds(),))

    def _answered(self, _: object, sent: float) -> None:
        self._worked = sent

    def _read_first(self) -> None:
        """A reactor runs timers before it reads, so let it read what has come."""
        self._check = self._clock.callLater(0, self._checked)

    def _checked(self) -> None:
        self._check = None
        if not (
            self._connection.is_heard or self._connection.is_held or self._connection.is_closing
        ):
            self._connection.fault(PeerSilent("no answer after this machine stood still"))

    def look(self) -> None:
        """See whether the peer has been silent for too long, and ping it."""
        if self._connection.is_closing:
            return
        self._note()
        # Less than `gone`: else bytes that came meanwhile would not be read before this look.
        stands_still = min(limits.STOOD_STILL, self._gone / 2)
        stood_still = self._clock.seconds() - self.due >= stands_still
        if self._connection.is_held or stood_still:  # we did not read, so silence says nothing
            self._heard = self._worked = self._clock.seconds()
        if self._clock.seconds() - self._heard >= self._gone:
            self._connection.fault(PeerSilent(f"silence for {self._gone:g} s"))
            return
        if self._sends_pings:
            self._ping()
        self._looks.add(self)
