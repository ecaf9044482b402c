"""The server's services: ports, the registry's changes, the certificate's renewal, the end."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactor, MemoryReactorClock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from securecom import limits, refusals, vocabulary
from securecom.errors import StateBusy, StateUnusable
from securecom.identity import Identity, Name
from securecom.invitation import token_hash
from securecom.server.changes import Changes
from securecom.server.database import SynchronousPool, connect
from securecom.server.listening import ListeningPort, believes_anybody
from securecom.server.local_switchboard import LocalSwitchboard
from securecom.server.registry import Entrant, User
from securecom.server.service import (
    Endpoints,
    Server,
    ServerContext,
    reactor_endpoint,
)
from securecom.server.sqlite_registry import SQLiteRegistry
from securecom.server.state import open_state
from securecom.tests.support.memory_server import ManualClient, numbered, result
from securecom.tests.support.network import MemoryServerEndpoint, Network

NOW = time.time()


@implementer(IStreamServerEndpoint)
class Taken:
    """A port that somebody else has."""

    def listen(self, protocolFactory: Any) -> Deferred[Any]:  # noqa: N803
        return fail(CannotListenError("127.0.0.1", 4241, OSError("in use")))


@implementer(IStreamServerEndpoint)
class Portless:
    """A unix socket, say."""

    def listen(self, protocolFactory: Any) -> Deferred[Any]:  # noqa: N803
        port = MemoryReactor().listenUNIX("/x", protocolFactory)
        return succeed(port)


class ServiceCase(SynchronousTestCase):
    """A server on a network in memory, over a real state folder."""

    def setUp(self) -> None:
        self.network = Network()
        self.state = open_state(Path(self.mktemp()), [], NOW)
        path = self.state.registry_path
        self.registry = SQLiteRegistry(SynchronousPool(connect(path)), Changes(path))
        self.opened: list[tuple[int, int, int]] = []
        self.problems: list[str] = []
        self.late_problems: list[str] = []
        #: Seconds by which somebody has set the wall clock.
        self.set_by = 0.0

    def wall(self) -> float:
        return NOW + self.network.clock.seconds() + self.set_by

    def server(self, standard: Any = None, request: Any = None) -> Server:
        standard = standard or MemoryServerEndpoint(self.network, 4241)
        request = request or MemoryServerEndpoint(self.network, 0)
        around = ServerContext(
            self.network.clock,
            self.wall,
            numbered(),
            lambda host, port: self.network.client_endpoint(port),
        )
        return Server(
            self.state,
            self.registry,
            Endpoints(standard, request, 4242),
            around,
            lambda *facts: self.opened.append(facts),
            self.problems.append,
            self.late_problems.append,
        )

    def start(self) -> Server:
        server = self.server()
        server.privilegedStartService()
        server.startService()
        self.pin = self.state.server_id
        self.standard = self.network.ports[4241]
        self.request = self.network.ports[self.opened[0][1]]
        return server

    def client(self, name: str) -> ManualClient:
        identity = Identity.generate()
        ticket = token_hash(name.encode())
        result(self.registry.invite(Name(name), ticket, NOW + 60))
        result(self.registry.spend(ticket, identity.public_key, NOW))
        client = ManualClient(self, identity)  # type: ignore[arg-type]
        client.log_in()
        return client


class StartTests(ServiceCase):
    """Both ports or nothing."""

    def test_real_ports_are_told(self) -> None:
        self.start()
        [(standard, request, users)] = self.opened
        self.assertEqual((standard, users), (4241, 0))
        self.assertIn(request, self.network.ports)
        welcome = self.client("alice")
        self.assertEqual(welcome.done(welcome.ask(vocabulary.Ping)), {})

    def test_welcome_names_the_request_port(self) -> None:
        server = self.start()
        self.assertEqual(server.reception.request_port, self.opened[0][1])

    def test_what_a_request_brings_somebody_waits_for_a_drawn_moment(self) -> None:
        pause = self.start().reception.pause
        self.assertGreater(pause(), 0)
        self.assertNotEqual(pause(), pause())

    def test_taken_port(self) -> None:
        server = self.server(Taken())
        server.privilegedStartService()
        [problem] = self.problems
        self.assertIn("4241", problem)
        self.assertEqual(self.opened, [])

    def test_request_channel_without_a_port(self) -> None:
        """Clients could not be told where it is."""
        self.server(request=Portless()).privilegedStartService()
        [problem] = self.problems
        self.assertIn("TCP port", problem)

    def test_registry_fails_at_start(self) -> None:
        """In time, or later: the operator is told."""
        self.patch(self.registry, "users", lambda: fail(StateBusy("busy")))
        self.server().privilegedStartService()
        late: Deferred[Any] = Deferred()
        self.network.ports.clear()
        self.patch(self.registry, "users", lambda: late)
        self.server().privilegedStartService()
        self.assertEqual((len(self.problems), len(self.late_problems)), (1, 0))
        late.errback(StateBusy("busy"))
        self.assertEqual((len(self.problems), len(self.late_problems)), (1, 1))

    def test_our_own_mistake_is_logged(self) -> None:
        self.patch(self.registry, "users", lambda: fail(ZeroDivisionError()))
        self.server().privilegedStartService()
        self.assertEqual(len(self.problems), 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class ProxyPortTests(SynchronousTestCase):
    """A `haproxy:` port that strangers reach is worth a warning."""

    def warnings(self, description: str) -> list[str]:
        endpoint = serverFromString(MemoryReactor(), description)
        with capturedLogs() as logged:
            ListeningPort(endpoint, Factory()).privilegedStartService()
        return [str(formatEvent(one)) for one in logged if one["log_level"] is LogLevel.warn]

    # Promise R113
    def test_it_is_told_when_it_listens(self) -> None:
        (line,) = self.warnings("haproxy:tcp:4241")
        self.assertIn("port 4241 believes the PROXY header of whoever connects", line)
        for description in ("tcp:4241", "haproxy:unix:/run/x"):
            self.assertEqual(self.warnings(description), [], description)

    # Promise R113
    def test_which_addresses(self) -> None:
        proxied, plain = (serverFromString(MemoryReactor(), f"{x}tcp:1") for x in ("haproxy:", ""))
        for host in ("0.0.0.0", "::", "8.8.8.8", "2606:4700::1"):
            self.assertTrue(believes_anybody(proxied, host), host)
            self.assertFalse(believes_anybody(plain, host), host)
        for host in ("127.0.0.1", "::1", "10.1.2.3", "192.168.1.1", "fd00::1", "fe80::1%eth0", ""):
            self.assertFalse(believes_anybody(proxied, host), host)


class StopTests(ServiceCase):
    """An orderly end."""

    def test_stop(self) -> None:
        """Clients are told, ports closed, the registry let go."""
        server = self.start()
        client = self.client("alice")
        self.successResultOf(server.stopService())
        self.network.pump()
        self.assertEqual(client.said("goodbye"), ["shutdown"])
        self.assertEqual(self.network.ports, {})

    def test_log_in_that_is_still_looked_up(self) -> None:
        """No session is opened on a server that stops; stopping twice does no harm."""
        server = self.start()
        self.client("alice").standard_wire.cut()
        self.network.pump()
        identity = Identity.generate()
        user = User(Name("bob"), identity.public_key, False, NOW)
        entrant = Entrant(user, (), b"")
        found: Deferred[Any] = Deferred()
        self.patch(self.registry, "entrant", lambda _: found)
        client = ManualClient(self, identity)  # type: ignore[arg-type]
        asked = client.ask(vocabulary.LogIn, **client.login(takeover=False))
        self.successResultOf(server.stopService())
        found.callback(entrant)
        self.network.pump()
        self.failureResultOf(asked, refusals.ServerFull)
        self.assertEqual(len(server.reception.sessions), 0)
        self.state.close()

    def test_only_started(self) -> None:
        """Not every parent calls `privilegedStartService`."""
        self.server().startService()
        self.assertIn(4241, self.network.ports)

    def test_stop_before_it_listened(self) -> None:
        server = self.server(Taken())
        server.privilegedStartService()
        server.startService()
        self.successResultOf(server.stopService())


class ClockTests(ServiceCase):
    """What happens by itself."""

    def test_disabled_user_is_gone_within_a_second(self) -> None:
        """The admin is another process: another connection to the same database."""
        self.start()
        alice, bob = self.client("alice"), self.client("bob")
        self.network.advance(1, step=limits.REGISTRY_POLL)
        admin = SQLiteRegistry(SynchronousPool(connect(self.state.registry_path)))
        result(admin.disable(Name("alice")))
        admin.close()
        self.network.advance(1, step=limits.REGISTRY_POLL)
        self.assertEqual(alice.said("goodbye"), ["disabled"])
        self.assertEqual(bob.said("goodbye"), [])

    def outside(self) -> SQLiteRegistry:
        """The registry as another process has it."""
        other = SQLiteRegistry(SynchronousPool(connect(self.state.registry_path)))
        self.addCleanup(other.close)
        return other

    def test_log_ins_from_memory_follow_the_looks(self) -> None:
        """They ask nobody while the looks succeed, and the registry once they have failed."""
        self.start()
        client = self.client("alice")
        self.network.advance(limits.REGISTRY_POLL)
        self.patch(self.registry, "entrant", lambda _: fail(StateBusy("busy")))
        self.again(client)
        self.patch(self.registry, "version", lambda: fail(StateBusy("busy")))
        self.network.advance(limits.ROSTER_TRUSTED, step=limits.REGISTRY_POLL)
        self.assertRaises(refusals.ServerTrouble, self.again, client)

    def test_whoever_was_disabled_just_now_is_not_found_in_memory(self) -> None:
        self.start()
        client = self.client("alice")
        self.network.advance(limits.REGISTRY_POLL)
        self.again(client)
        result(self.outside().disable(Name("alice")))
        self.assertRaises(refusals.Disabled, self.again, client)

    def test_nobody_is_found_in_memory_who_was_disabled_before_the_look(self) -> None:
        """Also when the look that saw a change could not read what it was, and no mark shows it."""
        self.patch(self.registry, "mark", lambda: b"")
        self.start()
        client = self.client("alice")
        self.network.advance(limits.REGISTRY_POLL)
        result(self.outside().disable(Name("alice")))
        self.patch(self.registry, "everybody", lambda: fail(StateBusy("busy")))
        self.network.advance(limits.REGISTRY_POLL)
        self.assertEqual(client.said("goodbye"), [])
        self.assertRaises(refusals.Disabled, self.again, client)

    def test_a_slow_look_counts_from_when_it_was_asked_for(self) -> None:
        self.start()
        client = self.client("alice")
        waiting: Deferred[int] = Deferred()
        version = self.registry.version
        self.patch(self.registry, "version", lambda: waiting.addCallback(lambda _: version()))
        self.network.advance(limits.REGISTRY_POLL)
        self.network.advance(limits.ROSTER_TRUSTED)
        waiting.callback(0)
        self.patch(self.registry, "entrant", lambda _: fail(StateBusy("busy")))
        self.assertRaises(refusals.ServerTrouble, self.again, client)

    def again(self, client: ManualClient) -> None:
        ManualClient(self, client.identity).log_in(takeover=True)  # type: ignore[arg-type]

    def test_registry_trouble_passes(self) -> None:
        """A busy database ends neither sessions nor the looking, at either of its two steps."""
        self.start()
        client = self.client("alice")
        result(self.registry.disable(Name("alice")))
        self.patch(self.registry, "version", lambda: succeed(99))
        for step, error in (
            ("version", StateBusy("busy")),
            ("everybody", StateBusy("busy")),
            ("everybody", ZeroDivisionError()),
        ):
            trouble = self.patch(self.registry, step, lambda error=error: fail(error))
            self.network.advance(1, step=limits.REGISTRY_POLL)
            trouble.restore()
            self.assertEqual(client.said("goodbye"), [])
        self.assertTrue(self.flushLoggedErrors(ZeroDivisionError))
        self.patch(self.registry, "version", lambda: succeed(99))
        self.network.advance(1, step=limits.REGISTRY_POLL)
        self.assertEqual(client.said("goodbye"), ["disabled"])

    def test_only_those_are_read_who_have_changed(self) -> None:
        """Where the registry can tell; others are not looked at, whatever became of them."""
        server = self.start()
        clients = {name: self.client(name) for name in ("alice", "bob", "carol", "dave")}
        self.network.advance(limits.REGISTRY_POLL)
        for name in ("alice", "bob"):
            result(self.registry.disable(Name(name)))
        result(self.registry.remove(Name("dave"), 0.0))
        result(self.registry.block(Name("carol"), Name("erin")))
        changed = [Name(name) for name in ("alice", "carol", "dave", "nobody")]
        self.patch(self.registry, "version", lambda: succeed(99))
        self.patch(self.registry, "changed", lambda _: succeed(changed))
        self.patch(self.registry, "everybody", lambda: fail(AssertionError("all are read")))
        self.network.advance(limits.REGISTRY_POLL)
        self.assertEqual(self.flushLoggedErrors(), [])
        said = {name: client.said("goodbye") for name, client in clients.items()}
        gone = {"alice": ["disabled"], "bob": [], "carol": [], "dave": ["disabled"]}
        self.assertEqual(said, gone)
        carol = server.reception.sessions.of(Name("carol"))
        assert carol is not None
        self.assertIn(Name("erin"), carol.blocks)

    def test_a_change_that_cannot_be_read_is_followed_later(self) -> None:
        self.start()
        alice = self.client("alice")
        self.network.advance(limits.REGISTRY_POLL)
        result(self.registry.disable(Name("alice")))
        self.patch(self.registry, "version", lambda: succeed(99))
        self.patch(self.registry, "changed", lambda _: succeed([Name("alice")]))
        trouble = self.patch(self.registry, "user", lambda _: fail(StateBusy("busy")))
        self.network.advance(limits.REGISTRY_POLL)
        self.assertEqual(alice.said("goodbye"), [])
        trouble.restore()
        self.network.advance(limits.REGISTRY_POLL)
        self.assertEqual(alice.said("goodbye"), ["disabled"])

    def test_a_recheck_is_two_queries(self) -> None:
        """However many are online."""
        self.start()
        clients = [self.client(name) for name in ("a", "b", "c")]
        queries: list[object] = []
        run = self.registry._pool.read

        def counted(*arguments: Any) -> Any:
            queries.append(arguments)
            return run(*arguments)

        self.patch(self.registry._pool, "read", counted)
        self.patch(self.registry, "version", lambda: succeed(99))
        self.network.advance(limits.REGISTRY_POLL)
        self.assertEqual(len(queries), 2)  # everybody, and the names in quarantine
        self.assertEqual([client.said("goodbye") for client in clients], [[], [], []])

    # Promise R127
    def test_who_asked_whom_is_forgotten_also_when_nobody_asks_any_more(self) -> None:
        server = self.start()
        board = server.reception.switchboard
        assert isinstance(board, LocalSwitchboard)
        alice, bob = self.client("alice"), self.client("bob")  # bob is away
        asked = alice.ask(vocabulary.RequestChat, callee="bob")
        self.network.advance(limits.REQUEST_EXPIRES)
        self.assertIsInstance(self.failureResultOf(asked).value, refusals.NoAnswer)
        restraints = board.restraints
        self.assertEqual(list(restraints.by_pair), [("alice", "bob")])
        for client in (alice, bob):
            client.standard.close()
        late = limits.PAIR_WINDOW + limits.FORGET_INTERVAL
        self.network.advance(late, step=limits.FORGET_INTERVAL)
        for rate in (restraints.by_caller, restraints.by_pair, restraints.to_callee):
            self.assertEqual(list(rate), [])

    def test_certificate_is_renewed(self) -> None:
        """Long before it expires, and clients notice nothing."""
        self.start()
        before = self.state.credentials.certificate
        days = limits.CERTIFICATE_DAYS - limits.RENEW_DAYS
        self.network.advance(days * 86400, step=limits.RENEW_CHECK)
        self.assertEqual(self.state.credentials.certificate, before)
        self.network.advance(limits.RENEW_CHECK, step=limits.RENEW_CHECK)
        self.assertNotEqual(self.state.credentials.certificate, before)
        shown = self.shown_certificate()
        self.assertEqual(shown, self.state.credentials.certificate)

    # Promise R123
    def test_the_end_of_the_ca_is_told_at_the_start_and_while_running(self) -> None:
        self.patch(limits, "CA_WARN_DAYS", limits.CA_DAYS + 1)
        with capturedLogs() as logged:
            self.start()
            self.network.advance(limits.RENEW_CHECK, step=limits.RENEW_CHECK)
        warnings = [one["what"] for one in logged if one["log_level"].name == "warn"]
        self.assertEqual(len(warnings), 2)
        self.assertIn("the CA expires on", warnings[0])

    def shown_certificate(self) -> Any:
        """What the standard port shows now: it is not valid yet by OpenSSL's clock."""
        tls = self.standard._tls  # type: ignore[attr-defined]
        context, protocol = tls._creatorCallable, tls.buildProtocol(UNIXAddress("/x"))
        return context(protocol).get_certificate(as_cryptography=True)

    def test_renewal_that_fails_is_tried_again(self) -> None:
        """Whatever it was: a timer that stopped would let the certificate expire."""
        self.start()
        for error in (StateUnusable("disk full"), ZeroDivisionError()):
            tries: list[float] = []

            def renew(now: float, tries: Any = tries, error: Exception = error) -> bool:
                tries.append(now)
                raise error

            self.patch(self.state, "renew", renew)
            self.network.advance(2 * limits.RENEW_CHECK, step=limits.RENEW_CHECK)
            self.assertEqual(len(tries), 2)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)


