"""The life of rekeying: from one epoch of a chat to the next, again and again.

    awaiting_chat -> at_rest -> awaiting_handshake -> awaiting_hello -> awaiting_switch -> at_rest
    everything -> over

The peer's words come here classified: a HELLO is good or it is misbehaviour. Only a caller is ever
`due`, and only a callee sees that the `peer_began`. What is out of turn ends the chat.
"""

from __future__ import annotations

from typing import Protocol

from automat import TypeMachineBuilder

from securecom.errors import NotRekeyed, WireError


class RekeyLife(Protocol):
    """What can happen."""

    def stood(self) -> None:
        """The chat stands, in its first epoch."""

    def due(self) -> None:
        """The present epoch has served for its time, or its bytes."""

    def peer_began(self) -> None:
        """The caller sent the first bytes of the next epoch."""

    def handshake_done(self) -> None:
        """The next epoch is open: the peer holds the expected key."""

    def good_hello(self) -> None:
        """The peer of the present epoch vouches for the next one."""

    def peer_switched(self) -> None:
        """The peer's last word in the present epoch."""

    def misbehaved(self, error: Exception) -> None:
        """The peer did what may not be."""

    def late(self) -> None:
        """The rekey took too long, or none came before the keys were worn out."""

    def chat_over(self) -> None:
        """The chat is over, for whatever reason."""


class Actions(Protocol):
    """What transitions do."""

    def rest(self) -> None:
        """Count the time of the present epoch."""

    def open_next(self) -> None:
        """Begin our part of the next epoch's handshake."""

    def vouch(self) -> None:
        """Send HELLO for the next epoch."""

    def switch(self) -> None:
        """Send SWITCH; what we say next is in the next epoch."""

    def settle(self) -> None:
        """What the peer says next is in the next epoch too: forget the old one."""

    def fail(self, error: Exception) -> None:
        """The chat cannot go on."""

    def stop(self) -> None:
        """Nothing is counted any more, the next epoch is forgotten."""


builder = TypeMachineBuilder(RekeyLife, Actions)  # type: ignore[type-abstract]
awaiting_chat = builder.state("awaiting_chat")
at_rest = builder.state("at_rest")
awaiting_handshake = builder.state("awaiting_handshake")
awaiting_hello = builder.state("awaiting_hello")
awaiting_switch = builder.state("awaiting_switch")
over = builder.state("over")

_under_way = (awaiting_handshake, awaiting_hello, awaiting_switch)
_living = (awaiting_chat, at_rest, *_under_way)
_all = (*_living, over)

# --- from one epoch to the next -------------------------------------------------------------


@awaiting_chat.upon(RekeyLife.stood).to(at_rest)
def _rest(_: RekeyLife, rekeying: Actions) -> None:
    rekeying.rest()


@at_rest.upon(RekeyLife.due).to(awaiting_handshake)
@at_rest.upon(RekeyLife.peer_began).to(awaiting_handshake)
def _open_next(_: RekeyLife, rekeying: Actions) -> None:
    rekeying.open_next()


@awaiting_handshake.upon(RekeyLife.handshake_done).to(awaiting_hello)
def _vouch(_: RekeyLife, rekeying: Actions) -> None:
    rekeying.vouch()


@awaiting_hello.upon(RekeyLife.good_hello).to(awaiting_switch)
def _switch(_: RekeyLife, rekeying: Actions) -> None:
    rekeying.switch()


@awaiting_switch.upon(RekeyLife.peer_switched).to(at_rest)
def _settle(_: RekeyLife, rekeying: Actions) -> None:
    rekeying.settle()


# --- ends -----------------------------------------------------------------------------------


def _fail(_: RekeyLife, rekeying: Actions, error: Exception) -> None:
    rekeying.stop()
    rekeying.fail(error)


def _fail_late(_: RekeyLife, rekeying: Actions) -> None:
    rekeying.stop()
    rekeying.fail(NotRekeyed("its keys could not be renewed in time"))


def _fail_began(_: RekeyLife, rekeying: Actions) -> None:
    rekeying.stop()
    rekeying.fail(WireError("a rekey before the chat stood"))


def _fail_hello(_: RekeyLife, rekeying: Actions) -> None:
    rekeying.stop()
    rekeying.fail(WireError("a HELLO out of turn"))


def _fail_switch(_: RekeyLife, rekeying: Actions) -> None:
    rekeying.stop()
    rekeying.fail(WireError("a SWITCH out of turn"))


def _stop(_: RekeyLife, rekeying: Actions) -> None:
    rekeying.stop()


awaiting_chat.upon(RekeyLife.peer_began).to(over)(_fail_began)
for _state in _living:
    _state.upon(RekeyLife.misbehaved).to(over)(_fail)
    _state.upon(RekeyLife.late).to(over)(_fail_late)
    _state.upon(RekeyLife.chat_over).to(over)(_stop)
    if _state is not awaiting_hello:
        _state.upon(RekeyLife.good_hello).to(over)(_fail_hello)
    if _state is not awaiting_switch:
        _state.upon(RekeyLife.peer_switched).to(over)(_fail_switch)

# --- what changes nothing -------------------------------------------------------------------

for _state in _all:
    if _state is not awaiting_chat:
        _state.upon(RekeyLife.stood).loop().returns(None)
    if _state is not at_rest:
        _state.upon(RekeyLife.due).loop().returns(None)
    if _state not in (awaiting_chat, at_rest):
        _state.upon(RekeyLife.peer_began).loop().returns(None)
    if _state is not awaiting_handshake:
        _state.upon(RekeyLife.handshake_done).loop().returns(None)
for _late in (
    RekeyLife.good_hello,
    RekeyLife.peer_switched,
    RekeyLife.misbehaved,
    RekeyLife.late,
    RekeyLife.chat_over,
):
    over.upon(_late).loop().returns(None)

machine = builder.build()
