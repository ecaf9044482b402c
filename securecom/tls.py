"""TLS 1.3 for all three channels: contexts, and the checks after a handshake.

What each end requires of its peer (`securecom.peers` checks it):

- standard channel and enrolment: the client requires the server whose CA it has pinned; the server
  requires a self-signed identity certificate and looks up its key afterwards;
- request channel: the client requires the same server; the server requires `ProveSession`;
- chat: each end requires exactly one key, known before the handshake;
- between nodes of a server: each end requires a node's certificate of their CA.

Sessions are never resumed: on resumption OpenSSL would not run the verify callback.
"""

from __future__ import annotations

import functools
from typing import Any, Protocol, cast
from weakref import WeakKeyDictionary

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from OpenSSL import SSL, crypto
from OpenSSL._util import lib as _openssl  # for `_allow_only_hybrid`, and nothing else
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
)
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from securecom import limits
from securecom.errors import SecurecomError, TLSRefused, TLSUnusable, WireError
from securecom.identity import Identity, PublicKey, server_id
from securecom.peers import (
    Check,
    CheckedConnection,
    any_identity,
    exactly,
    node_of,
    pinned_server,
)
from securecom.values import Value

ALPN_STANDARD = b"securecom-standard/2"
ALPN_ENROL = b"securecom-enrol/2"
ALPN_REQUEST = b"securecom-request/2"
ALPN_CHAT = b"securecom-chat/2"
ALPN_NODE = b"securecom-node/1"

#: The only key agreement we accept: hybrid, post-quantum.
GROUP = "X25519MLKEM768"
VERSION = "TLSv1.3"

#: What OpenSSL's functions return on success.
_DONE = 1

# --- the check after every handshake --------------------------------------------------------


def check_handshake(tls: SSL.Connection, alpn: frozenset[bytes]) -> bytes:
    """Return the negotiated protocol, and have the peer's new keys counted from now on.

    :raises TLSRefused: if the protocol, the group or the version is not ours.
    """
    protocol = tls.get_alpn_proto_negotiated()
    if protocol not in alpn:
        raise TLSRefused("the peer speaks no protocol of this version and channel (ALPN)")
    if (version := tls.get_protocol_version_name()) != VERSION:
        raise TLSRefused(f"the peer's TLS is {version}, not {VERSION}")
    if (group := tls.get_group_name()) != GROUP:
        raise TLSRefused(f"the peer's key agreement is {group}, not {GROUP}")
    tls.set_context(_context_afterwards())
    return protocol


# --- contexts -------------------------------------------------------------------------------


class Credentials(Value):
    """A private key, its certificate, and the CA certificate to send along, if any."""

    key: Ed25519PrivateKey
    certificate: x509.Certificate
    ca: x509.Certificate | None = None

    @classmethod
    def of(cls, identity: Identity) -> Credentials:
        """The key and the self-signed certificate of an identity."""
        return cls(identity.private_key, identity.certificate)


class Listener(Protocol):
    """A protocol that learns why its peer's certificate was refused."""

    def certificate_refused(self, why: SecurecomError) -> None:
        """Called during the handshake, which then fails."""


@implementer(IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator)
class TLSOptions:
    """Makes TLS connections for Twisted, for clients and servers, with one check of the peer.

    :param alpn: the protocols a client offers, or a server accepts, in order of preference.
    :param credentials: what we show; None for the daemon role, which proves its session instead.
    :param check: what the peer's certificate must satisfy; None if the peer needs none.
    :param context: made from `alpn` and `credentials` before; None: make one.
    """

    def __init__(
        self,
        alpn: tuple[bytes, ...],
        credentials: Credentials | None,
        check: Check | None,
        context: SSL.Context | None = None,
    ) -> None:
        self._alpn = alpn
        self._check = check
        self._context = self._new_context(credentials) if context is None else context

    def renew(self, credentials: Credentials | None) -> None:
        """Show these credentials on all connections made from now on."""
        self._context = self._new_context(credentials)

    def _new_context(self, credentials: Credentials | None) -> SSL.Context:
        return _context(self._alpn, credentials, self._check is not None)

    def clientConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: N802
        """IOpenSSLClientConnectionCreator."""
        return self._client(cast(Listener, protocol.wrappedProtocol))

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: N802
        """IOpenSSLServerConnectionCreator."""
        return self._connection(cast(Listener, protocol.wrappedProtocol))

    def in_memory(self, is_client: bool, listener: Listener) -> SSL.Connection:
        """A TLS session whose caller carries the bytes to and fro."""
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
        if self._check is None:
            return CheckedConnection(self._context, None)
        return _Connection(self._context, self._check, listener)


def _context(
    alpn: tuple[bytes, ...], credentials: Credentials | None, is_checked: bool
) -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_max_proto_version(SSL.TLS1_3_VERSION)  # else a configuration file may lower it
    _allow_only_hybrid(context)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(SSL.OP_NO_TICKET)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_alpn_select_callback(_selector(alpn))
    if is_checked:
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _verify)
    if credentials is not None:
        context.use_certificate(credentials.certificate)
        context.use_privatekey(credentials.key)
        if credentials.ca is not None:
            context.add_extra_chain_cert(credentials.ca)
    return context


