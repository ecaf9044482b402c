"""Spliced sockets that are read before the reactor sees that they can be."""

from __future__ import annotations

import gc
import random
import select
import weakref
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.tests.support import fast_runs, splice_contract
from securecom.tests.support.sieve_reactor import Kernel, SieveReactor
from securecom.tests.support.tls_sequences import bytes_of
from securecom.tests.support.turned_reactor import TurnedReactor
from securecom.transport import sieve
from securecom.transport.reactor import LeanReactor

READ, WRITE, HANG_UP = select.EPOLLIN, select.EPOLLOUT, select.EPOLLHUP


class SievedCase(splice_contract.SpliceCase):
    reactor: SieveReactor

    def make_reactor(self) -> SieveReactor:
        self.patch(sieve, "sieve_of", fast_runs.sieve_of)
        return SieveReactor()

    def both_ways(self) -> None:
        """What the second's peer sends may go to the first's, too."""
        self.assertTrue(self.two.tls.splice(self.one.tls, splice_contract.Asked(self.admits)))

    def tearDown(self) -> None:
        """Who is spliced is read by the sieve, and nobody else."""
        spliced = {line.floor for line in self.lines if line.tls._splice is not None}
        self.assertEqual(set(self.reactor.sieve._reads), spliced)

    def poll(self, *events: tuple[Any, int]) -> list[tuple[Any, int]]:
        """These events of lines come. Returns those that are left to the reactor."""
        for line in self.lines:
            line.deliver()
        lines = {line.wire._number: line for line in self.lines}
        left = self.reactor.poll(*((line.wire._number, event) for line, event in events))
        return [(lines[number], event) for number, event in left]


class SievedPassingTests(SievedCase, splice_contract.Passing):
    """What holds for spliced sockets holds for those that a sieve reads."""


class SievedEndingTests(SievedCase, splice_contract.Ending):
    """The same."""


class SievingTests(SievedCase):
    is_pausing: bool

    def setUp(self) -> None:
        super().setUp()
        self.both_ways()

    def test_one_poll_reads_all_and_each_once(self) -> None:
        sent = [self.send(200, 1), bytes_of(2, 300)]
        self.two.peer.send(300, 2)
        self.assertEqual(self.poll((self.one, READ), (self.two, READ)), [])
        self.assertEqual(self.asked, [200, 300])
        self.pass_on()
        received = [bytes(line.peer.received) for line in (self.two, self.one)]
        self.assertEqual(received, sent)

    def test_what_is_the_reactors(self) -> None:
        """Other sockets, and other events than that there is something to read, in their order."""
        self.send(200, 1)
        events = [
            *((self.three, READ), (self.one, READ | HANG_UP)),
            *((self.two, WRITE), (self.two, READ | WRITE)),
        ]
        self.assertEqual(self.poll(events[0], (self.one, READ), *events[1:]), events)
        self.assertEqual(self.asked, [200])

    def test_the_kernel_is_asked_as_the_reactor_asks(self) -> None:
        self.reactor.kernel.calls.clear()
        self.reactor._poller.poll(2.5, 7)
        self.reactor._poller.poll(-1, limits.EVENTS_AT_ONCE + 1)
        polls = [("poll", 2.5, 7), ("poll", -1, limits.EVENTS_AT_ONCE)]
        self.assertEqual(self.reactor.kernel.calls, polls)

    def test_the_chat_ends(self) -> None:
        self.one.tls.unsplice()
        sent = self.send(200, 1)
        self.assertEqual(self.poll((self.one, READ)), [(self.one, READ)])
        self.pass_on()
        self.assertEqual(self.one.protocol.received, sent)

    def test_the_chat_ends_while_it_is_read(self) -> None:
        def admits(data: Any, size: int) -> bool:
            self.one.tls.unsplice()
            return True

        self.one.tls.splice(self.two.tls, splice_contract.Asked(admits))
        sent = self.send(200, 1)
        events = [(self.one, READ)]
        self.assertEqual((self.poll(*events), self.poll(*events)), ([], events))
        self.pass_on()
        self.assertEqual(bytes(self.two.peer.received), sent)

    def test_what_read_for_the_chat_is_gone_with_it(self) -> None:
        """Nothing is left for which Python would have to look."""
        read = weakref.ref(self.reactor.sieve._reads[self.one.floor])
        gc.disable()
        self.addCleanup(gc.enable)
        self.one.tls.unsplice()
        self.assertIsNone(read())

    def test_a_pause_and_its_end(self) -> None:
        sent = b""
        for number in range(3):
            self.one.tls.pauseProducing()
            sent += self.send(200, number)
            self.pass_on()
            self.assertEqual(len(self.asked), number)
            self.one.tls.resumeProducing()
            self.assertEqual(self.poll((self.one, READ)), [])
        self.pass_on()
        self.assertEqual(bytes(self.two.peer.received), sent)

    def test_a_pause_while_it_is_read(self) -> None:
        def admits(data: Any, size: int) -> bool:
            self.one.tls.pauseProducing()
            return self.admits(data, size)

        self.one.tls.splice(self.two.tls, splice_contract.Asked(admits))
        self.send(200, 1)
        self.pass_on()
        self.send(200, 2)
        self.pass_on()
        self.assertEqual(self.asked, [200])

    def test_who_was_paused_by_an_earlier_read_is_not_read(self) -> None:
        """Its event is the reactor's, which knows of nobody who would read."""

        def admits(data: Any, size: int) -> bool:
            self.two.tls.pauseProducing()
            return self.admits(data, size)

        self.one.tls.splice(self.two.tls, splice_contract.Asked(admits))
        self.send(200, 1)
        self.two.peer.send(300, 2)
        events = [(self.one, READ), (self.two, READ)]
        self.assertEqual(self.poll(*events), [(self.two, READ)])
        self.assertEqual(self.asked, [200])

    def test_who_has_to_write_does_so_by_the_reactor(self) -> None:
        self.two.wire.room = 10
        sent = self.send_at_once(200, 1)
        self.assertIn(self.two.floor, self.reactor.readers & self.reactor.writers)
        self.two.wire.room = 1 << 20
        self.pass_on()
        self.assertEqual(bytes(self.two.peer.received), sent)


