"""What holds people back: rates, cool-downs after a refusal, availability, and blocks.

All of it is in memory. Only blocks are kept in the registry, too.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from securecom import limits, refusals
from securecom.identity import Name
from securecom.server import remembered, restraint_facts
from securecom.server.registry import Registry
from securecom.server.restraint_facts import Kept, NotFacts, PastRefusal, RestraintFacts
from securecom.server.switchboard import Lease
from securecom.vocabulary import Fact

_log = Logger()
K = TypeVar("K", bound=Hashable)
Names = TypeVar("Names", bound=Iterable[Name])
#: Python makes a new empty set of 216 bytes each time it is asked for one.
_NOBODY: frozenset[Name] = frozenset()


class Rate(Generic[K]):
    """Allows at most `count` events of one key in `window` seconds, and forgets old ones.

    :param seconds: the steady clock (`securecom.clocks`).
    :param keys: the most keys to remember; the least recently used is forgotten first.
    """

    def __init__(
        self,
        count: int,
        window: float,
        seconds: Callable[[], float],
        keys: int = limits.MAX_RATE_KEYS,
    ) -> None:
        self._count, self._window, self._seconds, self._keys = count, window, seconds, keys
        #: The times of each key's events, the least recently tried key first. Lists, because a
        #: deque takes 760 bytes for its first event, and most keys have only one.
        self._events: OrderedDict[K, list[float]] = OrderedDict()

    def forget(self, key: K) -> None:
        """Forget what was counted for this key."""
        self._events.pop(key, None)

    def __iter__(self) -> Iterator[K]:
        """The keys for which something is remembered."""
        return iter(self._events)

    def count(self, key: K) -> int:
        """The number of this key's events in the window that ends now."""
        times = self._recent(key)
        if not times:
            self.forget(key)
        return len(times)

    def allow(self, key: K) -> bool:
        """Count one more event of this key. Returns False, and does not, if it is too many."""
        events, now = self._events, self._seconds()
        start = now - self._window
        self._drop_before(start)
        times = events.pop(key, None) or []
        if times and times[0] <= start:
            times = [time for time in times if time > start]
        is_allowed = len(times) < self._count
        if is_allowed:
            times.append(now)
        events[key] = times
        if len(events) > self._keys:
            events.popitem(last=False)
        return is_allowed

    def is_full(self, key: K) -> bool:
        """Whether one more event of this key would be too many."""
        return self.count(key) >= self._count

    def take_back(self, key: K) -> None:
        """Uncount the latest event of this key, if it is still in the window."""
        times = self._recent(key)[:-1]
        if times:
            self._events[key] = times
        else:
            self.forget(key)

    def ages(self, key: K) -> list[float]:
        """How long ago this key's events in the window were, the oldest first."""
        now = self._seconds()
        return [now - time for time in self._recent(key)]

    def take(self, key: K, ages: list[float]) -> None:
        """Count events that were counted elsewhere, so long ago, instead of those counted here."""
        now = self._seconds()
        times = [now - age for age in ages if age < self._window][-self._count :]
        self.forget(key)
        if times:
            self._events[key] = times
        if len(self._events) > self._keys:
            self._events.popitem(last=False)

    def drop_old(self) -> None:
        """Forget the keys whose events are all too old to count.

        This stops at the first key that has to stay, so that each key is looked at about once. A
        key after that one stays for at most one window longer.
        """
        self._drop_before(self._seconds() - self._window)

    def _drop_before(self, start: float) -> None:
        events = self._events
        while events:
            oldest = next(iter(events))
            times = events[oldest]
            if times and times[-1] > start:  # empty where the rate is 0
                return
            del events[oldest]

    def _recent(self, key: K) -> list[float]:
        start = self._seconds() - self._window
        return [time for time in self._events.get(key, ()) if time > start]


# --- refusals -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _No:
    """The latest refusal between two people: how long it made the caller wait, and its time."""

    wait: float
    at: float


