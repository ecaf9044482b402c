"""Spliced sockets that one event of the reactor's reads."""

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
from securecom.tests.support import splice_contract
from securecom.tests.support.nest_reactor import NestReactor
from securecom.tests.support.tls_sequences import bytes_of
from securecom.tests.support.turned_reactor import TurnedReactor
from securecom.transport import nest
from securecom.transport.reactor import LeanReactor


class NestedCase(splice_contract.SpliceCase):
    """It has read once."""

    reactor: NestReactor

    def make_reactor(self) -> NestReactor:
        reactor = NestReactor()
        self.patch(nest, "nest_of", lambda _: reactor.nest)
        return reactor

    def setUp(self) -> None:
        super().setUp()
        self.one.peer.send(1, 0)
        self.pass_on()
        self.forget()

    def both_ways(self) -> None:
        """What the second's peer sends may go to the first's, too."""
        self.assertTrue(self.two.tls.splice(self.one.tls, splice_contract.Asked(self.admits)))
        self.two.peer.send(1, 0)
        self.pass_on()
        self.pass_on()
        self.forget()

    def forget(self) -> None:
        for line in self.lines:
            line.pass_on()
            line.peer.received.clear()
        self.asked.clear()

    def tearDown(self) -> None:
        """Who is in the nest is not with the reactor, and the reverse."""
        members = {tcp for tcp, _ in self.reactor.nest._members.values()}
        self.assertEqual(set(self.reactor.poller.wires), {tcp.fileno() for tcp in members})
        self.assertFalse(members & (self.reactor.readers | self.reactor.writers))
        self.assertEqual(self.reactor.nest in self.reactor.readers, bool(members))

    def is_inside(self, line: Any) -> bool:
        return line.wire.fileno() in self.reactor.poller.wires


class NestedPassingTests(NestedCase, splice_contract.Passing):
    """What holds for spliced sockets holds for those in a nest."""


class NestedEndingTests(NestedCase, splice_contract.Ending):
    """The same."""


class ComingAndGoingTests(NestedCase):
    is_pausing: bool

    def setUp(self) -> None:
        super().setUp()
        self.both_ways()

    def test_who_reads_and_does_nothing_else_is_inside(self) -> None:
        self.assertTrue(self.is_inside(self.one))
        self.assertTrue(self.is_inside(self.two))
        self.assertFalse(self.is_inside(self.three))
        self.assertEqual(self.reactor.readers, {self.three.floor, self.reactor.nest})

    def test_one_event_reads_all_and_each_once(self) -> None:
        sent = [self.send(200, 1), bytes_of(2, 300)]
        self.two.peer.send(300, 2)
        for line in self.lines:
            line.deliver()
        self.reactor.nest.doRead()
        self.assertEqual(self.asked, [200, 300])
        self.pass_on()
        received = [bytes(line.peer.received) for line in (self.two, self.one)]
        self.assertEqual(received, sent)
        self.assertEqual(set(self.reactor.poller.most), {limits.EVENTS_AT_ONCE})

    def test_a_pause_and_its_end(self) -> None:
        self.one.tls.pauseProducing()
        self.assertFalse(self.is_inside(self.one))
        self.assertNotIn(self.one.floor, self.reactor.readers)
        sent = self.send(200, 1)
        self.pass_on()
        self.assertEqual(self.asked, [])
        self.one.tls.resumeProducing()
        self.assertIn(self.one.floor, self.reactor.readers)
        self.pass_on()
        self.assertTrue(self.is_inside(self.one))
        self.pass_on()
        self.assertEqual(bytes(self.two.peer.received), sent)

    def test_a_pause_while_it_is_read(self) -> None:
        """Once by the reactor, after which it does not come in, and once by the nest."""

        def admits(data: Any, size: int) -> bool:
            if self.is_pausing:
                self.one.tls.pauseProducing()
            return self.admits(data, size)

        self.one.tls.splice(self.two.tls, splice_contract.Asked(admits))
        for self.is_pausing in (True, False, True):
            self.send(200, 1)
            self.pass_on()
            self.assertEqual(self.is_inside(self.one), not self.is_pausing)
            self.assertNotIn(self.one.floor, self.reactor.readers)
            if self.is_pausing:
                self.one.tls.resumeProducing()
        self.assertEqual(self.asked, [200] * 3)

    def test_the_chat_ends_while_it_is_read(self) -> None:
        """By the reactor: then it stays there."""

        def admits(data: Any, size: int) -> bool:
            self.one.tls.unsplice()
            return True

        self.one.tls.splice(self.two.tls, splice_contract.Asked(admits))
        self.send_at_once(200, 1)
        self.assertFalse(self.is_inside(self.one))

    def test_resumed_without_a_pause(self) -> None:
        self.one.tls.resumeProducing()
        self.assertIn(self.one.floor, self.reactor.readers)
        self.assertFalse(self.is_inside(self.one))

    def test_the_chat_ends(self) -> None:
        self.one.tls.unsplice()
        self.assertFalse(self.is_inside(self.one))
        self.assertIn(self.one.floor, self.reactor.readers)
        self.assertIs(self.one.floor.reactor, self.reactor)
        self.two.tls.unsplice()
        self.assertNotIn(self.reactor.nest, self.reactor.readers)

    def test_what_read_for_the_chat_is_gone_with_it(self) -> None:
        """Nothing is left for which Python would have to look."""
        read = weakref.ref(self.reactor.nest._members[self.one.floor.fileno()][1])
        gc.disable()
        self.addCleanup(gc.enable)
        self.one.tls.unsplice()
        self.assertIsNone(read())

    def test_who_has_to_write_is_with_the_reactor_until_it_is_written(self) -> None:
        """Else its last bytes would be lost with a hang-up that the reactor sees as a writer's."""
        self.two.wire.room = 10
        self.send(200, 1)
        self.one.pass_on()
        self.assertFalse(self.is_inside(self.two))
        self.assertIn(self.two.floor, self.reactor.readers & self.reactor.writers)
        self.two.peer.send(200, 2)
        self.two.deliver()
        self.two.floor.doRead()
        self.assertFalse(self.is_inside(self.two))
        self.two.wire.room = 1 << 20
        self.two.peer.send(200, 3)
        self.pass_on()
        self.two.peer.send(200, 4)
        self.pass_on()
        self.assertTrue(self.is_inside(self.two))

    def test_the_kernel_watches_no_more(self) -> None:
        self.one.tls.pauseProducing()
        self.one.tls.resumeProducing()
        self.reactor.poller.is_full = True
        sent = self.send(200, 1)
        self.pass_on()
        self.pass_on()
        self.assertIn(self.one.floor, self.reactor.readers)
        self.assertEqual(bytes(self.two.peer.received), sent)

    def test_who_was_made_to_leave_by_an_earlier_read_is_not_read(self) -> None:
        for line, other in ((self.one, self.two), (self.two, self.one)):
            number = line.wire.fileno()
            self.reactor.nest._members[number] = line.floor, other.tls.pauseProducing
            self.reactor.poller.events[number] = select.EPOLLIN
        self.reactor.nest.doRead()
        inside = [self.is_inside(self.one), self.is_inside(self.two)]
        self.assertEqual(sorted(inside), [False, True])

    def test_a_hang_up_is_the_reactors(self) -> None:
        self.reactor.poller.events = {self.one.wire.fileno(): select.EPOLLIN | select.EPOLLHUP}
        self.reactor.nest.doRead()
        self.assertEqual(self.asked, [])
        self.assertIn(self.one.floor, self.reactor.readers)

    def test_what_is_asked_of_the_reactor_besides(self) -> None:
        self.assertIs(self.one.floor.reactor, self.reactor.nest)
        self.one.tls.abortConnection()
        self.reactor.turn()
        self.assertEqual(len(self.one.protocol.lost), 1)


