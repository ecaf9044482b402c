"""Who is available, who is asked by whom, who chats with whom: the interface.

Everything returns a Deferred, since another implementation may have to ask other machines; the
one in memory is `securecom.server.local_switchboard`.
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
    """What the one who asked gets when the chat stands."""

    chat: bytes
    stream: int
    key: PublicKey
    role: Role
    #: What the other asked, if both asked and one of them for a chat with an end; 0: without.
    their_seconds: int | None = None
    succession: bytes = b""


@dataclass(frozen=True)
class Lease:
    """Availability: for so many seconds (None: as long as the session), to these (None: all).

    :param busy_to: who of these is told when the person is busy.
    """

    seconds: float | None = None
    audience: frozenset[Name] | None = None
    busy_to: frozenset[Name] = frozenset()


@dataclass(frozen=True)
class Page:
    """A part of the list of who may be asked; is there more? `busy`: see `Lease.busy_to`."""

    names: list[Name]
    busy: list[Name]
    more: bool


class Party(Protocol):
    """A person who is on line, as the switchboard sees them."""

    name: Name
    key: PublicKey
    #: The chain that led to the key (`succession.encode`); for the two of a request, nobody else.
    succession: bytes

    @property
    def leg(self) -> Leg:
        """Their standard channel."""

    @property
    def reachable(self) -> bool:
        """Has a live request channel."""

    def admits(self, asker: Name) -> bool:
        """Has not blocked this person."""

    def later(self, work: Callable[[], None]) -> None:
        """Put work aside until a drawn moment, behind all that was put aside before it."""

    def soon(self, work: Callable[[], None]) -> None:
        """Do work as soon as all that was put aside before it is done."""

    def offer(
        self,
        chat: bytes,
        caller: Name,
        key: PublicKey,
        succession: bytes,
        lasts: float,
        chat_seconds: int | None,
    ) -> Deferred[Answer]:
        """Ask this person over their request channel; fails if the channel goes, or at `withdraw`.

        :param succession: the chain that led to the caller's key.
        :param lasts: seconds until the offer is withdrawn.
        :param chat_seconds: how long the chat is to last, for the two to agree on.
        """

    def missed(self, caller: Name) -> None:
        """Somebody would have been put before this person, who is away or busy."""

    def withdraw(self, chat: bytes, reason: Withdrawn) -> None:
        """The offer no longer stands."""

    def announce_stream(self, chat: bytes, stream: int) -> Deferred[object]:
        """Tell the callee the stream of the chat; fires when their client is ready for it."""

    def open_stream(self, relay: Relay) -> None:
        """Their chat frames of the relay's stream are welcome from now on."""

    def close_stream(self, stream: int, *, tell: bool) -> None:
        """And no longer; `tell`: it was not this person who ended it."""


class Switchboard(Protocol):
    """Availability, reservation, requests and chats of everybody on line."""

    def arrive(self, party: Party) -> Deferred[None]:
        """Somebody logged in. They are away until they say otherwise."""

    def leave(self, party: Party) -> Deferred[None]:
        """Somebody is gone, at any moment: their request or chat is over, the other one free."""

    def set_available(self, party: Party, lease: Lease | None) -> Deferred[None]:
        """May be asked by whom the lease names while it lasts, or by nobody."""

    def available(self, asker: Party, after: str, text: str) -> Deferred[Page]:
        """A page of those who may be asked by the asker, busy or not."""

    def held(self, party: Party) -> Deferred[list[Fact]]:
        """All that is remembered about somebody, for their own eyes.

        Of a request that they made it tells what they knew already, and nothing of what becomes
        of it: a silent one looks like any other.
        """

    def forget(self, names: frozenset[Name]) -> Deferred[None]:
        """Remember nothing of names that are nobody's any more, and whose owners have left."""

    def drop_old(self) -> None:
        """Forget who asked whom, and who refused, where that no longer holds anybody back."""

    def request(
        self, caller: Party, callee: Name, chat_seconds: int | None = None
    ) -> Deferred[Opened]:
        """Ask for a chat. Fails with a refusal of `securecom.vocabulary`.

        With `NoAnswer` it fails at a time that was drawn before anything was looked up: when
        nobody could be asked at all, and when somebody was and stayed silent. Until then the
        caller is engaged, in one case as in the other. With `Busy` it fails after
        `limits.REQUEST_PAUSE` at the most, and only if the callee lets the caller see that.

        The callee is looked up at a drawn moment, `limits.REQUEST_PAUSE` later at the most: until
        then the server does the same work whoever the callee is.

        A request in the other direction that is still open makes both one chat.

        :param chat_seconds: told to the callee, and no business of the server's.
        """

    def cancel(self, caller: Party) -> Deferred[None]:
        """Withdraw the caller's open request. Fails with `NothingToEnd`."""

    def silence(self, party: Party, caller: Name) -> Deferred[None]:
        """An open request of this caller to the party gets no answer."""

    def hold(self, party: Party) -> Deferred[None]:
        """Keep the party out of everything until `release`. Fails with `Occupied`."""

    def release(self, party: Party) -> None:
        """They may be in a request again."""

    def end(self, party: Party, stream: int) -> Deferred[None]:
        """End the party's chat. Fails with `NothingToEnd`."""
