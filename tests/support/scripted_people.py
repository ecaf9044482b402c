"""People whose clients are a few lines each, so that hundreds of them fit into one process.

They speak the protocol with the library's own `Connection`. What they say in a chat is made from
its name, so that whoever hears it knows what has to come.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Factory
from twisted.protocols import amp
from twisted.python.failure import Failure

from securecom import framing, limits, peers, tls, vocabulary
from securecom.connection import Connection
from securecom.identity import Identity, Name
from securecom.transport.choice import TLSFactory
from tests.support.intermediaries import HOST
from tests.support.processes import reactor

#: Seconds for a connection and what has to come first on it.
PATIENCE = 12.0
_BLOCK = 4096
_SOME = 64 * 1024


class Speech:
    """An endless text that both ends of a chat know: a stretch of it for each place."""

    def __init__(self, chat: bytes, speaker: Name) -> None:
        self._seed = chat + speaker.encode()
        self._number, self._made = -1, b""

    def at(self, place: int, length: int) -> bytes:
        text = b""
        while len(text) < length:
            number, within = divmod(place + len(text), _BLOCK)
            if number != self._number:
                seed = hashlib.sha256(self._seed + number.to_bytes(8, "big")).digest()
                self._number, self._made = number, random.Random(seed).randbytes(_BLOCK)
            text += self._made[within : within + length - len(text)]
        return text


class Leg:
    """One person's end of a chat."""

    def __init__(self, visit: Visit, chat: bytes, stream: int, other: Name) -> None:
        self.visit, self.chat, self.stream, self.other = visit, chat, stream, other
        self.sent = self.heard = 0
        #: When it ended, and how: "closed" by the server, "mine", "lost" with the connection.
        self.ended: float | None = None
        self.how = ""
        self.began = reactor.seconds()
        self._mine = Speech(chat, visit.name)
        self._theirs = Speech(chat, other)
        self.is_sending = True

    def say(self, length: int) -> None:
        """Send so many bytes more, if there is room."""
        standard = self.visit.standard
        if self.ended is None and self.is_sending and not standard.is_congested:
            for start in range(0, length, limits.MAX_CHAT_CHUNK):
                part = min(limits.MAX_CHAT_CHUNK, length - start)
                data = self._mine.at(self.sent, part)
                standard.send(framing.encode_chat(self.stream, data))
                self.sent += part

    def hear(self, data: bytes) -> bool:
        """Whether this is what has to come."""
        good = self._theirs.at(self.heard, len(data)) == data
        self.heard += len(data)
        return good

    def end(self, how: str) -> None:
        if self.ended is None:
            self.ended, self.how = reactor.seconds(), how


class _End(Connection, amp.CommandLocator):
    def __init__(self, visit: Visit) -> None:
        super().__init__(reactor, PATIENCE)
        self.visit = visit
        self.ready: Deferred[None] = Deferred()

    def responders(self) -> amp.IResponderLocator:
        return self

    def secured(self, alpn: bytes) -> None:
        self.established()
        self.ready.callback(None)

    def lost(self, reason: Failure) -> None:
        if not self.ready.called:
            self.ready.errback(Failure(ConnectionLost()))
        self.visit.lost(self)

    @vocabulary.Ping.responder
    def ping(self) -> dict[str, Any]:
        return {}


class _Standard(_End):
    lanes: ClassVar[frozenset[int]] = frozenset({framing.CONTROL, framing.CHAT})
    most_read: ClassVar[int] = limits.MAX_SERVER_BODY
    alpn: ClassVar[frozenset[bytes]] = frozenset({tls.ALPN_STANDARD})

    def run_received(self, run: framing.Run) -> None:
        self.visit.heard(run.stream, framing.chat_bytes(run))

    @vocabulary.Goodbye.responder
    def goodbye(self, reason: str) -> dict[str, Any]:
        self.visit.goodbye = reason
        self.close()
        return {}

    @vocabulary.OpenStream.responder
    def opens(self, chat: bytes, stream: int) -> dict[str, Any]:
        self.visit.opened(chat, stream, self.visit.offers.pop(chat))
        return {}

    @vocabulary.StreamClosed.responder
    def closes(self, stream: int) -> dict[str, Any]:
        leg = self.visit.leg
        if leg is not None and leg.stream == stream:
            leg.end("closed")
        return {}


class _Request(_End):
    most_read: ClassVar[int] = limits.MAX_SERVER_BODY
    alpn: ClassVar[frozenset[bytes]] = frozenset({tls.ALPN_REQUEST})

    @vocabulary.OfferChat.responder
    def offered(self, chat: bytes, caller: Name, **_offer: Any) -> dict[str, Any]:
        self.visit.offers[chat] = caller
        return {"answer": "accept"}

    @vocabulary.WithdrawOffer.responder
    def withdrawn(self, chat: bytes, reason: str) -> dict[str, Any]:
        return {}

    @vocabulary.MissedRequest.responder
    def missed(self, caller: Name) -> dict[str, Any]:
        return {}


class _Enrolling(_End):
    alpn: ClassVar[frozenset[bytes]] = frozenset({tls.ALPN_ENROL})


