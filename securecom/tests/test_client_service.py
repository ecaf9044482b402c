"""Reaching the server, staying with it, and leaving it."""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet import error
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from securecom import limits, refusals, tls, vocabulary
from securecom.client.channels import request_ways
from securecom.client.channels.reaching import cannot_reach
from securecom.client.events import AskedOver, ChatOver, Connecting, Event, Offline, Online
from securecom.errors import (
    CannotReach,
    ClockIsOff,
    ConnectionWasLost,
    LoginRefused,
    NotNow,
    OnlineElsewhere,
    OurFault,
    PortTaken,
    ServerMismatch,
)
from securecom.identity import Name, server_fingerprint, server_id
from securecom.tests.support import memory_client
from securecom.tests.support.memory_client import MemoryClient
from securecom.tests.support.scripted_server import (
    REQUEST,
    STANDARD,
    ScriptedServer,
    StandardEnd,
    outcome,
)
from securecom.tests.support.scripted_server_case import ALICE, BOB, STATES, AliceTestCase
from securecom.tests.support.second_keys import UNPROVED
from securecom.tests.support.server_certificates import Authority, bad_dates, bad_servers


@implementer(IStreamClientEndpoint)
class Failing:
    """An endpoint that never gets there."""

    def __init__(self, *reasons: Exception) -> None:
        self.reasons = list(reasons)

    def connect(self, protocolFactory: Any) -> Deferred[Any]:  # noqa: N803
        return fail(self.reasons.pop(0) if self.reasons else error.ConnectionRefusedError())


@implementer(IStreamClientEndpoint)
class Endless:
    """An endpoint that connects when the test says so."""

    def __init__(self, connected: Deferred[Any]) -> None:
        self.connected = connected

    def connect(self, protocolFactory: Any) -> Deferred[Any]:  # noqa: N803
        return self.connected


class ReachingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = ScriptedServer()
        self.network = self.server.network
        self.identity = self.server.enrol("alice")

    def person(self, **settings: Any) -> MemoryClient:
        return MemoryClient(self.network, self.identity, self.server.pin, **settings).start()

    def check_final(self, person: MemoryClient, kind: type[BaseException]) -> Any:
        """It gave up, for this reason, and left nothing behind."""
        self.assertEqual([type(one) for one in person.done], [kind])
        self.assertIsNone(person.notes.last(Offline).retry_in)
        self.network.advance(limits.CLOSE_DEADLINE)
        self.assertEqual(self.network.clock.getDelayedCalls(), [])
        self.assertEqual(self.network.wires, [])
        self.assertFalse(person.main.is_online)
        return person.done[0]

    def test_the_way_on_line_is_told(self) -> None:
        notes = self.person().notes
        self.assertEqual(notes.events[0], Connecting("chat.example.org", STANDARD))
        fingerprint = server_fingerprint(self.server.pin)
        self.assertEqual(notes.of(Online), [Online(Name("alice"), fingerprint, again=False)])
        self.assertEqual(self.server.takeovers, [False])

    def test_a_server_that_is_not_there_is_tried_again_ever_more_slowly(self) -> None:
        self.server.shut()
        person = self.person()
        self.network.advance(100)
        waits = [event.retry_in for event in person.notes.of(Offline)]
        self.assertEqual(waits[:2], [limits.RECONNECT_FIRST, 1.7])
        self.assertEqual(waits, sorted(waits, key=lambda wait: wait or 0))
        self.assertIn("chat.example.org:4241 (refused)", person.notes.last(Offline).why)
        self.assertEqual(len(person.notes.of(Connecting)), len(waits))
        self.assertEqual(person.done, [])
        self.server.listen()
        self.network.advance(limits.RECONNECT_LAST)
        self.assertTrue(person.main.is_online)

    def test_the_number_of_attempts_is_limited(self) -> None:
        self.server.shut()
        person = self.person(attempts=3)
        self.network.advance(100)
        self.check_final(person, CannotReach)
        self.assertEqual(len(person.notes.of(Connecting)), 3)

    def test_attempts_are_counted_from_the_last_log_in(self) -> None:
        person = self.person(attempts=2)
        for _ in range(3):
            self.server.people[ALICE].standard.close()
            self.network.advance(limits.RECONNECT_FIRST)
            self.assertTrue(person.main.is_online)
        self.assertEqual(person.done, [])

    def test_each_reason_has_its_words(self) -> None:
        reasons = {
            "refused": error.ConnectionRefusedError(),
            "no such host": error.DNSLookupError(),
            "no answer": error.TCPTimedOutError(),
            "no route": error.NoRouteError(),
            "no connection": error.ConnectError(),
            "ZeroDivisionError": ZeroDivisionError(),
        }
        for words, reason in reasons.items():
            person = self.person(endpoint=Failing(reason), attempts=1)
            self.assertIn(f"({words})", self.check_final(person, CannotReach).what)

    def test_another_server_gets_nothing_and_is_final(self) -> None:
        real = Authority()
        self.server.pin = server_id(real.certificate)
        for what, (credentials, words) in bad_servers(real).items():
            self.server.listen(credentials)
            person = self.person()
            self.assertIn(words, self.check_final(person, ServerMismatch).what, what)
        self.assertEqual(self.server.takeovers, [])  # nobody even tried to log in

    # Promise T36
    def test_a_server_that_gives_us_another_name_is_final_and_gets_nothing(self) -> None:
        self.server.names[self.identity.public_key] = Name("dave")
        person = self.person(name=ALICE)
        error = self.check_final(person, ServerMismatch)
        self.assertEqual(error.what, "the server calls you dave, your profile says alice")
        self.assertEqual(self.server.people[Name("dave")].heard, [])
        self.assertIsNone(self.server.people[Name("dave")].request)
        self.assertEqual(person.notes.of(Online), [])

    # Promise T36
    def test_the_name_of_the_first_log_in_is_the_name_ever_after(self) -> None:
        for name in (ALICE, None):
            self.setUp()
            person = self.person(name=name)
            self.server.names[self.identity.public_key] = Name("dave")
            self.server.people[ALICE].standard.close()
            self.network.advance(limits.RECONNECT_FIRST)
            self.check_final(person, ServerMismatch)
            self.assertEqual((person.main.name, len(person.notes.of(Online))), (ALICE, 1))

    def test_a_refused_log_in_is_final(self) -> None:
        known = (refusals.NotEnrolled(), refusals.Disabled(), refusals.AlreadyOnline())
        reasons = set()
        for refusal in known:
            self.server.refusal = refusal
            elsewhere = isinstance(refusal, refusals.AlreadyOnline)
            kind = OnlineElsewhere if elsewhere else LoginRefused
            reasons.add(self.check_final(self.person(), kind).what)
        self.assertEqual(len(reasons), len(known))

    def test_a_server_in_trouble_is_tried_again(self) -> None:
        for refusal in (refusals.ServerFull(), refusals.ServerTrouble()):
            self.server.refusal = refusal
            person = self.person()
            self.assertEqual(person.done, [])
            self.server.refusal = None
            self.network.advance(limits.RECONNECT_FIRST)
            self.assertTrue(person.main.is_online)
            person.main.log_out()
            self.network.advance(limits.EXIT_DEADLINE)

    def test_a_takeover_is_asked_for_when_the_person_wants_it(self) -> None:
        self.person(takeover=True)
        self.assertEqual(self.server.takeovers, [True])

    def test_what_is_left_of_our_own_session_does_not_keep_us_out(self) -> None:
        self.person()
        self.server.people[ALICE].standard.close()
        self.network.advance(limits.RECONNECT_FIRST)
        self.assertEqual(self.server.takeovers, [False, True])

    # Promise R23
    def test_a_port_that_says_nothing_is_given_up_and_tried_again(self) -> None:
        self.network.ports[STANDARD] = Factory.forProtocol(Protocol)
        person = self.person()
        self.network.advance(limits.LOGIN_PATIENCE - 1)
        self.assertEqual(person.notes.of(Offline), [])  # it may have a long line of people
        self.network.advance(1)
        self.assertEqual(len(person.notes.of(Offline)), 1)
        self.server.listen()
        self.network.advance(limits.RECONNECT_FIRST)
        self.assertTrue(person.main.is_online)

    def test_reconnecting_is_at_once_however_long_the_wait(self) -> None:
        self.server.shut()
        person = self.person()
        self.network.advance(100)
        self.server.listen()
        self.assertGreater(person.notes.last(Offline).retry_in or 0, limits.RECONNECT_FIRST)
        before = self.network.clock.seconds()
        person.main.reconnect()
        self.network.pump()
        self.assertEqual(self.network.clock.seconds(), before)
        self.assertTrue(person.main.is_online)

    def test_reconnecting_in_vain_waits_as_after_the_first_failure(self) -> None:
        self.server.shut()
        person = self.person()
        self.network.advance(100)
        tried = len(person.notes.of(Connecting))
        person.main.reconnect()
        self.network.pump()
        self.assertEqual(len(person.notes.of(Connecting)), tried + 1)
        self.assertEqual(person.notes.last(Offline).retry_in, limits.RECONNECT_FIRST)
        self.network.advance(limits.RECONNECT_FIRST)
        self.assertEqual(len(person.notes.of(Connecting)), tried + 2)

    def test_reconnecting_does_not_disturb_a_log_in(self) -> None:
        self.network.ports[STANDARD] = Factory.forProtocol(Protocol)
        person = self.person()
        person.main.reconnect()
        self.network.advance(limits.LOGIN_PATIENCE)
        self.assertEqual(len(person.notes.of(Connecting)), 1)
        self.assertEqual(person.notes.last(Offline).retry_in, limits.RECONNECT_FIRST)

    def test_a_mistake_of_ours_at_log_in_is_logged_and_tried_again(self) -> None:
        for place, method in (("_rotation", "logged_in"), ("main", "came_online")):
            person = MemoryClient(self.network, self.identity, self.server.pin)
            patched = self.patch(getattr(person.client, place), method, lambda *_: 1 / 0)
            person.start()
            self.assertEqual(len(self.flushLoggedErrors(OurFault)), 1, place)
            self.assertEqual(person.notes.last(Offline).retry_in, limits.RECONNECT_FIRST)
            patched.restore()
            self.network.advance(limits.RECONNECT_FIRST)
            self.assertTrue(person.notes.of(Online))
            person.client.leave()
            self.network.pump()

    def test_who_is_on_line_need_not_reconnect(self) -> None:
        person = self.person()
        self.assertRaises(NotNow, person.main.reconnect)
        self.network.pump()
        self.assertEqual(len(person.notes.of(Connecting)), 1)

    def test_another_protocol_on_the_port_is_no_server(self) -> None:
        inner = Factory.forProtocol(Protocol)
        options = tls.request_server(self.server.credentials)
        clock = self.network.clock
        self.network.ports[STANDARD] = TLSMemoryBIOFactory(options, False, inner, clock)
        person = self.person(attempts=1)
        self.check_final(person, CannotReach)

    def test_rubbish_on_the_port_is_no_server(self) -> None:
        class Rubbish(Protocol):
            def connectionMade(self) -> None:
                assert self.transport is not None
                self.transport.write(b"220 mail.example.org ESMTP\r\n")

        self.network.ports[STANDARD] = Factory.forProtocol(Rubbish)
        self.assertIn("TLS failed", self.check_final(self.person(attempts=1), CannotReach).what)

    # Promise R77
    def test_a_clock_that_is_off_is_told_and_the_server_tried_again(self) -> None:
        """Somebody sets the clock, and it is well."""
        (behind, _) = bad_dates(self.server.authority).values()
        self.server.shut()
        self.server.listen(behind)
        person = self.person()
        offline = person.notes.last(Offline)
        self.assertIn("clock seems to be at least 3 days behind", offline.why)
        self.assertEqual(offline.retry_in, limits.RECONNECT_FIRST)
        self.assertEqual(self.server.takeovers, [], "it said nothing to a server that may be none")
        self.server.shut()
        self.server.listen()
        self.network.advance(limits.RECONNECT_FIRST)
        self.assertTrue(person.main.is_online)

    # Promise R78
    def test_who_counts_attempts_ends_with_the_words_about_the_clock(self) -> None:
        self.server.shut()
        self.server.listen(bad_dates(self.server.authority)["100 days ahead"])
        error = self.check_final(self.person(attempts=1), ClockIsOff)
        self.assertIn("100 days ahead", str(error))

    def test_a_server_that_hangs_up_before_it_answers_is_tried_again(self) -> None:
        person = MemoryClient(self.network, self.identity, self.server.pin)
        person.client.start()
        self.network.wires[-1].cut()
        self.network.pump()
        self.assertIn("closed", person.notes.last(Offline).why)
        self.network.advance(limits.RECONNECT_FIRST)
        self.assertTrue(person.main.is_online)

    def test_a_server_that_hangs_up_instead_of_answering_is_tried_again(self) -> None:
        self.server.instead = StandardEnd.close
        person = self.person()
        self.server.instead = None
        self.assertEqual(len(person.notes.of(Offline)), 1)
        self.network.advance(limits.RECONNECT_FIRST)
        self.assertTrue(person.main.is_online)

    def test_a_session_lost_before_the_request_channel_stands_was_none(self) -> None:
        self.network.ports[REQUEST] = Factory.forProtocol(Protocol)
        person = self.person()
        self.assertTrue(person.main.is_online)
        self.server.people[ALICE].standard.close()
        self.network.pump()
        self.assertEqual(person.notes.of(Online), [])
        self.assertEqual(len(person.notes.of(Offline)), 1)
        self.server.listen()
        self.network.advance(limits.RECONNECT_FIRST)
        self.assertEqual([event.again for event in person.notes.of(Online)], [False])

    def test_a_request_channel_that_is_still_being_connected_is_given_up(self) -> None:
        given_up: list[Any] = []
        endless: Deferred[Any] = Deferred(given_up.append)
        way = request_ways.ServerListens(lambda port: Endless(endless))
        self.patch(memory_client, "way_of", lambda how, network: way)
        person = self.person()
        person.main.log_out()
        self.network.pump()
        self.assertEqual(len(given_up), 1)
        self.assertEqual(person.done, [None])

    def test_only_a_taken_port_is_called_taken(self) -> None:
        for number, kind in ((errno.EADDRINUSE, PortTaken), (errno.EACCES, CannotReach)):
            reason = error.CannotListenError("", 4242, OSError(number, "x"))
            self.assertIs(type(cannot_reach(Failure(reason), "the request channel")), kind)

    def test_a_reason_that_needs_no_translation_is_passed_on(self) -> None:
        for reason in (OurFault("a trial"), ConnectionWasLost("a trial"), CannotReach("a trial")):
            self.assertIs(cannot_reach(Failure(reason), "x"), reason)


