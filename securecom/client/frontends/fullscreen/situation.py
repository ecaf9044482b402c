"""What the bars and the list of people show: gathered from events, without Textual.

Deadlines are moments on the steady clock, so that a countdown never jumps.
"""

from __future__ import annotations

from collections.abc import Callable

from securecom.client import events as e
from securecom.client import key_events as k
from securecom.client.api import ClientApi, ClientState
from securecom.client.frontends.fullscreen.conversations import HOME
from securecom.values import Value


class OpenRequest(Value):
    """Somebody asks us, until `deadline`.

    :param is_key_taken: the key they ask with is another than the one known, and was accepted.
    """

    asked: e.Asked
    deadline: float
    is_key_taken: bool = False

    @property
    def has_unknown_key(self) -> bool:
        """Whether it cannot be accepted as it is."""
        return self.asked.trust == "changed" and not self.is_key_taken


class Known(Value):
    """A line of the list of people."""

    name: str
    trust: e.Trust
    presence: str


class Situation:
    """What is so now.

    :param seconds: the steady clock.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self.seconds = seconds
        self.api: ClientApi | None = None
        self.name = ""
        self.host = ""
        self.is_online = False
        self.retry_at: float | None = None
        self.is_available = False
        self.available_until: float | None = None
        self.available_to: list[str] | None = None
        self.request: OpenRequest | None = None
        self.asking: e.Asking | None = None
        self.asking_until: float | None = None
        self.peer = HOME
        self.peer_trust: e.Trust = "new"
        self.is_chatting = False
        self.chat_until: float | None = None
        self.log: e.LogState = "off"
        self.is_peer_typing = False
        self.missed = 0
        self.blocked: set[str] = set()
        self.trust: dict[str, e.Trust] = {}
        self.available: set[str] = set()
        self.busy: set[str] = set()

    # --- events -----------------------------------------------------------------------------

    def heard(self, event: e.Event) -> None:
        """Note what an event changes."""
        match event:
            case e.Connecting() | e.Online() | e.Offline() | e.Availability():
                self._connection(event)
            case e.Asking() | e.RequestOver() | e.Asked() | e.AskedOver() | e.Missed():
                self._requests(event)
            case e.ChatOpening() | e.ChatStarted() | e.ChatOver() | e.TimeLeft() | e.PeerTyping():
                self._chat(event)
            case k.ComparisonResult() | k.KeyFollowed() | k.KeyAccepted():
                self._keys(event)
            case _:
                self._others(event)

    def _connection(self, event: e.Event) -> None:
        match event:
            case e.Connecting(host=host):
                self.host, self.retry_at = host, None
            case e.Online(name=name):
                self.name, self.is_online, self.retry_at = name, True, None
            case e.Offline(retry_in=wait):
                self.is_online, self.is_available = False, False
                self.retry_at = self._after(wait)
                self.available.clear()
                self.busy.clear()
            case e.Availability(available=available, seconds=seconds, to=to):
                self.is_available, self.available_to = available, to
                self.available_until = self._after(seconds)

    def _requests(self, event: e.Event) -> None:
        match event:
            case e.Asking(name=name, seconds=seconds, trust=trust):
                self.asking, self.trust[name] = event, trust
                self.asking_until = self._after(seconds)
            case e.RequestOver():
                self.asking = None
            case e.Asked(name=name, seconds=seconds):
                self.request = OpenRequest(event, self.seconds() + seconds)
            case e.AskedOver():
                self.request = None
            case e.Missed(missed=missed):
                self.missed = len(missed)

    def _chat(self, event: e.Event) -> None:
        match event:
            case e.ChatOpening(name=name):
                self.peer, self.asking, self.request = name, None, None
            case e.ChatStarted(name=name, trust=trust, chat_seconds=seconds):
                self.peer, self.peer_trust, self.is_chatting = name, trust, True
                self.trust[name], self.log = trust, "off"
                self.chat_until = self._after(seconds)
            case e.ChatOver():
                self.peer, self.is_chatting, self.chat_until = HOME, False, None
                self.is_peer_typing = False
            case e.PeerTyping(typing=typing):
                self.is_peer_typing = typing
            case e.TimeLeft(seconds=seconds):
                self.chat_until = self._after(seconds)

    def _keys(self, event: e.Event) -> None:
        match event:
            case k.ComparisonResult(name=name, by="me", word=word):
                self.trust[name] = self.peer_trust = "verified" if word == "yes" else "met"
            case k.KeyFollowed(name=name, trust=trust):
                self.trust[name] = self.peer_trust = trust
            case k.KeyAccepted(name=name, fingerprint=fingerprint):
                self._key_taken(name, fingerprint)

    def _others(self, event: e.Event) -> None:
        match event:
            case e.ChatLogState(state=state):
                self.log = state
            case e.Blocked(name=name, blocked=True):
                self.blocked.add(name)
            case e.Blocked(name=name):
                self.blocked.discard(name)
            case e.BlockList(users=users):
                self.blocked = {user.name for user in users}
            case e.Users(users=users, text="", busy=busy):
                self.available = {user.name for user in users} - set(busy)
                self.busy = set(busy)
                self.trust |= {user.name: user.trust for user in users}
            case e.PeopleNow(people=people):
                self.available = {one.name for one in people if one.presence == "available"}
                self.busy = {one.name for one in people if one.presence == "busy"}
                self.trust |= {one.name: one.trust for one in people}
            case e.Requests(missed=missed):
                self.missed = len(missed)

    def _key_taken(self, name: str, fingerprint: str) -> None:
        if self.request is None:
            return
        asked = self.request.asked
        if (asked.name, asked.fingerprint) == (name, fingerprint):
            self.request = OpenRequest(asked, self.request.deadline, True)

    def _after(self, seconds: float | None) -> float | None:
        return None if seconds is None else self.seconds() + seconds

    # --- what is shown ----------------------------------------------------------------------

    @property
    def state(self) -> ClientState:
        """What the core says it is doing."""
        return ClientState.OFFLINE if self.api is None else self.api.state

    def left(self, until: float | None) -> int:
        """Seconds until then, 0 if it is over."""
        return 0 if until is None else max(round(until - self.seconds()), 0)

    def people(self, others: list[str]) -> list[Known]:
        """Everybody we know, who asks, and `others`; those who are near come first."""
        trust = dict(self.trust)
        if self.api is not None:
            trust |= {user.name: user.trust for user in self.api.people}
        if self.request is not None:
            trust[self.request.asked.name] = self.request.asked.trust
        names = set(trust) | set(others) | self.blocked
        names.discard(self.name)
        known = [Known(name, trust.get(name, "new"), self._presence(name)) for name in names]
        return sorted(known, key=lambda one: (_RANKS.get(one.presence, _LAST), one.name))

    def _presence(self, name: str) -> str:
        if self.request is not None and name == self.request.asked.name:
            return "asks"
        if name == self.peer:
            return "chat"
        if self.asking is not None and name == self.asking.name:
            return "asking"
        if name in self.blocked:
            return "blocked"
        if name in self.busy:
            return "busy"
        return "here" if name in self.available else ""


_LAST = 5
_RANKS = {"asks": 0, "chat": 1, "asking": 2, "here": 3, "busy": 4, "": _LAST, "blocked": 6}
