"""Who must be at the other end, and what an impostor meets; over real handshakes in memory."""

from __future__ import annotations

import struct
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL, crypto
from twisted.trial.unittest import SynchronousTestCase

from securecom import tls
from securecom.errors import PeerKeyChanged, ServerMismatch, TLSRefused, WireError
from securecom.identity import Identity, server_fingerprint, server_id
from securecom.testing import Wire
from securecom.tests.certificates import Authority, bad_servers, self_signed
from securecom.tests.pairs import NetworkCase, Plain, PlainTLS, Recorder
from securecom.tests.test_identity import (
    issued_by_another,
    self_signed_over,
    small_order_certificate,
    tampered,
)

EXPORTERS = (tls.session_id, tls.request_key, tls.request_binding, tls.chat_binding)
OLD, NEW = SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION


class TLSCase(NetworkCase):
    """Joins a client and a server, each of them ours or a stranger, and lets TLS run."""

    def ours(self) -> Recorder:
        return Recorder(self.clock)

    def meet(self, client: Any, client_tls: Any, server: Any, server_tls: Any) -> Wire:
        wire = self.join(client, client_tls, server, server_tls)
        self.network.pump()
        return wire

    def client_tls(self) -> tls.TLSOptions:
        return tls.standard_client(self.identity, self.pin)

    def server_tls(self) -> tls.TLSOptions:
        return tls.standard_server(self.credentials)

    def assert_refused(self, end: Recorder, kind: type[Exception], why: str = "") -> None:
        self.assertIsInstance(end.end, kind)
        self.assertIn(why, str(end.end))
        self.assertEqual((end.is_secured, end.protocols), (False, []))

    def assert_alerted(self, end: Recorder) -> None:
        """It learns that TLS failed, and not more."""
        self.assertIsInstance(end.end, SSL.Error)

    def impostor(self, credentials: tls.Credentials) -> PlainTLS:
        """A server that shows these, and knows our ALPN."""
        chain = [credentials.certificate] + [credentials.ca] * (credentials.ca is not None)
        return PlainTLS(chain=[one for one in chain if one], key=credentials.key)


class GoodHandshakeTests(TLSCase):
    def test_standard_channel(self) -> None:
        client, server = self.ours(), self.ours()
        self.meet(client, self.client_tls(), server, self.server_tls())
        self.assertEqual((client.protocols, server.protocols), ([tls.ALPN_STANDARD],) * 2)
        self.assertEqual(tls.peer_key(server.tls), self.identity.public_key)

    def test_enrolment_is_the_same_port(self) -> None:
        client, server = self.ours(), self.ours()
        client_tls = tls.enrol_client(self.identity, self.pin)
        self.meet(client, client_tls, server, self.server_tls())
        self.assertEqual((client.protocols, server.protocols), ([tls.ALPN_ENROL],) * 2)
        self.assertEqual(tls.peer_key(server.tls), self.identity.public_key)

    def test_request_channel_needs_no_certificate_of_the_client(self) -> None:
        client, server = self.ours(), self.ours()
        client_tls = tls.request_client(self.pin)
        self.meet(client, client_tls, server, tls.request_server(self.credentials))
        self.assertEqual((client.protocols, server.protocols), ([tls.ALPN_REQUEST],) * 2)
        self.assertRaises(WireError, tls.peer_key, server.tls)

    def test_chat(self) -> None:
        caller, callee = Identity.generate(), Identity.generate()
        here, there = self.ours(), self.ours()
        here_tls = tls.chat_end(caller, callee.public_key)
        self.meet(here, here_tls, there, tls.chat_end(callee, caller.public_key))
        self.assertEqual((here.protocols, there.protocols), ([tls.ALPN_CHAT],) * 2)
        self.assertEqual(tls.peer_key(here.tls), callee.public_key)
        self.assertEqual(tls.peer_key(there.tls), caller.public_key)

    def test_of_two_offers_the_server_prefers_its_first(self) -> None:
        offers = (tls.ALPN_ENROL, tls.ALPN_STANDARD)
        client_tls = tls.TLSOptions(offers, tls.Credentials.of(self.identity), None)
        server = self.ours()
        self.meet(self.ours(), client_tls, server, self.server_tls())
        self.assertEqual(server.protocols, [tls.ALPN_STANDARD])


