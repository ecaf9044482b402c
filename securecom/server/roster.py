"""What log-ins need from the registry, kept in memory, so that most of them ask no other thread.

What is kept is used as if it had just been read, so nobody may have changed it:

- *Anybody writes*, this process or another one (`securecom-admin disable`): the registry's file has
  another mark as soon as it is done (`changes.Changes`). Nothing is used then before the next look
  at the registry, which comes every `limits.REGISTRY_POLL` while anybody is online.
- *This process wrote*, a new key, a retirement or a block: what was kept about that person is
  dropped when the registry reports the write, before anybody acts on the report.
- *Another process wrote*: the registry's version shows it at the look. Then everything is dropped
  and read again, and what was read also ends the sessions of people who may no longer have any
  (`Sessions.recheck`).
- *Another process was killed while it wrote*: the mark of what it did not finish may be seen before
  the look, which undoes that. So a look counts only if the mark is the same after it.
- *The mark does not show it*, as may happen on a network's disk: whoever has logged in between the
  write and the look is ended by the look, too. If there is none, nothing is used later than
  `limits.ROSTER_TRUSTED` after the last one. While nobody is online, looks are rarer than that, and
  log-ins ask the registry.

The registry reports in the order in which its thread worked. So what was read before a write is
kept before the report of that write drops it, and never after.

Only people who may log in are kept. A refusal always comes from the registry as it is now.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, NamedTuple

from twisted.internet.defer import (
    Deferred,
    inlineCallbacks,
    succeed,
)

from securecom import limits
from securecom.identity import Name, PublicKey
from securecom.server.gathered import gathered
from securecom.server.registry import Entrant, Everybody, Registry, User


class Moment(NamedTuple):
    """When the registry was looked at: the steady clock, and the registry's mark."""

    seconds: float
    mark: bytes | None


class Roster:
    """The users who can log in without a question to the registry's thread.

    At most `limits.ROSTER_USERS` are kept, and only those of whom there is little to keep: somebody
    with a chain of keys, or with a long list of blocks, is read at each log-in.

    :param seconds: the steady clock (`securecom.clocks`).
    """

    def __init__(self, registry: Registry, seconds: Callable[[], float]) -> None:
        self._registry, self._seconds = registry, seconds
        self._entrants: dict[bytes, Entrant] = {}  # by first key, the one kept longest first
        self._keys: dict[Name, bytes] = {}
        #: Nothing that was written until then is missing here.
        self.confirmed = Moment(float("-inf"), None)
        registry.on_write = self._drop

    def __len__(self) -> int:
        return len(self._entrants)

    def find(self, first: PublicKey) -> Deferred[Entrant | None]:
        """The user of this first key, disabled or not. Fails as the registry does."""
        entrant = self._entrants.get(first.raw)
        if entrant is not None and self._is_current():
            return succeed(entrant)
        return self._registry.entrant(first).addCallback(self._keep)

    def read(self) -> Deferred[Everybody]:
        """Read everybody anew, also for the caller. Fails as the registry does."""
        return self._registry.everybody().addCallback(self._replace)

    def read_some(self, names: list[Name]) -> Deferred[Everybody]:
        """Read these people anew, as far as they are users still. Fails as the registry does."""
        found = [self._read(name) for name in names]
        return gathered(found).addCallback(_together)

    @inlineCallbacks
    def _read(self, name: Name) -> Generator[Deferred[Any], Any, tuple[User, list[Name]] | None]:
        self._drop(name)
        user: User | None = yield self._registry.user(name)
        if user is None:
            return None
        return user, (yield self._registry.blocked(name))

    def now(self) -> Moment:
        """What to `confirm` later."""
        return Moment(self._seconds(), self._registry.mark())

    def confirm(self, moment: Moment) -> None:
        """The registry's version, which was asked for at this moment, is an old one.

        Call it also when the version is new, as soon as `read` has succeeded after that. Nothing is
        confirmed if the mark has changed since: it may have been that of a commit that was never
        finished, and the next one would have the same.
        """
        if moment.mark == self._registry.mark():
            self.confirmed = moment

    def clear(self) -> None:
        """Forget everybody."""
        self._entrants.clear()
        self._keys.clear()

    def _is_current(self) -> bool:
        seconds, mark = self.confirmed
        is_recent = self._seconds() - seconds < limits.ROSTER_TRUSTED
        return is_recent and mark is not None and mark == self._registry.mark()

    def _replace(self, everybody: Everybody) -> Everybody:
        self.clear()
        for user in everybody.users[: limits.ROSTER_USERS]:
            if user.name not in everybody.successors:
                self._keep(Entrant(user, tuple(everybody.blocks.get(user.name, ())), b""))
        return everybody

    def _keep(self, entrant: Entrant | None) -> Entrant | None:
        if entrant is None or entrant.user.key is None or not _is_kept(entrant):
            return entrant
        self._drop(entrant.user.name)
        if len(self._entrants) >= limits.ROSTER_USERS:
            self._drop(next(iter(self._entrants.values())).user.name)
        self._entrants[entrant.user.key.raw] = entrant
        self._keys[entrant.user.name] = entrant.user.key.raw
        return entrant

    def _drop(self, name: Name | None) -> None:
        """Forget this person; None: everybody."""
        if name is None:
            self.clear()
        elif (raw := self._keys.pop(name, None)) is not None:
            self._entrants.pop(raw, None)


def _together(found: list[tuple[User, list[Name]] | None]) -> Everybody:
    people = [one for one in found if one is not None]
    return Everybody([user for user, _ in people], {u.name: names for u, names in people}, _NOBODY)


_NOBODY: frozenset[Name] = frozenset()


def _is_kept(entrant: Entrant) -> bool:
    """Whether they may log in, their key is whole, and there is little to keep about them."""
    user = entrant.user
    is_whole = user.key is not None and user.key.second is not None
    is_small = len(entrant.blocked) <= limits.ROSTER_BLOCKED and not entrant.succession
    return is_whole and is_small and not user.disabled
