"""The standard channel: who gets in, how often, and what may be said in which phase."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from securecom import framing, limits, refusals, tls, vocabulary
from securecom.errors import StateBusy
from securecom.identity import Identity, Name
from securecom.invitation import token_hash
from securecom.server.database import in_memory
from securecom.tests.support.memory_server import NOW, ManualClient, ManualConnection, MemoryServer

TOKEN = b"t" * limits.TOKEN_BYTES


class LogInTests(SynchronousTestCase):
    """From TLS to the welcome, or to a typed refusal."""

    def setUp(self) -> None:
        self.house = MemoryServer()

    def test_welcome(self) -> None:
        """A user is told their name and where the request channel is."""
        hand = ManualClient(self.house, self.house.enrolled("alice"))
        self.assertEqual(hand.log_in(), {"name": "alice", "request_port": 4243, "dial_port": 4242})

    def test_server_without_dialling(self) -> None:
        """Then there is no dial port in the welcome."""
        house = MemoryServer(dial=None)
        self.assertIsNone(ManualClient(house, house.enrolled("alice")).log_in()["dial_port"])

    def test_unknown_key(self) -> None:
        hand = ManualClient(self.house, Identity.generate())
        self.assertRaises(refusals.NotEnrolled, hand.log_in)

    def test_disabled(self) -> None:
        hand = ManualClient(self.house, self.house.enrolled("alice"))
        self.house.registry.disable(Name("alice"))
        self.assertRaises(refusals.Disabled, hand.log_in)

    def test_second_session_is_refused(self) -> None:
        """The first one goes on."""
        first = self.house.hand("alice")
        second = ManualClient(self.house, first.identity)
        self.assertRaises(refusals.AlreadyOnline, second.log_in)
        self.assertEqual(first.done(first.ask(vocabulary.Ping)), {})

    def test_takeover(self) -> None:
        """The first one is told, and gone; the second has the name."""
        first = self.house.hand("alice")
        second = ManualClient(self.house, first.identity)
        second.log_in(takeover=True)
        self.assertEqual(first.said("goodbye"), ["taken-over"])
        self.house.network.advance(limits.CLOSE_DEADLINE)
        self.assertIsNotNone(first.standard.lost_reason)
        self.assertIsNotNone(first.request.lost_reason)
        self.assertEqual(second.done(second.ask(vocabulary.Ping)), {})
        self.assertEqual(len(self.house.reception.sessions), 1)

    def test_server_full(self) -> None:
        self.patch(limits, "MAX_SESSIONS", 1)
        self.house.hand("alice")
        hand = ManualClient(self.house, self.house.enrolled("bob"))
        self.assertRaises(refusals.ServerFull, hand.log_in)

    def test_database_trouble_is_no_verdict(self) -> None:
        """A broken disk is not told as "not enrolled"."""
        hand = ManualClient(self.house, self.house.enrolled("alice"))
        self.patch(self.house.registry, "user_by_key", lambda _: failed(StateBusy("busy")))
        self.assertRaises(refusals.ServerTrouble, hand.log_in)

    def test_only_once(self) -> None:
        """A second `LogIn` on one connection is no command of its phase."""
        hand = ManualClient(self.house, self.house.enrolled("alice"))
        hand.log_in()
        self.assertRaises(ConnectionLost, hand.log_in)

    def test_refused_client_may_not_try_on(self) -> None:
        hand = ManualClient(self.house, Identity.generate())
        self.assertRaises(refusals.NotEnrolled, hand.log_in)
        self.assertRaises(ConnectionLost, hand.log_in)

    def test_no_command_before_log_in(self) -> None:
        """Nobody lists, asks or enrols from the door."""
        identity = self.house.enrolled("alice")
        for command, arguments in (
            (vocabulary.ListAvailable, {"after": b"", "text": b""}),
            (vocabulary.RequestChat, {"callee": Name("bob")}),
            (vocabulary.Enrol, {"token": TOKEN}),
        ):
            hand = ManualClient(self.house, identity)
            self.failureResultOf(hand.ask(command, **arguments), ConnectionLost)

    def test_chat_bytes_before_log_in(self) -> None:
        """The connection ends, whatever they are."""
        hand = ManualClient(self.house, self.house.enrolled("alice"))
        hand.send(1, b"x")
        self.assertIsNotNone(hand.standard.lost_reason)

    def test_deadline(self) -> None:
        """Who does nothing is cut, also after TLS."""
        hand = ManualClient(self.house, self.house.enrolled("alice"))
        self.house.network.advance(limits.LOGIN_DEADLINE - 1)
        self.assertIsNone(hand.standard.lost_reason)
        self.house.network.advance(2)
        self.assertIsNotNone(hand.standard.lost_reason)

    def test_client_gone_during_lookup(self) -> None:
        """No session is opened for nobody."""
        from twisted.internet.defer import Deferred

        hand = ManualClient(self.house, self.house.enrolled("alice"))
        found = self.successResultOf(self.house.registry.user(Name("alice")))
        slow: Deferred[Any] = Deferred()
        self.patch(self.house.registry, "user_by_key", lambda _: slow)
        hand.ask(vocabulary.LogIn, takeover=False).addErrback(lambda _: None)
        hand.standard_wire.cut()
        self.house.network.pump()
        slow.callback(found)
        self.assertEqual(len(self.house.reception.sessions), 0)


class EnrolmentTests(SynchronousTestCase):
    """An invitation makes a key a user's, once, on an ALPN of its own."""

    def setUp(self) -> None:
        self.house = MemoryServer()
        self.house.invite("alice", token_hash(TOKEN))
        self.identity = Identity.generate()

    def enrol(self, token: bytes = TOKEN, identity: Identity | None = None) -> Any:
        """Enrol on a fresh connection."""
        self.connection = self.connect(identity or self.identity)
        answer = self.connection.control.call(vocabulary.Enrol, token=token)
        self.house.network.pump()
        return answer

    def connect(self, identity: Identity) -> ManualConnection:
        hand = ManualClient(self.house, identity)
        options = tls.enrol_client(identity, self.house.pin)
        return hand.connect(options, tls.ALPN_ENROL, self.house.standard)[1]

    def test_then_log_in(self) -> None:
        self.assertEqual(self.successResultOf(self.enrol()), {"name": "alice"})
        self.assertEqual(ManualClient(self.house, self.identity).log_in()["name"], "alice")

    def test_spent(self) -> None:
        self.enrol()
        self.failureResultOf(self.enrol(identity=Identity.generate()), refusals.BadInvitation)

    def test_unknown(self) -> None:
        self.failureResultOf(self.enrol(b"x" * limits.TOKEN_BYTES), refusals.BadInvitation)

    def test_expired(self) -> None:
        self.house.reception._now = lambda: 2_000_000_000.0
        self.failureResultOf(self.enrol(), refusals.BadInvitation)

    def test_key_taken(self) -> None:
        """One key is one user."""
        self.failureResultOf(self.enrol(identity=self.house.enrolled("bob")), refusals.KeyInUse)

    def test_one_guess_a_connection(self) -> None:
        """Whoever guesses tokens pays a handshake for each."""
        self.failureResultOf(self.enrol(b"x"), refusals.BadInvitation)
        second = self.connection.control.call(vocabulary.Enrol, token=TOKEN)
        self.house.network.pump()
        self.failureResultOf(second)

    def test_nothing_else_on_this_alpn(self) -> None:
        """A registered key that comes to enrol cannot log in here: ALPN is a boundary."""
        connection = self.connect(self.house.enrolled("bob"))
        answer = connection.control.call(vocabulary.LogIn, takeover=False)
        self.house.network.pump()
        self.failureResultOf(answer)

    def test_deadline_stays(self) -> None:
        """Enrolling does not make a connection that may stay."""
        self.enrol()
        self.house.network.advance(limits.LOGIN_DEADLINE + 1)
        self.assertIsNotNone(self.connection.lost_reason)


