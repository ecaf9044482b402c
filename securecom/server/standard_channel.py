"""The standard channel: a client's first connection, from TLS to the end of the session.

The commands that may come depend on the phase. A phase is a class with just these commands: `Door`
before log-in, `EnrolmentPhase` on the ALPN for invitations, then `Session`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols import amp
from twisted.python.failure import Failure
from zope.interface import implementer

from securecom import framing, limits, peers, refusals, tls, vocabulary
from securecom.connection import Connection
from securecom.control import Locator
from securecom.errors import PeerFault, PeerSilent, ProofRefused, WireError
from securecom.identity import Name, PublicKey, SecondKey
from securecom.invitation import token_hash
from securecom.liveness import Liveness
from securecom.server.reception import Claims, Reception
from securecom.server.registry import Entrant
from securecom.server.session import Session

_log = Logger()


class Door(Locator):
    """Before log-in: takes `LogIn`, once."""

    def __init__(self, connection: StandardConnection) -> None:
        self._connection = connection

    @vocabulary.LogIn.responder
    def log_in(
        self, takeover: bool, second_key: SecondKey, signature: bytes
    ) -> Deferred[dict[str, Any]]:
        """Open the session of this connection's key, if it has a user."""
        self._connection.phase = Closed()
        return self._connection.log_in(takeover, second_key, signature)


class EnrolmentPhase(Locator):
    """On the ALPN for enrolment: takes `Enrol` or `Retire`, once."""

    def __init__(self, connection: StandardConnection) -> None:
        self._connection = connection

    @vocabulary.Enrol.responder
    def enrol(
        self, token: bytes, second_key: SecondKey, signature: bytes
    ) -> Deferred[dict[str, Any]]:
        """Spend an invitation on this connection's key and its second one."""
        self._connection.phase = Closed()
        return self._connection.enrol(token, second_key, signature)

    @vocabulary.Retire.responder
    def retire(self, name: Name, public: bytes, signature: bytes) -> Deferred[dict[str, Any]]:
        """Retire somebody's key, at the word of who can."""
        self._connection.phase = Closed()
        return self._connection.retire(name, public, signature)


class Closed(Locator):
    """Between phases, and after a refusal: takes nothing."""


