"""What every directory must do, whatever engine it has.

A test of another implementation inherits from `DirectoryContract`, and from `TestCase`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred, DeferredList
from twisted.trial.unittest import TestCase

from securecom import limits
from securecom.errors import DirectoryAway
from securecom.identity import Name
from securecom.refusals import AlreadyOnline
from securecom.server.cluster.directory import Directory, Node, NodeUnknown, Place
from securecom.server.restraint_facts import NOTHING_KEPT

T = TypeVar("T")
if TYPE_CHECKING:
    _Case = TestCase
else:
    _Case = object

ALICE, BOB = Name("alice"), Name("bob")
SERVER, OTHER_SERVER = b"\x01" * 32, b"\x02" * 32
#: Bytes that are no text, an end of a line in them, digits, and nothing.
AWKWARD = b"\xff\x00\r\n007\r\n"


def ident(number: int) -> bytes:
    return bytes([number]) * 16


def node(number: int) -> Node:
    return Node(ident(number), f"node{number}.example", 4000 + number)


def place(of_node: int, session: int) -> Place:
    return Place(ident(of_node), b"s" * 15 + bytes([session]))


def outcomes(results: list[tuple[bool, Any]]) -> list[Any]:
    """What a `DeferredList` fired with, and the classes of what failed."""
    return [value if good else type(value.value) for good, value in results]


class DirectoryContract(_Case):
    """The cases, and what they need."""

    #: Seconds that are counted in tests of what is kept; more than a few questions take.
    moment = 0.5

    def open(self, server: bytes = SERVER) -> Directory:
        """One more node's directory; it is closed at the end of the test."""
        raise NotImplementedError

    async def pass_time(self, seconds: float) -> None:
        raise NotImplementedError

    async def wipe(self) -> None:
        """The engine forgets everything."""
        raise NotImplementedError

    def freeze(self) -> None:
        """The engine does nothing until `thaw`."""
        raise NotImplementedError

    def thaw(self) -> None:
        raise NotImplementedError

    async def two(self) -> tuple[Directory, Directory]:
        """The directories of nodes 1 and 2, which have announced themselves."""
        one, other = self.open(), self.open()
        await one.announce(node(1))
        await other.announce(node(2))
        return one, other

    async def fails(self, error: type[Exception], result: Deferred[Any]) -> Any:
        return await self.assertFailure(result, error)

    async def lapse(self) -> None:
        """Wait until every node has lapsed."""
        await self.pass_time(limits.NODE_LAPSE * 1.1)

    async def timed_out(self, ask: Callable[[], Deferred[Any]]) -> None:
        """This, asked of a frozen engine, fails at the deadline."""
        result = ask()
        result.addErrback(lambda failure: failure)
        await self.pass_time(limits.DIRECTORY_DEADLINE * 1.1)
        self.assertTrue(result.called, "it has not failed in time")
        await self.fails(DirectoryAway, result)

    # --- nodes ------------------------------------------------------------------------------

    async def test_nobody_is_there_at_first(self) -> None:
        one = self.open()
        self.assertEqual(await one.nodes(), [])
        self.assertIsNone(await one.where(ALICE))
        self.assertIsNone(await one.holder(ident(9)))
        self.assertEqual(await one.recall(ALICE), NOTHING_KEPT)

    async def test_an_announced_node_is_known_to_all(self) -> None:
        one, other = self.open(), self.open()
        self.assertIs(await other.announce(node(2)), False)
        self.assertIs(await one.announce(node(1)), False)
        self.assertIs(await one.announce(node(1)), True)
        self.assertEqual(await other.nodes(), [node(1), node(2)])

    async def test_a_node_that_is_silent_lapses(self) -> None:
        one, other = await self.two()
        await self.pass_time(limits.NODE_LAPSE * 0.7)
        self.assertIs(await other.announce(node(2)), True)
        await self.pass_time(limits.NODE_LAPSE * 0.7)
        self.assertEqual(await other.nodes(), [node(2)])
        self.assertIs(await one.announce(node(1)), False)

    async def test_a_node_that_departs_is_gone(self) -> None:
        one, other = await self.two()
        await one.claim(ALICE, place(1, 1), False)
        await one.depart(ident(1))
        self.assertEqual(await other.nodes(), [node(2)])
        self.assertIsNone(await other.where(ALICE))
        self.assertIsNone(await other.claim(ALICE, place(2, 2), False))

    async def test_an_address_of_any_form_comes_back(self) -> None:
        one = self.open()
        nodes = [Node(ident(1), "2001:db8::1", 1), Node(ident(2), "10.0.0.1", 65535)]
        for each in nodes:
            await one.announce(each)
        self.assertEqual(await one.nodes(), nodes)

    # --- people -----------------------------------------------------------------------------

    async def test_a_claim_is_seen_by_all(self) -> None:
        one, other = await self.two()
        self.assertIsNone(await one.claim(ALICE, place(1, 1), False))
        self.assertEqual(await other.where(ALICE), place(1, 1))
        self.assertEqual(await other.holder(place(1, 1).session), ident(1))
        self.assertIsNone(await other.where(BOB))

    async def test_a_second_claim_is_refused(self) -> None:
        one, other = await self.two()
        await one.claim(ALICE, place(1, 1), False)
        await self.fails(AlreadyOnline, other.claim(ALICE, place(2, 2), False))
        await self.fails(AlreadyOnline, one.claim(ALICE, place(1, 3), False))
        self.assertEqual(await other.where(ALICE), place(1, 1))
        self.assertIsNone(await one.holder(place(2, 2).session))

    async def test_a_claim_takes_over(self) -> None:
        one, other = await self.two()
        await one.claim(ALICE, place(1, 1), False)
        self.assertEqual(await other.claim(ALICE, place(2, 2), True), place(1, 1))
        self.assertEqual(await one.where(ALICE), place(2, 2))
        self.assertIsNone(await one.holder(place(1, 1).session))
        self.assertEqual(await one.holder(place(2, 2).session), ident(2))

    async def test_a_claim_takes_over_on_its_own_node(self) -> None:
        one, _ = await self.two()
        await one.claim(ALICE, place(1, 1), False)
        self.assertEqual(await one.claim(ALICE, place(1, 2), True), place(1, 1))
        self.assertEqual(await one.where(ALICE), place(1, 2))

    async def test_what_one_has_can_be_claimed_again(self) -> None:
        one, _ = await self.two()
        for takeover in (False, False, True):
            self.assertIsNone(await one.claim(ALICE, place(1, 1), takeover))
        self.assertEqual(await one.where(ALICE), place(1, 1))
        self.assertEqual(await one.holder(place(1, 1).session), ident(1))

    async def test_whoever_is_on_a_dead_node_is_absent(self) -> None:
        one, other = await self.two()
        await one.claim(ALICE, place(1, 1), False)
        await self.lapse()
        self.assertIsNone(await other.where(ALICE))
        self.assertIsNone(await other.holder(place(1, 1).session))
        await other.announce(node(2))
        self.assertIsNone(await other.claim(ALICE, place(2, 2), False))
        self.assertEqual(await other.where(ALICE), place(2, 2))

    async def test_a_node_that_was_frozen_finds_its_people_elsewhere(self) -> None:
        one, other = await self.two()
        await one.claim(ALICE, place(1, 1), False)
        await one.claim(BOB, place(1, 2), False)
        await self.lapse()
        await other.announce(node(2))
        await other.claim(ALICE, place(2, 3), False)
        self.assertIs(await one.announce(node(1)), False)
        await self.fails(AlreadyOnline, one.claim(ALICE, place(1, 1), False))
        self.assertIsNone(await one.claim(BOB, place(1, 2), False))
        self.assertEqual(await other.where(ALICE), place(2, 3))
        self.assertEqual(await other.where(BOB), place(1, 2))

    async def test_a_node_that_is_unknown_claims_nobody(self) -> None:
        _, other = await self.two()
        await self.fails(NodeUnknown, other.claim(ALICE, place(3, 1), False))
        await self.fails(NodeUnknown, other.claim(ALICE, place(3, 1), True))
        self.assertIsNone(await other.where(ALICE))
        self.assertIsNone(await other.holder(place(3, 1).session))

    async def test_a_release_frees_the_name(self) -> None:
        one, other = await self.two()
        await one.claim(ALICE, place(1, 1), False)
        await one.release(ALICE, place(1, 1))
        self.assertIsNone(await other.where(ALICE))
        self.assertIsNone(await other.holder(place(1, 1).session))
        self.assertIsNone(await other.claim(ALICE, place(2, 2), False))

    async def test_a_late_release_changes_nothing(self) -> None:
        one, other = await self.two()
        await one.claim(ALICE, place(1, 1), False)
        await other.claim(ALICE, place(2, 2), True)
        await one.release(ALICE, place(1, 1))
        self.assertEqual(await one.where(ALICE), place(2, 2))
        self.assertEqual(await one.holder(place(2, 2).session), ident(2))

    async def test_of_many_claims_one_wins(self) -> None:
        nodes = await self.two()
        claims = [
            nodes[number % 2].claim(ALICE, place(1 + number % 2, number), False)
            for number in range(50)
        ]
        found = outcomes(await DeferredList(claims, consumeErrors=True))
        self.assertEqual(sorted(map(str, found)), sorted(["None", *[str(AlreadyOnline)] * 49]))
        winner = found.index(None)
        self.assertEqual(await nodes[0].where(ALICE), place(1 + winner % 2, winner))

    async def test_each_of_many_takeovers_ends_one_session(self) -> None:
        nodes = await self.two()
        places = [place(1 + number % 2, number) for number in range(50)]
        claims = [nodes[n % 2].claim(ALICE, places[n], True) for n in range(50)]
        found = outcomes(await DeferredList(claims, consumeErrors=True))
        self.assertEqual(found.count(None), 1)
        ended = [one for one in found if one is not None]
        self.assertEqual(len(set(ended)), 49)
        left = set(places) - set(ended)
        self.assertEqual({await nodes[0].where(ALICE)}, left)

    async def test_servers_do_not_see_each_other(self) -> None:
        ours, theirs = self.open(), self.open(OTHER_SERVER)
        await ours.announce(node(1))
        self.assertIs(await theirs.announce(node(1)), False)
        await ours.claim(ALICE, place(1, 1), False)
        await ours.keep(ALICE, b"facts", 60)
        self.assertIsNone(await theirs.where(ALICE))
        self.assertIsNone(await theirs.holder(place(1, 1).session))
        self.assertEqual(await self.recalled(theirs, ALICE), b"")
        await theirs.depart(ident(1))
        self.assertEqual(await ours.nodes(), [node(1)])

    @staticmethod
    async def recalled(directory: Directory, name: Name) -> bytes:
        return (await directory.recall(name)).facts

    # --- restraints -------------------------------------------------------------------------

    async def test_what_is_kept_comes_back_anywhere(self) -> None:
        one, other = self.open(), self.open()
        for facts in (AWKWARD, b"7", b"x" * 20_000):
            await one.keep(ALICE, facts, 60)
            self.assertEqual(await self.recalled(other, ALICE), facts)
        self.assertEqual(await self.recalled(other, BOB), b"")

    async def test_what_is_kept_lapses(self) -> None:
        one = self.open()
        await one.keep(ALICE, b"facts", self.moment)
        self.assertEqual(await self.recalled(one, ALICE), b"facts")
        await self.pass_time(1.2 * self.moment)
        self.assertEqual(await self.recalled(one, ALICE), b"")

    async def test_how_long_it_has_been_kept(self) -> None:
        one, other = self.open(), self.open()
        await one.keep(ALICE, b"facts", 60)
        least = 0.8 * self.moment
        self.assertLess((await other.recall(ALICE)).age, least)
        await self.pass_time(self.moment)
        age = (await other.recall(ALICE)).age
        self.assertTrue(least <= age < 4 * self.moment, age)
        await other.keep(ALICE, b"new", 60)
        self.assertLess((await one.recall(ALICE)).age, least)

    async def test_nothing_is_kept_without_facts_or_time(self) -> None:
        one = self.open()
        for facts, seconds in ((b"", 60.0), (b"facts", 0.0), (b"facts", -1.0)):
            await one.keep(ALICE, b"before", 60)
            await one.keep(ALICE, facts, seconds)
            self.assertEqual(await self.recalled(one, ALICE), b"")

    async def test_what_is_kept_can_be_forgotten(self) -> None:
        self.patch(limits, "NAMES_ASKED", 3)
        one, _ = await self.two()
        names = [Name(f"name{number}") for number in range(8)]
        for name in names:
            await one.keep(name, b"facts", 60)
        await one.claim(names[0], place(1, 1), False)
        await one.forget(frozenset(names[:7]))
        await one.forget(frozenset())
        self.assertEqual([await self.recalled(one, name) for name in names], [b""] * 7 + [b"facts"])
        self.assertEqual(await one.where(names[0]), place(1, 1))

    # --- faults -----------------------------------------------------------------------------

    async def test_a_wiped_engine_is_noticed(self) -> None:
        one, other = await self.two()
        await one.claim(ALICE, place(1, 1), False)
        await self.wipe()
        await self.fails(NodeUnknown, one.claim(BOB, place(1, 2), False))
        self.assertIs(await one.announce(node(1)), False)
        self.assertIsNone(await one.claim(ALICE, place(1, 1), False))
        self.assertEqual(await other.where(ALICE), place(1, 1))
        self.assertIs(await one.announce(node(1)), True)

    async def test_a_frozen_engine_is_waited_for_no_longer_than_the_deadline(self) -> None:
        one, _ = await self.two()
        questions: list[Callable[[], Deferred[Any]]] = [
            lambda: one.announce(node(1)),
            one.nodes,
            lambda: one.claim(ALICE, place(1, 1), False),
            lambda: one.release(ALICE, place(1, 1)),
            lambda: one.where(ALICE),
            lambda: one.holder(ident(1)),
            lambda: one.keep(ALICE, b"facts", 60),
            lambda: one.recall(ALICE),
            lambda: one.forget(frozenset({ALICE, BOB})),
            lambda: one.depart(ident(1)),
        ]
        self.freeze()
        for question in questions:
            await self.timed_out(question)
        self.thaw()
        await self.works_again(one)

    async def works_again(self, directory: Directory) -> None:
        """The directory answers, after a while."""
        for _ in range(50):
            try:
                await directory.announce(node(1))
                break
            except DirectoryAway:
                await self.pass_time(0.1)
        self.assertIs(await directory.announce(node(1)), True)

    async def test_a_release_that_failed_is_made_good(self) -> None:
        one, _ = await self.two()
        await one.claim(ALICE, place(1, 1), False)
        self.freeze()
        await self.timed_out(lambda: one.release(ALICE, place(1, 1)))
        self.thaw()
        await self.works_again(one)
        await self.absent(one, ALICE)

    async def test_a_claim_that_failed_leaves_nobody_behind(self) -> None:
        one, _ = await self.two()
        await one.claim(BOB, place(1, 2), False)  # the engine knows how
        self.freeze()
        await self.timed_out(lambda: one.claim(ALICE, place(1, 1), False))
        self.thaw()
        await self.works_again(one)
        await self.absent(one, ALICE)

    async def test_a_claim_repeated_after_it_failed_stays(self) -> None:
        one, other = await self.two()
        await one.claim(BOB, place(1, 2), False)
        self.freeze()
        await self.timed_out(lambda: one.claim(ALICE, place(1, 1), False))
        self.thaw()
        for _ in range(50):
            try:
                self.assertIsNone(await one.claim(ALICE, place(1, 1), False))
                break
            except NodeUnknown:
                await one.announce(node(1))
            except DirectoryAway:
                await self.pass_time(0.1)
        await self.works_again(one)
        self.assertEqual(await other.where(ALICE), place(1, 1))

    async def absent(self, one: Directory, name: Name) -> None:
        """The person is gone, after some announcements of node 1, which lives."""
        for _ in range(20):
            self.assertIs(await one.announce(node(1)), True)
            if await one.where(name) is None:
                return
            await self.pass_time(0.05)
        self.fail(f"{name} is still there")

    async def test_a_closed_directory_answers_nothing(self) -> None:
        one, other = await self.two()
        await one.close()
        await self.fails(DirectoryAway, one.announce(node(1)))
        await self.fails(DirectoryAway, one.where(ALICE))
        self.assertEqual(await other.nodes(), [node(1), node(2)])
