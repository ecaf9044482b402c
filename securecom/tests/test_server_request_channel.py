"""The request channel: proven by the session key, both ways, listened for or dialled."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, peers, refusals, tls, vocabulary
from securecom.identity import Name
from securecom.tests.support.memory_server import ManualClient, ManualConnection, MemoryServer
from securecom.vocabulary import Fact


class ChannelCases(SynchronousTestCase):
    """Run over both ways in which a request channel comes to be."""

    server: MemoryServer
    client: ManualClient

    def open(self) -> ManualConnection:
        """A request channel that has proven nothing yet."""
        raise NotImplementedError

    def prove(self, channel: ManualConnection, **proof: bytes) -> Any:
        """Send a proof."""
        answer = channel.control.call(vocabulary.ProveSession, **proof)
        self.server.network.pump()
        return answer

    def refused(self, channel: ManualConnection, **proof: bytes) -> None:
        """The proof is refused, the channel ends, the person cannot be asked."""
        self.failureResultOf(self.prove(channel, **proof), refusals.BadProof)
        self.server.network.advance(limits.CLOSE_DEADLINE)
        self.assertIsNotNone(channel.lost_reason)
        self.assertFalse(self.session().reachable)

    def session(self) -> Any:
        """The server's side of the client's log-in."""
        return self.server.reception.sessions._by_name[Name("alice")]

    def test_proof(self) -> None:
        """The server proves that it has the key too, on this connection."""
        channel = self.open()
        answer = self.successResultOf(self.prove(channel, **self.client.proof(channel)))
        key = peers.request_key(self.client.standard.tls)
        binding = peers.request_binding(channel.tls)
        self.assertEqual(answer["proof"], peers.mac(key, b"server", binding))
        self.assertTrue(self.session().reachable)

    # Promise T5
    def test_wrong_key(self) -> None:
        channel = self.open()
        proof = self.client.proof(channel)
        proof["proof"] = peers.mac(bytes(32), b"daemon", peers.request_binding(channel.tls))
        self.refused(channel, **proof)

    # Promise T5
    def test_proof_for_another_connection(self) -> None:
        """A replayed proof is bound to where it was first sent."""
        other = self.client.open_request_channel()
        replayed = self.client.proof(other)
        self.refused(self.open(), **replayed)

    def test_servers_own_proof_sent_back(self) -> None:
        channel = self.open()
        key = peers.request_key(self.client.standard.tls)
        binding = peers.request_binding(channel.tls)
        proof = self.client.proof(channel)
        proof["proof"] = peers.mac(key, b"server", binding)
        self.refused(channel, **proof)

    def test_bad_proof_then_a_good_one(self) -> None:
        """In one write: there is one try."""
        channel = self.open()
        good = self.client.proof(channel)
        bad = {**good, "proof": bytes(32)}
        answers = [channel.control.call(vocabulary.ProveSession, **proof) for proof in (bad, good)]
        self.server.network.pump()
        for answer in answers:
            self.failureResultOf(answer, refusals.BadProof)
        self.assertFalse(self.session().reachable)

    def test_unknown_session(self) -> None:
        channel = self.open()
        proof = self.client.proof(channel)
        proof["session"] = bytes(16)
        self.refused(channel, **proof)

    def test_nothing_but_the_proof_first(self) -> None:
        """A ping ends it."""
        channel = self.open()
        answer = channel.control.call(vocabulary.Ping)
        self.server.network.pump()
        self.failureResultOf(answer, ConnectionLost)

    def test_deadline(self) -> None:
        """Who proves nothing is cut."""
        channel = self.open()
        self.server.network.advance(limits.LOGIN_DEADLINE - 1)
        self.assertIsNone(channel.lost_reason)
        self.server.network.advance(2)
        self.assertIsNotNone(channel.lost_reason)

    def test_ends_with_the_standard_channel(self) -> None:
        channel = self.open()
        self.prove(channel, **self.client.proof(channel))
        self.client.standard.close()
        self.server.network.advance(limits.CLOSE_DEADLINE)
        self.assertIsNotNone(channel.lost_reason)

    def test_second_proof_on_one_channel(self) -> None:
        channel = self.open()
        self.prove(channel, **self.client.proof(channel))
        self.refused(channel, **self.client.proof(channel))

    def test_silence(self) -> None:
        """A channel that a NAT forgot is noticed."""
        channel = self.open()
        self.prove(channel, **self.client.proof(channel))
        for _ in range(4):
            self.server.network.advance(limits.PING_INTERVAL)
            self.client.ask(vocabulary.Ping)
        self.assertFalse(self.session().reachable)

    def test_asked_over_it(self) -> None:
        channel = self.open()
        self.prove(channel, **self.client.proof(channel))
        self.client.done(self.client.ask(vocabulary.SetAvailability, available=True))
        bob = self.server.client("bob")
        asked = bob.ask(vocabulary.RequestChat, callee=Name("alice"))
        self.client.answer("accept")
        self.assertEqual(bob.done(asked)["role"], "caller")


class ListenTests(ChannelCases):
    """The daemon role connects to the server's request port."""

    def setUp(self) -> None:
        self.server = MemoryServer()
        self.client = ManualClient(self.server, self.server.enrolled("alice"))
        self.client.log_in()

    def open(self) -> ManualConnection:
        return self.client.open_request_channel()

    def test_newer_channel_replaces(self) -> None:
        """A daemon role that lost its connection comes back before the server noticed."""
        first = self.client.prove()
        second = self.client.prove()
        self.server.network.advance(limits.CLOSE_DEADLINE)
        self.assertIsNotNone(first.lost_reason)
        self.assertIsNone(second.lost_reason)
        self.assertTrue(self.session().reachable)

    def test_standard_channel_client_on_this_port(self) -> None:
        """Its ALPN is not this port's."""
        options = tls.standard_client(self.client.identity, self.server.pin)
        _, channel = self.client.connect(options, tls.ALPN_STANDARD, self.server.request)
        self.assertIsNotNone(channel.lost_reason)


