"""One person who is logged in: their commands, and what the switchboard sends to their client.

A session lives as long as its standard channel. The request channel comes and goes; while there is
none, nobody can ask this person for a chat.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, Protocol, cast

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.protocols import amp
from twisted.python.failure import Failure

from securecom import limits, refusals, vocabulary
from securecom.connection import Connection
from securecom.control import Locator
from securecom.errors import PeerSilent
from securecom.identity import Name, PublicKey
from securecom.server import remembered
from securecom.server.account import Account
from securecom.server.key_retirements import KeyRetirements
from securecom.server.registry import as_refusal
from securecom.server.relay import Relay, Streams
from securecom.server.restraints import Blocks
from securecom.server.switchboard import Answer, Lease, Opened, Page, Switchboard, Withdrawn
from securecom.succession import NewKeyOffer

GoodbyeReason = Literal[
    "taken-over", "disabled", "shutdown", "violation", "logged-out", "forgotten"
]
#: Opens a request channel to this port of the session's client; fires when it is proven.
Dial = Callable[["Session", int], Deferred[object]]
#: Makes the new keys the session's; fires when the registry has it.
ChangeKey = Callable[["Session", NewKeyOffer], Deferred[None]]


class Aside:
    """Work that one person's command causes for another, put off to randomly drawn moments.

    Done at once, it would delay whatever the caller sent along with a request, and so show that
    there was somebody to ask.

    :param pause: draws a delay in seconds, anew for each piece of work.
    """

    def __init__(self, clock: IReactorTime, pause: Callable[[], float]) -> None:
        self._clock, self._pause = clock, pause
        self._waiting: list[Callable[[], None]] = []  # an empty deque takes 760 bytes
        self._due = 0.0

    def do(self, work: Callable[[], None]) -> None:
        """Do it after a pause, and after everything that was put off before it."""
        self._do(work, self._pause())

    def do_next(self, work: Callable[[], None]) -> None:
        """Do it as soon as everything that was put off before it is done."""
        self._do(work, 0.0)

    def _do(self, work: Callable[[], None], pause: float) -> None:
        now = self._clock.seconds()
        self._due = max(self._due, now + pause)
        self._waiting.append(work)
        self._clock.callLater(self._due - now, self._next)

    def _next(self) -> None:
        self._waiting.pop(0)()


def no_pause() -> float:
    """No delay, for a server whose timing nobody measures."""
    return 0.0


def drawn_pause(random: Callable[[int], bytes]) -> float:
    """A delay of up to `limits.REQUEST_PAUSE` seconds, drawn from random bytes."""
    return limits.REQUEST_PAUSE * int.from_bytes(random(2), "big") / 0x10000


class Control(Protocol):
    """Sends commands, as `control.ControlLane` does."""

    def call(self, command: type[amp.Command], **arguments: Any) -> Deferred[dict[str, Any]]:
        """Send a command. Fires with its answer; may be cancelled."""

    def tell(self, command: type[amp.Command], **arguments: Any) -> None:
        """Send a command that wants no answer."""


class Channel(Protocol):
    """What a session needs of its request channel, which may be on another node."""

    @property
    def control(self) -> Control:
        """What sends commands."""

    def close(self) -> None:
        """Close the channel."""

    def fault(self, error: Exception) -> None:
        """End it, since the client broke the rules."""


class Session(Locator):
    """The server's side of one log-in. The switchboard sees it as a `switchboard.Party`.

    :param succession: the chain that led to the key.
    :param ident: the session's public handle (16 bytes).
    :param request_key: the session key that proves a request channel (32 bytes).
    :param leg: the standard channel.
    :param host: the client's address; empty if it is not known.
    :param leave: called when this side ends the session.
    :param blocks: whom this person has blocked, already loaded.
    :param new_account: makes what answers a person's `/mydata` and `/forget-me`.
    :param dial: opens a request channel to this person's machine, if the operator allows it.
    :param pause: draws the seconds that pass before the server looks for the person whom this one
        asks, and before it withdraws an offer from this person.
    """

    def __init__(
        self,
        name: Name,
        key: PublicKey,
        succession: bytes,
        ident: bytes,
        request_key: bytes,
        leg: Connection,
        host: str,
        leave: Callable[[], None],
        switchboard: Switchboard,
        blocks: Blocks,
        new_account: Callable[[Name], Account],
        dial: Dial,
        change_key: ChangeKey,
        retirements: KeyRetirements,
        pause: Callable[[], float],
    ) -> None:
        self.name, self.key, self.succession = name, key, succession
        self.ident, self.request_key = ident, request_key
        self.leg, self.host, self._leave = leg, host, leave
        self.streams = Streams(leg)
        self.blocks = blocks
        self.request_channel: Channel | None = None
        self._request_channel_origin = "none"
        self._pause = pause
        # What most people never need is made when it is needed first.
        self._asides: tuple[Aside, Aside] | None = None  # the second for who asks nobody
        self._offers: dict[bytes, Deferred[Any]] | None = None  # those without an answer, by chat
        self._switchboard, self._new_account = switchboard, new_account
        self._made_account: Account | None = None
        self._dial, self._change_key = dial, change_key
        self._retirements = retirements

    # --- the end ----------------------------------------------------------------------------

    def end(self, why: GoodbyeReason) -> None:
        """Say why, and close; others can chat with this person's peer at once."""
        self.leg.control.tell(vocabulary.Goodbye, reason=why)
        self.leg.close()
        self._leave()

    def gone(self) -> None:
        """The standard channel is gone, so the request channel goes and others are told."""
        if self.request_channel is not None:
            self.request_channel.close()
        self._switchboard.leave(self)

    # --- the request channel ----------------------------------------------------------------

    def channel_opened(self, channel: Channel, origin: str) -> None:
        """A request channel was proven; it replaces an earlier one.

        :param origin: who opened it, in words for the person.
        """
        former, self.request_channel = self.request_channel, channel
        self._request_channel_origin = origin
        if former is not None:
            former.close()

    def channel_lost(self, channel: object) -> None:
        """A request channel is gone."""
        if self.request_channel is channel:
            self.request_channel, self._request_channel_origin = None, "none"

    # --- made when they are needed first ----------------------------------------------------

    @property
    def _account(self) -> Account:
        if self._made_account is None:
            self._made_account = self._new_account(self.name)
        return self._made_account

    def _aside(self, for_nobody: bool = False) -> Aside:
        """Both are made at once, so that neither takes longer the first time."""
        if self._asides is None:
            clock, pause = self.leg.clock, self._pause
            self._asides = Aside(clock, pause), Aside(clock, pause)
        return self._asides[for_nobody]

    # --- commands ---------------------------------------------------------------------------

    @vocabulary.Ping.responder
    def ping(self) -> dict[str, Any]:
        """Answer a ping."""
        return {}

    @vocabulary.LogOut.responder
    def log_out(self) -> dict[str, Any]:
        """End the session, once the answer is on its way."""
        self.leg.clock.callLater(0, self.end, "logged-out")
        return {}

    @vocabulary.SetAvailability.responder
    def set_availability(
        self,
        available: bool,
        seconds: int | None,
        audience: list[Name] | None,
        busy_to: list[Name] | None,
    ) -> Deferred[dict[str, Any]]:
        """Say who can ask this person and for how long, and who sees that they are busy."""
        if max(len(audience or ()), len(busy_to or ())) > limits.MAX_AUDIENCE:
            raise refusals.ListFull()
        names = None if audience is None else frozenset(audience)
        lease = Lease(seconds, names, frozenset(busy_to or ())) if available else None
        return self._switchboard.set_available(self, lease).addCallback(lambda _: {})

    @vocabulary.ListAvailable.responder
    def list_available(self, after: bytes, text: bytes) -> Deferred[dict[str, Any]]:
        """A page of the people whom this person can ask."""
        page = self._switchboard.available(self, search_text(after), search_text(text))
        return page.addCallback(_listed)

    @vocabulary.RequestChat.responder
    def request_chat(self, callee: Name, chat_seconds: int | None) -> Deferred[dict[str, Any]]:
        """Ask somebody for a chat; the answer may take a minute."""
        return self._switchboard.request(self, callee, chat_seconds).addCallback(opened_box)

    @vocabulary.CancelRequest.responder
    def cancel_request(self) -> Deferred[dict[str, Any]]:
        """Withdraw this person's request."""
        return self._switchboard.cancel(self).addCallback(lambda _: {})

    @vocabulary.EndChat.responder
    def end_chat(self, stream: int) -> Deferred[dict[str, Any]]:
        """End this person's chat."""
        return self._switchboard.end(self, stream).addCallback(lambda _: {})

    @vocabulary.Block.responder
    def block(self, name: Name) -> Deferred[dict[str, Any]]:
        """Let nobody of this name ask this person; an open request of theirs stays silent."""
        blocked = self.blocks.add(name).addErrback(as_refusal)
        blocked.addCallback(lambda _: self._switchboard.silence(self, name))
        return blocked.addCallback(lambda _: {})

    @vocabulary.Unblock.responder
    def unblock(self, name: Name) -> Deferred[dict[str, Any]]:
        """Undo `block`."""
        changed = self.blocks.remove(name).addErrback(as_refusal)
        return changed.addCallback(lambda was: {"changed": was})

    @vocabulary.ListBlocked.responder
    def list_blocked(self) -> Deferred[dict[str, Any]]:
        """Everybody whom this person has blocked."""
        listed = self.blocks.listed().addErrback(as_refusal)
        return listed.addCallback(lambda names: {"names": names})

    @vocabulary.NewKey.responder
    def new_key(self, key: PublicKey, **signed: Any) -> Deferred[dict[str, Any]]:
        """Replace this person's keys by ones that the present keys have signed."""
        offer = NewKeyOffer(self.key, key, **signed)
        return self._change_key(self, offer).addCallback(lambda _: {})

    @vocabulary.SetRetirement.responder
    def set_retirement(self, public: bytes) -> Deferred[dict[str, Any]]:
        """Register what can retire this person's keys."""
        registered = self._retirements.register(self.name, self.key, public)
        return registered.addCallback(lambda _: {})

    @vocabulary.Retire.responder
    def retire(self, name: Name, public: bytes, signature: bytes) -> Deferred[dict[str, Any]]:
        """Retire somebody's key, whoever sends it, perhaps this person's own."""
        retired = self._retirements.retire(name, public, signature)
        return retired.addCallback(lambda _: {})

    @vocabulary.MyData.responder
    def my_data(self, further: bool) -> Deferred[dict[str, Any]]:
        """A page of everything that the server holds about this person."""
        if further:
            return succeed(self._account.next_page())
        origin, ended = self._request_channel_origin, self.streams.ended
        here = remembered.session(self.host, self.ident, origin, ended)
        return self._account.look(here, lambda: self._switchboard.held(self))

    @vocabulary.ForgetMe.responder
    def forget_me(self, name: Name) -> Deferred[dict[str, Any]]:
        """Erase this person, and end the session once the answer is on its way."""
        if name != self.name:
            raise refusals.NotYou()
        return self._account.erase(self.key).addCallback(self._erased)

    def _erased(self, _: None) -> dict[str, Any]:
        self.leg.clock.callLater(0, self._be_forgotten)
        return {}

    def _be_forgotten(self) -> None:
        self.end("forgotten")
        self._switchboard.forget(frozenset({self.name}))
        self._account.erased()

    @vocabulary.DialMe.responder
    def dial_me(self, port: int) -> Deferred[dict[str, Any]]:
        """Open the request channel from here."""
        return self._dial(self, port).addCallback(lambda _: {})

    # --- switchboard.Party ------------------------------------------------------------------

    @property
    def reachable(self) -> bool:
        """Whether there is a request channel."""
        return self.request_channel is not None

    def admits(self, asker: Name) -> bool:
        """Whether this person has not blocked the asker."""
        return asker not in self.blocks

    def later(self, work: Callable[[], None], *, for_nobody: bool = False) -> None:
        """Put work off to a drawn moment, behind all that was put off before it."""
        self._aside(for_nobody).do(work)

    def soon(self, work: Callable[[], None]) -> None:
        """Do work as soon as all that was put off before it is done."""
        self._aside().do_next(work)

    def offer(
        self,
        chat: bytes,
        caller: Name,
        key: PublicKey,
        succession: bytes,
        lasts: float,
        chat_seconds: int | None,
    ) -> Deferred[Answer]:
        """Ask this person over the request channel."""
        channel = self.request_channel
        if channel is None:
            return fail(refusals.NoAnswer())
        seconds = math.ceil(lasts)
        answer = channel.control.call(
            vocabulary.OfferChat,
            chat=chat,
            caller=caller,
            key=key,
            seconds=seconds,
            chat_seconds=chat_seconds,
            succession=succession or None,
        )
        if self._offers is None:
            self._offers = {}
        self._offers[chat] = answer
        timer = self._cut_after(seconds, channel)
        return answer.addBoth(self._offer_answered, chat, timer)

    def _offer_answered(self, result: Any, chat: bytes, timer: IDelayedCall) -> Any:
        _in_time(result, timer)
        if self._offers is not None:
            del self._offers[chat]
        return result if isinstance(result, Failure) else result["answer"]

    def missed(self, caller: Name) -> None:
        """Let the client note a caller who could not be announced."""
        self._tell(vocabulary.MissedRequest, caller=caller)

    def withdraw(self, chat: bytes, reason: Withdrawn) -> None:
        """Take back an offer, and stop waiting for its answer."""
        self._tell(vocabulary.WithdrawOffer, chat=chat, reason=reason)
        if self._offers and (box := self._offers.get(chat)):
            box.cancel()

    def _tell(self, command: type[amp.Command], **facts: Any) -> None:
        if self.request_channel is not None:
            self.request_channel.control.tell(command, **facts)

    def announce_stream(self, chat: bytes, stream: int) -> Deferred[object]:
        """Tell the callee's client which stream the chat will have."""
        answer = self.leg.control.call(vocabulary.OpenStream, chat=chat, stream=stream)
        timer = self._cut_after(limits.OPENING_DEADLINE, self.leg)
        return cast(Deferred[object], answer.addBoth(_in_time, timer))

    def open_stream(self, relay: Relay) -> None:
        """Take chat frames of this stream from now on."""
        self.streams.open(relay)

    def close_stream(self, stream: int, *, tell: bool) -> None:
        """Take no more chat frames of this stream; `tell` the client if it does not know."""
        self.streams.close(stream)
        if tell:
            self.leg.control.tell(vocabulary.StreamClosed, stream=stream)

    def _cut_after(self, seconds: float, channel: Channel) -> IDelayedCall:
        """Cut a channel that leaves a command unanswered long after its time."""
        wait = seconds + limits.ANSWER_DEADLINE
        return self.leg.clock.callLater(wait, _cut_silent, channel)


def _cut_silent(channel: Channel) -> None:
    channel.fault(PeerSilent("a command was not answered"))


def _in_time(result: Any, timer: IDelayedCall) -> Any:
    """A command was answered, or will not be: the channel need not be cut for it."""
    if timer.active():
        timer.cancel()
    return result


def _listed(page: Page) -> dict[str, Any]:
    """A page as an answer; `busy` is absent unless somebody shows this person that they are."""
    return {"names": page.names, "more": page.more, "busy": page.busy or None}


def opened_box(opened: Opened) -> dict[str, Any]:
    """A chat, as the answer to `RequestChat`."""
    return {
        "chat": opened.chat,
        "stream": opened.stream,
        "key": opened.key,
        "role": opened.role,
        "their_seconds": opened.their_seconds,
        "succession": opened.succession or None,
    }


def search_text(text: bytes) -> str:
    """Text to search for in names; bytes that no name has simply find nobody."""
    return text[: limits.MAX_NAME].decode("ascii", "replace")