class Visit:
    """One session of one person, at one node.

    :param wrong: called with what must not be.
    """

    def __init__(
        self, name: Name, identity: Identity, source: str, pin: bytes, wrong: Callable[[str], None]
    ) -> None:
        self.name, self._identity, self._source, self._pin = name, identity, source, pin
        self._wrong = wrong
        self.node: Any = None
        self.channel_node: Any = None
        self.standard = _Standard(self)
        self.request: _Request | None = None
        self.offers: dict[bytes, Name] = {}
        self.leg: Leg | None = None
        self.legs: list[Leg] = []
        self.goodbye = ""
        self.is_in = False
        #: When it was over for the client.
        self.over: float | None = None
        #: When this person's next session began.
        self.superseded: float | None = None

    async def _connect(self, protocol: _End, options: Any, port: int) -> None:
        factory = Factory.forProtocol(lambda: protocol)
        factory.noisy = False
        endpoint = TCP4ClientEndpoint(reactor, HOST, port, PATIENCE, (self._source, 0))
        await endpoint.connect(TLSFactory(options, True, factory, reactor))
        await protocol.ready

    async def log_in(self, node: Any, takeover: bool) -> None:
        """A session at this node. Fails with a refusal, or because the node cannot be reached."""
        self.node = node
        options = tls.standard_client(self._identity, self._pin)
        await self._connect(self.standard, options, node.process.standard)
        end = self.standard
        proof = peers.signed_for_server(end.tls, self._pin, self._identity, peers.LOG_IN)
        await self.ask(vocabulary.LogIn, takeover=takeover, **proof)
        self.is_in = True

    async def prove(self, node: Any) -> None:
        """A request channel, perhaps at another node."""
        self.channel_node = node
        channel = _Request(self)
        await self._connect(channel, tls.request_client(self._pin), node.process.request)
        key = peers.request_key(self.standard.tls)
        binding = peers.request_binding(channel.tls)
        session = peers.session_id(self.standard.tls)
        asked = channel.control.call(
            vocabulary.ProveSession, session=session, proof=peers.mac(key, b"daemon", binding)
        )
        try:
            answer = await asked.addTimeout(PATIENCE, reactor)
        except BaseException:
            channel.fault(ConnectionLost())
            raise
        if answer["proof"] != peers.mac(key, b"server", binding):
            self._wrong(f"{self.name}: a wrong proof of the server")
        self.request = channel

    async def be_available(self) -> None:
        """Let everybody ask."""
        anybody: dict[str, Any] = {"seconds": None, "audience": None, "busy_to": None}
        await self.ask(vocabulary.SetAvailability, available=True, **anybody)

    async def enrol(self, node: Any, token: bytes) -> Name:
        """Spend an invitation."""
        protocol = _Enrolling(self)
        options = tls.enrol_client(self._identity, self._pin)
        await self._connect(protocol, options, node.process.standard)
        proof = peers.signed_for_server(protocol.tls, self._pin, self._identity, peers.ENROL)
        asked = protocol.control.call(vocabulary.Enrol, token=token, **proof)
        try:
            answer = await asked.addTimeout(PATIENCE, reactor)
        finally:
            protocol.close()
        name: Name = answer["name"]
        return name

    async def ask(
        self, command: type[amp.Command], patience: float = PATIENCE, **facts: Any
    ) -> dict[str, Any]:
        """A command's answer."""
        asked = self.standard.control.call(command, **facts)
        box: dict[str, Any] = await asked.addTimeout(patience, reactor)
        return box

    async def chat_with(self, other: Name) -> Leg:
        """Ask somebody; the chat that comes of it."""
        answer = await self.ask(
            vocabulary.RequestChat, patience=limits.REQUEST_EXPIRES, callee=other, chat_seconds=None
        )
        return self.opened(answer["chat"], answer["stream"], other)

    def opened(self, chat: bytes, stream: int, other: Name) -> Leg:
        if self.leg is not None and self.leg.ended is None:
            self._wrong(f"{self.name} is in two chats: with {self.leg.other} and {other}")
        self.leg = Leg(self, chat, stream, other)
        self.legs.append(self.leg)
        return self.leg

    def heard(self, stream: int, data: bytes) -> None:
        leg = self.leg
        if leg is None or leg.stream != stream:
            if not any(one.stream == stream for one in self.legs):
                self._wrong(f"{self.name} hears of a chat that they never had")
            return
        if not leg.hear(data):
            self._wrong(f"{self.name} hears something else than {leg.other} said")

    def lost(self, end: _End) -> None:
        if end is self.request:
            self.request = None
        if end is self.standard:
            self.over = reactor.seconds()
            if self.leg is not None:
                self.leg.end("lost")
            if self.request is not None:
                self.request.close()

    def leave(self) -> None:
        """Cut everything."""
        self.standard.fault(ConnectionLost())
        if self.request is not None:
            self.request.fault(ConnectionLost())

    @property
    def is_usable(self) -> bool:
        """Both channels are up, as far as the client can tell."""
        return self.is_in and self.over is None and self.request is not None
