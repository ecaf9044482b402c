"""The request channel: a client's second connection, for its daemon role.

Each side proves that it has the session key of the standard channel, in a way that is bound to this
connection's TLS (docs/protocol.md, "Request channel"). The same class serves whether the client
connects (listen) or the server does (dial); the server is the TLS server in both.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.protocols import amp
from twisted.python.failure import Failure

from securecom import limits, peers, refusals, tls, vocabulary
from securecom.connection import Connection, Liveness
from securecom.errors import ProofRefused, WireError
from securecom.server.reception import Reception
from securecom.server.session import Session


class RequestConnection(Connection, amp.CommandLocator):
    """One client's request channel.

    :param only: when dialling, the session whose client was dialled; no other may prove itself.
    """

    most_sent = limits.MAX_SERVER_BODY
    alpn = frozenset({tls.ALPN_REQUEST})
    awaits = "the proof of the session"

    def __init__(self, reception: Reception, only: Session | None = None) -> None:
        super().__init__(reception.clock)
        self.turns = reception.turns
        self._reception = reception
        self._only = only
        self._session: Session | None = None
        self._is_refused = False
        self._liveness = Liveness(self, sends_pings=False, looks=reception.looks)
        #: Fires when the proof was good; fails if the connection ends before that. None if it was
        #: not dialled, since nobody waits for it then.
        self.proven: Deferred[None] | None = None if only is None else Deferred()

    def responders(self) -> amp.IResponderLocator:
        """Itself: it takes `ProveSession`, and `Ping` after that."""
        return self

    @vocabulary.ProveSession.responder
    def prove_session(self, session: bytes, proof: bytes) -> dict[str, Any]:
        """Check that this client has the session's key, and prove that we have it."""
        binding = peers.request_binding(self.tls)
        found = self._find(session, proof, binding)
        if found is None:
            self._is_refused = True
            self.reason = ProofRefused("a bad proof of the session key")
            self.clock.callLater(0, self.close)
            raise refusals.BadProof()
        self._session = found
        self.pace = partial(self._reception.pacer.wait, found.name)
        self.established()
        self._liveness.start()
        found.channel_opened(
            self, "opened by your client" if self._only is None else "opened by the server"
        )
        if self.proven is not None:
            self.proven.callback(None)
        return {"proof": peers.mac(found.request_key, b"server", binding)}

    @vocabulary.Ping.responder
    def ping(self) -> dict[str, Any]:
        """Answer a ping. :raises WireError: it comes before the proof."""
        if self._session is None:
            raise WireError("a ping before the proof")
        return {}

    def _find(self, ident: bytes, proof: bytes, binding: bytes) -> Session | None:
        """The session whose key made this proof, if it may use this connection."""
        found = self._reception.sessions.by_id(ident)
        if self._is_refused or self._session is not None:
            return None
        if found is None or self._only not in (None, found):
            return None
        if not peers.same(proof, peers.mac(found.request_key, b"daemon", binding)):
            return None
        return found

    def lost(self, reason: Failure) -> None:
        """The connection is gone; the person cannot be asked until another one is proven."""
        self._liveness.stop()
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
