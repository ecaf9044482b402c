"""This node among the others: it keeps its place, and answers other nodes."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.logger import Logger
from twisted.protocols import amp
from twisted.python.failure import Failure

from securecom import refusals, vocabulary
from securecom.control import our_fault
from securecom.errors import DirectoryAway
from securecom.identity import Name, PublicKey
from securecom.server.cluster.cluster_switchboard import ClusterSwitchboard
from securecom.server.cluster.directory import Directory, Node
from securecom.server.cluster.links import Links
from securecom.server.cluster.node_vocabulary import (
    ChannelGone,
    EndThere,
    ListThere,
    MissedThere,
    OfferThere,
    PassRequest,
    ProveThere,
    TakeBackRequest,
    WithdrawThere,
)
from securecom.server.cluster.other_channels import Channels
from securecom.server.cluster.places import Places, is_told_later
from securecom.server.reception import Sessions
from securecom.server.session import opened_box
from securecom.server.switchboard import Withdrawn

_log = Logger()


class Membership:
    """This node's life among the others. It is `links.NodeHandler`."""

    def __init__(
        self,
        own: Node,
        directory: Directory,
        switchboard: ClusterSwitchboard,
        sessions: Sessions,
        places: Places,
        channels: Channels,
        links: Links,
    ) -> None:
        #: This node, and where others reach it.
        self.own = own
        self._directory, self._links = directory, links
        self._switchboard, self._sessions = switchboard, sessions
        self._places, self._channels = places, channels
        self._is_away = False
        #: Whether the directory has forgotten our people, and has not been told of all again.
        self._is_forgotten = False

    @inlineCallbacks
    def join(self) -> Generator[Deferred[Any], Any, None]:
        """Take a place in the directory, and link with the others. Fails with `DirectoryAway`."""
        yield self._directory.announce(self.own)
        self._meet((yield self._directory.nodes()))

    @inlineCallbacks
    def announce(self) -> Generator[Deferred[Any], Any, None]:
        """Keep the place in the directory, and link with whoever has one. Never fails."""
        try:
            was_known = yield self._directory.announce(self.own)
            self._is_forgotten = self._is_forgotten or not was_known
            if self._is_forgotten:
                yield self._places.claim_again(self._lost)
                self._is_forgotten = False
            nodes = yield self._directory.nodes()
            touched, self._switchboard.touched = self._switchboard.touched, set()
            self._places.keep_in_turn(touched).addErrback(our_fault)
            self._meet(nodes)
            self._places.tell_again(frozenset(self._switchboard.others))
        except DirectoryAway as error:
            if not self._is_away:
                _log.error("chats here go on, but nobody can log in: {error}", error=str(error))
            self._is_away = True
            return
        except Exception:
            our_fault(Failure())
            return
        if self._is_away:
            _log.info("the directory is back")
        self._is_away = False

    def _meet(self, nodes: list[Node]) -> None:
        self._switchboard.others = [one.ident for one in nodes if one.ident != self.own.ident]
        self._links.meet(nodes)

    def _lost(self, name: Name) -> None:
        """This person has logged in elsewhere while the directory took us for gone."""
        session = self._sessions.of(name)
        if session is not None:
            session.end("taken-over")

    def depart(self) -> Deferred[Any]:
        """Leave: everybody here is absent from now on."""
        self._links.stop()
        departed = self._directory.depart(self.own.ident).addErrback(is_told_later)
        return departed.addCallback(lambda _: self._directory.close())

    # --- links.NodeHandler ------------------------------------------------------------------

    def responders(self, node: bytes) -> amp.IResponderLocator:
        """Who answers this node."""
        return NodeCommands(node, self._switchboard, self._sessions, self._places, self._channels)

    def node_lost(self, node: bytes) -> None:
        """Nobody on this node can be reached."""
        self._switchboard.node_lost(node)
        self._channels.node_lost(node)


class NodeCommands(amp.CommandLocator):
    """Answers one other node.

    :param node: its ident.
    """

    def __init__(
        self,
        node: bytes,
        switchboard: ClusterSwitchboard,
        sessions: Sessions,
        places: Places,
        channels: Channels,
    ) -> None:
        self._node = node
        self._switchboard, self._sessions = switchboard, sessions
        self._places, self._channels = places, channels

    @PassRequest.responder
    def pass_request(
        self,
        request: bytes,
        caller: Name,
        key: PublicKey,
        succession: bytes | None,
        callee: Name,
        milliseconds: int,
        chat_seconds: int | None,
    ) -> Deferred[dict[str, Any]]:
        """Somebody there asks somebody here."""
        person = self._switchboard.person(self._node, request, caller, key, succession or b"")
        lasts = milliseconds / 1000
        taken = self._switchboard.take(self._node, request, person, callee, lasts, chat_seconds)
        return taken.addCallbacks(opened_box, _as_no_answer)

    @TakeBackRequest.responder
    def take_back_request(self, request: bytes, reason: Withdrawn) -> dict[str, Any]:
        """Their request is over."""
        self._switchboard.take_back(self._node, request, reason)
        return {}

    @ListThere.responder
    def list_there(self, asker: Name, after: bytes, text: bytes) -> dict[str, Any]:
        """Whom this person can ask here."""
        page = self._switchboard.page_there(asker, after, text)
        return {"names": page.names, "busy": page.busy, "more": page.more}

    @EndThere.responder
    def end_there(self, name: Name, session: bytes) -> Deferred[dict[str, Any]]:
        """Somebody took over there what they had here."""
        lost = self._places.lose(name, session)
        found = self._sessions.by_id(session)
        if found is not None and found.name == name:
            found.end("taken-over")
        return lost.addCallback(lambda _: {})

    @ProveThere.responder
    def prove_there(
        self, session: bytes, proof: bytes, binding: bytes, channel: bytes
    ) -> dict[str, Any]:
        """A request channel there, of a session here."""
        return self._channels.prove_here(self._node, session, proof, binding, channel)

    @ChannelGone.responder
    def channel_gone(self, channel: bytes) -> dict[str, Any]:
        """A request channel is gone, or has to go."""
        self._channels.gone(self._node, channel)
        return {}

    @OfferThere.responder
    def offer_there(self, channel: bytes, chat: bytes, **offer: Any) -> Deferred[dict[str, Any]]:
        """Ask the client whose request channel is here."""
        return self._channels.offer(self._node, channel, chat, **offer)

    @WithdrawThere.responder
    def withdraw_there(self, channel: bytes, chat: bytes, reason: Withdrawn) -> dict[str, Any]:
        """Take an offer back."""
        self._channels.withdraw(self._node, channel, chat, reason)
        return {}

    @MissedThere.responder
    def missed_there(self, channel: bytes, caller: Name) -> dict[str, Any]:
        """Somebody could not be announced to the client whose request channel is here."""
        self._channels.tell(self._node, channel, vocabulary.MissedRequest, caller=caller)
        return {}


def _as_no_answer(failure: Failure) -> Failure:
    """Of the refusals that end a request, those that its caller's node does not know by itself."""
    if failure.check(refusals.Busy, refusals.Refused):
        return failure
    if failure.check(refusals.Refusal):
        return Failure(refusals.NoAnswer())
    return failure
