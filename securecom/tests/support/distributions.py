"""Can two samples be told apart? The two-sample Kolmogorov-Smirnov test, without SciPy."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence


def distance(one: Sequence[float], other: Sequence[float]) -> float:
    """The greatest distance between the two empirical distribution functions, 0 to 1."""
    first, second = sorted(one), sorted(other)
    return max(
        abs(bisect_right(first, x) / len(first) - bisect_right(second, x) / len(second))
        for x in (*first, *second)
    )


def probability(one: Sequence[float], other: Sequence[float]) -> float:
    """How likely so great a distance is if both samples come from one distribution (asymptotic)."""
    size = math.sqrt(len(one) * len(other) / (len(one) + len(other)))
    x = (size + 0.12 + 0.11 / size) * distance(one, other)
    if x < 0.2:  # where the series converges slowly, and to 1
        return 1.0
    signs = (1.0 if k % 2 else -1.0 for k in range(1, 101))
    terms = [sign * math.exp(-2 * (k * x) ** 2) for k, sign in enumerate(signs, 1)]
    return min(1.0, max(0.0, 2 * math.fsum(terms)))