class PinnedServerTests(TLSCase):
    def test_every_bad_certificate(self) -> None:
        for case, (credentials, why) in bad_servers(self.authority).items():
            client, server = self.ours(), self.ours()
            self.meet(client, self.client_tls(), server, tls.standard_server(credentials))
            self.assert_refused(client, ServerMismatch, why)
            self.assert_alerted(server)
            self.assertFalse(server.is_secured, case)

    def test_the_channels_of_the_daemon_role_and_of_enrolment_check_the_same(self) -> None:
        forged = bad_servers(self.authority)["forged"][0]
        for client_tls, server_tls in (
            (tls.request_client(self.pin), tls.request_server(forged)),
            (tls.enrol_client(self.identity, self.pin), tls.standard_server(forged)),
        ):
            client = self.ours()
            self.meet(client, client_tls, self.ours(), server_tls)
            self.assert_refused(client, ServerMismatch, "signature")

    def test_the_reason_names_both_fingerprints(self) -> None:
        other = Authority()
        client, server = self.ours(), self.ours()
        self.meet(client, self.client_tls(), server, tls.standard_server(other.credentials()))
        for ident in (self.pin, server_id(other.certificate)):
            self.assertIn(server_fingerprint(ident), str(client.end))

    def test_an_intermediate_with_its_root(self) -> None:
        below = Authority(parent=self.authority, name="an intermediate")
        leaf = below.credentials()
        chain = (leaf.certificate, below.certificate, self.authority.certificate)
        client = self.ours()
        self.meet(client, self.client_tls(), Plain(), PlainTLS(chain=chain, key=leaf.key))
        self.assert_refused(client, ServerMismatch, "its CA is not the one that issued it")

    def test_an_intermediate_that_the_root_allows(self) -> None:
        root = Authority(depth=3)
        below = Authority(parent=root, name="an intermediate")
        leaf = below.credentials()
        chain = (leaf.certificate, below.certificate, root.certificate)
        client_tls = tls.standard_client(self.identity, server_id(root.certificate))
        client = self.ours()
        self.meet(client, client_tls, Plain(), PlainTLS(chain=chain, key=leaf.key))
        self.assert_refused(client, ServerMismatch)

    def test_the_pinned_ca_once_it_has_expired(self) -> None:
        stale = Authority(days=(-9, -1))
        client_tls = tls.standard_client(self.identity, server_id(stale.certificate))
        client = self.ours()
        self.meet(client, client_tls, self.ours(), tls.standard_server(stale.credentials()))
        self.assert_refused(client, ServerMismatch, "CA does not verify")

    def test_a_certificate_of_the_leafs_own_that_is_pinned_is_still_no_leaf(self) -> None:
        alone = self_signed()
        client_tls = tls.standard_client(self.identity, server_id(alone.certificate))
        client = self.ours()
        self.meet(client, client_tls, self.ours(), tls.standard_server(alone))
        self.assert_refused(client, ServerMismatch, "self-signed")

    def test_a_server_that_has_the_name_among_others(self) -> None:
        names = ("chat.example.org", tls.SERVER_NAME)
        client, server = self.ours(), self.ours()
        credentials = self.authority.credentials(names=names)
        self.meet(client, self.client_tls(), server, tls.standard_server(credentials))
        self.assertTrue(client.is_secured and server.is_secured)

    def test_a_leaf_is_checked_again_by_its_own_text(self) -> None:
        """Whatever OpenSSL says, a leaf for another name, or for no servers, does not pass."""
        check = tls.pinned_server(self.pin)
        cases = bad_servers(self.authority)
        for case in ("no name", "wrong name", "no usage", "for clients", "a CA itself"):
            self.assertRaises(ServerMismatch, check, cases[case][0].certificate, 0, 0)
        check(self.credentials.certificate, 0, 0)
        self.assertRaises(ServerMismatch, check, self.credentials.certificate, 99, 0)
        self.assertRaises(ServerMismatch, check, self.credentials.certificate, 0, 2)


