"""Who is on this node: claims in the directory, so that each person is on one node only."""

from __future__ import annotations

from collections.abc import Callable, Generator
from itertools import islice
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from securecom import limits, refusals
from securecom.control import our_fault
from securecom.errors import DirectoryAway
from securecom.identity import Name
from securecom.server.cluster.cluster_switchboard import ClusterSwitchboard
from securecom.server.cluster.directory import Directory, Node, Place
from securecom.server.cluster.links import Links
from securecom.server.cluster.node_vocabulary import (
    EndThere,
)
from securecom.server.gathered import gathered
from securecom.server.reception import Sessions

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
        released.addErrback(is_told_later)

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
        return gathered(
            [
                self._directory.keep(name, restraints.of(name), limits.RESTRAINTS_KEPT).addErrback(
                    is_told_later
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
            yield gathered([self._claim_again(*one, lost) for one in some])

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
            self._directory.release(name, place).addErrback(is_told_later)
        elif is_elsewhere:
            self._drop(name)
            lost(name)


def is_told_later(failure: Failure) -> None:
    """The directory could not be reached: it hears of it with a later heartbeat, or forgets it."""
    if not failure.check(DirectoryAway):
        our_fault(failure)
