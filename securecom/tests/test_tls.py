"""TLS as securecom uses it: good handshakes, exporters, no resumption, renewal, verdicts."""

from __future__ import annotations

import gc
import struct
from typing import Any

from cryptography import x509
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, peers, tls
from securecom.errors import PeerKeyChanged, ServerMismatch, WireError
from securecom.identity import Identity
from securecom.tests.support.identity_certificates import tampered
from securecom.tests.support.joined_connections import Plain, PlainTLS, Recorder
from securecom.tests.support.sealed_records import Sealer
from securecom.tests.support.server_certificates import Authority
from securecom.tests.support.tls_case import TLSCase, shake_hands

EXPORTERS = (
    peers.session_id,
    peers.request_key,
    peers.login_binding,
    peers.request_binding,
    peers.chat_binding,
)


class GoodHandshakeTests(TLSCase):
    def test_standard_channel(self) -> None:
        client, server = self.ours(), self.ours()
        self.meet(client, self.client_tls(), server, self.server_tls())
        self.assertEqual((client.protocols, server.protocols), ([tls.ALPN_STANDARD],) * 2)
        self.assertEqual(peers.peer_key(server.tls), self.identity.public_key.first)

    def test_enrolment_is_the_same_port(self) -> None:
        client, server = self.ours(), self.ours()
        client_tls = tls.enrol_client(self.identity, self.pin)
        self.meet(client, client_tls, server, self.server_tls())
        self.assertEqual((client.protocols, server.protocols), ([tls.ALPN_ENROL],) * 2)
        self.assertEqual(peers.peer_key(server.tls), self.identity.public_key.first)

    def test_request_channel_needs_no_certificate_of_the_client(self) -> None:
        client, server = self.ours(), self.ours()
        client_tls = tls.request_client(self.pin)
        self.meet(client, client_tls, server, tls.request_server(self.credentials))
        self.assertEqual((client.protocols, server.protocols), ([tls.ALPN_REQUEST],) * 2)
        self.assertRaises(WireError, peers.peer_key, server.tls)

    def test_chat(self) -> None:
        caller, callee = Identity.generate(), Identity.generate()
        here, there = self.ours(), self.ours()
        here_tls = tls.chat_end(caller, callee.public_key)
        self.meet(here, here_tls, there, tls.chat_end(callee, caller.public_key))
        self.assertEqual((here.protocols, there.protocols), ([tls.ALPN_CHAT],) * 2)
        self.assertEqual(peers.peer_key(here.tls), callee.public_key.first)
        self.assertEqual(peers.peer_key(there.tls), caller.public_key.first)

    def test_chats_of_one_identity_share_a_context_and_no_peer(self) -> None:
        """Whom one chat expects, another does not take."""
        own, first, second = (Identity.generate() for _ in range(3))
        ends = {peer: tls.chat_end(own, peer.public_key) for peer in (first, second)}
        contexts = {end._context for end in ends.values()}
        self.assertEqual(len(contexts), 1)
        self.assertNotIn(tls.chat_end(first, own.public_key)._context, contexts)
        for expected, end in ends.items():
            for peer in (first, second):
                here, there = self.ours(), self.ours()
                self.meet(here, end, there, tls.chat_end(peer, own.public_key))
                if peer is expected:
                    self.assertEqual(here.protocols, [tls.ALPN_CHAT])
                else:
                    self.assert_refused(here, PeerKeyChanged)

    def test_a_context_goes_with_its_identity(self) -> None:
        gc.collect()  # what other tests have left
        before = len(tls._chat_contexts)
        identity = Identity.generate()
        tls.chat_end(identity, self.identity.public_key)
        self.assertEqual(len(tls._chat_contexts), before + 1)
        del identity
        gc.collect()
        self.assertEqual(len(tls._chat_contexts), before)

    def test_of_two_offers_the_server_prefers_its_first(self) -> None:
        offers = (tls.ALPN_ENROL, tls.ALPN_STANDARD)
        client_tls = tls.TLSOptions(offers, tls.Credentials.of(self.identity), None)
        server = self.ours()
        self.meet(self.ours(), client_tls, server, self.server_tls())
        self.assertEqual(server.protocols, [tls.ALPN_STANDARD])