class IdentityTests(TLSCase):
    """What a client may show to the server, which looks its key up only afterwards."""

    def show(self, *chain: x509.Certificate, key: Any) -> tuple[Plain, Recorder]:
        client, server = Plain(), self.ours()
        self.meet(client, PlainTLS(chain=chain, key=key), server, self.server_tls())
        self.assertEqual(server.is_secured, not server.losses)
        return client, server

    def test_an_identity(self) -> None:
        identity = Identity.generate()
        _, server = self.show(identity.certificate, key=identity.private_key)
        self.assertEqual(tls.peer_key(server.tls), identity.public_key)

    def test_no_certificate(self) -> None:
        client, server = Plain(), self.ours()
        self.meet(client, PlainTLS(), server, self.server_tls())
        self.assert_alerted(server)
        self.assertTrue(client.is_lost)
        self.assertFalse(server.is_secured)

    def test_keys_of_other_kinds(self) -> None:
        for key in (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())):
            client, server = self.show(self_signed_over(key), key=key)
            self.assert_refused(server, WireError, "without an Ed25519 key")
            self.assertTrue(client.is_lost)

    def test_a_certificate_that_somebody_else_issued(self) -> None:
        key, certificate, ca = issued_by_another()
        for chain, why in (((certificate,), "somebody else"), ((certificate, ca), "a chain")):
            _, server = self.show(*chain, key=key)
            self.assert_refused(server, WireError, why)

    def test_a_certificate_that_came_along_for_nothing_is_not_looked_at(self) -> None:
        identity, ca = Identity.generate(), Authority().certificate
        _, server = self.show(identity.certificate, ca, key=identity.private_key)
        self.assertEqual(tls.peer_key(server.tls), identity.public_key)

    def test_a_bad_signature(self) -> None:
        identity = Identity.generate()
        _, server = self.show(tampered(identity.certificate), key=identity.private_key)
        self.assert_refused(server, WireError, "bad signature")

    def test_a_key_of_small_order(self) -> None:
        certificate = small_order_certificate()
        error = self.assertRaises(WireError, tls.any_identity, certificate, 18, 0)
        self.assertIn("small order", str(error))

    def test_a_certificate_that_cannot_be_read(self) -> None:
        """OpenSSL takes an X.509 version that does not exist; our library does not."""
        identity = Identity.generate()
        der = identity.certificate.public_bytes(Encoding.DER)
        broken = der.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020109"), 1)
        self.assertNotEqual(broken, der)
        client, server = Plain(), self.ours()
        client_tls = PlainTLS(chain=(identity.certificate,), key=identity.private_key)
        client_tls.context.use_certificate(crypto.load_certificate(crypto.FILETYPE_ASN1, broken))
        self.meet(client, client_tls, server, self.server_tls())
        self.assert_refused(server, WireError, "cannot be read")
        self.assertEqual(self.flushLoggedErrors(), [])


class ExactKeyTests(TLSCase):
    """A chat's ends, each of which expects one key."""

    def setUp(self) -> None:
        super().setUp()
        self.caller, self.callee, self.eve = (Identity.generate() for _ in range(3))

    def chat(self, caller: tls.TLSOptions, callee: tls.TLSOptions) -> tuple[Recorder, Recorder]:
        here, there = self.ours(), self.ours()
        self.meet(here, caller, there, callee)
        return here, there

    def test_an_impostor_as_callee_sees_nothing_of_the_caller(self) -> None:
        seen: list[x509.Certificate] = []

        def look(certificate: x509.Certificate, error: int, depth: int) -> None:
            seen.append(certificate)

        eve = tls.TLSOptions((tls.ALPN_CHAT,), tls.Credentials.of(self.eve), look)
        here, there = self.chat(tls.chat_end(self.caller, self.callee.public_key), eve)
        self.assert_refused(here, PeerKeyChanged, "not the one expected")
        self.assert_alerted(there)
        self.assertEqual(seen, [])

    def test_an_impostor_as_caller(self) -> None:
        eve = tls.chat_end(self.eve, self.callee.public_key)
        here, there = self.chat(eve, tls.chat_end(self.callee, self.caller.public_key))
        self.assert_refused(there, PeerKeyChanged, "not the one expected")
        self.assertIsInstance(here.end, SSL.Error)

    def test_our_own_key_sent_back_to_us(self) -> None:
        mirror = tls.chat_end(self.caller, self.eve.public_key)
        here, _ = self.chat(tls.chat_end(self.caller, self.callee.public_key), mirror)
        self.assert_refused(here, PeerKeyChanged, "our own key")

    def test_our_own_key_even_where_it_is_expected(self) -> None:
        own = tls.chat_end(self.caller, self.caller.public_key)
        here, _ = self.chat(own, own)
        self.assert_refused(here, PeerKeyChanged, "our own key")

    def test_the_right_key_in_a_certificate_that_another_made(self) -> None:
        key, certificate, ca = issued_by_another()
        check = tls.exactly(Identity(key).public_key, self.caller.public_key)
        self.assertRaises(WireError, check, certificate, 20, 0)
        self.assertRaises(WireError, check, ca, 19, 1)

    def test_no_certificate(self) -> None:
        callee = tls.chat_end(self.callee, self.caller.public_key)
        there = self.ours()
        self.meet(Plain(), PlainTLS(alpn=(tls.ALPN_CHAT,)), there, callee)
        self.assert_alerted(there)
        self.assertFalse(there.is_secured)


