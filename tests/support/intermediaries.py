"""What stands between clients and a server, or in a client's place: relays and strangers.

They live in the test's own process and speak over real sockets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import serialization
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols import amp
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from securecom import framing, tls, vocabulary
from securecom.connection import Connection
from securecom.errors import SecurecomError
from securecom.identity import Identity, Name
from tests.support.processes import DEADLINE, reactor

HOST = "127.0.0.1"
#: Where relays stand: the same ports as the server's, on another address of this machine.
RELAY_HOST = "127.0.0.2"

# --- relays ---------------------------------------------------------------------------------


class _Pipe(Protocol):
    """One of a relay's two connections."""

    def __init__(self, relay: Relay, outward: bool) -> None:
        self._relay, self._outward = relay, outward
        self.other: _Pipe | None = None
        self._early: list[bytes] = []

    def connectionMade(self) -> None:
        self._relay.pipes.add(self)
        if self._outward:
            return
        towards = TCP4ClientEndpoint(reactor, HOST, self._relay.port)
        towards.connect(_factory(lambda: _Pipe(self._relay, True))).addCallbacks(
            self._joined, lambda _: self.cut()
        )

    def _joined(self, other: _Pipe) -> None:
        self.other, other.other = other, self
        for data in self._early:
            other.write(data)
        if not self.connected:
            other.cut()

    def dataReceived(self, data: bytes) -> None:
        data = self._relay.passing(data)
        if self.other is None:
            self._early.append(data)
        else:
            self.other.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._relay.pipes.discard(self)
        if self.other is not None and self.other.connected:
            self.other.transport.loseConnection()  # type: ignore[union-attr]
        self._relay.changed()

    def write(self, data: bytes) -> None:
        self.transport.write(data)  # type: ignore[union-attr]

    def cut(self) -> None:
        self.transport.abortConnection()  # type: ignore[union-attr]


class Relay:
    """Passes on what comes for one port, and keeps a copy. `flips`: so many chunks are damaged."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.recorded = bytearray()
        self.flips = 0
        self.pipes: set[_Pipe] = set()
        self._listening: IListeningPort | None = None
        self._empty: Deferred[None] | None = None

    async def open(self) -> Relay:
        """Listen on the same port of `RELAY_HOST`."""
        endpoint = TCP4ServerEndpoint(reactor, self.port, interface=RELAY_HOST)
        self._listening = await endpoint.listen(_factory(lambda: _Pipe(self, False)))
        return self

    async def close(self) -> None:
        """Listen no more, and wait until all that was open is gone."""
        if self._listening is not None:
            await _maybe(self._listening.stopListening())
        if self.pipes:
            self._empty = Deferred()
            for pipe in list(self.pipes):
                pipe.cut()
            await self._empty

    def passing(self, data: bytes) -> bytes:
        self.recorded += data
        if self.flips:
            self.flips -= 1
            data = data[:-1] + bytes([data[-1] ^ 1])
        return data

    def changed(self) -> None:
        if self._empty is not None and not self.pipes:
            empty, self._empty = self._empty, None
            empty.callback(None)


async def _maybe(result: Any) -> None:
    if isinstance(result, Deferred):
        await result


def _factory(make: Callable[[], Any]) -> Any:
    factory = Factory.forProtocol(make)
    factory.noisy = False
    return factory


# --- strangers ------------------------------------------------------------------------------


class Stranger(Protocol):
    """A peer that keeps no rule of securecom's, over TLS or bare TCP."""

    def __init__(self) -> None:
        self.received = b""
        #: Fires when anything comes.
        self.answered: Deferred[None] = Deferred()
        #: Fires when the connection is over.
        self.gone: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        if not self.answered.called:
            self.answered.callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.gone.callback(None)

    def certificate_refused(self, why: SecurecomError) -> None:
        """As a `tls.Listener`: strangers take any."""

    def write(self, data: bytes) -> None:
        """As it is."""
        self.transport.write(data)  # type: ignore[union-attr]

    def cut(self) -> None:
        """End it, if it has not ended."""
        if self.transport is None:  # it never was connected
            self.gone.callback(None)
        elif not self.gone.called:
            self.transport.abortConnection()  # type: ignore[attr-defined]


