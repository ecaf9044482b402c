"""A server that says whatever the test tells it to, even lies, over real connections in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.protocols import amp
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from securecom import framing, limits, peers, refusals, tls, vocabulary
from securecom.connection import Connection
from securecom.identity import Identity, Name, PublicKey, server_id
from securecom.tests.support.network import Network
from securecom.tests.support.server_certificates import Authority

STANDARD, REQUEST = 4241, 4243
HOST = "192.0.2.100"

T = TypeVar("T")


class ScriptedServer:
    """Both ports, on a network of its own.

    :param dial_port: what log-ins are told; None: it does not dial.
    """

    def __init__(self, dial_port: int | None = 4242) -> None:
        self.network = Network()
        self.authority = authority = Authority()
        self.pin = server_id(authority.certificate)
        self.credentials = authority.credentials()
        self.dial_port = dial_port
        self.names: dict[PublicKey, Name] = {}
        self.people: dict[Name, ServerEnd] = {}
        self.by_session: dict[bytes, ServerEnd] = {}
        #: What a log-in, an invitation or a proof is refused with, while it is not None.
        self.refusal: refusals.Refusal | None = None
        #: Changes the server's proof of the session key.
        self.proof: Callable[[bytes], bytes] = bytes
        #: What is offered on a request channel as soon as TLS stands, before any proof.
        self.early: Callable[[Connection], object] | None = None
        #: Seconds that it takes the server to dial.
        self.dial_after = 0.0
        #: Done to the connection instead of answering a log-in or an enrolment.
        self.instead: Callable[[StandardEnd], object] | None = None
        self.takeovers: list[bool] = []
        #: Where its own connections come from.
        self.address = HOST
        self.listen()

    def listen(self, credentials: tls.Credentials | None = None) -> None:
        """Open both ports, perhaps as another server."""
        shown, clock = credentials or self.credentials, self.network.clock
        ends = (
            (STANDARD, tls.standard_server, StandardEnd),
            (REQUEST, tls.request_server, RequestEnd),
        )
        for port, options, kind in ends:
            inner = Factory.forProtocol(lambda kind=kind: kind(self))  # type: ignore[misc]
            self.network.ports[port] = TLSMemoryBIOFactory(options(shown), False, inner, clock)

    def shut(self) -> None:
        """Close both ports; what is connected stays."""
        del self.network.ports[STANDARD], self.network.ports[REQUEST]

    def enrol(self, name: str) -> Identity:
        """Somebody whom this server knows."""
        identity = Identity.generate()
        self.names[identity.public_key] = Name(name)
        return identity

    def dial(self, port: int, dialled: Deferred[Any]) -> None:
        """Connect to a daemon role that listens; fires when it has proven itself."""
        channel = RequestEnd(self)
        channel.on_established = lambda: dialled.callback({})
        channel.on_lost = lambda: _unless_called(dialled)
        inner = Factory.forProtocol(lambda: channel)
        options = tls.request_server(self.credentials)
        factory = TLSMemoryBIOFactory(options, False, inner, self.network.clock)
        connected = self.network.client_endpoint(port, self.address).connect(factory)
        connected.addErrback(lambda _: _unless_called(dialled))


def _unless_called(dialled: Deferred[Any]) -> None:
    if not dialled.called:
        dialled.errback(Failure(refusals.NotDialling()))


class Ponged(Connection, amp.CommandLocator):
    """A server's end that answers pings, unless it plays dead."""

    def __init__(self, server: ScriptedServer) -> None:
        super().__init__(server.network.clock)
        self.server = server
        self.pings = 0
        self.is_dead = False
        self.lost_reason: Failure | None = None
        self.on_lost: Callable[[], object] = lambda: None

    def responders(self) -> amp.IResponderLocator:
        return self

    @vocabulary.Ping.responder
    def ping(self) -> Any:
        self.pings += 1
        return Deferred() if self.is_dead else {}

    def lost(self, reason: Failure) -> None:
        self.lost_reason = reason
        self.on_lost()


