"""What both roles stand on: our identity, the pins, the clock, and the line while there is one."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.protocols import amp
from twisted.python.failure import Failure

from securecom import limits, vocabulary
from securecom.client.api import ClientState, Frontend, not_now
from securecom.client.chat.agreed_log import Logs
from securecom.client.chat.stream import Stream
from securecom.client.contacts import Contacts
from securecom.client.events import KNOWN, ListedUser, Missed, MissedCaller, Trust, problem
from securecom.client.files.access import FileAccess
from securecom.control import our_fault
from securecom.errors import SecurecomError
from securecom.identity import Identity, Name


class ServerLine(Protocol):
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
    """`server` is the server's id (32 bytes); `name` and `line` are there while we are online;
    `logs` is where logs go that both agreed to, if there is a place; `access` is what files need of
    this machine; `unix_time` says when events of a chat happen.
    """

    identity: Identity
    server: bytes
    contacts: Contacts
    frontend: Frontend
    clock: IReactorTime
    unix_time: Callable[[], float]
    logs: Logs | None = None
    access: FileAccess | None = None
    missed: MissedRequests = field(init=False)
    #: Called when somebody's key was pinned whom we had never met.
    met_somebody: Callable[[], None] = field(default=lambda: None, init=False)
    #: Called when somebody was met, or is trusted more or less than before.
    people_changed: Callable[[], None] = field(default=lambda: None, init=False)
    #: How often we have asked each person for words to compare, and not confirmed them.
    word_tries: Counter[Name] = field(default_factory=Counter, init=False)
    #: Whether each of a chat may see that the other is writing, as far as we are concerned.
    wants_typing: Callable[[], bool] = field(default=lambda: False, init=False)
    #: The person, or a signal, has said that it is time to go: what ends now was not lost.
    is_leaving: bool = field(default=False, init=False)
    _name: Name | None = field(default=None, init=False)
    _line: ServerLine | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        #: Tells the person.
        self.show = self.frontend.show
        self.missed = MissedRequests(self.clock.seconds, self.trust)

    def arrive(self, name: Name, line: ServerLine) -> None:
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
        """The line is about to go. What fails now fails for that reason, which is shown once."""
        return self._line is not None and self._line.is_closing

    @property
    def known_name(self) -> Name | None:
        """Our name, once the server has told it."""
        return self._name

    @property
    def name(self) -> Name:
        """Our name. :raises NotNow: before the first log-in."""
        if self._name is None:
            raise not_now(ClientState.OFFLINE)
        return self._name

    @property
    def line(self) -> ServerLine:
        """The standard channel. :raises NotNow: if there is none."""
        if self._line is None:
            raise not_now(ClientState.OFFLINE)
        return self._line

    def end_chat(self, stream: int) -> None:
        """Have the server end a chat that we do not have."""
        if self._line is not None:  # else it is over already
            self._line.ask(vocabulary.EndChat, stream=stream).addErrback(lambda _: None)

    def trust(self, name: Name) -> Trust:
        """How far a name is trusted, for showing it. Pins that cannot be read vouch for nobody."""
        try:
            return self.contacts.trust(name)
        except SecurecomError:
            return "new"

    def user(self, name: Name) -> ListedUser:
        """A name, and how far it is trusted."""
        trust = self.trust(name)
        return ListedUser(name, trust, self.introducer(name, trust))

    def introducer(self, name: Name, trust: Trust) -> Name | None:
        """Who introduced a name whose key stands like that, if somebody did."""
        return self.contacts.introducer(name) if trust == "introduced" else None

    def tell_missed(self) -> None:
        """The user is back: show who asked in vain meanwhile."""
        if news := self.missed.news():
            self.show(Missed(news))

    def show_failure(self, failure: Failure) -> None:
        """Show why something failed that no command of the user's waits for."""
        error = failure.value
        known = error if isinstance(error, SecurecomError) else our_fault(failure)
        self.show(problem(known))


# --- Chat requests that the daemon role refused, in memory only -------------------------------


class MissedRequests:
    """Who asked in vain, how often, and when last.

    Strangers are forgotten first, and among them the one who asked longest ago.


    :param seconds: a clock that nobody sets, `securecom.clocks.steady`.
    :param trust: how a name stands now.
    """

    def __init__(self, seconds: Callable[[], float], trust: Callable[[Name], Trust]) -> None:
        self._seconds, self._trust = seconds, trust
        self._missed: OrderedDict[Name, tuple[int, float]] = OrderedDict()
        self._is_news = False

    def note(self, name: Name) -> bool:
        """One more. True if it is this person's first since they were forgotten."""
        count, _ = self._missed.get(name, (0, 0.0))
        self._missed[name] = (count + 1, self._seconds())
        self._missed.move_to_end(name)
        if len(self._missed) > limits.MAX_MISSED:
            self._forget_one()
        self._is_news = True
        return count == 0

    def _forget_one(self) -> None:
        """Strangers first, or one who asks under many names would push out known people."""
        strangers = (name for name in self._missed if self._trust(name) not in KNOWN)
        del self._missed[next(strangers, next(iter(self._missed)))]

    def forget(self, name: Name) -> None:
        """We have spoken since."""
        self._missed.pop(name, None)

    def of(self, name: Name) -> MissedCaller | None:
        """How often one person asked in vain, if they did."""
        return self._entry(name) if name in self._missed else None

    def all(self) -> list[MissedCaller]:
        """The latest first."""
        return [self._entry(name) for name in reversed(self._missed)]

    def _entry(self, name: Name) -> MissedCaller:
        count, at = self._missed[name]
        return MissedCaller(name, self._trust(name), count, int(self._seconds() - at))

    def news(self) -> list[MissedCaller]:
        """All of them, if one was added since the last call."""
        is_news, self._is_news = self._is_news, False
        return self.all() if is_news else []