class ResumptionTests(TLSCase):
    # Promise T4
    def test_an_earlier_tls_session_is_not_resumed(self) -> None:
        """On resumption the verify callback would not run."""
        own = Identity.generate()
        client_tls = PlainTLS(chain=(own.certificate,), key=own.private_key)
        server_tls = self.server_tls()
        for _ in range(2):
            client, server = Plain(), self.ours()
            self.meet(client, client_tls, server, server_tls)
            server.send(b"some bytes, so that what the server says after the handshake is read")
            self.network.pump()
            self.assertTrue(client.received)
            assert client_tls.last is not None
            self.assertFalse(session_reused(client_tls.last))
            self.assertEqual(peers.peer_key(server.tls), own.public_key.first)
            client_tls.session = client_tls.last.get_session()
            self.assertIsNotNone(client_tls.session)

    def test_a_client_offers_nothing_to_resume(self) -> None:
        client_tls, checked = self.client_tls(), []
        check = peers.pinned_server(self.pin)

        def noting(certificate: x509.Certificate, error: int, depth: int) -> None:
            checked.append(depth)
            check(certificate, error, depth)

        client_tls = tls.TLSOptions((tls.ALPN_STANDARD,), tls.Credentials.of(self.identity), noting)
        for _ in range(2):
            checked.clear()
            self.meet(self.ours(), client_tls, self.ours(), self.server_tls())
            self.assertEqual(set(checked), {0, 1})

    # Promise R110
    def test_tickets_of_the_other_side_change_nothing(self) -> None:
        """OpenSSL's servers send two unless told otherwise; another library's may, too."""
        server_tls, client, server = self.impostor(self.credentials), self.ours(), Plain()
        states: list[bytes] = []
        server_tls.context.set_info_callback(
            lambda connection, where, code: states.append(connection.get_state_string())
        )
        self.meet(client, self.client_tls(), server, server_tls)
        self.assertIn(b"SSLv3/TLS write session ticket", states)
        self.assertEqual(client.protocols, [tls.ALPN_STANDARD])
        client.send(b"and on it goes")
        self.network.pump()
        self.assertEqual((server.received, client.end), (b"and on it goes", None))


def session_reused(connection: SSL.Connection) -> bool:
    """Whether OpenSSL resumed a session."""
    return bool(SSL._lib.SSL_session_reused(connection._ssl))  # type: ignore[attr-defined]


class KeyUpdateTests(TLSCase):
    """A peer that changes its keys without end, which OpenSSL would let it do."""

    def ends(self, options: tls.TLSOptions) -> tuple[SSL.Connection, Sealer]:
        """Our end, and whoever seals what its peer says."""
        lines: list[bytes] = []
        context = PlainTLS(
            chain=(self.identity.certificate,), key=self.identity.private_key
        ).context
        context.set_keylog_callback(lambda _, line: lines.append(line))
        peer, server = SSL.Connection(context, None), options.in_memory(False, self.ours())
        peer.set_alpn_protos([tls.ALPN_STANDARD, tls.ALPN_REQUEST, tls.ALPN_CHAT])
        peer.set_connect_state()
        shake_hands(peer, server)
        tls.check_handshake(server, frozenset({tls.ALPN_STANDARD, tls.ALPN_REQUEST, tls.ALPN_CHAT}))
        secrets = {line.split()[0]: line.split()[2].decode() for line in lines}
        secret = bytes.fromhex(secrets[b"CLIENT_TRAFFIC_SECRET_0"])
        return server, Sealer(str(peer.get_cipher_name()), secret, 0)

    def test_a_servers_tickets_are_none(self) -> None:
        """They count for as much, and come before anybody could change keys."""
        lines: list[bytes] = []
        context = self.impostor(self.credentials).context
        context.set_keylog_callback(lambda _, line: lines.append(line))
        client, server = self.client_tls().in_memory(True, self.ours()), SSL.Connection(context)
        server.set_accept_state()
        shake_hands(client, server)
        tls.check_handshake(client, frozenset({tls.ALPN_STANDARD}))
        server.send(b"with them")
        client.bio_write(server.bio_read(limits.READ_AT_ONCE))
        self.assertEqual(client.recv(100), b"with them")
        secrets = {line.split()[0]: line.split()[2].decode() for line in lines}
        secret = bytes.fromhex(secrets[b"SERVER_TRAFFIC_SECRET_0"])
        sealer = Sealer(str(client.get_cipher_name()), secret, limits.TLS_TICKETS + 1)
        for _ in range(limits.MAX_KEY_UPDATES):
            client.bio_write(sealer.new_key(wants_answer=True))
        client.bio_write(sealer.record(b"as ever"))
        self.assertEqual(client.recv(100), b"as ever")

    # Promise T299
    def test_a_peer_that_changes_keys_without_end_is_cut_off(self) -> None:
        chat = tls.chat_end(Identity.generate(), self.identity.public_key)
        for options in (self.server_tls(), tls.request_server(self.credentials), chat):
            for wants_answer in (False, True):
                end, sealer = self.ends(options)
                for _ in range(limits.MAX_KEY_UPDATES):
                    end.bio_write(sealer.new_key(wants_answer))
                end.bio_write(sealer.record(b"as ever"))
                self.assertEqual(end.recv(100), b"as ever")
                for _ in range(limits.MAX_KEY_UPDATES + limits.TLS_TICKETS + 1):
                    end.bio_write(sealer.new_key(wants_answer))
                end.bio_write(sealer.record(b"never"))
                self.assertRaises(SSL.ZeroReturnError, end.recv, 100)

    def test_nothing_behind_that_is_worked_on(self) -> None:
        """However many come in one piece: none of them costs anything."""
        end, sealer = self.ends(self.server_tls())
        for _ in range(10 * limits.MAX_KEY_UPDATES):
            end.bio_write(sealer.new_key(wants_answer=True))
        self.assertRaises(SSL.ZeroReturnError, end.recv, 100)
        answers = end.bio_read(limits.READ_AT_ONCE)
        self.assertLess(len(answers), (limits.MAX_KEY_UPDATES + 10) * 27)


