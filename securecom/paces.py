"""Who may have a command worked on, and when: paces by person, turns among connections."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable

from twisted.internet.interfaces import IReactorTime

from securecom import limits, vocabulary

#: This part of one command's time is a rounding error.
_ROUNDING = 1e-6


class Pacer:
    """Decides when the next command of each kind is due from each person.

    A person's commands are counted over all their connections. Logging in again gains nothing.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        #: By person and kind, the time at which all that was taken is made up for.
        self._even: dict[Hashable, dict[Hashable, float]] = {}

    def wait(self, person: Hashable, kind: Hashable, pace: vocabulary.Pace) -> float:
        """The seconds until this command may be taken; if 0, it is counted now."""
        now = self._clock.seconds()
        kinds = self._even.setdefault(person, {})
        each = pace.seconds / pace.count
        even = max(now, kinds.get(kind, now))
        early = even + each - now - pace.seconds
        if early > each * _ROUNDING:
            return early
        kinds[kind] = even + each
        return 0.0

    def count(self, person: Hashable) -> int:
        """The number of kinds of commands that still count against this person."""
        now = self._clock.seconds()
        return sum(even > now for even in self._even.get(person, {}).values())

    def forget(self, person: Hashable) -> None:
        """Forget whatever this person sent."""
        self._even.pop(person, None)

    def drop_old(self) -> None:
        """Forget everybody against whom nothing counts any more."""
        for person in [person for person in self._even if not self.count(person)]:
            self.forget(person)


class Turns:
    """Shares the reactor between connections that have commands to be worked on.

    In one pass of the reactor, `limits.TURNS_AT_ONCE` connections get a turn of
    `limits.COMMANDS_A_TURN`; the others wait in a queue. Between two passes everything else is
    done: handshakes, log-ins, chats.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._waiting: deque[Callable[[], None]] = deque()
        self._left = limits.TURNS_AT_ONCE
        self._is_called = False
        #: Passes of the reactor that were counted: those in which somebody wanted a turn.
        self.passes = 0

    def take(self) -> bool:
        """Take a turn at once. Returns False if others wait, or this pass has had its share."""
        if self._waiting or not self._left:
            return False
        self._left -= 1
        self._call()
        return True

    def queue(self, work: Callable[[], None]) -> None:
        """Call `work` when its turn has come."""
        self._waiting.append(work)
        self._call()

    def _call(self) -> None:
        if not self._is_called:
            self._is_called = True
            self._clock.callLater(0, self._next)

    def _next(self) -> None:
        self._is_called = False
        self._left = limits.TURNS_AT_ONCE
        self.passes += 1
        for _ in range(min(self._left, len(self._waiting))):  # not those who queue again
            self._left -= 1
            self._waiting.popleft()()
        if self._left < limits.TURNS_AT_ONCE:
            self._call()