class Cooldowns:
    """Makes a caller wait after a refusal, each time twice as long as the time before.

    :param seconds: the steady clock (`securecom.clocks`).
    :param pairs: the most pairs to remember; the longest ago refused is forgotten first.
    """

    def __init__(self, seconds: Callable[[], float], pairs: int = limits.MAX_RATE_KEYS) -> None:
        self._seconds, self._pairs = seconds, pairs
        self._refusals: OrderedDict[tuple[Name, Name], _No] = OrderedDict()
        #: Whom each caller was refused by, at the least; `drop_old` leaves out the rest.
        self._callees: dict[Name, dict[Name, None]] = {}
        #: Whether those refused the longest ago come first.
        self._is_ordered = True

    def refused(self, caller: Name, callee: Name) -> int:
        """`callee` said no to `caller`. Returns the whole seconds until `caller` may ask again."""
        former = self._latest(caller, callee)
        wait = limits.COOLDOWN_FIRST
        if former is not None:
            wait = min(2 * former.wait, limits.COOLDOWN_LAST)
        self._note(caller, callee, _No(wait, self._seconds()))
        if len(self._refusals) > self._pairs:
            self._refusals.popitem(last=False)
        return self.left(caller, callee)

    def _note(self, caller: Name, callee: Name, no: _No) -> None:
        self._refusals[caller, callee] = no
        self._refusals.move_to_end((caller, callee))
        self._callees.setdefault(caller, {})[callee] = None

    def left(self, caller: Name, callee: Name) -> int:
        """The whole seconds until `caller` may ask `callee`; 0 means now."""
        latest = self._latest(caller, callee)
        if latest is None:
            return 0
        return max(0, math.ceil(latest.at + latest.wait - self._seconds()))

    def forget(self, one: Name, other: Name) -> None:
        """The two have a chat, so earlier refusals no longer count."""
        self._refusals.pop((one, other), None)
        self._refusals.pop((other, one), None)

    def of(self, name: Name) -> list[tuple[Name, Name, int]]:
        """Refusals by and of this person: caller, callee, whole seconds left."""
        pairs = [pair for pair in self._refusals if name in pair]
        found = [(*pair, self.left(*pair)) for pair in pairs]
        return [one for one in found if one[:2] in self._refusals]  # `left` forgets old ones

    def by(self, caller: Name) -> list[PastRefusal]:
        """The refusals of this caller that still count, the oldest first."""
        now = self._seconds()
        callees = self._callees.get(caller, {})
        latest = [(callee, self._latest(caller, callee)) for callee in callees]
        found = [PastRefusal(name, no.wait, now - no.at) for name, no in latest if no is not None]
        return sorted(found, key=lambda one: -one.age)

    def take(self, caller: Name, refusals: list[PastRefusal]) -> None:
        """Note refusals of this caller that were noted elsewhere, instead of those noted here."""
        for callee in self._callees.pop(caller, {}):
            self._refusals.pop((caller, callee), None)
        now = self._seconds()
        for one in refusals:
            if one.age < limits.COOLDOWN_FORGOTTEN:
                wait = min(one.wait, limits.COOLDOWN_LAST)
                self._note(caller, one.callee, _No(wait, now - one.age))
                self._is_ordered = False
        while len(self._refusals) > self._pairs:
            self._refusals.popitem(last=False)

    def forget_all(self, names: frozenset[Name]) -> None:
        """Forget all refusals by and of these people."""
        for pair in [pair for pair in self._refusals if not names.isdisjoint(pair)]:
            del self._refusals[pair]
        self._callees = _by_first(self._refusals)

    def drop_old(self) -> None:
        """Forget refusals so old that the next one would count as the first again."""
        if not self._is_ordered:
            in_order = sorted(self._refusals.items(), key=lambda item: item[1].at)
            self._refusals, self._is_ordered = OrderedDict(in_order), True
        while self._refusals:
            caller, callee = next(iter(self._refusals))
            if self._latest(caller, callee) is not None:
                break
        self._callees = _by_first(self._refusals)

    def _latest(self, caller: Name, callee: Name) -> _No | None:
        latest = self._refusals.get((caller, callee))
        if latest is not None and self._seconds() - latest.at >= limits.COOLDOWN_FORGOTTEN:
            del self._refusals[(caller, callee)]
            return None
        return latest


def _by_first(pairs: Iterable[tuple[Name, Name]]) -> dict[Name, dict[Name, None]]:
    """The second of each pair, by the first."""
    found: dict[Name, dict[Name, None]] = {}
    for first, second in pairs:
        found.setdefault(first, {})[second] = None
    return found


# --- availability ---------------------------------------------------------------------------


@dataclass
class _Running:
    lease: Lease
    timer: IDelayedCall | None


