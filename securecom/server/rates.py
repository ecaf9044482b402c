"""How often: sliding windows over a clock, forgetting by themselves."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

from securecom import limits

K = TypeVar("K", bound=Hashable)


class Rate(Generic[K]):
    """At most `count` events of one key in `window` seconds.

    :param seconds: a clock that nobody sets, `securecom.clocks.steady`.
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
        #: When each key's events were; the key that was tried longest ago comes first. Lists: a
        #: deque takes 760 bytes for its first event, and most keys have one.
        self._events: OrderedDict[K, list[float]] = OrderedDict()

    def forget(self, key: K) -> None:
        """What was counted of this key is forgiven."""
        self._events.pop(key, None)

    def __iter__(self) -> Iterator[K]:
        """The keys of which something is remembered."""
        return iter(self._events)

    def count(self, key: K) -> int:
        """Events of this key in the window that ends now."""
        times = self._recent(key)
        if not times:
            self.forget(key)
        return len(times)

    def allow(self, key: K) -> bool:
        """Count one event of this key, unless it is one too many."""
        self.drop_old()
        times = self._recent(key)
        is_allowed = len(times) < self._count
        if is_allowed:
            times.append(self._seconds())
        self._events[key] = times
        self._events.move_to_end(key)
        if len(self._events) > self._keys:
            self._events.popitem(last=False)
        return is_allowed

    def is_full(self, key: K) -> bool:
        """One more event of this key would be one too many."""
        return self.count(key) >= self._count

    def take_back(self, key: K) -> None:
        """Do not count the latest event of this key, if it is in the window."""
        times = self._recent(key)[:-1]
        if times:
            self._events[key] = times
        else:
            self.forget(key)

    def drop_old(self) -> None:
        """Forget the keys whose events are all behind the window.

        This stops at the first key that it has to keep, so each key is looked at about once. A key
        behind that one stays for at most one window longer.
        """
        start = self._seconds() - self._window
        while self._events:
            key, times = next(iter(self._events.items()))
            if times and times[-1] > start:  # empty: a rate of none at all
                return
            del self._events[key]

    def _recent(self, key: K) -> list[float]:
        start = self._seconds() - self._window
        return [time for time in self._events.get(key, ()) if time > start]
