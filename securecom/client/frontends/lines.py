"""The line front-end: it reads lines and writes events, in the plain language or in JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from twisted.internet import protocol
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from securecom.client.api import ClientApi, ClientState
from securecom.client.events import (
    ChatOver,
    DataHeld,
    Event,
    Message,
    Notice,
    Problem,
    SecretWanted,
)
from securecom.client.frontends.attention import Attention
from securecom.client.frontends.orders import Order, Orders
from securecom.client.frontends.output import LineSource, Output, Splitter
from securecom.client.key_events import KeyCompleted, KeyFollowed
from securecom.client.terms import Choices
from securecom.errors import CannotReach, NotAnswered, NotNow, SecurecomError


class Language(Protocol):
    """Lines in, lines out. Holds no rule of the client."""

    def read(self, line: str) -> Order | Event | None:
        """What a line asks for, what to show instead, or nothing.

        :raises SecurecomError: if nothing can be done with it.
        """

    def secret(self, line: str) -> str:
        """The pass phrase that a line answers with; empty: none is given.

        :raises SecurecomError: if the line is no such answer.
        """

    def lines(self, event: Event) -> list[str]:
        """An event, fit for any terminal."""

    def answer(self, order: Order, result: Any, error: SecurecomError | None) -> list[Event]:
        """What to show of what became of an order."""

    def complaint(self, line: str, error: SecurecomError) -> list[Event]:
        """What to show of a line that is no order."""


# --- pass phrases: the next line of the input, unseen -----------------------------------------

_LATER = "Nothing was sent. Try again in a moment."


class Secrets:
    """At most one question at a time.

    :param hide: stops showing what is typed, or shows it again; None where nothing shows it.
    """

    def __init__(self, hide: Callable[[bool], None] | None) -> None:
        self._hide = hide
        self._answer: Deferred[str] | None = None
        self._is_hidden = False

    @property
    def is_wanted(self) -> bool:
        """The next line is an answer, and nothing else."""
        return self._answer is not None

    def ask(self) -> Deferred[str]:
        """What the next line says; fails with `NotNow` if that is nothing."""
        if self._answer is not None:
            return fail(NotNow("another pass phrase is being asked for", _LATER))
        self._answer = Deferred()
        self._show_typing(False)
        return self._answer

    def answered(self, secret: str) -> None:
        """Here it is; an empty one is none."""
        if not secret:
            self.give_up(NotNow("no pass phrase was given", "Nothing was sent or changed."))
        elif (answer := self._take()) is not None:
            answer.callback(secret)

    def give_up(self, error: SecurecomError) -> None:
        """There will be no answer."""
        if (answer := self._take()) is not None:
            answer.errback(Failure(error))

    def over(self) -> None:
        """What asked is done. Until then typing stays hidden: the next question may be asked while
        its answer is being typed already.
        """
        if self._is_hidden:
            self._show_typing(True)

    def continued(self) -> None:
        """We had been stopped, and a shell has made what is typed show meanwhile."""
        if self._is_hidden:
            self._show_typing(False)

    def _take(self) -> Deferred[str] | None:
        answer, self._answer = self._answer, None
        return answer

    def _show_typing(self, shown: bool) -> None:
        self._is_hidden = not shown
        if self._hide is not None:
            self._hide(not shown)


# --- the front-end ----------------------------------------------------------------------------
# Its rules:
#
# - What has been shown is never changed afterwards, and nothing depends on where the cursor is. A
#   half-typed line belongs to the terminal, so no event can eat it.
# - Nothing here waits: a slow reader makes us stop reading, from the server and from the input.
# - While a pass phrase is asked for, the next line is the answer. It is never shown.
# - The end of the input is not the end of what was asked for: that is finished first, in bounded
#   time. The end of the output is the end.

#: What a slow reader misses nothing of: the peer has our receipt, or somebody waits for it, all of
#: it; or it is told once and never again.
_KEPT = (Message, ChatOver, Problem, SecretWanted, DataHeld, KeyFollowed, KeyCompleted)


@implementer(IHalfCloseableProtocol)
class Lines(protocol.Protocol):
    """One person's or program's input and output; a `UserFrontend`.

    :param leave: called when the input, the output or an order says that it is time to go.
    :param patient: orders wait for their time (input that is no terminal).
    :param stay: the input's end does not mean leaving.
    :param hide: stops showing what is typed, or shows it again (a terminal).
    :param source: puts lines together from what is read.
    :param first: orders to be carried out before any line is read.
    """

    def __init__(
        self,
        language: Language,
        clock: IReactorTime,
        leave: Callable[[], None],
        *,
        patient: bool,
        stay: bool = False,
        hide: Callable[[bool], None] | None = None,
        source: LineSource | None = None,
        first: Sequence[Order] = (),
    ) -> None:
        self._language = language
        self._clock = clock
        self._leave = leave
        self._patient = patient
        self._stay = stay
        self._orders: Orders | None = None
        self._output = Output(self._output_full, self._missing)
        self._input: LineSource = source or Splitter()
        self._first = first
        self._secrets = Secrets(hide)
        self._pauses: set[str] = set()
        self._is_reading = False  # inside _read: orders may call back into it
        self._has_ended = False
        #: Calls a person who is not looking; None where there is no terminal.
        self.attention: Attention | None = None
        self._finish: IDelayedCall | None = None
        self._progress = 0
        self._is_gone = False  # the output went away under us
        #: Fires when the output is written and closed, or gone.
        self.closed: Deferred[None] = Deferred()

    # --- Frontend, and who made us ----------------------------------------------------------

    def show(self, event: Event) -> None:
        """Write the event; perhaps it lets a waiting order go on."""
        self._output.write(self._language.lines(event), kept=isinstance(event, _KEPT))
        if self.attention is not None:
            self.attention.heard(event)
        if self._orders is not None:
            self._orders.heard(event)

    def control(self, text: str) -> None:
        """Write control characters, which move nothing on the screen."""
        self._output.control(text)

    def choices(self) -> Choices:
        """What the person has chosen."""
        return Choices() if self._orders is None else self._orders.role.settings.choices

    def ask_secret(self, question: str) -> Deferred[str]:
        """Frontend: the next line answers."""
        answer = self._secrets.ask()
        if not answer.called:
            self.show(SecretWanted(question))
        return answer

    def start(self) -> Deferred[None]:
        """UserFrontend."""
        return self.closed

    def begin(self, role: ClientApi, folder: Path | None = None) -> None:
        """The main role is there: take the first orders, then lines."""
        self._orders = Orders(
            role, self._report, self._leave, self._clock, self._read, patient=self._patient
        )
        for order in self._first:
            self._orders.take(order)
        self._resume("no role")
        self._read()

    @property
    def failure(self) -> SecurecomError | None:
        """The first thing that went wrong with what a script asked for."""
        is_script = self._patient and not self._stay
        return self._orders.first_error if is_script and self._orders is not None else None

    def stop(self) -> None:
        """We are leaving: take no more orders. Events are still shown."""
        self._pause("closing")
        self._stop_waiting()
        self._secrets.give_up(NotNow("you are leaving", "Nothing was sent or changed."))
        self._secrets.over()
        if self._orders is not None:
            self._orders.abandon()

    def continued(self) -> None:
        """We go on after a stop: an open question is hidden as before."""
        self._secrets.continued()

    def close(self) -> Deferred[None]:
        """Write what is left, then close; fires when that is done."""
        self.stop()
        if self.attention is not None:
            self.attention.close()
        self._output.close()
        if self.transport is None or self._is_gone:
            self._closed()
        return self.closed

    # --- input ------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        if self._orders is None:
            self._pause("no role")
        self._output.connect(self.transport)  # type: ignore[arg-type]

    def dataReceived(self, data: bytes) -> None:
        self._input.feed(data)
        self._read()

    def readConnectionLost(self) -> None:
        """The input ended."""
        self._has_ended = True
        self._input.end()
        self._read()

    def _read(self) -> None:
        """Take lines as long as orders do not wait."""
        if self._orders is None or self._is_reading or "closing" in self._pauses:
            return
        self._is_reading = True
        while self._takes_lines(self._orders) and self._read_line(self._orders):
            pass
        self._is_reading = False
        if self._has_ended:
            self._secrets.give_up(NotNow("the input ended, and no pass phrase was given"))
        if not self._has_room(self._orders):
            self._pause("orders")
        else:
            self._resume("orders")
        if self._has_ended and not self._stay and "closing" not in self._pauses:
            self._finish_or_wait(self._orders)

    def _takes_lines(self, orders: Orders) -> bool:
        return self._has_room(orders) and "closing" not in self._pauses

    def _has_room(self, orders: Orders) -> bool:
        return self._secrets.is_wanted or not orders.is_full

    def _read_line(self, orders: Orders) -> bool:
        line = ""
        try:
            read = self._input.next()
            if read is None:
                return False
            line = read
            if self.attention is not None:
                self.attention.looked()
            if self._secrets.is_wanted:
                self._secrets.answered(self._language.secret(line))
                return True
            told = self._language.read(line)
        except SecurecomError as error:
            orders.refused(error)
            self._show_all(self._language.complaint(line, error))
            return True
        if isinstance(told, Order):
            orders.take(told)
        elif told is not None:
            self.show(told)
        return True

    def _finish_or_wait(self, orders: Orders) -> None:
        """The input is over: leave when all is done, or when nothing moves any more."""
        if orders.is_done and self._input.is_empty:
            self._stop_waiting()
            self._leave()
        elif self._finish is None or orders.progress > self._progress:
            self._stop_waiting()
            self._progress = orders.progress
            self._finish = self._clock.callLater(orders.patience, self._give_up, orders)

    def _give_up(self, orders: Orders) -> None:
        self._finish = None
        hint = "What had no receipt may not have arrived."
        error: SecurecomError = NotAnswered("not everything was done in time", hint)
        if orders.role.state is ClientState.OFFLINE:
            error = CannotReach("the server was not reached in time")
        orders.refused(error)
        self._show_all(self._language.complaint("", error))
        self._leave()

    def _stop_waiting(self) -> None:
        if self._finish is not None and self._finish.active():
            self._finish.cancel()
        self._finish = None

    # --- orders -----------------------------------------------------------------------------

    def _report(self, order: Order, result: Any, error: SecurecomError | None) -> None:
        if order.command.asks:
            self._secrets.over()
        self._show_all(self._language.answer(order, result, error))
        if error is not None and order.essential and self._patient:
            self._leave()

    def _show_all(self, events: list[Event]) -> None:
        for event in events:
            self.show(event)

    # --- output -----------------------------------------------------------------------------

    def _output_full(self, is_full: bool) -> None:
        if is_full:
            self._pause("output")
        else:
            self._resume("output")
        if self._orders is not None:
            role = self._orders.role
            role.hold_incoming() if is_full else role.release_incoming()

    def _missing(self, count: int) -> list[str]:
        return self._language.lines(Notice(f"{count} lines were not shown: nobody read them"))

    def writeConnectionLost(self) -> None:
        """The output went away: nobody sees us any more."""
        self._gone()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if "closing" in self._pauses:
            self._closed()
        else:
            self._gone()

    def _gone(self) -> None:
        if not self._is_gone:
            self._is_gone = True
            self._output.stopProducing()
            self._closed()
            self._leave()

    def _closed(self) -> None:
        if not self.closed.called:
            self.closed.callback(None)

    # --- who holds the input ----------------------------------------------------------------

    def _pause(self, who: str) -> None:
        if not self._pauses and self.transport is not None:
            self.transport.pauseProducing()  # type: ignore[attr-defined]
        self._pauses.add(who)

    def _resume(self, who: str) -> None:
        if who in self._pauses:
            self._pauses.discard(who)
            if not self._pauses and self.transport is not None:
                self.transport.resumeProducing()  # type: ignore[attr-defined]
