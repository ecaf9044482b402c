"""Runs generated sequences over any TLS transport, and compares what comes of it.

The same sequence over two transports gives two `Outcome`s, which `tls_comparison` compares step by
step: what the protocol has received and been called, what it was refused, what the peer has
decrypted, and how both ended. Twisted's own transports are the reference.

`python -m securecom.tests.support.tls_runs COUNT [FIRST_SEED]` runs as many as one likes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

from twisted.internet import _producer_helpers
from twisted.internet.protocol import Factory
from twisted.internet.task import Cooperator
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOProtocol
from twisted.python.failure import Failure

from securecom.tests.support.tls_comparison import Outcome, State, differences
from securecom.tests.support.tls_ends import Endpoint, Peer, options
from securecom.tests.support.tls_sequences import Sequence, Step, sequence
from securecom.tests.support.tls_variants import OURS, Make
from securecom.tests.support.turned_reactor import (
    AT_ONCE,
    FakeSocket,
    MemoryFloor,
    SocketFloor,
    TurnedReactor,
)
from securecom.transport.choice import TLSFactory


class Run:
    """A sequence, on its way over one transport."""

    def __init__(self, played: Sequence, make: Make, reactor: TurnedReactor) -> None:
        self.played, self.reactor = played, reactor
        self.endpoint = Endpoint(played)
        factory = TLSFactory(
            options(played.is_client),
            played.is_client,
            Factory.forProtocol(lambda: self.endpoint),
            reactor,
        )
        self.wire = FakeSocket(played.most_read, played.spring)
        self.peer = Peer(not played.is_client)
        self.transport = make(factory, self.endpoint)
        kind = SocketFloor if played.on_socket else MemoryFloor
        self.floor: Any = kind(reactor, self.transport, self.wire)
        self.is_cut = self.is_peer_closed = self.is_peer_broken = False
        self._asked = self._records = 0
        self.outcome = Outcome()

    def run(self) -> Outcome:
        """Run all of it, and then the end that every connection has."""
        self.transport.makeConnection(self.floor)
        self._over()
        for step in self.played.steps:
            self.play(step)
            self._over()
        self._finish()
        return self.outcome

    def play(self, step: Step) -> None:
        """Do one step; whatever follows from it happens when the reactor turns."""
        kind, rest = step[0], step[1:]
        own = getattr(self, f"_play_{kind}", None)
        if own is not None:
            own(*rest)
        else:
            self.endpoint.do(step)

    # what the peer does

    def _play_shake(self) -> None:
        for _ in range(4):
            self._play_deliver("all")
            self.reactor.turn()
            self._play_drain("all")

    def _play_send(self, sizes: tuple[int, ...], at: int, step: Step) -> None:
        self.peer.when_shaken(lambda: self._send(sizes, at, step))

    def _send(self, sizes: tuple[int, ...], at: int, step: Step) -> None:
        if at >= 0:
            self.endpoint.reactions.append((self._asked + at, step))
        self._asked += sum(sizes)
        for size in sizes:
            self._records += 1
            self.peer.send(size, -self._records)

    def _play_close(self) -> None:
        self.is_peer_closed = True
        self.peer.when_shaken(self.peer.close)

    def _play_garbage(self, data: bytes) -> None:
        self.is_peer_broken = True
        self.peer.garble(data)

    def _play_tamper(self) -> None:
        if self.peer.wire:
            self.is_peer_broken = True
            self.peer.wire[-1] ^= 1

    # what the network does

    def _play_deliver(self, piece: int | str) -> None:
        waiting = len(self.peer.wire)
        record = self.peer.records[0] if self.peer.records else 0
        sizes = {
            "all": waiting,
            "all but one": max(waiting - 1, 0),
            "record": record,
            "record and one": record + 1,
        }
        data = self.peer.take(sizes[piece] if isinstance(piece, str) else piece)
        if not self.is_cut:
            self.wire.incoming += data

    def _play_drain(self, size: int | str) -> None:
        """The peer reads; there is room again for as much."""
        many = len(self.wire.outgoing) if isinstance(size, str) else size
        data = bytes(self.wire.outgoing[:many])
        del self.wire.outgoing[:many]
        self.wire.room += len(data)
        self.peer.feed(data)

    def _play_room(self, size: int) -> None:
        self.wire.room = size

    def _play_end(self) -> None:
        self._cut()
        self.wire.is_ended = True

    def _play_reset(self) -> None:
        self._cut()
        self.wire.is_reset = True
        self.wire.incoming.clear()

    def _cut(self) -> None:
        self.is_cut = self.endpoint.breaks_off = True

    # comparing

    def _over(self) -> None:
        """A step is over: let all happen that can, and note what there is to see."""
        self.reactor.turn()
        endpoint = self.endpoint
        waits = self.floor in self.reactor.writers or "handshake" not in endpoint.events
        endpoint.check_producer(waits or self.wire.is_ended)
        raised = [type(error).__name__ for error in self.reactor.raised]
        self.outcome.states.append(
            State(
                list(endpoint.events),
                b"".join(endpoint.received),
                bytes(endpoint.written),
                bytes(self.peer.received),
                self.peer.end,
                raised,
                is_broken_off=endpoint.breaks_off,
                is_cut_short=endpoint.is_cut_short and not self.is_peer_closed,
                is_aborted=endpoint.is_aborted,
                is_closed_twice=endpoint.is_closed_twice,
                is_written_after_close=endpoint.is_written_after_close,
                is_peer_closed=self.is_peer_closed,
                is_peer_broken=self.is_peer_broken,
                is_quiet=not self.wire.outgoing and self.wire.room > 0,
            )
        )

    def _finish(self) -> None:
        """Everything flows; then both close; then the network is gone."""
        self.wire.room = 1 << 62
        self.endpoint.do(("resume",))
        for close in (None, ("unregister",), ("lose",)):
            if close is not None:
                self.endpoint.do(close)
            self._flow()
        self._play_close()
        self._flow()
        self._play_end()
        self.play(("resume",))
        self._over()
        if not self.endpoint.is_lost:  # it may have paused; a real network gives up in the end
            self.floor.connectionLost(Failure(TimeoutError()))
            self._over()
        endpoint = self.endpoint
        self.outcome.faults = endpoint.faults
        self.reactor.raised.clear()
        if left := self.reactor.removeAll():
            self.outcome.faults.append(f"{left} is still with the reactor")
        if left := [call for call in self.reactor.getDelayedCalls() if call.active()]:
            self.outcome.faults.append(f"{left} is still to be called")
        if not self.wire.is_closed:
            self.outcome.faults.append("the socket is still open")

    def _flow(self) -> None:
        for _ in range(8):
            self._play_deliver("all")
            self.reactor.turn()
            self._play_drain("all")
        self._over()


_REACTOR = TurnedReactor()
#: How often a pull producer is asked in one turn of the reactor, at the most.
_PULLS = 100


def _slice() -> Callable[[], bool]:
    """When a cooperator has worked enough. Twisted's asks the wall clock, so it varies."""
    pulls = count(1)
    return lambda: next(pulls) >= _PULLS


