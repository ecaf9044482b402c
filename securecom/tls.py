"""TLS 1.3 as securecom uses it, three times: contexts, verify callbacks, exporters, proofs.

Who must be at the other end:

- standard channel and enrolment: the client wants the server whose CA it has pinned; the server
  wants a self-signed identity certificate and looks its key up afterwards;
- request channel: the client wants the same server; the server wants `ProveSession`;
- chat: each wants exactly one key, decided before the handshake.

No resumption anywhere: on resumption the verify callback would not run.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL, crypto
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import verify_certificate_hostname
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
)
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from securecom.errors import PeerKeyChanged, SecurecomError, ServerMismatch, TLSRefused, WireError
from securecom.identity import Identity, PublicKey, certified_key, server_fingerprint, server_id

ALPN_STANDARD = b"securecom-standard/1"
ALPN_ENROL = b"securecom-enrol/1"
ALPN_REQUEST = b"securecom-request/1"
ALPN_CHAT = b"securecom-chat/1"

#: The one name that every server's certificate bears; the CA behind it is what tells them apart.
SERVER_NAME = "server.securecom.internal"
#: Hybrid post-quantum key agreement, and nothing else.
GROUP = "X25519MLKEM768"
VERSION = "TLSv1.3"

_LABEL = b"EXPERIMENTAL-SecureCom/1 "
_X509_REASONS = {
    7: "its signature is not the CA's",
    9: "it is not valid yet",
    10: "it has expired",
    18: "it is self-signed",
    19: "its CA is not the one that issued it",
    20: "no CA came with it",
    26: "it is not for servers",
}
_SELF_SIGNED_IN_CHAIN = 19  # X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN: the CA is not in our store


# --- exporters and proofs (docs/protocol.md, "Exporters") -----------------------------------


def session_id(tls: SSL.Connection) -> bytes:
    """The public handle of a standard channel's session (16 bytes)."""
    return tls.export_keying_material(_LABEL + b"session-id", 16, b"")


def request_key(tls: SSL.Connection) -> bytes:
    """The session key of a standard channel, which authenticates the request channel."""
    return tls.export_keying_material(_LABEL + b"request-key", 32, b"")


def request_binding(tls: SSL.Connection) -> bytes:
    """What ties a proof to one request channel."""
    return tls.export_keying_material(_LABEL + b"request-binding", 32, b"")


def chat_binding(tls: SSL.Connection) -> bytes:
    """What ties HELLO to one end-to-end session."""
    return tls.export_keying_material(_LABEL + b"chat-binding", 32, b"")


def chat_rekey(tls: SSL.Connection) -> bytes:
    """The key under which an epoch of a chat vouches for the next one."""
    return tls.export_keying_material(_LABEL + b"chat-rekey", 32, b"")


def mac(key: bytes, *parts: bytes) -> bytes:
    """HMAC-SHA256 over the parts, each behind its length in 4 bytes."""
    code = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        code.update(len(part).to_bytes(4, "big") + part)
    return code.digest()


def same(one: bytes, other: bytes) -> bool:
    """Equality in constant time."""
    return hmac.compare_digest(one, other)


# --- what must hold after every handshake ---------------------------------------------------


def check_handshake(tls: SSL.Connection, alpn: frozenset[bytes]) -> bytes:
    """The negotiated protocol. :raises TLSRefused: if it, the group or the version is not ours."""
    protocol = tls.get_alpn_proto_negotiated()
    if protocol not in alpn:
        raise TLSRefused("the peer's TLS offers no protocol of this channel (ALPN)")
    if (version := tls.get_protocol_version_name()) != VERSION:
        raise TLSRefused(f"the peer's TLS is {version}, not {VERSION}")
    if (group := tls.get_group_name()) != GROUP:
        raise TLSRefused(f"the peer's key agreement is {group}, not {GROUP}")
    return protocol


