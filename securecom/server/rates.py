"""How often: sliding windows over a clock, forgetting by themselves."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable

from securecom import limits


class Rate:
    """At most `count` events of one key in `window` seconds.

    :param seconds: a monotonic clock.
    :param keys: keys remembered at the most; the longest unused is forgotten first.
    """

    def __init__(
        self,
        count: int,
        window: float,
        seconds: Callable[[], float],
        keys: int = limits.MAX_RATE_KEYS,
    ) -> None:
        self._count, self._window, self._seconds, self._keys = count, window, seconds, keys
        self._events: OrderedDict[Hashable, deque[float]] = OrderedDict()

    def forget(self, key: Hashable) -> None:
        """What was counted of this key is forgiven."""
        self._events.pop(key, None)

    def allow(self, key: Hashable) -> bool:
        """Count one event of this key, unless it is one too many."""
        now = self._seconds()
        times = self._events.setdefault(key, deque())
        self._events.move_to_end(key)
        while times and times[0] <= now - self._window:
            times.popleft()
        if len(times) >= self._count:
            return False
        times.append(now)
        if len(self._events) > self._keys:
            self._events.popitem(last=False)
        return True
