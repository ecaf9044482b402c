"""Connections share the names of their attributes, however many come at once."""

from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any

from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Server
from twisted.trial.unittest import SynchronousTestCase

from securecom.tests.support.tls_lines import Line, NotingProducer, nothing
from securecom.tests.support.turned_reactor import FakeSocket, TurnedReactor
from securecom.transport import sieve
from securecom.transport.native import NativeTLS, expect

#: So many instances of a class, and Python takes in no further names.
CROWD = 60
HERE = ("127.0.0.1", 1)
LATE = ("one", "two", "three")


class Wire(FakeSocket):
    """One that Twisted's own connection may have."""

    def setblocking(self, _: bool) -> None:
        """It never blocks."""


def has_dictionary(one: object) -> bool:
    """Whether an instance has a dictionary of its own. (To ask for it would make one.)"""
    return any(type(held) is dict for held in gc.get_referents(one))


def fill(one: object) -> None:
    """Use up the one name that Python takes in even then."""
    one.one_more = None  # type: ignore[attr-defined]


class SharedAttributesTests(SynchronousTestCase):
    def test_tls(self) -> None:
        lines = [Line(TurnedReactor(), NativeTLS) for _ in range(CROWD)]
        fill(lines.pop().tls)
        for line in lines:
            line.shake()
            line.tls.registerProducer(NotingProducer(), True)
        self.assertEqual([one for one in lines if has_dictionary(one.tls)], [])

    def test_spliced_tls(self) -> None:
        lines = [Line(TurnedReactor(), NativeTLS) for _ in range(CROWD)]
        fill(lines.pop().tls)
        for line in lines:
            line.shake()
        for one, other in zip(lines[::2], lines[1::2], strict=False):
            self.assertTrue(one.tls.splice(other.tls, lambda *_: True))
            self.assertTrue(other.tls.splice(one.tls, lambda *_: True))
        self.assertEqual([one for one in lines if has_dictionary(one.tls)], [])

    def test_sockets(self) -> None:
        crowd = self.sockets()
        for one in crowd:
            one.registerProducer(NotingProducer(), True)
            one.doRead = nothing
        self.assertEqual([one for one in crowd if has_dictionary(one)], [])

    def test_sockets_of_chats(self) -> None:
        entered: list[object] = []
        found = SimpleNamespace(enter=lambda *it: entered.append(it))
        self.patch(sieve, "sieve_of", lambda _: found)
        crowd = self.sockets()
        for one in crowd:
            sieve.hold(one, nothing)
            one.doRead()
        self.assertEqual(entered, [(one, nothing) for one in crowd])
        self.assertFalse(any(map(has_dictionary, crowd)))

    def sockets(self) -> list[Any]:
        """A crowd of Twisted's own connections."""
        crowd = []
        for number in range(CROWD):
            protocol, wire, reactor = Protocol(), Wire(1), TurnedReactor()
            server = Server(wire, protocol, HERE, None, number, reactor)  # type: ignore[arg-type]
            protocol.makeConnection(server)
            crowd.append(server)
        fill(crowd.pop())
        return crowd

    def test_what_is_not_expected_takes_a_dictionary(self) -> None:
        """If this fails, Python has become better, and nothing need be said to it any more."""

        class Unexpected:
            """Gets its attributes late."""

        class Expected:
            """The same."""

        expect(Expected, LATE)
        for kind in (Unexpected, Expected):
            crowd = [kind() for _ in range(CROWD)]
            for one in crowd:
                for name in LATE:
                    setattr(one, name, None)
            self.assertEqual(any(map(has_dictionary, crowd)), kind is Unexpected)