def peer_key(tls: SSL.Connection) -> PublicKey:
    """The key that the peer has just proved to hold (its certificate passed our callback)."""
    certificate = tls.get_peer_certificate(as_cryptography=True)
    if certificate is None:
        raise WireError("a peer without an identity certificate")
    return certified_key(certificate)


# --- verify callbacks -----------------------------------------------------------------------

#: Certificate, OpenSSL's error number, depth -> nothing, or raises why not.
Check = Callable[[x509.Certificate, int, int], None]


def any_identity(certificate: x509.Certificate, error: int, depth: int) -> None:
    """One self-signed Ed25519 certificate, whoever's: the registry decides later."""
    if depth:
        raise WireError("a chain where one identity certificate belongs")
    certified_key(certificate)


def exactly(expected: PublicKey, own: PublicKey) -> Check:
    """The identity certificate of this key and no other, and never our own sent back to us."""

    def check(certificate: x509.Certificate, error: int, depth: int) -> None:
        any_identity(certificate, error, depth)
        key = certified_key(certificate)
        if key == own:
            raise PeerKeyChanged("the peer showed our own key")
        if key != expected:
            raise PeerKeyChanged("the peer's key is not the one expected")

    return check


def pinned_server(pin: bytes) -> Check:
    """A leaf for `SERVER_NAME`, issued by the CA whose SHA-256 is `pin` (32 bytes)."""

    def check(certificate: x509.Certificate, error: int, depth: int) -> None:
        if depth == 1:
            _check_ca(certificate, error, pin)
        elif depth == 0 and not error:
            _check_leaf(certificate)
        else:
            reason = _X509_REASONS.get(error, f"X.509 error {error}")
            raise ServerMismatch(f"the server's certificate does not verify ({reason})")

    return check


def _check_ca(certificate: x509.Certificate, error: int, pin: bytes) -> None:
    if not same(server_id(certificate), pin):
        raise ServerMismatch(
            "this is not the server you know: "
            f"expected {server_fingerprint(pin)}, "
            f"received {server_fingerprint(server_id(certificate))}"
        )
    if error not in (0, _SELF_SIGNED_IN_CHAIN):
        raise ServerMismatch(f"the server's CA does not verify (X.509 {error})")


def _check_leaf(certificate: x509.Certificate) -> None:
    try:
        verify_certificate_hostname(certificate, SERVER_NAME)
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (CertificateError, VerificationError):
        raise ServerMismatch("the server's certificate is for another name") from None
    except (x509.ExtensionNotFound, ValueError):
        raise ServerMismatch("the server's certificate does not say what it is for") from None
    if ExtendedKeyUsageOID.SERVER_AUTH not in usage:
        raise ServerMismatch("the server's certificate is not for servers")
    if any(
        isinstance(one.value, x509.BasicConstraints) and one.value.ca
        for one in certificate.extensions
    ):
        raise ServerMismatch("the server's certificate could issue others")


# --- contexts -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Credentials:
    """A private key, its certificate, and the CA certificate if one is sent along."""

    key: Ed25519PrivateKey
    certificate: x509.Certificate
    ca: x509.Certificate | None = None

    @classmethod
    def of(cls, identity: Identity) -> Credentials:
        """An identity's."""
        return cls(identity.private_key, identity.certificate)


class Listener(Protocol):
    """A protocol that wants to know why its peer's certificate was refused."""

    def certificate_refused(self, why: SecurecomError) -> None:
        """Called during the handshake, which then fails."""


