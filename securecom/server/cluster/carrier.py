"""The bytes of chats between two nodes: nothing lost, repeated or reordered when a link breaks.

Each direction of a chat is a stream of bytes, counted from 0, of which three numbers are said: up
to where the receiver has them (the sender keeps the rest), up to where more may come (the receiver
has passed on all but `limits.CARRIED_IN_FLIGHT` before that), and the place of each piece. When a
link has been replaced, both ends say up to where they have received, and each sender goes back to
there. docs/cluster.md has the bytes.
"""

from __future__ import annotations

import struct
from collections import OrderedDict, deque
from collections.abc import Callable
from enum import IntEnum
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from securecom import framing, limits
from securecom.control import our_fault
from securecom.errors import WireError

#: Bytes of a chat's id.
CHAT_BYTES = 16


class FrameKind(IntEnum):
    """The first byte of a frame's body. The chat's id follows, and what is said here."""

    #: The place of the first byte, and at least one byte.
    BYTES = 0
    #: Up to where bytes were received, and may come.
    WINDOW = 1
    #: The same, once for each chat on a new link: the sender goes on from there.
    RESUME = 2
    #: How many bytes there were: the sender has ended the chat.
    END = 3
    #: This node does not have the chat, or no longer.
    NO_CHAT = 4


_head = struct.Struct(f">B{CHAT_BYTES}s")
_head_and_place = struct.Struct(f">B{CHAT_BYTES}sQ")
_head_and_places = struct.Struct(f">B{CHAT_BYTES}sQQ")
_place = struct.Struct(">Q")
_places = struct.Struct(">QQ")
#: Bytes behind the head, where that is fixed.
_LENGTHS = {
    FrameKind.WINDOW: _places.size,
    FrameKind.RESUME: _places.size,
    FrameKind.END: _place.size,
    FrameKind.NO_CHAT: 0,
}


class Outlet(Protocol):
    """A link with the other node."""

    is_congested: bool

    def send(self, frame: bytes) -> None:
        """Write whole frames."""


class SentBytes:
    """What one node sends in a chat, until the other node has it."""

    def __init__(self) -> None:
        #: Bytes that are here: under way, and waiting.
        self.held = 0
        self._under_way: deque[bytes] = deque()
        self._waiting: deque[bytes] = deque()
        self._acknowledged = self._sent = self._most_sent = 0
        self._credit = limits.CARRIED_IN_FLIGHT
        #: Whether the other node has said where to go on from, on the link that stands.
        self.may_go_on = True

    def add(self, raw: bytes) -> None:
        """Take whole frames."""
        self.held += len(raw)
        if len(raw) <= limits.CARRIED_SHARE:
            self._waiting.append(raw)
        else:
            self._waiting.extend(framing.whole_parts(raw, limits.CARRIED_SHARE))

    def share(self) -> tuple[int, bytes] | None:
        """The next bytes to send and their place; None while there are none that may be sent."""
        if not self._waiting or not self.may_go_on:
            return None
        allowed = min(self._credit, self._acknowledged + limits.CARRIED_IN_FLIGHT) - self._sent
        size = len(self._waiting[0])
        if size > allowed:
            return None
        piece = self._waiting.popleft()
        if self._waiting:
            piece = self._gather(piece, min(allowed, limits.CARRIED_SHARE))
        place = self._sent
        self._under_way.append(piece)
        self._sent += len(piece)
        self._most_sent = max(self._most_sent, self._sent)
        return place, piece

    def _gather(self, first: bytes, most: int) -> bytes:
        """Add what waits behind it, as far as it fits."""
        parts, size = [first], len(first)
        while self._waiting and size + len(self._waiting[0]) <= most:
            parts.append(self._waiting.popleft())
            size += len(parts[-1])
        return b"".join(parts) if len(parts) > 1 else first

    @property
    def sent_all(self) -> int | None:
        """How many bytes there were in all, once the last of them has been sent."""
        return None if self._waiting or not self.may_go_on else self._sent

    def window(self, received: int, credit: int) -> None:
        """The other node has received, and allows, as much. :raises WireError: it cannot have."""
        if not self._acknowledged <= received <= self._sent:
            raise WireError("a node that acknowledges bytes that were not sent")
        if not self._credit <= credit <= received + limits.CARRIED_IN_FLIGHT:
            raise WireError("a node that allows more bytes than it can take")
        self._credit = credit
        self._forget(received)

    def go_back(self, received: int, credit: int) -> None:
        """Go on from where the other node is, on a new link. :raises WireError: it cannot be."""
        if not self._acknowledged <= received <= self._most_sent:
            raise WireError("a node that acknowledges bytes that were not sent")
        if not received <= credit <= received + limits.CARRIED_IN_FLIGHT:
            raise WireError("a node that allows more bytes than it can take")
        self._waiting.extendleft(reversed(self._under_way))
        self._under_way.clear()
        while self._acknowledged < received:
            self._take_over(self._waiting.popleft(), received)
        self._sent, self._credit, self.may_go_on = received, credit, True

    def _forget(self, received: int) -> None:
        while self._acknowledged < received:
            self._take_over(self._under_way.popleft(), received)

    def _take_over(self, piece: bytes, received: int) -> None:
        """The other node has this piece. :raises WireError: it says it has a part of it."""
        if self._acknowledged + len(piece) > received:
            raise WireError("a node that acknowledges a part of a piece")
        self._acknowledged += len(piece)
        self.held -= len(piece)

    def drop(self) -> None:
        """Nothing of it is sent any more."""
        self._waiting.clear()
        self._under_way.clear()
        self.held = 0


