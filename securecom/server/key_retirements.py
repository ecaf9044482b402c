"""Keys that their owners retire: the twelve words' public half is registered, and then used.

A key that is retired is gone from the registry at once, as if the admin had reset it, and so is the
session that it has.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, fail

from securecom import limits, refusals, retirement
from securecom.identity import Name, PublicKey
from securecom.server.registry import Registry, as_refusal
from securecom.server.restraints import Rate


class KeyRetirements:
    """Every retirement on this server.

    :param server: the server's id (32 bytes).
    :param seconds: the steady clock (`securecom.clocks`).
    :param end_session: ends the session of a name whose key is gone.
    """

    def __init__(
        self,
        registry: Registry,
        server: bytes,
        seconds: Callable[[], float],
        end_session: Callable[[Name], None],
    ) -> None:
        self._registry, self._server, self._end_session = registry, server, end_session
        #: How often people have registered, or tried to.
        self.tries = Rate[Name](limits.NEW_KEY_TRIES, limits.NEW_KEY_WINDOW, seconds)

    def register(self, name: Name, key: PublicKey, public: bytes) -> Deferred[None]:
        """Let this public half retire the name's keys. Fails with a refusal."""
        if not self.tries.allow(name):
            return fail(refusals.TooManyRequests())
        return self._registry.set_retirement(name, key, public).addErrback(as_refusal)

    def retire(self, name: Name, public: bytes, signature: bytes) -> Deferred[None]:
        """Retire the name's key, and end its session. Fails with a refusal.

        Saying it again changes nothing, also when the name has another key by then. Who does not
        have the words gets the same refusal whether or not the name is anybody's.
        """
        if not retirement.is_retired(self._server, name, public, signature):
            return fail(refusals.BadProof())
        retired = self._registry.retire(name, public, signature).addErrback(as_refusal)
        return retired.addCallback(self._retired, name)

    def _retired(self, is_new: bool, name: Name) -> None:
        if is_new:  # else the session, if there is one, is of a key that came later
            self._end_session(name)
