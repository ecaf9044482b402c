"""Who is at the other end of TLS: checks of certificates, and proofs bound to a connection.

The checks run inside the handshake, so a peer that fails one gets nothing of ours. Proofs are codes
under keys that TLS exports; their labels, lengths and parts are in docs/protocol.md, "Exporters and
proofs".
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import verify_certificate_hostname

from securecom.errors import (
    ClockIsOff,
    PeerKeyChanged,
    ProofRefused,
    ServerMismatch,
    TLSRefused,
    WireError,
)
from securecom.identity import (
    Identity,
    PublicKey,
    SecondKey,
    certified_key,
    framed,
    server_fingerprint,
    server_id,
)

#: The name in every server's certificate; what tells servers apart is the CA.
SERVER_NAME = "server.securecom.internal"
#: The name in the certificates that the nodes of a server show each other.
NODE_NAME = "node.securecom.internal"

_X509_REASONS = {
    7: "its signature is not the CA's",
    18: "it is self-signed",
    19: "its CA is not the one that issued it",
    20: "no CA came with it",
    26: "it is not for servers",
}
_NOT_YET_VALID, _EXPIRED = 9, 10  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_SELF_SIGNED_IN_CHAIN = 19  # X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN: the CA is not in our store

#: Takes a certificate, OpenSSL's error number and the depth; raises if it is not acceptable.
#: Returns the first key in it if it is an identity's.
Check = Callable[[x509.Certificate, int, int], PublicKey | None]


class CheckedConnection(SSL.Connection):
    """OpenSSL's connection, with what the check of the peer has found."""

    __slots__ = ("late_messages",)

    #: What TLS itself has done since the handshake: new keys of the peer's, those of ours that it
    #: asked for, and a server's tickets.
    late_messages: int
    #: The first key of the identity certificate that has passed the check.
    shown_key: PublicKey | None = None


def any_identity(certificate: x509.Certificate, error: int, depth: int) -> PublicKey:
    """Accept any single self-signed Ed25519 certificate; the registry decides later."""
    if depth:
        raise WireError("a chain where one identity certificate belongs")
    return certified_key(certificate)


def exactly(expected: PublicKey, own: PublicKey) -> Check:
    """Accept only the certificate of this first key, and never our own sent back to us.

    The second key is proved above TLS, by `check_second`.
    """

    def check(certificate: x509.Certificate, error: int, depth: int) -> PublicKey:
        key = any_identity(certificate, error, depth)
        if key == own.first:
            raise PeerKeyChanged("the peer showed our own key")
        if key != expected.first:
            raise PeerKeyChanged("the peer's key is not the one expected")
        return key

    return check


def pinned_server(pin: bytes) -> Check:
    """Accept a leaf for `SERVER_NAME`, issued by the CA whose SHA-256 is `pin` (32 bytes).

    Dates are checked after pin and signature, so that only a certificate of the pinned CA can
    lead to `ClockIsOff`; everything else is a `ServerMismatch`.
    """

    def check(certificate: x509.Certificate, error: int, depth: int) -> None:
        if depth == 1:
            _check_ca(certificate, error, pin)
        elif depth == 0 and not error:
            _check_leaf(certificate)
        elif depth == 0 and error in (_NOT_YET_VALID, _EXPIRED):
            raise _clock_is_off(certificate, datetime.now(UTC))
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
    if error in (_NOT_YET_VALID, _EXPIRED):
        raise _clock_is_off(certificate, datetime.now(UTC))
    if error not in (0, _SELF_SIGNED_IN_CHAIN):
        raise ServerMismatch(f"the server's CA does not verify (X.509 {error})")


def _clock_is_off(certificate: x509.Certificate, now: datetime) -> ClockIsOff:
    """By how much at the least, and the two dates that do not fit."""
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begins:
        off, limit = f"{_span((begins - now).total_seconds())} behind", f"from {_minute(begins)}"
    else:
        off, limit = f"{_span((now - ends).total_seconds())} ahead", f"until {_minute(ends)}"
    return ClockIsOff(
        f"this machine's clock seems to be at least {off}: it says {_minute(now)}, and the "
        f"server's certificate is valid {limit}"
    )


def _span(seconds: float) -> str:
    """Whole days or hours, two at the least; else minutes, one at the least."""
    for unit, length in (("day", 86400), ("hour", 3600)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}s"
    return f"{max(seconds / 60, 1):.0f} min"


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


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