class ReceivedBytes:
    """What one node has received in a chat, and its receiver may not have taken yet."""

    def __init__(self) -> None:
        self.received = 0
        self.kept: deque[bytes] = deque()
        self._passed_on = 0
        self._said = 0
        self._allowed = limits.CARRIED_IN_FLIGHT

    def take(self, place: int, piece: bytes) -> None:
        """A piece came. :raises WireError: it is not the next one, or not allowed."""
        if place != self.received or not piece:
            raise WireError("chat bytes from a node that are not the next ones")
        if place + len(piece) > self._allowed:
            raise WireError("more chat bytes from a node than it was allowed to send")
        self.received += len(piece)

    def passed_on(self, count: int) -> None:
        """The receiver has taken so many more bytes."""
        self._passed_on += count

    @property
    def unsaid(self) -> int:
        """Bytes received or passed on of which the sender has not been told."""
        free = self._passed_on + limits.CARRIED_IN_FLIGHT - self._allowed
        return max(self.received - self._said, free)

    def say(self) -> tuple[int, int]:
        """What the sender is told: up to where bytes are here, and may come."""
        self._said = self.received
        self._allowed = self._passed_on + limits.CARRIED_IN_FLIGHT
        return self._said, self._allowed


class Carrier:
    """One node's end of a chat whose other leg is on another node. Made by `Links.carrier`.

    Whole chat frames go in and come out: it never cuts inside one. It fits `relay.Leg` but for
    `forward_straight` and `forward_no_more`.
    """

    def __init__(
        self,
        owner: Carriers,
        chat: bytes,
        received: Callable[[bytes], None],
        congested: Callable[[bool], None],
        ended: Callable[[], None],
    ) -> None:
        self.chat = chat
        #: Bytes wait for the other node: the sender has to be held.
        self.is_congested = False
        self._owner = owner
        self._received, self._congested, self._ended = received, congested, ended
        self._out, self._in = SentBytes(), ReceivedBytes()
        self._holders: frozenset[str] = frozenset()
        self._is_giving = False
        #: We have ended it / the other node has / neither knows it any more.
        self._we_ended = self._they_ended = self._is_over = False
        self._end_sent = False
        self._has_resumed = self._was_resumed = False
        self._given_up: IDelayedCall | None = None

    # --- for the leg on this node -----------------------------------------------------------

    def send(self, raw: bytes) -> None:
        """Take whole chat frames for the other node. Does nothing once the chat has ended."""
        if self._we_ended or self._they_ended or self._is_over or not raw:
            return
        self._out.add(raw)
        if self._out.held > limits.MAX_RELAY_BUFFER:  # whoever sends does not mind `is_congested`
            self._owner.later(self.cut_off)
            self._they_ended = True
            return
        self._owner.ready(self)
        self._look_at_flow()

    def hold(self, who: str) -> None:
        """Give `received` nothing until every holder has released."""
        self._holders |= {who}

    def release(self, who: str) -> None:
        """End one holder's hold."""
        self._holders -= {who}
        self._give_kept()

    def end(self) -> None:
        """The chat is over here. What was sent still goes to the other node; nothing is received.

        The other node's `ended` is called behind the last of it; ours is not. May be called twice.
        """
        if self._we_ended or self._is_over:
            return
        self._we_ended = True
        self._in.passed_on(sum(map(len, self._in.kept)))
        self._in.kept.clear()
        if self._they_ended:
            self._owner.forget(self)
            return
        self._given_up = self._owner.later(self._owner.forget, limits.NODE_DEAD, self)
        self._owner.ready(self)
        self._owner.owe(self)

    # --- for `Carriers`: what is sent -------------------------------------------------------

    def frame_to_send(self) -> bytes | None:
        """The next frame, if there is one that may be sent."""
        if (share := self._out.share()) is not None:
            place, piece = share
            head = framing.header(framing.NODE, _head_and_place.size + len(piece))
            return head + _head_and_place.pack(FrameKind.BYTES, self.chat, place) + piece
        total = self._out.sent_all
        if self._we_ended and not self._end_sent and total is not None:
            self._end_sent = True
            return framing.encode(
                framing.NODE, _head_and_place.pack(FrameKind.END, self.chat, total)
            )
        return None

    def window_to_send(self) -> bytes:
        """The frame that says what was received and may come."""
        return self._said(FrameKind.WINDOW)

    def unlinked(self) -> None:
        """The link is gone; nothing is sent before another one has come."""
        self._out.may_go_on = False
        self._end_sent = self._has_resumed = self._was_resumed = False

    def resume(self) -> bytes:
        """The frame that says, on a new link, where the other node has to go on."""
        self._has_resumed = True
        return self._said(FrameKind.RESUME)

    def _said(self, kind: FrameKind) -> bytes:
        body = _head_and_places.pack(kind, self.chat, *self._in.say())
        return framing.encode(framing.NODE, body)

    # --- for `Carriers`: what has come ------------------------------------------------------

    def bytes_came(self, place: int, piece: bytes) -> None:
        """A piece. :raises WireError: it may not come now."""
        if self._they_ended:
            raise WireError("chat bytes from a node behind the last ones")
        self._in.take(place, piece)
        if self._we_ended:
            self._in.passed_on(len(piece))
        elif self._holders or self._in.kept:
            self._in.kept.append(piece)
        else:
            self._give(piece)
        if not self._is_over:
            self._owner.owe(self)

    def window_came(self, received: int, credit: int) -> None:
        """What the other node has received and allows. :raises WireError: it cannot be so."""
        if not self._out.may_go_on:
            raise WireError("a node that acknowledges before it has said where to go on")
        if not self._they_ended:
            self._out.window(received, credit)
            self._owner.ready(self)
            self._look_at_flow()

    def resume_came(self, received: int, credit: int) -> bool:
        """Where to go on, on a new link. :raises WireError: it cannot be there.

        Returns False if the other node had this chat before we had it: then it cannot go on.
        """
        if self._was_resumed:
            raise WireError("a node that says twice where to go on")
        if not self._has_resumed:  # it is new here, and not there
            if self._in.received or self._out.held or received:
                return False
            self._owner.say(self.resume())
        self._was_resumed = True
        if not self._they_ended:
            self._out.go_back(received, credit)
            self._owner.ready(self)
            self._look_at_flow()
        return True

    def end_came(self, total: int) -> None:
        """The other node ended the chat behind so many bytes. :raises WireError: not now."""
        if total != self._in.received:
            raise WireError("the end of a chat that is not behind its last bytes")
        if self._they_ended:  # said once more on a new link
            return
        self._they_ended = True
        self._out.drop()
        self._look_at_flow()
        if self._we_ended:
            self._owner.forget(self)
        else:
            self._give_kept()

    def gone(self) -> None:
        """The other node does not have the chat (any more), or is itself gone."""
        if self._they_ended and not self._we_ended and self._in.kept:
            return  # the rest is still passed on
        self.cut_off()

    def cut_off(self) -> None:
        """End the chat here and now, whatever has not been passed on."""
        self._owner.forget(self)
        self._say_ended()

    def over(self) -> None:
        """Neither sends nor gives anything from now on."""
        self._is_over = True
        self._out.drop()
        self._in.kept.clear()
        if self._given_up is not None and self._given_up.active():
            self._given_up.cancel()
        self._given_up = None
        self._look_at_flow()

    @property
    def unsaid(self) -> int:
        """Bytes of which the other node should be told soon."""
        return self._in.unsaid

    @property
    def held(self) -> tuple[int, int]:
        """Bytes that are here: those the other node does not have, those `received` does not."""
        return self._out.held, sum(map(len, self._in.kept))

    # --- insides ----------------------------------------------------------------------------

    def _give_kept(self) -> None:
        """Give what has been kept, until somebody holds again."""
        if self._is_giving:
            return
        self._is_giving = True
        try:
            while self._in.kept and not self._holders and not self._is_over:
                self._give(self._in.kept.popleft())
        finally:
            self._is_giving = False
        if self._is_over or self._we_ended:
            return
        if self._they_ended:
            if not self._in.kept:
                self.cut_off()
        else:
            self._owner.owe(self)

    def _give(self, piece: bytes) -> None:
        self._in.passed_on(len(piece))
        try:
            self._received(piece)
        except Exception:  # a mistake about one chat must not end those of others
            our_fault(Failure())
            self.cut_off()

    def _say_ended(self) -> None:
        if self._we_ended:
            return
        self._we_ended = True
        try:
            self._ended()
        except Exception:
            our_fault(Failure())

    def _look_at_flow(self) -> None:
        """Say so if the sender has to be held, or no longer, since there is room for half a window.

        One window full is under way and holds nobody: what is read meanwhile follows at once.
        """
        held = self._out.held
        most = limits.CARRIED_IN_FLIGHT
        is_congested = held > most // 2 if self.is_congested else held > most
        if is_congested != self.is_congested:
            self.is_congested = is_congested
            if not self._we_ended:
                self._congested(is_congested)


