"""How often commands may come, and whose turn it is: one person's commands cost others little.

A command declares its pace in `commands`. The server keeps to it by reading no further from a
connection until the next command is due; nothing that was sent is lost or refused for that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime

from securecom import limits


@dataclass(frozen=True, slots=True)
class Pace:
    """`count` commands of one kind at once, and as many again in `seconds`, evenly."""

    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Unpaced:
    """A command that needs no pace at the server, and why."""

    why: str


#: The phase that takes it is over with it.
ONCE = Unpaced("once a connection")
#: The server sends it.
SENT_BY_SERVER = Unpaced("the server sends it")
#: It is inside a chat, where the server cannot see it.
IN_CHATS = Unpaced("between two clients")


class Pacer:
    """When the next command of each kind is due on one connection."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        #: When all that was taken of a kind is made up for.
        self._even: dict[Hashable, float] = {}

    def wait(self, kind: Hashable, pace: Pace) -> float:
        """Seconds until this command may be taken; 0: now, and it is counted."""
        now = self._clock.seconds()
        each = pace.seconds / pace.count
        even = max(now, self._even.get(kind, now))
        early = even + each - now - pace.seconds
        if early > each * _ROUNDING:
            return early
        self._even[kind] = even + each
        return 0.0


#: Of floating-point sums: this part of one command's time is none.
_ROUNDING = 1e-6


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

    def take(self) -> bool:
        """Have a turn at once, unless others wait for theirs or this pass had enough."""
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
        for _ in range(min(self._left, len(self._waiting))):  # who queues again waits a pass
            self._left -= 1
            self._waiting.popleft()()
        if self._left < limits.TURNS_AT_ONCE:
            self._call()
