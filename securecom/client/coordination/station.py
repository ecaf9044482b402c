"""Who we are, what we keep, and the line to the server: what both roles stand on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.protocols import amp
from twisted.python.failure import Failure

from securecom import limits
from securecom.client.chat.stream import Stream
from securecom.client.chat.transcript import Logs
from securecom.client.contacts import Contacts
from securecom.client.coordination.missed import MissedRequests
from securecom.client.events import Event, Missed, Trust, User, problem
from securecom.client.frontend import Frontend
from securecom.control import our_fault
from securecom.errors import NotNow, SecurecomError
from securecom.identity import Identity, Name


class Line(Protocol):
    """What the roles need of the standard channel."""

    #: It is over, or about to be.
    is_closing: bool

    @property
    def peer_host(self) -> str | None:
        """The server's address, if it has one."""

    def open_stream(self, number: int) -> Stream:
        """The stream that the server has opened to us."""

    def end_stream(self, number: int) -> None:
        """Tell the server that the chat is over, unless it told us."""

    def ask(
        self,
        command: type[amp.Command],
        patience: float = limits.CLIENT_PATIENCE,
        **arguments: Any,
    ) -> Deferred[dict[str, Any]]:
        """Send a command; its answer or refusal, or `ConnectionWasLost`."""

    def hold(self, who: str) -> None:
        """Read nothing more until released."""

    def release(self, who: str) -> None:
        """Read on, if nobody else holds."""


@dataclass(eq=False)
class Station:
    """`server` is the server's id (32 bytes); `name` and `line` are there while we are on line;
    `logs` is where logs go that both agreed to, if there is a place.
    """

    identity: Identity
    server: bytes
    contacts: Contacts
    frontend: Frontend
    clock: IReactorTime
    logs: Logs | None = None
    missed: MissedRequests = field(init=False)
    #: Called when somebody's key was pinned whom we had never met.
    met_somebody: Callable[[], None] = field(default=lambda: None, init=False)
    #: The person, or a signal, has said that it is time to go: what ends now was not lost.
    is_leaving: bool = field(default=False, init=False)
    _name: Name | None = field(default=None, init=False)
    _line: Line | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.missed = MissedRequests(self.clock.seconds, self.trust)

    def arrive(self, name: Name, line: Line) -> None:
        """Logged in."""
        self._name, self._line = name, line

    def leave(self) -> None:
        """Not logged in any more."""
        self._line = None

    @property
    def is_online(self) -> bool:
        """Logged in."""
        return self._line is not None

    @property
    def is_closing(self) -> bool:
        """What fails now fails because the line goes, and that is told once."""
        return self._line is not None and self._line.is_closing

    @property
    def known_name(self) -> Name | None:
        """Our name, once the server has told it."""
        return self._name

    @property
    def name(self) -> Name:
        """Our name. :raises NotNow: before the first log-in."""
        if self._name is None:
            raise NotNow("you are not on line")
        return self._name

    @property
    def line(self) -> Line:
        """The standard channel. :raises NotNow: if there is none."""
        if self._line is None:
            raise NotNow("you are not on line")
        return self._line

    def trust(self, name: Name) -> Trust:
        """How a name stands, wherever it is shown. Pins that cannot be read vouch for nobody."""
        try:
            return self.contacts.trust(name)
        except SecurecomError:
            return "new"

    def user(self, name: Name) -> User:
        """Somebody, and how they stand."""
        return User(name, self.trust(name))

    def tell_missed(self) -> None:
        """The person is back: who asked in vain meanwhile?"""
        if news := self.missed.news():
            self.show(Missed(news))

    def show_failure(self, failure: Failure) -> None:
        """Tell the person why something failed that no order of theirs waits for."""
        error = failure.value
        told = error if isinstance(error, SecurecomError) else our_fault(failure)
        self.show(problem(told))

    def show(self, event: Event) -> None:
        """Tell the person."""
        self.frontend.show(event)