class QuietTests(ServiceCase):
    """While nobody is online there is little to look at, and the next log-in is as safe as ever."""

    def setUp(self) -> None:
        super().setUp()
        self.start()
        self.looks: list[float] = []
        version = self.registry.version

        def counted() -> Deferred[int]:
            self.looks.append(self.network.clock.seconds())
            return version()

        self.patch(self.registry, "version", counted)
        self.quiet(3 * limits.QUIET_LOOK)

    def quiet(self, seconds: float) -> None:
        self.network.advance(seconds, step=limits.QUIET_POLL)

    def outside(self) -> SQLiteRegistry:
        other = SQLiteRegistry(SynchronousPool(connect(self.state.registry_path)))
        self.addCleanup(other.close)
        return other

    def looked(self) -> int:
        """The number of looks at the registry since this was last asked."""
        count = len(self.looks)
        self.looks.clear()
        return count

    def test_an_unchanged_registry_is_looked_at_now_and_then(self) -> None:
        self.assertEqual(self.looked(), 3)

    def test_its_file_is_looked_at_more_often_but_not_all_the_time(self) -> None:
        seen: list[float] = []
        mark = self.registry.mark

        def counted() -> bytes | None:
            seen.append(self.network.clock.seconds())
            return mark()

        self.patch(self.registry, "mark", counted)
        self.network.advance(10 * limits.QUIET_POLL, step=limits.REGISTRY_POLL)
        self.assertEqual(len(seen), 10)

    def test_a_registry_that_has_changed_is_looked_at_soon(self) -> None:
        self.looked()
        result(self.outside().invite(Name("carol"), token_hash(b"carol"), NOW + 60))
        self.quiet(limits.QUIET_POLL)
        self.assertEqual(self.looked(), 1)
        self.quiet(limits.QUIET_POLL)
        self.assertEqual(self.looked(), 0)

    def test_a_registry_whose_file_shows_nothing_is_looked_at_each_time(self) -> None:
        self.patch(self.registry, "mark", lambda: None)
        self.looked()
        self.quiet(3 * limits.QUIET_POLL)
        self.assertEqual(self.looked(), 3)

    def test_a_look_that_failed_is_tried_again_soon(self) -> None:
        result(self.outside().invite(Name("carol"), token_hash(b"carol"), NOW + 60))
        trouble = self.patch(self.registry, "version", lambda: fail(StateBusy("busy")))
        self.quiet(limits.QUIET_POLL)
        trouble.restore()
        self.looked()
        self.quiet(limits.QUIET_POLL)
        self.assertEqual(self.looked(), 1)

    def test_whoever_comes_first_is_gone_within_a_second_of_being_disabled(self) -> None:
        alice = self.client("alice")
        result(self.outside().disable(Name("alice")))
        self.network.advance(1, step=limits.REGISTRY_POLL)
        self.assertEqual(alice.said("goodbye"), ["disabled"])

    def test_a_crowd_behind_the_first_one_asks_the_registry_no_more(self) -> None:
        clients = [self.client(name) for name in ("alice", "bob")]
        for client in clients:
            client.standard.close()
        self.quiet(3 * limits.QUIET_POLL)
        alice, bob = (ManualClient(self, one.identity) for one in clients)  # type: ignore[arg-type]
        alice.log_in()
        self.network.pump()
        self.patch(self.registry, "entrant", lambda _: self.fail("the registry was asked"))
        self.assertEqual(bob.log_in()["name"], "bob")

    def test_while_somebody_is_online_the_registry_is_looked_at_each_time(self) -> None:
        client = self.client("alice")
        self.network.advance(limits.REGISTRY_POLL)
        self.looked()
        self.network.advance(2, step=limits.REGISTRY_POLL)
        self.assertEqual(self.looked(), 2 / limits.REGISTRY_POLL)
        client.standard.close()
        self.network.advance(limits.REGISTRY_POLL)
        self.looked()
        self.quiet(limits.QUIET_LOOK - 2 * limits.QUIET_POLL)
        self.assertEqual(self.looked(), 0)

    def test_whoever_was_disabled_cannot_log_in_although_no_mark_shows_it(self) -> None:
        client = self.client("alice")
        self.network.advance(limits.REGISTRY_POLL)
        self.patch(self.registry, "mark", lambda: b"")
        self.network.advance(limits.REGISTRY_POLL)
        client.standard.close()
        self.network.advance(limits.REGISTRY_POLL)
        result(self.outside().disable(Name("alice")))
        self.looked()
        self.quiet(limits.QUIET_POLL)
        self.assertEqual(self.looked(), 0)
        again = ManualClient(self, client.identity)  # type: ignore[arg-type]
        self.assertRaises(refusals.Disabled, again.log_in)


