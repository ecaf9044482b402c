"""Who is logged in: one session a key, found by id for the request channel."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from securecom import limits, refusals
from securecom.identity import Name
from securecom.server.registry import Registry, User
from securecom.server.session import Session


class Sessions:
    """All sessions of this server."""

    def __init__(self, registry: Registry) -> None:
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
