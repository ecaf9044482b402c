"""TLS that works, but is not as securecom's must be."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from securecom import tls
from securecom.errors import TLSRefused, TLSUnusable
from securecom.identity import Identity
from securecom.tests.support.joined_connections import Plain, PlainTLS, Recorder
from securecom.tests.support.tls_case import TLSCase, shake_hands

OLD = SSL.TLS1_2_VERSION


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

    # Promise T3
    def test_no_alpn(self) -> None:
        server, _ = self.server_of_ours(self.stranger(alpn=()))
        self.assert_refused(server, TLSRefused, "ALPN")

    def test_a_server_that_knows_no_alpn(self) -> None:
        host = self.host()
        host.context.set_alpn_select_callback(lambda *_: SSL.NO_OVERLAPPING_PROTOCOLS)
        client, server = self.client_of_ours(host)
        self.assert_refused(client, TLSRefused, "ALPN")
        self.assertTrue(server.is_lost)

    # Promise T3
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

    # Promise T43
    def test_a_chat_handshake_that_a_server_relays_to_another_server(self) -> None:
        """Else it could log the caller in elsewhere."""
        # Whatever the caller's own checks say: the ALPN alone has to be enough.
        caller = tls.TLSOptions((tls.ALPN_CHAT,), tls.Credentials.of(self.identity), None)
        server = self.ours()
        self.meet(self.ours(), caller, server, self.server_tls())
        self.assertFalse(server.is_secured)

    # Promise T1
    def test_the_version_before(self) -> None:
        server, _ = self.server_of_ours(self.stranger(newest=OLD))
        self.assert_alerted(server)
        client, _ = self.client_of_ours(self.host(newest=OLD))
        self.assert_alerted(client)

    # Promise T1, R119
    def test_a_key_agreement_that_is_not_hybrid(self) -> None:
        for curve in (ec.SECP256R1(), ec.SECP521R1()):
            server, _ = self.server_of_ours(self.stranger(curve=curve))
            self.assert_alerted(server)
            client, _ = self.client_of_ours(self.host(curve=curve))
            self.assert_alerted(client)

    # Promise R119
    def test_a_chat_with_a_key_agreement_that_is_not_hybrid(self) -> None:
        """The same for the session inside the relayed bytes, in both roles."""
        stranger = Identity.generate()
        for is_client in (False, True):
            ours = tls.chat_end(self.identity, stranger.public_key)
            end = ours.in_memory(is_client, self.ours())
            other = SSL.Connection(self.stranger(curve=ec.SECP256R1()).context)
            (other.set_accept_state if is_client else other.set_connect_state)()
            self.assertRaises(SSL.Error, shake_hands, end, other)

    # Promise R128
    def test_an_openssl_that_cannot_choose(self) -> None:
        """It is said before anything is started."""
        self.patch(tls, "_openssl", SimpleNamespace(ERR_clear_error=lambda: None))
        error = self.assertRaises(TLSUnusable, tls.check_openssl)
        self.assertIn("cryptography 47", str(error))
        self.assertRaises(TLSUnusable, self.server_tls)

    # Promise T1, R119
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

        def set_context(self, context: SSL.Context) -> None:
            """What is counted from now on is not asked here."""

    return Finished()