class Leases:
    """Who is available, to whom and until when, in the order of names."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._names: list[Name] = []
        self._running: dict[Name, _Running] = {}

    def begin(self, name: Name, lease: Lease) -> None:
        """Begin a lease now; it replaces an earlier one of this person."""
        self.end(name)
        timer = None
        if lease.seconds is not None:
            timer = self._clock.callLater(lease.seconds, self.end, name)
        self._running[name] = _Running(lease, timer)
        insort(self._names, name)

    def end(self, name: Name) -> None:
        """End this person's lease, if there is one."""
        running = self._running.pop(name, None)
        if running is None:
            return
        if running.timer is not None and running.timer.active():
            running.timer.cancel()
        del self._names[bisect_right(self._names, name) - 1]

    def excludes(self, name: Name, asker: Name) -> bool:
        """Whether this person is available, but not to the asker."""
        running = self._running.get(name)
        return running is not None and not self.admits(name, asker)

    def admits(self, name: Name, asker: Name) -> bool:
        """Whether this person is available to the asker."""
        running = self._running.get(name)
        if running is None:
            return False
        audience = running.lease.audience
        return audience is None or asker in audience

    def shows_busy(self, name: Name, asker: Name) -> bool:
        """Whether the asker can ask this person and may see that they are busy."""
        running = self._running.get(name)
        return running is not None and asker in running.lease.busy_to and self.admits(name, asker)

    def of(self, name: Name) -> Lease | None:
        """This person's lease, with the seconds that are left."""
        running = self._running.get(name)
        if running is None or running.timer is None:
            return None if running is None else running.lease
        left = math.ceil(running.timer.getTime() - self._clock.seconds())
        return replace(running.lease, seconds=left)

    def after(self, name: str) -> Iterator[Name]:
        """Everybody who is available to anybody, in order, from after this name."""
        for at in range(bisect_right(self._names, name), len(self._names)):
            yield self._names[at]


# --- blocks ---------------------------------------------------------------------------------


class Blocks:
    """The people whom one person has blocked. A change counts once the registry has it.

    The list is also in memory while that person is online, so that a request from somebody who is
    blocked takes as long as any other.

    :param rate: how often people look at or change their lists, over all their sessions.
    """

    __slots__ = ("__weakref__", "_names", "_owner", "_rate", "_registry")

    def __init__(self, registry: Registry, owner: Name, rate: Rate[Name]) -> None:
        self._registry, self._owner, self._rate = registry, owner, rate
        self._names = _NOBODY

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def load(self) -> Deferred[list[Name]]:
        """Read the list. Fires with it, in order."""
        return self._registry.blocked(self._owner).addCallback(self.take)

    def add(self, name: Name) -> Deferred[list[Name]]:
        """Block somebody. Fails with `ListFull`. Blocking oneself changes nothing.

        :raises refusals.TooManyRequests: as do `remove` and `listed`.
        """
        self._count()
        if name == self._owner:
            return self.load()
        return self._registry.block(self._owner, name).addCallback(lambda _: self.load())

    def remove(self, name: Name) -> Deferred[bool]:
        """Unblock somebody. Fires with whether they were blocked."""
        self._count()
        return self._registry.unblock(self._owner, name).addCallback(self._reload)

    def listed(self) -> Deferred[list[Name]]:
        """The list, in order, as the person asked for it."""
        self._count()
        return self.load()

    def _count(self) -> None:
        if not self._rate.allow(self._owner):
            raise refusals.TooManyRequests()

    def _reload(self, changed: bool) -> Deferred[bool]:
        return self.load().addCallback(lambda _: changed)

    def take(self, names: Names) -> Names:
        """Make this the list."""
        self._names = frozenset(names) or _NOBODY
        return names


# --- all of it together ---------------------------------------------------------------------

Pair = tuple[Name, Name]