class ExporterTests(TLSCase):
    def handles(self) -> tuple[SSL.Connection, SSL.Connection]:
        client, server, _ = self.pair()
        return client.tls, server.tls

    def test_both_ends_agree_and_no_two_labels_or_connections_do(self) -> None:
        seen: set[bytes] = set()
        for _ in range(2):
            here, there = self.handles()
            for exporter in EXPORTERS:
                self.assertEqual(exporter(here), exporter(there))
                seen.add(exporter(here)[:16])
        self.assertEqual(len(seen), 2 * len(EXPORTERS))

    def test_lengths(self) -> None:
        here, _ = self.handles()
        self.assertEqual([len(exporter(here)) for exporter in EXPORTERS], [16, 32, 32, 32, 32])

    def test_labels(self) -> None:
        here, _ = self.handles()
        prefix = b"EXPERIMENTAL-SecureCom/2 "
        for exporter, label in zip(
            EXPORTERS,
            (b"session-id", b"request-key", b"login-binding", b"request-binding", b"chat-binding"),
            strict=True,
        ):
            value = exporter(here)
            self.assertEqual(value, here.export_keying_material(prefix + label, len(value), b""))


class RenewalTests(TLSCase):
    def test_new_credentials_for_new_connections_only(self) -> None:
        server_tls = self.server_tls()
        old, _ = self.leaf(server_tls)
        renewed = self.authority.credentials()
        server_tls.renew(renewed)
        new, _ = self.leaf(server_tls)
        self.assertEqual(shown_by(old), self.credentials.certificate)
        self.assertEqual(shown_by(new), renewed.certificate)
        answer = old.ping()
        self.network.pump()
        self.assertEqual(self.successResultOf(answer), {})

    def leaf(self, server_tls: tls.TLSOptions) -> tuple[Recorder, Recorder]:
        client, server = self.ours(), self.ours()
        self.meet(client, self.client_tls(), server, server_tls)
        return client, server


def shown_by(client: Recorder) -> x509.Certificate:
    """The certificate that the client's server showed."""
    certificate = client.tls.get_peer_certificate(as_cryptography=True)
    assert certificate is not None
    return certificate


