"""What all connections of a server share: its sessions, registry, switchboard, rates and turns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol
from weakref import WeakValueDictionary

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from securecom import limits, refusals
from securecom.errors import NoSuchUser
from securecom.identity import Name, PublicKey
from securecom.looks import Looks
from securecom.paces import Pacer, Turns
from securecom.server.account import LOOKS, Account
from securecom.server.key_changes import KeyChanges
from securecom.server.key_retirements import KeyRetirements
from securecom.server.registry import Entrant, Everybody, Registry, User, as_refusal
from securecom.server.restraints import Blocks, Rate
from securecom.server.roster import Roster
from securecom.server.session import ChangeKey, Dial, Session, no_pause
from securecom.server.switchboard import Switchboard


def _nothing() -> None:
    """The default of `on_first`."""


class Claims(Protocol):
    """Sees to it that somebody is on one node only, where a server has several."""

    def take(self, name: Name, session: bytes, takeover: bool) -> Deferred[None]:
        """Claim somebody who logs in, and end the session that they have on another node.

        Fails with `AlreadyOnline` or `ServerTrouble`.
        """

    def check(self, name: Name, session: bytes) -> None:
        """:raises AlreadyOnline: somebody else has logged in as this person since `take`."""

    def give_up(self, name: Name, session: bytes) -> None:
        """This session is over, or never began."""


class OtherChannels(Protocol):
    """Finds the sessions of request channels on other nodes, where a server has several."""

    def prove(
        self, connection: Any, session: bytes, proof: bytes, binding: bytes
    ) -> Deferred[tuple[bytes, Any]]:
        """Have a proof checked where the session is.

        Fires with the server's own proof, and the owner of the channel. Fails with `BadProof`.
        """


class Sessions:
    """Everybody who is logged in, with one session each."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._by_id: dict[bytes, Session] = {}
        self._by_name: dict[Name, Session] = {}
        #: Whether people can log in; they cannot once the server is stopping.
        self.is_open = True
        #: Called when somebody is about to be online, and nobody was.
        self.on_first: Callable[[], None] = _nothing
        #: Where the server has several nodes.
        self.claims: Claims | None = None

    def __len__(self) -> int:
        return len(self._by_id)

    def by_id(self, ident: bytes) -> Session | None:
        """The session with this public handle."""
        return self._by_id.get(ident)

    def of(self, name: Name) -> Session | None:
        """This person's session."""
        return self._by_name.get(name)

    def open(self, session: Session, takeover: bool) -> None:
        """Add the session of a person who has logged in.

        :raises AlreadyOnline: they have one already, and `takeover` is False.
        :raises ServerFull: there is no room, or the server is stopping.
        """
        try:
            self._open(session, takeover)
        except refusals.Refusal:
            if self.claims is not None:
                self.claims.give_up(session.name, session.ident)
            raise

    def _open(self, session: Session, takeover: bool) -> None:
        if not self.is_open:
            raise refusals.ServerFull()
        current = self._by_name.get(session.name)
        if current is not None and not takeover:
            raise refusals.AlreadyOnline()
        if current is not None:
            current.end("taken-over")
        if len(self._by_id) >= limits.MAX_SESSIONS:
            raise refusals.ServerFull()
        if not self._by_id:
            self.on_first()
        self._by_id[session.ident] = session
        self._by_name[session.name] = session

    def forget(self, session: Session) -> None:
        """Remove a session that is over."""
        if self._by_id.get(session.ident) is session:
            del self._by_id[session.ident]
        if self._by_name.get(session.name) is session:
            del self._by_name[session.name]
        if self.claims is not None:
            self.claims.give_up(session.name, session.ident)

    def recheck(self) -> Deferred[None]:
        """Follow a change of the registry.

        The sessions of people who were removed or disabled, or whose key was reset, end; block
        lists are loaded again. Fails as the registry does; then nothing was checked.
        """
        return self._roster.read().addCallback(self._follow)

    def _follow(self, everybody: Everybody) -> None:
        self._end_strangers(everybody.users)
        for session in self._by_id.values():
            session.blocks.take(everybody.blocks.get(session.name, ()))

    def follow(self, names: list[Name]) -> Deferred[None]:
        """Do the same for these people alone, who are all whose entries have changed."""
        here = [name for name in names if name in self._by_name]
        return self._roster.read_some(here).addCallback(self._follow_some, here)

    def _follow_some(self, found: Everybody, names: list[Name]) -> None:
        keys = {user.name: user.key for user in found.users if not user.disabled}
        for session in [self._by_name[name] for name in names if name in self._by_name]:
            if keys.get(session.name) != session.key:
                session.end("disabled")
            else:
                session.blocks.take(found.blocks.get(session.name, ()))

    def end_all(self) -> None:
        """End all sessions and open no more: the server is stopping."""
        self.is_open = False
        for session in list(self._by_id.values()):
            session.end("shutdown")

    def _end_strangers(self, users: list[User]) -> None:
        keys = {user.name: user.key for user in users if not user.disabled}
        for session in list(self._by_id.values()):
            if keys.get(session.name) != session.key:
                session.end("disabled")


#: The name of the rate of looking at or changing one's block list.
_BLOCKS = "looks at your blocks"


