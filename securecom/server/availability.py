"""Who is available, to whom, until when."""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass, replace

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from securecom.identity import Name
from securecom.server.switchboard import Lease


@dataclass
class _Running:
    lease: Lease
    timer: IDelayedCall | None


class Leases:
    """The leases of everybody, in the order of their names."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._names: list[Name] = []
        self._running: dict[Name, _Running] = {}

    def begin(self, name: Name, lease: Lease) -> None:
        """From now on; a former lease of this person is over."""
        self.end(name)
        timer = None
        if lease.seconds is not None:
            timer = self._clock.callLater(lease.seconds, self.end, name)
        self._running[name] = _Running(lease, timer)
        insort(self._names, name)

    def end(self, name: Name) -> None:
        """Now, if there is one."""
        running = self._running.pop(name, None)
        if running is None:
            return
        if running.timer is not None and running.timer.active():
            running.timer.cancel()
        del self._names[bisect_right(self._names, name) - 1]

    def excludes(self, name: Name, asker: Name) -> bool:
        """This person is available, and not to the asker."""
        running = self._running.get(name)
        return running is not None and not self.admits(name, asker)

    def admits(self, name: Name, asker: Name) -> bool:
        """This person is available to the asker."""
        running = self._running.get(name)
        if running is None:
            return False
        audience = running.lease.audience
        return audience is None or asker in audience

    def shows_busy(self, name: Name, asker: Name) -> bool:
        """This person is available to the asker, and lets them see when they are busy."""
        running = self._running.get(name)
        return running is not None and asker in running.lease.busy_to and self.admits(name, asker)

    def of(self, name: Name) -> Lease | None:
        """This person's, with the seconds that are left of it."""
        running = self._running.get(name)
        if running is None or running.timer is None:
            return None if running is None else running.lease
        left = math.ceil(running.timer.getTime() - self._clock.seconds())
        return replace(running.lease, seconds=left)

    def after(self, name: str) -> Iterator[Name]:
        """Everybody who is available to anybody, behind a name, in order."""
        for at in range(bisect_right(self._names, name), len(self._names)):
            yield self._names[at]
