"""People and request channels of other nodes, as this node's switchboard and sessions see them.

A request has its machine on the callee's node, where its caller is a `RemotePerson`. Once it has
become a chat, each node has a relay with one leg here and one there, a `RemoteLeg`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.protocols import amp

from securecom import framing, limits, vocabulary
from securecom.errors import WireError
from securecom.identity import Name, PublicKey
from securecom.server.cluster.carrier import Carrier
from securecom.server.cluster.links import Links
from securecom.server.cluster.node_vocabulary import (
    ChannelGone,
    MissedThere,
    OfferThere,
    WithdrawThere,
)
from securecom.server.relay import Leg, Relay
from securecom.server.session import Aside
from securecom.server.switchboard import Answer, Withdrawn


class RemoteLeg:
    """The end of a chat that is on another node. It is a `relay.Leg`.

    :param carry: makes the carrier of the chat, given `received`, `congested` and `ended`.
    :param ended: called when the other node has ended the chat, or is gone.
    """

    def __init__(self, carry: Callable[..., Carrier], ended: Callable[[], None]) -> None:
        self._carry, self._ended = carry, ended
        self._carrier: Carrier | None = None
        self._relay: Relay | None = None
        self.is_congested = False
        #: Who holds it, also before there is a carrier: a relay does so from its first moment.
        self._holders: frozenset[str] = frozenset()

    def open(self, relay: Relay) -> None:
        """Pass the chat's frames on, both ways, from now on."""
        self._relay = relay
        self._carrier = self._carry(self._received, self._congested, self._over)
        for who in self._holders:
            self._carrier.hold(who)

    def close(self) -> None:
        """Pass nothing on any more, and let the other node know."""
        self._relay = None
        if self._carrier is not None:
            self._carrier.end()

    def _received(self, raw: bytes) -> None:
        """Whole chat frames came. Those of another stream are none that this chat can have."""
        relay = self._relay
        at = 0
        while relay is not None and at < len(raw):
            end, frames = framing.whole_run(raw, relay.stream, limits.MAX_BODY, at)
            if not frames:
                raise WireError("frames from another node that are not of this chat")
            relay.forward(self, raw[at:end])
            at = end

    def _congested(self, is_congested: bool) -> None:
        self.is_congested = is_congested
        if self._relay is not None:
            self._relay.congestion_changed(self)

    def _over(self) -> None:
        if self._relay is not None:
            self._ended()

    # --- relay.Leg --------------------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        """Pass whole frames to the other node."""
        if self._carrier is not None:
            self._carrier.send(frame)

    def forward_straight(
        self, stream: int, forward: Callable[[bytes], None], target: object = None
    ) -> None:
        """Only people here have frames of their own to forward."""

    def forward_no_more(self) -> None:
        """See `forward_straight`."""

    def hold(self, who: str) -> None:
        """Take nothing more from the other node for now."""
        self._holders |= {who}
        if self._carrier is not None:
            self._carrier.hold(who)

    def release(self, who: str) -> None:
        """Take frames again."""
        self._holders -= {who}
        if self._carrier is not None:
            self._carrier.release(who)


class RemotePerson:
    """Somebody who is on another node. It is a `switchboard.Party` that nobody here can ask.

    :param request: names their request, and the chat that it may become, between the two nodes.
    :param carry: makes the carrier of that chat.
    :param ended: called with this person when the other node has ended the chat, or is gone.
    :param aside: puts off to a drawn moment what is done for them here.
    """

    reachable = False

    def __init__(
        self,
        node: bytes,
        request: bytes,
        name: Name,
        key: PublicKey,
        succession: bytes,
        carry: Callable[..., Carrier],
        ended: Callable[[RemotePerson], None],
        aside: Aside,
    ) -> None:
        self.node, self.request = node, request
        self.name, self.key, self.succession = name, key, succession
        self._leg = RemoteLeg(carry, lambda: ended(self))
        self._aside = aside

    @property
    def leg(self) -> Leg:
        """The way to their node."""
        return self._leg

    def admits(self, asker: Name) -> bool:
        """Their own node knows whom they have blocked."""
        return False

    def later(self, work: Callable[[], None], *, for_nobody: bool = False) -> None:
        """Put work off to a drawn moment, behind all that was put off before it."""
        self._aside.do(work)

    def soon(self, work: Callable[[], None]) -> None:
        """Do work as soon as all that was put off before it is done."""
        self._aside.do_next(work)

    def open_stream(self, relay: Relay) -> None:
        """Take chat frames of this relay from their node, and give it others."""
        self._leg.open(relay)

    def close_stream(self, stream: int, *, tell: bool) -> None:
        """End the chat on their node, too."""
        self._leg.close()

    # --- what only their own node does ------------------------------------------------------

    def offer(self, *_: Any) -> Deferred[Answer]:
        """:raises RuntimeError: always. Their own node asks them."""
        raise RuntimeError("somebody on another node cannot be asked from here")

    def missed(self, caller: Name) -> None:
        """:raises RuntimeError: as `offer` does."""
        raise RuntimeError("somebody on another node cannot be told from here")

    def withdraw(self, chat: bytes, reason: Withdrawn) -> None:
        """:raises RuntimeError: as `offer` does."""
        raise RuntimeError("somebody on another node was not asked from here")

    def announce_stream(self, chat: bytes, stream: int) -> Deferred[object]:
        """:raises RuntimeError: as `offer` does."""
        raise RuntimeError("somebody on another node was not asked from here")


#: What this node says to a client whose request channel is on another one.
_PASSED_ON: dict[type[amp.Command], type[amp.Command]] = {
    vocabulary.OfferChat: OfferThere,
    vocabulary.WithdrawOffer: WithdrawThere,
    vocabulary.MissedRequest: MissedThere,
}


class RemoteChannel:
    """A request channel on another node, of a session on this one.

    It has what a session needs of a `Connection`, and is the `control` of itself.

    :param ident: names the channel between the two nodes (16 bytes).
    """

    def __init__(self, links: Links, node: bytes, ident: bytes) -> None:
        self._links, self.node, self.ident = links, node, ident

    @property
    def control(self) -> RemoteChannel:
        """What sends commands."""
        return self

    def call(self, command: type[amp.Command], **facts: Any) -> Deferred[dict[str, Any]]:
        """Have the other node send this command. Fires with the client's answer."""
        return self._links.call(self.node, _PASSED_ON[command], channel=self.ident, **facts)

    def tell(self, command: type[amp.Command], **facts: Any) -> None:
        """Have the other node send this command, which wants no answer."""
        self._links.tell(self.node, _PASSED_ON[command], channel=self.ident, **facts)

    def close(self) -> None:
        """Have it closed."""
        self._links.tell(self.node, ChannelGone, channel=self.ident)

    def fault(self, error: Exception) -> None:
        """Have it closed, since its client broke the rules."""
        self.close()


class SessionThere:
    """A session on another node, as its request channel on this one sees it.

    :param gone: called when the channel is lost.
    """

    def __init__(self, name: Name, gone: Callable[[], None]) -> None:
        self.name, self._gone = name, gone

    def channel_lost(self, channel: object) -> None:
        """The request channel is gone."""
        self._gone()