class DialTests(ChannelCases):
    """The server dials the daemon role; TLS roles are unchanged."""

    def setUp(self) -> None:
        self.server = MemoryServer()
        self.client = ManualClient(self.server, self.server.enrolled("alice"))
        self.client.log_in()
        self.answers: list[Any] = []
        self.channels: list[ManualConnection] = []

    def listen(self, port: int) -> None:
        """The daemon role listens."""
        network = self.server.network

        def build() -> ManualConnection:
            self.channels.append(ManualConnection(self.client, tls.ALPN_REQUEST))
            return self.channels[-1]

        inner = Factory.forProtocol(build)
        options = tls.request_client(self.server.pin)
        network.ports[port] = TLSMemoryBIOFactory(options, True, inner, network.clock)

    def open(self) -> ManualConnection:
        self.listen(4242)
        self.answers.append(self.client.ask(vocabulary.DialMe, port=4242))
        return self.channels[-1]

    def test_the_person_is_told_how_it_came(self) -> None:
        """In what the server holds about them."""
        channel = self.open()
        self.prove(channel, **self.client.proof(channel))
        facts = self.client.done(self.client.ask(vocabulary.MyData, further=False))["facts"]
        self.assertIn(Fact("session", "request channel", "opened by the server"), facts)

    def tearDown(self) -> None:
        for answer in self.answers:
            answer.addErrback(lambda _: None)

    def test_answered_when_proven(self) -> None:
        channel = self.open()
        self.assertNoResult(self.answers[0])
        self.prove(channel, **self.client.proof(channel))
        self.assertEqual(self.successResultOf(self.answers[0]), {})

    def test_refused_proof_is_told(self) -> None:
        channel = self.open()
        proof = {**self.client.proof(channel), "proof": bytes(32)}
        self.failureResultOf(self.prove(channel, **proof), refusals.BadProof)
        self.server.network.advance(limits.CLOSE_DEADLINE)
        self.failureResultOf(self.answers[0], refusals.NotDialling)

    # Promise T85
    def test_only_to_the_clients_own_address(self) -> None:
        """Where its standard channel comes from, whatever it would like."""
        self.open()
        self.assertEqual(self.server.dialled, [("192.0.2.1", 4242)])

    # Promise T85
    def test_only_the_operators_port(self) -> None:
        self.listen(22)
        self.failureResultOf(self.client.ask(vocabulary.DialMe, port=22), refusals.NotDialling)
        self.assertEqual(self.server.dialled, [])

    def test_no_dialling(self) -> None:
        server = MemoryServer(dial=None)
        client = ManualClient(server, server.enrolled("alice"))
        client.log_in()
        self.failureResultOf(client.ask(vocabulary.DialMe, port=4242), refusals.NotDialling)
        self.assertEqual(server.dialled, [])

    # Promise T85
    def test_any_port_is_for_this_machine_only(self) -> None:
        """An operator's 0 serves tests and demos, not the network."""
        server = MemoryServer(dial=0)
        for source, dialled in (("192.0.2.1", []), ("127.0.0.1", [("127.0.0.1", 5555)])):
            client = ManualClient(server, server.enrolled("u" + source), source)
            client.log_in()
            self.failureResultOf(client.ask(vocabulary.DialMe, port=5555), refusals.NotDialling)
            self.assertEqual(server.dialled, dialled)

    def test_this_machine_over_ipv6_or_a_socket_for_both_families(self) -> None:
        for source in ("::1", "::ffff:127.0.0.1", "::ffff:192.0.2.1", "2001:db8::1"):
            server = MemoryServer(dial=0)
            client = ManualClient(server, server.enrolled("alice"), source)
            client.log_in()
            client.ask(vocabulary.DialMe, port=5555).addErrback(lambda _: None)
            local = source in ("::1", "::ffff:127.0.0.1")
            self.assertEqual(server.dialled, [(source, 5555)] if local else [], source)

    def test_nobody_listens(self) -> None:
        self.failureResultOf(self.client.ask(vocabulary.DialMe, port=4242), refusals.NotDialling)

    def test_one_at_a_time(self) -> None:
        self.open()
        self.failureResultOf(self.client.ask(vocabulary.DialMe, port=4242), refusals.NotDialling)

    def test_another_sessions_proof(self) -> None:
        """Who was dialled must be who asked to be."""
        bob = ManualClient(self.server, self.server.enrolled("bob"))
        bob.log_in()
        channel = self.open()
        self.refused(channel, **bob.proof(channel))

    def test_again_after_a_failure(self) -> None:
        self.failureResultOf(self.client.ask(vocabulary.DialMe, port=4242), refusals.NotDialling)
        channel = self.open()
        self.prove(channel, **self.client.proof(channel))
        self.assertEqual(self.successResultOf(self.answers[0]), {})


del ChannelCases  # its cases run in the two above