class Restraints:
    """The rates and cool-downs of everybody on this server."""

    def __init__(self, clock: IReactorTime) -> None:
        window = limits.REQUEST_WINDOW
        self.by_caller = Rate[Name](limits.REQUESTS_BY_CALLER, window, clock.seconds)
        self.lists = Rate[Name](limits.LISTS_BY_ASKER, window, clock.seconds)
        self.cooldowns = Cooldowns(clock.seconds)
        self.by_pair = Rate[Pair](limits.REQUESTS_BY_PAIR, limits.PAIR_WINDOW, clock.seconds)
        self.to_callee = Rate[Name](limits.REQUESTS_TO_CALLEE, window, clock.seconds)
        #: Whom each caller asked in vain, at the least; `drop_old` leaves out the rest.
        self._asked: dict[Name, dict[Name, None]] = {}
        self._has_told = False

    def against_list(self, asker: Name) -> refusals.Refusal | None:
        """Why this person may not see a list now; None if they may."""
        return None if self.lists.allow(asker) else refusals.TooManyRequests()

    def against_request(self, caller: Name, callee: Name) -> refusals.Refusal | None:
        """Why the caller may not ask now; None if they may. The callee plays no part in it."""
        if not self.by_caller.allow(caller):
            return refusals.TooManyRequests()
        if wait := self.cooldowns.left(caller, callee):
            return refusals.TooSoon(str(wait))
        return None

    def insists(self, caller: Name, callee: Name) -> bool:
        """Whether the caller has asked this callee too often, and is not noted as missed."""
        self._asked.setdefault(caller, {})[callee] = None
        return not self.by_pair.allow((caller, callee))

    def reach(self, callee: Name) -> bool:
        """Count a request that reaches the callee. Returns False if it is one too many."""
        return self.to_callee.allow(callee)

    def unreach(self, callee: Name) -> None:
        """Uncount a request that was withdrawn, or that the callee's client did not show."""
        self.to_callee.take_back(callee)

    def is_full(self, callee: Name) -> bool:
        """Whether no more requests may reach the callee for now."""
        return self.to_callee.is_full(callee)

    def lift(self, one: Name, other: Name) -> None:
        """The two have a chat, which makes up for refusals and for what `one` asked in vain."""
        self.cooldowns.forget(one, other)
        self.by_pair.forget((one, other))
        self._asked.get(one, {}).pop(other, None)

    # --- for another node -------------------------------------------------------------------

    def of(self, name: Name) -> bytes:
        """What holds this person back, for the node where they are next."""
        in_vain = {other: self.by_pair.ages((name, other)) for other in self._asked.get(name, {})}
        facts = RestraintFacts(
            self.by_caller.ages(name),
            self.lists.ages(name),
            self.to_callee.ages(name),
            self.cooldowns.by(name),
            {callee: ages for callee, ages in in_vain.items() if ages},
        )
        return restraint_facts.encode(facts)

    def take(self, name: Name, kept: Kept) -> None:
        """Note what held this person back on another node.

        It takes the place of what is known here, since a chat there may have made up for it. Only
        rates are not lowered: somebody whose last minute was not kept gains nothing by it. What
        cannot be read counts as nothing, and the log says so once.
        """
        if not kept.facts:
            return
        try:
            facts = restraint_facts.decode(kept.facts, max(kept.age, 0.0))
        except NotFacts as error:
            if not self._has_told:
                _log.warn("restraints of another node cannot be read: {error}", error=str(error))
            self._has_told = True
            return
        self.cooldowns.take(name, facts.refusals)
        for callee in self._asked.pop(name, {}):
            self.by_pair.forget((name, callee))
        for callee, ages in facts.in_vain.items():
            self.by_pair.take((name, callee), ages)
            self._asked.setdefault(name, {})[callee] = None
        rates = (self.by_caller, self.lists, self.to_callee)
        for rate, ages in zip(rates, (facts.asked, facts.listed, facts.reached), strict=True):
            if len(ages) > rate.count(name):
                rate.take(name, ages)

    # --- what is remembered -----------------------------------------------------------------

    def held(self, name: Name) -> list[Fact]:
        """What is remembered about this person, as far as they may know it."""
        counts = (self.by_caller.count(name), self.to_callee.count(name), self.lists.count(name))
        return remembered.cooldowns(name, self.cooldowns.of(name)) + remembered.counts(*counts)

    def drop_old(self) -> None:
        """Forget what no longer holds anybody back."""
        self.cooldowns.drop_old()
        for rate in (self.by_caller, self.lists, self.by_pair, self.to_callee):
            rate.drop_old()
        self._asked = _by_first(self.by_pair)

    def forget(self, names: frozenset[Name]) -> None:
        """Forget everything about these names, which nobody has any more."""
        self.cooldowns.forget_all(names)
        for rate in (self.by_caller, self.to_callee, self.lists):
            for name in names:
                rate.forget(name)
        for pair in [pair for pair in self.by_pair if not names.isdisjoint(pair)]:
            self.by_pair.forget(pair)
        self._asked = _by_first(self.by_pair)
