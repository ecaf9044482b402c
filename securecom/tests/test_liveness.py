"""Silence: who only answers watches for it, who pings breaks it."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, vocabulary
from securecom.connection import Connection
from securecom.errors import PeerSilent
from securecom.liveness import Liveness
from securecom.looks import Looks


class WatchedConnection:
    """What `Liveness` needs of a connection; it is its own control lane."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.is_closing = False
        self.is_held = self.is_heard = False
        self.faults: list[Exception] = []
        self.called: list[Any] = []

    @property
    def control(self) -> WatchedConnection:
        return self

    def call(self, command: Any) -> Deferred[Any]:
        self.called.append(command)
        return Deferred()

    def fault(self, error: Exception) -> None:
        self.faults.append(error)
        self.is_closing = True


class LivenessTests(SynchronousTestCase):
    """From the log-in to the end of the connection."""

    def setUp(self) -> None:
        self.connection = WatchedConnection()

    def watch(self, sends_pings: bool = False) -> Liveness:
        liveness = Liveness(cast(Connection, self.connection), sends_pings)
        liveness.start()
        return liveness

    def wait(self, intervals: int) -> None:
        self.connection.clock.pump([limits.PING_INTERVAL] * intervals)

    def test_when_both_directions_last_worked(self) -> None:
        """That is when the last ping was sent that was answered, whenever the answer came."""
        liveness, clock = self.watch(True), self.connection.clock
        answers: list[Deferred[Any]] = []

        def call(_: Any) -> Deferred[Any]:
            answers.append(Deferred())
            return answers[-1]

        self.connection.call = call  # type: ignore[assignment, method-assign]
        self.wait(1)
        self.connection.is_heard = True
        self.wait(1)
        self.assertEqual(liveness.worked_at, 0)
        answers[0].callback({})
        self.assertEqual(liveness.worked_at, limits.PING_INTERVAL)
        answers[1].errback(ConnectionError())
        self.assertEqual(liveness.worked_at, limits.PING_INTERVAL)
        clock.advance(limits.PING_INTERVAL + limits.STOOD_STILL)
        self.assertEqual(liveness.worked_at, clock.seconds())

    def test_another_interval(self) -> None:
        """One that is shorter than the usual limit for having stood still, too."""
        liveness = Liveness(
            cast(Connection, self.connection), True, Looks(self.connection.clock, 1.0), 4.0
        )
        liveness.start()
        clock = self.connection.clock
        clock.pump([1.0] * 3)
        self.assertEqual((len(self.connection.called), self.connection.faults), (3, []))
        clock.advance(5.0)  # it stood still
        self.assertEqual(self.connection.faults, [])
        clock.pump([1.0] * 4)
        self.assertEqual(len(self.connection.faults), 1)

    def test_silence_is_the_end(self) -> None:
        self.watch()
        self.wait(2)
        self.assertEqual(self.connection.faults, [])
        self.wait(1)
        [fault] = self.connection.faults
        self.assertIsInstance(fault, PeerSilent)
        self.assertEqual(self.connection.clock.getDelayedCalls(), [])

    def test_a_byte_is_enough(self) -> None:
        self.watch()
        for _ in range(4):
            self.wait(2)
            self.connection.is_heard = True
        self.assertEqual(self.connection.faults, [])

    def test_pings(self) -> None:
        """Only the side that is to."""
        self.watch(sends_pings=True)
        self.wait(2)
        self.assertEqual(self.connection.called, [vocabulary.Ping, vocabulary.Ping])

    def test_no_pings(self) -> None:
        self.watch()
        self.wait(2)
        self.assertEqual(self.connection.called, [])

    def test_silence_while_we_do_not_read(self) -> None:
        """It says nothing about the peer; once we read again, the patience starts anew."""
        self.watch()
        self.connection.is_held = True
        self.wait(9)
        self.connection.is_held = False
        self.wait(2)
        self.assertEqual(self.connection.faults, [])
        self.wait(1)
        self.assertEqual(len(self.connection.faults), 1)

    def test_closing_connection_is_left_alone(self) -> None:
        self.watch()
        self.connection.is_closing = True
        self.wait(4)
        self.assertEqual(self.connection.faults, [])
        self.assertEqual(self.connection.clock.getDelayedCalls(), [])

    def test_stop(self) -> None:
        liveness = self.watch()
        liveness.stop()
        liveness.stop()
        self.assertEqual(self.connection.clock.getDelayedCalls(), [])
