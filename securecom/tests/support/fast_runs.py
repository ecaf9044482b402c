"""Plays generated stories of two connections in which bytes are relayed in one of three ways.

The peers of both are hostile: they send frames and records of all kinds, in any pieces. Either end
may be closed, cut or torn away at any moment. Written by the protocol, spliced by Python and
spliced by the compiled module, both peers have to see the same, and both protocols, too.
In some stories, whoever is asked by the splice does something at once, or fails.

`python -m securecom.tests.support.fast_runs COUNT [FIRST_SEED]` plays as many as one likes;
fast/README.md says how to do it with a module that checks its own use of memory.
"""

from __future__ import annotations

import errno
import gc
import random
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from itertools import pairwise
from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionLost
from twisted.logger import globalLogBeginner
from twisted.python.failure import Failure

from securecom import framing, limits
from securecom.errors import WireError
from securecom.tests.support import fast_sockets
from securecom.tests.support.frame_gate import STREAM, FrameGate, SplicedOnly, frame
from securecom.tests.support.native_lines import Line
from securecom.tests.support.sealed_records import ALERT, CLOSE, DATA, HANDSHAKE, Sealer
from securecom.tests.support.sieve_reactor import SieveReactor
from securecom.tests.support.tls_ends import options
from securecom.tests.support.turned_reactor import TurnedReactor
from securecom.transport import sieve

WAYS = ("written", "spliced", "compiled")
#: What is done, to which of the two connections, and with what.
Step = tuple[str, int, Any]
#: At which call of a gate's method something is done to which of the two connections.
Prank = tuple[str, int, str, int]

PING = framing.encode(framing.CONTROL, b"\0\4_ask\0\0011\0\10_command\0\4Ping\0\0")
_MOST = limits.MAX_BODY
_NUMBER = STREAM.to_bytes(4, "big")
#: Bytes that a kernel gives or takes at once.
_PIECES = (1, 2, 5, 21, 22, 23, 26, 100, 1000, limits.TLS_RECORD, 2**16 - 1, 2**16, 2**16 + 1)


_SELDOM = ("hold", "go on", "produce", "collect", "shut", "open", "end")


# --- what may happen ------------------------------------------------------------------------------


def raw(length: int, lane: int = framing.CHAT, stream: bytes = _NUMBER, body: int = -1) -> bytes:
    """A frame that may lie about its length."""
    size = length if body < 0 else body
    return framing.header(lane, length) + (stream + b"\1\0\0\x09\0\0\0\7inner" * 4096)[:size]


def frames(chance: random.Random) -> bytes:
    """Some frames, or something like frames."""
    kinds: tuple[Callable[[], bytes], ...] = (
        lambda: frame(chance.choice((1, 2, 37, 200, 5000)), chance.randrange(250)),
        lambda: frame(chance.choice((1, 200)), 3) * chance.choice((2, 7, 127, 128, 129, 300)),
        lambda: raw(chance.choice((5, 6, _MOST - 1, _MOST))),
        lambda: frame(limits.MAX_CHAT_CHUNK, 5) * chance.choice((1, 3, 5)),
        lambda: PING,
        lambda: raw(chance.choice((0, 1, 3)), framing.CONTROL),
    )
    odd: tuple[Callable[[], bytes], ...] = (
        lambda: raw(chance.choice((0, 1, 4, 4, _MOST + 1, _MOST + 1, _MOST + 1))),
        lambda: raw(0xFFFFFF, body=chance.choice((0, 3, 4, 5, 30_000))),
        lambda: raw(chance.choice((5, 90)), chance.choice((0, 2, 3, 4, 255))),
        lambda: raw(9, stream=chance.choice((b"\0\0\0\0", b"\0\0\0\x08", b"\xff" * 4))),
        lambda: chance.randbytes(chance.randrange(40)),
    )
    made = [chance.choice(kinds)() for _ in range(chance.choice((1, 1, 1, 2, 3, 6)))]
    if chance.random() < 0.08:
        made.append(chance.choice(odd)())
    return b"".join(made)