class SessionTests(SynchronousTestCase):
    """The life of a session and its end."""

    def setUp(self) -> None:
        self.house = MemoryServer()

    def test_log_out(self) -> None:
        """Answered, told, closed, and the name is free."""
        hand = self.house.hand("alice")
        self.assertEqual(hand.done(hand.ask(vocabulary.LogOut)), {})
        self.house.network.advance(limits.CLOSE_DEADLINE)
        self.assertEqual(hand.said("goodbye"), ["logged-out"])
        self.assertIsNotNone(hand.standard.lost_reason)
        ManualClient(self.house, hand.identity).log_in()

    def test_silence(self) -> None:
        """A client that sends nothing is gone after a while; one that pings is not."""
        quiet, lively = self.house.hand("alice"), self.house.hand("bob")
        for _ in range(5):
            self.house.network.advance(limits.PING_INTERVAL)
            lively.ask(vocabulary.Ping)
            lively.request.control.call(vocabulary.Ping)
        self.assertIsNotNone(quiet.standard.lost_reason)
        self.assertIsNone(lively.standard.lost_reason)
        self.assertIsNone(lively.request.lost_reason)

    def test_disabled_while_on_line(self) -> None:
        """The next look at the registry ends the session, and only that one."""
        alice, bob = self.house.hand("alice"), self.house.hand("bob")
        self.house.registry.disable(Name("alice"))
        self.house.reception.sessions.recheck()
        self.house.network.pump()
        self.assertEqual(alice.said("goodbye"), ["disabled"])
        self.assertEqual(bob.said("goodbye"), [])

    def test_key_reset_or_user_removed_while_on_line(self) -> None:
        alice, bob = self.house.hand("alice"), self.house.hand("bob")
        self.house.registry.reset_key(Name("alice"))
        self.house.registry.remove(Name("bob"), NOW)
        self.house.reception.sessions.recheck()
        self.house.network.pump()
        self.assertEqual(alice.said("goodbye"), ["disabled"])
        self.assertEqual(bob.said("goodbye"), ["disabled"])

    def test_server_stops(self) -> None:
        hand = self.house.hand("alice")
        self.house.reception.sessions.end_all()
        self.house.network.pump()
        self.assertEqual(hand.said("goodbye"), ["shutdown"])

    def test_command_of_another_channel(self) -> None:
        """Only the phase's own commands exist."""
        hand = self.house.hand("alice")
        self.failureResultOf(hand.ask(vocabulary.Hello, proof=bytes(32)))
        self.assertEqual(hand.said("goodbye"), ["violation"])

    def test_malformed_frames_end_the_session(self) -> None:
        """And say why."""
        hand = self.house.hand("alice")
        with capturedLogs() as logs:
            hand.standard.send(framing.encode(framing.CONTROL, b"junk"))
            self.house.network.pump()
        [event] = [
            event for event in logs if event["log_namespace"] == "securecom.server.standard_channel"
        ]
        self.assertEqual(event["reason"], "WireError")  # and nobody's name
        self.house.network.advance(limits.CLOSE_DEADLINE)
        self.assertEqual(hand.said("goodbye"), ["violation"])
        self.assertIsNotNone(hand.standard.lost_reason)
        self.assertEqual(len(self.house.reception.sessions), 0)

    def test_outstanding_calls_fail_with_the_connection(self) -> None:
        alice, _ = self.house.hand("alice"), self.house.hand("bob")
        asked = alice.ask(vocabulary.RequestChat, callee=Name("bob"))
        alice.standard_wire.cut()
        self.house.network.pump()
        self.failureResultOf(asked, ConnectionLost)

    def test_no_timer_outlives_its_connection(self) -> None:
        hand = self.house.hand("alice")
        hand.standard.close()
        self.house.network.advance(1)
        self.assertEqual(self.house.network.clock.getDelayedCalls(), [])
        self.assertEqual(self.house.network.wires, [])