class QuarantineTests(ServiceCase):
    """Names of people who are gone, by the server's clock."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(limits, "PEER_GONE", float("inf"))  # nobody pings here
        self.reception = self.start().reception
        self.alice, self.bob = self.client("alice"), self.client("bob")
        self.bob.done(self.bob.ask(vocabulary.Block, name=Name("alice")))

    def blocked(self) -> list[Name]:
        """Whom Bob's session keeps away."""
        return sorted(self.reception.sessions._by_name[Name("bob")].blocks._names)

    def admin_removes(self, name: str) -> None:
        admin = SQLiteRegistry(SynchronousPool(connect(self.state.registry_path)))
        result(admin.remove(Name(name), NOW))
        admin.close()
        self.network.advance(1, step=limits.REGISTRY_POLL)

    def test_whom_the_admin_removes_is_not_remembered_either(self) -> None:
        switchboard: Any = self.reception.switchboard
        self.alice.done(self.alice.ask(vocabulary.ListAvailable, after=b"", text=b""))
        self.alice.done(self.alice.ask(vocabulary.MyData, further=False))
        looks = self.reception._rates["looks at this"]
        self.admin_removes("alice")
        self.assertEqual(self.alice.said("goodbye"), ["disabled"])
        self.assertEqual((list(switchboard.restraints.lists), list(looks)), ([], []))
        self.assertEqual(self.blocked(), ["alice"])

    def test_the_time_is_up(self) -> None:
        """With it go the blocks, also those of who is online."""
        self.admin_removes("alice")
        self.network.advance(limits.NAME_QUARANTINE - limits.RENEW_CHECK, step=limits.RENEW_CHECK)
        self.assertEqual(len(result(self.registry.quarantine())), 1)
        self.network.advance(2 * limits.RENEW_CHECK, step=limits.RENEW_CHECK)
        self.assertEqual(result(self.registry.quarantine()), [])
        self.assertEqual(result(self.registry.everybody()).blocks, {})
        self.assertEqual(self.blocked(), [])

    def test_trouble_passes(self) -> None:
        self.admin_removes("alice")
        self.network.advance(limits.NAME_QUARANTINE - limits.RENEW_CHECK, step=limits.RENEW_CHECK)
        for error in (StateBusy("busy"), ZeroDivisionError()):
            trouble = self.patch(self.registry, "end_quarantines", lambda _, e=error: fail(e))
            self.network.advance(limits.RENEW_CHECK, step=limits.RENEW_CHECK)
            trouble.restore()
        self.assertTrue(self.flushLoggedErrors(ZeroDivisionError))
        self.assertEqual(len(result(self.registry.quarantine())), 1)
        self.network.advance(limits.RENEW_CHECK, step=limits.RENEW_CHECK)
        self.assertEqual(result(self.registry.quarantine()), [])


class DialEndpointTests(SynchronousTestCase):
    """How the server reaches a client."""

    def test_by_tcp(self) -> None:
        reactor = MemoryReactorClock()
        from twisted.internet.protocol import Factory, Protocol

        endpoint = reactor_endpoint(reactor)("127.0.0.1", 4242)
        endpoint.connect(Factory.forProtocol(Protocol)).addErrback(lambda _: None)
        reactor.advance(0)
        [(host, port, *_)] = reactor.tcpClients
        self.assertEqual((host, port), ("127.0.0.1", 4242))