class Modified(Connection, amp.CommandLocator):
    """A client built from the library's own classes, that does what it likes."""

    lanes = frozenset({framing.CONTROL, framing.CHAT})

    def __init__(self, *alpn: bytes) -> None:
        self.alpn = frozenset(alpn)  # type: ignore[misc]
        super().__init__(reactor)
        #: Fires when TLS stands.
        self.ready: Deferred[None] = Deferred()
        self.gone: Deferred[None] = Deferred()
        self.goodbye: str | None = None
        #: Fires when the server says that a stream of ours is over.
        self.stream_closed: Deferred[int] = Deferred()
        self.offers: list[Name] = []

    def responders(self) -> amp.IResponderLocator:
        return self

    def secured(self, alpn: bytes) -> None:
        self.established()
        self.ready.callback(None)

    def lost(self, reason: Failure) -> None:
        if not self.ready.called:
            self.ready.errback(reason)
        self.gone.callback(None)

    def run_received(self, run: framing.Run) -> None:
        """Not ours to understand."""

    @vocabulary.Goodbye.responder
    def server_leaves(self, reason: str) -> dict[str, Any]:
        self.goodbye = reason
        return {}

    @vocabulary.OpenStream.responder
    def stream_opens(self, chat: bytes, stream: int) -> dict[str, Any]:
        return {}

    @vocabulary.StreamClosed.responder
    def stream_closes(self, stream: int) -> dict[str, Any]:
        self.stream_closed.callback(stream)
        return {}

    @vocabulary.OfferChat.responder
    def offered(self, caller: Name, **_offer: Any) -> dict[str, Any]:
        self.offers.append(caller)
        return {"answer": "accept"}

    @vocabulary.WithdrawOffer.responder
    def withdrawn(self, chat: bytes, reason: str) -> dict[str, Any]:
        return {}

    def cut(self) -> None:
        """End it, if it has not ended."""
        if self.transport is None:  # it never was connected
            self.gone.callback(None)
        elif not self.gone.called:
            self.transport.abortConnection()  # type: ignore[attr-defined]


async def connect(protocol: Any, port: int, options: Any = None, source: str = HOST) -> Any:
    """The protocol, connected; over TLS if there are `options` for it (its handshake begins)."""
    factory = _factory(lambda: protocol)
    if options is not None:
        factory = TLSMemoryBIOFactory(options, True, factory)
    endpoint = TCP4ClientEndpoint(reactor, HOST, port, bindAddress=(source, 0))
    await endpoint.connect(factory)
    return protocol


async def soon(waited: Deferred[Any]) -> Any:
    """What a Deferred fires with, within the deadline."""
    return await waited.addTimeout(DEADLINE, reactor)


class TLSServer:
    """A TLS server with credentials of the test's choice; it answers nothing."""

    def __init__(self, credentials: tls.Credentials) -> None:
        self._options = tls.standard_server(credentials)
        self.peers: list[Stranger] = []
        #: Fires when a client says anything.
        self.spoken_to: Deferred[None] = Deferred()
        self._port: Any = None

    async def open(self) -> int:
        """Its port."""

        def make() -> Stranger:
            peer = Stranger()
            self.peers.append(peer)
            peer.answered.chainDeferred(self.spoken_to)
            return peer

        factory = TLSMemoryBIOFactory(self._options, False, _factory(make))
        self._port = await TCP4ServerEndpoint(reactor, 0, interface=HOST).listen(factory)
        port: int = self._port.getHost().port
        return port

    async def close(self) -> None:
        await _maybe(self._port.stopListening())
        for peer in self.peers:
            peer.cut()
            await soon(peer.gone)

    @property
    def heard(self) -> bytes:
        """All that clients said to it, TLS taken off."""
        return b"".join(peer.received for peer in self.peers)


def identity_of(pem: bytes, pass_phrase: bytes | None = None) -> Identity:
    """The identity of a file, usually one without a pass phrase."""
    key: Any = serialization.load_ssh_private_key(pem, pass_phrase)
    return Identity(key)
