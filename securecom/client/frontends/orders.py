"""Orders: what the person or the program wants done, one after another, each at its time.

At a terminal every typed order is carried out, or refused, at once. Input from a pipe or file
cannot look before it writes: there an order that makes no sense yet waits while something that ends
by itself is going on (the log-in, a request, a chat that is being set up, receipts outstanding).
So does what the command line asks for, everywhere; at a terminal nothing typed waits behind it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from securecom import limits
from securecom.client.api import ClientApi, ClientState, Launch
from securecom.client.events import ChatOver, ChatStarted, Delivered, Event, Online, Said
from securecom.client.file_events import FileOffered, FileOver, FileProgress
from securecom.client.frontends import commands
from securecom.client.frontends.commands import Command, do
from securecom.errors import FileFailed, NotDelivered, OurFault, SecurecomError

_log = Logger()


@dataclass(eq=False)
class Order:
    """A command, the value of its argument, and whatever tells who asked (a JSON line's id)."""

    command: Command
    argument: Any = None
    tag: Any = None
    #: True for what the command line asked for: if it fails, a script has nothing left to do.
    essential: bool = field(default=False)


def orders_of(launch: Launch) -> list[Order]:
    """What the command line asks for."""
    if launch.chat is None:
        return []
    orders = [Order(commands.CHAT, (launch.chat, None), essential=True)]
    if launch.message is not None:
        orders.append(Order(commands.SAY, launch.message, essential=True))
    if launch.file is not None:
        orders.append(Order(commands.SEND, launch.file, essential=True))
    return orders


#: Is told what became of an order: its result (a message's number, say), or why not.
Report = Callable[[Order, Any, SecurecomError | None], None]


class Orders:
    """Carries orders out on the main role.

    :param report: is told about each order once.
    :param leave: what `/exit` does.
    :param changed: called when there may be room for more orders, or nothing left to do.
    :param patient: let orders wait for their time.
    """

    def __init__(
        self,
        role: ClientApi,
        report: Report,
        leave: Callable[[], None],
        clock: IReactorTime,
        changed: Callable[[], None],
        *,
        patient: bool,
    ) -> None:
        self.role = role
        self.patient = patient
        #: The first thing that went wrong, for the exit code of a script.
        self.first_error: SecurecomError | None = None
        #: Grows with every step towards the end of what was asked for.
        self.progress = 0
        self._report = report
        self._leave = leave
        self._clock = clock
        self._changed = changed
        self._queue: deque[Order] = deque()
        self._running = 0
        self._preparing = 0  # of these, files that are not offered yet
        self._alone = 0  # of these, those behind which no line is read
        self._undelivered: set[int] = set()
        self._files: dict[int, int] = {}  # transfers that were asked for: bytes that are there
        self._offered: set[int] = set()  # those of them that the peer has not answered
        self._was_online = False
        self._is_over = False
        self._look_is_due = False

    # --- what is going on -------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Orders wait, or one that asks for a pass phrase is not done: take no more lines now."""
        return bool(self._alone) or (self.patient and bool(self._queue))

    @property
    def is_done(self) -> bool:
        """Nothing waits: no order, no answer, no receipt, no log-in that was never there."""
        if self._queue or self._running or self._undelivered or self._files:
            return False
        return self._was_online and self.role.state not in (ClientState.ASKING, ClientState.OPENING)

    def heard(self, event: Event) -> None:
        """Something happened: perhaps an order's time has come."""
        if isinstance(event, Said):
            self._undelivered.add(event.number)
        elif isinstance(event, Delivered):
            self._undelivered.discard(event.number)
            self.progress += 1
        elif isinstance(event, ChatOver):
            self._undelivered.clear()
            if event.undelivered:
                self._note(NotDelivered("messages got no receipt"))
        elif isinstance(event, FileOffered | FileProgress | FileOver):
            self._heard_of_file(event)
        elif isinstance(event, Online):
            self._was_online = True
        elif isinstance(event, ChatStarted):
            self.progress += 1
        self._look_soon()

    def _heard_of_file(self, event: FileOffered | FileProgress | FileOver) -> None:
        """A file of ours is on its way until it is over, one of theirs from its fetching on."""
        number = event.number
        if isinstance(event, FileOver):
            was_wanted = number in self._files
            self._files.pop(number, None)
            self._offered.discard(number)
            self.progress += was_wanted
            if was_wanted and event.ending != "done":
                self._note(FileFailed(f"{event.file} did not arrive ({event.ending})"))
        elif isinstance(event, FileProgress):
            self._offered.discard(number)
            self.progress += event.done > self._files.get(number, -1)  # time alone is none
            self._files[number] = event.done
        elif event.direction == "out":  # what they offer is nothing that we were asked for
            self._offered.add(number)
            self.progress += 1
            self._files[number] = 0

    @property
    def patience(self) -> float:
        """Seconds to wait for the next step, when no more orders come."""
        is_slow = self._offered or self._preparing
        return limits.OFFER_DEADLINE if is_slow else limits.FINISH_DEADLINE

    # --- orders -----------------------------------------------------------------------------

    def take(self, order: Order) -> None:
        """Carry it out, now or when its time has come."""
        if not self._is_over:
            self._queue.append(order)
            self._look()

    def abandon(self) -> None:
        """Carry out nothing more, not even what waits."""
        self._is_over = True
        self._queue.clear()

    def refused(self, error: SecurecomError) -> None:
        """A line that never became an order counts as gone wrong too."""
        self._note(error)

    def _look(self) -> None:
        while (order := self._next()) is not None:
            self._queue.remove(order)
            self._carry_out(order)
        self._changed()

    def _next(self) -> Order | None:
        """Whose time has come. Lines that may wait keep their order."""
        first = list(self._queue)[: 1 if self.patient else None]
        return next((order for order in first if not self._must_wait(order)), None)

    def _look_soon(self) -> None:
        """From the reactor: events come from the middle of the core's own doings."""
        if not self._look_is_due:
            self._look_is_due = True
            self._clock.callLater(0, self._look_now)

    def _look_now(self) -> None:
        self._look_is_due = False
        self._look()

    def _must_wait(self, order: Order) -> bool:
        if not self.patient and not order.essential:
            return False
        if self.role.state not in order.command.states:
            return self.role.state in commands.PASSING or self._running > 0
        room = min(limits.MAX_UNDELIVERED, limits.MAX_HELD_BACK)
        return order.command is commands.SAY and len(self._undelivered) >= room

    def _carry_out(self, order: Order) -> None:
        self._running += 1
        self._preparing += order.command is commands.SEND
        self._alone += order.command.asks
        d: Deferred[Any] = maybeDeferred(self._do, order)
        d.addCallbacks(lambda result: (result, None), lambda failure: (None, readable(failure)))
        d.addCallback(self._finished, order)
        d.addErrback(lambda failure: _log.failure("a front-end broke", failure))

    def _finished(self, outcome: tuple[Any, SecurecomError | None], order: Order) -> None:
        self._running -= 1
        self._preparing -= order.command is commands.SEND
        self._alone -= order.command.asks
        self.progress += 1
        result, error = outcome
        if error is not None:
            self._note(error)
        self._report(order, result, error)
        self._look_soon()

    def _do(self, order: Order) -> Any:
        if order.command is commands.EXIT:
            return self._leave()
        result = do(order.command, order.argument, self.role)
        if order.command is commands.GET:
            self._files.setdefault(order.argument[0], -1)
        return result

    def _note(self, error: SecurecomError) -> None:
        self.first_error = self.first_error or error


def readable(failure: Failure) -> SecurecomError:
    """The error to show; what nobody foresaw goes to the log."""
    if isinstance(failure.value, SecurecomError):
        return failure.value
    _log.failure("something failed", failure)
    return OurFault(f"that went wrong ({type(failure.value).__name__})")
