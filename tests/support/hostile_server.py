"""A securecom server that has turned against its users:

`python -m tests.support.hostile_server HOW …`.

It is twistd with the rest of the command line, and with one thing done differently. It behaves
until it gets SIGUSR1, and says "armed" in its log then. It logs when it meddles, and every run of
frames that it relays, by length only.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.scripts.twistd import run

from securecom import framing, vocabulary
from securecom.identity import Identity, Name, PublicKey
from securecom.server.local_switchboard import LocalSwitchboard
from securecom.server.relay import Leg, Relay
from securecom.server.session import Session
from securecom.server.switchboard import Answer, Opened
from securecom.signals import on_signal

_log = Logger()
_armed: list[bool] = []
_relay = Relay.forward
_request = LocalSwitchboard.request
_offer = Session.offer

#: The relay, the sender's leg, whole frames -> what is sent on instead.
Meddling = Callable[[Relay, Leg, bytes], list[bytes]]


def _arm() -> None:
    _armed.append(True)
    _log.info("armed")


def _once() -> bool:
    """Armed, for this one time."""
    if not _armed:
        return False
    _log.info("meddled")
    return _armed.pop()


# --- the relay ------------------------------------------------------------------------------

_kept: list[tuple[Leg, bytes]] = []


def flip(_relay: Relay, _source: Leg, raw: bytes) -> list[bytes]:
    """One bit of the next run is another one."""
    return [raw[:-1] + bytes([raw[-1] ^ 1])] if _once() else [raw]


def drop(_relay: Relay, _source: Leg, raw: bytes) -> list[bytes]:
    """The next run is lost."""
    return [] if _once() else [raw]


def double(_relay: Relay, _source: Leg, raw: bytes) -> list[bytes]:
    """The next run comes twice."""
    return [raw, raw] if _once() else [raw]


def swap(_relay: Relay, source: Leg, raw: bytes) -> list[bytes]:
    """The next run comes after the one behind it."""
    if _once():
        _kept.append((source, raw))
        return []
    if _kept and _kept[0][0] is source:
        return [raw, _kept.pop()[1]]
    return [raw]


def add(relay: Relay, _source: Leg, raw: bytes) -> list[bytes]:
    """Something is put in front of the next run: a TLS record that is none."""
    forged = framing.encode_chat(relay.stream, b"\x17\x03\x03\x00\x20" + bytes(32))
    return [forged, raw] if _once() else [raw]


def reflect(_relay_: Relay, source: Leg, raw: bytes) -> list[bytes]:
    """The next run comes back to its sender."""
    if not _once():
        return [raw]
    source.send(raw)
    return []


def hang_up(relay: Relay, source: Leg, raw: bytes) -> list[bytes]:
    """Both are told that the chat is over, without a word of either."""
    if not _once():
        return [raw]
    for leg in list(relay._other):
        leg.control.tell(vocabulary.StreamClosed, stream=relay.stream)  # type: ignore[attr-defined]
    return []


def _meddle(meddling: Meddling) -> None:
    runs = count(1)  # each line differs from the last: a repeated line would only be counted

    def forward(relay: Relay, source: Leg, raw: bytes) -> None:
        for one in meddling(relay, source, raw):
            _log.info("relayed {count} bytes, run {run}", count=len(one), run=next(runs))
            _relay(relay, source, one)

    Relay.forward = forward  # type: ignore[method-assign, assignment]
    # Nothing passes by us: transports splice only with a leg that they are told of.
    Relay.beyond = lambda _relay, _leg: None  # type: ignore[method-assign, assignment]


def _as_it_is(_relay: Relay, _source: Leg, raw: bytes) -> list[bytes]:
    return [raw]


# --- names and keys -------------------------------------------------------------------------


def lie_to_caller() -> None:
    """Callers get a key of the server's own for the callee's."""
    false = Identity.generate().public_key

    def lie(opened: Opened) -> Opened:
        return replace(opened, key=false) if _armed else opened

    def request(board: LocalSwitchboard, caller: Any, callee: Name, *more: Any) -> Deferred[Opened]:
        return _request(board, caller, callee, *more).addCallback(lie)

    LocalSwitchboard.request = request  # type: ignore[method-assign, assignment]


def lie_to_callee() -> None:
    """Callees get a key of the server's own for the caller's."""
    false = Identity.generate().public_key

    def offer(
        session: Session, chat: bytes, caller: Name, key: PublicKey, *rest: Any
    ) -> Deferred[Answer]:
        return _offer(session, chat, caller, false if _armed else key, *rest)

    Session.offer = offer  # type: ignore[method-assign, assignment]


def lead_to_carol() -> None:
    """Who asks bob gets carol, her key under bob's name."""

    def request(board: LocalSwitchboard, caller: Any, callee: Name, *more: Any) -> Deferred[Opened]:
        asked = Name("carol") if callee == "bob" else callee
        return _request(board, caller, asked, *more)

    LocalSwitchboard.request = request  # type: ignore[method-assign, assignment]


def call_alice_carol() -> None:
    """Whom alice asks is told that it is carol, with alice's key."""

    def offer(session: Session, chat: bytes, caller: Name, *rest: Any) -> Deferred[Answer]:
        return _offer(session, chat, Name("carol") if caller == "alice" else caller, *rest)

    Session.offer = offer  # type: ignore[method-assign, assignment]


RELAYS: dict[str, Meddling] = {
    one.__name__: one for one in (flip, drop, double, swap, add, reflect, hang_up)
}
LIES: dict[str, Callable[[], None]] = {
    one.__name__: one for one in (lie_to_caller, lie_to_callee, lead_to_carol, call_alice_carol)
}


if __name__ == "__main__":
    how = sys.argv.pop(1)
    _meddle(RELAYS.get(how, _as_it_is))
    if how not in RELAYS:
        LIES[how]()
    on_signal(reactor, signal.SIGUSR1, _arm)
    run()
