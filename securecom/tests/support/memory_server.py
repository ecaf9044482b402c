"""A whole server in memory, and clients whose every command is sent by the test."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.protocols import amp
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from securecom import framing, limits, peers, refusals, tls, vocabulary
from securecom.connection import Connection
from securecom.identity import Identity, Name, server_id
from securecom.invitation import token_hash
from securecom.server import certificates
from securecom.server.admission import AdmittingFactory
from securecom.server.changes import Changes
from securecom.server.database import SynchronousPool, in_memory
from securecom.server.dialling import Dialler
from securecom.server.local_switchboard import LocalSwitchboard
from securecom.server.reception import Reception
from securecom.server.request_channel import RequestFactory
from securecom.server.sqlite_registry import SQLiteRegistry
from securecom.server.standard_channel import StandardFactory
from securecom.tests.support.network import Network, Wire

STANDARD, REQUEST = 4241, 4243
NOW = 1_800_000_000.0


def numbered() -> Callable[[int], bytes]:
    """A source of bytes that differ at each call and are the same in every run."""
    count = 0

    def next_one(length: int) -> bytes:
        nonlocal count
        count += 1
        return count.to_bytes(length, "big")

    return next_one


class Unchanged(Changes):
    """Those of a registry of which nobody can tell whether somebody else has changed it."""

    def __init__(self) -> None:
        pass

    def mark(self) -> bytes:
        return b""

    def close(self) -> None:
        pass


@dataclass
class Shared:
    """What a server stands on, and the nodes of one server have in common."""

    network: Network
    ca: tls.Credentials
    database: sqlite3.Connection
    changes: Changes | None


def new_ca() -> tls.Credentials:
    """A server's CA."""
    return certificates.new_ca(time.time())  # OpenSSL asks the wall clock


class MemoryServer:
    """A server on a `Network`: its registry in memory, its two ports open.

    :param random: the switchboard's; None: different bytes each time, the same in every run.
    :param shared: what the nodes of one server share; None: this is the only one.
    """

    def __init__(
        self,
        dial: int | None = 4242,
        random: Callable[[int], bytes] | None = None,
        shared: Shared | None = None,
    ) -> None:
        self.shared = shared = shared or Shared(Network(), new_ca(), in_memory(), Unchanged())
        self.network, ca = shared.network, shared.ca
        clock = self.network.clock
        self.pin = server_id(ca.certificate)
        self.credentials = certificates.new_leaf(ca, [], time.time())
        self.registry = SQLiteRegistry(SynchronousPool(shared.database), shared.changes)
        self.switchboard = self.new_switchboard(random or numbered())
        self.reception = Reception(clock, lambda: NOW, self.registry, self.switchboard, self.pin)
        self.reception.request_port = REQUEST
        self.reception.dial_port = dial
        standard = tls.standard_server(self.credentials)
        request = tls.request_server(self.credentials)
        self.dialled: list[tuple[str, int]] = []
        dialler = Dialler(clock, self._dial_endpoint, request, dial)
        self.reception.dial = partial(dialler.dial, self.reception)
        self.standard = AdmittingFactory(standard, StandardFactory(self.reception), clock)
        self.request = AdmittingFactory(request, RequestFactory(self.reception), clock)
        self.network.ports[STANDARD] = self.standard
        self.network.ports[REQUEST] = self.request

    def new_switchboard(self, random: Callable[[int], bytes]) -> LocalSwitchboard:
        """The switchboard of this server."""
        return LocalSwitchboard(self.network.clock, random)

    def _dial_endpoint(self, host: str, port: int) -> Any:
        self.dialled.append((host, port))
        return self.network.client_endpoint(port, source="192.0.2.100")

    def invite(self, name: str, ticket: bytes) -> None:
        """An invitation that is valid for a minute."""
        result(self.registry.invite(Name(name), ticket, NOW + 60))

    def enrolled(self, name: str) -> Identity:
        """Enrol a user of this name; returns their identity."""
        identity = Identity.generate()
        ticket = token_hash(name.encode())
        self.invite(name, ticket)
        result(self.registry.spend(ticket, identity.public_key, NOW))
        return identity

    def client(self, name: str, source: str = "192.0.2.1") -> ManualClient:
        """A new user who is logged in, has a request channel, and is available."""
        client = ManualClient(self, self.enrolled(name), source)
        client.log_in()
        client.prove()
        client.done(client.standard.control.call(vocabulary.SetAvailability, available=True))
        return client


class ManualConnection(Connection):
    """A client's end of a channel: it records what it receives."""

    lanes = frozenset({framing.CONTROL, framing.CHAT})
    patience = limits.CLIENT_PATIENCE

    def __init__(self, client: ManualClient, alpn: bytes) -> None:
        self.alpn = frozenset({alpn})  # type: ignore[misc]
        self.client = client
        self.runs: list[framing.Run] = []
        self.lost_reason: Failure | None = None
        super().__init__(client.server.network.clock, limits.LOGIN_PATIENCE)

    def responders(self) -> amp.IResponderLocator:
        return Answers(self.client)

    def secured(self, alpn: bytes) -> None:
        self.established()

    def run_received(self, run: framing.Run) -> None:
        self.runs.append(run)

    def lost(self, reason: Failure) -> None:
        self.lost_reason = reason


