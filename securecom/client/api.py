"""Everything between the client core and a front-end, on one page.

A front-end is told what happens, as events (`Frontend.show`), and asks for what its user wants
(`ClientApi`). It needs nothing else of the client: docs/frontends.md has a whole one in about 50
lines, and says when each method of `UserFrontend` is called. Any method of `ClientApi` may fail
with a `SecurecomError`, raised or through its Deferred. The core does not show that failure as an
event too, so the front-end has to.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any, Protocol, cast

from twisted.internet.defer import Deferred

from securecom.client.events import (
    AllSettings,
    BackedUp,
    BlockList,
    ChatLogState,
    DataHeld,
    Event,
    ForgetMeMeans,
    Forgotten,
    ListedUser,
    Requests,
    StateWord,
    Users,
)
from securecom.client.file_events import Transfers
from securecom.client.key_events import (
    Fingerprints,
    IntroductionList,
    IntroductionStep,
    KeyAccepted,
    KeyRenewed,
    KeyRetired,
    RetirementMade,
    SafetyCode,
    SafetyNumber,
    Whois,
    WordsToCompare,
)
from securecom.client.terms import AvailabilityTerms, Choices, Pause
from securecom.errors import NotNow, SecurecomError
from securecom.identity import Name
from securecom.values import Value


class Frontend(Protocol):
    """What the core calls on a front-end."""

    def show(self, event: Event) -> None:
        """Show something that happened; `securecom.client.events` has every kind.

        Must not raise and must not wait.
        """

    def ask_secret(self, question: str) -> Deferred[str]:
        """Ask for a pass phrase, which is typed unseen and never shown.

        Fails with `NotNow` if there is nobody to ask, or if they cancel.
        """


class Launch(Value):
    """What a front-end gets when it is made: `--frontend NAME` calls it with one of these.

    :param arguments: the command line.
    :param reactor: Twisted's. It does not run yet.
    :param leave: call it when the user wants to leave; `close` follows when the client has left.
    :param chat: the person to ask for a chat as soon as we are online (`--chat`).
    :param message: what to send them first, for the demo without a terminal.
    :param file: what to offer them (`--send`): a path, or an open descriptor.
    """

    arguments: Namespace
    reactor: Any
    leave: Callable[[], None]
    chat: Name | None = None
    message: str | None = None
    file: str | int | None = None


class UserFrontend(Frontend, Protocol):
    """A front-end as the program runs it: `start`, `begin`, `stop` and `close`, in this order.

    What makes it (a class, usually) takes a `Launch`, and raises a `SecurecomError` if it cannot
    run here. If it has an attribute `uses_asyncio` that is true, Twisted runs in asyncio's loop.
    """

    @property
    def failure(self) -> SecurecomError | None:
        """What went wrong first, which decides the exit code; None where a person has seen it."""

    def start(self) -> Deferred[None]:
        """Open the screen; the reactor runs. From now on events may come, also before `begin`.

        :return: fires when the front-end has ended, by `close` or otherwise, and the terminal is as
            it was before; fails if the front-end has broken.
        """

    def begin(self, api: ClientApi, folder: Path | None) -> None:
        """Take what the user wants from now on.

        :param folder: the profile's, where the front-end may keep a file; None if there is none.
        """

    def stop(self) -> None:
        """Take nothing more: the client is leaving. Events still come."""

    def close(self) -> object:
        """End. Must work at any time after `start`, and again when it has ended already."""


class ClientState(Enum):
    """What a client is doing. The core decides it, in one place; front-ends only read it."""

    OFFLINE = "offline"
    IDLE = "online, with nothing going on"
    ASKED = "somebody is asking for a chat"
    ASKING = "a request of ours is open"
    OPENING = "both agreed, and the chat is being set up"
    CHAT = "in a chat"

    def __init__(self, _: str) -> None:
        #: The state as events tell it.
        self.word = cast(StateWord, self.name.lower())


def not_now(state: ClientState) -> NotNow:
    """Why something that the user wants cannot be done while the client does this.

    A front-end that reads the state first may say it in words of its own.
    """
    if state is ClientState.OFFLINE:
        return NotNow("you are not online", "Nothing was sent. Wait until the server is reached.")
    return NotNow("that makes no sense now")


def already_connected() -> NotNow:
    """Why there is no attempt to reach the server."""
    return NotNow("you are already connected", "Nothing was changed.")


class ClientApi(Protocol):
    """What a front-end may call. The main role is one; front-end tests use a scripted one."""

    # What is so now.

    @property
    def name(self) -> Name | None:
        """Our own name; None until the server has said it."""

    @property
    def state(self) -> ClientState:
        """What the client is doing."""

    @property
    def is_available(self) -> bool:
        """Whether others can ask us for a chat."""

    @property
    def people(self) -> list[ListedUser]:
        """Everybody whose key we know, in alphabetical order, with how far we trust it."""

    # The connection, and who may ask us.

    def reconnect(self) -> None:
        """Try to reach the server now, without waiting for the next attempt.

        :raises NotNow: it is reached already.
        """

    def watch_people(self, wanted: bool) -> None:
        """Show `PeopleNow` now and whenever it changes, or no more.

        For a front-end that draws a list of people: while it is wanted the client asks the server
        for its list again and again.
        """

    def users(self, text: str = "") -> Deferred[Users]:
        """Who is available now, with how far we trust their keys; `text` is part of the name."""

    def set_available(self, terms: AvailabilityTerms) -> Deferred[None] | None:
        """Let people ask us: those whom the terms name, for as long as they say."""

    def set_away(self, pause: Pause) -> Deferred[None] | None:
        """Let nobody ask us, for as long as the pause lasts."""

    def block(self, name: Name) -> Deferred[None]:
        """Never let `name` ask us again."""

    def unblock(self, name: Name) -> Deferred[None]:
        """Let `name` ask us again."""

    def blocked(self) -> Deferred[BlockList]:
        """Whom we have blocked."""

    # Requests.

    def request_chat(self, name: Name, chat_seconds: int | None = None) -> Deferred[None]:
        """Ask for a chat, which may end by itself after some time; fires when it has begun."""

    def cancel(self) -> Deferred[None] | None:
        """Withdraw our request, whose Deferred then fails with `WasCancelled`."""

    def accept(self, name: Name | None = None) -> Deferred[None] | None:
        """Accept the open request; with a `name`, only if it is theirs."""

    def refuse(self, name: Name | None = None) -> Deferred[None] | None:
        """Refuse the open request; the caller is told."""

    def dismiss(self, name: Name | None = None) -> Deferred[None] | None:
        """Ignore the open request; to the caller we seem offline."""

    def requests(self) -> Requests:
        """Open requests in both directions, and the ones we missed."""

    # A chat.

    def say(self, text: str) -> int:
        """Send a message, or hold it until the caller has written; returns its number."""

    def typing(self) -> None:
        """The user is writing a message: call it at every key, but not for a command.

        The other person sees it only if both have `/set typing on`. Does nothing else than that.
        """

    def stop(self) -> Deferred[None]:
        """End the chat; fires when its keys are gone."""

    @property
    def log(self) -> ChatLogApi:
        """The log of the chat. :raises NotNow: if there is no chat."""

    @property
    def files(self) -> FilesApi:
        """Files that are sent and received in the chat."""

    # The rest.

    @property
    def keys(self) -> KeysApi:
        """Our key, and other people's."""

    @property
    def settings(self) -> SettingsApi:
        """What the user has chosen for good."""

    @property
    def account(self) -> AccountApi:
        """What the server holds about us."""

    def backup(self, file: str) -> Deferred[BackedUp]:
        """Write our key, our settings and the keys of people we know to a new, encrypted file."""

    def hold_incoming(self) -> None:
        """Read nothing more from the server until `release_incoming`: the screen is full."""

    def release_incoming(self) -> None:
        """Read from the server again."""