class ServerEnd:
    """One person, as the server has them: what they said, and what it says to them."""

    def __init__(self, name: Name, standard: StandardEnd) -> None:
        self.name, self.standard = name, standard
        self.request: RequestEnd | None = None
        self.heard: list[tuple[str, Any]] = []
        #: Open requests of theirs: callee, and the answer to give.
        self.requests: list[tuple[Name, Deferred[Any]]] = []
        #: Chat frames of theirs go here.
        self.relay: Callable[[framing.Run], None] = lambda run: None

    @property
    def is_available(self) -> bool:
        said = [fact for word, fact in self.heard if word == "available"]
        return bool(said) and bool(said[-1])

    def said(self, word: str) -> list[Any]:
        return [fact for heading, fact in self.heard if heading == word]

    def tell(self, command: type[amp.Command], **arguments: Any) -> None:
        self.standard.control.tell(command, **arguments)

    def ask(self, command: type[amp.Command], **arguments: Any) -> Deferred[Any]:
        return self.standard.control.call(command, **arguments)

    def offer(
        self, chat: bytes, caller: str, key: PublicKey, seconds: int = 60, **more: Any
    ) -> list[Any]:
        """Offer a chat; the list gets the answer."""
        assert self.request is not None
        answer = self.request.control.call(
            vocabulary.OfferChat, chat=chat, caller=Name(caller), key=key, seconds=seconds, **more
        )
        return outcome(answer.addCallback(lambda box: box["answer"]))

    def withdraw(self, chat: bytes, reason: str) -> None:
        assert self.request is not None
        self.request.control.tell(vocabulary.WithdrawOffer, chat=chat, reason=reason)

    def grant(
        self, chat: bytes, stream: int, key: PublicKey, role: str = "caller", **more: Any
    ) -> None:
        """Answer the oldest open request with a chat."""
        _, answer = self.requests.pop(0)
        answer.callback({"chat": chat, "stream": stream, "key": key, "role": role, **more})

    def deny(self, refusal: Exception) -> None:
        """Answer the oldest open request with a refusal."""
        _, answer = self.requests.pop(0)
        answer.errback(Failure(refusal))


