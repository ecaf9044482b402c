"""Caps on connections: in all, by address, and of those who have not logged in."""

from __future__ import annotations

from functools import partial
from ipaddress import IPv6Address as IPv6
from typing import Any, cast

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogLevel, capturedLogs
from twisted.protocols.haproxy import proxyEndpoint
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, refusals, tls, vocabulary
from securecom.client.channels.reaching import cannot_reach
from securecom.identity import Identity
from securecom.server.admission import Line, Visitor, site_of
from securecom.server.registry import User
from securecom.tests.support.memory_server import ManualClient, MemoryServer, result
from securecom.tests.support.network import Wire


class CapTests(SynchronousTestCase):
    """Who is turned away costs no handshake."""

    def setUp(self) -> None:
        self.server = MemoryServer()

    def count(self, clients: list[ManualClient]) -> int:
        """How many of these have a connection."""
        self.server.network.pump()
        return sum(client.standard.is_secured for client in clients)

    def knock(self, source: str, times: int) -> list[ManualClient]:
        identity = self.server.enrolled("u" + source)
        return [ManualClient(self.server, identity, source) for _ in range(times)]

    def test_in_all(self) -> None:
        self.patch(limits, "MAX_CONNECTIONS", 2)
        self.assertEqual(self.count(self.knock("192.0.2.1", 1)), 1)
        self.assertEqual(self.count(self.knock("192.0.2.2", 2)), 1)

    # Promise T14
    def test_by_address(self) -> None:
        """One address fills its own share only."""
        self.patch(limits, "MAX_CONNECTIONS_BY_ADDRESS", 2)
        self.assertEqual(self.count(self.knock("192.0.2.1", 3)), 2)
        self.assertEqual(self.count(self.knock("192.0.2.2", 1)), 1)

    # Promise T14
    def test_pending(self) -> None:
        """Those who have logged in do not count."""
        self.patch(limits, "MAX_PENDING_BY_ADDRESS", 1)
        [first, second] = self.knock("192.0.2.1", 2)
        self.assertEqual(self.count([first, second]), 1)
        first.log_in()
        third = ManualClient(self.server, first.identity)
        self.assertEqual(self.count([third]), 1)

    def test_given_back(self) -> None:
        """Whoever leaves makes room, logged in or not, and nothing is remembered of them."""
        self.patch(limits, "MAX_CONNECTIONS", 1)
        for log_in in (False, True):
            [client] = self.knock(f"192.0.2.{1 + log_in}", 1)
            if log_in:
                client.log_in()
            client.standard_wire.cut()
            self.server.network.pump()
        standard = self.server.standard
        self.assertEqual((standard._visitors, standard._silent), ({}, {}))
        self.assertEqual((standard._by_site, standard._pending), ({}, {}))
        line = standard.line
        self.assertEqual((line._served, line._served_by_site), (set(), {}))
        self.assertEqual((line._waiting, line._turns, len(line)), ({}, {}, 0))

    # Promise T15, R28
    def test_connections_that_say_nothing_make_room(self) -> None:
        """The longest silent goes first; whoever has begun stays."""
        self.patch(limits, "MAX_CONNECTIONS", 3)
        [client] = self.knock("192.0.2.1", 1)
        first, second = (say_nothing(self.server, f"192.0.2.{n}") for n in (2, 3))
        self.assertEqual(self.count(self.knock("192.0.2.4", 1)), 1)
        self.assertEqual((first.server.connected, second.server.connected), (False, True))
        self.assertTrue(client.standard_wire.server.connected)
        self.assertEqual(len(self.server.standard._visitors), 3)


def say_nothing(server: MemoryServer, source: str = "192.0.2.1", data: bytes = b"") -> Wire:
    """A connection to the standard port that sends only this."""
    wire = server.network.connect(Factory.forProtocol(Protocol), server.standard, source)
    wire.client.write(data)
    server.network.pump()
    return wire


class Newcomer:
    """A visitor who only notes that it may begin."""

    def __init__(self, site: str, begun: list[Any]) -> None:
        self.site = site
        self.begin = partial(begun.append, self)


