"""The request channel: the same stories in both ways of opening it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, refusals, vocabulary
from securecom.client.channels.reaching import Backoff
from securecom.client.events import (
    Asked,
    AskedOver,
    Availability,
    Connecting,
    Offline,
    Online,
    Problem,
    RequestChannelState,
)
from securecom.errors import CannotReach, NotDialled
from securecom.identity import Name
from securecom.tests.support.memory_client import MemoryClient
from securecom.tests.support.network import Wire
from securecom.tests.support.scripted_server import HOST, REQUEST, STANDARD, ScriptedServer
from securecom.tests.support.scripted_server_case import BOB, CHAT, AliceTestCase
from securecom.tests.support.server_certificates import Authority

if TYPE_CHECKING:
    Mixin = AliceTestCase
else:
    Mixin = object


class ChannelStories(Mixin):
    """What holds whoever connected."""

    how: str
    port: int | None

    def channels(self) -> list[bool]:
        return [event.up for event in self.notes.of(RequestChannelState)]

    def lose(self) -> None:
        assert self.end.request is not None
        self.end.request.close()
        self.pump()

    def again(self, prepare: Callable[[], object]) -> None:
        """A new client at a server that was prepared for it."""
        self.server = ScriptedServer()
        self.network = self.server.network
        prepare()
        identity = self.server.enrol("alice")
        self.person = MemoryClient(self.network, identity, self.server.pin, how=self.how).start()
        self.alice, self.notes = self.person.main, self.person.notes
        self.end = self.server.people[Name("alice")]

    def test_it_is_up_before_we_say_that_we_are_on_line(self) -> None:
        self.again(lambda: None)
        kinds = [type(e) for e in self.notes.events if isinstance(e, RequestChannelState | Online)]
        self.assertEqual(kinds, [RequestChannelState, Online])
        self.assertEqual(
            self.notes.last(RequestChannelState), RequestChannelState(True, self.how, self.port)
        )
        assert self.end.request is not None
        self.assertFalse(self.end.request.is_closing)

    def test_requests_come_through_it(self) -> None:
        answer = self.offer()
        self.told(self.alice.refuse())
        self.assertEqual(answer, ["refuse"])

    # Promise T19
    def test_a_server_that_cannot_prove_the_session_key_is_cut(self) -> None:
        self.again(lambda: setattr(self.server, "proof", lambda proof: b"\0" * 32))
        self.assertEqual(self.channels(), [False])
        self.assertEqual(self.notes.of(Problem)[0].code, CannotReach.code)
        self.assertTrue(self.alice.is_online)

    def test_nothing_is_offered_before_the_servers_proof(self) -> None:
        def early(channel: Any) -> None:
            facts = {"chat": CHAT, "caller": BOB, "key": self.bob.public_key, "seconds": 60}
            channel.control.call(vocabulary.OfferChat, **facts).addErrback(lambda _: None)

        self.again(lambda: setattr(self.server, "early", early))
        self.assertEqual(self.notes.of(Asked), [])
        self.assertEqual(self.channels(), [False])

    def test_nothing_is_withdrawn_before_the_servers_proof(self) -> None:
        def early(channel: Any) -> None:
            channel.control.tell(vocabulary.WithdrawOffer, chat=CHAT, reason="gone")

        self.again(lambda: setattr(self.server, "early", early))
        self.assertEqual(self.channels(), [False])

    def test_nothing_is_missed_before_the_servers_proof(self) -> None:
        def early(channel: Any) -> None:
            channel.control.tell(vocabulary.MissedRequest, caller=BOB)

        self.again(lambda: setattr(self.server, "early", early))
        self.assertEqual(self.alice.requests().missed, [])
        self.assertEqual(self.channels(), [False])

    def test_a_proof_that_the_server_refuses_is_tried_again(self) -> None:
        self.lose()
        self.server.refusal = refusals.BadProof()
        self.network.advance(2 * limits.RECONNECT_FIRST)
        self.assertEqual(self.channels(), [False, False])  # lost, and then told once that it fails
        self.network.advance(4 * limits.RECONNECT_FIRST)
        self.assertEqual(self.channels(), [False, False])
        self.server.refusal = None
        self.network.advance(limits.RECONNECT_LAST)
        self.assertEqual(self.channels(), [False, False, True])
        self.assertEqual(self.offer(), [])

    def test_a_lost_channel_is_opened_again_after_a_while(self) -> None:
        self.lose()
        self.assertEqual(self.channels(), [False])
        self.network.advance(limits.RECONNECT_FIRST - 0.5, step=0.5)
        self.assertEqual(self.channels(), [False])
        self.network.advance(0.5)
        self.assertEqual(self.channels(), [False, True])
        self.assertEqual(self.offer(), [])

    def test_a_channel_on_which_nothing_comes_is_given_up(self) -> None:
        assert self.end.request is not None
        self.end.request.is_dead = True
        self.network.advance(limits.PEER_GONE + 2 * limits.PING_INTERVAL)
        self.assertEqual(self.channels(), [False, True])

    def test_pings_keep_it_alive(self) -> None:
        self.network.advance(3 * limits.PEER_GONE)
        self.assertEqual(self.channels(), [])
        assert self.end.request is not None
        self.assertGreaterEqual(self.end.request.pings, 8)
        self.assertGreaterEqual(self.end.standard.pings, 8)

    def test_it_answers_the_servers_pings(self) -> None:
        assert self.end.request is not None
        self.assertEqual(self.told(self.end.request.control.call(vocabulary.Ping)), [{}])
        self.assertEqual(self.told(self.end.ask(vocabulary.Ping)), [{}])

    def test_it_ends_with_the_session(self) -> None:
        channel = self.end.request
        assert channel is not None
        self.end.standard.close()
        self.pump()
        self.assertTrue(channel.is_closing)
        self.assertEqual(self.channels(), [False])

    def test_after_the_session_it_is_not_opened_again(self) -> None:
        self.lose()
        self.server.shut()
        self.end.standard.close()
        self.network.advance(10 * limits.RECONNECT_LAST)
        self.assertEqual(self.channels(), [False])

    def test_a_loss_takes_the_offer_off_the_screen(self) -> None:
        self.offer()
        self.lose()
        self.assertEqual(self.notes.of(AskedOver), [AskedOver(BOB, "gone")])


class ListenTests(ChannelStories, AliceTestCase):
    """The server listens, we connect."""

    how, port = "listen", None

    def test_a_port_that_nobody_listens_on_is_tried_again_and_we_are_on_line(self) -> None:
        self.again(lambda: self.server.network.ports.pop(REQUEST))
        self.assertTrue(self.alice.is_online)
        self.assertEqual(self.channels(), [False])
        self.assertIn("refused", self.notes.last(Problem).what)
        self.server.listen()
        self.network.advance(limits.RECONNECT_FIRST)
        self.assertEqual(self.channels(), [False, True])

    def test_another_server_there_gets_no_proof(self) -> None:
        def impostor() -> None:
            real = self.server.network.ports[STANDARD]
            self.server.listen(Authority().credentials())
            self.server.network.ports[STANDARD] = real

        self.again(impostor)
        self.assertEqual(self.channels(), [False])
        self.assertIsNone(self.end.request)
        self.assertIn("not the server you know", self.notes.last(Problem).what)

    # Promise R23
    def test_a_port_that_never_answers_does_not_keep_us_off_line(self) -> None:
        mute = Factory.forProtocol(Protocol)
        self.again(lambda: self.server.network.ports.update({REQUEST: mute}))
        self.assertEqual(self.notes.of(Online), [])
        self.network.advance(limits.LOGIN_DEADLINE)
        self.assertEqual(len(self.notes.of(Online)), 1)

    def mute(self) -> None:
        """The first attempt at a request channel takes its whole deadline."""
        mute = Factory.forProtocol(Protocol)
        self.again(lambda: self.server.network.ports.update({REQUEST: mute}))

    def check_never_on_line(self) -> None:
        self.assertEqual(self.notes.of(Online) + self.notes.of(Availability), [])
        self.assertEqual(self.end.said("available"), [])

    def test_who_leaves_during_the_first_attempt_was_never_on_line(self) -> None:
        self.mute()
        self.told(self.alice.log_out())
        self.network.advance(limits.LOGIN_DEADLINE)
        self.assertEqual((self.person.done, self.end.said("logout")), ([None], [None]))
        self.check_never_on_line()

    def test_an_attempt_that_is_called_off_settles_nothing(self) -> None:
        self.mute()
        daemon, settled = self.person.client._daemon, list[bool]()
        daemon._settled = lambda: settled.append(True)
        daemon.stop()
        self.network.advance(2 * limits.LOGIN_DEADLINE)
        self.assertEqual(settled, [])

    def test_nor_who_is_still_saying_goodbye_when_it_ends(self) -> None:
        self.mute()
        self.ask()
        self.peer("callee").open()
        self.grant()
        self.assertEqual(self.alice.peer, BOB)
        self.network.advance(limits.LOGIN_DEADLINE - 1)
        self.end.relay = lambda run: None
        self.told(self.alice.log_out())
        self.network.advance(limits.LOGIN_DEADLINE)
        self.assertEqual(self.person.done, [None])
        self.check_never_on_line()


class DialTests(ChannelStories, AliceTestCase):
    """We listen, the server connects."""

    how, port = "dial", limits.DIAL_PORT

    def test_the_port_is_the_one_that_the_server_may_dial(self) -> None:
        self.again(lambda: None)
        self.assertEqual(self.end.said("dial"), [limits.DIAL_PORT])

    def test_a_server_that_may_dial_any_port_is_told_a_free_one(self) -> None:
        self.again(lambda: setattr(self.server, "dial_port", 0))
        (port,) = self.end.said("dial")
        self.assertNotIn(port, (0, limits.DIAL_PORT))
        self.assertEqual(
            self.notes.last(RequestChannelState), RequestChannelState(True, "dial", port)
        )

    def test_nobody_can_connect_once_the_channel_stands(self) -> None:
        self.assertNotIn(limits.DIAL_PORT, self.network.ports)

    def test_a_server_that_does_not_dial_is_not_asked_again_and_again(self) -> None:
        self.again(lambda: setattr(self.server, "dial_port", None))
        self.assertEqual(self.channels(), [False])
        self.assertEqual(self.notes.last(Problem).code, NotDialled.code)
        self.network.advance(5 * limits.RECONNECT_LAST)
        self.assertEqual((self.channels(), self.end.said("dial")), ([False], []))

    def test_a_port_that_is_taken_is_a_problem_and_tried_again(self) -> None:
        taken = Factory.forProtocol(Protocol)
        self.again(lambda: self.server.network.ports.update({limits.DIAL_PORT: taken}))
        problem = self.notes.last(Problem)
        self.assertEqual(problem.what, f"port {limits.DIAL_PORT} on this machine is taken")
        self.assertIn("--request listen", problem.hint)
        del self.network.ports[limits.DIAL_PORT]
        self.network.advance(limits.RECONNECT_FIRST)
        self.assertEqual(self.channels(), [False, True])

    def stranger(self, source: str = HOST) -> Wire:
        """Somebody connects to our port, if it is open, and says nothing."""
        endpoint = self.network.client_endpoint(limits.DIAL_PORT, source)
        endpoint.connect(Factory.forProtocol(Protocol)).addErrback(lambda _: None)
        return self.network.wires[-1]

    # Promise T18
    def test_only_the_servers_address_may_come(self) -> None:
        self.server.dial_after = 2.0
        self.lose()
        self.network.advance(limits.RECONNECT_FIRST)
        strangers = [self.stranger(source) for source in ("203.0.113.9", "192.0.2.10", "x")]
        self.pump()
        self.assertEqual([one.server.connected for one in strangers], [False] * 3)
        self.network.advance(self.server.dial_after)
        self.assertEqual(self.channels(), [False, True])

    def test_both_spellings_of_an_address_are_one(self) -> None:
        self.server.address = f"::ffff:{HOST}"
        self.lose()
        self.network.advance(limits.RECONNECT_FIRST)
        self.assertEqual(self.channels(), [False, True])

    def test_strangers_are_let_in_one_at_a_time(self) -> None:
        self.server.dial_after = 2.0
        self.lose()
        self.network.advance(limits.RECONNECT_FIRST)
        first, second = self.stranger(), self.stranger()
        self.pump()
        self.assertTrue(first.server.connected)
        self.assertFalse(second.server.connected)

    # Promise T19
    def test_a_stranger_who_takes_the_place_is_gone_before_long(self) -> None:
        self.server.dial_after = 2.0
        self.lose()
        self.network.advance(limits.RECONNECT_FIRST)
        stranger = self.stranger()
        self.network.advance(self.server.dial_after)
        self.assertEqual(self.channels(), [False, False])
        self.network.advance(2 * limits.LOGIN_DEADLINE)
        self.assertFalse(stranger.server.connected)
        self.assertEqual(self.channels(), [False, False, True])

    def test_a_line_that_goes_during_the_first_attempt_is_told_once(self) -> None:
        self.again(lambda: setattr(self.server, "dial", lambda port, dialled: None))
        self.assertEqual(self.end.said("dial"), [limits.DIAL_PORT])
        self.network.wires[0].cut()
        self.pump()
        kinds = [type(event) for event in self.notes.events]
        self.assertEqual(kinds, [Connecting, Offline])
        self.assertNotIn(limits.DIAL_PORT, self.network.ports)

    def test_a_server_that_says_it_dialled_and_did_not_is_not_believed(self) -> None:
        self.server.dial = lambda port, dialled: dialled.callback({})  # type: ignore[method-assign]
        self.lose()
        self.network.advance(limits.RECONNECT_FIRST)
        self.assertEqual(self.channels(), [False, False])
        self.assertIn("whatever the server says", self.notes.last(Problem).what)


class BackoffTests(SynchronousTestCase):
    def test_waits_grow_to_a_limit_and_begin_again_after_a_success(self) -> None:
        backoff = Backoff(lambda: 0.0)
        waits = [backoff.failed() for _ in range(200)]
        self.assertEqual(waits[0], limits.RECONNECT_FIRST)
        self.assertAlmostEqual(waits[1], limits.RECONNECT_FIRST * limits.RECONNECT_FACTOR)
        self.assertEqual(waits[-1], limits.RECONNECT_LAST)
        self.assertEqual(backoff.failures, 200)
        backoff.succeeded()
        self.assertEqual(backoff.failed(), limits.RECONNECT_FIRST)

    def test_a_share_of_each_wait_is_random(self) -> None:
        wait = Backoff(lambda: 0.5).failed()
        self.assertAlmostEqual(wait, limits.RECONNECT_FIRST * (1 - limits.RECONNECT_JITTER / 2))