def node_of(pin: bytes) -> Check:
    """Accept a leaf for `NODE_NAME`, issued by the CA whose SHA-256 is `pin`, at either end."""

    def check(certificate: x509.Certificate, error: int, depth: int) -> None:
        allowed = (0, _SELF_SIGNED_IN_CHAIN) if depth == 1 else (0,)
        if error not in allowed:
            raise TLSRefused(f"a node's certificate does not verify (X.509 {error})")
        if depth == 1 and not same(server_id(certificate), pin):
            raise TLSRefused("a node of another server")
        if depth == 0:
            _check_node(certificate)
        if depth > 1:
            raise TLSRefused("a chain where a node's certificate and its CA belong")

    return check


def _check_node(certificate: x509.Certificate) -> None:
    try:
        verify_certificate_hostname(certificate, NODE_NAME)
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (CertificateError, VerificationError, x509.ExtensionNotFound, ValueError):
        raise TLSRefused("a certificate that is not a node's") from None
    if not {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH} <= set(usage):
        raise TLSRefused("a node's certificate that is not for both ends")


def peer_key(tls: SSL.Connection) -> PublicKey:
    """The first key, which the peer has just proved to hold (its certificate passed our check)."""
    if not isinstance(tls, CheckedConnection) or tls.shown_key is None:
        raise WireError("a peer without an identity certificate")
    return tls.shown_key


def forget_key(tls: SSL.Connection) -> None:
    """Nobody will ask for `peer_key` again, which is not kept for nothing then."""
    if isinstance(tls, CheckedConnection):
        tls.shown_key = None


# --- exporters and proofs -------------------------------------------------------------------

_LABEL = b"EXPERIMENTAL-SecureCom/2 "


def session_id(tls: SSL.Connection) -> bytes:
    """The public handle of a standard channel's session (16 bytes)."""
    return tls.export_keying_material(_LABEL + b"session-id", 16, b"")


def request_key(tls: SSL.Connection) -> bytes:
    """The session key of a standard channel, which authenticates the request channel."""
    return tls.export_keying_material(_LABEL + b"request-key", 32, b"")


def login_binding(tls: SSL.Connection) -> bytes:
    """What ties a second key's signature to one log-in or one enrolment."""
    return tls.export_keying_material(_LABEL + b"login-binding", 32, b"")


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
    """HMAC-SHA256 over the parts, each preceded by its length in 4 bytes."""
    return hmac.digest(key, framed(*parts), hashlib.sha256)


def same(one: bytes, other: bytes) -> bool:
    """Whether two byte strings are equal, in constant time."""
    return hmac.compare_digest(one, other)


# --- the second key, which is proved by a signature above TLS ---------------------------------

#: What a second key signs for. A signature for one purpose is worthless for any other.
LOG_IN = b"SecureCom/2 log-in"
ENROL = b"SecureCom/2 enrol"
HELLO = b"SecureCom/2 hello"
REKEY = b"SecureCom/2 rekey"


def said_to_server(tls: SSL.Connection, server: bytes, raw: bytes) -> bytes:
    """What a client's second key signs, for `LOG_IN` or `ENROL`, on one connection.

    :param server: the server's id (32 bytes).
    :param raw: the client's first key, which it has shown in this handshake (32 bytes).
    """
    return framed(login_binding(tls), server, raw)


def signed_for_server(
    tls: SSL.Connection, server: bytes, identity: Identity, purpose: bytes
) -> dict[str, Any]:
    """The arguments of `LogIn` and `Enrol` that prove our second key."""
    said = said_to_server(tls, server, identity.public_key.raw)
    signature = identity.sign_second(said, purpose)
    return {"second_key": identity.second_key, "signature": signature}


def check_second(
    expected: PublicKey, second_key: SecondKey, signature: bytes, said: bytes, purpose: bytes
) -> None:
    """Check that the peer holds the expected second key. The cheap comparison comes first.

    :raises ProofRefused: if the key is another one, or has not signed this for this purpose.
    """
    if expected.second is None or not same(second_key.digest, expected.second):
        raise ProofRefused("the peer's second key is not the one expected")
    if not second_key.has_signed(signature, said, purpose):
        raise ProofRefused("the peer does not hold its second key")
