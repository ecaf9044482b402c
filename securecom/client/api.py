"""What a client needs of a front-end; `frontends` has some."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from twisted.internet.defer import Deferred

from securecom.client import events
from securecom.client.events import (
    BackedUp,
    BlockList,
    ChatLogState,
    DataHeld,
    Event,
    Fingerprints,
    ForgetMeMeans,
    Forgotten,
    KeyAccepted,
    KeyRenewed,
    Requests,
    SafetyCode,
    SafetyNumber,
    Users,
    Whois,
)
from securecom.client.terms import AvailabilityTerms, Pause
from securecom.identity import Name


class ClientState(Enum):
    """What a client is doing, as far as commands care."""

    OFFLINE = "offline"
    IDLE = "online, with nothing going on"
    ASKED = "somebody is asking for a chat"
    ASKING = "a request of ours is open"
    OPENING = "both agreed, and the chat is being set up"
    CHAT = "in a chat"


class Frontend(Protocol):
    """Shows what happens, and asks for what nobody may see."""

    def show(self, event: Event) -> None:
        """Tell the person. Must not raise, must not wait."""

    def ask_secret(self, question: str) -> Deferred[str]:
        """A pass phrase, typed unseen and never shown again.

        Fails with `NotNow` if there is nobody to ask, or the person rather says nothing.
        """


# --- What a front-end asks of the client core, and nothing more -------------------------------
# The main role is such a thing; tests use one of their own. Everything may fail with a
# `SecurecomError`, raised or through the Deferred, and that is the only place that tells it: the
# core does not show the same failure as an event too.


class KeysApi(Protocol):
    """What a person can ask and say about keys."""

    def own(self) -> Fingerprints:
        """Our key and the server's."""

    def renew(self) -> Deferred[KeyRenewed]:
        """Sign over to a new key, which is ours from then on."""

    def whois(self, name: Name) -> Whois:
        """What is pinned for a name."""

    def safety_number(self) -> SafetyNumber:
        """What the two of the chat compare."""

    def safety_code(self) -> SafetyCode:
        """The same for a camera."""

    def compared(self, same: bool) -> Deferred[None] | None:
        """The person compared; a "no" ends the chat."""

    def take(self, name: Name, fingerprint: str) -> KeyAccepted:
        """Let a changed key take the pinned one's place, once it is proved."""


class ChatLogApi(Protocol):
    """What a person can ask and say about a log of the chat."""

    def status(self) -> ChatLogState:
        """How it stands."""

    def on(self) -> None:
        """Ask for it, or agree to it."""

    def off(self) -> None:
        """End it, or the question, for both."""


class SettingsApi(Protocol):
    """What a person has chosen for good."""

    def all(self) -> events.AllSettings:
        """As it is."""

    def change(self, text: str) -> Deferred[events.AllSettings]:
        """Choose something else; fires when it counts."""


class AccountApi(Protocol):
    """What a person can ask and say about what the server holds."""

    def my_data(self) -> Deferred[DataHeld]:
        """All of it."""

    def means(self) -> ForgetMeMeans:
        """What being forgotten would be."""

    def forget_me(self, name: Name) -> Deferred[Forgotten]:
        """Be forgotten, and leave; `name` has to be our own."""


class ClientApi(Protocol):
    """The main role as its person sees it. In which of its states it is, the properties say."""

    @property
    def state(self) -> ClientState:
        """What the client is doing now."""

    def reconnect(self) -> None:
        """Try to reach the server now, without waiting for the next attempt."""

    @property
    def keys(self) -> KeysApi:
        """What there is to ask and say about keys."""

    @property
    def log(self) -> ChatLogApi:
        """What there is to ask and say about a log; while there is a chat."""

    @property
    def settings(self) -> SettingsApi:
        """What the person has chosen for good."""

    @property
    def account(self) -> AccountApi:
        """What there is to ask and say about what the server holds."""

    def users(self, text: str = "") -> Deferred[Users]:
        """Who is available, `text` in the name."""

    def request_chat(self, name: Name, chat_seconds: int | None = None) -> Deferred[None]:
        """Ask, perhaps for a chat that ends after so long; fires when the chat stands."""

    def cancel(self) -> Deferred[None] | None:
        """Withdraw our request, which then fails with `WasCancelled`."""

    def accept(self, name: Name | None = None) -> Deferred[None] | None:
        """Say yes, to `name` if it is given."""

    def refuse(self, name: Name | None = None) -> Deferred[None] | None:
        """Say no."""

    def dismiss(self, name: Name | None = None) -> Deferred[None] | None:
        """Say nothing, and be asked no longer."""

    def requests(self) -> Requests:
        """What is open in both directions, and who asked in vain."""

    def block(self, name: Name) -> Deferred[None]:
        """Never be asked by `name` again."""

    def unblock(self, name: Name) -> Deferred[None]:
        """Undo that."""

    def blocked(self) -> Deferred[BlockList]:
        """Whom we have blocked."""

    def say(self, text: str) -> int:
        """Send a message, or keep it until the caller has spoken; its number."""

    def stop(self) -> Deferred[None]:
        """End the chat with BYE."""

    def set_available(self, terms: AvailabilityTerms) -> Deferred[None] | None:
        """Be available to be asked, to whom and how long the terms say."""

    def set_away(self, pause: Pause) -> Deferred[None] | None:
        """Be asked by nobody, as long as the pause lasts."""

    def backup(self, file: str) -> Deferred[BackedUp]:
        """Write our identity and the pins into a new file, encrypted."""

    def hold_incoming(self) -> None:
        """Take nothing more from the server: what it would have us show waits."""

    def release_incoming(self) -> None:
        """Go on."""
