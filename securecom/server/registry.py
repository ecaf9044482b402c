"""The registry's values: users, open invitations, names in quarantine.

`sqlite_registry` reads and writes them. Times are seconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from twisted.logger import Logger
from twisted.python.failure import Failure

from securecom import refusals
from securecom.errors import NoSuchUser, OurFault
from securecom.identity import Name, PublicKey

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


def as_refusal(failure: Failure) -> Failure:
    """Turn a failure of our disk or database into a refusal; the reason goes to the log."""
    if failure.check(NoSuchUser):  # just removed, and their session is about to end
        return Failure(refusals.ServerTrouble())
    if not failure.check(OurFault):
        return failure
    _log.error("registry: {error}", error=str(failure.value))
    return Failure(refusals.ServerTrouble())