def run(played: Sequence, make: Make) -> Outcome:
    """Run a sequence over the transports that `make` makes."""
    helpers: Any = _producer_helpers
    before = helpers.cooperate
    own = Cooperator(_slice, lambda work: _REACTOR.callLater(AT_ONCE, work))
    helpers.cooperate = own.cooperate
    try:
        return Run(played, make, _REACTOR).run()
    finally:
        helpers.cooperate = before


#: Twisted's own, which are the reference: with and without small writes waiting for each other.
STOCK: tuple[Make, ...] = (TLSMemoryBIOProtocol, BufferingTLSTransport)


def check(seed: int, makes: dict[str, Make]) -> str:
    """Run a seed over Twisted's transports and these; say what is wrong with which, or nothing.

    An outcome is good if it is that of either of Twisted's own.
    """
    return check_sequence(sequence(seed), makes)


def check_sequence(played: Sequence, makes: dict[str, Make]) -> str:
    """Run a sequence over Twisted's transports and these; say what is wrong with which."""
    references: list[Outcome] = []
    for name, make in makes.items():
        outcome = run(played, make)
        found: list[str] = []
        for position, stock in enumerate(STOCK):
            if position == len(references):
                references.append(run(played, stock))
            found = list(differences(played, references[position], outcome))
            if not found:
                break
        else:
            return f"{name}: {played}\n  " + "\n  ".join(found[:4])
    return ""


def simplest(played: Sequence, makes: dict[str, Make]) -> str:
    """Leave out of a sequence that fails whatever it fails without; say what is wrong then."""
    steps, found = list(played.steps), check_sequence(played, makes)
    for at in reversed(range(len(steps))):
        shorter = replace(played, steps=(*steps[:at], *steps[at + 1 :]))
        if again := check_sequence(shorter, makes):
            del steps[at]
            played, found = shorter, again
    return found


def main(arguments: list[str]) -> int:
    """Run sequences over ours, and print those that fail: 1 if there are any."""
    count, first = (int(one) for one in (*arguments, "0")[:2])
    failed = 0
    for seed in range(first, first + count):
        if check(seed, OURS):
            failed += 1
            print(simplest(sequence(seed), OURS), flush=True)
    print(f"{count} sequences from {first} over {', '.join(OURS)}: {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
