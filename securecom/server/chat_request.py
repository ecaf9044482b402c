"""The life of one chat request on the server, as a state machine.

asking --accept--> opening --opened--> settled. Whatever else becomes of the callee, or if there
never was one, the request is *silent*: it stands on for the caller alone until its time is up, so
that the caller cannot tell one reason from another; but those whom a callee lets see that they are
busy are told. Every input is taken in every state: what comes late changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from automat import TypeMachineBuilder
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from securecom import limits, refusals
from securecom.identity import Name
from securecom.server.switchboard import Answer, Opened, Party, Withdrawn


class ChatRequest(Protocol):
    """What can happen to a chat request."""

    def ask(self) -> None:
        """The callee is to be asked. First input, or `hush` is."""

    def hush(self) -> None:
        """There is nobody to ask."""

    def accept(self) -> None:
        """The callee says yes."""

    def refuse(self) -> None:
        """The callee says no."""

    def excuse(self) -> None:
        """The callee's daemon role says busy or unavailable, or the callee is gone."""

    def tell_busy(self) -> None:
        """The callee's daemon role says busy, and the caller may hear it."""

    def dismiss(self) -> None:
        """The callee does not want to be asked by this caller, and says nothing."""

    def cancel(self) -> None:
        """The caller withdraws."""

    def abandon(self) -> None:
        """The caller is gone."""

    def expire(self) -> None:
        """Its time is up."""

    def cross(self, asker: Party, chat_seconds: int | None) -> bool:
        """The callee asked the caller: two consents. False if it comes too late to matter."""

    def opened(self) -> None:
        """The callee's client is ready for the stream."""


class Board(Protocol):
    """What a request needs of the switchboard."""

    def new_chat(self) -> tuple[bytes, int]:
        """A chat id and a stream number that nobody has seen."""

    def refused(self, request: Request) -> int:
        """The callee said no; seconds until the caller may ask them again."""

    def shows_busy(self, request: Request) -> bool:
        """The callee lets the caller see when they are busy."""

    def released(self, request: Request, party: Party) -> None:
        """The party has nothing more to do with the request."""

    def established(self, request: Request) -> None:
        """The request, with which nobody has anything to do any more, is to become a chat."""


class Request:
    """The facts of one request, and what its transitions do.

    `answer` is the caller's: it fires with `Opened` or fails with a refusal. `crossing` is the
    callee's, if their own request made this one a chat.

    :param wanted: the name that is asked.
    :param callee: who is to be asked; None: nobody, which the caller must not notice.
    :param lasts: seconds until the caller hears that there was no answer.
    :param chat_seconds: how long the chat is to last, as the caller asked; `crossing_seconds` is
        what the callee asked. Nothing here depends on them.
    """

    def __init__(
        self,
        board: Board,
        clock: IReactorTime,
        caller: Party,
        wanted: Name,
        callee: Party | None,
        lasts: float,
        chat_seconds: int | None = None,
    ) -> None:
        self.chat, self.stream = board.new_chat()
        self.caller, self.wanted, self.callee = caller, wanted, callee
        self.answer: Deferred[Opened] = Deferred()
        self.crossing: Deferred[Opened] = Deferred()
        self.is_crossed = False
        self.chat_seconds = chat_seconds
        self.crossing_seconds: int | None = None
        self._board, self._clock = board, clock
        self._ends = clock.seconds() + lasts
        self.machine: ChatRequest = _machine(self)
        self._timer = clock.callLater(lasts, self.machine.expire)

    @property
    def asked(self) -> Party:
        """The callee, where there is one."""
        if self.callee is None:
            raise RuntimeError("a request that nobody was asked")
        return self.callee

    def offer(self) -> None:
        """Ask the callee; their answer comes back as an input."""
        answers: dict[Answer, Callable[[], None]] = {
            "accept": self.machine.accept,
            "refuse": self.machine.refuse,
            "busy": self._busy,
            "unavailable": self.machine.excuse,
        }
        lasts = self._ends - self._clock.seconds()
        caller = self.caller
        facts = (caller.name, caller.key, caller.succession, lasts, self.chat_seconds)
        offered = self.asked.offer(self.chat, *facts)
        offered.addCallbacks(lambda word: answers[word](), lambda _: self.machine.excuse())

    def _busy(self) -> None:
        """So says the callee's daemon role: for most callers that is as good as nobody there."""
        if self._board.shows_busy(self):
            self.machine.tell_busy()
        else:
            self.machine.excuse()

    def announce(self) -> None:
        """Accepted: callee's stream first."""
        self._expire_in(limits.OPENING_DEADLINE)
        self.asked.announce_stream(self.chat, self.stream).addCallbacks(
            lambda _: self.machine.opened(), lambda _: self.machine.excuse()
        )

    def join(self) -> None:
        """Both are ready: the reservation becomes a chat."""
        self._settle()
        self._board.established(self)

    def cross(self, asker: Party, chat_seconds: int | None) -> None:
        """The callee, asked or not, asks the caller."""
        self.callee, self.is_crossed = asker, True
        self.crossing_seconds = chat_seconds

    def renew(self) -> None:
        """New numbers: a callee may have seen the former come and go."""
        self.chat, self.stream = self._board.new_chat()

    def refuse(self) -> None:
        """The callee's own no, which does not wait for the time to be up."""
        self.fail(refusals.Refused(str(self._board.refused(self))))

    def fail(self, refusal: refusals.Refusal) -> None:
        """It came to nothing; both are free before the caller hears of it."""
        self._settle()
        self.answer.errback(Failure(refusal))

    def withdraw(self, reason: Withdrawn) -> None:
        """Take the offer off the callee's screen."""
        self.asked.withdraw(self.chat, reason)

    def close_announced(self) -> None:
        """The stream that the callee was told of will not be."""
        self.asked.close_stream(self.stream, tell=True)

    def let_callee_go(self) -> None:
        """The callee is free. The caller waits on, as if nobody had been there to ask."""
        self._board.released(self, self.asked)
        self.callee = None
        self._expire_in(max(0.0, self._ends - self._clock.seconds()))

    def _expire_in(self, seconds: float) -> None:
        if self._timer.active():
            self._timer.cancel()
        self._timer = self._clock.callLater(seconds, self.machine.expire)

    def _settle(self) -> None:
        if self._timer.active():
            self._timer.cancel()
        for party in (self.caller, self.callee):
            if party is not None:
                self._board.released(self, party)


