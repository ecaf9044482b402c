"""Compares what came of one sequence over two TLS transports, of which one is Twisted's.

What may differ, and only that:

- *How many bytes one `dataReceived` has.* The protocol here counts bytes, and reacts at a byte.
- *What the protocol gets after its own abort, or after it has raised.* It ignores that.
- *When small writes leave within a turn of the reactor, and in how many records.* States are
  compared when each step is over, and what the peer has when nothing is on the way to it.
- *On a socket, when a producer is paused.* A transport that sends at once keeps fewer bytes for
  the reactor than one that does not, so it pauses later. `Endpoint` checks what must hold anyway:
  a pause and a resumption take turns, and whoever is paused will be resumed.
- *On a socket, how much of the last bytes leaves before the connection breaks off*: by our abort,
  an exception, a reset, or an end that comes while bytes wait. One peer then has what the other
  has, and perhaps more.
- *What `ALLOWANCES` say.* Each takes a state of the reference and one of the transport under test,
  and returns what the reference might as well have done in this one case, or the state as it is.
  What differs from that is a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import takewhile, zip_longest
from typing import Any

from securecom.tests.support.tls_ends import CLOSE
from securecom.tests.support.tls_sequences import Sequence

_ABORTED, _LOST, _DONE = (("lost", f"Connection{how}", ()) for how in ("Aborted", "Lost", "Done"))

_SHAKEN, _WAITS = "handshake", [("producer", "pause"), ("producer", "resume")]


@dataclass
class State:
    """What there is to see when a step is over."""

    events: list[Any]
    received: bytes
    #: What the protocol has written, and what its peer has decrypted.
    written: bytes
    sent: bytes
    peer_end: str
    raised: list[str]
    is_broken_off: bool
    #: The protocol has aborted, and nobody had closed before.
    is_cut_short: bool
    #: It has done so inside `dataReceived`.
    is_aborted: bool
    #: It has closed, and then unregistered a producer, for which Twisted closes TLS again.
    is_closed_twice: bool
    #: It has closed, and then written, which only a producer may.
    is_written_after_close: bool
    #: The peer has closed TLS; it, or the network, has broken a record.
    is_peer_closed: bool
    is_peer_broken: bool
    #: Nothing is on its way to the peer.
    is_quiet: bool

    @property
    def end(self) -> Any:
        """How `connectionLost` was called, or None."""
        return self.events[-1] if self.events and self.events[-1][0] == "lost" else None


@dataclass
class Outcome:
    """What came of a sequence."""

    states: list[State] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


# --- what the reference might as well have done ---------------------------------------------


def in_order(old: State, new: State) -> State:
    """Twisted sends what is written in `handshakeCompleted` before what waited for that moment.

    It keeps the order where all of it is gathered for a turn of the reactor. Ours always does, and
    so its producer is paused for a moment.
    """
    if _SHAKEN in new.events:
        at = new.events.index(_SHAKEN) + 1
        without = [*new.events[:at], *new.events[at + len(_WAITS) :]]
        if new.events[at : at + len(_WAITS)] == _WAITS and without == old.events:
            old = replace(old, events=new.events)
    if old.written.startswith(old.sent) or not new.written.startswith(new.sent):
        return old
    return replace(old, sent=new.written[: len(old.sent)])


def aborted(old: State, new: State) -> State:
    """The reason after an own abort in a read that brought more bytes, a close or a broken record.

    Twisted looks at the rest after the abort, ours has before, and each tells what it saw. The
    protocol has had its reason to abort.
    """
    if not (old.is_aborted and new.is_aborted and old.end and new.end):
        return old
    is_abort = new.end in (_ABORTED, _LOST) or (new.is_peer_broken and new.end[1] == "Error")
    return replace(old, events=[*old.events[:-1], new.end]) if is_abort else old


def answered(old: State, new: State) -> State:
    """A record is broken, and those before it in the same read were answered.

    OpenSSL encrypts nothing once it has found the broken one, neither answer nor close. So the peer
    that sent it gets an alert, and of the answers fewer; and for these nothing waits to be over.
    """
    if not new.is_peer_broken or not new.end or new.end[1] != "Error":
        return old
    if not old.sent.startswith(new.sent):
        return old
    if old.events == new.events[:-1] and new.sent != new.written:
        return replace(old, events=new.events, sent=new.sent, peer_end=new.peer_end)
    if old.events != new.events:
        return old
    is_alert = old.peer_end == CLOSE and "alert" in new.peer_end
    return replace(old, sent=new.sent, peer_end=new.peer_end if is_alert else old.peer_end)


def wrote_after_closing(old: State, new: State) -> State:
    """Writing after closing (a producer may) ends the connection in OpenSSL's "is shutdown".

    Twisted drops the records behind the one in whose call that was. Ours come in the same call.
    """
    if not old.is_written_after_close or not new.received.startswith(old.received):
        return old
    if new.end and "protocol is shutdown" not in str(new.end):
        return old
    later = [one for one in new.events if one[0] == "at" and one[1] > len(old.received)]
    if [one for one in new.events if one not in later] != old.events:
        return old
    return replace(old, events=new.events, received=new.received)


def closed_twice(old: State, new: State) -> State:
    """Twisted closes TLS a second time, and OpenSSL then reads the peer's records as a mistake.

    Bytes and connection are lost, if there are any in the same read. Ours has read them before.
    """
    is_so = old.is_closed_twice and old.end == _LOST and not old.is_peer_broken
    if not is_so or not new.received.startswith(old.received):
        return old
    before = old.events[:-1]
    is_error = new.end and new.end[1] == "Error"
    if is_error or new.events[: len(before)] != before:
        return old
    return replace(old, events=new.events, received=new.received, raised=new.raised)


def ended_at_once(old: State, new: State) -> State:
    """TLS is over while bytes wait. Twisted's TCP then waits for the paused producer to unregister.

    It may write nothing any more, so with ours the connection ends when all has left.
    """
    pairs = zip(old.events, new.events, strict=False)
    common = len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
    rest = [event for event in old.events[common:] if event[0] != "producer"]
    own = [event for event in new.events[common:] if event[0] != "producer"]
    is_over = (new.is_peer_closed or new.is_peer_broken) and ("producer", "stop") in new.events
    if not is_over or len(own) != 1 or own[0] != new.end or rest not in ([], own):
        return old
    return replace(old, events=new.events)


def paused_longer(old: State, new: State) -> State:
    """On a socket Twisted's producer is paused longer, and kept some bytes when TLS was over.

    Ours has sent all that its own has written.
    """
    is_over = old.end or new.end
    if not is_over or new.sent != new.written or not new.sent.startswith(old.sent):
        return old
    return replace(old, sent=new.sent)


ALLOWANCES: tuple[Callable[[State, State], State], ...] = (
    in_order,
    ended_at_once,
    paused_longer,
    aborted,
    answered,
    wrote_after_closing,
    closed_twice,
)


# --- comparing ------------------------------------------------------------------------------


def differences(played: Sequence, reference: Outcome, other: Outcome) -> Iterator[str]:
    """What two outcomes of one sequence have that differs beyond what may."""
    yield from other.faults
    for number, (old, new) in enumerate(zip_longest(reference.states, other.states)):
        if old is None or new is None:
            yield f"step {number}: one has more steps than the other"
            return
        if old == new:
            continue
        where, might = f"after step {number}", _allowed(old, new)
        if might.events != new.events:
            yield f"{where}: events {new.events}, not {might.events}"
        if might.received != new.received:
            has, lacks = len(new.received), len(might.received)
            yield f"{where}: received {has} bytes, not {lacks}, or others"
        if might.raised != new.raised:
            yield f"{where}: raised {new.raised}, not {might.raised}"
        yield from (f"{where}: {what}" for what in _at_the_peer(played, might, new))


def _allowed(old: State, new: State) -> State:
    """What the reference might have done that comes next to what the other did."""
    for allowance in ALLOWANCES:
        old = allowance(old, new)
    return old


def _at_the_peer(played: Sequence, old: State, new: State) -> Iterator[str]:
    has, lacks = f"the peer has {len(new.sent)} bytes", f"{len(old.sent)}"
    if not (new.sent.startswith(old.sent) or old.sent.startswith(new.sent)):
        yield f"{has}, which are not those of the reference"
    elif not (old.is_quiet and new.is_quiet):
        return  # how bytes are cut into records decides what a peer has that reads slowly
    elif played.on_socket and old.is_broken_off:
        if len(new.sent) < len(old.sent):
            yield f"{has}, fewer than {lacks}"
        if new.is_cut_short and new.peer_end == CLOSE:
            yield "to the peer an abort looks like a close"
    elif (old.sent, old.peer_end) != (new.sent, new.peer_end):
        yield f"{has} and {new.peer_end!r}, not {lacks} and {old.peer_end!r}"