class VerdictTests(TLSCase):
    def setUp(self) -> None:
        super().setUp()
        self.asked: list[tuple[int, int]] = []

    def noting(self, credentials: tls.Credentials) -> tls.TLSOptions:
        """TLS that lets everybody through, and notes what was asked."""

        def note(certificate: x509.Certificate, error: int, depth: int) -> None:
            self.asked.append((error, depth))

        return tls.TLSOptions((tls.ALPN_STANDARD,), credentials, note)

    def assert_asked(self, client: tls.TLSOptions, server: tls.TLSOptions, *what: Any) -> None:
        self.asked.clear()
        self.meet(self.ours(), client, self.ours(), server)
        self.assertEqual(self.asked, list(what))

    def test_what_passed_with_an_error_is_not_checked_again_without_one(self) -> None:
        """OpenSSL asks again each time; errors 18 and 19 are what is right here."""
        own = tls.Credentials.of(self.identity)
        for _ in range(2):  # and what one connection was told is not the next one's
            self.assert_asked(self.noting(own), self.server_tls(), (19, 1), (0, 0))
            self.assert_asked(self.client_tls(), self.noting(self.credentials), (18, 0))

    def test_another_error_is_checked_all_the_same(self) -> None:
        stale = Authority(days=(-9, -1)).credentials()
        client_tls = self.noting(tls.Credentials.of(self.identity))
        self.assert_asked(client_tls, tls.standard_server(stale), (19, 1), (10, 1), (0, 0))

    def test_a_check_that_breaks_refuses(self) -> None:
        def broken(certificate: x509.Certificate, error: int, depth: int) -> None:
            raise RuntimeError("whatever a hostile certificate breaks")

        client_tls = tls.TLSOptions((tls.ALPN_STANDARD,), tls.Credentials.of(self.identity), broken)
        client = self.ours()
        self.meet(client, client_tls, self.ours(), self.server_tls())
        self.assert_refused(client, WireError, "cannot be read")

    def test_connections_of_one_context_have_their_own_reasons(self) -> None:
        """They share the callback, and handshakes of several are under way at once."""
        server_tls, good, bad = self.server_tls(), self.ours(), self.ours()
        forged, key = tampered(self.identity.certificate), self.identity.private_key
        self.join(Plain(), PlainTLS(chain=[forged], key=key), bad, server_tls)
        self.join(self.ours(), self.client_tls(), good, server_tls)
        self.network.pump()
        self.assert_refused(bad, WireError, "bad signature")
        self.assertRaises(WireError, peers.peer_key, bad.tls)
        self.assertTrue(good.is_secured)
        self.assertEqual(peers.peer_key(good.tls), self.identity.public_key.first)

    def test_a_connection_that_nobody_checks_is_refused(self) -> None:
        """One that was made of the context in another way than ours."""
        server_tls = self.server_tls()
        client = self.client_tls().in_memory(True, self.ours())
        server = SSL.Connection(server_tls._context, None)
        server.set_accept_state()
        with self.assertRaises(SSL.Error):
            shake_hands(client, server)

    def test_the_certificate_is_looked_at_once(self) -> None:
        """The check has found the key, and nobody reads it from there a second time."""
        server = self.ours()
        self.meet(self.ours(), self.client_tls(), server, self.server_tls())
        self.patch(SSL.Connection, "get_peer_certificate", None)
        self.assertEqual(peers.peer_key(server.tls), self.identity.public_key.first)

    def test_the_first_reason_stays(self) -> None:
        client = self.ours()
        first = ServerMismatch("first")
        client.certificate_refused(first)
        client.certificate_refused(ServerMismatch("second"))
        self.assertIs(client.reason, first)


class MacTests(SynchronousTestCase):
    def test_a_known_value(self) -> None:
        """HMAC-SHA256 over the parts, each behind its length; computed with `openssl mac`."""
        known = "afd369fd7cec01c2263aaf33588a5100dce19b770d39a00e3dadfd76641bc9b2"
        self.assertEqual(peers.mac(b"k" * 32, b"daemon", b"", b"xyz").hex(), known)

    def test_parts_cannot_be_shifted(self) -> None:
        key = b"k" * 32
        macs = [
            peers.mac(key),
            peers.mac(key, b""),
            peers.mac(key, b"ab"),
            peers.mac(key, b"a", b"b"),
            peers.mac(key, b"", b"ab"),
            peers.mac(key, b"ab", b""),
            peers.mac(key, struct.pack("!I", 2) + b"ab"),
            peers.mac(b"K" * 32, b"ab"),
        ]
        self.assertEqual(len(set(macs)), len(macs))

    def test_same(self) -> None:
        self.assertTrue(peers.same(b"ab", b"ab"))
        for one, other in ((b"ab", b"ac"), (b"ab", b"abc"), (b"", b"a")):
            self.assertFalse(peers.same(one, other))
