"""Fresh keys for a long chat: from one epoch to the next, again and again.

    awaiting_chat -> at_rest -> awaiting_handshake -> awaiting_hello -> awaiting_switch -> at_rest
    everything -> over

Inputs are classified before they come here: a HELLO is good, or it is misbehaviour. Only a caller
is ever `due`, and only a callee sees `peer_began`. What is out of turn ends the chat.

The next epoch's handshake goes through the present one, in frames of the epoch lane, so the server
can neither see nor change it. Each side then proves, under a key that only the present epoch gives,
that it is the same peer; then each direction changes over behind its SWITCH.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol, cast

from automat import TypeMachineBuilder
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from securecom import framing, limits, peers, tls, vocabulary
from securecom.client.chat.agreement import Agreement, Role
from securecom.client.chat.epochs import Epoch, EpochOver, Epochs
from securecom.client.denials import denied
from securecom.connection import Connection
from securecom.errors import NotRekeyed, ProofRefused, SecurecomError, TLSRefused, WireError
from securecom.identity import Identity, SecondKey
from securecom.machines import lasting


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
        """The peer says nothing more in the present epoch."""

    def misbehaved(self, error: Exception) -> None:
        """The peer broke the protocol."""

    def late(self) -> None:
        """The rekey took too long, or none came before the keys were worn out."""

    def chat_over(self) -> None:
        """The chat is over, for whatever reason."""


class RekeyActions(Protocol):
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


builder = TypeMachineBuilder(RekeyLife, RekeyActions)  # type: ignore[type-abstract]
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
def _rest(_: RekeyLife, rekeying: RekeyActions) -> None:
    rekeying.rest()


@at_rest.upon(RekeyLife.due).to(awaiting_handshake)
@at_rest.upon(RekeyLife.peer_began).to(awaiting_handshake)
def _open_next(_: RekeyLife, rekeying: RekeyActions) -> None:
    rekeying.open_next()


@awaiting_handshake.upon(RekeyLife.handshake_done).to(awaiting_hello)
def _vouch(_: RekeyLife, rekeying: RekeyActions) -> None:
    rekeying.vouch()


@awaiting_hello.upon(RekeyLife.good_hello).to(awaiting_switch)
def _switch(_: RekeyLife, rekeying: RekeyActions) -> None:
    rekeying.switch()


@awaiting_switch.upon(RekeyLife.peer_switched).to(at_rest)
def _settle(_: RekeyLife, rekeying: RekeyActions) -> None:
    rekeying.settle()


# --- ends -----------------------------------------------------------------------------------


def _fail(_: RekeyLife, rekeying: RekeyActions, error: Exception) -> None:
    rekeying.stop()
    rekeying.fail(error)


def _fail_late(_: RekeyLife, rekeying: RekeyActions) -> None:
    rekeying.stop()
    rekeying.fail(NotRekeyed("its keys could not be renewed in time"))


def _fail_began(_: RekeyLife, rekeying: RekeyActions) -> None:
    rekeying.stop()
    rekeying.fail(WireError("a rekey before the chat stood"))


def _fail_hello(_: RekeyLife, rekeying: RekeyActions) -> None:
    rekeying.stop()
    rekeying.fail(WireError("a HELLO out of turn"))


def _fail_switch(_: RekeyLife, rekeying: RekeyActions) -> None:
    rekeying.stop()
    rekeying.fail(WireError("a SWITCH out of turn"))


def _stop(_: RekeyLife, rekeying: RekeyActions) -> None:
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


def _mend(life: RekeyLife, rekeying: RekeyActions, error: SecurecomError) -> None:
    try:
        life.misbehaved(error)
    finally:  # it may be the end that raised
        rekeying.stop()
        rekeying.fail(error)


#: The life of a chat's keys, before the chat stands.
begin = lasting(machine, _mend)


# --- what the transitions do ------------------------------------------------------------------


class Rekeying:
    """The caller starts it, by its own clock and counters; the callee goes along.

    The callee's counters run ahead of the caller's by what is under way at most, which is far from
    the hard stop: so the callee never needs to ask. It only stops a chat whose caller never starts.
    """

    def __init__(
        self, agreement: Agreement, session: Connection, epochs: Epochs, clock: IReactorTime
    ) -> None:
        self._agreement, self._session = agreement, session
        self._epochs, self._clock = epochs, clock
        self._life: RekeyLife = begin(self)
        #: Ours, from when the chat's stream is open.
        self.identity: Identity | None = None
        self._next: Epoch | None = None
        self._timers: list[IDelayedCall] = []
        self._rested = -math.inf  # since when the present epoch has served; before: never

    def begin(self) -> None:
        """The chat stands."""
        self._epochs.on_worn = self._worn
        self._life.stood()

    def end(self) -> None:
        """The chat is over."""
        self._life.chat_over()

    # --- what the peer says -----------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """Bytes of the next epoch came. :raises PeerFault: if they may not."""
        if self._next is None:
            self._check_may_begin()
        self._life.peer_began()
        if self._next is not None:
            self._feed(self._next, data)

    def hello(self, proof: bytes, second_key: SecondKey, signature: bytes) -> None:
        """The peer vouches for the next epoch. :raises ProofRefused: if it does not."""
        following = self._next
        if following is None or not following.is_open:
            raise ProofRefused("a HELLO for no epoch")
        key, role = self._agreement.peer_key, self._agreement.peer_role
        if peers.peer_key(following.tls) != key.first:
            raise ProofRefused("the peer's key is not the one of the chat")
        if not peers.same(proof, self._proof(following, role)):
            raise ProofRefused("the peer of the next epoch is not the one of this")
        peers.check_second(key, second_key, signature, self._said(following, role), peers.REKEY)
        self._life.good_hello()

    def peer_switched(self) -> None:
        """The peer says nothing more in this epoch."""
        self._life.peer_switched()

    # --- what transitions do (RekeyActions) -------------------------------------------------

    def rest(self) -> None:
        """Only a caller will be due."""
        self._rested = self._clock.seconds()
        self._after(limits.EPOCH_SECONDS, self._life.late)
        if self._agreement.role == "caller":
            self._after(limits.REKEY_AFTER, self._life.due)

    def open_next(self) -> None:
        """The caller has bytes to send at once."""
        self._after(limits.REKEY_DEADLINE, self._life.late)
        self._next = self._epochs.fresh()
        self._send(self._next)

    def vouch(self) -> None:
        """In the present epoch, about the next."""
        role, identity = self._agreement.role, cast(Identity, self.identity)
        said = self._said(self._following, role)
        self._session.control.call(
            vocabulary.Hello,
            proof=self._proof(self._following, role),
            second_key=identity.second_key,
            signature=identity.sign_second(said, peers.REKEY),
        ).addErrback(self._not_taken)

    def switch(self) -> None:
        """SWITCH is the last thing sealed in the present epoch."""
        self._session.control.tell(vocabulary.Switch)
        self._epochs.seal_in(self._following)

    def settle(self) -> None:
        """The old epoch has no more references, from here or from `Epochs`."""
        self._epochs.open_in(self._following)
        self._next = None
        self._cancel_timers()
        self.rest()

    def fail(self, error: Exception) -> None:
        """Cut off, and why."""
        self._session.fault(error)

    def stop(self) -> None:
        """Also when it was under way."""
        self._cancel_timers()
        self._next = None

    # --- insides ----------------------------------------------------------------------------

    @property
    def _following(self) -> Epoch:
        return cast(Epoch, self._next)  # in the states that ask there is one

    def _check_may_begin(self) -> None:
        """What the caller counted before it began has come by now: our count is no smaller."""
        if self._agreement.role == "caller":
            raise WireError("a rekey that only the caller may begin")
        served = self._clock.seconds() - self._rested
        count = self._epochs.present.bytes_so_far
        if served < limits.REKEY_LEAST and count < limits.REKEY_BYTES:
            raise WireError("a rekey that comes too soon")

    def _worn(self, epoch: Epoch) -> None:
        if epoch.bytes_so_far > limits.EPOCH_BYTES:
            self._life.misbehaved(NotRekeyed("its keys were used for as much as they may"))
        elif epoch.bytes_so_far >= limits.REKEY_BYTES and self._agreement.role == "caller":
            self._life.due()

    def _feed(self, epoch: Epoch, data: bytes) -> None:
        was_open = epoch.is_open
        try:
            if not data or epoch.feed(data):
                raise WireError("bytes of an epoch that nobody switched to")
            if epoch.is_open and not was_open:
                tls.check_handshake(epoch.tls, frozenset({tls.ALPN_CHAT}))
        except EpochOver:
            raise TLSRefused("the handshake of a rekey failed") from None
        self._send(epoch)
        if epoch.is_open and not was_open:
            self._life.handshake_done()

    def _send(self, epoch: Epoch) -> None:
        data = epoch.take()
        if data:
            self._session.send(framing.encode(framing.EPOCH, data))

    def _proof(self, following: Epoch, role: Role) -> bytes:
        secret = peers.chat_rekey(self._epochs.present.tls)
        binding = peers.chat_binding(following.tls)
        return self._agreement.rekey_hello(secret, following.number, binding, role)

    def _said(self, following: Epoch, role: Role) -> bytes:
        binding = peers.chat_binding(following.tls)
        return self._agreement.rekey_said(following.number, binding, role)

    def _not_taken(self, failure: Failure) -> None:
        if not failure.check(ConnectionLost):
            error = denied(failure, vocabulary.Hello, sent="our HELLO for new keys").value
            self._life.misbehaved(cast(Exception, error))

    def _after(self, seconds: float, event: Callable[[], None]) -> None:
        self._timers.append(self._clock.callLater(seconds, event))

    def _cancel_timers(self) -> None:
        timers, self._timers = self._timers, []
        for timer in timers:
            if timer.active():
                timer.cancel()
