"""Two kinds of time: how long something takes, and what the calendar says.

Deadlines, rates, leases and all other durations run on the steady clock, which nobody sets. Times
that people or certificates name (15:00, an expiry date) run on the wall clock, which anybody may
set at any moment. `ClockWatch` notices when the wall clock was set, and when the process stood
still because the machine slept.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.interfaces import IReactorTime

from securecom import limits


def _steady() -> Callable[[], float]:
    """The best clock of this system that nobody sets.

    On Linux CLOCK_MONOTONIC stands still while the machine sleeps, CLOCK_BOOTTIME does not: a chat
    of 20 minutes has ended when the laptop wakes an hour later. Where CLOCK_BOOTTIME is missing
    (macOS, the BSDs), CLOCK_MONOTONIC is what comes closest.
    """
    for name in ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC"):
        clock = getattr(time, name, None)
        if clock is None:
            continue
        try:
            time.clock_gettime(clock)
        except OSError:  # known to Python, but not to this kernel
            continue
        return partial(time.clock_gettime, clock)
    return time.monotonic


#: Seconds on a clock that only moves forward, at an even pace, also while the machine sleeps.
steady: Callable[[], float] = _steady()


def steady_reactor() -> Any:
    """The installed reactor, with its timers on `steady`.

    Twisted's reactors all read the time through their own `seconds`, which is the wall clock, and
    so does everything of Twisted that takes a reactor (endpoints, services, timeouts). This is the
    only place where securecom imports the reactor.

    :raises RuntimeError: it runs already; its timers would be compared with two clocks.
    """
    from twisted.internet import reactor

    use_steady_time(reactor)
    return reactor


def use_steady_time(reactor: Any) -> None:
    """Let a reactor that does not run yet read the time from `steady`. Twice does no harm.

    :raises RuntimeError: it runs already.
    """
    if reactor.seconds is steady:
        return
    if reactor.running:
        raise RuntimeError("the reactor runs already: its clock cannot be exchanged any more")
    behind = reactor.seconds() - steady()
    reactor.seconds = steady
    for call in reactor.getDelayedCalls():  # made before us, by whoever installed the reactor
        call.time -= behind
        call.seconds = steady


class ClockWatch:
    """Compares the wall clock with the steady one, and the steady one with the time it should be.

    Call `look` every `limits.CLOCK_LOOK` seconds.

    :param clock: steady.
    :param wall: what may be set, in seconds.
    :param moved: called when the wall clock was set, or has drifted away little by little; with
        the seconds that it is ahead of where it would be.
    :param woke: called when nothing of this process ran for `limits.STOOD_STILL` or longer (the
        machine slept, the process was stopped); with the seconds.
    """

    def __init__(
        self,
        clock: IReactorTime,
        wall: Callable[[], float],
        moved: Callable[[float], None],
        woke: Callable[[float], None],
    ) -> None:
        self._clock, self._wall = clock, wall
        self._moved, self._woke = moved, woke
        self._seen = clock.seconds()
        self._ahead = wall() - self._seen

    def look(self) -> None:
        """Compare, and say what happened since the last look."""
        now = self._clock.seconds()
        stood_still, self._seen = now - self._seen - limits.CLOCK_LOOK, now
        moved = self._wall() - now - self._ahead
        if abs(moved) >= limits.CLOCK_DRIFT:
            self._ahead += moved
            self._moved(moved)
        if stood_still >= limits.STOOD_STILL:
            self._woke(stood_still)
