"""Relayed messages: 50 pairs in accepted chats, opaque frames, counted at the receiver.

The generator sends the bytes that a chat's TLS would give, but makes no nested TLS: the server
never looks inside, so it cannot tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.channel import Channel
from benchmarks.chats import Chat, chats, check
from benchmarks.loop import Loop, Task
from benchmarks.people import Person
from benchmarks.process import Server, Variant
from benchmarks.readings import Meter, Reading
from securecom import framing

PAIRS = 50
WARM_UP = 0.5
#: Messages that a sender has under way, and how many the receiver acknowledges at once.
WINDOW, BURST = 64, 32
_LARGE = 16 * 1024
_ACKNOWLEDGEMENT = b"received"
_DRAINING = 30.0


@dataclass(frozen=True)
class Work:
    """One way of sending.

    :param size: opaque bytes of a message, one chat frame.
    :param streams: many messages under way, else one at a time, back and forth.
    :param coalesced: a burst of messages leaves in one TLS record, or as few as hold it.
    :param unit: so many messages count as one.
    """

    name: str
    size: int
    streams: bool
    coalesced: bool = False
    unit: float = 1


PING_PONG = Work("ping-pong 200 B", 200, streams=False)
WORKS = (
    PING_PONG,
    Work("stream 200 B, a record each", 200, streams=True),
    Work("stream 200 B, coalesced", 200, streams=True, coalesced=True),
    Work("stream 16 KiB, MB", _LARGE, streams=True, unit=1e6 / _LARGE),
)


class Traffic:
    """One kind of work over some chats."""

    def __init__(self, work: Work, pairs: Sequence[Chat]) -> None:
        self._work, self._pairs = work, pairs
        self._stopping = False
        self._calling = 0
        #: Messages that have arrived.
        self.messages = 0

    def tasks(self) -> list[Task]:
        """Two for each chat."""
        self._calling = len(self._pairs)
        caller, callee = (
            (self._stream, self._drink) if self._work.streams else (self._ping, self._pong)
        )
        return [end(pair) for pair in self._pairs for end in (callee, caller)]

    def stop(self) -> None:
        """Send no more; what is under way will still arrive."""
        self._stopping = True

    @property
    def is_over(self) -> bool:
        """Nothing is under way."""
        return self._calling == 0

    async def _ping(self, chat: Chat) -> None:
        frame = framing.encode_chat(chat.number, bytes(self._work.size))
        while not self._stopping:
            await chat.caller.send(frame)
            await self._whole(chat.caller, len(frame))
        self._calling -= 1

    async def _pong(self, chat: Chat) -> None:
        frame = framing.encode_chat(chat.number, bytes(self._work.size))
        while True:
            await self._whole(chat.callee, len(frame))
            await chat.callee.send(frame)

    async def _whole(self, channel: Channel, size: int) -> None:
        left = size
        while left:
            left -= len(await channel.receive())
        self.messages += 1

    async def _stream(self, chat: Chat) -> None:
        frame = framing.encode_chat(chat.number, bytes(self._work.size))
        size = len(framing.encode_chat(chat.number, _ACKNOWLEDGEMENT))
        under_way = came = 0
        while under_way or not self._stopping:
            while under_way <= WINDOW - BURST and not self._stopping:
                await self._burst(chat, frame)
                under_way += BURST
            came += len(await chat.caller.receive())
            acknowledged, came = divmod(came, size)
            under_way -= acknowledged * BURST
        self._calling -= 1

    async def _burst(self, chat: Chat, frame: bytes) -> None:
        if self._work.coalesced:
            await chat.caller.send(frame * BURST)
            return
        for _ in range(BURST):
            await chat.caller.send(frame)

    async def _drink(self, chat: Chat) -> None:
        size = len(framing.encode_chat(chat.number, bytes(self._work.size)))
        acknowledgement = framing.encode_chat(chat.number, _ACKNOWLEDGEMENT)
        came = waiting = 0
        while True:
            came += len(await chat.callee.receive())
            messages, came = divmod(came, size)
            self.messages += messages
            bursts, waiting = divmod(waiting + messages, BURST)
            for _ in range(bursts):
                await chat.callee.send(acknowledgement)


def _nothing() -> None:
    """Nobody waits for the chats to stand."""


def measure(
    variant: Variant,
    server: Server,
    people: Sequence[Person],
    works: Sequence[Work],
    seconds: float,
    stand: Callable[[], None] = _nothing,
) -> list[Reading]:
    """Each kind of work over the same chats, one after the other.

    :param stand: called when all chats stand, before the first work.
    """
    loop = Loop()
    try:
        with chats(loop, variant, server, people[: 2 * PAIRS]) as pairs:
            for pair in pairs:
                loop.run(check(pair), _DRAINING)
            stand()
            return [_measured(loop, server, Traffic(work, pairs), work, seconds) for work in works]
    finally:
        loop.close()


def _measured(loop: Loop, server: Server, traffic: Traffic, work: Work, seconds: float) -> Reading:
    loop.start(traffic.tasks())
    loop.run_for(WARM_UP)
    meter, before = Meter(server), traffic.messages
    loop.run_for(seconds)
    reading = meter.read(work.name, (traffic.messages - before) / work.unit)
    traffic.stop()
    loop.run_until(lambda: traffic.is_over, _DRAINING)
    loop.drop_all()
    return reading