class KeysApi(Protocol):
    """Our key, and other people's."""

    def own(self) -> Fingerprints:
        """The fingerprints of our key and of the server's."""

    def renew(self) -> Deferred[KeyRenewed]:
        """Replace our key with a new one, which the old one signs."""

    def whois(self, name: Name) -> Whois:
        """What we know about somebody's key."""

    def safety_number(self) -> SafetyNumber:
        """The number that both people of this chat compare."""

    def safety_code(self) -> SafetyCode:
        """The same number, for a QR code."""

    def words(self) -> WordsToCompare:
        """Ask for six words to compare; they are shown once the other person asks for them too."""

    def compared(self, same: bool) -> Deferred[None] | None:
        """Record what the comparison showed; if the numbers differ, the chat ends."""

    def introduce(self, one: Name, other: Name) -> IntroductionStep:
        """Introduce two people whom we have verified to each other, if both agree."""

    def cancel_introduction(self, one: Name, other: Name) -> IntroductionStep:
        """Take an introduction back; what either has got already stays."""

    def answer_introduction(self, other: Name, agrees: bool) -> IntroductionStep:
        """Answer the offer of the person in this chat to introduce us to `other`."""

    def introductions(self) -> IntroductionList:
        """The introductions that we make and that are not done."""

    def make_retirement(self) -> Deferred[RetirementMade]:
        """Make twelve words that can retire our key, and register them."""

    def retire(self, name: Name) -> Deferred[KeyRetired]:
        """Retire somebody's stolen key by their twelve words, which are asked for."""

    def take(self, name: Name, fingerprint: str) -> KeyAccepted:
        """Accept a changed key: it replaces the pinned one once its owner has proved it."""


class ChatLogApi(Protocol):
    """The log of a chat, which is kept only while both agree."""

    def status(self) -> ChatLogState:
        """Whether the chat is logged."""

    def on(self) -> None:
        """Ask for a log, or agree to the one the other person asks for."""

    def off(self) -> None:
        """End the log for both, or withdraw or decline the request for one."""


class FilesApi(Protocol):
    """Files of the chat. Its methods fail with `NotNow` if there is no chat."""

    def send(self, file: str | int) -> Deferred[int]:
        """Offer a file, or a folder as a tar file; fires with the transfer's number.

        :param file: a path, or the number of an open descriptor that is read to its end first.
        """

    def get(self, number: int, path: str | None = None) -> None:
        """Fetch an offered file into the folder for downloads.

        :param path: another folder, or a file that does not exist yet.
        """

    def decline(self, number: int) -> None:
        """Say no to an offered file."""

    def cancel(self, number: int) -> None:
        """Withdraw an offer of ours, or end a transfer of either direction."""

    def all(self) -> Transfers:
        """Every transfer that is not over."""


class SettingsApi(Protocol):
    """What the user has chosen for good."""

    @property
    def choices(self) -> Choices:
        """What is chosen, as values."""

    def all(self) -> AllSettings:
        """Every setting and its value."""

    def change(self, text: str) -> Deferred[AllSettings]:
        """Change a setting; fires when the change is in effect."""


class AccountApi(Protocol):
    """What the server holds about us."""

    def my_data(self) -> Deferred[DataHeld]:
        """Everything the server says it holds."""

    def means(self) -> ForgetMeMeans:
        """What leaving this server for good means."""

    def forget_me(self, name: Name) -> Deferred[Forgotten]:
        """Leave this server for good; `name` must be our own."""