class Carriers:
    """All chats that this node has with one other node, over whatever link there is.

    While the link is full, chats take turns, a share each; nothing else is queued here.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._chats: dict[bytes, Carrier] = {}
        self._outlet: Outlet | None = None
        #: Chats with something to send, and those with something to acknowledge, in order.
        self._ready: OrderedDict[Carrier, None] = OrderedDict()
        self._owing: dict[Carrier, None] = {}
        self._acknowledging: IDelayedCall | None = None
        self._unsaid_pieces = self._pieces_seen = 0
        self._is_urgent = False
        #: Chats that were not here, and of which the other node has been told so.
        self._strays: dict[bytes, None] = {}
        self._strays_since = 0.0

    def __len__(self) -> int:
        """How many chats there are."""
        return len(self._chats)

    def open(
        self,
        chat: bytes,
        received: Callable[[bytes], None],
        congested: Callable[[bool], None],
        ended: Callable[[], None],
    ) -> Carrier:
        """One more chat. If the other node was told that it is not here, it ends at once."""
        if len(chat) != CHAT_BYTES or chat in self._chats:
            raise ValueError("a chat with a bad id, or one that is here already")
        carrier = self._chats[chat] = Carrier(self, chat, received, congested, ended)
        if self._outlet is None:
            carrier.unlinked()
        elif chat in self._strays:
            self.later(carrier.gone)
        return carrier

    def end_all(self) -> None:
        """The other node is gone: all chats end."""
        for carrier in list(self._chats.values()):
            carrier.cut_off()

    # --- the link ---------------------------------------------------------------------------

    def linked(self, outlet: Outlet) -> None:
        """There is a new link: say where each chat goes on."""
        self._outlet = outlet
        self._strays.clear()
        if resumes := [carrier.resume() for carrier in self._chats.values()]:
            outlet.send(b"".join(resumes))

    def unlinked(self) -> None:
        """There is no link any more."""
        self._outlet = None
        self._ready.clear()
        self._owing.clear()
        self._cancel()
        for carrier in self._chats.values():
            carrier.unlinked()

    def frame_received(self, body: bytes) -> None:
        """A frame about a chat came. :raises WireError: it may not."""
        if len(body) < _head.size:
            raise WireError("a frame of a node that is too short")
        kind, chat = _head.unpack_from(body)
        length = len(body) - _head.size
        carrier = self._chats.get(chat)
        if length <= _place.size if kind == FrameKind.BYTES else length != _LENGTHS.get(kind):
            raise WireError("a frame of a node that is none")
        if carrier is None:
            self._stray(kind, chat)
        elif kind == FrameKind.BYTES:
            place = _place.unpack_from(body, _head.size)[0]
            carrier.bytes_came(place, body[_head_and_place.size :])
        elif kind == FrameKind.WINDOW:
            carrier.window_came(*_places.unpack_from(body, _head.size))
        elif kind == FrameKind.RESUME:
            if not carrier.resume_came(*_places.unpack_from(body, _head.size)):
                carrier.cut_off()
        elif kind == FrameKind.END:
            carrier.end_came(*_place.unpack_from(body, _head.size))
        else:
            carrier.gone()

    def _stray(self, kind: int, chat: bytes) -> None:
        """Answer, once, what needs a chat that is not here."""
        if kind in (FrameKind.WINDOW, FrameKind.NO_CHAT) or chat in self._strays:
            return
        if self._clock.seconds() - self._strays_since >= limits.NODE_PING:
            self._strays_since = self._clock.seconds()
            self._strays.clear()
        if len(self._strays) >= limits.MAX_STRAY_CHATS:
            raise WireError("a node that sends bytes for more chats than there can be")
        self._strays[chat] = None
        self.say(_no_chat(chat))

    # --- for carriers -----------------------------------------------------------------------

    def say(self, frame: bytes) -> None:
        """Send this now, if there is a link."""
        if self._outlet is not None:
            self._outlet.send(frame)

    def ready(self, carrier: Carrier) -> None:
        """It may have something to send."""
        if self._outlet is not None and carrier not in self._ready:
            self._ready[carrier] = None
            self.go_on()

    def go_on(self) -> None:
        """Send what can be sent; called again when the link has room."""
        while (outlet := self._outlet) is not None and not outlet.is_congested:
            if not self._ready:
                break
            carrier, _ = self._ready.popitem(last=False)
            if (frame := carrier.frame_to_send()) is not None:
                self._ready[carrier] = None
                outlet.send(frame)

    def owe(self, carrier: Carrier) -> None:
        """The other node has to be told what this one has received: in a moment, or soon."""
        if self._outlet is None or not carrier.unsaid:
            return
        self._owing[carrier] = None
        self._unsaid_pieces += 1
        is_urgent = carrier.unsaid >= limits.CARRIED_UNSAID
        if self._acknowledging is None:
            self._acknowledge_after(0 if is_urgent else limits.CARRIED_WAIT)
        elif is_urgent and not self._is_urgent:
            self._acknowledging.reset(0)
        self._is_urgent = self._is_urgent or is_urgent

    def _acknowledge_after(self, seconds: float) -> None:
        self._acknowledging = self._clock.callLater(seconds, self._acknowledge)

    def _acknowledge(self) -> None:
        """Acknowledge all at once; while more comes in each turn of the reactor, wait for it."""
        self._acknowledging = None
        if self._pieces_seen < self._unsaid_pieces < limits.CARRIED_GATHERED and self._is_urgent:
            self._pieces_seen = self._unsaid_pieces
            self._acknowledge_after(0)  # a reactor runs timers before it reads
            return
        owing, self._owing = self._owing, {}
        self._unsaid_pieces = self._pieces_seen = 0
        self._is_urgent = False
        self.say(b"".join(carrier.window_to_send() for carrier in owing if carrier.unsaid))

    def later(
        self, what: Callable[..., None], seconds: float = 0, *arguments: object
    ) -> IDelayedCall:
        """Call this later."""
        return self._clock.callLater(seconds, what, *arguments)

    def forget(self, carrier: Carrier) -> None:
        """This chat is over. The other node is told if it does not know yet."""
        if self._chats.get(carrier.chat) is carrier:
            del self._chats[carrier.chat]
            self._ready.pop(carrier, None)
            self._owing.pop(carrier, None)
            self.say(_no_chat(carrier.chat))
            carrier.over()
        if not self._owing:
            self._cancel()

    def _cancel(self) -> None:
        if self._acknowledging is not None:
            self._acknowledging.cancel()
            self._acknowledging = None
        self._unsaid_pieces = self._pieces_seen = 0
        self._is_urgent = False


def _no_chat(chat: bytes) -> bytes:
    return framing.encode(framing.NODE, _head.pack(FrameKind.NO_CHAT, chat))
