"""Two connections joined on a network in memory, and TLS peers that break securecom's rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurve
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
    IReactorTime,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols import amp
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from securecom import framing, tls, vocabulary
from securecom.connection import Connection
from securecom.errors import SecurecomError
from securecom.identity import Identity, server_id
from securecom.tests.support.network import Network, Wire
from securecom.tests.support.server_certificates import Authority


class Answers(amp.CommandLocator):
    """Answers `Ping` at once, or with what the test says."""

    def __init__(self) -> None:
        self.pings = 0
        self.answer: Callable[[], Any] = dict

    @vocabulary.Ping.responder
    def ping(self) -> Any:
        self.pings += 1
        return self.answer()


class Recorder(Connection):
    """A connection that notes all that happens to it."""

    lanes = frozenset({framing.CONTROL, framing.CHAT})
    alpn = frozenset({tls.ALPN_STANDARD, tls.ALPN_ENROL, tls.ALPN_REQUEST, tls.ALPN_CHAT})

    def __init__(self, clock: IReactorTime) -> None:
        self.answers = Answers()
        self.protocols: list[bytes] = []
        self.runs: list[framing.Run] = []
        self.losses: list[Failure] = []
        self.congestion: list[bool] = []
        self.on_run: Callable[[framing.Run], None] = self.runs.append
        super().__init__(clock)

    def responders(self) -> amp.IResponderLocator:
        return self.answers

    def secured(self, alpn: bytes) -> None:
        self.protocols.append(alpn)

    def run_received(self, run: framing.Run) -> None:
        self.on_run(run)

    def congestion_changed(self) -> None:
        self.congestion.append(self.is_congested)

    def lost(self, reason: Failure) -> None:
        self.losses.append(reason)

    def ping(self) -> Deferred[dict[str, Any]]:
        """A command that wants an answer."""
        return self.control.call(vocabulary.Ping)

    @property
    def end(self) -> Exception | None:
        """Why it is over; None while it is not."""
        return self.losses[0].value if self.losses else None  # type: ignore[return-value]


class Plain(Protocol):
    """A TLS peer without securecom's rules."""

    def __init__(self) -> None:
        self.received = b""
        self.is_lost = False
        self.refusals: list[SecurecomError] = []

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = Failure(Exception())) -> None:  # noqa: B008
        self.is_lost = True

    def certificate_refused(self, why: SecurecomError) -> None:
        """As a `tls.Listener`."""
        self.refusals.append(why)


@implementer(IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator)
class PlainTLS:
    """TLS as a stranger may speak it: any version, group, protocol and certificate; no checks.

    :param chain: what it shows, the leaf first.
    """

    def __init__(
        self,
        alpn: tuple[bytes, ...] = (tls.ALPN_STANDARD,),
        chain: Sequence[x509.Certificate] = (),
        key: Any = None,
        curve: EllipticCurve | None = None,
        newest: int = SSL.TLS1_3_VERSION,
    ) -> None:
        self.alpn = alpn
        self.context = SSL.Context(SSL.TLS_METHOD)
        self.context.set_max_proto_version(newest)
        if curve is not None:
            self.context.set_tmp_ecdh(curve)
        if chain:
            self.context.use_certificate(chain[0])
            self.context.use_privatekey(key)
        for certificate in chain[1:]:
            self.context.add_extra_chain_cert(certificate)
        self.context.set_alpn_select_callback(lambda _tls, _offered: alpn[0])
        self.last: SSL.Connection | None = None
        self.session: SSL.Session | None = None

    def clientConnectionForTLS(self, protocol: Any) -> SSL.Connection:  # noqa: N802
        self.last = SSL.Connection(self.context, None)
        if self.alpn:
            self.last.set_alpn_protos(list(self.alpn))
        if self.session is not None:
            self.last.set_session(self.session)
        return self.last

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:  # noqa: N802
        self.last = SSL.Connection(self.context, None)
        return self.last


class NetworkCase(SynchronousTestCase):
    """Tests on one network, which has to be at rest when they end."""

    def setUp(self) -> None:
        self.network = Network()
        self.clock = self.network.clock
        self.authority = Authority()
        self.pin = server_id(self.authority.certificate)
        self.credentials = self.authority.credentials()
        self.identity = Identity.generate()
        self.addCleanup(self.assert_at_rest)

    def assert_at_rest(self) -> None:
        """When its wires are cut, a connection leaves nothing behind, no timer either."""
        for wire in self.network.wires:
            wire.cut()
        self.network.pump()
        self.assertEqual(self.network.clock.getDelayedCalls(), [])
        self.assertEqual(self.network.wires, [])

    def join(self, client: Protocol, client_tls: Any, server: Protocol, server_tls: Any) -> Wire:
        """A wire between two protocols, TLS on both ends; the handshake has not begun to move."""
        return self.network.connect(
            TLSMemoryBIOFactory(client_tls, True, single(client), self.clock),
            TLSMemoryBIOFactory(server_tls, False, single(server), self.clock),
        )

    def join_bare(self, client: Protocol, server: Protocol, server_tls: Any) -> Wire:
        """A wire to a server from a client without TLS."""
        return self.network.connect(
            single(client), TLSMemoryBIOFactory(server_tls, False, single(server), self.clock)
        )

    def pair(self) -> tuple[Recorder, Recorder, Wire]:
        """A client and a server, secured and established, and the wire between them."""
        client, server = Recorder(self.clock), Recorder(self.clock)
        client_tls = tls.standard_client(self.identity, self.pin)
        wire = self.join(client, client_tls, server, tls.standard_server(self.credentials))
        self.network.pump()
        for end in (client, server):
            self.assertTrue(end.is_secured)
            end.established()
        return client, server, wire


def single(protocol: Protocol) -> Factory[Any]:
    """A factory for this one protocol."""
    factory: Factory[Any] = Factory.forProtocol(lambda: protocol)
    factory.noisy = False
    return factory
