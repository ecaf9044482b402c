"""The request channel: joined to the session by its key, then other people's requests come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, cast

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IReactorTime
from twisted.protocols import amp
from twisted.python.failure import Failure

from securecom import limits, peers, tls, vocabulary
from securecom.client.channels.standard_channel import Login
from securecom.client.chat.agreement import ChatTerms
from securecom.client.coordination.coordinator import Coordinator
from securecom.client.coordination.engagement import Offer, Withdrawn
from securecom.client.denials import denied
from securecom.connection import Connection
from securecom.control import Locator
from securecom.errors import ProofRefused, WireError
from securecom.identity import Name, PublicKey
from securecom.liveness import Liveness


class RequestChannel(Connection, Locator):
    """Our end, whichever side connected. We are TLS client in both modes, without a certificate:
    the session key proves us to the server, and the server to us.

    :param coordinator: takes other people's requests.
    :param deadline: seconds from the connection to both proofs.
    :param lost: called once, when the channel is over.
    """

    most_read: ClassVar[int] = limits.MAX_SERVER_BODY
    alpn: ClassVar[frozenset[bytes]] = frozenset({tls.ALPN_REQUEST})
    awaits: ClassVar[str] = "the proof of the session"

    def __init__(
        self,
        coordinator: Coordinator,
        session: Login,
        clock: IReactorTime,
        deadline: float,
        lost: Callable[[RequestChannel], None],
    ) -> None:
        super().__init__(clock, deadline)
        self._coordinator, self._session, self._tell_lost = coordinator, session, lost
        self._liveness = Liveness(self, sends_pings=True)
        self.is_proven = False
        #: Fires when both proofs were good; fails with the refusal or the reason of the loss.
        self.proven: Deferred[None] = Deferred()

    # --- proofs -----------------------------------------------------------------------------

    def secured(self, alpn: bytes) -> None:
        """TLS stands, and it is the pinned server: prove that the session is ours."""
        proof = peers.mac(self._session.key, b"daemon", peers.request_binding(self.tls))
        answer = self.control.call(
            vocabulary.ProveSession, session=self._session.ident, proof=proof
        )
        answer.addCallbacks(self._check, self._refused)

    def _check(self, answer: dict[str, Any]) -> None:
        expected = peers.mac(self._session.key, b"server", peers.request_binding(self.tls))
        if not peers.same(answer["proof"], expected):
            self.fault(ProofRefused("the server does not know the session key"))
            return
        self.is_proven = True
        self.established()
        self._liveness.start()
        self.proven.callback(None)

    def _refused(self, failure: Failure) -> None:
        if not failure.check(ConnectionLost):
            self.fault(cast(Exception, denied(failure, vocabulary.ProveSession).value))

    def check(self) -> None:
        """This process stood still: see at once whether the server is still there."""
        self._liveness.check()

    # --- requests ---------------------------------------------------------------------------

    def responders(self) -> amp.IResponderLocator:
        """`Ping`, `OfferChat`, `WithdrawOffer`, `MissedRequest`."""
        return self

    @vocabulary.Ping.responder
    def ping(self) -> dict[str, Any]:
        """Here."""
        return {}

    @vocabulary.OfferChat.responder
    def offered(
        self,
        chat: bytes,
        caller: Name,
        key: PublicKey,
        seconds: int,
        chat_seconds: int | None,
        succession: bytes | None,
    ) -> Deferred[dict[str, Any]]:
        """Answered by the coordinator, or through it by the person."""
        self._must_be_proven()
        terms = ChatTerms.of(chat_seconds)
        offer = Offer(chat, caller, key, seconds, succession or b"", terms=terms)
        answer = self._coordinator.offered(offer)
        return answer.addCallback(lambda word: {"answer": word})

    @vocabulary.WithdrawOffer.responder
    def withdrawn(self, chat: bytes, reason: Withdrawn) -> dict[str, Any]:
        """Our answer no longer counts."""
        self._must_be_proven()
        self._coordinator.withdrawn(chat, reason)
        return {}

    @vocabulary.MissedRequest.responder
    def missed(self, caller: Name) -> dict[str, Any]:
        """For when the person is back."""
        self._must_be_proven()
        self._coordinator.missed(caller)
        return {}

    def _must_be_proven(self) -> None:
        if not self.is_proven:
            raise WireError("a request before the server's proof")

    # --- the end ----------------------------------------------------------------------------

    def lost(self, reason: Failure) -> None:
        """Nobody can ask us until there is a new one."""
        self._liveness.stop()
        if not self.proven.called:
            self.proven.errback(reason)
        self._tell_lost(self)
