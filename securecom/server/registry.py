"""The registry: users, their keys, open invitations, blocks, names in quarantine.

`Registry` is the seam; `sqlite_registry` and `postgres_registry` are behind it. Times are seconds
since the epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from securecom import refusals
from securecom.errors import NoSuchUser, OurFault, OutcomeUnknown
from securecom.identity import Name, PublicKey
from securecom.succession import Link
from securecom.vocabulary import Fact

_log = Logger()


@dataclass(frozen=True, slots=True)
class User:
    """An enrolled name. If it has no key (`reset_key`), it waits for a new invitation."""

    name: Name
    key: PublicKey | None
    disabled: bool
    created: float


@dataclass(frozen=True, slots=True)
class Entrant:
    """A user who wants to log in, as the registry has them at one moment.

    :param blocked: whom they have blocked.
    :param succession: the chain that led to their key (`succession.encode`).
    """

    user: User
    blocked: tuple[Name, ...]
    succession: bytes


@dataclass(frozen=True, slots=True)
class Everybody:
    """All of a registry that the sessions of a server depend on, as it is at one moment.

    :param blocks: everybody who has blocked anybody, and whom.
    :param successors: those whose key has a chain.
    """

    users: list[User]
    blocks: dict[Name, list[Name]]
    successors: frozenset[Name]


@dataclass(frozen=True, slots=True)
class OpenInvitation:
    """An invitation that nobody has spent; it may have expired. Its number is never reused."""

    number: int
    name: Name
    expires: float


@dataclass(frozen=True, slots=True)
class Quarantined:
    """The name of a person who was forgotten; nobody can take it until the time given."""

    name: Name
    until: float

    @property
    def explanation(self) -> str:
        """Why the name cannot be given to anybody, for the admin."""
        until = f"{datetime.fromtimestamp(self.until, UTC):%Y-%m-%d %H:%M} UTC"
        return f"{self.name} belonged to somebody and is in quarantine until {until}"


class Registry(Protocol):
    """Users, keys and invitations; each method happens whole or not at all, whoever else writes.

    Any of them may fail with an `errors.OurFault`. Then nothing has changed, except after
    `errors.OutcomeUnknown`. What each does is said at the function of its name in `sql_registry`.
    """

    #: Called after each write, successful or not, before its caller hears of it: with the name
    #: whose `Entrant` may have changed, or None if anybody's may. Not called where nobody's can:
    #: whoever spends an invitation had no key before.
    on_write: Callable[[Name | None], None]

    def user(self, name: Name, /) -> Deferred[User | None]: ...
    def entrant(self, key: PublicKey, /) -> Deferred[Entrant | None]: ...
    def everybody(self) -> Deferred[Everybody]: ...
    def users(self) -> Deferred[list[User]]: ...
    def disable(self, name: Name, /) -> Deferred[None]: ...
    def enable(self, name: Name, /) -> Deferred[None]: ...
    def reset_key(self, name: Name, /) -> Deferred[None]: ...

    def invitations(self) -> Deferred[list[OpenInvitation]]: ...
    def invite(
        self, name: Name, token_hash: bytes, expires: float, /
    ) -> Deferred[OpenInvitation]: ...
    def revoke(self, which: Name | int, /) -> Deferred[list[OpenInvitation]]: ...
    def spend(self, token_hash: bytes, key: PublicKey, now: float, /) -> Deferred[Name]: ...

    def complete(self, name: Name, key: PublicKey, /) -> Deferred[None]: ...
    def succeed(self, name: Name, link: Link, /) -> Deferred[list[Link]]: ...
    def set_retirement(self, name: Name, key: PublicKey, public: bytes, /) -> Deferred[None]: ...
    def retire(self, name: Name, public: bytes, signature: bytes, /) -> Deferred[bool]: ...

    def blocked(self, blocker: Name, /) -> Deferred[list[Name]]: ...
    def block(self, blocker: Name, who: Name, /) -> Deferred[None]: ...
    def unblock(self, blocker: Name, who: Name, /) -> Deferred[bool]: ...

    def held(self, name: Name, /) -> Deferred[list[Fact]]: ...
    def remove(self, name: Name, now: float, /) -> Deferred[None]: ...
    def forget(self, name: Name, key: PublicKey, now: float, /) -> Deferred[None]: ...
    def quarantine(self) -> Deferred[list[Quarantined]]: ...
    def release(self, name: Name, /) -> Deferred[None]: ...
    def end_quarantines(self, now: float, /) -> Deferred[list[Name]]:
        """Free the names whose time is up. Fires with them."""
        ...

    def version(self) -> Deferred[int]:
        """A number that changes whenever somebody else has written: another process, or node."""

    def changed(self, since: int, /) -> Deferred[list[Name] | None]:
        """The people whose entries somebody else has changed since this version.

        None: anybody's may have changed, or it cannot be told, or they are too many.
        """
        ...

    def mark(self) -> bytes | None:
        """As long as this stays the same, nobody has changed anything; None if nobody can tell.

        It asks no other thread, and waits for nobody who has locked the registry.
        """
        ...

    def close(self) -> None:
        """Close the database; no method may be called afterwards."""
        ...


def as_refusal(failure: Failure) -> Failure:
    """Turn a failure of our disk or database into a refusal; the reason goes to the log.

    `OutcomeUnknown` is none: a refusal says that nothing has changed. It ends the connection, as if
    that had been lost before the answer.
    """
    if failure.check(NoSuchUser):  # just removed, and their session is about to end
        return Failure(refusals.ServerTrouble())
    if not failure.check(OurFault):
        return failure
    _log.error("registry: {error}", error=str(failure.value))
    return failure if failure.check(OutcomeUnknown) else Failure(refusals.ServerTrouble())
