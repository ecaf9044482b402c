"""The standard channel: who gets in, how often, and what may be said in which phase."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from securecom import framing, limits, peers, refusals, tls, vocabulary
from securecom.errors import StateBusy
from securecom.identity import Identity, Name, PublicKey
from securecom.invitation import token_hash
from securecom.server.database import GatheringPool, in_memory
from securecom.tests.support.held_thread import HeldThread
from securecom.tests.support.memory_server import NOW, ManualClient, ManualConnection, MemoryServer
from securecom.tests.support.second_keys import UNPROVED

TOKEN = b"t" * limits.TOKEN_BYTES


class LogInTests(SynchronousTestCase):
    """From TLS to the welcome, or to a typed refusal."""

    def setUp(self) -> None:
        self.server = MemoryServer()

    def test_welcome(self) -> None:
        """A user is told their name and where the request channel is."""
        client = ManualClient(self.server, self.server.enrolled("alice"))
        self.assertEqual(
            client.log_in(),
            {"name": "alice", "request_port": 4243, "dial_port": 4242, "time": int(NOW)},
        )

    def test_server_without_dialling(self) -> None:
        """Then there is no dial port in the welcome."""
        server = MemoryServer(dial=None)
        self.assertIsNone(ManualClient(server, server.enrolled("alice")).log_in()["dial_port"])

    # Promise T11
    def test_unknown_key(self) -> None:
        client = ManualClient(self.server, Identity.generate())
        self.assertRaises(refusals.NotEnrolled, client.log_in)

    def test_a_silent_person_has_no_dictionaries_of_their_own_on_the_server(self) -> None:
        """Python 3.11 makes one of 1.6 kB for an instance with more than 30 attributes.

        Nor is a certificate kept that was checked.
        """
        self.server.client("alice")
        session = self.server.reception.sessions.of(Name("alice"))
        assert session is not None
        for connection in (session.leg, session.request_channel):
            self.assertLess(len(vars(connection)), 20)
        own: Any = session.leg.tls
        self.assertEqual(own._passed, ())

    def test_nothing_is_left_of_a_session_that_is_over(self) -> None:
        """Before Python collects garbage, too: it has keys, and 60 KiB of OpenSSL's."""
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        for name in ("alice", "bob"):
            client = self.server.client(name)
            session = self.server.reception.sessions.of(Name(name))
            assert session is not None
            channel: Any = session.request_channel
            kept = (session, session.leg, session.leg.tls, channel, channel.tls)
            watched = [weakref.ref(one) for one in kept]
            del session, channel, kept
            if name == "alice":
                client.standard.close()
            else:
                client.standard_wire.cut()
            self.server.network.pump()
            self.assertEqual([one() for one in watched], [None] * len(watched))
            self.assertEqual(self.server.reception.looks._waiting, {})

    def test_who_is_gone_before_they_have_arrived_is_not_watched(self) -> None:
        """The switchboard of a cluster takes a moment."""
        arrived = Deferred[None]()
        self.patch(self.server.reception.switchboard, "arrive", lambda _: arrived)
        client = ManualClient(self.server, self.server.enrolled("alice"))
        client.ask(vocabulary.LogIn, **client.login(takeover=False)).addErrback(lambda _: None)
        session = self.server.reception.sessions.of(Name("alice"))
        assert session is not None
        client.standard_wire.cut()
        self.server.network.pump()
        self.assertTrue(session.leg.is_closing)
        arrived.callback(None)
        self.assertEqual(self.server.reception.looks._waiting, {})

    def test_disabled(self) -> None:
        client = ManualClient(self.server, self.server.enrolled("alice"))
        self.server.registry.disable(Name("alice"))
        self.assertRaises(refusals.Disabled, client.log_in)

    def test_disabled_during_the_log_in(self) -> None:
        """The registry was read before that, so the look that comes next ends the session."""
        client = ManualClient(self.server, self.server.enrolled("alice"))
        registry, reception = self.server.registry, self.server.reception
        thread = HeldThread(registry._pool._connection)  # type: ignore[attr-defined]
        registry._pool = GatheringPool(thread)
        asked = client.ask(vocabulary.LogIn, **client.login(takeover=False))
        thread.work()  # it was found, and nobody has heard of that yet
        registry.disable(Name("alice"))
        reception.sessions.recheck()
        thread.settle()
        self.assertEqual(client.done(asked)["name"], "alice")
        self.assertEqual(client.said("goodbye"), ["disabled"])
        self.assertEqual(len(reception.sessions), 0)

    def test_disabled_while_a_second_key_is_added(self) -> None:
        """The registry is asked again once that is on the disk."""
        client = ManualClient(self.server, self.server.enrolled("alice"))
        registry = self.server.registry
        connection = registry._pool._connection  # type: ignore[attr-defined]
        connection.execute("UPDATE users SET second = NULL")
        complete = registry.complete

        def completed_and_then_disabled(name: Name, key: PublicKey) -> Deferred[None]:
            done = complete(name, key)
            registry.disable(name)
            return done

        self.patch(registry, "complete", completed_and_then_disabled)
        self.assertRaises(refusals.Disabled, client.log_in)
        self.assertEqual(len(self.server.reception.sessions), 0)

    # Promise T124
    def test_second_session_is_refused(self) -> None:
        """The first one goes on."""
        first = self.server.client("alice")
        second = ManualClient(self.server, first.identity)
        self.assertRaises(refusals.AlreadyOnline, second.log_in)
        self.assertEqual(first.done(first.ask(vocabulary.Ping)), {})

    # Promise T124
    def test_takeover(self) -> None:
        """The first one is told, and gone; the second has the name."""
        first = self.server.client("alice")
        second = ManualClient(self.server, first.identity)
        second.log_in(takeover=True)
        self.assertEqual(first.said("goodbye"), ["taken-over"])
        self.server.network.advance(limits.CLOSE_DEADLINE)
        self.assertIsNotNone(first.standard.lost_reason)
        self.assertIsNotNone(first.request.lost_reason)
        self.assertEqual(second.done(second.ask(vocabulary.Ping)), {})
        self.assertEqual(len(self.server.reception.sessions), 1)

    def test_server_full(self) -> None:
        self.patch(limits, "MAX_SESSIONS", 1)
        self.server.client("alice")
        client = ManualClient(self.server, self.server.enrolled("bob"))
        self.assertRaises(refusals.ServerFull, client.log_in)

    def test_database_trouble_is_no_verdict(self) -> None:
        """A broken disk is not told as "not enrolled"."""
        client = ManualClient(self.server, self.server.enrolled("alice"))
        self.patch(self.server.registry, "entrant", lambda _: failed(StateBusy("busy")))
        self.assertRaises(refusals.ServerTrouble, client.log_in)

    def test_only_once(self) -> None:
        """A second `LogIn` on one connection is no command of its phase."""
        client = ManualClient(self.server, self.server.enrolled("alice"))
        client.log_in()
        self.assertRaises(ConnectionLost, client.log_in)

    def test_refused_client_may_not_try_on(self) -> None:
        client = ManualClient(self.server, Identity.generate())
        self.assertRaises(refusals.NotEnrolled, client.log_in)
        self.assertRaises(ConnectionLost, client.log_in)

    # Promise T12
    def test_no_command_before_log_in(self) -> None:
        """Nobody lists, asks or enrols from the door."""
        identity = self.server.enrolled("alice")
        for command, arguments in (
            (vocabulary.ListAvailable, {"after": b"", "text": b""}),
            (vocabulary.RequestChat, {"callee": Name("bob")}),
            (vocabulary.Enrol, {"token": TOKEN, **UNPROVED}),
        ):
            client = ManualClient(self.server, identity)
            self.failureResultOf(client.ask(command, **arguments), ConnectionLost)

    # Promise T12
    def test_chat_bytes_before_log_in(self) -> None:
        """The connection ends, whatever they are."""
        client = ManualClient(self.server, self.server.enrolled("alice"))
        client.send(1, b"x")
        self.assertIsNotNone(client.standard.lost_reason)

    def test_deadline(self) -> None:
        """Who does nothing is cut, also after TLS."""
        client = ManualClient(self.server, self.server.enrolled("alice"))
        self.server.network.advance(limits.LOGIN_DEADLINE - 1)
        self.assertIsNone(client.standard.lost_reason)
        self.server.network.advance(2)
        self.assertIsNotNone(client.standard.lost_reason)

    def test_client_gone_during_lookup(self) -> None:
        """No session is opened for nobody."""
        from twisted.internet.defer import Deferred

        client = ManualClient(self.server, self.server.enrolled("alice"))
        found = self.successResultOf(self.server.registry.entrant(client.identity.public_key))
        slow: Deferred[Any] = Deferred()
        self.patch(self.server.registry, "entrant", lambda _: slow)
        client.ask(vocabulary.LogIn, **client.login(takeover=False)).addErrback(lambda _: None)
        client.standard_wire.cut()
        self.server.network.pump()
        slow.callback(found)
        self.assertEqual(len(self.server.reception.sessions), 0)