@implementer(amp.IResponderLocator)
class StandardConnection(Connection):
    """One client's standard channel.

    :param host: the client's address; empty if it is not known.
    """

    lanes = frozenset({framing.CONTROL, framing.CHAT})
    most_sent = limits.MAX_SERVER_BODY
    alpn = frozenset({tls.ALPN_STANDARD, tls.ALPN_ENROL})

    def __init__(self, reception: Reception, host: str = "") -> None:
        self.phase: amp.CommandLocator = Closed()
        super().__init__(reception.clock)
        self.turns, self.deadlines = reception.turns, reception.deadlines
        self._host = host
        self._reception = reception
        self._session: Session | None = None
        self._liveness: Liveness | None = None  # from the log-in to the end

    def responders(self) -> amp.IResponderLocator:
        """Itself: it takes whatever the present phase does."""
        return self

    def locateResponder(self, name: bytes) -> Any:  # noqa: N802
        """IResponderLocator."""
        return self.phase.locateResponder(name)

    def secured(self, alpn: bytes) -> None:
        """TLS is up; the protocol that was negotiated decides the first phase."""
        self.phase = EnrolmentPhase(self) if alpn == tls.ALPN_ENROL else Door(self)

    # --- log-in and enrolment ---------------------------------------------------------------

    @inlineCallbacks
    def log_in(self, takeover: bool, second_key: SecondKey, signature: bytes) -> Any:
        """Find the user of the client's keys, and open their session."""
        reception, first = self._reception, peers.peer_key(self.tls)
        entrant = yield reception.find(first)
        if not reception.sessions.is_open:
            raise refusals.ServerFull()
        if self.is_closing:
            raise refusals.ServerTrouble("the client is gone")
        key, known = PublicKey(first.raw, second_key.digest), entrant.user.key
        if known is None or not (known == key or key.completes(known)):
            raise refusals.BadProof()
        if known == key:
            key = known  # and not the same twice
        self._check_second(key, second_key, signature, peers.LOG_IN)
        if known != key:
            entrant = yield reception.complete(entrant.user.name, key)
            if self.is_closing:
                raise refusals.ServerTrouble("the client is gone")
        if reception.sessions.claims is not None:
            entrant = yield self._claim(reception.sessions.claims, entrant, key, takeover)
            takeover = True  # the claim has decided that
        # From here to `open` nothing is waited for: what the registry said is still so.
        session = self._new_session(entrant, key)
        reception.sessions.open(session, takeover)
        self._session = self.phase = session
        self.pace(reception.pacer, session.name)
        yield reception.switchboard.arrive(session)
        peers.forget_key(self.tls)
        self.established()
        if not self.is_closing:
            self._liveness = Liveness(self, sends_pings=False, looks=reception.looks)
            self._liveness.start()
        return reception.welcome(session)

    @inlineCallbacks
    def _claim(self, claims: Claims, entrant: Entrant, key: PublicKey, takeover: bool) -> Any:
        """Have this person on this node only. Fires with the user, found again after that."""
        name, ident = entrant.user.name, peers.session_id(self.tls)
        yield claims.take(name, ident, takeover)
        try:
            again: Entrant = yield self._reception.find(key)
            if self.is_closing:
                raise refusals.ServerTrouble("the client is gone")
            if (again.user.name, again.user.key) != (name, key):
                raise refusals.NotEnrolled()
            self._reception.key_changes.check_settled(name)
            claims.check(name, ident)
        except refusals.Refusal:
            claims.give_up(name, ident)
            raise
        return again

    def _new_session(self, entrant: Entrant, key: PublicKey) -> Session:
        reception, name = self._reception, entrant.user.name
        reception.key_changes.check_settled(name)
        return Session(
            name,
            key,
            entrant.succession,
            peers.session_id(self.tls),
            peers.request_key(self.tls),
            self,
            self._host,
            self.leave,
            reception.switchboard,
            reception.blocks(entrant),
            reception.new_account,
            reception.dial,
            reception.change_key,
            reception.retirements,
            reception.pause,
        )

    @inlineCallbacks
    def enrol(self, token: bytes, second_key: SecondKey, signature: bytes) -> Any:
        """Spend the invitation. The client then connects anew to log in.

        Both keys are proved before it is spent.
        """
        key = PublicKey(peers.peer_key(self.tls).raw, second_key.digest)
        self._check_second(key, second_key, signature, peers.ENROL)
        name: Name = yield self._reception.spend(token_hash(token), key)
        return {"name": name}

    def retire(self, name: Name, public: bytes, signature: bytes) -> Deferred[dict[str, Any]]:
        """Retire a key; the certificate of this connection need not be anybody's."""
        retired = self._reception.retirements.retire(name, public, signature)
        return retired.addCallback(lambda _: {})

    def _check_second(
        self, key: PublicKey, second_key: SecondKey, signature: bytes, purpose: bytes
    ) -> None:
        """:raises BadProof: if the client does not hold its second key."""
        said = peers.said_to_server(self.tls, self._reception.server, key.raw)
        try:
            peers.check_second(key, second_key, signature, said, purpose)
        except ProofRefused:
            raise refusals.BadProof() from None

    # --- the session ------------------------------------------------------------------------

    def run_received(self, run: framing.Run) -> None:
        """Chat frames, which must be of a stream that was opened to this person."""
        if self._session is None:
            raise WireError("chat frames before log-in")
        self._session.streams.received(run)

    def congestion_changed(self) -> None:
        """Have the relay hold or release the other leg."""
        if self._session is not None:
            self._session.streams.congestion_changed()

    def fault(self, error: Exception) -> None:
        """Say goodbye to a client that broke the rules; cut one that is silent."""
        broke_rules = isinstance(error, PeerFault) and not isinstance(error, PeerSilent)
        if self._session is not None and broke_rules:
            self.reason = self.reason or error
            _log.warn("session ended: {reason}", reason=type(error).__name__)
            self._session.end("violation")
        else:
            super().fault(error)

    def leave(self) -> None:
        """End the session, whether or not the connection has closed by now."""
        liveness, self._liveness = self._liveness, None
        if liveness is not None:
            liveness.stop()
        session, self._session = self._session, None
        if session is not None:
            self.phase = Closed()
            self._reception.sessions.forget(session)
            session.gone()

    def lost(self, reason: Failure) -> None:
        """The connection is gone, so the session ends."""
        self.leave()


class StandardFactory(Factory):
    """Makes the server's ends of standard channels."""

    noisy = False

    def __init__(self, reception: Reception) -> None:
        self._reception = reception

    def buildProtocol(self, addr: object) -> StandardConnection:
        return StandardConnection(self._reception, str(getattr(addr, "host", "")))
