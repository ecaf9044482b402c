"""One answer for every reason not to answer: what the asker sees, bytes and time, is the same."""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.tests.support import silence_contract
from securecom.tests.support.distributions import distance, probability
from securecom.tests.support.silent_paths import PATHS, SAMPLES, Silent

#: A path whose times are this unlikely to be drawn from the same distribution is found out. The
#: random numbers are the same in every run: a test that passes once passes always.
SIGNIFICANT = 0.001


class KolmogorovSmirnovTests(SynchronousTestCase):
    """The test that the others rest on finds what it has to find, and nothing else."""

    def setUp(self) -> None:
        draw = random.Random(1)
        self.one = [draw.uniform(30, 60) for _ in range(SAMPLES)]
        self.same = [draw.uniform(30, 60) for _ in range(SAMPLES)]

    def test_distances_that_can_be_counted_by_hand(self) -> None:
        self.assertEqual(distance([1, 2, 3, 4], [1, 2, 3, 4]), 0)
        self.assertEqual(distance([1, 2], [3, 4]), 1)
        self.assertEqual(distance([1, 2, 3, 4], [3, 4, 5, 6]), 0.5)

    def test_a_probability_from_the_tables(self) -> None:
        """For two samples of 400 the distance at 5 % is 1.358 * sqrt(2 / 400) = 0.096."""
        grid = [n / 400 for n in range(400)]
        self.assertLess(abs(probability(grid, [x + 0.096 for x in grid]) - 0.05), 0.01)

    def test_the_same_distribution(self) -> None:
        self.assertGreater(probability(self.one, self.same), SIGNIFICANT)

    def test_what_gives_a_path_away(self) -> None:
        tells = {
            "at once": [0.0] * SAMPLES,
            "always at the end": [60.0] * SAMPLES,
            "a fifth at once": [0.0] * (SAMPLES // 5) + self.same[SAMPLES // 5 :],
            "a little sooner": [x - 6 for x in self.same],
            "narrower": [45 + (x - 45) / 2 for x in self.same],
        }
        for name, times in tells.items():
            self.assertLess(probability(self.one, times), SIGNIFICANT, name)


class PathTests(silence_contract.SilenceContract):
    """One server."""

    # Promise T103, C31, R97
    def test_no_path_is_told_by_its_times(self) -> None:
        expected = silence_contract.Seen(Silent("expected"), SAMPLES).times
        self.assertGreaterEqual(min(expected), limits.REQUEST_STANDS)
        self.assertLessEqual(max(expected), limits.REQUEST_EXPIRES)
        draw = random.Random("uniform")
        span = limits.REQUEST_STANDS, limits.REQUEST_EXPIRES
        uniform = [draw.uniform(*span) for _ in range(SAMPLES * len(PATHS))]
        everything: list[float] = []
        for path in PATHS:
            times = silence_contract.Seen(path(path.__name__), SAMPLES).times
            self.assertEqual(len(times), SAMPLES, path.__name__)
            self.assertGreater(probability(expected, times), SIGNIFICANT, path.__name__)
            everything += times
        self.assertGreater(probability(everything, uniform), SIGNIFICANT, "all together")