class Reception:
    """What every connection of this server is given.

    :param now: the wall clock, for invitations and for who asks (seconds since 1970).
    :param server: the server's id (32 bytes).
    """

    def __init__(
        self,
        clock: IReactorTime,
        now: Callable[[], float],
        registry: Registry,
        switchboard: Switchboard,
        server: bytes,
    ) -> None:
        self.clock, self.server = clock, server
        self.switchboard = switchboard
        #: Where connections wait for the next look whether their clients are still there.
        self.looks = Looks(clock, limits.PING_INTERVAL)
        #: Where they wait for their deadline until their clients have logged in.
        self.deadlines = Looks(clock, limits.LOGIN_DEADLINE)
        #: Decides whose commands are worked on next.
        self.turns = Turns(clock)
        #: Decides how soon a person's next command is worked on.
        self.pacer = Pacer(clock)
        #: Whom log-ins find.
        self.roster = Roster(registry, clock.seconds)
        self.sessions = Sessions(self.roster)
        self.key_changes = KeyChanges(registry, server, switchboard, clock.seconds)
        #: Registers what can retire a key, and retires it.
        self.retirements = KeyRetirements(registry, server, clock.seconds, self._end_session)
        #: Opens request channels towards clients; `Dialler.dial` where the operator allows it.
        self.dial: Dial = _no_dialling
        #: Draws how long the server waits before it acts on one person's request for another.
        self.pause: Callable[[], float] = no_pause
        #: Where the server has several nodes.
        self.channels: OtherChannels | None = None
        #: Sent to clients at log-in; known once the ports are open.
        self.request_port = 0
        self.dial_port: int | None = None
        #: `account` and the change of keys, for all sessions: a method that is bound to its object
        #: is an object itself, which each session would have its own of.
        self.new_account: Callable[[Name], Account] = self.account
        self.change_key: ChangeKey = self.key_changes.change
        self._now = now
        self._registry = registry
        #: The block lists of people who are online or are logging in.
        self._blocks: WeakValueDictionary[Name, Blocks] = WeakValueDictionary()
        window = limits.REQUEST_WINDOW
        self._rates = {
            LOOKS: Rate[Name](limits.MY_DATA_BY_PERSON, window, clock.seconds),
            _BLOCKS: Rate[Name](limits.BLOCKS_BY_PERSON, window, clock.seconds),
            "new keys": self.key_changes.rate,
            "tries for a new key": self.key_changes.tries,
            "tries to register for a retirement": self.retirements.tries,
        }

    def find(self, first: PublicKey) -> Deferred[Entrant]:
        """The user of this first key. Fails with `NotEnrolled`, `Disabled` or `ServerTrouble`.

        It holds in the turn in which it fires: open their session in it, or find them again.
        """
        return self.roster.find(first).addErrback(as_refusal).addCallback(_admitted)

    def complete(self, name: Name, key: PublicKey) -> Deferred[Entrant]:
        """Put a second key, which was proved, beside the first one of a user who has none.

        That is somebody who was enrolled before there were second keys. Fires with what is known of
        them then. Fails with `NotEnrolled` if they have another one by now, and as `find` does.
        """
        completed = self._registry.complete(name, key).addErrback(_theirs)
        return completed.addCallback(lambda _: self.find(key)).addCallback(_with, key)

    def spend(self, token_hash: bytes, key: PublicKey) -> Deferred[Name]:
        """Spend an invitation on this key. Fires with its name, or fails with a refusal."""
        return self._registry.spend(token_hash, key, self._now()).addErrback(as_refusal)

    def blocks(self, entrant: Entrant) -> Blocks:
        """Whom this user has blocked.

        All sessions of a name share one list. Otherwise a block made while another session takes
        over would be missing there.
        """
        owner = entrant.user.name
        blocks = self._blocks.get(owner)
        if blocks is None:
            blocks = self._blocks[owner] = Blocks(self._registry, owner, self._rates[_BLOCKS])
        blocks.take(entrant.blocked)
        return blocks

    def account(self, name: Name) -> Account:
        """What answers this user's `/mydata` and `/forget-me`."""
        recheck = self.sessions.recheck
        return Account(name, self._registry, self._rates, self.pacer, self._now, recheck)

    def forget(self, names: frozenset[Name]) -> Deferred[None]:
        """Forget everything about names that nobody has any more."""
        for name in names:
            for rate in self._rates.values():
                rate.forget(name)
            self.pacer.forget(name)
        return self.switchboard.forget(names)

    def drop_old(self) -> None:
        """Forget what people did too long ago to count against them."""
        for rate in self._rates.values():
            rate.drop_old()
        self.pacer.drop_old()
        self.switchboard.drop_old()

    def _end_session(self, name: Name) -> None:
        """The key of this name is retired: whoever uses it is out, once the answer is on its way.

        It may be their own session in which the owner says it.
        """
        session = self.sessions.of(name)
        if session is not None:
            self.clock.callLater(0, session.end, "disabled")

    def welcome(self, session: Session) -> dict[str, Any]:
        """The answer to a log-in."""
        return {
            "name": session.name,
            "request_port": self.request_port,
            "dial_port": self.dial_port,
            "time": int(self._now()),
        }


def _theirs(failure: Failure) -> Failure:
    """The key was replaced, or taken away by the admin, during the log-in."""
    return Failure(refusals.NotEnrolled()) if failure.check(NoSuchUser) else as_refusal(failure)


def _with(entrant: Entrant, key: PublicKey) -> Entrant:
    """This user, if these are their keys."""
    if entrant.user.key != key:
        raise refusals.NotEnrolled()
    return entrant


def _no_dialling(_session: Session, _port: int) -> Deferred[object]:
    return fail(refusals.NotDialling())


def _admitted(entrant: Entrant | None) -> Entrant:
    if entrant is None:
        raise refusals.NotEnrolled()
    if entrant.user.disabled:
        raise refusals.Disabled()
    return entrant
