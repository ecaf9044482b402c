"""This node among the others: it keeps its place, claims its people, and answers other nodes."""

from __future__ import annotations

from collections.abc import Callable, Generator
from itertools import islice
from typing import Any, cast

from twisted.internet.defer import Deferred, FirstError, gatherResults, inlineCallbacks, succeed
from twisted.logger import Logger
from twisted.protocols import amp
from twisted.python.failure import Failure

from securecom import limits, refusals, vocabulary
from securecom.control import our_fault
from securecom.errors import DirectoryAway, NodeGone
from securecom.identity import Name, PublicKey
from securecom.server.cluster.cluster_switchboard import ClusterSwitchboard
from securecom.server.cluster.directory import IDENT_BYTES, Directory, Node, Place
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
from securecom.server.cluster.remote_people import RemoteChannel, SessionThere
from securecom.server.reception import Sessions
from securecom.server.request_channel import RequestConnection, answered_proof
from securecom.server.session import Session, opened_box
from securecom.server.switchboard import Withdrawn

_log = Logger()


class Places:
    """Claims people for this node, so that each is on one node only. It is `reception.Claims`.

    :param own: this node.
    """

    def __init__(
        self,
        own: Node,
        directory: Directory,
        links: Links,
        switchboard: ClusterSwitchboard,
        sessions: Sessions,
    ) -> None:
        self._own, self._directory, self._links = own, directory, links
        self._switchboard, self._sessions = switchboard, sessions
        #: The session that each person here was claimed for, by its public handle.
        self._claimed: dict[Name, bytes] = {}
        #: Those of them whose restraints are here, and newer than what the directory has.
        self._held_back: set[Name] = set()
        #: Sessions that are being claimed, and those of them that were taken over meanwhile.
        self._taking: set[bytes] = set()
        self._lost: set[bytes] = set()
        #: What was taken over from a node that could not be told so.
        self._untold: dict[Place, Name] = {}

    @inlineCallbacks
    def take(
        self, name: Name, session: bytes, takeover: bool
    ) -> Generator[Deferred[Any], Any, None]:
        """Claim somebody who logs in, and end the session that they have, here or elsewhere.

        Fails with `AlreadyOnline` or `ServerTrouble`.
        """
        if not takeover and self._sessions.of(name) is not None:
            raise refusals.AlreadyOnline()  # the directory may have forgotten it
        self._taking.add(session)
        try:
            yield self._take(name, Place(self._own.ident, session), takeover)
        except DirectoryAway as error:  # the claim may have been made all the same
            self._undo(name, session)
            _log.error("nobody can log in: {error}", error=str(error))
            raise refusals.ServerTrouble() from None
        except refusals.AlreadyOnline:
            raise
        except Exception:
            self._undo(name, session)
            raise
        finally:
            self._taking.discard(session)
            self._lost.discard(session)

    @inlineCallbacks
    def _take(
        self, name: Name, place: Place, takeover: bool
    ) -> Generator[Deferred[Any], Any, None]:
        former: Place | None = yield self._directory.claim(name, place, takeover)
        if place.session in self._lost:  # on another link than the directory's answer
            self._undo(name, place.session)
            raise refusals.AlreadyOnline()
        self._claimed[name] = place.session
        if (here := self._sessions.of(name)) is not None:
            here.end("taken-over")  # now: this log-in may still fail, and nobody has a claim then
        if former is not None and former.node != self._own.ident:
            yield self.keep({name})  # if the other node has newer ones, it writes them over these
            self._held_back.discard(name)
            yield self._end_there(name, former)
        kept = None
        if name not in self._held_back:
            kept = yield self._directory.recall(name)
        self.check(name, place.session)
        if kept is not None:
            self._switchboard.restraints.take(name, kept)
        self._held_back.add(name)

    def _undo(self, name: Name, session: bytes) -> None:
        if self._claimed.get(name) == session:
            self._drop(name)
        released = self._directory.release(name, Place(self._own.ident, session))
        released.addErrback(_is_told_later)

    def _drop(self, name: Name) -> None:
        del self._claimed[name]
        self._held_back.discard(name)

    def _end_there(self, name: Name, former: Place) -> Deferred[Any]:
        """A node that is gone has ended it. One that cannot be reached is told later."""
        ended = self._links.call(former.node, EndThere, name=name, session=former.session)

        def not_told(_: Failure) -> None:
            self._untold[former] = name

        return ended.addErrback(not_told)

    def tell_again(self, living: frozenset[bytes]) -> None:
        """End what was taken over from nodes that live and could not be told so.

        One that counts as gone claims its people again when it is back, and finds out by that.
        """
        for former, name in list(self._untold.items()):
            if former.node not in living:
                del self._untold[former]
            elif self._links.is_linked(former.node):
                del self._untold[former]
                self._end_there(name, former)

    def check(self, name: Name, session: bytes) -> None:
        """:raises AlreadyOnline: somebody else has logged in as this person since `take`."""
        if self._claimed.get(name) != session:
            raise refusals.AlreadyOnline()

    def give_up(self, name: Name, session: bytes) -> None:
        """This session is over, or never began."""
        if self._claimed.get(name) != session:
            return
        self.keep({name})
        self._undo(name, session)

    def lose(self, name: Name, session: bytes) -> Deferred[Any]:
        """Somebody has taken this session over, elsewhere.

        Fires when the directory has what holds them back, for the node where they are now.
        """
        if self._claimed.get(name) == session:
            kept = self.keep({name})
            self._undo(name, session)  # it is theirs, and must not be told to be here again
            return kept
        if session in self._taking:
            self._lost.add(session)
        return succeed(None)

    def keep(self, names: set[Name]) -> Deferred[Any]:
        """Have the directory remember what holds these people back, wherever they log in next.

        Nothing is kept of somebody whose restraints have not been recalled yet.
        """
        restraints = self._switchboard.restraints
        return gatherResults(
            [
                self._directory.keep(name, restraints.of(name), limits.RESTRAINTS_KEPT).addErrback(
                    _is_told_later
                )
                for name in sorted(names & self._held_back)
            ]
        )

    @inlineCallbacks
    def keep_in_turn(self, names: set[Name]) -> Generator[Deferred[Any], Any, None]:
        """As `keep`, for many people, some at a time.

        All at once, a few thousand of them would keep the reactor from all else for a second.
        """
        people = iter(names)
        while some := set(islice(people, limits.CLAIMS_AT_ONCE)):
            yield self.keep(some)

    @inlineCallbacks
    def claim_again(self, lost: Callable[[Name], None]) -> Generator[Deferred[Any], Any, None]:
        """The directory has forgotten us. `lost` is called with who is elsewhere by now."""
        people = iter(list(self._claimed.items()))
        while some := list(islice(people, limits.CLAIMS_AT_ONCE)):
            claims = gatherResults([self._claim_again(*one, lost) for one in some], True)
            yield claims.addErrback(_the_first)

    @inlineCallbacks
    def _claim_again(
        self, name: Name, session: bytes, lost: Callable[[Name], None]
    ) -> Generator[Deferred[Any], Any, None]:
        place = Place(self._own.ident, session)
        is_elsewhere = False
        try:
            yield self._directory.claim(name, place, False)
        except refusals.AlreadyOnline:
            is_elsewhere = True
        if self._claimed.get(name) != session:  # it ended meanwhile
            self._directory.release(name, place).addErrback(_is_told_later)
        elif is_elsewhere:
            self._drop(name)
            lost(name)


def _the_first(failure: Failure) -> Failure:
    """What one of several failed with."""
    failure.trap(FirstError)
    only: Failure = cast(FirstError, failure.value).subFailure
    return only


def _is_told_later(failure: Failure) -> None:
    """The directory could not be reached: it hears of it with a later heartbeat, or forgets it."""
    if not failure.check(DirectoryAway):
        our_fault(failure)


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
        departed = self._directory.depart(self.own.ident).addErrback(_is_told_later)
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