def records(chance: random.Random) -> tuple[tuple[bytes, int, int], ...]:
    """Frames, cut into records: of each the content, its kind, and padding."""
    data, size = frames(chance), chance.choice((1, 3, 50, 1000, *(3 * (limits.TLS_RECORD,))))
    if size < 50:
        data = data[-400:] if chance.random() < 0.5 else data[:400]
    made = [(data[at : at + size], DATA, 0) for at in range(0, len(data), size)]
    if chance.random() < 0.5 and made and len(made[-1][0]) > 1:  # cut elsewhere, too
        last, cut = made.pop()[0], 0
        cut = chance.randrange(1, len(last))
        made += [(last[:cut], DATA, 0), (last[cut:], DATA, 0)]
    others = ((b"", DATA, 0), (b"", DATA, 300), (b"x" * 9, DATA, 0), (data[:99], DATA, 7))
    if chance.random() < 0.1:
        made.insert(chance.randrange(len(made) + 1), chance.choice(others))
    if chance.random() < 0.06:
        made.insert(chance.randrange(len(made) + 1), (b"", HANDSHAKE, chance.randrange(2)))
    if chance.random() < 0.01:
        kind = chance.choice((0, 20, ALERT, HANDSHAKE, 24))
        made.append((chance.choice((b"", b"\1\0", b"\2\x28", b"\x04" * 30)), kind, 0))
    if chance.random() < 0.005:
        made.append((bytes(limits.TLS_RECORD + 1), DATA, 0))
    return tuple(made)


def step(chance: random.Random) -> Step:
    """Something that happens."""
    which = int(chance.random() < 0.25)
    what = chance.choices(
        (*("chat", "send", "come", "room", "own", "most"), *_SELDOM),
        (60, 25, 40, 6, 5, 4, 2, 3, 1, 1, 1, 1, 2),
    )[0]
    how: Any = None
    if what == "chat":
        size = chance.choice((1, 2, 37, 200, 200, limits.TLS_RECORD - 8))
        how = ((frame(size, chance.randrange(250)), DATA, 0),)
    elif what == "send":
        how = records(chance)
    elif what == "come":
        how = chance.choice((*_PIECES, *(6 * (1 << 30,))))
    elif what == "room":
        how = chance.choice((0, 1, 10, 1000, 20_000, 1 << 30, 1 << 30))
    elif what == "own":
        how = frame(chance.choice((1, 200, 16_000)), 77, 99)
    elif what == "most":
        how = chance.choice((150, 5000, 2**16, 2**16))
    elif what == "end":
        how = chance.choice(
            ("lose", "abort", "unsplice", "splice", "close", "fin", "reset", "shutdown", "garble")
        )
    return what, which, how


def pranks(chance: random.Random) -> tuple[Prank, ...]:
    """What gates do while they are asked."""
    acts = ("lose", "abort", "unsplice", "splice", "raise", "none", "text", "hold", "own", "again")
    more = ("huge", "least", "odd", "read", "collect", "close", "reset", "shut", "shutdown")
    where = ("begun", "grant", "keep", "pause")
    return tuple(
        (chance.choice(where), chance.randrange(6), chance.choice(acts + more), chance.randrange(2))
        for _ in range(chance.choice((1, 1, 2, 5)))
    )


# --- who takes part -------------------------------------------------------------------------------


class Truth:
    """Cannot be asked whether it is true."""

    def __bool__(self) -> bool:
        raise ArithmeticError


_ODD = {"none": None, "text": "text", "huge": 1 << 70, "least": -(1 << 63), "odd": Truth()}


class _Pranking:
    """A gate that does something when it is asked."""

    stage: Pair

    def begun(self) -> Any:
        return self.stage.prank("begun", super().begun())  # type: ignore[misc]

    def _grant(self, count: int) -> Any:
        return self.stage.prank("grant", super()._grant(count))  # type: ignore[misc]

    def keep(self, rest: bytes) -> Any:
        return self.stage.prank("keep", super().keep(rest))  # type: ignore[misc]


class Compiled(_Pranking, FrameGate):
    """For the compiled way."""


class Spliced(_Pranking, SplicedOnly):
    """For the one in Python."""


class Producer:
    """Is told when a connection is full."""

    def __init__(self, stage: Pair) -> None:
        self.stage = stage

    def pauseProducing(self) -> None:
        self.stage.prank("pause", None)

    def resumeProducing(self) -> None:
        """Goes on."""

    def stopProducing(self) -> None:
        """The connection is gone."""


_secrets: dict[SSL.Connection, bytes] = {}


def _note(connection: SSL.Connection, line: bytes) -> None:
    label, _, secret = line.split(b" ")
    if label == b"CLIENT_TRAFFIC_SECRET_0":
        _secrets[connection] = bytes.fromhex(secret.decode())


@cache
def _note_secrets() -> None:
    options(True).renew(None)  # a context can be told only before it is used
    options(True)._context.set_keylog_callback(_note)


def sealer(line: Line) -> Sealer:
    """Whoever seals what the peer of a line sends from now on; it has sent one record."""
    tls = line.peer._tls
    return Sealer(str(tls.get_cipher_name()), _secrets.pop(tls), 1)


