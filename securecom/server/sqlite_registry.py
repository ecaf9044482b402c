"""The registry in SQLite: each method hands a function of `sql` to a pool of `database`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from securecom.identity import Name, PublicKey
from securecom.server import database, sql
from securecom.server import sql as leaving_sql
from securecom.server import sql as personal
from securecom.server import sql as succession_sql
from securecom.server.registry import OpenInvitation, Quarantined, User
from securecom.succession import Link
from securecom.vocabulary import Fact

P = ParamSpec("P")
T = TypeVar("T")


class SQLiteRegistry:
    """See `Registry`."""

    def __init__(self, pool: database.Pool) -> None:
        self._pool = pool

    def _read(
        self,
        interaction: Callable[Concatenate[sql.Cursor, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Deferred[T]:
        result: Deferred[T] = self._pool.read(interaction, *args, **kwargs)
        return result.addErrback(_meaning)

    def _write(
        self,
        interaction: Callable[Concatenate[sql.Cursor, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Deferred[T]:
        result: Deferred[T] = self._pool.write(interaction, *args, **kwargs)
        return result.addErrback(_meaning)

    def user(self, name: Name) -> Deferred[User | None]:
        """See `Registry`."""
        return self._read(sql.user_named, name)

    def user_by_key(self, key: PublicKey) -> Deferred[User | None]:
        """See `Registry`."""
        return self._read(sql.user_by_key, key)

    def users(self) -> Deferred[list[User]]:
        """See `Registry`."""
        return self._read(sql.users)

    def spend(self, token_hash: bytes, key: PublicKey, now: float) -> Deferred[Name]:
        """See `Registry`."""
        return self._write(sql.spend, token_hash, key, now)

    def invite(self, name: Name, token_hash: bytes, expires: float) -> Deferred[OpenInvitation]:
        """See `Registry`."""
        return self._write(sql.invite, name, token_hash, expires)

    def invitations(self) -> Deferred[list[OpenInvitation]]:
        """See `Registry`."""
        return self._read(sql.invitations)

    def revoke(self, which: Name | int) -> Deferred[list[OpenInvitation]]:
        """See `Registry`."""
        return self._write(sql.revoke, which)

    def disable(self, name: Name) -> Deferred[None]:
        """See `Registry`."""
        return self._write(sql.set_disabled, name, True)

    def enable(self, name: Name) -> Deferred[None]:
        """See `Registry`."""
        return self._write(sql.set_disabled, name, False)

    def held(self, name: Name) -> Deferred[list[Fact]]:
        """See `Registry`."""
        return self._read(personal.held, name)

    def remove(self, name: Name, now: float) -> Deferred[None]:
        """See `Registry`."""
        return self._write(leaving_sql.remove, name, now)

    def forget(self, name: Name, key: PublicKey, now: float) -> Deferred[None]:
        """See `Registry`."""
        return self._write(leaving_sql.forget, name, key, now)

    def quarantine(self) -> Deferred[list[Quarantined]]:
        """See `Registry`."""
        return self._read(leaving_sql.quarantine)

    def end_quarantines(self, now: float) -> Deferred[list[Name]]:
        """See `Registry`."""

        def end(is_any_over: bool) -> Deferred[list[Name]]:
            return self._write(leaving_sql.end_quarantines, now) if is_any_over else succeed([])

        return self._read(leaving_sql.is_any_over, now).addCallback(end)  # most often, no lock

    def release(self, name: Name) -> Deferred[None]:
        """See `Registry`."""
        return self._write(leaving_sql.release, name)

    def reset_key(self, name: Name) -> Deferred[None]:
        """See `Registry`."""
        return self._write(sql.reset_key, name)

    def successions(self, name: Name, key: PublicKey) -> Deferred[list[Link]]:
        """See `Registry`."""
        return self._read(succession_sql.successions, name, key)

    def succeed(self, name: Name, link: Link) -> Deferred[list[Link]]:
        """See `Registry`."""
        return self._write(succession_sql.succeed, name, link)

    def block(self, blocker: Name, blocked: Name) -> Deferred[None]:
        """See `Registry`."""
        return self._write(sql.block, blocker, blocked)

    def unblock(self, blocker: Name, blocked: Name) -> Deferred[bool]:
        """See `Registry`."""
        return self._write(sql.unblock, blocker, blocked)

    def blocked(self, blocker: Name) -> Deferred[list[Name]]:
        """See `Registry`."""
        return self._read(sql.blocked, blocker)

    def blocks(self) -> Deferred[dict[Name, list[Name]]]:
        """See `Registry`."""
        return self._read(sql.blocks)

    def version(self) -> Deferred[int]:
        """See `Registry`."""
        return self._read(sql.version)

    def close(self) -> None:
        """See `Registry`."""
        self._pool.close()


def _meaning(failure: Failure) -> Failure:
    """A database's error becomes one that people can read; others stay what they are."""
    if isinstance(failure.value, database.ERRORS):
        return Failure(database.meaning(failure.value))
    return failure
