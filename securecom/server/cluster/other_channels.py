"""Request channels that are on another node than their session."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.logger import Logger
from twisted.protocols import amp

from securecom import refusals, vocabulary
from securecom.errors import DirectoryAway, NodeGone
from securecom.server.cluster.directory import IDENT_BYTES, Directory
from securecom.server.cluster.links import Links
from securecom.server.cluster.node_vocabulary import (
    ChannelGone,
    ProveThere,
)
from securecom.server.cluster.remote_people import RemoteChannel, SessionThere
from securecom.server.reception import Sessions
from securecom.server.request_channel import RequestConnection, answered_proof
from securecom.server.session import Session
from securecom.server.switchboard import Withdrawn

_log = Logger()


class Channels:
    """Request channels that are on another node than their session.

    :param random: gives this many random bytes, for the names of channels.
    """

    def __init__(
        self, links: Links, sessions: Sessions, directory: Directory, random: Callable[[int], bytes]
    ) -> None:
        self._links, self._sessions = links, sessions
        self._directory, self._random = directory, random
        #: Channels here of sessions elsewhere: the connection, and the session's node.
        self._here: dict[bytes, tuple[RequestConnection, bytes]] = {}
        #: Channels elsewhere of sessions here.
        self._there: dict[tuple[bytes, bytes], tuple[Session, RemoteChannel]] = {}
        #: Offers that were sent on a channel here, by channel and chat.
        self._offers: dict[tuple[bytes, bytes], Deferred[Any]] = {}

    # --- the channel's node -----------------------------------------------------------------

    @inlineCallbacks
    def prove(
        self, connection: RequestConnection, session: bytes, proof: bytes, binding: bytes
    ) -> Generator[Deferred[Any], Any, tuple[bytes, SessionThere]]:
        """Have a proof checked by the node of the session.

        Fires with the server's own proof, and the session. Fails with `BadProof`, also if there is
        no such session. If the node cannot be asked, the connection is cut.
        """
        ident = self._random(IDENT_BYTES)
        try:
            node = yield self._directory.holder(session)
            if node is None:
                raise refusals.BadProof()
            self._here[ident] = connection, node
            facts = {"session": session, "proof": proof, "binding": binding}
            box = yield self._links.call(node, ProveThere, channel=ident, **facts)
        except (
            DirectoryAway,
            NodeGone,
        ) as error:  # says nothing of the proof: let the client try again
            self._gone_here(ident)  # the session's node may have it all the same
            connection.fault(error)
            raise refusals.BadProof() from None
        except refusals.BadProof:
            self._here.pop(ident, None)
            raise
        if connection.is_closing:
            self._gone_here(ident)
        return box["proof"], SessionThere(box["name"], lambda: self._gone_here(ident))

    def _gone_here(self, ident: bytes) -> None:
        found = self._here.pop(ident, None)
        if found is not None:
            self._links.tell(found[1], ChannelGone, channel=ident)

    @inlineCallbacks
    def offer(
        self, node: bytes, ident: bytes, chat: bytes, **offer: Any
    ) -> Generator[Deferred[Any], Any, dict[str, Any]]:
        """Ask the client of a channel here. Fails with `NoAnswer` if it is gone."""
        connection = self._connection(node, ident)
        if connection is None:  # when it went, there was no link to say so
            self._links.tell(node, ChannelGone, channel=ident)
            raise refusals.NoAnswer()
        answer = connection.control.call(vocabulary.OfferChat, chat=chat, **offer)
        self._offers[ident, chat] = answer
        try:
            box: dict[str, Any] = yield answer
        except Exception:  # withdrawn, or the client is gone
            raise refusals.NoAnswer() from None
        finally:
            self._offers.pop((ident, chat), None)
        return box

    def withdraw(self, node: bytes, ident: bytes, chat: bytes, reason: Withdrawn) -> None:
        """Take an offer back on a channel here."""
        self.tell(node, ident, vocabulary.WithdrawOffer, chat=chat, reason=reason)
        if (answer := self._offers.get((ident, chat))) is not None:
            answer.cancel()

    def tell(self, node: bytes, ident: bytes, command: type[amp.Command], **facts: Any) -> None:
        """Send a command that wants no answer on a channel here."""
        if connection := self._connection(node, ident):
            connection.control.tell(command, **facts)

    def _connection(self, node: bytes, ident: bytes) -> RequestConnection | None:
        connection, owner = self._here.get(ident, (None, b""))
        return connection if owner == node else None

    # --- the session's node -----------------------------------------------------------------

    def prove_here(
        self, node: bytes, session: bytes, proof: bytes, binding: bytes, channel: bytes
    ) -> dict[str, Any]:
        """Check the proof of a channel elsewhere. :raises BadProof: it is none."""
        found = self._sessions.by_id(session)
        answer = answered_proof(found, proof, binding)
        if found is None or answer is None:
            raise refusals.BadProof()
        remote = RemoteChannel(self._links, node, channel)
        self._there[node, channel] = found, remote
        found.channel_opened(remote, "opened by your client")
        return {"proof": answer, "name": found.name}

    def gone(self, node: bytes, ident: bytes) -> None:
        """The other node says that a channel is gone, or has to go."""
        if found := self._there.pop((node, ident), None):
            session, channel = found
            session.channel_lost(channel)
        elif connection := self._connection(node, ident):
            connection.close()

    def node_lost(self, node: bytes) -> None:
        """Channels from and to this node are gone."""
        for where, ident in [key for key in self._there if key[0] == node]:
            self.gone(where, ident)
        for ident in [ident for ident, (_, owner) in self._here.items() if owner == node]:
            connection, _ = self._here.pop(ident)
            connection.close()
