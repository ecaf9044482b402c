"""The interface of the switchboard: who is available, who asks whom, who chats with whom.

Methods return Deferreds, so that an implementation may span several machines. The one in memory is
`securecom.server.local_switchboard`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from twisted.internet.defer import Deferred

from securecom.identity import Name, PublicKey
from securecom.server.relay import Leg, Relay
from securecom.vocabulary import Fact

Answer = Literal["accept", "refuse", "busy", "unavailable"]
Withdrawn = Literal["cancelled", "expired", "gone", "crossed"]
Role = Literal["caller", "callee"]


@dataclass(frozen=True)
class Opened:
    """What the caller gets when there is a chat."""

    chat: bytes
    stream: int
    key: PublicKey
    role: Role
    #: The other's time limit, if both asked and at least one set a limit; 0 means none.
    their_seconds: int | None = None
    succession: bytes = b""


@dataclass(frozen=True)
class Lease:
    """A person's availability.

    :param seconds: how long it lasts; None means as long as the session.
    :param audience: who can ask; None means everybody.
    :param busy_to: who of these sees that the person is busy.
    """

    seconds: float | None = None
    audience: frozenset[Name] | None = None
    busy_to: frozenset[Name] = frozenset()


@dataclass(frozen=True)
class Page:
    """A part of the list of people who can be asked, and those of them who are visibly busy."""

    names: list[Name]
    busy: list[Name]
    more: bool


class Party(Protocol):
    """A person who is online, as the switchboard sees them: a `Session`."""

    name: Name
    key: PublicKey
    #: The chain that led to the key (`succession.encode`), for whoever they have a request with.
    succession: bytes

    @property
    def leg(self) -> Leg:
        """Their standard channel."""

    @property
    def reachable(self) -> bool:
        """Whether there is a request channel."""

    def admits(self, asker: Name) -> bool:
        """Whether this person has not blocked the asker."""

    def later(self, work: Callable[[], None], *, for_nobody: bool = False) -> None:
        """Put work off to a drawn moment, behind all that was put off before it.

        :param for_nobody: it is for a person who is not there, so it delays nothing of this one's.
        """

    def soon(self, work: Callable[[], None]) -> None:
        """Do work as soon as all that was put off before it is done."""

    def offer(
        self,
        chat: bytes,
        caller: Name,
        key: PublicKey,
        succession: bytes,
        lasts: float,
        chat_seconds: int | None,
    ) -> Deferred[Answer]:
        """Ask this person. Fails if the request channel goes, or when the offer is withdrawn.

        :param succession: the chain that led to the caller's key.
        :param lasts: seconds until the offer is withdrawn.
        :param chat_seconds: how long the caller wants the chat to last; None means without limit.
        """

    def missed(self, caller: Name) -> None:
        """Note a caller who could not be announced, since this person is away or busy."""

    def withdraw(self, chat: bytes, reason: Withdrawn) -> None:
        """Take an offer back."""

    def announce_stream(self, chat: bytes, stream: int) -> Deferred[object]:
        """Announce the stream of a chat. Fires when the client is ready for it."""

    def open_stream(self, relay: Relay) -> None:
        """Take chat frames of the relay's stream from now on."""

    def close_stream(self, stream: int, *, tell: bool) -> None:
        """Take them no longer; `tell` the client, unless this person ended the chat."""


class Switchboard(Protocol):
    """Availability, requests and chats of everybody online."""

    def arrive(self, party: Party) -> Deferred[None]:
        """Add somebody who logged in. They are away until they say otherwise."""

    def leave(self, party: Party) -> Deferred[None]:
        """Remove somebody. Their request or chat is over, and the other person is free."""

    def set_available(self, party: Party, lease: Lease | None) -> Deferred[None]:
        """Let those whom the lease names ask this person while it lasts; None: nobody."""

    def available(self, asker: Party, after: str, text: str) -> Deferred[Page]:
        """A page of the people whom the asker can ask, busy or not."""

    def held(self, party: Party) -> Deferred[list[Fact]]:
        """Everything that is remembered about somebody, for themselves to see.

        About a request that they made it says only what they know already, and nothing of what
        becomes of it, so that a silent one looks like any other.
        """

    def forget(self, names: frozenset[Name]) -> Deferred[None]:
        """Forget everything about names that nobody has any more."""

    def drop_old(self) -> None:
        """Forget requests and refusals that no longer hold anybody back."""

    def request(
        self, caller: Party, callee: Name, chat_seconds: int | None = None
    ) -> Deferred[Opened]:
        """Ask for a chat. Fails with one of `securecom.refusals`.

        The callee is looked up at a drawn moment, at most `limits.REQUEST_PAUSE` later; until then
        the server's work does not depend on them. It fails with `Busy` after that, and only if the
        callee lets the caller see it.

        It fails with `NoAnswer` at a time that was drawn before anything was looked up, whether
        there was nobody to ask or the callee stayed silent. Until then the caller is engaged in
        either case.

        If the callee's own request to the caller is still open, the two become one chat.

        :param chat_seconds: passed on to the callee; the server does not act on it.
        """

    def cancel(self, caller: Party) -> Deferred[None]:
        """Withdraw the caller's open request. Fails with `NothingToEnd`."""

    def silence(self, party: Party, caller: Name) -> Deferred[None]:
        """Let an open request of this caller to the party go without an answer."""

    def hold(self, party: Party) -> Deferred[None]:
        """Keep the party out of everything until `release`. Fails with `Occupied`."""

    def release(self, party: Party) -> None:
        """Undo `hold`."""

    def end(self, party: Party, stream: int) -> Deferred[None]:
        """End the party's chat. Fails with `NothingToEnd`."""
