"""Who must be at the other end, and what an impostor meets."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL, crypto

from securecom import peers, tls
from securecom.errors import ClockIsOff, PeerKeyChanged, ServerMismatch, WireError
from securecom.identity import Identity, server_fingerprint, server_id
from securecom.tests.support.identity_certificates import (
    issued_by_another,
    self_signed_over,
    small_order_certificate,
    tampered,
)
from securecom.tests.support.joined_connections import Plain, PlainTLS, Recorder
from securecom.tests.support.server_certificates import (
    Authority,
    bad_dates,
    bad_servers,
    self_signed,
)
from securecom.tests.support.tls_case import TLSCase


class PinnedServerTests(TLSCase):
    # Promise T2
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

    # Promise R77
    def test_the_pinned_ca_once_it_has_expired(self) -> None:
        stale = Authority(days=(-9, -1))
        client_tls = tls.standard_client(self.identity, server_id(stale.certificate))
        client = self.ours()
        self.meet(client, client_tls, self.ours(), tls.standard_server(stale.credentials()))
        self.assert_refused(client, ClockIsOff, "24 hours ahead")

    # Promise R77
    def test_a_clock_that_is_off_is_no_impostor(self) -> None:
        """It says by how much, and that is no reason to give the server up."""
        for words, credentials in bad_dates(self.authority).items():
            client, server = self.ours(), self.ours()
            self.meet(client, self.client_tls(), server, tls.standard_server(credentials))
            self.assert_refused(client, ClockIsOff, f"clock seems to be at least {words}")
            self.assertFalse(server.is_secured)

    # Promise R77
    def test_before_the_pinned_ca_was_made(self) -> None:
        young = Authority(days=(20000, 20001))
        client_tls = tls.standard_client(self.identity, server_id(young.certificate))
        client = self.ours()
        self.meet(client, client_tls, self.ours(), tls.standard_server(young.credentials()))
        self.assert_refused(client, ClockIsOff, "20000 days behind")

    # Promise R79
    def test_whoever_is_not_the_server_cannot_blame_the_clock(self) -> None:
        for credentials in bad_dates(Authority()).values():
            client = self.ours()
            self.meet(client, self.client_tls(), self.ours(), tls.standard_server(credentials))
            self.assert_refused(client, ServerMismatch, "not the server you know")
            forged = tls.Credentials(
                credentials.key, credentials.certificate, self.authority.certificate
            )
            client = self.ours()
            self.meet(client, self.client_tls(), self.ours(), tls.standard_server(forged))
            self.assert_refused(client, ServerMismatch, "signature")

    def test_a_certificate_of_the_leafs_own_that_is_pinned_is_still_no_leaf(self) -> None:
        alone = self_signed()
        client_tls = tls.standard_client(self.identity, server_id(alone.certificate))
        client = self.ours()
        self.meet(client, client_tls, self.ours(), tls.standard_server(alone))
        self.assert_refused(client, ServerMismatch, "self-signed")

    def test_a_server_that_has_the_name_among_others(self) -> None:
        names = ("chat.example.org", peers.SERVER_NAME)
        client, server = self.ours(), self.ours()
        credentials = self.authority.credentials(names=names)
        self.meet(client, self.client_tls(), server, tls.standard_server(credentials))
        self.assertTrue(client.is_secured and server.is_secured)

    def test_a_leaf_is_checked_again_by_its_own_text(self) -> None:
        """Whatever OpenSSL says, a leaf for another name, or for no servers, does not pass."""
        check = peers.pinned_server(self.pin)
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
        self.assertEqual(peers.peer_key(server.tls), identity.public_key.first)

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
        self.assertEqual(peers.peer_key(server.tls), identity.public_key.first)

    def test_a_bad_signature(self) -> None:
        identity = Identity.generate()
        _, server = self.show(tampered(identity.certificate), key=identity.private_key)
        self.assert_refused(server, WireError, "bad signature")

    # Promise T11
    def test_a_key_of_small_order(self) -> None:
        certificate = small_order_certificate()
        error = self.assertRaises(WireError, peers.any_identity, certificate, 18, 0)
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

    # Promise T41
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

    # Promise T42
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
        check = peers.exactly(Identity(key).public_key, self.caller.public_key)
        self.assertRaises(WireError, check, certificate, 20, 0)
        self.assertRaises(WireError, check, ca, 19, 1)

    def test_no_certificate(self) -> None:
        callee = tls.chat_end(self.callee, self.caller.public_key)
        there = self.ours()
        self.meet(Plain(), PlainTLS(alpn=(tls.ALPN_CHAT,)), there, callee)
        self.assert_alerted(there)
        self.assertFalse(there.is_secured)