@implementer(IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator)
class TLSOptions:
    """Makes Twisted's TLS connections, client's and server's, under one check.

    :param alpn: what a client offers, or what a server takes, in order of preference.
    :param credentials: what we show; None for the daemon role, which proves itself otherwise.
    :param check: what the peer must show; None if it need show nothing.
    """

    def __init__(
        self, alpn: tuple[bytes, ...], credentials: Credentials | None, check: Check | None
    ) -> None:
        self._alpn = alpn
        self._check = check
        self.renew(credentials)

    def renew(self, credentials: Credentials | None) -> None:
        """Connections from now on show these credentials."""
        self._context = _context(self._alpn, credentials)

    def clientConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: N802
        """IOpenSSLClientConnectionCreator."""
        return self._client(cast(Listener, protocol.wrappedProtocol))

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: N802
        """IOpenSSLServerConnectionCreator."""
        return self._connection(cast(Listener, protocol.wrappedProtocol))

    def in_memory(self, is_client: bool, listener: Listener) -> SSL.Connection:
        """A session whose bytes the caller of this carries to and fro."""
        connection = self._client(listener) if is_client else self._connection(listener)
        if is_client:
            connection.set_connect_state()
        else:
            connection.set_accept_state()
        return connection

    def _client(self, listener: Listener) -> SSL.Connection:
        connection = self._connection(listener)
        connection.set_alpn_protos(list(self._alpn))
        return connection

    def _connection(self, listener: Listener) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        if self._check is not None:
            mode = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
            connection.set_verify(mode, _callback(self._check, listener))
        return connection


def _context(alpn: tuple[bytes, ...], credentials: Credentials | None) -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(SSL.OP_NO_TICKET)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_alpn_select_callback(_selector(alpn))
    if credentials is not None:
        context.use_certificate(credentials.certificate)
        context.use_privatekey(credentials.key)
        if credentials.ca is not None:
            context.add_extra_chain_cert(credentials.ca)
    return context


def _selector(alpn: tuple[bytes, ...]) -> Any:
    def select(_connection: SSL.Connection, offered: list[bytes]) -> Any:
        return next((one for one in alpn if one in offered), SSL.NO_OVERLAPPING_PROTOCOLS)

    return select


def _callback(check: Check, listener: Listener) -> Any:
    """OpenSSL's verify callback.

    It asks about a certificate once for each thing it minds, and once more when it minds nothing
    (any longer). What passed with an error passes without one, so it is not checked again.
    """
    passed: set[tuple[bytes, int]] = set()

    def verify(_tls: SSL.Connection, shown: crypto.X509, error: int, depth: int, _ok: int) -> bool:
        case = (crypto.dump_certificate(crypto.FILETYPE_ASN1, shown), depth)
        if not error and case in passed:
            return True
        if not _verdict(check, listener, shown, error, depth):
            return False
        passed.add(case)
        return True

    return verify


def _verdict(check: Check, listener: Listener, shown: crypto.X509, error: int, depth: int) -> bool:
    try:
        check(shown.to_cryptography(), error, depth)
    except SecurecomError as why:
        listener.certificate_refused(why)
        return False
    except Exception:  # whatever a hostile certificate breaks: it is refused
        listener.certificate_refused(WireError("a certificate that cannot be read"))
        return False
    return True


def standard_server(credentials: Credentials) -> TLSOptions:
    """The server's end of the standard port: log-in and enrolment."""
    return TLSOptions((ALPN_STANDARD, ALPN_ENROL), credentials, any_identity)


def request_server(credentials: Credentials) -> TLSOptions:
    """The server's end of a request channel, listened for or dialled."""
    return TLSOptions((ALPN_REQUEST,), credentials, None)


def standard_client(identity: Identity, pin: bytes) -> TLSOptions:
    """The main role's end of the standard channel."""
    return TLSOptions((ALPN_STANDARD,), Credentials.of(identity), pinned_server(pin))


def enrol_client(identity: Identity, pin: bytes) -> TLSOptions:
    """The client's end while it has only an invitation."""
    return TLSOptions((ALPN_ENROL,), Credentials.of(identity), pinned_server(pin))


def request_client(pin: bytes) -> TLSOptions:
    """The daemon role's end of the request channel."""
    return TLSOptions((ALPN_REQUEST,), None, pinned_server(pin))


def chat_end(identity: Identity, expected: PublicKey) -> TLSOptions:
    """Either end of a chat: the peer must hold exactly the expected key."""
    check = exactly(expected, identity.public_key)
    return TLSOptions((ALPN_CHAT,), Credentials.of(identity), check)