class EnrolmentTests(SynchronousTestCase):
    """An invitation makes a key a user's, once, on an ALPN of its own."""

    def setUp(self) -> None:
        self.server = MemoryServer()
        self.server.invite("alice", token_hash(TOKEN))
        self.identity = Identity.generate()

    def enrol(self, token: bytes = TOKEN, identity: Identity | None = None) -> Any:
        """Enrol on a fresh connection."""
        self.connection = self.connect(identity or self.identity)
        someone, connection = identity or self.identity, self.connection
        proof = peers.signed_for_server(connection.tls, self.server.pin, someone, peers.ENROL)
        answer = connection.control.call(vocabulary.Enrol, token=token, **proof)
        self.server.network.pump()
        return answer

    def connect(self, identity: Identity) -> ManualConnection:
        client = ManualClient(self.server, identity)
        options = tls.enrol_client(identity, self.server.pin)
        return client.connect(options, tls.ALPN_ENROL, self.server.standard)[1]

    def test_then_log_in(self) -> None:
        self.assertEqual(self.successResultOf(self.enrol()), {"name": "alice"})
        self.assertEqual(ManualClient(self.server, self.identity).log_in()["name"], "alice")

    def test_spent(self) -> None:
        self.enrol()
        self.failureResultOf(self.enrol(identity=Identity.generate()), refusals.BadInvitation)

    # Promise T9
    def test_unknown(self) -> None:
        self.failureResultOf(self.enrol(b"x" * limits.TOKEN_BYTES), refusals.BadInvitation)

    def test_expired(self) -> None:
        self.server.reception._now = lambda: 2_000_000_000.0
        self.failureResultOf(self.enrol(), refusals.BadInvitation)

    def test_key_taken(self) -> None:
        """One key is one user."""
        self.failureResultOf(self.enrol(identity=self.server.enrolled("bob")), refusals.KeyInUse)

    # Promise T9
    def test_one_guess_a_connection(self) -> None:
        """Whoever guesses tokens pays a handshake for each."""
        self.failureResultOf(self.enrol(b"x"), refusals.BadInvitation)
        second = self.connection.control.call(vocabulary.Enrol, token=TOKEN, **UNPROVED)
        self.server.network.pump()
        self.failureResultOf(second)

    def test_nothing_else_on_this_alpn(self) -> None:
        """A registered key that comes to enrol cannot log in here: ALPN is a boundary."""
        connection = self.connect(self.server.enrolled("bob"))
        answer = connection.control.call(vocabulary.LogIn, takeover=False, **UNPROVED)
        self.server.network.pump()
        self.failureResultOf(answer)

    def test_deadline_stays(self) -> None:
        """Enrolling does not make a connection that may stay."""
        self.enrol()
        self.server.network.advance(limits.LOGIN_DEADLINE + 1)
        self.assertIsNotNone(self.connection.lost_reason)