class UsersTests(SynchronousTestCase):
    """Who is available."""

    def setUp(self) -> None:
        self.house = MemoryServer()
        self.alice = self.house.hand("alice")

    def names(self, after: bytes = b"", text: bytes = b"") -> Any:
        asked = self.alice.ask(vocabulary.ListAvailable, after=after, text=text)
        return self.alice.done(asked)

    def test_others_in_order(self) -> None:
        self.house.hand("carol")
        self.house.hand("bob")
        self.assertEqual(self.names(), {"names": ["bob", "carol"], "more": False, "busy": None})

    def test_search(self) -> None:
        self.house.hand("carol")
        self.house.hand("bob")
        self.assertEqual(self.names(text=b"ar")["names"], ["carol"])
        self.assertEqual(self.names(text=b"\xff")["names"], [])

    def test_pages(self) -> None:
        self.patch(limits, "USERS_PAGE", 2)
        for name in ("d", "b", "c"):
            self.house.hand(name)
        self.assertEqual(self.names(), {"names": ["b", "c"], "more": True, "busy": None})
        self.assertEqual(self.names(after=b"c"), {"names": ["d"], "more": False, "busy": None})

    def test_rate(self) -> None:
        """Each page goes through all names."""
        self.patch(self.house.switchboard.restraints.lists, "_count", 2)
        self.names()
        self.names()
        self.assertRaises(refusals.TooManyRequests, self.names)

    def test_who_is_not_shown(self) -> None:
        """Away, without a request channel, in a chat, gone: nobody to ask."""
        away, deaf = self.house.hand("away"), self.house.hand("deaf")
        gone = self.house.hand("gone")
        away.done(away.ask(vocabulary.SetAvailability, available=False))
        deaf.request_wire.cut()  # type: ignore[union-attr]
        gone.standard_wire.cut()
        self.house.network.pump()
        self.assertEqual(self.names()["names"], [])

    def test_new_session_is_away(self) -> None:
        hand = ManualClient(self.house, self.house.enrolled("bob"))
        hand.log_in()
        hand.prove()
        self.assertEqual(self.names()["names"], [])


def failed(error: Exception) -> Any:
    from twisted.internet.defer import fail

    return fail(error)


class InMemoryRegistryTests(SynchronousTestCase):
    """The house's registry is the real one."""

    def test_schema(self) -> None:
        tables = {row[0] for row in in_memory().execute("SELECT name FROM sqlite_schema")}
        self.assertIn("users", tables)