def _allow_only_hybrid(context: SSL.Context) -> None:
    """Make OpenSSL refuse every other key agreement in the handshake itself.

    pyOpenSSL has no method for this, so this is the only place that calls OpenSSL directly. The
    call overrides whatever a file named by `OPENSSL_CONF` sets. (Older OpenSSLs called groups
    curves.)

    :raises TLSUnusable: if this OpenSSL does not know the group.
    """
    set_groups = getattr(_openssl, "SSL_CTX_set1_curves_list", None)
    if set_groups is None or set_groups(context._context, GROUP.encode("ascii")) != _DONE:
        _openssl.ERR_clear_error()
        raise TLSUnusable(f"the OpenSSL of this Python installation has no {GROUP}")


def check_openssl() -> None:
    """Check OpenSSL before doing anything else. :raises TLSUnusable: if it lacks our group."""
    _allow_only_hybrid(SSL.Context(SSL.TLS_METHOD))


def _selector(alpn: tuple[bytes, ...]) -> Any:
    def select(_connection: SSL.Connection, offered: list[bytes]) -> Any:
        return next((one for one in alpn if one in offered), SSL.NO_OVERLAPPING_PROTOCOLS)

    return select


class _Connection(CheckedConnection):
    """One whose peer must show certificates that satisfy this check.

    Not in pyOpenSSL's app data, which Twisted replaces (`findings/twisted_replaces_app_data.sh`).
    """

    def __init__(self, context: SSL.Context, check: Check, listener: Listener) -> None:
        super().__init__(context, None)
        self._check, self._listener = check, listener
        self._passed: tuple[tuple[bytes, int], ...] = ()

    def passes(self, der: bytes, error: int, depth: int) -> bool:
        """Whether this one is acceptable, with this error and at this depth.

        OpenSSL asks for each fault it finds in a certificate, and once more at the end without one.
        A certificate that passed despite a fault passes that last time too, and is not checked
        again.
        """
        case = (der, depth)
        if not error and case in self._passed:
            if not depth:  # the peer's own certificate comes last
                self._passed = ()
            return True
        try:
            key = self._check(x509.load_der_x509_certificate(der), error, depth)
        except SecurecomError as why:
            self._listener.certificate_refused(why)
            return False
        except Exception:  # a hostile certificate may break any parser: refuse it
            self._listener.certificate_refused(WireError("a certificate that cannot be read"))
            return False
        self._passed += (case,)
        self.shown_key = key or self.shown_key
        return True


def _verify(tls: SSL.Connection, shown: crypto.X509, error: int, depth: int, _ok: int) -> bool:
    """OpenSSL's verify callback, one for all connections: making one costs more than calling it."""
    der = crypto.dump_certificate(crypto.FILETYPE_ASN1, shown)
    return isinstance(tls, _Connection) and tls.passes(der, error, depth)


@functools.cache
def _context_afterwards() -> SSL.Context:
    """For connections whose handshake is over, which need no more of a context than this.

    OpenSSL calls the callback for each step of a handshake, too: that would be a twentieth of it.
    """
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_info_callback(_count_late_messages)
    return context


def _count_late_messages(tls: SSL.Connection, where: int, result: int) -> None:
    """OpenSSL's info callback: for a peer that changes keys without end, TLS is closed.

    OpenSSL calls it amid a read, which then finds what it finds behind a peer's own close.
    """
    if where & SSL.SSL_CB_EXIT and result > 0 and isinstance(tls, CheckedConnection):
        tls.late_messages = getattr(tls, "late_messages", 0) + 1
        if tls.late_messages > 2 * limits.MAX_KEY_UPDATES + limits.TLS_TICKETS:
            tls.set_shutdown(SSL.RECEIVED_SHUTDOWN)


def standard_server(credentials: Credentials) -> TLSOptions:
    """The server's end on the standard port: log-in and enrolment."""
    return TLSOptions((ALPN_STANDARD, ALPN_ENROL), credentials, any_identity)


def request_server(credentials: Credentials) -> TLSOptions:
    """The server's end of a request channel, accepted or dialled."""
    return TLSOptions((ALPN_REQUEST,), credentials, None)


def standard_client(identity: Identity, pin: bytes) -> TLSOptions:
    """The main role's end of the standard channel."""
    return TLSOptions((ALPN_STANDARD,), Credentials.of(identity), pinned_server(pin))


def enrol_client(identity: Identity, pin: bytes) -> TLSOptions:
    """The client's end while it enrols with an invitation."""
    return TLSOptions((ALPN_ENROL,), Credentials.of(identity), pinned_server(pin))


def request_client(pin: bytes) -> TLSOptions:
    """The daemon role's end of the request channel."""
    return TLSOptions((ALPN_REQUEST,), None, pinned_server(pin))


def node_end(credentials: Credentials) -> TLSOptions:
    """Either end of a link between two nodes of a server.

    :param credentials: a node's, with the CA's certificate, by which the other is checked too.
    """
    if credentials.ca is None:
        raise ValueError("a node's certificate without its CA's")
    return TLSOptions((ALPN_NODE,), credentials, node_of(server_id(credentials.ca)))


#: One context for all chats of an identity, as long as that is in use: making one takes 0.2 ms. Who
#: the peer of a chat must be is said to its connection.
_chat_contexts: WeakKeyDictionary[Identity, SSL.Context] = WeakKeyDictionary()


def chat_end(identity: Identity, expected: PublicKey) -> TLSOptions:
    """Either end of a chat: the peer must hold exactly the expected key."""
    alpn, credentials = (ALPN_CHAT,), Credentials.of(identity)
    context = _chat_contexts.get(identity)
    if context is None:
        context = _chat_contexts[identity] = _context(alpn, credentials, True)
    return TLSOptions(alpn, credentials, exactly(expected, identity.public_key), context)