class SessionTests(SynchronousTestCase):
    """The life of a session and its end."""

    def setUp(self) -> None:
        self.server = MemoryServer()

    def test_log_out(self) -> None:
        """Answered, told, closed, and the name is free."""
        client = self.server.client("alice")
        self.assertEqual(client.done(client.ask(vocabulary.LogOut)), {})
        self.server.network.advance(limits.CLOSE_DEADLINE)
        self.assertEqual(client.said("goodbye"), ["logged-out"])
        self.assertIsNotNone(client.standard.lost_reason)
        ManualClient(self.server, client.identity).log_in()

    def test_silence(self) -> None:
        """A client that sends nothing is gone after a while; one that pings is not."""
        quiet, lively = self.server.client("alice"), self.server.client("bob")
        for _ in range(5):
            self.server.network.advance(limits.PING_INTERVAL)
            lively.ask(vocabulary.Ping)
            lively.request.control.call(vocabulary.Ping)
        self.assertIsNotNone(quiet.standard.lost_reason)
        self.assertIsNone(lively.standard.lost_reason)
        self.assertIsNone(lively.request.lost_reason)

    def test_silence_takes_one_timer_however_many_are_on_line(self) -> None:
        timers = self.server.network.clock.getDelayedCalls
        self.server.client("alice")
        few = len(timers())
        for name in ("bob", "carol", "dave"):
            self.server.client(name)
        self.assertEqual((few, len(timers())), (1, 1))

    # Promise T123
    def test_disabled_while_on_line(self) -> None:
        """The next look at the registry ends the session, and only that one."""
        alice, bob = self.server.client("alice"), self.server.client("bob")
        self.server.registry.disable(Name("alice"))
        self.server.reception.sessions.recheck()
        self.server.network.pump()
        self.assertEqual(alice.said("goodbye"), ["disabled"])
        self.assertEqual(bob.said("goodbye"), [])

    # Promise T123
    def test_key_reset_or_user_removed_while_on_line(self) -> None:
        alice, bob = self.server.client("alice"), self.server.client("bob")
        self.server.registry.reset_key(Name("alice"))
        self.server.registry.remove(Name("bob"), NOW)
        self.server.reception.sessions.recheck()
        self.server.network.pump()
        self.assertEqual(alice.said("goodbye"), ["disabled"])
        self.assertEqual(bob.said("goodbye"), ["disabled"])

    def test_server_stops(self) -> None:
        client = self.server.client("alice")
        self.server.reception.sessions.end_all()
        self.server.network.pump()
        self.assertEqual(client.said("goodbye"), ["shutdown"])

    def test_command_of_another_channel(self) -> None:
        """Only the phase's own commands exist."""
        client = self.server.client("alice")
        self.failureResultOf(client.ask(vocabulary.Hello, proof=bytes(32), **UNPROVED))
        self.assertEqual(client.said("goodbye"), ["violation"])

    def test_malformed_frames_end_the_session(self) -> None:
        """And say why."""
        client = self.server.client("alice")
        with capturedLogs() as logs:
            client.standard.send(framing.encode(framing.CONTROL, b"junk"))
            self.server.network.pump()
        [event] = [
            event for event in logs if event["log_namespace"] == "securecom.server.standard_channel"
        ]
        self.assertEqual(event["reason"], "WireError")  # and nobody's name
        self.server.network.advance(limits.CLOSE_DEADLINE)
        self.assertEqual(client.said("goodbye"), ["violation"])
        self.assertIsNotNone(client.standard.lost_reason)
        self.assertEqual(len(self.server.reception.sessions), 0)

    def test_outstanding_calls_fail_with_the_connection(self) -> None:
        alice, _ = self.server.client("alice"), self.server.client("bob")
        asked = alice.ask(vocabulary.RequestChat, callee=Name("bob"))
        alice.standard_wire.cut()
        self.server.network.pump()
        self.failureResultOf(asked, ConnectionLost)

    def test_no_timer_outlives_its_connection(self) -> None:
        client = self.server.client("alice")
        client.standard.close()
        self.server.network.advance(1)
        self.assertEqual(self.server.network.clock.getDelayedCalls(), [])
        self.assertEqual(self.server.network.wires, [])


