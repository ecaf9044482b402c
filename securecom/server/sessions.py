"""Who is logged in: one session a key, found by id for the request channel."""

from __future__ import annotations

from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from securecom import commands, limits
from securecom.identity import Name
from securecom.server.registry import Registry, User
from securecom.server.session import Session

_log = Logger()


class Sessions:
    """All sessions of this server."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._by_id: dict[bytes, Session] = {}
        self._by_name: dict[Name, Session] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def by_id(self, ident: bytes) -> Session | None:
        """The live session with this public handle."""
        return self._by_id.get(ident)

    def open(self, session: Session, takeover: bool) -> None:
        """A log-in whose key was found.

        :raises AlreadyOnline: if there is one and `takeover` is False.
        :raises ServerFull: if there is no room.
        """
        current = self._by_name.get(session.name)
        if current is not None and not takeover:
            raise commands.AlreadyOnline()
        if current is not None:
            current.end("taken-over")
        if len(self._by_id) >= limits.MAX_SESSIONS:
            raise commands.ServerFull()
        self._by_id[session.ident] = session
        self._by_name[session.name] = session

    def forget(self, session: Session) -> None:
        """The session is over."""
        if self._by_id.get(session.ident) is session:
            del self._by_id[session.ident]
        if self._by_name.get(session.name) is session:
            del self._by_name[session.name]

    def recheck(self) -> Deferred[list[tuple[bool, None]]]:
        """The registry changed: end the sessions of who may no longer have one."""
        checks = [
            self._registry.user(session.name).addCallback(_end_unless_same, session)
            for session in list(self._by_id.values())
        ]
        return DeferredList(checks, consumeErrors=True)

    def end_all(self) -> None:
        """The server stops."""
        for session in list(self._by_id.values()):
            session.end("shutdown")


def _end_unless_same(user: User | None, session: Session) -> None:
    if user is None or user.disabled or user.key != session.key:
        session.end("disabled")
