"""Fresh keys for a long chat: when, and step by step.

The next epoch's handshake goes through the present one, in frames of the epoch lane, so the server
can neither see nor touch it. Each side then proves, under a key that only the present epoch gives,
that it is the same peer; then each direction changes over behind its SWITCH.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol, cast

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from securecom import commands, framing, limits, peers, proofs, tls
from securecom.client.chat import rekey_life
from securecom.client.chat.agreement import Agreement, Role
from securecom.client.chat.epoch import Epoch, EpochOver
from securecom.client.chat.epochs import Epochs
from securecom.client.chat.rekey_life import RekeyLife
from securecom.control import ControlLane
from securecom.errors import NotRekeyed, ProofRefused, TLSRefused, WireError


class Session(Protocol):
    """The chat whose keys these are."""

    control: ControlLane

    def send(self, frame: bytes) -> None:
        """Say it in the present epoch."""

    def fault(self, error: Exception) -> None:
        """End the chat at once."""


class Rekeying:
    """The caller starts it, by its own clock and counters; the callee goes along.

    The callee's counters run ahead of the caller's by what is under way at most, which is far from
    the hard stop: so the callee never needs to ask. It only stops a chat whose caller never starts.
    """

    def __init__(
        self, agreement: Agreement, session: Session, epochs: Epochs, clock: IReactorTime
    ) -> None:
        self._agreement, self._session = agreement, session
        self._epochs, self._clock = epochs, clock
        self._life: RekeyLife = rekey_life.machine(self)
        self._next: Epoch | None = None
        self._timers: list[IDelayedCall] = []
        self._rested = -math.inf  # since when the present epoch has served; before: never

    def begin(self) -> None:
        """The chat stands."""
        self._epochs.on_bytes = self._count
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

    def hello(self, proof: bytes) -> None:
        """The peer vouches for the next epoch. :raises ProofRefused: if it does not."""
        following = self._next
        if following is None or not following.is_open:
            raise ProofRefused("a HELLO for no epoch")
        if peers.peer_key(following.tls) != self._agreement.peer_key:
            raise ProofRefused("the peer's key is not the one of the chat")
        if not proofs.same(proof, self._proof(following, self._agreement.peer_role)):
            raise ProofRefused("the peer of the next epoch is not the one of this")
        self._life.good_hello()

    def peer_switched(self) -> None:
        """The peer's last word in this epoch."""
        self._life.peer_switched()

    # --- what transitions do (rekey_life.Actions) -------------------------------------------

    def rest(self) -> None:
        """Only a caller will be due."""
        self._rested = self._clock.seconds()
        self._after(limits.EPOCH_SECONDS, self._life.late)
        if self._agreement.role == "caller":
            self._after(limits.REKEY_AFTER, self._life.due)

    def open_next(self) -> None:
        """The caller's has bytes to send at once."""
        self._after(limits.REKEY_DEADLINE, self._life.late)
        self._next = self._epochs.fresh()
        self._send(self._next)

    def vouch(self) -> None:
        """In the present epoch, about the next."""
        proof = self._proof(self._following, self._agreement.role)
        self._session.control.call(commands.Hello, proof=proof).addErrback(self._not_taken)

    def switch(self) -> None:
        """SWITCH is the last that is sealed in the present epoch."""
        self._session.control.tell(commands.Switch)
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
        present = self._epochs.present
        count = max(present.sent, present.received)
        if served < limits.REKEY_LEAST and count < limits.REKEY_BYTES:
            raise WireError("a rekey that comes too soon")

    def _count(self, epoch: Epoch) -> None:
        count = max(epoch.sent, epoch.received)
        if count > limits.EPOCH_BYTES:
            self._life.misbehaved(NotRekeyed("its keys were used for as much as they may"))
        elif count >= limits.REKEY_BYTES and self._agreement.role == "caller":
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
        secret = proofs.chat_rekey(self._epochs.present.tls)
        binding = proofs.chat_binding(following.tls)
        return self._agreement.rekey_hello(secret, following.number, binding, role)

    def _not_taken(self, failure: Failure) -> None:
        if not failure.check(ConnectionLost):
            self._life.misbehaved(WireError("the peer refused our HELLO for new keys"))

    def _after(self, seconds: float, event: Callable[[], None]) -> None:
        self._timers.append(self._clock.callLater(seconds, event))

    def _cancel_timers(self) -> None:
        timers, self._timers = self._timers, []
        for timer in timers:
            if timer.active():
                timer.cancel()