class ForeignPeerTests(TLSCase):
    """TLS that works, but is not as securecom's must be."""

    def client_of_ours(self, server_tls: PlainTLS) -> tuple[Recorder, Plain]:
        client, server = self.ours(), Plain()
        self.meet(client, self.client_tls(), server, server_tls)
        return client, server

    def server_of_ours(self, client_tls: PlainTLS) -> tuple[Recorder, Plain]:
        client, server = Plain(), self.ours()
        self.meet(client, client_tls, server, self.server_tls())
        self.assertTrue(client.is_lost)
        return server, client

    def stranger(self, **how: Any) -> PlainTLS:
        """A client with a good identity certificate."""
        own = Identity.generate()
        return PlainTLS(chain=(own.certificate,), key=own.private_key, **how)

    def host(self, **how: Any) -> PlainTLS:
        """A server with a good certificate."""
        credentials = self.authority.credentials()
        chain = (credentials.certificate, self.authority.certificate)
        return PlainTLS(chain=chain, key=credentials.key, **how)

    def test_the_stranger_is_refused_for_nothing_else(self) -> None:
        server = self.ours()
        self.meet(Plain(), self.stranger(), server, self.server_tls())
        self.assertTrue(server.is_secured)
        client, _ = self.client_of_ours(self.host())
        self.assertTrue(client.is_secured)

    def test_no_alpn(self) -> None:
        server, _ = self.server_of_ours(self.stranger(alpn=()))
        self.assert_refused(server, TLSRefused, "ALPN")

    def test_a_server_that_knows_no_alpn(self) -> None:
        host = self.host()
        host.context.set_alpn_select_callback(lambda *_: SSL.NO_OVERLAPPING_PROTOCOLS)
        client, server = self.client_of_ours(host)
        self.assert_refused(client, TLSRefused, "ALPN")
        self.assertTrue(server.is_lost)

    def test_the_alpn_of_another_use(self) -> None:
        for alpn in (tls.ALPN_REQUEST, tls.ALPN_CHAT, b"h2"):
            server, _ = self.server_of_ours(self.stranger(alpn=(alpn,)))
            self.assert_refused(server, TLSRefused, "ALPN")

    def test_a_log_in_or_an_enrolment_on_the_request_port(self) -> None:
        for client_tls in (self.client_tls(), tls.enrol_client(self.identity, self.pin)):
            client, server = self.ours(), self.ours()
            self.meet(client, client_tls, server, tls.request_server(self.credentials))
            self.assert_refused(client, TLSRefused, "ALPN")  # it is the first to know
            self.assertEqual((server.is_secured, len(server.losses)), (False, 1))

    def test_a_chat_handshake_that_a_server_relays_to_another_server(self) -> None:
        """Else it could log the caller in elsewhere."""
        caller = tls.chat_end(self.identity, Identity.generate().public_key)
        server = self.ours()
        self.meet(self.ours(), caller, server, self.server_tls())
        self.assertFalse(server.is_secured)

    def test_the_version_before(self) -> None:
        server, _ = self.server_of_ours(self.stranger(newest=OLD))
        self.assert_alerted(server)
        client, _ = self.client_of_ours(self.host(newest=OLD))
        self.assert_alerted(client)

    def test_a_key_agreement_that_is_not_hybrid(self) -> None:
        server, _ = self.server_of_ours(self.stranger(curve=ec.SECP256R1()))
        self.assert_refused(server, TLSRefused, "key agreement")
        client, _ = self.client_of_ours(self.host(curve=ec.SECP256R1()))
        self.assert_refused(client, TLSRefused, "key agreement")

    def test_what_is_checked_after_the_handshake(self) -> None:
        good: dict[str, Any] = {
            "alpn": tls.ALPN_CHAT,
            "version": "TLSv1.3",
            "group": "X25519MLKEM768",
        }
        chat = frozenset({tls.ALPN_CHAT})
        self.assertEqual(tls.check_handshake(finished(**good), chat), tls.ALPN_CHAT)
        bad: list[dict[str, Any]] = [
            {"alpn": b""},
            {"alpn": None},
            {"alpn": tls.ALPN_STANDARD},
            {"version": "TLSv1.2"},
            {"group": "X25519"},
            {"group": None},
        ]
        for wrong in bad:
            self.assertRaises(TLSRefused, tls.check_handshake, finished(**good | wrong), chat)


