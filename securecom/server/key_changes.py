"""Key changes of people who are online.

A change is complete once the registry has it. Until then the server holds the person: they are in
no request and no chat, and cannot log in a second time. So everybody sees the same key of theirs at
any moment, and a client that lost the answer finds that one of its two keys works.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks

from securecom import limits, refusals
from securecom.identity import Name
from securecom.server.registry import Registry, as_refusal
from securecom.server.restraints import Rate
from securecom.server.switchboard import Party, Switchboard
from securecom.succession import Link, NewKeyOffer, encode


class KeyChanges:
    """Every key change on this server.

    :param server: the server's id (32 bytes).
    :param seconds: the steady clock (`securecom.clocks`).
    """

    def __init__(
        self,
        registry: Registry,
        server: bytes,
        switchboard: Switchboard,
        seconds: Callable[[], float],
    ) -> None:
        self._registry, self._server, self._switchboard = registry, server, switchboard
        #: How often people have changed their key.
        self.rate = Rate[Name](limits.NEW_KEYS, limits.NEW_KEY_WINDOW, seconds)
        #: How often they have tried to.
        self.tries = Rate[Name](limits.NEW_KEY_TRIES, limits.NEW_KEY_WINDOW, seconds)
        self._under_way: set[Name] = set()

    def check_settled(self, name: Name) -> None:
        """:raises ServerTrouble: while the key of this name is being changed."""
        if name in self._under_way:
            raise refusals.ServerTrouble("the key is being changed")

    @inlineCallbacks
    def change(self, party: Party, offer: NewKeyOffer) -> Generator[Deferred[Any], Any, None]:
        """Give the party the new keys. If this fails with a refusal, nothing has changed."""
        if not self.tries.allow(party.name):
            raise refusals.TooManyRequests()
        if not offer.holds(self._server, party.name):
            raise refusals.BadProof()
        link = offer.link
        yield self._switchboard.hold(party)
        self._under_way.add(party.name)
        try:
            chain = yield self._write(party.name, link)
        finally:
            self._under_way.discard(party.name)
            self._switchboard.release(party)
        party.key, party.succession = link.new, encode(chain)

    def _write(self, name: Name, link: Link) -> Deferred[list[Link]]:
        if not self.rate.allow(name):
            raise refusals.TooManyRequests()
        written = self._registry.succeed(name, link).addErrback(as_refusal)
        return written.addErrback(self._not_counted, name)

    def _not_counted(self, failure: Any, name: Name) -> Any:
        self.rate.take_back(name)
        return failure
