"""What the server does for `/mydata` and `/forget-me`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger

from securecom import limits, refusals
from securecom.identity import Name, PublicKey
from securecom.paces import Pacer
from securecom.server import remembered
from securecom.server.registry import Registry, as_refusal
from securecom.server.restraints import Rate
from securecom.vocabulary import Fact, fact_bytes

_log = Logger()

#: The name of the rate of asking for one's data.
LOOKS = "looks at this"


class Account:
    """One person's data on this server, and its erasure.

    :param rates: all rates that are kept by person, under their names; `LOOKS` is one.
    :param pacer: how soon after each other people's commands are worked on.
    :param now: the wall clock (seconds since 1970).
    :param recheck: ends the sessions of people who are no longer users.
    """

    def __init__(
        self,
        name: Name,
        registry: Registry,
        rates: Mapping[str, Rate[Name]],
        pacer: Pacer,
        now: Callable[[], float],
        recheck: Callable[[], Deferred[None]],
    ) -> None:
        self._name, self._registry = name, registry
        self._rates, self._pacer, self._now, self._recheck = rates, pacer, now, recheck
        self._pages: list[list[Fact]] = []

    # --- /mydata ----------------------------------------------------------------------------

    def look(
        self, session: list[Fact], switchboard: Callable[[], Deferred[list[Fact]]]
    ) -> Deferred[dict[str, Any]]:
        """The first page of what registry, session and switchboard hold at this moment."""
        if not self._rates[LOOKS].allow(self._name):
            return fail(refusals.TooManyRequests())
        facts = self._registry.held(self._name).addErrback(as_refusal)
        facts.addCallback(lambda kept: switchboard().addCallback(partial(_joined, kept, session)))
        return facts.addCallback(self._cut)

    def next_page(self) -> dict[str, Any]:
        """The next page, as of the same moment; an empty one if there is none."""
        facts = self._pages.pop(0) if self._pages else []
        return {"facts": facts, "more": bool(self._pages)}

    def _cut(self, facts: list[Fact]) -> dict[str, Any]:
        counts = [
            Fact("counted lately", what, str(rate.count(self._name)))
            for what, rate in self._rates.items()
        ]
        self._pages = _pages([*facts, *counts, *remembered.NOT_SHOWN])
        return self.next_page()

    # --- /forget-me -------------------------------------------------------------------------

    def erase(self, key: PublicKey) -> Deferred[None]:
        """Erase the person from the registry, if this is their key; the name goes into quarantine.

        Fails with `ServerTrouble`.
        """
        return self._registry.forget(self._name, key, self._now()).addErrback(as_refusal)

    def erased(self) -> None:
        """Forget them in memory, and end a log-in that was under way meanwhile."""
        self._pages = []
        for rate in self._rates.values():
            rate.forget(self._name)
        self._pacer.forget(self._name)
        self._recheck().addErrback(lambda failure: _log.failure("no recheck", failure))


def _joined(kept: list[Fact], session: list[Fact], others: list[Fact]) -> list[Fact]:
    return kept + session + others


def _pages(facts: list[Fact]) -> list[list[Fact]]:
    """The facts in order, on pages of at most `limits.MY_DATA_PAGE` bytes."""
    pages: list[list[Fact]] = [[]]
    room = limits.MY_DATA_PAGE
    for fact in facts:
        size = len(fact_bytes(fact)) + 1  # with the line feed
        if size > room:
            pages.append([])
            room = limits.MY_DATA_PAGE
        pages[-1].append(fact)
        room -= size
    return pages
