"""How long to wait before the next attempt, so that a server's clients do not come all at once."""

from __future__ import annotations

from collections.abc import Callable

from securecom import limits

#: More doublings than any wait has.
_MANY = 64


class Backoff:
    """Waits that grow from failure to failure.

    :param random: uniform in [0, 1).
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self.failures = 0

    def succeeded(self) -> None:
        """Begin again with the shortest wait."""
        self.failures = 0

    def failed(self) -> float:
        """Seconds to wait now."""
        steps = min(self.failures, _MANY)
        self.failures += 1
        wait = min(limits.RECONNECT_FIRST * limits.RECONNECT_FACTOR**steps, limits.RECONNECT_LAST)
        return wait * (1 - limits.RECONNECT_JITTER * self._random())
