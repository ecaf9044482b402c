"""One run of the client: how it reaches its server, and an end that nobody decided."""

from __future__ import annotations

import signal
from argparse import Namespace
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from securecom.client.channels.request_ways import ServerDials, ServerListens
from securecom.client.program.choosing import Choice
from securecom.client.program.running import ClientRun, Route


class RouteTests(SynchronousTestCase):
    def test_the_two_ways(self) -> None:
        route = Route(MemoryReactorClock(), "127.0.0.1", 4241)
        self.assertIsInstance(route.way("listen"), ServerListens)
        self.assertIsInstance(route.way("dial"), ServerDials)

    def test_the_server_may_dial_only_the_address_that_it_knows(self) -> None:
        reactor = MemoryReactorClock()
        route = Route(reactor, "127.0.0.1", 4241)
        for address in ("192.0.2.7", "2001:db8::7"):
            route.own_address = address
            route.listen(4242).listen(object())  # type: ignore[arg-type]
            port, _, _, interface = reactor.tcpServers[-1]
            self.assertEqual((port, interface), (4242, address))


class Stopped(MemoryReactorClock):
    """It is stopped before anything is open."""

    def run(self, installSignalHandlers: bool = True) -> None:  # noqa: N803
        """IReactorCore."""


class RunTests(SynchronousTestCase):
    def test_a_reactor_that_somebody_else_stops(self) -> None:
        choice = Choice("none", lambda _: Any, False)  # type: ignore[arg-type,return-value]
        run = ClientRun(Namespace(attempts=0, send=None), Stopped(), choice)
        self.assertEqual(run.until_over(None), 128 + signal.SIGTERM)
