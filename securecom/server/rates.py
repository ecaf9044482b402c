"""How often: sliding windows over a clock, forgetting by themselves."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

from securecom import limits

K = TypeVar("K", bound=Hashable)


class Rate(Generic[K]):
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
        self._events: OrderedDict[K, deque[float]] = OrderedDict()

    def forget(self, key: K) -> None:
        """What was counted of this key is forgiven."""
        self._events.pop(key, None)

    def __iter__(self) -> Iterator[K]:
        """The keys of which something is remembered."""
        return iter(self._events)

    def count(self, key: K) -> int:
        """Events of this key that are remembered; those behind the window are not any more."""
        times = self._events.get(key)
        if times is None:
            return 0
        self._drop_old(times)
        if not times:
            del self._events[key]
        return len(times)

    def allow(self, key: K) -> bool:
        """Count one event of this key, unless it is one too many."""
        times = self._events.setdefault(key, deque())
        self._events.move_to_end(key)
        self._drop_old(times)
        if len(times) >= self._count:
            return False
        times.append(self._seconds())
        if len(self._events) > self._keys:
            self._events.popitem(last=False)
        return True

    def _drop_old(self, times: deque[float]) -> None:
        while times and times[0] <= self._seconds() - self._window:
            times.popleft()
