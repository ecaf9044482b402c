"""Two clocks: the steady one for durations, and the wall clock for the calendar.

Deadlines, rates, leases and all other durations use the steady clock, which nobody can set. Times
that people or certificates name (15:00, an expiry date) use the wall clock, which somebody may set
at any moment. `ClockWatch` notices when the wall clock was set, and when the process stood still
because the machine slept.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.interfaces import IReactorTime

from securecom import limits


def _steady() -> Callable[[], float]:
    """Choose the best clock on this system that nobody can set.

    On Linux CLOCK_MONOTONIC stops while the machine sleeps, CLOCK_BOOTTIME does not: a chat of 20
    minutes has ended when the laptop wakes an hour later. Where CLOCK_BOOTTIME is missing (macOS,
    the BSDs), CLOCK_MONOTONIC comes closest.
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


#: Seconds on a clock that only moves forward, at an even pace, even while the machine sleeps.
steady: Callable[[], float] = _steady()


def steady_reactor(*, in_asyncio: bool = False) -> Any:
    """Return the installed reactor, with its timers on `steady`.

    All of Twisted's reactors read the time through their `seconds`, which is the wall clock, and so
    does everything in Twisted that takes a reactor (endpoints, services, timeouts). This is the
    only place where securecom imports the reactor.

    :param in_asyncio: a reactor that is not installed yet runs in asyncio's event loop, for
        front-ends that are asyncio programs.
    :raises RuntimeError: if it is already running, since its timers would mix two clocks.
    """
    if in_asyncio and "twisted.internet.reactor" not in sys.modules:
        import asyncio

        from twisted.internet import asyncioreactor

        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        asyncioreactor.install(loop)
    from twisted.internet import reactor

    use_steady_time(reactor)
    return reactor


def use_steady_time(reactor: Any) -> None:
    """Make a reactor that is not running yet read the time from `steady`. Twice does no harm.

    :raises RuntimeError: if it is already running.
    """
    if reactor.seconds is steady:
        return
    if reactor.running:
        raise RuntimeError("the reactor is already running: its clock can no longer be replaced")
    behind = reactor.seconds() - steady()
    reactor.seconds = steady
    for call in reactor.getDelayedCalls():  # scheduled earlier, by whoever installed the reactor
        call.time -= behind
        call.seconds = steady


class ClockWatch:
    """Compares the wall clock with the steady one, and the steady one with its expected time.

    Call `look` every `limits.CLOCK_LOOK` seconds; whoever has nothing to do when the process `woke`
    may call it when they like.

    :param clock: the steady clock.
    :param wall: the wall clock, in seconds.
    :param moved: called when the wall clock was set, or has drifted away little by little, with
        the seconds by which it is ahead of its expected time.
    :param woke: called when this process did not run for `limits.STOOD_STILL` or longer (the
        machine slept, the process was stopped), with the seconds it missed.
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
        """Compare the clocks, and report what happened since the last call."""
        now = self._clock.seconds()
        stood_still, self._seen = now - self._seen - limits.CLOCK_LOOK, now
        moved = self._wall() - now - self._ahead
        if abs(moved) >= limits.CLOCK_DRIFT:
            self._ahead += moved
            self._moved(moved)
        if stood_still >= limits.STOOD_STILL:
            self._woke(stood_still)
