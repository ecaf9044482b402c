"""When Python looks for garbage: while nobody types and nothing happens.

With a long scrollback a whole search takes 50 to 100 ms, and Python would begin one every few
seconds while messages come, in the middle of a word that is being typed.
"""

from __future__ import annotations

import gc

from securecom import limits


class GarbageCollection:
    """Whole searches at quiet moments; the small ones stay Python's."""

    def __init__(self) -> None:
        self._is_due = False
        self._quiet = 0
        self._thresholds: tuple[int, int, int] | None = None

    def begin(self) -> None:
        """Take over. What is imported by now stays, and is never searched."""
        self._thresholds = gc.get_threshold()
        first, second, _ = self._thresholds
        gc.freeze()
        gc.set_threshold(first, second, limits.RARE_COLLECTION)

    def end(self) -> None:
        """Leave it to Python again."""
        if self._thresholds is not None:
            gc.set_threshold(*self._thresholds)

    def busy(self) -> None:
        """Somebody types, or something happens."""
        self._is_due, self._quiet = True, 0

    def tick(self) -> None:
        """A second has passed."""
        self._quiet += 1
        if self._is_due and self._quiet >= limits.QUIET_TICKS and self._thresholds is not None:
            self._is_due = False
            gc.collect()
