"""What holds people back from asking: how often they did, whom, and who said no. In memory only."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from securecom import limits, refusals
from securecom.arguments import Fact
from securecom.identity import Name
from securecom.server import remembered
from securecom.server.cooldowns import Cooldowns
from securecom.server.rates import Rate

Pair = tuple[Name, Name]


class Restraints:
    """The rates and cool-downs of everybody."""

    def __init__(self, clock: IReactorTime) -> None:
        window = limits.REQUEST_WINDOW
        self.by_caller = Rate[Name](limits.REQUESTS_BY_CALLER, window, clock.seconds)
        self.lists = Rate[Name](limits.LISTS_BY_ASKER, window, clock.seconds)
        self.cooldowns = Cooldowns(clock.seconds)
        self.by_pair = Rate[Pair](limits.REQUESTS_BY_PAIR, limits.PAIR_WINDOW, clock.seconds)
        self.to_callee = Rate[Name](limits.REQUESTS_TO_CALLEE, window, clock.seconds)

    def against_list(self, asker: Name) -> refusals.Refusal | None:
        """Why they may not look at a list now, if they may not."""
        return None if self.lists.allow(asker) else refusals.TooManyRequests()

    def against_request(self, caller: Name, callee: Name) -> refusals.Refusal | None:
        """Why the caller may not ask now: as they are told, whoever the callee is."""
        if not self.by_caller.allow(caller):
            return refusals.TooManyRequests()
        if wait := self.cooldowns.left(caller, callee):
            return refusals.TooSoon(str(wait))
        return None

    def insists(self, caller: Name, callee: Name) -> bool:
        """The caller asked this callee too often, and was noted as missed by then."""
        return not self.by_pair.allow((caller, callee))

    def reach(self, callee: Name) -> bool:
        """Count a request that reaches the callee, unless it is one too many."""
        return self.to_callee.allow(callee)

    def unreach(self, callee: Name) -> None:
        """It was withdrawn by its caller, or not put before the person: do not count it."""
        self.to_callee.take_back(callee)

    def is_full(self, callee: Name) -> bool:
        """No more requests may reach the callee for now."""
        return self.to_callee.is_full(callee)

    def lift(self, one: Name, other: Name) -> None:
        """A chat of the two makes up for what `one` asked in vain, and for what either refused."""
        self.cooldowns.forget(one, other)
        self.by_pair.forget((one, other))

    def held(self, name: Name) -> list[Fact]:
        """What of it is about this person, and theirs to know."""
        counts = (self.by_caller.count(name), self.to_callee.count(name), self.lists.count(name))
        return remembered.cooldowns(name, self.cooldowns.of(name)) + remembered.counts(*counts)

    def drop_old(self) -> None:
        """Forget what no longer holds anybody back."""
        self.cooldowns.drop_old()
        for rate in (self.by_caller, self.lists, self.by_pair, self.to_callee):
            rate.drop_old()

    def forget(self, names: frozenset[Name]) -> None:
        """Nobody has these names any more."""
        self.cooldowns.forget_all(names)
        for rate in (self.by_caller, self.to_callee, self.lists):
            for name in names:
                rate.forget(name)
        for pair in [pair for pair in self.by_pair if not names.isdisjoint(pair)]:
            self.by_pair.forget(pair)