class LineTests(SynchronousTestCase):
    """A bounded number of log-ins at a time, and none that was begun is thrown away."""

    def setUp(self) -> None:
        self.server = MemoryServer()
        self.people = 0

    def comes(self, source: str = "") -> ManualClient:
        """A new person, from an address of their own if none is given."""
        self.people += 1
        source = source or f"198.51.100.{self.people}"
        return ManualClient(self.server, self.server.enrolled(f"user{self.people}"), source)

    def begun(self, *clients: ManualClient) -> list[bool]:
        self.server.network.pump()
        return [client.standard.is_secured for client in clients]

    # Promise R22
    def test_so_many_at_a_time_and_the_oldest_first(self) -> None:
        self.patch(limits, "LOGINS_AT_ONCE", 2)
        clients = [self.comes() for _ in range(5)]
        self.assertEqual(self.begun(*clients), [True, True, False, False, False])
        clients[1].log_in()
        self.assertEqual(self.begun(*clients), [True, True, True, False, False])
        clients[0].standard_wire.cut()
        self.assertEqual(self.begun(*clients[1:]), [True, True, True, False])

    # Promise R22
    def test_the_deadline_runs_from_the_start_of_tls(self) -> None:
        self.patch(limits, "LOGINS_AT_ONCE", 1)
        self.patch(limits, "STALLED", 3 * limits.LOGIN_DEADLINE)
        self.server = MemoryServer()
        first, second = self.comes(), self.comes()
        self.server.network.advance(limits.LOGIN_DEADLINE - 1)
        first.log_in()
        self.assertEqual(self.begun(second), [True])
        self.server.network.advance(limits.LOGIN_DEADLINE - 1)
        second.log_in()
        self.assertTrue(second.standard.transport.connected)  # type: ignore[union-attr]

    def test_many_share_their_timers(self) -> None:
        """One for the deadlines of those who log in, one for looks at how far they have got."""
        clock = self.server.network.clock
        first = self.comes()
        self.begun(first)
        timers = len(clock.getDelayedCalls())
        self.begun(*(self.comes() for _ in range(5)))
        self.assertEqual(len(clock.getDelayedCalls()), timers)

    # Promise R22
    def test_everybody_of_a_crowd_gets_in_and_nobody_twice(self) -> None:
        """Each of 40 people connects once, and never are more under way than there are places."""
        self.patch(limits, "LOGINS_AT_ONCE", 4)
        clients = [self.comes() for _ in range(40)]
        names: list[str] = []
        waiting = clients
        while waiting:
            under_way = [client for client in waiting if client.standard.is_secured]
            self.assertEqual(len(under_way), 4)
            for client in under_way:
                self.server.network.advance(0.5)
                names.append(client.log_in()["name"])
            waiting = [client for client in waiting if client not in under_way]
        self.assertEqual(names, [f"user{number}" for number in range(1, 41)])
        self.assertTrue(all(client.standard.lost_reason is None for client in clients))

    # Promise R26
    def test_180_people_behind_one_address_come_back_without_a_refusal(self) -> None:
        """While the connections that they have lost are still counted."""
        clients = [self.comes("203.0.113.1") for _ in range(180)]
        for client in clients:
            client.log_in()
            client.standard_wire.client.tap = lambda data: b""  # a cable is pulled
        again = [ManualClient(self.server, client.identity, "203.0.113.1") for client in clients]
        for client in again:
            client.log_in(takeover=True)
        self.assertEqual(self.begun(*again), [True] * 180)
        self.assertEqual(len(self.server.reception.sessions), 180)

    # Promise R24
    def test_a_wait_that_is_too_long_ends_with_a_word(self) -> None:
        self.patch(limits, "LOGINS_AT_ONCE", 0)
        client = self.comes()
        with capturedLogs() as logs:
            self.server.network.advance(limits.MAX_WAIT - 1)
            self.assertIsNone(client.standard.lost_reason)
            self.server.network.advance(1)
        self.assert_turned_away(client)
        self.assertEqual([event["log_level"] for event in logs], [LogLevel.warn])
        self.assertEqual(self.server.standard._visitors, {})

    def assert_turned_away(self, client: ManualClient) -> None:
        """Its client can say why."""
        assert client.standard.lost_reason is not None
        error = cannot_reach(client.standard.lost_reason, "here")
        self.assertIn("too many people", error.what)

    # Promise R24
    def test_a_full_line_ends_with_the_same_word_at_once(self) -> None:
        self.patch(limits, "LOGINS_AT_ONCE", 1)
        self.patch(limits, "MAX_WAITING", 1)
        _, second, third = self.comes(), self.comes(), self.comes()
        self.assertIsNone(second.standard.lost_reason)
        self.assert_turned_away(third)
        self.assertEqual(len(self.server.standard.unserved._waiting), 1)

    # Promise R22
    def test_nobody_overtakes_who_waits_for_a_place_that_has_just_become_free(self) -> None:
        self.patch(limits, "LOGINS_AT_ONCE", 1)
        line = Line(Clock())
        begun: list[Any] = []
        first, second, third = (Newcomer(f"192.0.2.{number}", begun) for number in (1, 2, 3))
        line.enter(cast(Visitor, first))
        line.enter(cast(Visitor, second))
        line.leave(cast(Visitor, first))
        line.enter(cast(Visitor, third))
        self.assertEqual(begun, [first, second])

    # Promise R25
    def test_whoever_gives_up_while_waiting_costs_no_handshake(self) -> None:
        self.patch(limits, "LOGINS_AT_ONCE", 1)
        first, second, third = self.comes(), self.comes(), self.comes()
        second.standard_wire.cut()
        self.server.network.pump()
        self.assertEqual(len(self.server.standard.line), 1)
        first.log_in()
        self.assertEqual(self.begun(third), [True])

    # Promise R26
    def test_addresses_take_turns(self) -> None:
        """A crowd behind one address is not in front of somebody who comes a moment later."""
        self.patch(limits, "LOGINS_AT_ONCE", 1)
        crowd = [self.comes("203.0.113.1") for _ in range(4)]
        other = self.comes()
        crowd[0].log_in()
        self.assertEqual(self.begun(crowd[1], other), [True, False])
        crowd[1].log_in()
        self.assertEqual(self.begun(crowd[2], other), [False, True])
        other.log_in()
        self.assertEqual(self.begun(*crowd[2:]), [True, False])

    # Promise T16, R26
    def test_one_address_has_no_more_than_its_places(self) -> None:
        """Also when there are more; they are for others."""
        self.patch(limits, "LOGINS_AT_ONCE_BY_ADDRESS", 2)
        crowd = [self.comes("203.0.113.1") for _ in range(4)]
        self.assertEqual(self.begun(*crowd, self.comes()), [True, True, False, False, True])
        crowd[0].log_in()
        self.assertEqual(self.begun(*crowd), [True, True, True, False])

    def stops_after(self, flights: int) -> Wire:
        """A peer that goes this far in TLS and no further."""
        hand_over: list[bytes] = []

        def tap(data: bytes) -> bytes:
            hand_over.append(data)
            return data if len(hand_over) <= flights else b""

        client = TLSMemoryBIOFactory(
            tls.standard_client(
                self.server.enrolled(f"slow{len(self.server.network.wires)}"), self.server.pin
            ),
            True,
            Factory.forProtocol(Protocol),
            self.server.network.clock,
        )
        wire = self.server.network.connect(client, self.server.standard, "203.0.113.66")
        wire.client.tap = tap
        self.server.network.pump()
        return wire

    # Promise T16, R27
    def test_a_peer_that_stops_in_the_handshake_loses_its_place(self) -> None:
        """And its connection at the deadline."""
        self.patch(limits, "LOGINS_AT_ONCE", 1)
        wire, good = self.stops_after(1), self.comes()
        self.server.network.advance(limits.STALLED - 1)
        self.assertEqual(self.begun(good), [False])
        self.server.network.advance(2)
        self.assertEqual(self.begun(good), [True])
        self.assertTrue(wire.server.connected)
        self.server.network.advance(limits.LOGIN_DEADLINE - limits.STALLED)
        self.assertFalse(wire.server.connected)

    # Promise T16, R27
    def test_a_peer_that_drips_loses_its_place_too(self) -> None:
        self.patch(limits, "LOGINS_AT_ONCE", 1)
        wire, good = self.stops_after(1), self.comes()
        wire.client.tap = None
        for _ in range(4):
            wire.client.write(b"\x17")
            self.server.network.advance(limits.STALLED / 4, step=limits.STALLED / 4)
        self.server.network.advance(0.1)
        self.assertEqual(self.begun(good), [True])

    # Promise R27
    def test_a_peer_that_stops_before_its_log_in_loses_its_place(self) -> None:
        self.patch(limits, "LOGINS_AT_ONCE", 1)
        slow, good = self.comes(), self.comes()
        self.server.network.advance(2 * limits.STALLED)
        self.assertEqual(self.begun(slow, good), [True, True])
        self.assertEqual(slow.log_in()["name"], "user1")

    # Promise R27
    def test_whoever_waits_for_our_answer_keeps_the_place(self) -> None:
        """Or a slow disk would let in more and more."""
        self.patch(limits, "LOGINS_AT_ONCE", 1)
        found: Deferred[User] = Deferred()
        self.patch(self.server.reception, "find", lambda key: found)
        first, second = self.comes(), self.comes()
        first.ask(vocabulary.LogIn, **first.login(takeover=False)).addErrback(lambda _: None)
        self.server.network.advance(limits.LOGIN_DEADLINE - 1)
        self.assertEqual(self.begun(second), [False])

    # Promise T16, R27
    def test_slow_addresses_do_not_keep_a_good_one_out(self) -> None:
        """They hold every place after TLS and more of them wait: the good one has its turn."""
        self.patch(limits, "LOGINS_AT_ONCE", 8)
        for number in range(8):
            for _ in range(3):
                self.comes(f"203.0.113.{number}")
        good = self.comes()
        self.assertEqual(self.begun(good), [False])
        self.server.network.advance(2 * limits.STALLED)
        self.assertEqual(self.begun(good), [True])

    # --- before the first record ------------------------------------------------------------

    def hello(self) -> bytes:
        """What a client sends first."""
        network = self.server.network
        client = TLSMemoryBIOFactory(
            tls.standard_client(Identity.generate(), self.server.pin),
            True,
            Factory.forProtocol(Protocol),
            network.clock,
        )
        return network.connect(client, Factory.forProtocol(Protocol)).client.outgoing

    # Promise T15, R28
    def test_half_a_hello_takes_no_place(self) -> None:
        self.patch(limits, "LOGINS_AT_ONCE", 1)
        hello = self.hello()
        wire = say_nothing(self.server, data=hello[:-1])
        good = self.comes()
        self.assertEqual(self.begun(good), [True])
        self.server.network.advance(limits.HELLO_DEADLINE)
        self.assertEqual((wire.server.connected, wire.server.sent), (False, 0))

    def test_a_hello_in_pieces(self) -> None:
        hello = self.hello()
        wire = say_nothing(self.server, data=hello[:3])
        for piece in (hello[3:9], hello[9:]):
            wire.client.write(piece)
            self.server.network.pump()
        self.assertGreater(wire.server.sent, 1000)

    # Promise T15, R28
    def test_silence_is_cut_at_the_deadline(self) -> None:
        wire = say_nothing(self.server)
        self.server.network.advance(limits.HELLO_DEADLINE - 1)
        self.assertTrue(wire.server.connected)
        self.server.network.advance(1)
        self.assertFalse(wire.server.connected)
        self.assertEqual(self.server.standard._visitors, {})

    def test_what_is_no_tls_never_reaches_it(self) -> None:
        wire = say_nothing(self.server, data=b"GET / HTTP/1.1\r\n\r\n")
        self.assertEqual((wire.server.connected, wire.server.sent), (False, 0))

    # Promise R28
    def test_who_sends_more_than_a_hello_while_waiting_is_cut(self) -> None:
        self.patch(limits, "LOGINS_AT_ONCE", 0)
        wire = say_nothing(self.server, data=self.hello())
        self.assertTrue(wire.server.connected)
        wire.client.write(bytes(limits.MAX_HELLO))
        self.server.network.pump()
        self.assertFalse(wire.server.connected)
        self.assertEqual(len(self.server.standard.line), 0)


