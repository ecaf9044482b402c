"""Setting up a chat end to end: TLS inside the stream and HELLO both ways, with the client's code.

In memory, where each end's CPU time can be told apart; and through a server, where the wall time
counts: both ends then share the generator's core, so it is no less than the two ends' CPU time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median

from twisted.internet.task import Clock

from benchmarks.channel import Channel
from benchmarks.chats import Chat, accepted, visits
from benchmarks.loop import Loop, fail
from benchmarks.people import Person
from benchmarks.process import Server
from benchmarks.readings import Reading
from securecom import framing, limits
from securecom.client.chat.agreement import Agreement, Role
from securecom.client.chat.chat_session import ChatSession
from securecom.client.chat.stream import Stream
from securecom.client.events import Ending, Event

CALLER, CALLEE = "CPU of the caller", "CPU of the callee"
REKEY_CALLER, REKEY_CALLEE = "CPU of the caller, a rekey", "CPU of the callee, a rekey"
WALL, SHORTEST = "wall, through the server", "the same, the shortest"
_DEADLINE = 30.0
_MILLI = 1000.0


class _Carrier:
    """The standard channel as a stream sees it: what is sent waits to be taken."""

    is_congested = False

    def __init__(self) -> None:
        self._outgoing: list[bytes] = []

    def send(self, frame: bytes) -> None:
        """Keep it."""
        self._outgoing.append(frame)

    def hold(self, who: str) -> None:
        """Nothing is ever full here."""

    def release(self, who: str) -> None:
        """Nothing was held."""

    def take(self) -> bytes:
        """What was sent."""
        outgoing, self._outgoing = self._outgoing, []
        return b"".join(outgoing)


class End:
    """One end of a chat (`chat.ChatOwner`), driven by bytes; counts its own CPU seconds."""

    def __init__(self, own: Person, peer: Person, role: Role, chat: bytes, stream: int) -> None:
        self.cpu = 0.0
        self.stands = False
        self._clock = Clock()
        self._carrier = _Carrier()
        self._identity = own.identity
        keys = own.identity.public_key, peer.identity.public_key
        agreement = Agreement(bytes(32), chat, role, own.name, keys[0], peer.name, keys[1])
        self._session = ChatSession(agreement, self, self._clock)
        self._stream = Stream(stream, self._carrier, self._clock)

    def open(self) -> bytes:
        """Begin; what is to be sent."""
        began = time.thread_time()
        self._session.open(self._stream, self._identity)
        return self._sent(began)

    def received(self, run: framing.Run) -> bytes:
        """Frames came; what is to be sent."""
        began = time.thread_time()
        self._stream.received(framing.chat_bytes(run))
        return self._sent(began)

    def later(self, seconds: float) -> bytes:
        """Time passes; what is to be sent. What was counted so far is forgotten."""
        began, self.cpu = time.thread_time(), 0.0
        self._clock.advance(seconds)
        return self._sent(began)

    def _sent(self, began: float) -> bytes:
        self._clock.advance(0)  # TLS gathers small writes
        outgoing = self._carrier.take()
        self.cpu += time.thread_time() - began
        return outgoing

    # ChatOwner

    def words_changed(self) -> None:
        """Nobody compares words here."""

    def peer_proved(self) -> None:
        """No pins here."""

    def chat_stands(self) -> None:
        """HELLO was good."""
        self.stands = True

    def show(self, event: Event) -> None:
        """Nobody looks."""

    def chat_over(
        self, ending: Ending | None, undelivered: list[int], error: Exception | None
    ) -> None:
        """It must not be."""
        fail(f"a chat that did not come to stand: {error!r}")


def in_memory(people: Sequence[Person], count: int) -> list[Reading]:
    """Milliseconds of CPU an end, medians of so many."""
    ends = [_set_up(people[0], people[1]) for _ in range(count)]
    caller, callee = (median(end.cpu for end in side) for side in zip(*ends, strict=True))
    return [Reading(CALLER, caller * _MILLI), Reading(CALLEE, callee * _MILLI)]


def _set_up(one: Person, two: Person) -> tuple[End, End]:
    caller = End(one, two, "caller", bytes(16), 1)
    callee = End(two, one, "callee", bytes(16), 1)
    _relay([(caller, callee.open()), (callee, caller.open())], caller, callee)
    if not (caller.stands and callee.stands):
        fail("a chat that does not stand")
    return caller, callee


def _relay(under_way: list[tuple[End, bytes]], caller: End, callee: End) -> None:
    """Hand on until nothing moves: who gets what."""
    targets = {caller: callee, callee: caller}
    while under_way:
        target, data = under_way.pop(0)
        for run in framing.Decoder(frozenset({framing.CHAT})).feed(data):
            if isinstance(run, framing.Run):
                under_way.append((targets[target], target.received(run)))


def rekeyed(people: Sequence[Person], count: int) -> list[Reading]:
    """Milliseconds of CPU an end for one rekey of a silent chat, medians of so many."""
    ends = []
    for _ in range(count):
        caller, callee = _set_up(people[0], people[1])
        callee.later(limits.REKEY_AFTER)
        if not (begun := caller.later(limits.REKEY_AFTER)):
            fail("a rekey that did not begin")
        _relay([(callee, begun)], caller, callee)
        ends.append((caller, callee))
    caller_cpu, callee_cpu = (median(end.cpu for end in side) for side in zip(*ends, strict=True))
    return [
        Reading(REKEY_CALLER, caller_cpu * _MILLI),
        Reading(REKEY_CALLEE, callee_cpu * _MILLI),
    ]


def through(server: Server, people: Sequence[Person], count: int) -> list[Reading]:
    """Milliseconds from the open stream to a chat that stands at both ends."""
    loop = Loop()
    walls: list[float] = []
    try:
        for at in range(0, 2 * count, 2):
            walls.append(_through(loop, server, people[at : at + 2]))
    finally:
        loop.close()
    return [Reading(WALL, median(walls) * _MILLI), Reading(SHORTEST, min(walls) * _MILLI)]


def _through(loop: Loop, server: Server, two: Sequence[Person]) -> float:
    with visits(loop, server, two) as (caller, callee):
        chats: list[Chat] = []

        async def begin() -> None:
            chats.append(await accepted(caller, callee))

        loop.run(begin(), _DEADLINE)
        chat = chats[0]
        ends = (
            (End(two[1], two[0], "callee", chat.ident, chat.number), chat.callee),
            (End(two[0], two[1], "caller", chat.ident, chat.number), chat.caller),
        )
        began = time.perf_counter()
        loop.start(_carry(end, channel) for end, channel in ends)
        loop.run_until(lambda: all(end.stands for end, _ in ends), _DEADLINE)
        wall = time.perf_counter() - began
        loop.drop_all()
        return wall


async def _carry(end: End, channel: Channel) -> None:
    await channel.send(end.open())
    while True:
        item = await channel.item()
        if isinstance(item, framing.Run):
            await channel.send(end.received(item))
