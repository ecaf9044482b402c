"""One person, logged in: the commands of the standard channel.

A session lives as long as its standard channel. What the switchboard needs of the person is in
`present`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from twisted.internet.defer import Deferred, succeed
from twisted.protocols import amp

from securecom import limits, refusals, vocabulary
from securecom.identity import Name, PublicKey
from securecom.server import remembered
from securecom.server.account import Account
from securecom.server.present import Present, StandardEnd
from securecom.server.registry import told
from securecom.server.restraints import Blocks
from securecom.server.switchboard import Lease, Opened, Page, Switchboard
from securecom.succession import Link

Ending = Literal["taken-over", "disabled", "shutdown", "violation", "logged-out", "forgotten"]
#: A session and the port of its daemon role -> fires when the channel to there is proven.
Dial = Callable[["Session", int], Deferred[object]]
#: A session and the statement for its new key -> fires when that is its key.
ChangeKey = Callable[["Session", Link], Deferred[None]]


class Session(Present, amp.CommandLocator):
    """The server's side of one log-in.

    :param ident: the session's public handle (16 bytes).
    :param request_key: the session key that proves a request channel (32 bytes).
    :param account: what the server holds about them.
    :param dial: opens a request channel to this person's machine, if the operator allows it.
    """

    def __init__(
        self,
        name: Name,
        key: PublicKey,
        succession: bytes,
        ident: bytes,
        request_key: bytes,
        leg: StandardEnd,
        switchboard: Switchboard,
        blocks: Blocks,
        account: Account,
        dial: Dial,
        change_key: ChangeKey,
        pause: Callable[[], float],
    ) -> None:
        super().__init__(name, key, succession, leg, blocks, pause)
        self.ident, self.request_key = ident, request_key
        self._switchboard = switchboard
        self._account = account
        self._dial, self._change_key = dial, change_key

    # --- the end ----------------------------------------------------------------------------

    def end(self, why: Ending) -> None:
        """Say why, and close; the person is free for others at once."""
        self.leg.control.tell(vocabulary.Goodbye, reason=why)
        self.leg.close()
        self.leg.leave()

    def gone(self) -> None:
        """The standard channel is over, and everything that hangs on it."""
        if self.request_channel is not None:
            self.request_channel.close()
        self._switchboard.leave(self)

    # --- commands ---------------------------------------------------------------------------

    @vocabulary.Ping.responder
    def ping(self) -> dict[str, Any]:
        """Here."""
        return {}

    @vocabulary.LogOut.responder
    def log_out(self) -> dict[str, Any]:
        """The client leaves; the answer goes out before the connection closes."""
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
        """May be asked, by whom and how long, or may not; who sees that we are busy."""
        if max(len(audience or ()), len(busy_to or ())) > limits.MAX_AUDIENCE:
            raise refusals.ListFull()
        names = None if audience is None else frozenset(audience)
        lease = Lease(seconds, names, frozenset(busy_to or ())) if available else None
        return self._switchboard.set_available(self, lease).addCallback(lambda _: {})

    @vocabulary.ListAvailable.responder
    def list_available(self, after: bytes, text: bytes) -> Deferred[dict[str, Any]]:
        """A page of who may be asked."""
        page = self._switchboard.available(self, _word(after), _word(text))
        return page.addCallback(_listed)

    @vocabulary.RequestChat.responder
    def request_chat(self, callee: Name, chat_seconds: int | None) -> Deferred[dict[str, Any]]:
        """Ask; the answer may take a minute."""
        return self._switchboard.request(self, callee, chat_seconds).addCallback(_opened)

    @vocabulary.CancelRequest.responder
    def cancel_request(self) -> Deferred[dict[str, Any]]:
        """Withdraw the request."""
        return self._switchboard.cancel(self).addCallback(lambda _: {})

    @vocabulary.EndChat.responder
    def end_chat(self, stream: int) -> Deferred[dict[str, Any]]:
        """End the chat."""
        return self._switchboard.end(self, stream).addCallback(lambda _: {})

    @vocabulary.Block.responder
    def block(self, name: Name) -> Deferred[dict[str, Any]]:
        """Never ask us again; what they ask just now gets no answer."""
        blocked = self.blocks.add(name).addErrback(told)
        blocked.addCallback(lambda _: self._switchboard.silence(self, name))
        return blocked.addCallback(lambda _: {})

    @vocabulary.Unblock.responder
    def unblock(self, name: Name) -> Deferred[dict[str, Any]]:
        """May ask us again."""
        changed = self.blocks.remove(name).addErrback(told)
        return changed.addCallback(lambda was: {"changed": was})

    @vocabulary.ListBlocked.responder
    def list_blocked(self) -> Deferred[dict[str, Any]]:
        """All that we have blocked."""
        return self.blocks.listed().addErrback(told).addCallback(lambda names: {"names": names})

    @vocabulary.NewKey.responder
    def new_key(
        self, key: PublicKey, old_signature: bytes, new_signature: bytes
    ) -> Deferred[dict[str, Any]]:
        """Our key signs over to a new one, which is ours from the answer on."""
        link = Link(self.key, key, old_signature, new_signature)
        return self._change_key(self, link).addCallback(lambda _: {})

    @vocabulary.MyData.responder
    def my_data(self, further: bool) -> Deferred[dict[str, Any]]:
        """A page of all that is held about this person."""
        if further:
            return succeed(self._account.next_page())
        channel = self.request_channel
        how = "none" if channel is None else channel.how
        here = remembered.session(self.leg.peer_host(), self.ident, how, self.streams.ended)
        return self._account.look(here, lambda: self._switchboard.held(self))

    @vocabulary.ForgetMe.responder
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

    @vocabulary.DialMe.responder
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
