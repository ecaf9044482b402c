"""One person, logged in: the commands of the standard channel, and what the switchboard needs.

A session lives as long as its standard channel. Its request channel comes and goes; without one
the person cannot be asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, cast

from twisted.internet.defer import Deferred, succeed
from twisted.protocols import amp

from securecom import commands, limits, refusals
from securecom.errors import PeerSilent
from securecom.identity import Name, PublicKey
from securecom.server import remembered
from securecom.server.account import Account
from securecom.server.aside import Aside
from securecom.server.blocks import Blocks
from securecom.server.channels import RequestChannel, StandardChannel
from securecom.server.registry import told
from securecom.server.relay import Relay
from securecom.server.streams import Streams
from securecom.server.switchboard import Answer, Lease, Opened, Page, Switchboard, Withdrawn
from securecom.succession import Link

Ending = Literal["taken-over", "disabled", "shutdown", "violation", "logged-out", "forgotten"]
#: A session and the port of its daemon role -> fires when the channel to there is proven.
Dial = Callable[["Session", int], Deferred[object]]
#: A session and the statement for its new key -> fires when that is its key.
ChangeKey = Callable[["Session", Link], Deferred[None]]


class Session(amp.CommandLocator):
    """The server's side of one log-in.

    :param succession: the chain that led to the key.
    :param ident: the session's public handle (16 bytes).
    :param request_key: the session key that proves a request channel (32 bytes).
    :param blocks: whom this person has blocked, loaded.
    :param account: what the server holds about them.
    :param dial: opens a request channel to this person's machine, if the operator allows it.
    :param pause: seconds until what another's request brings is told to this person.
    """

    def __init__(
        self,
        name: Name,
        key: PublicKey,
        succession: bytes,
        ident: bytes,
        request_key: bytes,
        leg: StandardChannel,
        switchboard: Switchboard,
        blocks: Blocks,
        account: Account,
        dial: Dial,
        change_key: ChangeKey,
        pause: Callable[[], float],
    ) -> None:
        self.name, self.key, self.succession = name, key, succession
        self.ident, self.request_key = ident, request_key
        self.leg = leg
        self.streams = Streams(leg)
        self._switchboard = switchboard
        self.blocks = blocks
        self._account = account
        self._dial, self._change_key = dial, change_key
        self._request_channel: RequestChannel | None = None
        self._aside = Aside(leg.clock, pause)

    # --- the end ----------------------------------------------------------------------------

    def end(self, why: Ending) -> None:
        """Say why, and close; the person is free for others at once."""
        self.leg.control.tell(commands.Goodbye, reason=why)
        self.leg.close()
        self.leg.leave()

    def gone(self) -> None:
        """The standard channel is over, and everything that hangs on it."""
        if self._request_channel is not None:
            self._request_channel.close()
        self._switchboard.leave(self)

    # --- the request channel ----------------------------------------------------------------

    def channel_opened(self, channel: RequestChannel) -> None:
        """A request channel was proven; a former one is replaced."""
        former, self._request_channel = self._request_channel, channel
        if former is not None:
            former.close()

    def channel_lost(self, channel: RequestChannel) -> None:
        """A request channel is gone."""
        if self._request_channel is channel:
            self._request_channel = None

    # --- as the switchboard sees this person (Party) ----------------------------------------

    @property
    def reachable(self) -> bool:
        """Has a live request channel."""
        return self._request_channel is not None

    def admits(self, asker: Name) -> bool:
        """Has not blocked this person."""
        return asker not in self.blocks

    def offer(
        self,
        chat: bytes,
        caller: Name,
        key: PublicKey,
        succession: bytes,
        lasts: float,
        chat_seconds: int | None,
    ) -> Deferred[Answer]:
        """Ask over the request channel."""
        answer: Deferred[Answer] = Deferred()
        seconds = math.ceil(lasts)
        facts = {
            "chat": chat,
            "caller": caller,
            "key": key,
            "seconds": seconds,
            "chat_seconds": chat_seconds,
            "succession": succession or None,
        }
        self._aside.do(lambda: self._offer(answer, seconds, facts))
        return answer

    def _offer(self, answer: Deferred[Answer], seconds: float, facts: dict[str, Any]) -> None:
        channel = self._request_channel
        if channel is None:
            answer.errback(refusals.NoAnswer())
            return
        box = channel.control.call(commands.OfferChat, **facts)
        self._expect(box, seconds, channel)
        box.addCallback(lambda box: cast(Answer, box["answer"])).chainDeferred(answer)

    def missed(self, caller: Name) -> None:
        """Somebody asked in vain: for the person to see when they are back."""
        self._aside.do(lambda: self._tell(commands.MissedRequest, caller=caller))

    def withdraw(self, chat: bytes, reason: Withdrawn) -> None:
        """The offer no longer stands."""
        self._aside.do(lambda: self._tell(commands.WithdrawOffer, chat=chat, reason=reason))

    def _tell(self, command: type[amp.Command], **facts: Any) -> None:
        if self._request_channel is not None:
            self._request_channel.control.tell(command, **facts)

    def announce_stream(self, chat: bytes, stream: int) -> Deferred[object]:
        """Tell the callee's client which stream the chat will have."""
        answer = self.leg.control.call(commands.OpenStream, chat=chat, stream=stream)
        self._expect(answer, limits.OPENING_DEADLINE, self.leg)
        return cast(Deferred[object], answer)

    def open_stream(self, relay: Relay) -> None:
        """Chat frames of this stream are welcome."""
        self.streams.open(relay)

    def close_stream(self, stream: int, *, tell: bool) -> None:
        """And no longer."""
        self.streams.close(stream)
        if tell:
            self.leg.control.tell(commands.StreamClosed, stream=stream)

    def _expect(
        self, answer: Deferred[Any], seconds: float, channel: RequestChannel | StandardChannel
    ) -> None:
        """A channel that leaves a command unanswered long after its time is no good any more."""
        error = PeerSilent("a command was not answered")
        wait = seconds + limits.ANSWER_DEADLINE
        timer = self.leg.clock.callLater(wait, channel.fault, error)

        def answered(result: Any) -> Any:
            if timer.active():
                timer.cancel()
            return result

        answer.addBoth(answered)

    # --- commands ---------------------------------------------------------------------------

    @commands.Ping.responder
    def ping(self) -> dict[str, Any]:
        """Here."""
        return {}

    @commands.LogOut.responder
    def log_out(self) -> dict[str, Any]:
        """The client leaves; the answer goes out before the connection closes."""
        self.leg.clock.callLater(0, self.end, "logged-out")
        return {}

    @commands.SetAvailability.responder
    def set_availability(
        self,
        available: bool,
        seconds: int | None,
        audience: list[Name] | None,
        busy_to: list[Name] | None,
    ) -> Deferred[dict[str, Any]]:
        """May be asked, by whom and how long, or may not; who sees that we are busy."""
        if max(len(audience or ()), len(busy_to or ())) > limits.MAX_AUDIENCE:
            raise refusals.ListFull()
        names = None if audience is None else frozenset(audience)
        lease = Lease(seconds, names, frozenset(busy_to or ())) if available else None
        return self._switchboard.set_available(self, lease).addCallback(lambda _: {})

    @commands.ListAvailable.responder
    def list_available(self, after: bytes, text: bytes) -> Deferred[dict[str, Any]]:
        """A page of who may be asked."""
        page = self._switchboard.available(self, _word(after), _word(text))
        return page.addCallback(_listed)

    @commands.RequestChat.responder
    def request_chat(self, callee: Name, chat_seconds: int | None) -> Deferred[dict[str, Any]]:
        """Ask; the answer may take a minute."""
        return self._switchboard.request(self, callee, chat_seconds).addCallback(_opened)

    @commands.CancelRequest.responder
    def cancel_request(self) -> Deferred[dict[str, Any]]:
        """Withdraw the request."""
        return self._switchboard.cancel(self).addCallback(lambda _: {})

    @commands.EndChat.responder
    def end_chat(self, stream: int) -> Deferred[dict[str, Any]]:
        """End the chat."""
        return self._switchboard.end(self, stream).addCallback(lambda _: {})

    @commands.Block.responder
    def block(self, name: Name) -> Deferred[dict[str, Any]]:
        """Never ask us again; what they ask just now gets no answer."""
        blocked = self.blocks.add(name).addErrback(told)
        blocked.addCallback(lambda _: self._switchboard.silence(self, name))
        return blocked.addCallback(lambda _: {})

    @commands.Unblock.responder
    def unblock(self, name: Name) -> Deferred[dict[str, Any]]:
        """May ask us again."""
        changed = self.blocks.remove(name).addErrback(told)
        return changed.addCallback(lambda was: {"changed": was})

    @commands.ListBlocked.responder
    def list_blocked(self) -> Deferred[dict[str, Any]]:
        """All that we have blocked."""
        return self.blocks.listed().addErrback(told).addCallback(lambda names: {"names": names})

    @commands.NewKey.responder
    def new_key(
        self, key: PublicKey, old_signature: bytes, new_signature: bytes
    ) -> Deferred[dict[str, Any]]:
        """Our key signs over to a new one, which is ours from the answer on."""
        link = Link(self.key, key, old_signature, new_signature)
        return self._change_key(self, link).addCallback(lambda _: {})

    @commands.MyData.responder
    def my_data(self, further: bool) -> Deferred[dict[str, Any]]:
        """A page of all that is held about this person."""
        if further:
            return succeed(self._account.next_page())
        channel = self._request_channel
        how = "none" if channel is None else channel.how
        here = remembered.session(self.leg.peer_host(), self.ident, how, self.streams.ended)
        return self._account.look(here, lambda: self._switchboard.held(self))

    @commands.ForgetMe.responder
    def forget_me(self, name: Name) -> Deferred[dict[str, Any]]:
        """Erase this person; the answer goes out before the session ends."""
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

    @commands.DialMe.responder
    def dial_me(self, port: int) -> Deferred[dict[str, Any]]:
        """Open the request channel from here."""
        return self._dial(self, port).addCallback(lambda _: {})


def _listed(page: Page) -> dict[str, Any]:
    """To those to whom nobody in it shows that they are busy there is no such list."""
    return {"names": page.names, "more": page.more, "busy": page.busy or None}


def _opened(opened: Opened) -> dict[str, Any]:
    return {
        "chat": opened.chat,
        "stream": opened.stream,
        "key": opened.key,
        "role": opened.role,
        "their_seconds": opened.their_seconds,
        "succession": opened.succession or None,
    }


def _word(text: bytes) -> str:
    """A search word: what is no part of any name finds nobody."""
    return text[: limits.MAX_NAME].decode("ascii", "replace")
