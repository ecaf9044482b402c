"""A directory in memory, for several nodes in one process."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from securecom import limits, refusals
from securecom.errors import DirectoryAway
from securecom.identity import Name
from securecom.server.cluster.directory import Node, NodeUnknown, Place
from securecom.server.restraint_facts import NOTHING_KEPT, Kept

T = TypeVar("T")


class MemoryEngine:
    """What the directories of several nodes share. It can be away, frozen, slow and wiped."""

    def __init__(self, clock: IReactorTime) -> None:
        self.clock = clock
        #: Nobody reaches it; every question fails at once.
        self.is_away = False
        #: Seconds until it does as asked; None: before the question is over.
        self.delay: float | None = None
        self._is_frozen = False
        self._frozen: list[Callable[[], None]] = []
        #: Each value, and when it lapses.
        self._values: dict[tuple[str, ...], tuple[object, float]] = {}

    def wipe(self) -> None:
        """Forget everything."""
        self._values.clear()

    def freeze(self) -> None:
        """Answer nothing until `thaw`."""
        self._is_frozen = True

    def thaw(self) -> None:
        """Do all that was asked meanwhile, even if nobody waits for it any more."""
        self._is_frozen = False
        works, self._frozen = self._frozen, []
        for work in works:
            work()

    def ask(self, work: Callable[[], T]) -> Deferred[T]:
        """Do this, as far as the engine can."""
        if self.is_away:
            return fail(DirectoryAway("the engine is away; nothing was done"))
        if not self._is_frozen and self.delay is None:
            return succeed(None).addCallback(lambda _: work())
        answer: Deferred[T] = Deferred()
        answer.addTimeout(limits.DIRECTORY_DEADLINE, self.clock)
        answer.addErrback(_no_answer)

        def do() -> None:
            done = succeed(None).addCallback(lambda _: work())
            done.addBoth(lambda outcome: None if answer.called else answer.callback(outcome))

        if self._is_frozen:
            self._frozen.append(do)
        else:
            self.clock.callLater(self.delay or 0.0, do)
        return answer

    # --- values -----------------------------------------------------------------------------

    def get(self, *key: str) -> object | None:
        value, until = self._values.get(key, (None, 0.0))
        return value if until > self.clock.seconds() else None

    def put(self, key: tuple[str, ...], value: object, seconds: float) -> None:
        self._values[key] = (value, self.clock.seconds() + seconds)

    def drop(self, *key: str) -> None:
        self._values.pop(key, None)

    def all(self, server: str, kind: str) -> list[object]:
        """The values of a kind that have not lapsed."""
        keys = sorted(key for key in self._values if key[:2] == (server, kind))
        return [value for key in keys if (value := self.get(*key)) is not None]


def _no_answer(failure: Failure) -> Failure:
    if failure.check(DirectoryAway, refusals.Refusal):
        return failure
    return Failure(DirectoryAway("the engine does not answer; it may still do as asked"))


class MemoryDirectory:
    """One node's way to what is in a `MemoryEngine`."""

    def __init__(self, engine: MemoryEngine, server: bytes = b"server") -> None:
        self._engine, self._server = engine, server.hex()
        self._owed: list[tuple[Name, Place]] = []
        self._is_closed = False

    def _ask(self, work: Callable[[], T]) -> Deferred[T]:
        if self._is_closed:
            return fail(DirectoryAway("the directory is closed; it was not asked"))
        return self._engine.ask(work)

    # --- nodes ------------------------------------------------------------------------------

    def announce(self, node: Node) -> Deferred[bool]:
        def work() -> bool:
            key = (self._server, "node", node.ident.hex())
            known = self._engine.get(*key) is not None
            self._engine.put(key, node, limits.NODE_LAPSE)
            return known

        return self._ask(work).addCallback(self._tell_again)

    def _tell_again(self, known: bool) -> bool:
        owed, self._owed = self._owed, []
        for name, place in owed:
            self.release(name, place).addErrback(lambda failure: failure.trap(DirectoryAway))
        return known

    def depart(self, node: bytes) -> Deferred[None]:
        self._owed.clear()
        return self._ask(lambda: self._engine.drop(self._server, "node", node.hex()))

    def nodes(self) -> Deferred[list[Node]]:
        def work() -> list[Node]:
            found = self._engine.all(self._server, "node")
            return [node for node in found if isinstance(node, Node)]

        return self._ask(work)

    def _lives(self, node: bytes) -> bool:
        return self._engine.get(self._server, "node", node.hex()) is not None

    # --- people -----------------------------------------------------------------------------

    def _place(self, name: Name) -> Place | None:
        found = self._engine.get(self._server, "person", name)
        return found if isinstance(found, Place) else None

    def claim(self, name: Name, place: Place, takeover: bool) -> Deferred[Place | None]:
        self._owed = [one for one in self._owed if one != (name, place)]

        def work() -> Place | None:
            if not self._lives(place.node):
                raise NodeUnknown("the engine does not know this node; nothing was claimed")
            former = self._place(name)
            if former == place:
                former = None
            lives = former is not None and self._lives(former.node)
            if lives and not takeover:
                raise refusals.AlreadyOnline()
            if former is not None:
                self._engine.drop(self._server, "session", former.session.hex())
            self._engine.put((self._server, "person", name), place, limits.PLACE_LAPSE)
            key = (self._server, "session", place.session.hex())
            self._engine.put(key, place.node, limits.PLACE_LAPSE)
            return former if lives else None

        return self._ask(work).addErrback(self._owe, name, place)

    def release(self, name: Name, place: Place) -> Deferred[None]:
        def work() -> None:
            if self._place(name) == place:
                self._engine.drop(self._server, "person", name)
            self._engine.drop(self._server, "session", place.session.hex())

        return self._ask(work).addErrback(self._owe, name, place)

    def _owe(self, failure: Failure, name: Name, place: Place) -> Failure:
        if failure.check(DirectoryAway):
            self._owed.append((name, place))
        return failure

    def where(self, name: Name) -> Deferred[Place | None]:
        def work() -> Place | None:
            place = self._place(name)
            return place if place is not None and self._lives(place.node) else None

        return self._ask(work)

    def holder(self, session: bytes) -> Deferred[bytes | None]:
        def work() -> bytes | None:
            node = self._engine.get(self._server, "session", session.hex())
            return node if isinstance(node, bytes) and self._lives(node) else None

        return self._ask(work)

    # --- restraints -------------------------------------------------------------------------

    def keep(self, name: Name, facts: bytes, seconds: float) -> Deferred[None]:
        key = (self._server, "restraints", name)
        if not facts:
            return self._ask(lambda: self._engine.drop(*key))
        kept = (facts, self._engine.clock.seconds())
        return self._ask(lambda: self._engine.put(key, kept, seconds))

    def recall(self, name: Name) -> Deferred[Kept]:
        def work() -> Kept:
            kept = self._engine.get(self._server, "restraints", name)
            if not isinstance(kept, tuple):
                return NOTHING_KEPT
            facts, since = kept
            return Kept(facts, self._engine.clock.seconds() - since)

        return self._ask(work)

    def forget(self, names: frozenset[Name]) -> Deferred[None]:
        def work() -> None:
            for name in names:
                self._engine.drop(self._server, "restraints", name)

        return self._ask(work)

    def close(self) -> Deferred[None]:
        self._is_closed = True
        return succeed(None)