class StayingTests(AliceTestCase):
    def goodbye(self, reason: str) -> None:
        self.end.tell(vocabulary.Goodbye, reason=reason)
        self.pump()

    def test_a_lost_connection_is_told_and_made_again(self) -> None:
        self.end.standard.close()
        self.pump()
        (offline,) = self.notes.of(Offline)
        self.assertEqual(offline.retry_in, limits.RECONNECT_FIRST)
        self.assertFalse(self.alice.is_online)
        self.network.advance(limits.RECONNECT_FIRST)
        self.assertEqual([event.again for event in self.notes.of(Online)], [True])

    def test_a_server_that_shuts_down_is_tried_again(self) -> None:
        self.goodbye("shutdown")
        self.assertIn("shutting down", self.notes.last(Offline).why)
        self.network.advance(limits.RECONNECT_FIRST)
        self.assertTrue(self.alice.is_online)

    def test_other_goodbyes_are_final(self) -> None:
        kinds = {
            "taken-over": LoginRefused,
            "disabled": LoginRefused,
            "logged-out": LoginRefused,
            "violation": OurFault,
        }
        for reason, kind in kinds.items():
            self.setUp()
            self.goodbye(reason)
            self.fails(self.person.done, kind)
            self.assertIsNone(self.notes.last(Offline).retry_in)
            self.network.advance(limits.RECONNECT_LAST)
            self.assertEqual(self.notes.of(Connecting), [])

    def test_words_for_who_has_no_access_any_more_fit_every_case(self) -> None:
        self.goodbye("disabled")
        error = self.fails(self.person.done, LoginRefused)
        self.assertEqual(error.what, "your access here has ended")
        for case in ("disabled", "removed", "reset", "retired"):
            self.assertIn(case, error.hint)

    def test_a_server_that_breaks_the_rules_is_left_and_the_reason_told(self) -> None:
        self.end.standard.control.call(vocabulary.Enrol, token=b"x", **UNPROVED).addErrback(str)
        self.pump()
        self.assertIn("may not come here", self.notes.last(Offline).why)

    def test_a_silent_server_is_gone(self) -> None:
        self.end.standard.is_dead = True
        self.network.advance(limits.PEER_GONE + limits.PING_INTERVAL)
        self.assertIn("silence", self.notes.of(Offline)[0].why)


