"""The main role: what a front-end may ask of the client (`api.ClientApi`).

What cannot be done fails with a `SecurecomError`, at once or through the Deferred. What happens is
shown as events.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail, inlineCallbacks
from twisted.protocols import amp

from securecom import limits, vocabulary
from securecom.client.api import ClientState, already_connected
from securecom.client.chat.agreed_log import AgreedLog
from securecom.client.chat.agreement import ChatTerms
from securecom.client.coordination.coordinator import Coordinator
from securecom.client.coordination.engagement import Offer
from securecom.client.coordination.station import Station
from securecom.client.denials import denied
from securecom.client.events import (
    BackedUp,
    Blocked,
    BlockList,
    ListedUser,
    Online,
    Requests,
    Users,
)
from securecom.client.files.desk import FileDesk
from securecom.client.keys import Keys
from securecom.client.my_account import MyAccount
from securecom.client.presence import Presence
from securecom.client.rotation import Rotation
from securecom.client.settings import Settings
from securecom.client.terms import AvailabilityTerms, KeptChoices, Pause, shown_time
from securecom.client.watching import PeopleWatch
from securecom.errors import BadArgument, NotNow, SecurecomError, WireError
from securecom.identity import Name, server_fingerprint

#: Writes a backup into a new file.
BackUp = Callable[[str], Deferred[BackedUp]]

_HOLDER = "front-end"
_ANYBODY, _FOR_GOOD, _NOT_KEPT = AvailabilityTerms(), Pause(), KeptChoices()
#: Somebody may be called so; who means all means them too.
_ALL = "all"


class MainRole:
    """The client as its person sees it.

    :param rotation: makes new keys.
    :param available: whether the person wants to be available once online.
    :param back_up: writes a backup; None: there is nothing on a disk.
    :param wall: what the clock on the wall shows, see `terms.shown_time`.
    :param account: what the server holds about us.
    :param leave: ends the session and the client; fires when all is closed.
    :param reconnect: has the server tried at once.
    :param kept: the person's settings.
    """

    def __init__(
        self,
        station: Station,
        coordinator: Coordinator,
        rotation: Rotation,
        available: bool,
        account: MyAccount,
        leave: Callable[[], Deferred[None]],
        reconnect: Callable[[], None],
        back_up: BackUp | None = None,
        wall: Callable[[], float] = shown_time,
        kept: KeptChoices = _NOT_KEPT,
    ) -> None:
        self._station, self._coordinator = station, coordinator
        self._presence = Presence(station, coordinator, available, kept.choices, wall)
        self._leave, self._reconnect, self._back_up = leave, reconnect, back_up
        self._holds = False
        station.wants_typing = lambda: self.settings.choices.typing
        self._watch = PeopleWatch(station, self._page_after)
        #: What the person asks and says about keys.
        self.keys = Keys(station, coordinator, rotation)
        #: What there is to ask and say about what the server holds.
        self.account = account
        #: The files of the chat.
        self.files = FileDesk(lambda: coordinator.standing.session.files, self._downloads)
        #: What the person has chosen for good.
        self.settings = Settings(station, self._presence, kept)

    # --- facts, for prompts -----------------------------------------------------------------

    @property
    def name(self) -> Name | None:
        """Our name, once the server has told it."""
        return self._station.known_name

    @property
    def state(self) -> ClientState:
        """What the client is doing."""
        return self._coordinator.state

    @property
    def is_online(self) -> bool:
        """Logged in."""
        return self._station.is_online

    @property
    def is_available(self) -> bool:
        """On line and available to be asked."""
        return self.is_online and self._coordinator.is_available

    @property
    def people(self) -> list[ListedUser]:
        """Everybody whose key we know: nobody, if the pins cannot be read. A chat says why."""
        try:
            return [self._station.user(name) for name in self._station.contacts.names()]
        except SecurecomError:
            return []

    @property
    def asking(self) -> Name | None:
        """Whom we ask for a chat."""
        return self._coordinator.asking

    @property
    def offer(self) -> Offer | None:
        """The request that waits for our answer."""
        return self._coordinator.offer

    @property
    def peer(self) -> Name | None:
        """With whom the chat is that stands."""
        return self._coordinator.peer

    @property
    def log(self) -> AgreedLog:
        """The log of the chat that stands. :raises NotNow: if none does."""
        return self._coordinator.standing.session.log

    def clock_was_set(self) -> None:
        """The clock on the wall shows another time than before."""
        self._presence.clock_was_set()

    # --- what the person wants --------------------------------------------------------------

    def users(self, text: str = "") -> Deferred[Users]:
        """Who is available, `text` in the name."""
        return available(self._station, self._ask, text)

    def watch_people(self, wanted: bool) -> None:
        """Show `PeopleNow` now, and whenever it changes; or no more."""
        self._watch.watch(wanted)

    def _page_after(self, after: str) -> Deferred[dict[str, Any]]:
        return self._ask(vocabulary.ListAvailable, after=after.encode("ascii"), text=b"")

    def request_chat(self, name: Name, chat_seconds: int | None = None) -> Deferred[None]:
        """Ask for a chat, perhaps with an end; fires when it stands. If they ask us already, it is
        our yes.
        """
        if name == self.name:
            return fail(BadArgument("that is you"))
        return self._coordinator.request(name, ChatTerms.of(chat_seconds))

    def cancel(self) -> Deferred[None]:
        """Withdraw our request, which fails with `WasCancelled`; fires when it is over."""
        return self._coordinator.cancel()

    def accept(self, name: Name | None = None) -> Deferred[None]:
        """Say yes, to `name` if it is given; fires when the chat stands."""
        return self._coordinator.accept(_caller(name))

    def refuse(self, name: Name | None = None) -> Deferred[None]:
        """Say no. The name `all` is whoever asks."""
        return self._coordinator.refuse(_caller(name))

    def dismiss(self, name: Name | None = None) -> Deferred[None]:
        """Say nothing, to `name` if it is given, and be asked no longer."""
        return self._coordinator.dismiss(_caller(name))

    def reconnect(self) -> None:
        """Try to reach the server at once. :raises NotNow: if it is reached already."""
        if self.state is not ClientState.OFFLINE:
            raise already_connected()
        self._reconnect()

    @inlineCallbacks
    def block(self, name: Name) -> Generator[Deferred[Any], Any, None]:
        """Never be asked by `name` again; what they ask just now is dismissed."""
        if name == self.name:
            raise BadArgument("that is you")
        self._coordinator.hush(name)
        yield self._ask(vocabulary.Block, name=name)
        self._station.show(Blocked(name, True))

    @inlineCallbacks
    def unblock(self, name: Name) -> Generator[Deferred[Any], Any, None]:
        """May ask again. Fails with `NotNow` if the name was not blocked."""
        answer = yield self._ask(vocabulary.Unblock, name=name)
        if not answer["changed"]:
            raise NotNow(f"{name} is not blocked", "Nothing was changed.", ("blocked", ""))
        self._station.show(Blocked(name, False))

    def blocked(self) -> Deferred[BlockList]:
        """Whom we have blocked."""
        listed = self._ask(vocabulary.ListBlocked)
        return listed.addCallback(
            lambda box: BlockList(list(map(self._station.user, box["names"])))
        )

    def say(self, text: str) -> int:
        """Send a message, or keep it until the caller has spoken; its number.

        :raises NotNow, TooLong, BadArgument: if nothing was sent.
        """
        return self._coordinator.standing.session.say(text)

    def typing(self) -> None:
        """The user is writing a message; the peer sees it if both have that switched on."""
        if self.state is ClientState.CHAT:
            self._coordinator.standing.session.typing.tell()

    def stop(self) -> Deferred[None]:
        """End the chat; fires when it is over, after `limits.BYE_DEADLINE` at the latest."""
        return self._coordinator.stop()

    def set_available(self, terms: AvailabilityTerms = _ANYBODY) -> Deferred[None]:
        """Be available to be asked; also after the next log-in, while the terms last."""
        return self._presence.come(terms)

    def set_away(self, pause: Pause = _FOR_GOOD) -> Deferred[None]:
        """Be asked by nobody; after the pause be available again as before."""
        return self._presence.go(pause)

    def requests(self) -> Requests:
        """What is open in both directions, and who asked in vain."""
        asking = None if self.asking is None else self._station.user(self.asking)
        offer = self.offer
        asked_by = None if offer is None else ListedUser(offer.caller, offer.trust)
        return Requests(asking, asked_by, self._station.missed.all())

    def backup(self, file: str) -> Deferred[BackedUp]:
        """Write our identity and the pins into a new file, encrypted."""
        if self._back_up is None:
            return fail(NotNow("there is no profile here that could be backed up"))
        return self._back_up(file)

    def log_out(self) -> Deferred[None]:
        """End the chat, the session and the client; never fails."""
        return self._leave()

    def hold_incoming(self) -> None:
        """Take nothing more from the server: what it would have us show waits."""
        self._holds = True
        if self.is_online:
            self._station.line.hold(_HOLDER)

    def release_incoming(self) -> None:
        """Go on."""
        self._holds = False
        if self.is_online:
            self._station.line.release(_HOLDER)

    # --- the session ------------------------------------------------------------------------

    def came_online(self, again: bool) -> None:
        """Logged in, and the request channel had its first chance."""
        self._presence.restore()
        name, fingerprint = self._station.name, server_fingerprint(self._station.server)
        self._station.show(Online(name, fingerprint, again))
        if self._holds:
            self.hold_incoming()
        self._presence.announce(again)
        self._watch.came_online()

    def went_offline(self) -> None:
        """The line is lost."""
        self._watch.went_offline()

    def end(self) -> None:
        """The client is over: nothing is due any more."""
        self._presence.end()
        self._watch.end()

    def _downloads(self) -> Path:
        """Where received files go."""
        chosen = self._presence.choices.downloads
        if chosen:
            return Path(chosen)
        access = self._station.access
        if access is None:
            raise NotNow("this client has no place for files", "Nothing was written.")
        return access.downloads

    def _ask(self, command: type[amp.Command], **arguments: Any) -> Deferred[dict[str, Any]]:
        """The server's answer, or an error that people can read."""
        return self._station.line.ask(command, **arguments).addErrback(denied, command)


