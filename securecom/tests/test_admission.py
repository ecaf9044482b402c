"""The doors' caps: in all, by address, and of those who have not logged in."""

from __future__ import annotations

import tracemalloc

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.server.admission import site_of
from securecom.server.rates import Rate
from securecom.tests.house import Hand, House


class CapTests(SynchronousTestCase):
    """Who is turned away costs no handshake."""

    def setUp(self) -> None:
        self.house = House()

    def count(self, hands: list[Hand]) -> int:
        """How many of these have a connection."""
        self.house.network.pump()
        return sum(hand.standard.is_secured for hand in hands)

    def knock(self, source: str, times: int) -> list[Hand]:
        identity = self.house.enrolled("u" + source)
        return [Hand(self.house, identity, source) for _ in range(times)]

    def test_in_all(self) -> None:
        self.patch(limits, "MAX_CONNECTIONS", 2)
        self.assertEqual(self.count(self.knock("192.0.2.1", 1)), 1)
        self.assertEqual(self.count(self.knock("192.0.2.2", 2)), 1)

    def test_by_address(self) -> None:
        """One address fills its own share only."""
        self.patch(limits, "MAX_CONNECTIONS_BY_ADDRESS", 2)
        self.assertEqual(self.count(self.knock("192.0.2.1", 3)), 2)
        self.assertEqual(self.count(self.knock("192.0.2.2", 1)), 1)

    def test_pending(self) -> None:
        """Those who have logged in do not count."""
        self.patch(limits, "MAX_PENDING_BY_ADDRESS", 1)
        [first, second] = self.knock("192.0.2.1", 2)
        self.assertEqual(self.count([first, second]), 1)
        first.log_in()
        third = Hand(self.house, first.identity)
        self.assertEqual(self.count([third]), 1)

    def test_given_back(self) -> None:
        """Whoever leaves makes room, logged in or not, and nothing is remembered of them."""
        self.patch(limits, "MAX_CONNECTIONS", 1)
        for log_in in (False, True):
            [hand] = self.knock(f"192.0.2.{1 + log_in}", 1)
            if log_in:
                hand.log_in()
            hand.standard_wire.cut()
            self.house.network.pump()
        self.assertEqual(self.house.standard._sites, {})
        self.assertEqual(self.house.standard._by_site, {})
        self.assertEqual(self.house.standard._pending, {})


class SiteTests(SynchronousTestCase):
    """What counts as one place."""

    def test_ipv4(self) -> None:
        self.assertEqual(site_of(IPv4Address("TCP", "192.0.2.1", 1)), "192.0.2.1")

    def test_ipv6_network(self) -> None:
        """One customer has 2^64 addresses."""
        one = site_of(IPv6Address("TCP", "2001:db8::1", 1))
        self.assertEqual(one, site_of(IPv6Address("TCP", "2001:db8::ffff:2", 1)))
        self.assertNotEqual(one, site_of(IPv6Address("TCP", "2001:db8:0:1::1", 1)))

    def test_ipv4_in_ipv6(self) -> None:
        self.assertEqual(site_of(IPv6Address("TCP", "::ffff:192.0.2.1", 1)), "192.0.2.1")

    def test_zone(self) -> None:
        one = site_of(IPv6Address("TCP", "fe80::1%eth0", 1))
        self.assertEqual(one, site_of(IPv6Address("TCP", "fe80::2%eth0", 1)))

    def test_others(self) -> None:
        self.assertEqual(site_of(UNIXAddress("/x")), "")
        self.assertEqual(site_of(None), "")
        self.assertEqual(site_of(IPv4Address("TCP", "odd", 1)), "odd")


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