V2 = b"\r\n\r\n\x00\r\nQUIT\n"


class ProxiedTests(SynchronousTestCase):
    """Behind Twisted's own `haproxy:` endpoint, every bound is about the client, not the proxy."""

    def setUp(self) -> None:
        self.server = MemoryServer()
        network = self.server.network
        result(proxyEndpoint(network.server_endpoint(4250)).listen(self.server.standard))
        self.port = network.ports[4250]
        self.people = 0

    def comes(self, header: bytes) -> ManualClient:
        """A client whose connection begins with this header; all come from one proxy."""
        self.people += 1
        client = ManualClient.__new__(ManualClient)
        identity = self.server.enrolled(f"user{self.people}")
        proxied = Proxied(self.server, self.port, header)
        ManualClient.__init__(client, proxied, identity, "192.0.2.254")  # type: ignore[arg-type]
        return client

    # Promise T14, R112
    def test_the_real_address_counts(self) -> None:
        self.patch(limits, "MAX_CONNECTIONS_BY_ADDRESS", 1)
        for host in (b"203.0.113.1", b"203.0.113.2"):
            client = self.comes(b"PROXY TCP4 %b 192.0.2.9 1000 4241\r\n" % host)
            self.assertEqual(client.log_in()["name"], f"user{self.people}")
        self.assertEqual(set(self.server.standard._by_site), {"203.0.113.1", "203.0.113.2"})
        third = self.comes(b"PROXY TCP4 203.0.113.1 192.0.2.9 1001 4241\r\n")
        assert third.standard.lost_reason is not None
        self.assertIn("too many", cannot_reach(third.standard.lost_reason, "here").what)
        self.assertEqual(len(self.server.standard._visitors), 2)
        self.assertFalse(third.standard_wire.server.connected)

    # Promise R112
    def test_version_two_and_ipv6(self) -> None:
        source, here = IPv6("2001:db8::7").packed, IPv6("2001:db8::1").packed
        addresses = source + here + (1000).to_bytes(2, "big") + (4241).to_bytes(2, "big")
        client = self.comes(V2 + b"\x21\x21\x00\x24" + addresses)
        client.log_in()
        self.assertEqual(
            list(self.server.standard._by_site), [site_of(IPv6Address("TCP", "2001:db8::9", 1))]
        )

    # Promise R111
    def test_one_too_many_in_all_does_not_stay_open(self) -> None:
        """Trial fails a test in which Twisted logs an error, as it did for a None."""
        self.patch(limits, "MAX_CONNECTIONS", 1)
        first = self.comes(b"PROXY TCP4 203.0.113.1 192.0.2.9 1000 4241\r\n")
        second = self.comes(b"PROXY TCP4 203.0.113.2 192.0.2.9 1000 4241\r\n")
        self.assertEqual(
            (first.standard.is_secured, second.standard_wire.server.connected), (True, False)
        )

    # Promise T15, R114
    def test_a_header_that_never_comes(self) -> None:
        network = self.server.network
        wire = network.connect(Factory.forProtocol(Protocol), self.port, "192.0.2.254")
        network.advance(limits.HELLO_DEADLINE - 1)
        self.assertTrue(wire.server.connected)
        network.advance(1)
        self.assertFalse(wire.server.connected)
        self.assertEqual(self.server.standard._visitors, {})

    # Promise R114
    def test_a_header_and_then_nothing(self) -> None:
        network = self.server.network
        wire = network.connect(Factory.forProtocol(Protocol), self.port, "192.0.2.254")
        wire.client.write(b"PROXY TCP4 203.0.113.1 192.0.2.9 1000 4241\r\n")
        network.advance(limits.HELLO_DEADLINE)
        self.assertFalse(wire.server.connected)

    # Promise R114
    def test_no_header(self) -> None:
        """Whoever reaches the port past the proxy is not let in."""
        client = self.comes(b"")
        self.assertFalse(client.standard.is_secured)
        self.assertFalse(client.standard_wire.server.connected)

    # Promise T17, R115
    def test_a_proxy_that_does_not_say(self) -> None:
        """In, and for no address; but nobody is dialled then, least of all the proxy."""
        for header in (b"PROXY UNKNOWN :: :: 0 0\r\n", V2 + b"\x20\x00\x00\x00"):
            client = self.comes(header)
            client.log_in()
            self.assertEqual(self.server.standard._by_site, {})
            self.assertRaises(
                refusals.NotDialling, client.done, client.ask(vocabulary.DialMe, port=4242)
            )
        self.assertEqual(self.server.dialled, [])

    def test_clients_without_an_address_share_all_places(self) -> None:
        self.patch(limits, "LOGINS_AT_ONCE_BY_ADDRESS", 1)
        clients = [self.comes(b"PROXY UNKNOWN :: :: 0 0\r\n") for _ in range(3)]
        self.assertEqual([client.standard.is_secured for client in clients], [True] * 3)

    # Promise T17, R115
    def test_it_is_the_client_who_is_dialled(self) -> None:
        client = self.comes(b"PROXY TCP4 203.0.113.1 192.0.2.9 1000 4241\r\n")
        client.log_in()
        client.ask(vocabulary.DialMe, port=4242).addErrback(lambda _: None)
        self.assertEqual(self.server.dialled, [("203.0.113.1", 4242)])

    # Promise R115
    def test_a_client_whom_the_proxy_calls_this_machine(self) -> None:
        """`--dial 0` looks at the client's address as well, not at the proxy's."""
        self.server = MemoryServer(dial=0)
        network = self.server.network
        result(proxyEndpoint(network.server_endpoint(4250)).listen(self.server.standard))
        self.port = network.ports[4250]
        client = self.comes(b"PROXY TCP4 203.0.113.1 127.0.0.1 1000 4241\r\n")
        client.log_in()
        self.assertRaises(
            refusals.NotDialling, client.done, client.ask(vocabulary.DialMe, port=5000)
        )
        self.assertEqual(self.server.dialled, [])


