"""The request channel: a client's second connection, for its daemon role.

Each side proves that it has the session key of the standard channel, in a way that is bound to this
connection's TLS (docs/protocol.md, "Request channel"). The same class serves whether the client
connects (listen) or the server does (dial); the server is the TLS server in both.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.protocols import amp
from twisted.python.failure import Failure

from securecom import limits, peers, refusals, tls, vocabulary
from securecom.connection import Connection
from securecom.control import Locator
from securecom.errors import ProofRefused, WireError
from securecom.identity import Name
from securecom.liveness import Liveness
from securecom.server.reception import Reception
from securecom.server.session import Session


class ChannelOwner(Protocol):
    """The session that a request channel belongs to, which may be on another node."""

    name: Name

    def channel_lost(self, channel: Any) -> None:
        """The request channel is gone."""


def answered_proof(session: Session | None, proof: bytes, binding: bytes) -> bytes | None:
    """The server's own proof, if this one was made with the session's key; None if it was not."""
    if session is None:
        return None
    if not peers.same(proof, peers.mac(session.request_key, b"daemon", binding)):
        return None
    return peers.mac(session.request_key, b"server", binding)


class RequestConnection(Connection, Locator):
    """One client's request channel.

    :param only: when dialling, the session whose client was dialled; no other may prove itself.
    """

    most_sent = limits.MAX_SERVER_BODY
    alpn = frozenset({tls.ALPN_REQUEST})
    awaits = "the proof of the session"

    def __init__(self, reception: Reception, only: Session | None = None) -> None:
        super().__init__(reception.clock)
        self.turns, self.deadlines = reception.turns, reception.deadlines
        self._reception = reception
        self._only = only
        self._session: ChannelOwner | None = None
        self._is_asked = False
        self._liveness: Liveness | None = None  # from the proof to the end
        #: Fires when the proof was good; fails if the connection ends before that. None if it was
        #: not dialled, since nobody waits for it then.
        self.proven: Deferred[None] | None = None if only is None else Deferred()

    def responders(self) -> amp.IResponderLocator:
        """Itself: it takes `ProveSession`, and `Ping` after that."""
        return self

    @vocabulary.ProveSession.responder
    def prove_session(
        self, session: bytes, proof: bytes
    ) -> dict[str, Any] | Deferred[dict[str, Any]]:
        """Check that this client has the session's key, and prove that we have it."""
        binding = peers.request_binding(self.tls)
        found, elsewhere = self._reception.sessions.by_id(session), self._reception.channels
        is_first, self._is_asked = not self._is_asked, True
        if is_first and found is None and self._only is None and elsewhere is not None:
            asked = elsewhere.prove(self, session, proof, binding)
            return asked.addCallbacks(self._proven_elsewhere, self._not_proven)
        answer = answered_proof(found, proof, binding) if is_first else None
        if found is None or answer is None or self._only not in (None, found):
            self._refuse()
            raise refusals.BadProof()
        self._belongs_to(found)
        found.channel_opened(
            self, "opened by your client" if self._only is None else "opened by the server"
        )
        if self.proven is not None:
            self.proven.callback(None)
        return {"proof": answer}

    def _belongs_to(self, session: ChannelOwner) -> None:
        self._session = session
        self.pace(self._reception.pacer, session.name)
        self.established()
        self._liveness = Liveness(self, sends_pings=False, looks=self._reception.looks)
        self._liveness.start()

    def _refuse(self) -> None:
        self.reason = ProofRefused("a bad proof of the session key")
        self.clock.callLater(0, self.close)

    def _proven_elsewhere(self, proven: tuple[bytes, ChannelOwner]) -> dict[str, Any]:
        answer, owner = proven
        if not self.is_closing:
            self._belongs_to(owner)
        return {"proof": answer}

    def _not_proven(self, failure: Failure) -> Failure:
        self._refuse()
        return failure

    @vocabulary.Ping.responder
    def ping(self) -> dict[str, Any]:
        """Answer a ping. :raises WireError: it comes before the proof."""
        if self._session is None:
            raise WireError("a ping before the proof")
        return {}

    def lost(self, reason: Failure) -> None:
        """The connection is gone; the person cannot be asked until another one is proven."""
        liveness, self._liveness = self._liveness, None
        if liveness is not None:
            liveness.stop()
        if self._session is not None:
            self._session.channel_lost(self)
        elif self.proven is not None:
            self.proven.errback(reason)


class RequestFactory(Factory):
    """Makes the server's ends of request channels.

    :param only: when dialling, the session whose client is dialled.
    """

    noisy = False

    def __init__(self, reception: Reception, only: Session | None = None) -> None:
        self._reception, self._only = reception, only

    def buildProtocol(self, addr: object) -> RequestConnection:
        return RequestConnection(self._reception, self._only)