_builder = TypeMachineBuilder(ChatRequest, Request)
_created = _builder.state("created")
_asking = _builder.state("asking")
_silent = _builder.state("silent")
_opening = _builder.state("opening")
_settled = _builder.state("settled")


@_created.upon(ChatRequest.ask).to(_asking)
def _ask(_: ChatRequest, request: Request) -> None:
    request.offer()


@_created.upon(ChatRequest.hush).to(_silent)
def _hush(_: ChatRequest, request: Request) -> None:
    pass


@_asking.upon(ChatRequest.accept).to(_opening)
def _accept(_: ChatRequest, request: Request) -> None:
    request.announce()


@_asking.upon(ChatRequest.refuse).to(_settled)
def _refuse(_: ChatRequest, request: Request) -> None:
    request.refuse()


@_asking.upon(ChatRequest.excuse).to(_silent)
def _excuse(_: ChatRequest, request: Request) -> None:
    request.let_callee_go()


@_asking.upon(ChatRequest.tell_busy).to(_settled)
def _tell_busy(_: ChatRequest, request: Request) -> None:
    request.fail(refusals.Busy())


@_asking.upon(ChatRequest.dismiss).to(_silent)
def _dismiss(_: ChatRequest, request: Request) -> None:
    request.withdraw("gone")
    request.let_callee_go()


@_asking.upon(ChatRequest.cancel).to(_settled)
def _cancel(_: ChatRequest, request: Request) -> None:
    request.withdraw("cancelled")
    request.fail(refusals.Cancelled())


@_asking.upon(ChatRequest.abandon).to(_settled)
def _abandon(_: ChatRequest, request: Request) -> None:
    request.withdraw("gone")
    request.fail(refusals.Cancelled())


@_asking.upon(ChatRequest.expire).to(_settled)
def _expire(_: ChatRequest, request: Request) -> None:
    request.withdraw("expired")
    request.fail(refusals.NoAnswer())


@_asking.upon(ChatRequest.cross).to(_settled)
def _cross(_: ChatRequest, request: Request, asker: Party, chat_seconds: int | None) -> bool:
    request.withdraw("crossed")
    request.cross(asker, chat_seconds)
    request.join()
    return True


@_silent.upon(ChatRequest.expire).to(_settled)
def _expire_silent(_: ChatRequest, request: Request) -> None:
    request.fail(refusals.NoAnswer())


@_silent.upon(ChatRequest.cancel).to(_settled)
@_silent.upon(ChatRequest.abandon).to(_settled)
def _cancel_silent(_: ChatRequest, request: Request) -> None:
    request.fail(refusals.Cancelled())


@_silent.upon(ChatRequest.cross).to(_settled)
def _cross_silent(_: ChatRequest, request: Request, asker: Party, chat_seconds: int | None) -> bool:
    request.renew()
    request.cross(asker, chat_seconds)
    request.join()
    return True


@_opening.upon(ChatRequest.opened).to(_settled)
def _opened(_: ChatRequest, request: Request) -> None:
    request.join()


@_opening.upon(ChatRequest.cancel).to(_settled)
@_opening.upon(ChatRequest.abandon).to(_settled)
def _cancel_opening(_: ChatRequest, request: Request) -> None:
    request.close_announced()
    request.fail(refusals.Cancelled())


@_opening.upon(ChatRequest.excuse).to(_silent)
@_opening.upon(ChatRequest.expire).to(_silent)
def _lose_opening(_: ChatRequest, request: Request) -> None:
    request.close_announced()
    request.let_callee_go()


@_opening.upon(ChatRequest.cross).loop()
@_settled.upon(ChatRequest.cross).loop()
def _too_late(_: ChatRequest, request: Request, asker: Party, chat_seconds: int | None) -> bool:
    return False


_from_callee = (
    ChatRequest.accept,
    ChatRequest.refuse,
    ChatRequest.tell_busy,
    ChatRequest.dismiss,
)
_from_caller = (ChatRequest.cancel, ChatRequest.abandon)
_late = {
    _silent: (*_from_callee, ChatRequest.excuse, ChatRequest.opened),
    _opening: _from_callee,
    _settled: (
        *_from_callee,
        *_from_caller,
        ChatRequest.excuse,
        ChatRequest.expire,
        ChatRequest.opened,
    ),
}
for _state, _inputs in _late.items():
    for _input in _inputs:
        _state.upon(_input).loop().returns(None)

_machine = _builder.build()
