"""The interface of the directory: which nodes there are, and on which of them somebody is.

A node is one server process. It keeps its place in the directory by announcing itself, every
`limits.HEARTBEAT` seconds. Once it has not for `limits.NODE_LAPSE` seconds, nobody is on it any
more as far as the directory goes: what names it counts as absent, and nobody has to sweep.

The directory may forget everything at any moment, since its engine may be wiped. `announce` says
so; then the node claims all its sessions again.

Every method of a directory that cannot be reached fails with `DirectoryAway`, at the latest after
`limits.DIRECTORY_DEADLINE` seconds. What was asked may have been done all the same, or be done
later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from twisted.internet.defer import Deferred

from securecom.errors import DirectoryAway
from securecom.identity import Name
from securecom.server.restraint_facts import Kept

#: Bytes of a node's ident, and of a session's public handle.
IDENT_BYTES = 16


class NodeUnknown(DirectoryAway):
    """The directory does not know the node that claims: it has lapsed, or the engine was wiped.

    Nothing was claimed. It can be, after the next `announce`.
    """

    hint = "It announces itself every few seconds: try again in a moment."


@dataclass(frozen=True, slots=True)
class Node:
    """A process of this server, and where other nodes reach it.

    :param ident: random, drawn by each process anew, so that a restarted one is another node.
    """

    ident: bytes
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a person is.

    :param node: the ident of their node.
    :param session: the public handle of their session.
    """

    node: bytes
    session: bytes


class Directory(Protocol):
    """What the nodes of one server know of each other."""

    def announce(self, node: Node) -> Deferred[bool]:
        """The node lives, for `limits.NODE_LAPSE` seconds more.

        Fires with whether it was known until now. If it was not, whatever was claimed for it may
        be gone or somebody else's: claim each session again, without `takeover`, and end those for
        which that fails with `AlreadyOnline`.
        """

    def depart(self, node: bytes) -> Deferred[None]:
        """The node stops. Whoever is on it is absent from now on."""

    def nodes(self) -> Deferred[list[Node]]:
        """All living nodes, by ident."""

    def claim(self, name: Name, place: Place, takeover: bool) -> Deferred[Place | None]:
        """This person is here now. Of several claims at the same time, one comes first.

        Fires with their former place, if that is on a living node: their session there has to end.
        None if there was none. To claim what one has already changes nothing, and fires with None.
        Fails with `refusals.AlreadyOnline`, if they have another place and `takeover` is False;
        with `NodeUnknown`, if the place's own node does not live.
        """

    def release(self, name: Name, place: Place) -> Deferred[None]:
        """This person is no longer here. Changes nothing if they have another place by now.

        Need not be repeated when it fails: the directory does so itself, with later announcements.
        """

    def where(self, name: Name) -> Deferred[Place | None]:
        """Where this person is, on a living node. The work is the same whoever is asked for."""

    def holder(self, session: bytes) -> Deferred[bytes | None]:
        """The living node of the session with this public handle."""

    def keep(self, name: Name, facts: bytes, seconds: float) -> Deferred[None]:
        """Remember this for that person, instead of what was kept before, for so long.

        Nothing is kept if there are no facts or no seconds.
        """

    def recall(self, name: Name) -> Deferred[Kept]:
        """What was kept for this person; `NOTHING_KEPT` if there is nothing."""

    def forget(self, names: frozenset[Name]) -> Deferred[None]:
        """Forget what was kept for these people. Where they are is not touched."""

    def close(self) -> Deferred[None]:
        """Close the connection, and make no other. What is still unanswered fails.

        Nothing lapses by that: `depart` first.
        """
