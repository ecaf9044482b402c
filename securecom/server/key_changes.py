"""New keys of people who are on line: proved, written down, and theirs from then on.

A change is over as soon as the registry has it, and until then its person is held: in no request,
in no chat, and not to be logged in a second time. So at every moment one key is theirs for
everybody, and who comes back after a lost answer finds either key settled.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks

from securecom import limits, refusals
from securecom.identity import Name, PublicKey
from securecom.server.registry import as_refusal
from securecom.server.restraints import Rate
from securecom.server.sqlite_registry import SQLiteRegistry
from securecom.server.switchboard import Party, Switchboard
from securecom.succession import Link, encode


class KeyChanges:
    """All of a server.

    :param server: its id (32 bytes).
    :param seconds: a clock that nobody sets, `securecom.clocks.steady`.
    """

    def __init__(
        self,
        registry: SQLiteRegistry,
        server: bytes,
        switchboard: Switchboard,
        seconds: Callable[[], float],
    ) -> None:
        self._registry, self._server, self._switchboard = registry, server, switchboard
        #: How often people have had new keys.
        self.rate = Rate[Name](limits.NEW_KEYS, limits.NEW_KEY_WINDOW, seconds)
        #: How often they have asked for one.
        self.tries = Rate[Name](limits.NEW_KEY_TRIES, limits.NEW_KEY_WINDOW, seconds)
        self._under_way: set[Name] = set()

    def chain(self, name: Name, key: PublicKey) -> Deferred[bytes]:
        """The chain that led to this key.

        Fails with `NoSuchUser` if the key is not theirs any more, with `ServerTrouble` while it may
        or may not be.
        """
        return self._registry.successions(name, key).addCallback(self._settled, name)

    def _settled(self, links: list[Link], name: Name) -> bytes:
        if name in self._under_way:
            raise refusals.ServerTrouble("its key is just being changed")
        return encode(links)

    @inlineCallbacks
    def change(self, party: Party, link: Link) -> Generator[Deferred[Any], Any, None]:
        """The link's new key is the party's. Fails with a refusal; then nothing has changed."""
        if not self.tries.allow(party.name):
            raise refusals.TooManyRequests()
        if not link.holds(self._server, party.name):
            raise refusals.BadProof()
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
        self.rate.forget(name)
        return failure