class StandardEnd(Ponged):
    """The server's end of a standard channel."""

    lanes = frozenset({framing.CONTROL, framing.CHAT})
    most_sent = limits.MAX_SERVER_BODY
    alpn = frozenset({tls.ALPN_STANDARD, tls.ALPN_ENROL})

    person: ServerEnd

    @vocabulary.Enrol.responder
    def enrol(self, token: bytes, **second: Any) -> Any:
        self._refuse()
        if self.server.instead is not None:
            return self.server.instead(self) or Deferred()
        return {"name": token.decode()}

    @vocabulary.LogIn.responder
    def log_in(self, takeover: bool, **second: Any) -> Any:
        self.server.takeovers.append(takeover)
        self._refuse()
        if self.server.instead is not None:
            return self.server.instead(self) or Deferred()
        self.established()
        key = PublicKey(peers.peer_key(self.tls).raw, second["second_key"].digest)
        said = peers.said_to_server(self.tls, self.server.pin, key.raw)
        peers.check_second(key, **second, said=said, purpose=peers.LOG_IN)
        name = self.server.names[key]
        self.person = self.server.people[name] = ServerEnd(name, self)
        self.server.by_session[peers.session_id(self.tls)] = self.person
        answer = {"name": name, "request_port": REQUEST}
        if self.server.dial_port is not None:
            answer["dial_port"] = self.server.dial_port
        return answer

    @vocabulary.LogOut.responder
    def log_out(self) -> Any:
        self.person.heard.append(("logout", None))
        self.clock.callLater(0, self.control.tell, vocabulary.Goodbye, reason="logged-out")
        return {}

    @vocabulary.SetAvailability.responder
    def set_availability(self, available: bool, seconds: Any, audience: Any, busy_to: Any) -> Any:
        self.person.heard.append(("available", available))
        self.person.heard.append(("terms", (seconds, audience)))
        self.person.heard.append(("busy_to", busy_to))
        return {}

    @vocabulary.ListAvailable.responder
    def list_available(self, after: bytes, text: bytes) -> Any:
        self.person.heard.append(("list", (after, text)))
        return self.pages(after.decode(), text.decode())

    pages: Callable[[str, str], Any] = staticmethod(
        lambda after, text: {"names": [], "more": False}
    )

    @vocabulary.Block.responder
    def block(self, name: Name) -> Any:
        self._changes("block", name)
        return {}

    @vocabulary.Unblock.responder
    def unblock(self, name: Name) -> Any:
        self._changes("unblock", name)
        return {"changed": name in self.person.said("block")}

    @vocabulary.ListBlocked.responder
    def list_blocked(self) -> Any:
        self._changes("blocked", None)
        return {"names": [Name("bob"), Name("carol")]}

    #: What it tells somebody of themselves: a page, or the further ones.
    data: Callable[[bool], Any] = staticmethod(lambda further: {"facts": [], "more": False})

    @vocabulary.MyData.responder
    def my_data(self, further: bool) -> Any:
        self._changes("my data", further)
        return self.data(further)

    @vocabulary.ForgetMe.responder
    def forget_me(self, name: Name) -> Any:
        self._changes("forget me", name)
        return self.forgets()

    def forgets(self) -> Any:
        """What it answers to who wants to be forgotten."""
        return {}

    def _changes(self, word: str, fact: Any) -> None:
        self._refuse()
        self.person.heard.append((word, fact))

    @vocabulary.RequestChat.responder
    def request_chat(self, callee: Name, chat_seconds: int | None) -> Any:
        answer: Deferred[Any] = Deferred()
        self.person.heard.append(("chat for", chat_seconds))
        self.person.requests.append((callee, answer))
        return answer

    @vocabulary.CancelRequest.responder
    def cancel_request(self) -> Any:
        self.person.heard.append(("cancel", None))
        return {}

    @vocabulary.EndChat.responder
    def end_chat(self, stream: int) -> Any:
        self.person.heard.append(("end", stream))
        return {}

    @vocabulary.DialMe.responder
    def dial_me(self, port: int) -> Any:
        self.person.heard.append(("dial", port))
        dialled: Deferred[Any] = Deferred()
        self.clock.callLater(self.server.dial_after, self.server.dial, port, dialled)
        return dialled

    def run_received(self, run: framing.Run) -> None:
        self.person.relay(run)

    def _refuse(self) -> None:
        if self.server.refusal is not None:
            raise self.server.refusal


class RequestEnd(Ponged):
    """The server's end of a request channel."""

    most_sent = limits.MAX_SERVER_BODY
    alpn = frozenset({tls.ALPN_REQUEST})

    def secured(self, alpn: bytes) -> None:
        if self.server.early is not None:
            self.server.early(self)

    @vocabulary.ProveSession.responder
    def prove(self, session: bytes, proof: bytes) -> Any:
        if self.server.refusal is not None:
            raise refusals.BadProof()
        person = self.server.by_session[session]
        binding, key = peers.request_binding(self.tls), peers.request_key(person.standard.tls)
        if not peers.same(proof, peers.mac(key, b"daemon", binding)):
            raise refusals.BadProof()
        person.request = self
        self.established()
        return {"proof": self.server.proof(peers.mac(key, b"server", binding))}


def outcome(deferred: Deferred[T]) -> list[Any]:
    """A list that gets the result, or the failure's exception, once there is one."""
    came: list[Any] = []
    deferred.addCallbacks(came.append, lambda failure: came.append(failure.value))
    return came
