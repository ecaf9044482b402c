"""Enrolment: an invitation is spent on our key, once, over a connection of its own."""

from __future__ import annotations

from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IAddress, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.protocols import amp
from twisted.python.failure import Failure

from securecom import limits, peers, tls, vocabulary
from securecom.client.channels.reaching import cannot_reach
from securecom.client.denials import denied
from securecom.connection import Connection
from securecom.control import Locator
from securecom.identity import Identity, Name
from securecom.transport.choice import TLSFactory


def enrol(
    endpoint: IStreamClientEndpoint,
    identity: Identity,
    server: bytes,
    token: bytes,
    clock: IReactorTime,
    where: str = "the server",
) -> Deferred[Name]:
    """Register our keys under the name that the invitation is for.

    :param server: the server's id (32 bytes); another server gets neither key nor token.
    :param where: `host:port`, for people to read.
    :raises InvitationRefused, LoginRefused, ServerMismatch, CannotReach: through the Deferred.
    """
    enrolment = Enrolment(identity, server, token, clock)
    options = tls.enrol_client(identity, server)
    factory = TLSFactory(options, True, _Only(enrolment), clock)
    connected = endpoint.connect(factory)
    name: Deferred[Name] = connected.addCallback(lambda _: enrolment.name)
    name.addErrback(denied, vocabulary.Enrol, where=where)
    return name.addErrback(lambda failure: Failure(cannot_reach(failure, where)))


class Enrolment(Connection, Locator):
    """Says one thing, hears one answer, and closes."""

    alpn: ClassVar[frozenset[bytes]] = frozenset({tls.ALPN_ENROL})
    awaits: ClassVar[str] = "the enrolment"

    def __init__(
        self, identity: Identity, server: bytes, token: bytes, clock: IReactorTime
    ) -> None:
        super().__init__(clock, limits.LOGIN_PATIENCE)
        self._identity, self._server, self._token = identity, server, token
        #: Fires when the connection is over, with what came of it.
        self.name: Deferred[Name] = Deferred()
        self._outcome: Name | Failure | None = None

    def responders(self) -> amp.IResponderLocator:
        """Nothing may be asked of us here."""
        return self

    def secured(self, alpn: bytes) -> None:
        """TLS stands, and it is the pinned server: spend the invitation."""
        proof = peers.signed_for_server(self.tls, self._server, self._identity, peers.ENROL)
        answer = self.control.call(vocabulary.Enrol, token=self._token, **proof)
        answer.addCallbacks(self._enrolled, self._refused)

    def _enrolled(self, answer: dict[str, Any]) -> None:
        self._outcome = answer["name"]
        self.close()

    def _refused(self, failure: Failure) -> None:
        if not failure.check(ConnectionLost):
            self._outcome = failure
            self.close()

    def lost(self, reason: Failure) -> None:
        """What came of it, if anything did."""
        if isinstance(self._outcome, Name):
            self.name.callback(self._outcome)
        else:
            self.name.errback(self._outcome or reason)


def retire(
    endpoint: IStreamClientEndpoint,
    server: bytes,
    name: Name,
    public: bytes,
    signature: bytes,
    clock: IReactorTime,
    where: str = "the server",
) -> Deferred[Name]:
    """Tell the server that a name's key is retired, over a connection that is nobody's.

    :param signature: of `retirement.statement`, by the owner of the public half.
    :raises NotNow, ServerMismatch, CannotReach: through the Deferred.
    """
    nobody = Identity.generate()
    sent = Retirement(
        nobody, server, {"name": name, "public": public, "signature": signature}, clock
    )
    options = tls.enrol_client(nobody, server)
    factory = TLSFactory(options, True, _Only(sent), clock)
    connected = endpoint.connect(factory)
    retired: Deferred[Name] = connected.addCallback(lambda _: sent.name)
    retired.addErrback(denied, vocabulary.Retire, where=where)
    return retired.addErrback(lambda failure: Failure(cannot_reach(failure, where)))


class Retirement(Enrolment):
    """The same for a statement that retires a key."""

    awaits: ClassVar[str] = "the retirement"

    def __init__(
        self, nobody: Identity, server: bytes, said: dict[str, Any], clock: IReactorTime
    ) -> None:
        super().__init__(nobody, server, b"", clock)
        self._said = said

    def secured(self, alpn: bytes) -> None:
        """TLS stands, and it is the pinned server: say it."""
        answer = self.control.call(vocabulary.Retire, **self._said)
        answer.addCallbacks(lambda _: self._enrolled(self._said), self._refused)


class _Only(Factory):
    """Gives TLS the one enrolment that it wraps."""

    noisy = False

    def __init__(self, enrolment: Enrolment) -> None:
        self._enrolment = enrolment

    def buildProtocol(self, addr: IAddress | None) -> Enrolment:
        return self._enrolment