class FaultTests(NestedCase):
    """Of one connection, which is no other's."""

    def setUp(self) -> None:
        super().setUp()
        self.both_ways()

    def breaks(self, *_: object) -> Any:
        raise ZeroDivisionError

    def breaking(self, end: Any) -> Any:
        """An end that is one, and raises then."""

        def connection_lost(reason: Failure) -> None:
            end(reason)
            self.breaks()

        return connection_lost

    def test_in_a_read(self) -> None:
        number = self.one.wire.fileno()
        self.reactor.nest._members[number] = self.one.floor, self.breaks
        self.send(200, 1)
        self.two.peer.send(200, 2)
        self.pass_on()
        self.assertEqual(len(self.one.protocol.lost), 1)
        self.assertEqual(self.two.protocol.received, bytes_of(2, 200))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.two.protocol.lost, [])

    def test_in_an_end(self) -> None:
        self.one.floor.readConnectionLost = self.breaks
        self.one.wire.is_ended = True
        self.two.peer.send(200, 2)
        self.pass_on()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.asked, [200])

    def test_the_reactor_ends(self) -> None:
        for line in (self.one, self.two):
            line.floor.connectionLost = self.breaking(line.floor.connectionLost)
        self.reactor.removeAll()
        self.reactor.nest.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        for line in (self.one, self.two):
            self.assertEqual(line.protocol.lost, [ConnectionLost])
            self.assertTrue(line.wire.is_closed)
        self.assertEqual(self.reactor.readers, set())


class SameTests(SynchronousTestCase):
    """In a nest or not, both peers see the same."""

    def test_generated_sequences(self) -> None:
        for seed in range(150):
            told = []
            for reactor in (TurnedReactor(), NestReactor()):
                found = getattr(reactor, "nest", None)
                self.patch(nest, "nest_of", lambda _, found=found: found)
                chance = random.Random(seed)
                pair = splice_contract.Pair(True, random.Random(seed), reactor)
                for number in range(chance.randrange(4, 25)):
                    pair.step(chance, number)
                told.append(pair.told())
            self.assertEqual(told[1], told[0], f"seed {seed}")


class NestOfTests(SynchronousTestCase):
    def test_each_private_name_of_twisted_is_looked_for(self) -> None:
        class Other:
            """A reactor of another Twisted."""

        self.assertEqual(nest.missing_in(EPollReactor), ())
        self.assertEqual(nest.missing_in(Other), nest.NAMES)
        self.assertEqual(nest.MISSING, ())

    def test_only_beside_the_epoll_reactor_as_it_is(self) -> None:
        found = nest.nest_of(bare(EPollReactor))
        assert found is not None
        found._poller.close()
        self.assertIsNone(nest.nest_of(bare(LeanReactor)))
        self.assertIsNone(nest.nest_of(TurnedReactor()))

    def test_not_where_a_name_is_missing(self) -> None:
        self.patch(nest, "MISSING", ("_reads",))
        self.assertIsNone(nest.nest_of(bare(EPollReactor)))


def bare(kind: type[EPollReactor]) -> Any:
    """A reactor without sockets of its own."""
    return kind.__new__(kind)