class LeavingTests(AliceTestCase):
    def check_left(self, left: list[Any]) -> None:
        self.assertEqual((left, self.person.done), ([None], [None]))
        self.network.advance(limits.CLOSE_DEADLINE)
        self.assertEqual(self.network.wires, [])
        self.assertEqual(self.network.clock.getDelayedCalls(), [])

    def test_the_session_is_ended(self) -> None:
        self.check_left(self.told(self.alice.log_out()))
        self.assertEqual(self.end.said("logout"), [None])
        self.assertEqual(self.notes.events, [])

    def test_whoever_asks_us_is_told_before_we_go(self) -> None:
        answer = self.offer()
        channel = self.end.request
        assert channel is not None
        self.check_left(self.told(self.alice.log_out()))
        self.assertEqual(self.notes.of(AskedOver), [AskedOver(BOB, "gone")])
        self.assertEqual(len(answer), 1)
        self.assertTrue(channel.is_closing)

    def test_the_chat_is_ended_first(self) -> None:
        self.reach("chatting")
        self.check_left(self.told(self.alice.log_out()))
        self.assertEqual(self.notes.last(ChatOver).ending, "by-me")
        self.assertEqual(self.chatting.over, [("by-peer", [])])
        self.assertEqual([word for word, _ in self.end.heard[-2:]], ["end", "logout"])

    # Promise R84
    def test_whoever_leaves_did_not_lose_the_connection(self) -> None:
        """What the person asked for ends with a word of its own, wherever they leave."""
        for state in STATES:
            self.setUp()
            came = self.reach(state)
            self.check_left(self.told(self.alice.log_out()))
            self.assertEqual([one for one in came if isinstance(one, ConnectionWasLost)], [], state)
            self.assertNotIn("lost", f"{came} {self.notes.events}", state)

    # Promise R84
    def test_a_question_without_an_answer_ends_with_the_leaving(self) -> None:
        self.end.standard.is_closing = True  # it hears nothing more
        came = outcome(self.alice.users())
        self.pump()
        left = self.told(self.alice.log_out())
        self.network.advance(limits.EXIT_DEADLINE)
        self.check_left(left)
        error = self.fails(came, ConnectionWasLost)
        self.assertEqual(error.what, "you left before the server answered")

    def test_leaving_twice_is_leaving(self) -> None:
        first, second = self.told(self.alice.log_out()), self.told(self.alice.log_out())
        self.check_left(first)
        self.assertEqual(second, [None])

    def test_leaving_again_while_it_goes_on_waits_for_the_same(self) -> None:
        left = [self.alice.log_out(), self.alice.log_out()]
        came = [self.told(one) for one in left]
        self.check_left(came[0])
        self.assertEqual(came[1], [None])

    def test_a_server_that_does_not_answer_is_left_all_the_same(self) -> None:
        for end in ("end", "peer"):
            self.setUp()
            self.reach("chatting")
            self.end.relay = lambda run: None
            if end == "end":
                self.network.wires[0].server.reading = False
            left = self.told(self.alice.log_out())
            self.assertEqual(left, [])
            self.network.advance(limits.EXIT_DEADLINE + limits.CLOSE_DEADLINE)
            self.assertEqual((left, self.person.done), ([None], [None]), end)

    def test_a_server_that_dies_of_our_leaving_is_left(self) -> None:
        left = outcome(self.alice.log_out())
        self.network.wires[0].cut()
        self.pump()
        self.check_left(left)
        self.assertEqual(self.notes.of(Offline), [])

    def test_leaving_when_it_has_just_failed_for_good_keeps_the_reason(self) -> None:
        left: list[Any] = []

        def leave(event: Event) -> None:
            if isinstance(event, Offline):
                self.alice.log_out().addCallback(left.append)

        self.notes.on_event = leave
        self.end.tell(vocabulary.Goodbye, reason="disabled")
        self.pump()
        self.fails(self.person.done, LoginRefused)
        self.assertEqual(left, [None])

    def test_who_waits_for_the_next_attempt_leaves_at_once(self) -> None:
        self.server.shut()
        self.end.standard.close()
        self.pump()
        self.check_left(self.told(self.alice.log_out()))

    def test_a_front_end_may_leave_when_it_hears_that_the_server_is_gone(self) -> None:
        left: list[Any] = []

        def leave(event: Event) -> None:
            if isinstance(event, Offline):
                self.alice.log_out().addCallback(left.append)

        self.notes.on_event = leave
        self.end.standard.close()
        self.pump()
        self.check_left(left)

    def test_who_has_left_does_not_reconnect(self) -> None:
        self.server.shut()
        self.end.standard.close()
        self.pump()
        self.check_left(self.told(self.alice.log_out()))
        self.server.listen()
        self.alice.reconnect()
        self.pump()
        self.assertFalse(self.alice.is_online)

    def test_leaving_after_it_failed_for_good(self) -> None:
        self.end.tell(vocabulary.Goodbye, reason="disabled")
        self.pump()
        self.assertEqual(self.told(self.alice.log_out()), [None])
