"""The life of one chat request on the server, as a state machine.

asking --accept--> opening --opened--> settled, and from both any reason why not. `ask` comes
first and once, `opened` only after `accept`; every other input is taken in every state from then
on: what comes late changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from automat import TypeMachineBuilder
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from securecom import commands, limits
from securecom.server.switchboard import Answer, Opened, Party, Withdrawn


class ChatRequest(Protocol):
    """What can happen to a chat request."""

    def ask(self) -> None:
        """The callee is to be asked. First input, once."""

    def accept(self) -> None:
        """The callee says yes."""

    def refuse(self) -> None:
        """The callee says no."""

    def excuse(self) -> None:
        """The callee's daemon role says busy or unavailable, or the callee is gone."""

    def cancel(self) -> None:
        """The caller withdraws."""

    def abandon(self) -> None:
        """The caller is gone."""

    def expire(self) -> None:
        """Nobody answered in time."""

    def cross(self) -> bool:
        """The callee asked the caller: two consents. False if it comes too late to matter."""

    def opened(self) -> None:
        """The callee's client is ready for the stream."""


class Request:
    """The facts of one request, and what its transitions do.

    `answer` is the caller's: it fires with `Opened` or fails with a refusal. `crossing` is the
    callee's, if their own request made this one a chat.

    :param established: called when both are to be joined, after `settled`.
    :param settled: called once, when the reservation of both is over.
    """

    def __init__(
        self,
        chat: bytes,
        stream: int,
        caller: Party,
        callee: Party,
        clock: IReactorTime,
        established: Callable[[Request], None],
        settled: Callable[[Request], None],
    ) -> None:
        self.chat, self.stream = chat, stream
        self.caller, self.callee = caller, callee
        self.answer: Deferred[Opened] = Deferred()
        self.crossing: Deferred[Opened] = Deferred()
        self.is_crossed = False
        self._established, self._settled = established, settled
        self._clock = clock
        self.machine: ChatRequest = _machine(self)
        self._timer = clock.callLater(limits.REQUEST_EXPIRES, self.machine.expire)

    def offer(self) -> None:
        """Ask the callee; their answer comes back as an input."""
        answers: dict[Answer, Callable[[], None]] = {
            "accept": self.machine.accept,
            "refuse": self.machine.refuse,
            "busy": self.machine.excuse,
            "unavailable": self.machine.excuse,
        }
        self.callee.offer(self.chat, self.caller.name, self.caller.key).addCallbacks(
            lambda answer: answers[answer](), lambda _: self.machine.excuse()
        )

    def announce(self) -> None:
        """Accepted: callee's stream first."""
        self._timer.cancel()
        self._timer = self._clock.callLater(limits.OPENING_DEADLINE, self.machine.expire)
        self.callee.announce_stream(self.chat, self.stream).addCallbacks(
            lambda _: self.machine.opened(), lambda _: self.machine.excuse()
        )

    def join(self) -> None:
        """Both are ready: the reservation becomes a chat."""
        self._settle()
        self._established(self)

    def fail(self, refusal: commands.Refusal) -> None:
        """It came to nothing; both are free before the caller hears of it."""
        self._settle()
        self.answer.errback(Failure(refusal))

    def withdraw(self, reason: Withdrawn) -> None:
        """Take the offer off the callee's screen."""
        self.callee.withdraw(self.chat, reason)

    def close_announced(self) -> None:
        """The stream that the callee was told of will not be."""
        self.callee.close_stream(self.stream, tell=True)

    def _settle(self) -> None:
        if self._timer.active():
            self._timer.cancel()
        self._settled(self)


_builder = TypeMachineBuilder(ChatRequest, Request)
_created = _builder.state("created")
_asking = _builder.state("asking")
_opening = _builder.state("opening")
_settled = _builder.state("settled")


@_created.upon(ChatRequest.ask).to(_asking)
def _ask(_: ChatRequest, request: Request) -> None:
    request.offer()


@_asking.upon(ChatRequest.accept).to(_opening)
def _accept(_: ChatRequest, request: Request) -> None:
    request.announce()


@_asking.upon(ChatRequest.refuse).to(_settled)
def _refuse(_: ChatRequest, request: Request) -> None:
    request.fail(commands.Refused())


@_asking.upon(ChatRequest.excuse).to(_settled)
def _excuse(_: ChatRequest, request: Request) -> None:
    request.fail(commands.NoAnswer())


@_asking.upon(ChatRequest.cancel).to(_settled)
def _cancel(_: ChatRequest, request: Request) -> None:
    request.withdraw("cancelled")
    request.fail(commands.Cancelled())


@_asking.upon(ChatRequest.abandon).to(_settled)
def _abandon(_: ChatRequest, request: Request) -> None:
    request.withdraw("gone")
    request.fail(commands.Cancelled())


@_asking.upon(ChatRequest.expire).to(_settled)
def _expire(_: ChatRequest, request: Request) -> None:
    request.withdraw("expired")
    request.fail(commands.NoAnswer())


@_asking.upon(ChatRequest.cross).to(_settled)
def _cross(_: ChatRequest, request: Request) -> bool:
    request.is_crossed = True
    request.withdraw("crossed")
    request.join()
    return True


@_opening.upon(ChatRequest.opened).to(_settled)
def _opened(_: ChatRequest, request: Request) -> None:
    request.join()


@_opening.upon(ChatRequest.cancel).to(_settled)
@_opening.upon(ChatRequest.abandon).to(_settled)
def _cancel_opening(_: ChatRequest, request: Request) -> None:
    request.close_announced()
    request.fail(commands.Cancelled())


@_opening.upon(ChatRequest.excuse).to(_settled)
@_opening.upon(ChatRequest.expire).to(_settled)
def _lose_opening(_: ChatRequest, request: Request) -> None:
    request.close_announced()
    request.fail(commands.NoAnswer())


for _late in (ChatRequest.accept, ChatRequest.refuse):
    _opening.upon(_late).loop().returns(None)
for _late in (
    ChatRequest.accept,
    ChatRequest.refuse,
    ChatRequest.excuse,
    ChatRequest.cancel,
    ChatRequest.abandon,
    ChatRequest.expire,
    ChatRequest.opened,
):
    _settled.upon(_late).loop().returns(None)
for _state in (_opening, _settled):
    _state.upon(ChatRequest.cross).loop().returns(False)

_machine = _builder.build()
