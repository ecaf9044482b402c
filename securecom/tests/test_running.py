"""How the client reaches its server."""

from __future__ import annotations

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from securecom.client.channels.request_ways import ServerDials, ServerListens
from securecom.client.program.running import Route


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
