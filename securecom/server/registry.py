"""Who may log in: names, their keys, and the invitations that are still open.

`Registry` is what the server and the admin command see; `sqlite_registry` is the one that stands
behind it. Times are seconds since the epoch, as the reactor counts them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from securecom import refusals
from securecom.errors import NoSuchUser, OurFault
from securecom.identity import Name, PublicKey
from securecom.succession import Link
from securecom.vocabulary import Fact

_log = Logger()


@dataclass(frozen=True, slots=True)
class User:
    """A name that was enrolled. Without a key it waits for a new invitation (`reset_key`)."""

    name: Name
    key: PublicKey | None
    disabled: bool
    created: float


@dataclass(frozen=True, slots=True)
class OpenInvitation:
    """An invitation that nobody has spent; it may have expired. Numbers are never used again."""

    number: int
    name: Name
    expires: float


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A name whose person is forgotten, and that nobody may have until then."""

    name: Name
    until: float

    @property
    def explanation(self) -> str:
        """Why the name is not to be had, for the admin."""
        until = f"{datetime.fromtimestamp(self.until, UTC):%Y-%m-%d %H:%M} UTC"
        return f"{self.name} was somebody's and is in quarantine until {until}"


class Registry(Protocol):
    """Each method is one transaction: it happens whole or not at all, between processes too.

    Any of them may fail with an `errors.OurFault` (`StateBusy`, `StateDamaged`, `StateUnusable`);
    then nothing has changed.
    """

    def user(self, name: Name) -> Deferred[User | None]:
        """The user of this name."""

    def user_by_key(self, key: PublicKey) -> Deferred[User | None]:
        """The user of this key, disabled or not."""

    def users(self) -> Deferred[list[User]]:
        """All users, in the order of their names."""

    def spend(self, token_hash: bytes, key: PublicKey, now: float) -> Deferred[Name]:
        """Give the key to the name that this invitation (`invitation.token_hash`) is for.

        All other invitations of that name are gone with it.

        :raises refusals.BadInvitation: it is spent, expired, revoked, or never was.
        :raises refusals.KeyTaken: the key is somebody's, or was and signed over to another; the
            invitation stays open.
        """

    def invite(self, name: Name, token_hash: bytes, expires: float) -> Deferred[OpenInvitation]:
        """Open an invitation; a name may have several, the first that is spent ends the others.

        :raises errors.NameTaken: the name has a key.
        :raises errors.NameInQuarantine: it was somebody's not long ago.
        """

    def invitations(self) -> Deferred[list[OpenInvitation]]:
        """All open invitations, the expired among them, in the order they were made."""

    def revoke(self, which: Name | int) -> Deferred[list[OpenInvitation]]:
        """Close the invitation of this number, or all of this name; those that were closed.

        :raises errors.NoSuchInvitation: there is none.
        """

    def disable(self, name: Name) -> Deferred[None]:
        """Log this user in no more. :raises errors.NoSuchUser: there is none."""

    def enable(self, name: Name) -> Deferred[None]:
        """Undo `disable`. :raises errors.NoSuchUser: there is none."""

    def held(self, name: Name) -> Deferred[list[Fact]]:
        """All that is held about the user of this name."""

    def remove(self, name: Name, now: float) -> Deferred[None]:
        """Forget this user, their chain, the name's invitations, blocks by it; it is in quarantine.

        Other people's blocks of the name stay until that ends.

        :raises errors.NoSuchUser: there is none.
        """

    def forget(self, name: Name, key: PublicKey, now: float) -> Deferred[None]:
        """The same at the user's own wish.

        :raises errors.NoSuchUser: the name is not this key's.
        """

    def quarantine(self) -> Deferred[list[Quarantined]]:
        """The names that nobody may have, in order."""

    def end_quarantines(self, now: float) -> Deferred[list[Name]]:
        """Let those names go whose time is up, and with them other people's blocks of them."""

    def release(self, name: Name) -> Deferred[None]:
        """Let a name go before its time. :raises errors.NotInQuarantine: it is not held."""

    def reset_key(self, name: Name) -> Deferred[None]:
        """Take the user's key and chain away, so that the name can be invited again.

        :raises errors.NoSuchUser: there is none.
        """

    def successions(self, name: Name, key: PublicKey) -> Deferred[list[Link]]:
        """The chain that led this user to this key, the oldest link first.

        :raises errors.NoSuchUser: this is not the user's key (any more).
        """

    def succeed(self, name: Name, link: Link) -> Deferred[list[Link]]:
        """Replace the user's key, which is the link's old one, by its new one; the chain now.

        Of a name's links the last `limits.MAX_SUCCESSIONS` are kept.

        :raises refusals.KeyTaken: the new key is somebody's, or was and signed over to another.
        :raises errors.NoSuchUser: the old one is not the user's key (any more).
        """

    def block(self, blocker: Name, blocked: Name) -> Deferred[None]:
        """Remember that `blocker` is not to be asked by `blocked`, who need not exist (yet).

        :raises refusals.ListFull: `limits.MAX_BLOCKED` names are blocked.
        :raises errors.NoSuchUser: there is no `blocker`.
        """

    def unblock(self, blocker: Name, blocked: Name) -> Deferred[bool]:
        """Undo `block`; whether there was anything to undo."""

    def blocked(self, blocker: Name) -> Deferred[list[Name]]:
        """Whom `blocker` has blocked, in order."""

    def blocks(self) -> Deferred[dict[Name, list[Name]]]:
        """Whom each has blocked who has blocked anybody."""

    def version(self) -> Deferred[int]:
        """A number that is another one after others (the admin, say) have changed the registry."""

    def close(self) -> None:
        """Let go of the database; no method may be called afterwards."""


def as_refusal(failure: Failure) -> Failure:
    """Our disk or database failed: the client hears that, the admin why."""
    if failure.check(NoSuchUser):  # removed a moment ago: the session is about to end
        return Failure(refusals.ServerTrouble())
    if not failure.check(OurFault):
        return failure
    _log.error("registry: {error}", error=str(failure.value))
    return Failure(refusals.ServerTrouble())