class FaultTests(SievedCase):
    """Of one connection, which is no other's."""

    def setUp(self) -> None:
        super().setUp()
        self.both_ways()

    def breaks(self, *_: object) -> Any:
        raise ZeroDivisionError

    def test_in_a_read(self) -> None:
        """The chat ends with it, so what the other has sent is the reactor's."""
        self.reactor.sieve.enter(self.one.floor, self.breaks)
        self.send(200, 1)
        self.two.peer.send(200, 2)
        self.assertEqual(self.poll((self.one, READ), (self.two, READ)), [(self.two, READ)])
        self.pass_on()
        self.assertEqual(len(self.one.protocol.lost), 1)
        self.assertEqual(self.two.protocol.received, bytes_of(2, 200))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.two.protocol.lost, [])

    def test_in_an_end(self) -> None:
        """It is not read here again, though its splice does not know that it has ended."""
        self.one.floor.readConnectionLost = self.breaks
        self.one.wire.is_ended = True
        self.two.peer.send(200, 2)
        self.assertEqual(self.poll((self.one, READ), (self.two, READ)), [])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual((self.asked, set(self.reactor.sieve._reads)), ([200], {self.two.floor}))
        self.one.tls.unsplice()

    def test_who_has_ended_is_read_no_more(self) -> None:
        """Another connection may have its number by now."""
        self.one.wire.is_reset = True
        events = [(self.one, READ)]
        self.assertEqual((self.poll(*events), self.poll(*events)), ([], events))
        self.assertEqual(self.one.protocol.lost, [ConnectionLost])

    def test_the_reactor_ends(self) -> None:
        for floor in self.reactor.removeAll():
            floor.connectionLost(Failure(ConnectionLost()))
        for line in self.lines:
            self.assertEqual(line.protocol.lost, [ConnectionLost])
            self.assertTrue(line.wire.is_closed)


class SameTests(SynchronousTestCase):
    """By a sieve or not, both peers see the same."""

    def test_generated_sequences(self) -> None:
        self.patch(sieve, "sieve_of", fast_runs.sieve_of)
        for seed in range(150):
            told = []
            for reactor in (TurnedReactor(), SieveReactor()):
                chance = random.Random(seed)
                pair = splice_contract.Pair(True, random.Random(seed), reactor)
                for number in range(chance.randrange(4, 25)):
                    pair.step(chance, number)
                told.append(pair.told())
            self.assertEqual(told[1], told[0], f"seed {seed}")


class SieveOfTests(SynchronousTestCase):
    def test_each_private_name_of_twisted_is_looked_for(self) -> None:
        class Other:
            """A reactor of another Twisted."""

        self.assertEqual(sieve.missing_in(EPollReactor), ())
        self.assertEqual(sieve.missing_in(Other), sieve.NAMES)
        self.assertEqual(sieve.MISSING, ())

    def test_only_of_the_epoll_reactor_as_it_is(self) -> None:
        self.assertIsInstance(sieve.sieve_of(bare(EPollReactor)), sieve.Sieve)
        self.assertIsNone(sieve.sieve_of(bare(LeanReactor)))
        self.assertIsNone(sieve.sieve_of(TurnedReactor()))

    def test_not_where_a_name_is_missing(self) -> None:
        self.patch(sieve, "MISSING", ("_poller",))
        self.assertIsNone(sieve.sieve_of(bare(EPollReactor)))

    def test_there_is_one(self) -> None:
        reactor = bare(EPollReactor)
        self.assertIs(sieve.sieve_of(reactor), sieve.sieve_of(reactor))

    def test_twisteds_own_reactor_works_through_it(self) -> None:
        """It registers, modifies, unregisters and polls."""
        reactor = bare(EPollReactor)
        kernel = reactor._poller
        one, two = Descriptor(7), Descriptor(8)
        found = sieve.sieve_of(reactor)
        assert found is not None
        found.enter(one, one.doRead)  # type: ignore[arg-type]
        for selectable in (one, two):
            reactor.addReader(selectable)
        reactor.addWriter(two)
        kernel.events = [(7, READ), (8, READ)]
        reactor.doPoll(None)
        reactor.removeReader(one)
        told = ("register", 7, READ), ("register", 8, READ), ("modify", 8, READ | WRITE)
        self.assertEqual(kernel.calls, [*told, ("poll", -1, 2), ("unregister", 7)])
        self.assertEqual((one.calls, two.calls), (["read"], ["prefix", "read"]))


class Descriptor:
    """Notes what Twisted asks it."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.calls: list[str] = []

    def fileno(self) -> int:
        return self._number

    def logPrefix(self) -> str:
        self.calls.append("prefix")
        return "one"

    def doRead(self) -> None:  # noqa: N802
        self.calls.append("read")


def bare(kind: type[EPollReactor]) -> Any:
    """A reactor without sockets of its own."""
    reactor: Any = kind.__new__(kind)
    reactor._poller, reactor._selectables = Kernel(), {}
    reactor._reads, reactor._writes = set(), set()
    reactor._continuousPolling = Nobody()
    return reactor


class Nobody:
    """What cannot be watched: nothing."""

    def isReading(self, selectable: object) -> bool:  # noqa: N802
        return False
