"""Log-ins while a hundred people who are logged in flood the server with one command.

The commands are those of the vocabulary, so that a new one is measured too; beside them there are
chats in which one side sends chat frames without end. The unit is the CPU
time of the whole server process from a log-in's first byte to its finish, both channels: what the
floods cost whoever comes then, on a core that has nothing else to do.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import quantiles
from typing import Any

from OpenSSL import SSL
from twisted.protocols import amp

from benchmarks.channel import Channel
from benchmarks.chats import chats
from benchmarks.loop import READ, WRITE, Loop, Stuck, ready
from benchmarks.people import Person, Visit
from benchmarks.process import PRODUCT, Server
from benchmarks.readings import Reading
from securecom import framing, limits, vocabulary
from securecom.identity import Identity, Name
from securecom.vocabulary import IN_CHATS, SENT_BY_SERVER

FLOODERS = 100
#: People who log in, in turn.
GUESTS = 100
NO_FLOOD, ALL = "nothing", "all of them in turn"
#: What is flooded with: every command that a client may send to the server.
KINDS = [
    name.decode()
    for name, command in vocabulary.BY_NAME.items()
    if command.pace not in (IN_CHATS, SENT_BY_SERVER)
]
#: Chats that flood instead.
CHATS = FLOODERS // 2
#: Bytes of a chat frame, and of a TLS record at most, with which they do.
FRAMES = {
    f"chat frames of one byte, {CHATS} chats": (1, limits.TLS_RECORD),
    f"the same, a record each, {CHATS} chats": (1, len(framing.encode_chat(1, b"x"))),
    f"chat frames of 16 KiB, {CHATS} chats": (limits.MAX_CHAT_CHUNK, limits.TLS_RECORD),
}
#: Bytes handed to OpenSSL at once.
_CHUNK = 64 * 1024
#: Between a flooder's end and its return.
_BACK_AFTER = 1.0
#: A log-in that takes longer has failed, and counts for at least so much.
_DEADLINE = 12.0
#: Flooders that log in at once, and seconds for all of them.
_AT_ONCE, _ARRIVALS = 8, 60.0
_GONE = (SSL.Error, OSError, RuntimeError)


class Flooder:
    """One session that sends without end, and reads what comes back."""

    def __init__(self, loop: Loop, server: Server, person: Person, data: bytes) -> None:
        self._loop, self._server, self._person, self._data = loop, server, person, data
        self._visit: Visit | None = None
        self.gone_at: float | None = 0.0

    async def arrive(self) -> None:
        """Log in, both channels."""
        self.gone_at = None
        try:
            self._visit = visit = Visit(self._loop, self._server, self._person)
            await visit.standard.handshake()
            await visit.standard.call(vocabulary.LogIn, **visit.login(takeover=True))
            await visit.prove()
        except _GONE:
            self.close()

    async def flood(self) -> None:
        """Send on both channels until the server ends it."""
        visit = self._visit
        if visit is not None:
            ping = command_frame(vocabulary.Ping) if self._data else b""
            self._loop.start([self._send(visit.request, ping * (_CHUNK // 32))])
            await self._send(visit.standard, self._data)

    async def come_back(self) -> None:
        """Do both."""
        await self.arrive()
        await self.flood()

    async def _send(self, channel: Channel, data: bytes) -> None:
        rest = data
        try:
            while True:
                with contextlib.suppress(SSL.WantWriteError, SSL.WantReadError):
                    if data:  # OpenSSL takes nothing for the end
                        rest = rest[channel.tls.send(rest) :] or data
                self._read(channel)
                await ready(channel._fd, READ | WRITE if data else READ)
        except _GONE:
            self.close()

    @staticmethod
    def _read(channel: Channel) -> None:
        try:
            while channel.tls.recv(_CHUNK):
                pass
        except SSL.WantReadError:
            pass

    def close(self) -> None:
        """Both channels."""
        visit, self._visit = self._visit, None
        if visit is not None:
            visit.close()
        self.gone_at = time.monotonic()


def command_frame(command: type[amp.Command]) -> bytes:
    """The command with arguments that cost the server the most, as it goes over the wire."""
    values = {name.decode(): _value(one) for name, one in command.arguments}
    box = command.makeArguments(values, None)
    box[amp.COMMAND], box[amp.ASK] = command.commandName, b"1"
    return framing.encode(framing.CONTROL, box.serialize())


def _value(argument: amp.Argument) -> Any:
    match argument:
        case vocabulary.FixedBytes():
            return os.urandom(argument.length)
        case vocabulary.Number():
            return argument.high
        case vocabulary.OneOf():
            return argument.words[0]
        case vocabulary.NameArgument():
            return Name(os.urandom(16).hex())
        case vocabulary.NamesArgument():
            return [Name(os.urandom(16).hex()) for _ in range(limits.MAX_AUDIENCE)]
        case vocabulary.KeyArgument():
            return Identity.generate().public_key
        case amp.Boolean():
            return True
    return b"x"


def _flood_of(kind: str) -> bytes:
    """About `_CHUNK` bytes of commands, each with values of its own."""
    if kind == NO_FLOOD:
        return b""
    wanted = KINDS if kind == ALL else [kind]
    chosen = [vocabulary.BY_NAME[one.encode()] for one in wanted]
    if kind == ALL:  # those that end a session would hide the others
        ending = (vocabulary.LogIn, vocabulary.Enrol, vocabulary.ProveSession, vocabulary.LogOut)
        chosen = [one for one in chosen if one not in ending]
    parts: list[bytes] = []
    while sum(map(len, parts)) < _CHUNK and len(parts) < 50 * len(chosen):
        parts += [command_frame(command) for command in chosen]
    return b"".join(parts)


def measure(server: Server, people: Sequence[Person], kind: str, seconds: float) -> list[Reading]:
    """The 99th percentile, in ms, of log-ins under this flood for so long."""
    loop = Loop()
    data = _flood_of(kind)
    flooders = [Flooder(loop, server, one, data) for one in people[:FLOODERS]]
    try:
        loop.run_all((one.arrive() for one in flooders), _AT_ONCE, _ARRIVALS)
        loop.start(one.flood() for one in flooders)
        back = partial(_bring_back, loop, flooders)
        return [_under(kind, loop, server, people, seconds, back)]
    finally:
        for flooder in flooders:
            flooder.close()
        loop.close()


def measure_chats(
    server: Server, people: Sequence[Person], kind: str, seconds: float
) -> list[Reading]:
    """The same under chats in which one side sends frames without end."""
    loop = Loop()
    size, record = FRAMES[kind]
    try:
        with chats(loop, PRODUCT, server, people[: 2 * CHATS]) as pairs:
            for one in pairs:
                frame = framing.encode_chat(one.number, bytes(size))
                data = frame * max(1, _CHUNK // len(frame))
                loop.start([_drink(one.callee), _pour(one.caller, data, record)])
            return [_under(kind, loop, server, people, seconds)]
    finally:
        loop.close()


async def _drink(channel: Channel) -> None:
    while True:
        await channel.receive()


async def _pour(channel: Channel, data: bytes, record: int) -> None:
    rest = data
    with contextlib.suppress(*_GONE):
        while True:
            try:
                rest = rest[channel.tls.send(rest[:record]) :] or data
            except SSL.WantWriteError:
                await ready(channel._fd, WRITE)


def _nothing() -> None:
    """Nobody has to come back."""


def _under(
    kind: str,
    loop: Loop,
    server: Server,
    people: Sequence[Person],
    seconds: float,
    between: Callable[[], None] = _nothing,
) -> Reading:
    """Log-ins under the flood that has begun."""
    guests = people[FLOODERS : FLOODERS + GUESTS]
    took: list[float] = []
    loop.run_for(1.0)
    begin, used = time.monotonic(), server.cpu_seconds()
    while time.monotonic() < begin + seconds:
        took.append(_log_in(loop, server, guests[len(took) % len(guests)]))
        between()
    share = (server.cpu_seconds() - used) / (time.monotonic() - begin)
    worst = quantiles(took, n=100)[98] if len(took) > 1 else took[0]
    return Reading(kind, 1000 * min(worst, max(took)), share, len(took))


def _bring_back(loop: Loop, flooders: Sequence[Flooder]) -> None:
    now = time.monotonic()
    loop.start(_due(flooders, now))


def _due(flooders: Sequence[Flooder], now: float) -> Iterator[Any]:
    for one in flooders:
        if one.gone_at is not None and now - one.gone_at > _BACK_AFTER:
            yield one.come_back()


def _log_in(loop: Loop, server: Server, guest: Person) -> float:
    """The server's CPU seconds from the first byte to the end of it."""
    begin = cpu_of(server.pid)
    visit: Visit | None = None
    try:
        visit = Visit(loop, server, guest)
        loop.run(_both(visit), _DEADLINE)
    except (Stuck, *_GONE):
        return max(_DEADLINE, cpu_of(server.pid) - begin)
    finally:
        if visit is not None:
            visit.close()
    return cpu_of(server.pid) - begin


async def _both(visit: Visit) -> None:
    await visit.log_in()
    await visit.prove()


def cpu_of(pid: int) -> float:
    """CPU seconds of a process, all threads, to the nanosecond: Linux's clock of that process."""
    return time.clock_gettime(~pid << 3 | 2)