class Pair:
    """Two lines; frames that come to either go to the other."""

    def __init__(
        self,
        way: str,
        granted: tuple[int, ...],
        acts: tuple[Prank, ...] = (),
        *,
        is_sieved: bool = False,
        trip: Callable[[], int] = int,
    ) -> None:
        _note_secrets()
        self.way, self.acts, self.calls = way, acts, dict.fromkeys(("begun", "grant", "keep"), 0)
        #: Whose gate will shut when something is delivered, as one does that has commands to wait.
        self.shuts: set[int] = set()
        self.producer = Producer(self)
        self.reactor = SieveReactor() if is_sieved else TurnedReactor()
        self.lines = Line(self.reactor), Line(self.reactor)
        self.sealers = tuple(map(sealer, self.lines))
        self.waiting = bytearray(), bytearray()
        kind = Compiled if way == "compiled" else Spliced
        self.gates = kind(*granted), kind(*granted)
        fast_sockets.use(*self.lines, trip=trip)
        for number, line in enumerate(self.lines):
            self.gates[number].stage = self
            line.protocol.when_received = self.relay(number)
            self.splice(number)

    def relay(self, number: int) -> Callable[[bytes], None]:
        """The ordinary way."""

        def relay(data: bytes) -> None:
            if number in self.shuts:
                self.shuts.remove(number)
                self.gates[number].is_open = False
            try:
                whole = self.gates[number].ordinary(data)
            except WireError:
                self.lines[number].tls.abortConnection()
            else:
                self.lines[1 - number].tls.write(whole)

        return relay

    def splice(self, number: int) -> None:
        if self.way != "written" and not self.lines[number].protocol.lost:
            self.lines[number].tls.splice(self.lines[1 - number].tls, self.gates[number])

    # what happens

    def play(self, happening: Step) -> None:
        what, number, how = happening
        line = self.lines[number]
        calls: dict[str, Callable[[], object]] = {
            "chat": lambda: self.chat(number, how),
            "send": lambda: self.send(number, how),
            "come": lambda: self.come(number, how),
            "room": lambda: setattr(line.wire, "room", how),
            "most": lambda: setattr(line.wire, "most", how),
            "shut": lambda: self.shuts.add(number),
            "open": lambda: setattr(self.gates[number], "is_open", True),
            "collect": lambda: gc.collect(0),
        }
        ours: dict[str, Callable[[], object]] = {
            "own": lambda: line.tls.write(how),
            "hold": line.tls.pauseProducing,
            "go on": line.tls.resumeProducing,
            "produce": lambda: line.tls._producer or line.tls.registerProducer(self.producer, True),
            "end": lambda: self.end(number, how),
        }
        if what in calls:
            calls[what]()
        elif not line.protocol.lost:
            ours[what]()
        self.reactor.turn()

    def chat(self, number: int, made: tuple[tuple[bytes, int, int], ...]) -> None:
        """All of something comes alone."""
        self.come(number, 1 << 30)
        self.reactor.turn()
        self.send(number, made)
        self.come(number, 1 << 30)

    def send(self, number: int, made: tuple[tuple[bytes, int, int], ...]) -> None:
        for content, kind, padding in made:
            if kind == HANDSHAKE and not content:
                self.waiting[number].extend(self.sealers[number].new_key(bool(padding)))
            else:
                self.waiting[number].extend(self.sealers[number].record(content, kind, padding))

    def come(self, number: int, size: int) -> None:
        self.lines[number].wire.incoming += self.waiting[number][:size]
        del self.waiting[number][:size]

    def end(self, number: int, how: str) -> None:
        """Something comes to an end."""
        line = self.lines[number]
        calls: dict[str, Callable[[], object]] = {
            "lose": line.tls.loseConnection,
            "abort": line.tls.abortConnection,
            "unsplice": line.tls.unsplice,
            "splice": lambda: self.splice(number),
            "close": lambda: self.send(number, ((CLOSE, ALERT, 0),)),
            "fin": lambda: setattr(line.wire, "is_ended", True),
            "reset": lambda: setattr(line.wire, "is_reset", True),
            "shutdown": line.tls._tlsConnection.shutdown,
            "garble": lambda: self.waiting[number].extend(b"\x17\3\3\0\x20" + bytes(32)),
        }
        with suppress(SSL.Error):  # of a second shutdown
            calls[how]()

    # what is done while a splice asks

    def prank(self, where: str, result: Any) -> Any:
        """What a gate returns instead of its result, having done something else."""
        self.calls[where] = at = self.calls.get(where, 0) + 1
        for place, number, act, which in self.acts:
            if place == where and number + 1 == at:
                result = self.act(act, which, result)
        return result

    def act(self, act: str, number: int, result: Any) -> Any:
        line = self.lines[number]
        if act == "raise" and result is not None:
            raise ArithmeticError
        if act in _ODD:
            return _ODD[act]
        calls: dict[str, Callable[[], object]] = {
            "collect": lambda: gc.collect(0),
            "hold": line.tls.pauseProducing,
            "own": lambda: line.tls.write(frame(300, 5, 98)),
            "read": lambda: self.reactor._call(line.floor, line.floor.doRead, is_read=True),
            "shut": lambda: line.floor.connectionLost(Failure(ConnectionLost())),
            "again": lambda: self.reactor.advance(1),
        }
        if not line.protocol.lost:
            calls.get(act, lambda: self.end(number, act))()
        return result

    # what has come of it

    def told(self) -> tuple[Any, ...]:
        """What both sides have seen once everything has come through."""
        for line in self.lines:
            line.wire.room, line.wire.most = 1 << 40, 2**16
            if not line.protocol.lost:
                line.tls.resumeProducing()
        for _ in range(3):
            for number, line in enumerate(self.lines):
                self.come(number, 1 << 30)
                line.pass_on()
        for line in self.lines:
            line.tls.unsplice()
        raised = [type(error).__name__ for error in self.reactor.raised]
        seen = [(bytes(one.peer.received), one.peer.end, one.protocol.lost) for one in self.lines]
        asked = [(gate.asked, gate._decoder.begun) for gate in self.gates]
        return raised, seen, [line.protocol.received for line in self.lines], asked