def finished(alpn: bytes | None, version: str, group: str | None) -> Any:
    """What OpenSSL says about a handshake that it has finished."""

    class Finished:
        def get_alpn_proto_negotiated(self) -> bytes | None:
            return alpn

        def get_protocol_version_name(self) -> str:
            return version

        def get_group_name(self) -> str | None:
            return group

    return Finished()


class ResumptionTests(TLSCase):
    def test_a_session_of_before_is_not_resumed(self) -> None:
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
            self.assertEqual(tls.peer_key(server.tls), own.public_key)
            client_tls.session = client_tls.last.get_session()
            self.assertIsNotNone(client_tls.session)

    def test_a_client_offers_nothing_to_resume(self) -> None:
        client_tls, checked = self.client_tls(), []
        check = tls.pinned_server(self.pin)

        def noting(certificate: x509.Certificate, error: int, depth: int) -> None:
            checked.append(depth)
            check(certificate, error, depth)

        client_tls = tls.TLSOptions((tls.ALPN_STANDARD,), tls.Credentials.of(self.identity), noting)
        for _ in range(2):
            checked.clear()
            self.meet(self.ours(), client_tls, self.ours(), self.server_tls())
            self.assertEqual(set(checked), {0, 1})


def session_reused(connection: SSL.Connection) -> bool:
    """Whether OpenSSL resumed a session."""
    return bool(SSL._lib.SSL_session_reused(connection._ssl))  # type: ignore[attr-defined]


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
        self.assertEqual([len(exporter(here)) for exporter in EXPORTERS], [16, 32, 32, 32])

    def test_labels(self) -> None:
        here, _ = self.handles()
        prefix = b"EXPERIMENTAL-SecureCom/1 "
        for exporter, label in zip(
            EXPORTERS,
            (b"session-id", b"request-key", b"request-binding", b"chat-binding"),
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
        self.assertEqual(tls.mac(b"k" * 32, b"daemon", b"", b"xyz").hex(), known)

    def test_parts_cannot_be_shifted(self) -> None:
        key = b"k" * 32
        macs = [
            tls.mac(key),
            tls.mac(key, b""),
            tls.mac(key, b"ab"),
            tls.mac(key, b"a", b"b"),
            tls.mac(key, b"", b"ab"),
            tls.mac(key, b"ab", b""),
            tls.mac(key, struct.pack("!I", 2) + b"ab"),
            tls.mac(b"K" * 32, b"ab"),
        ]
        self.assertEqual(len(set(macs)), len(macs))

    def test_same(self) -> None:
        self.assertTrue(tls.same(b"ab", b"ab"))
        for one, other in ((b"ab", b"ac"), (b"ab", b"abc"), (b"", b"a")):
            self.assertFalse(tls.same(one, other))
