"""Who is logged in: one session a key, found by id for the request channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from securecom import limits, refusals
from securecom.connection import Pacer, Turns
from securecom.errors import NoSuchUser
from securecom.identity import Name, PublicKey
from securecom.server.account import LOOKS, Account
from securecom.server.key_changes import KeyChanges
from securecom.server.registry import User, as_refusal
from securecom.server.restraints import Blocks, Rate
from securecom.server.session import Dial, Session, no_pause
from securecom.server.sqlite_registry import SQLiteRegistry
from securecom.server.switchboard import Switchboard


class Sessions:
    """All sessions of this server."""

    def __init__(self, registry: SQLiteRegistry) -> None:
        self._registry = registry
        self._by_id: dict[bytes, Session] = {}
        self._by_name: dict[Name, Session] = {}
        #: Takes log-ins; until the server stops.
        self.is_open = True

    def __len__(self) -> int:
        return len(self._by_id)

    def by_id(self, ident: bytes) -> Session | None:
        """The live session with this public handle."""
        return self._by_id.get(ident)

    def of(self, name: Name) -> Session | None:
        """The live session of this person."""
        return self._by_name.get(name)

    def open(self, session: Session, takeover: bool) -> None:
        """A log-in whose key was found.

        :raises AlreadyOnline: if there is one and `takeover` is False.
        :raises ServerFull: if there is no room, or the server stops.
        """
        if not self.is_open:
            raise refusals.ServerFull()
        current = self._by_name.get(session.name)
        if current is not None and not takeover:
            raise refusals.AlreadyOnline()
        if current is not None:
            current.end("taken-over")
        if len(self._by_id) >= limits.MAX_SESSIONS:
            raise refusals.ServerFull()
        self._by_id[session.ident] = session
        self._by_name[session.name] = session

    def forget(self, session: Session) -> None:
        """The session is over."""
        if self._by_id.get(session.ident) is session:
            del self._by_id[session.ident]
        if self._by_name.get(session.name) is session:
            del self._by_name[session.name]

    def recheck(self) -> Deferred[None]:
        """The registry changed: end the sessions of who may no longer have one; who blocks whom?

        Fails as the registry does; then nothing was checked.
        """
        checked = self._registry.users().addCallback(self._end_strangers)
        return checked.addCallback(lambda _: self._registry.blocks()).addCallback(self._reload)

    def _reload(self, blocks: dict[Name, list[Name]]) -> None:
        for session in self._by_id.values():
            session.blocks.take(blocks.get(session.name, []))

    def end_all(self) -> None:
        """The server stops, and opens no session any more."""
        self.is_open = False
        for session in list(self._by_id.values()):
            session.end("shutdown")

    def _end_strangers(self, users: list[User]) -> None:
        keys = {user.name: user.key for user in users if not user.disabled}
        for session in list(self._by_id.values()):
            if keys.get(session.name) != session.key:
                session.end("disabled")


# --- What stands behind the server's doors: registry, sessions, switchboard, and who is let in

#: How often somebody looked at their list of blocks, or changed it.
_BLOCKS = "looks at your blocks"


class Reception:
    """The one thing that every connection of this server knows.

    :param now: the wall clock, for invitations (seconds since 1970).
    :param server: the server's id (32 bytes).
    """

    def __init__(
        self,
        clock: IReactorTime,
        now: Callable[[], float],
        registry: SQLiteRegistry,
        switchboard: Switchboard,
        server: bytes,
    ) -> None:
        self.clock = clock
        self.switchboard = switchboard
        #: Whose commands are worked on next.
        self.turns = Turns(clock)
        #: How soon after each other each person's commands are worked on.
        self.pacer = Pacer(clock)
        self.sessions = Sessions(registry)
        self.key_changes = KeyChanges(registry, server, switchboard, clock.seconds)
        #: Opens request channels towards clients; `Dialler.dial` where the operator allows it.
        self.dial: Dial = _no_dialling
        #: Draws how long the server waits before it acts on one person's request for another.
        self.pause: Callable[[], float] = no_pause
        #: Told to clients at log-in; known when the ports are open.
        self.request_port = 0
        self.dial_port: int | None = None
        self._now = now
        self._registry = registry
        #: The lists of those who are on line, or just logging in.
        self._blocks: WeakValueDictionary[Name, Blocks] = WeakValueDictionary()
        window = limits.REQUEST_WINDOW
        self._rates = {
            LOOKS: Rate[Name](limits.MY_DATA_BY_PERSON, window, clock.seconds),
            _BLOCKS: Rate[Name](limits.BLOCKS_BY_PERSON, window, clock.seconds),
            "new keys": self.key_changes.rate,
            "tries for a new key": self.key_changes.tries,
        }

    def find(self, key: PublicKey) -> Deferred[User]:
        """The user of this key. Fails with `NotEnrolled`, `Disabled` or `ServerTrouble`."""
        return self._registry.user_by_key(key).addErrback(as_refusal).addCallback(_admitted)

    def spend(self, token_hash: bytes, key: PublicKey) -> Deferred[Name]:
        """The name that an invitation gave to this key. Fails with a refusal."""
        return self._registry.spend(token_hash, key, self._now()).addErrback(as_refusal)

    def blocks(self, owner: Name) -> Deferred[Blocks]:
        """Whom this user has blocked. Fails with `ServerTrouble`.

        All who log in under a name share one list: or what one blocks at the moment when another
        takes it over would be missing in that one's.
        """
        blocks = self._blocks.get(owner)
        if blocks is None:
            blocks = self._blocks[owner] = Blocks(self._registry, owner, self._rates[_BLOCKS])
        return blocks.load().addErrback(as_refusal).addCallback(lambda _: blocks)

    def chain(self, user: User, key: PublicKey) -> Deferred[bytes]:
        """What led this user to this key; the last question of a log-in, for it asks again whose.

        Fails with `NotEnrolled`, or with `ServerTrouble`: also while the key is being changed.
        """
        return self.key_changes.chain(user.name, key).addErrback(_theirs)

    def account(self, name: Name) -> Account:
        """What this user may ask about themselves."""
        recheck = self.sessions.recheck
        return Account(name, self._registry, self._rates, self.pacer, self._now, recheck)

    def forget(self, names: frozenset[Name]) -> Deferred[None]:
        """Remember nothing of names that are nobody's any more."""
        for name in names:
            for rate in self._rates.values():
                rate.forget(name)
            self.pacer.forget(name)
        return self.switchboard.forget(names)

    def drop_old(self) -> None:
        """Forget what people did so long ago that it no longer counts against them."""
        for rate in self._rates.values():
            rate.drop_old()
        self.pacer.drop_old()
        self.switchboard.drop_old()

    def welcome(self, session: Session) -> dict[str, Any]:
        """The answer to a log-in."""
        return {
            "name": session.name,
            "request_port": self.request_port,
            "dial_port": self.dial_port,
        }


def _theirs(failure: Failure) -> Failure:
    """Another key took this one's place, or the admin took it away, while they logged in."""
    return Failure(refusals.NotEnrolled()) if failure.check(NoSuchUser) else as_refusal(failure)


def _no_dialling(_session: Session, _port: int) -> Deferred[object]:
    return fail(refusals.NotDialling())


def _admitted(user: User | None) -> User:
    if user is None:
        raise refusals.NotEnrolled()
    if user.disabled:
        raise refusals.Disabled()
    return user