class Answers(amp.CommandLocator):
    """A client's answers to the server's commands, each of which it adds to `heard`."""

    def __init__(self, client: ManualClient) -> None:
        self.client = client

    @vocabulary.OfferChat.responder
    def offer_chat(self, **offer: Any) -> Any:
        self.client.heard.append(("offer", offer))
        answer: Deferred[Any] = Deferred()
        self.client.offers.append(answer)
        return answer

    @vocabulary.WithdrawOffer.responder
    def withdraw_offer(self, chat: bytes, reason: str) -> Any:
        self.client.heard.append(("withdrawn", reason))
        return {}

    @vocabulary.MissedRequest.responder
    def missed_request(self, caller: Name) -> Any:
        self.client.heard.append(("missed", caller))
        return {}

    @vocabulary.OpenStream.responder
    def open_stream(self, chat: bytes, stream: int) -> Any:
        self.client.heard.append(("open", stream))
        if not self.client.opens:
            raise refusals.NothingToEnd()
        return self.client.opens() if callable(self.client.opens) else {}

    @vocabulary.StreamClosed.responder
    def stream_closed(self, stream: int) -> Any:
        self.client.heard.append(("closed", stream))
        return {}

    @vocabulary.Goodbye.responder
    def goodbye(self, reason: str) -> Any:
        self.client.heard.append(("goodbye", reason))
        return {}

    @vocabulary.Ping.responder
    def ping(self) -> Any:
        return {}


class ManualClient:
    """One enrolled client that does nothing unless the test calls a method."""

    def __init__(self, server: MemoryServer, identity: Identity, source: str = "192.0.2.1") -> None:
        self.server, self.identity, self.source = server, identity, source
        self.heard: list[tuple[str, Any]] = []
        self.offers: list[Deferred[Any]] = []
        self.opens: Any = True
        #: Where it opens its request channel.
        self.request_at = server.request
        options = tls.standard_client(identity, server.pin)
        self.standard_wire, self.standard = self.connect(
            options, tls.ALPN_STANDARD, server.standard
        )
        self.request_wire: Wire | None = None

    def connect(
        self, options: tls.TLSOptions, alpn: bytes, server: Any
    ) -> tuple[Wire, ManualConnection]:
        """A connection of any kind, and this client's end of it."""
        network = self.server.network
        connection = ManualConnection(self, alpn)
        inner = Factory.forProtocol(lambda: connection)
        client = TLSMemoryBIOFactory(options, True, inner, network.clock)
        wire = network.connect(client, server, self.source)
        network.pump()
        return wire, connection

    def done(self, answer: Deferred[Any]) -> Any:
        """The result of a call, once everything that can happen has."""
        self.server.network.pump()
        return result(answer)

    def ask(self, command: type[amp.Command], **arguments: Any) -> Deferred[Any]:
        """Send a command on the standard channel; the answer may come later."""
        answer = self.standard.control.call(command, **arguments)
        self.server.network.pump()
        return answer

    def log_in(self, takeover: bool = False) -> Any:
        return self.done(self.standard.control.call(vocabulary.LogIn, **self.login(takeover)))

    def login(self, takeover: bool = False) -> dict[str, Any]:
        """What `LogIn` takes on this client's connection."""
        tls, pin = self.standard.tls, self.server.pin
        proof = peers.signed_for_server(tls, pin, self.identity, peers.LOG_IN)
        return {"takeover": takeover, **proof}

    def open_request_channel(self) -> ManualConnection:
        """A request channel that has proven nothing yet."""
        options = tls.request_client(self.server.pin)
        self.request_wire, channel = self.connect(options, tls.ALPN_REQUEST, self.request_at)
        return channel

    def proof(self, channel: ManualConnection) -> dict[str, bytes]:
        """What `ProveSession` takes on this channel."""
        mine = self.standard.tls
        binding = peers.request_binding(channel.tls)
        proof = peers.mac(peers.request_key(mine), b"daemon", binding)
        return {"session": peers.session_id(mine), "proof": proof}

    def prove(self) -> ManualConnection:
        """A proven request channel."""
        self.request = self.open_request_channel()
        self.done(self.request.control.call(vocabulary.ProveSession, **self.proof(self.request)))
        return self.request

    def answer(self, word: str) -> None:
        """Answer the latest offer."""
        self.offers.pop().callback({"answer": word})
        self.server.network.pump()

    def send(self, stream: int, data: bytes) -> None:
        """Opaque bytes on the chat lane."""
        self.standard.send(framing.encode_chat(stream, data))
        self.server.network.pump()

    @property
    def received(self) -> bytes:
        """All opaque bytes that came on the chat lane."""
        return b"".join(framing.chat_bytes(run) for run in self.standard.runs)

    def said(self, what: str) -> list[Any]:
        """Everything recorded in `heard` under this heading."""
        return [fact for heading, fact in self.heard if heading == what]


def result(answer: Deferred[Any]) -> Any:
    """The result of a Deferred; raises its failure, or AssertionError if it has not fired."""
    found: list[Any] = []
    answer.addBoth(found.append)
    if not found:
        raise AssertionError("no answer yet")
    if isinstance(found[0], Failure):
        found[0].raiseException()
    return found[0]


def chatting(one: ManualClient, other: ManualClient, name: str) -> int:
    """`one` asks `other`, called `name`, who accepts; returns the chat's stream."""
    asked = one.ask(vocabulary.RequestChat, callee=Name(name))
    other.answer("accept")
    return int(one.done(asked)["stream"])
