"""Who said no to whom, and how long the one who asked has to wait now: in memory only."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from securecom import limits
from securecom.identity import Name


@dataclass(frozen=True)
class _No:
    """The latest refusal: the wait it brought, and when it was."""

    wait: float
    at: float


class Cooldowns:
    """After each refusal the next request between the two has to wait twice as long.

    :param seconds: a clock that nobody sets, `securecom.clocks.steady`.
    :param pairs: remembered at the most; the one refused longest ago is forgotten first.
    """

    def __init__(self, seconds: Callable[[], float], pairs: int = limits.MAX_RATE_KEYS) -> None:
        self._seconds, self._pairs = seconds, pairs
        self._refusals: OrderedDict[tuple[Name, Name], _No] = OrderedDict()

    def refused(self, caller: Name, callee: Name) -> int:
        """`callee` said no to `caller`; whole seconds until `caller` may ask again."""
        former = self._latest(caller, callee)
        wait = limits.COOLDOWN_FIRST
        if former is not None:
            wait = min(2 * former.wait, limits.COOLDOWN_LAST)
        self._refusals[(caller, callee)] = _No(wait, self._seconds())
        self._refusals.move_to_end((caller, callee))
        if len(self._refusals) > self._pairs:
            self._refusals.popitem(last=False)
        return self.left(caller, callee)

    def left(self, caller: Name, callee: Name) -> int:
        """Whole seconds until `caller` may ask `callee`, 0: now."""
        latest = self._latest(caller, callee)
        if latest is None:
            return 0
        return max(0, math.ceil(latest.at + latest.wait - self._seconds()))

    def forget(self, one: Name, other: Name) -> None:
        """The two have a chat: whatever was refused before no longer counts."""
        self._refusals.pop((one, other), None)
        self._refusals.pop((other, one), None)

    def of(self, name: Name) -> list[tuple[Name, Name, int]]:
        """What is remembered of this person: caller, callee, whole seconds left (0: none)."""
        pairs = [pair for pair in self._refusals if name in pair]
        told = [(*pair, self.left(*pair)) for pair in pairs]
        return [one for one in told if one[:2] in self._refusals]  # others are forgotten by now

    def forget_all(self, names: frozenset[Name]) -> None:
        """These people are gone, whoever refused whom."""
        for pair in [pair for pair in self._refusals if not names.isdisjoint(pair)]:
            del self._refusals[pair]

    def drop_old(self) -> None:
        """Forget the refusals that are so old that the next one counts as the first again."""
        while self._refusals:
            caller, callee = next(iter(self._refusals))
            if self._latest(caller, callee) is not None:
                return

    def _latest(self, caller: Name, callee: Name) -> _No | None:
        latest = self._refusals.get((caller, callee))
        if latest is not None and self._seconds() - latest.at >= limits.COOLDOWN_FORGOTTEN:
            del self._refusals[(caller, callee)]
            return None
        return latest
