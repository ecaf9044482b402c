"""The directory in memory keeps the contract, too; and it can be told to be away or slow."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from securecom import limits
from securecom.errors import DirectoryAway
from securecom.server.cluster.directory import Directory
from securecom.tests.support.directory_contract import (
    ALICE,
    SERVER,
    DirectoryContract,
    node,
    place,
)
from securecom.tests.support.memory_directory import MemoryDirectory, MemoryEngine


class MemoryContract(DirectoryContract, TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.engine = MemoryEngine(self.clock)

    def open(self, server: bytes = SERVER) -> Directory:
        return MemoryDirectory(self.engine, server)

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    async def wipe(self) -> None:
        self.engine.wipe()

    def freeze(self) -> None:
        self.engine.freeze()

    def thaw(self) -> None:
        self.engine.thaw()


class TroubleTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.engine = MemoryEngine(self.clock)
        self.directory = MemoryDirectory(self.engine)

    def test_an_engine_that_is_away_refuses_at_once(self) -> None:
        self.engine.is_away = True
        self.failureResultOf(self.directory.announce(node(1)), DirectoryAway)
        self.engine.is_away = False
        self.assertIs(self.successResultOf(self.directory.announce(node(1))), False)

    def test_a_slow_engine_does_later_what_it_was_asked(self) -> None:
        self.successResultOf(self.directory.announce(node(1)))
        self.engine.delay = 1.0
        claimed = self.directory.claim(ALICE, place(1, 1), False)
        self.assertNoResult(claimed)
        self.clock.advance(1.0)
        self.assertIsNone(self.successResultOf(claimed))

    def test_an_engine_that_is_too_slow_still_does_it(self) -> None:
        self.successResultOf(self.directory.announce(node(1)))
        self.engine.delay = limits.DIRECTORY_DEADLINE + 1
        claimed = self.directory.claim(ALICE, place(1, 1), False)
        self.clock.advance(limits.DIRECTORY_DEADLINE)
        self.failureResultOf(claimed, DirectoryAway)
        self.clock.advance(1.0)
        self.engine.delay = None
        self.assertEqual(self.successResultOf(self.directory.where(ALICE)), place(1, 1))