def _caller(name: Name | None) -> Name | None:
    """Whose request a word is about; None: whoever asks."""
    return None if name == _ALL else name


# --- Who is available: the server's list, page by page -----------------------------------------


@inlineCallbacks
def available(
    station: Station, ask: Callable[..., Deferred[dict[str, Any]]], text: str
) -> Generator[Deferred[Any], Any, Users]:
    """Those with `text` in the name; at most `limits.MAX_USERS_SHOWN`.

    :param ask: sends a command; its answer, or an error that people can read.
    """
    wanted = text.lower().encode("utf-8", "replace")
    if len(wanted) > limits.MAX_NAME:
        raise BadArgument(f"no name is longer than {limits.MAX_NAME} characters")
    names: list[Name] = []
    busy: set[str] = set()
    more = True
    while more and len(names) < limits.MAX_USERS_SHOWN:
        after = names[-1] if names else ""
        page = yield ask(vocabulary.ListAvailable, after=after.encode("ascii"), text=wanted)
        _check_page(page["names"], after)
        names += page["names"]
        busy.update(page["busy"] or ())
        more = page["more"] and bool(page["names"])
    names, more = names[: limits.MAX_USERS_SHOWN], more or len(names) > limits.MAX_USERS_SHOWN
    users = [station.user(name) for name in names]
    return Users(users, text, more, [name for name in names if name in busy])


def _check_page(names: list[Name], after: str) -> None:
    """Pages go on, or a server could keep us listing for ever."""
    for name in names:
        if name <= after:
            hint = "Nothing was shown. Tell the server's admin."
            raise WireError("the server's list is out of order", hint)
        after = name