def _trips(seed: int) -> Callable[[], int]:
    """Errors that a kernel may report at any time."""
    chance = random.Random(seed)
    return lambda: chance.choice((errno.EINTR, errno.EAGAIN)) if chance.random() < 0.05 else 0


def told(
    way: str, granted: tuple[int, ...], acts: tuple[Prank, ...], steps: list[Step], **options: Any
) -> Any:
    """What is seen of a story."""
    pair = Pair(way, granted, acts, **options)
    for one in steps:
        pair.play(one)
    return pair.told()


#: Whoever is told these things or reads a second time in the middle of it gets what he deserves.
WILD = frozenset({"huge", "least", "odd", "read", "none", "text", "again", "shut"})


def check(seed: int) -> str:
    """Play a story in all ways; say where they differ, or nothing."""
    chance = random.Random(seed)
    steps = [step(chance) for _ in range(chance.randrange(4, 40))]
    acts = pranks(chance) if seed % 4 == 0 else ()
    if not acts:  # nobody goes past us to OpenSSL; if somebody does, a splice may see it later
        steps = [one for one in steps if one[2] != "shutdown"]
    is_even = seed % 4 < 3  # both splices get the same, so the same is delivered
    granted = chance.choice(((0,), (0, 0, -1, limits.RUN_WORK, 0), (-1, 0, 0, 0, 0, 0)))
    options: dict[str, Any] = {"is_sieved": bool(acts) and seed % 8 == 0}
    seen = {}
    if not acts:
        seen["written"] = told("written", (0,), (), steps)
    if not any(act in WILD for _, _, act, _ in acts):
        seen["spliced"] = told("spliced", granted, acts, steps, **options)
    else:
        options["trip"] = _trips(seed)
    seen["compiled"] = told("compiled", granted if is_even else (200, 0), acts, steps, **options)
    names = list(seen)
    return "; ".join(
        f"seed {seed}: {one} and {other} differ in {at}"
        for one, other in pairwise(names)
        for at in range(2 if one == "written" or not is_even else 4)
        if seen[one][at] != seen[other][at]
    )


def passers() -> int:
    """How many compiled splices there are."""
    return sum(type(one).__name__ == "Passer" for one in gc.get_objects())


def sieve_of(reactor: Any) -> Any:
    return getattr(reactor, "sieve", None)


def main(arguments: list[str]) -> int:
    """Play stories, and print those that differ: 1 if there are any."""
    count, first = (int(one) for one in (*arguments, "0")[:2])
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False, discardBuffer=True)
    failed, sieve.sieve_of = 0, sieve_of
    for seed in range(first, first + count):
        if what := check(seed):
            failed += 1
            print(what, flush=True)
    fast_sockets.use_the_kernels()
    gc.collect()
    print(f"{count} stories from {first}: {failed} differ; {passers()} splices left")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
