"""Availability is a lease: for so long, to these. The server ends it and knows to whom."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, refusals, vocabulary
from securecom.identity import Name
from securecom.server.restraints import Leases
from securecom.server.switchboard import Lease
from securecom.tests.support.memory_server import ManualClient, chatting
from securecom.tests.support.request_case import RequestCase

ALICE, BOB, CAROL = Name("alice"), Name("bob"), Name("carol")


class LeasesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.leases = Leases(self.clock)

    def names(self, after: str = "") -> list[Name]:
        return list(self.leases.after(after))

    def test_in_order_and_behind_a_name(self) -> None:
        for name in (CAROL, ALICE, BOB, ALICE):
            self.leases.begin(name, Lease())
        self.assertEqual(self.names(), [ALICE, BOB, CAROL])
        self.assertEqual(self.names("alice"), [BOB, CAROL])
        self.leases.end(BOB)
        self.leases.end(BOB)
        self.assertEqual(self.names(), [ALICE, CAROL])

    def test_a_lease_ends_by_itself(self) -> None:
        self.leases.begin(ALICE, Lease(60))
        self.clock.advance(59)
        self.assertTrue(self.leases.admits(ALICE, BOB))
        self.clock.advance(1)
        self.assertFalse(self.leases.admits(ALICE, BOB))
        self.assertEqual(self.names(), [])

    def test_a_new_lease_takes_the_place_of_the_former(self) -> None:
        self.leases.begin(ALICE, Lease(60))
        self.leases.begin(ALICE, Lease())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.names(), [ALICE])

    def test_nothing_is_left_of_one_that_ended(self) -> None:
        self.leases.begin(ALICE, Lease(60))
        self.leases.end(ALICE)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_to_whom(self) -> None:
        self.leases.begin(ALICE, Lease(None, frozenset({BOB})))
        self.assertTrue(self.leases.admits(ALICE, BOB))
        self.assertFalse(self.leases.admits(ALICE, CAROL))
        self.assertFalse(self.leases.excludes(ALICE, BOB))
        self.assertTrue(self.leases.excludes(ALICE, CAROL))
        self.assertFalse(self.leases.excludes(BOB, CAROL), "who is away excludes nobody")


class ServerTests(RequestCase):
    """Bob chooses."""

    def choose(self, **terms: Any) -> Any:
        return self.bob.ask(vocabulary.SetAvailability, available=True, **terms)

    def sees(self, who: ManualClient) -> bool:
        answer = who.done(who.ask(vocabulary.ListAvailable, after=b"", text=b""))
        return "bob" in answer["names"]

    # Promise T97, C18, C21
    def test_only_the_audience_sees_and_asks(self) -> None:
        self.bob.done(self.choose(audience=[CAROL]))
        self.assertEqual((self.sees(self.alice), self.sees(self.carol)), (False, True))
        self.assert_no_answer(self.ask(self.alice, "bob"))
        self.assertEqual(self.bob.said("offer") + self.bob.said("missed"), [])
        chatting(self.carol, self.bob, "bob")

    def test_an_empty_audience_is_nobody(self) -> None:
        self.bob.done(self.choose(audience=[]))
        self.assertEqual((self.sees(self.alice), self.sees(self.carol)), (False, False))

    def test_without_one_everybody(self) -> None:
        self.bob.done(self.choose(audience=[CAROL]))
        self.bob.done(self.choose())
        chatting(self.alice, self.bob, "bob")

    # Promise C17
    def test_the_server_ends_it(self) -> None:
        self.bob.done(self.choose(seconds=20))
        self.server.network.advance(19)
        self.assertTrue(self.sees(self.alice))
        self.server.network.advance(1)
        self.assertFalse(self.sees(self.alice))
        self.assert_no_answer(self.ask(self.alice, "bob"))
        self.assertEqual(self.bob.said("offer"), [])

    def test_it_ends_with_the_session(self) -> None:
        """And with it its timer."""
        self.bob.done(self.choose(seconds=3600))
        self.bob.standard_wire.cut()
        self.server.network.pump()
        late = [c for c in self.server.network.clock.getDelayedCalls() if c.getTime() > 1000]
        self.assertEqual(late, [])

    def test_bounds(self) -> None:
        names = [Name(f"u{number}") for number in range(limits.MAX_AUDIENCE + 1)]
        self.failureResultOf(self.choose(audience=names), refusals.ListFull)
        self.bob.done(self.choose(audience=names[1:], seconds=limits.MAX_LEASE))
        self.choose(seconds=limits.MAX_LEASE + 1).addErrback(lambda _: None)
        self.assertEqual(self.bob.said("goodbye"), ["violation"])
