"""Whom one person has blocked: kept in the registry, and in memory while they are on line.

In memory, so that a request by somebody who is blocked is answered no later and no sooner than
any other.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from securecom import refusals
from securecom.identity import Name
from securecom.server.rates import Rate
from securecom.server.registry import Registry


class Blocks:
    """One person's list. A change counts once the registry has it.

    :param rate: how often anybody looks at or changes theirs, whatever session they do it in.
    """

    def __init__(self, registry: Registry, owner: Name, rate: Rate[Name]) -> None:
        self._registry, self._owner, self._rate = registry, owner, rate
        self._names: frozenset[Name] = frozenset()

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def load(self) -> Deferred[list[Name]]:
        """Read the list; fires with it, in order."""
        return self._registry.blocked(self._owner).addCallback(self.take)

    def add(self, name: Name) -> Deferred[list[Name]]:
        """Block. Fails with `ListFull`. Nobody blocks themselves: that changes nothing.

        :raises TooManyRequests: as do the two below.
        """
        self._count()
        if name == self._owner:
            return self.load()
        return self._registry.block(self._owner, name).addCallback(lambda _: self.load())

    def remove(self, name: Name) -> Deferred[bool]:
        """Unblock; whether it was blocked."""
        self._count()
        return self._registry.unblock(self._owner, name).addCallback(self._reload)

    def listed(self) -> Deferred[list[Name]]:
        """What the person asks for: the list, in order."""
        self._count()
        return self.load()

    def _count(self) -> None:
        if not self._rate.allow(self._owner):
            raise refusals.TooManyRequests()

    def _reload(self, changed: bool) -> Deferred[bool]:
        return self.load().addCallback(lambda _: changed)

    def take(self, names: list[Name]) -> list[Name]:
        """This is the list now."""
        self._names = frozenset(names)
        return names