class UsersTests(SynchronousTestCase):
    """Who is available."""

    def setUp(self) -> None:
        self.server = MemoryServer()
        self.alice = self.server.client("alice")

    def names(self, after: bytes = b"", text: bytes = b"") -> Any:
        asked = self.alice.ask(vocabulary.ListAvailable, after=after, text=text)
        return self.alice.done(asked)

    def test_others_in_order(self) -> None:
        self.server.client("carol")
        self.server.client("bob")
        self.assertEqual(self.names(), {"names": ["bob", "carol"], "more": False, "busy": None})

    def test_search(self) -> None:
        self.server.client("carol")
        self.server.client("bob")
        self.assertEqual(self.names(text=b"ar")["names"], ["carol"])
        self.assertEqual(self.names(text=b"\xff")["names"], [])

    def test_pages(self) -> None:
        self.patch(limits, "USERS_PAGE", 2)
        for name in ("d", "b", "c"):
            self.server.client(name)
        self.assertEqual(self.names(), {"names": ["b", "c"], "more": True, "busy": None})
        self.assertEqual(self.names(after=b"c"), {"names": ["d"], "more": False, "busy": None})

    def test_rate(self) -> None:
        """Each page goes through all names."""
        self.patch(self.server.switchboard.restraints.lists, "_count", 2)
        self.names()
        self.names()
        self.assertRaises(refusals.TooManyRequests, self.names)

    def test_who_is_not_shown(self) -> None:
        """Away, without a request channel, in a chat, gone: nobody to ask."""
        away, deaf = self.server.client("away"), self.server.client("deaf")
        gone = self.server.client("gone")
        away.done(away.ask(vocabulary.SetAvailability, available=False))
        deaf.request_wire.cut()  # type: ignore[union-attr]
        gone.standard_wire.cut()
        self.server.network.pump()
        self.assertEqual(self.names()["names"], [])

    def test_new_session_is_away(self) -> None:
        client = ManualClient(self.server, self.server.enrolled("bob"))
        client.log_in()
        client.prove()
        self.assertEqual(self.names()["names"], [])


def failed(error: Exception) -> Any:
    from twisted.internet.defer import fail

    return fail(error)


class InMemoryRegistryTests(SynchronousTestCase):
    """The registry of `MemoryServer` is the real one."""

    def test_schema(self) -> None:
        tables = {row[0] for row in in_memory().execute("SELECT name FROM sqlite_schema")}
        self.assertIn("users", tables)
