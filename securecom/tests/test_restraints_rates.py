"""How often something may happen."""

from __future__ import annotations

import tracemalloc

from twisted.trial.unittest import SynchronousTestCase

from securecom.server.restraints import Rate


class RateTests(SynchronousTestCase):
    """Sliding windows."""

    def setUp(self) -> None:
        self.now = 0.0

    def rate(self, keys: int = 10) -> Rate[str]:
        return Rate(2, 10.0, lambda: self.now, keys)

    def test_window_slides(self) -> None:
        rate = self.rate()
        self.assertEqual([rate.allow("a") for _ in range(3)], [True, True, False])
        self.now = 10.0
        self.assertTrue(rate.allow("a"))

    def test_each_event_leaves_the_window_by_itself(self) -> None:
        rate = self.rate()
        allowed = []
        for self.now in (0.0, 6.0, 10.0, 15.0, 16.0):
            allowed.append(rate.allow("a"))
        self.assertEqual(allowed, [True, True, True, False, True])

    def test_counted_as_long_as_it_counts_and_then_forgotten(self) -> None:
        rate = self.rate()
        rate.allow("a")
        self.now = 5.0
        rate.allow("a")
        self.assertEqual((rate.count("a"), rate.count("b")), (2, 0))
        self.now = 10.0
        self.assertEqual(rate.count("a"), 1)
        self.now = 15.0
        self.assertEqual(rate.count("a"), 0)
        self.assertEqual(list(rate), [])

    def test_keys_apart(self) -> None:
        rate = self.rate()
        rate.allow("a")
        rate.allow("a")
        self.assertTrue(rate.allow("b"))

    def test_refusals_do_not_count(self) -> None:
        """Whoever waits the window out is let in, however often they tried."""
        rate = self.rate()
        for _ in range(5):
            rate.allow("a")
        self.now = 10.0
        self.assertTrue(rate.allow("a"))

    def test_forgets_the_longest_unused(self) -> None:
        rate = self.rate(keys=2)
        for key in "aabbc":
            rate.allow(key)
        self.assertFalse(rate.allow("b"))
        self.assertTrue(rate.allow("a"))

    def test_who_was_there_first_is_not_forgotten_for_that(self) -> None:
        """Nor is who was refused: or trying on would be a way to be forgotten."""
        rate = self.rate(keys=2)
        for key in "aabac":
            rate.allow(key)
        self.assertFalse(rate.allow("a"))

    # Promise R127
    def test_keys_are_dropped_when_their_window_is_over(self) -> None:
        """Or who asked whom would be kept for as long as the server runs."""
        rate = self.rate()
        for key in "abc":
            rate.allow(key)
            self.now += 4.0
        rate.allow("d")  # at 12: a, asked at 0, is behind the window
        self.assertEqual(list(rate), ["b", "c", "d"])
        self.now = 22.0
        rate.drop_old()  # and by itself, on a server where nobody asks any more
        self.assertEqual(list(rate), [])

    def test_trying_on_keeps_nobody_in_memory(self) -> None:
        """Refused tries put a key behind others; it goes with them, a window later."""
        rate = self.rate()
        rate.allow("a")
        rate.allow("a")
        self.now = 9.0
        rate.allow("b")
        rate.allow("a")
        self.now = 12.0
        rate.drop_old()
        self.assertEqual(list(rate), ["b", "a"])
        self.now = 19.0
        rate.drop_old()
        self.assertEqual(list(rate), [])

    # Promise R127
    def test_churn_of_many_pairs_does_not_grow(self) -> None:
        """600 people who each ask somebody new all the time, for longer than the window."""
        rate = Rate[tuple[int, int]](3, 600.0, lambda: self.now)
        most = 0
        for turn in range(4 * 600):
            self.now = float(turn)
            for caller in range(0, 600, 60):
                rate.allow((caller, turn))
            most = max(most, len(list(rate)))
        self.assertEqual(most, 600 * 10)

    # Promise R127
    def test_what_a_key_costs(self) -> None:
        """The first event of each key: less than half of what a deque took, names not counted."""
        rate = Rate[int](3, 600.0, lambda: self.now)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        before = tracemalloc.get_traced_memory()[0]
        for key in range(5000):
            rate.allow(key)
        cost = (tracemalloc.get_traced_memory()[0] - before) / 5000
        self.assertLess(cost, 400)