class Proxied:
    """A server behind a proxy: connections begin with what the proxy says."""

    def __init__(self, server: MemoryServer, port: Any, header: bytes) -> None:
        self._house, self.standard = server, port
        self.network = self
        self._header = header

    def __getattr__(self, name: str) -> Any:
        return getattr(self._house, name)

    @property
    def clock(self) -> Any:
        return self._house.network.clock

    def pump(self) -> None:
        self._house.network.pump()

    def connect(self, client: Any, server: Any, source: str) -> Wire:
        wire = self._house.network.connect(client, server, source)
        wire.client.outgoing = self._header + wire.client.outgoing
        return wire


class WithoutAddressTests(SynchronousTestCase):
    """A plain unix socket: one bound in all, and none by address."""

    # Promise R116
    def test_bounds_by_address_do_not_hold(self) -> None:
        server = MemoryServer()
        for bound in ("MAX_CONNECTIONS_BY_ADDRESS", "MAX_PENDING_BY_ADDRESS"):
            self.patch(limits, bound, 1)
        self.patch(limits, "LOGINS_AT_ONCE_BY_ADDRESS", 1)
        self.patch(limits, "MAX_CONNECTIONS", 3)
        transports = [StringTransport(peerAddress=UNIXAddress("")) for _ in range(4)]
        for transport in transports:
            server.standard.buildProtocol(UNIXAddress("")).makeConnection(transport)
        self.assertEqual([t.disconnected for t in transports], [True, False, False, False])


class SiteTests(SynchronousTestCase):
    """What counts as one place."""

    def test_ipv4(self) -> None:
        address = IPv4Address("TCP", "192.0.2.1", 1)
        self.assertIs(site_of(address), address.host)

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
