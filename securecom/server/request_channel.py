"""The request channel: the second connection of a client, its daemon role's.

It proves itself with the session key of the standard channel, both ways, bound to its own TLS
(docs/protocol.md, "Request channel"). The same protocol serves when the client connects (listen)
and when the server does (dial); the server is TLS server in both.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.protocols import amp
from twisted.python.failure import Failure

from securecom import peers, refusals, tls, vocabulary
from securecom.connection import Connection, Liveness
from securecom.errors import ProofRefused, WireError
from securecom.server.reception import Reception
from securecom.server.session import Session


class RequestConnection(Connection, amp.CommandLocator):
    """One client's request channel.

    :param only: in dial mode, the session that was asked to be here; no other's proof will do.
    """

    alpn = frozenset({tls.ALPN_REQUEST})
    awaits = "the proof of the session"

    def __init__(self, reception: Reception, only: Session | None = None) -> None:
        super().__init__(reception.clock)
        self.turns = reception.turns
        self._reception = reception
        self._only = only
        self._session: Session | None = None
        self._is_refused = False
        self._liveness = Liveness(self, sends_pings=False)
        #: Fires when the proof was good; fails when the connection ends before that.
        self.proven: Deferred[None] = Deferred()
        if only is None:
            self.proven.addErrback(lambda _: None)  # nobody waits for it

    def responders(self) -> amp.IResponderLocator:
        """Two commands: `ProveSession` first, `Ping` afterwards."""
        return self

    @vocabulary.ProveSession.responder
    def prove_session(self, session: bytes, proof: bytes) -> dict[str, Any]:
        """Check that this client holds the key of that session; prove that we do."""
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
        self.proven.callback(None)
        return {"proof": peers.mac(found.request_key, b"server", binding)}

    @vocabulary.Ping.responder
    def ping(self) -> dict[str, Any]:
        """Here. :raises WireError: before the proof."""
        if self._session is None:
            raise WireError("a ping before the proof")
        return {}

    def _find(self, ident: bytes, proof: bytes, binding: bytes) -> Session | None:
        """The live session whose key made this proof, if it may be here."""
        found = self._reception.sessions.by_id(ident)
        if self._is_refused or self._session is not None:
            return None
        if found is None or self._only not in (None, found):
            return None
        if not peers.same(proof, peers.mac(found.request_key, b"daemon", binding)):
            return None
        return found

    def dataReceived(self, data: bytes) -> None:
        self._liveness.heard()
        super().dataReceived(data)

    def lost(self, reason: Failure) -> None:
        """The person cannot be asked until a new one is proven."""
        self._liveness.stop()
        if self._session is not None:
            self._session.channel_lost(self)
        elif not self.proven.called:
            self.proven.errback(reason)


class RequestFactory(Factory):
    """Makes the server's ends of request channels.

    :param only: for dialling: the session whose channel this is to be.
    """

    noisy = False

    def __init__(self, reception: Reception, only: Session | None = None) -> None:
        self._reception, self._only = reception, only

    def buildProtocol(self, addr: object) -> RequestConnection:
        return RequestConnection(self._reception, self._only)
