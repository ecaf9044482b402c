"""What a session needs of its two channels."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, cast

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.protocols import amp

from securecom import limits, refusals, vocabulary
from securecom.control import ControlLane
from securecom.errors import PeerSilent
from securecom.identity import Name, PublicKey
from securecom.server.relay import Leg, Relay, Streams
from securecom.server.restraints import Blocks
from securecom.server.switchboard import Answer, Withdrawn


class RequestEnd(Protocol):
    """What a session needs of its request channel."""

    control: ControlLane

    @property
    def how(self) -> str:
        """How it came to be, for the person."""

    def close(self) -> None:
        """End it."""

    def fault(self, error: Exception) -> None:
        """Cut it."""


class StandardEnd(Leg, Protocol):
    """What a session needs of its standard channel."""

    clock: IReactorTime
    control: ControlLane

    def close(self) -> None:
        """Send what is written and end it."""

    def fault(self, error: Exception) -> None:
        """Cut it."""

    def leave(self) -> None:
        """The session is over, before the connection is."""

    def peer_host(self) -> str:
        """The client's address as the server sees it."""


# --- What one person's request makes the server do about another: a moment later, at a drawn time
# Done at once, the work would delay whatever the caller has sent along with the request, and show
# that there was somebody to look for.


class Aside:
    """Does one thing after the other, in order, each after a pause of its own.

    :param pause: seconds, drawn anew each time.
    """

    def __init__(self, clock: IReactorTime, pause: Callable[[], float]) -> None:
        self._clock, self._pause = clock, pause
        self._waiting: deque[Callable[[], None]] = deque()
        self._due = 0.0

    def do(self, work: Callable[[], None]) -> None:
        """Do it after a pause, and after everything that was put aside before."""
        self._do(work, self._pause())

    def do_next(self, work: Callable[[], None]) -> None:
        """Do it as soon as everything that was put aside before is done."""
        self._do(work, 0.0)

    def _do(self, work: Callable[[], None], pause: float) -> None:
        now = self._clock.seconds()
        self._due = max(self._due, now + pause)
        self._waiting.append(work)
        self._clock.callLater(self._due - now, self._next)

    def _next(self) -> None:
        self._waiting.popleft()()


# --- One person who is on line, as the switchboard sees them: what is sent over their two channels
# The standard channel is there from the beginning to the end. The request channel comes and goes;
# without one the person cannot be asked.


class Present:
    """See `switchboard.Party`.

    :param succession: the chain that led to the key.
    :param leg: the standard channel.
    :param blocks: whom this person has blocked, loaded.
    :param pause: seconds until the server looks for the one whom this person asks, and until it
        withdraws an offer from this person.
    """

    def __init__(
        self,
        name: Name,
        key: PublicKey,
        succession: bytes,
        leg: StandardEnd,
        blocks: Blocks,
        pause: Callable[[], float],
    ) -> None:
        self.name, self.key, self.succession = name, key, succession
        self.leg = leg
        self.streams = Streams(leg)
        self.blocks = blocks
        self.request_channel: RequestEnd | None = None
        self._aside = Aside(leg.clock, pause)
        self._offers: dict[bytes, Deferred[Any]] = {}  # those without an answer, by their chat

    # --- the request channel ----------------------------------------------------------------

    def channel_opened(self, channel: RequestEnd) -> None:
        """A request channel was proven; a former one is replaced."""
        former, self.request_channel = self.request_channel, channel
        if former is not None:
            former.close()

    def channel_lost(self, channel: RequestEnd) -> None:
        """A request channel is gone."""
        if self.request_channel is channel:
            self.request_channel = None

    # --- Party ------------------------------------------------------------------------------

    @property
    def reachable(self) -> bool:
        """Has a live request channel."""
        return self.request_channel is not None

    def admits(self, asker: Name) -> bool:
        """Has not blocked this person."""
        return asker not in self.blocks

    def later(self, work: Callable[[], None]) -> None:
        """Put work aside until a drawn moment, behind all that was put aside before it."""
        self._aside.do(work)

    def soon(self, work: Callable[[], None]) -> None:
        """Do work as soon as all that was put aside before it is done."""
        self._aside.do_next(work)

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
        channel = self.request_channel
        if channel is None:
            return fail(refusals.NoAnswer())
        seconds = math.ceil(lasts)
        box = channel.control.call(
            vocabulary.OfferChat,
            chat=chat,
            caller=caller,
            key=key,
            seconds=seconds,
            chat_seconds=chat_seconds,
            succession=succession or None,
        )
        self._offers[chat] = box
        self._expect(box, seconds, channel)
        box.addBoth(self._answered, chat)
        return box.addCallback(lambda box: cast(Answer, box["answer"]))

    def _answered(self, result: Any, chat: bytes) -> Any:
        del self._offers[chat]
        return result

    def missed(self, caller: Name) -> None:
        """Somebody asked in vain: for the person to see when they are back."""
        self._tell(vocabulary.MissedRequest, caller=caller)

    def withdraw(self, chat: bytes, reason: Withdrawn) -> None:
        """The offer no longer stands, and need not be answered."""
        self._tell(vocabulary.WithdrawOffer, chat=chat, reason=reason)
        box = self._offers.get(chat)
        if box is not None:
            box.cancel()

    def _tell(self, command: type[amp.Command], **facts: Any) -> None:
        if self.request_channel is not None:
            self.request_channel.control.tell(command, **facts)

    def announce_stream(self, chat: bytes, stream: int) -> Deferred[object]:
        """Tell the callee's client which stream the chat will have."""
        answer = self.leg.control.call(vocabulary.OpenStream, chat=chat, stream=stream)
        self._expect(answer, limits.OPENING_DEADLINE, self.leg)
        return cast(Deferred[object], answer)

    def open_stream(self, relay: Relay) -> None:
        """Chat frames of this stream are welcome."""
        self.streams.open(relay)

    def close_stream(self, stream: int, *, tell: bool) -> None:
        """And no longer."""
        self.streams.close(stream)
        if tell:
            self.leg.control.tell(vocabulary.StreamClosed, stream=stream)

    def _expect(
        self, answer: Deferred[Any], seconds: float, channel: RequestEnd | StandardEnd
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
