"""The life of one chat request on the server, as a state machine.

created --ask--> asking --accept--> opening --opened--> settled. A request is *created* until the
server looks for the callee, a drawn moment after the caller sent it: until then nothing that is
done for it depends on who the callee is. Whatever else becomes of the callee, or if there
never was one, the request is *silent*: it stands on for the caller alone until its time is up, so
that the caller cannot tell one reason from another; but those whom a callee lets see that they are
busy are told. Every input is taken in every state: what comes late changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, Protocol

from automat import TypeMachineBuilder
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from securecom import limits, refusals
from securecom.identity import Name
from securecom.server.switchboard import Answer, Opened, Party, Role, Withdrawn


class RequestInputs(Protocol):
    """What can happen to a chat request."""

    def ask(self) -> None:
        """The callee was found, and is to be asked."""

    def hush(self) -> None:
        """There was nobody to ask."""

    def accept(self) -> None:
        """The callee says yes."""

    def refuse(self) -> None:
        """The callee says no."""

    def excuse(self) -> None:
        """The callee's daemon role says busy or unavailable, or the callee is gone."""

    def tell_busy(self) -> None:
        """The callee is busy, and the caller may hear it."""

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


class RequestActions(Protocol):
    """What transitions do; the request does it."""

    def offer(self) -> None:
        """Ask the callee; their answer comes back as an input."""

    def announce(self) -> None:
        """Accepted: callee's stream first."""

    def join(self) -> None:
        """Both are ready: the reservation becomes a chat."""

    def cross(self, asker: Party, chat_seconds: int | None) -> None:
        """The callee, asked or not, asks the caller."""

    def renew(self) -> None:
        """New numbers for the chat."""

    def refuse(self) -> None:
        """The callee's own no."""

    def fail(self, refusal: refusals.Refusal) -> None:
        """It came to nothing; both are free before the caller hears of it."""

    def withdraw(self, reason: Withdrawn) -> None:
        """Take the offer, or the stream, off the callee's screen; the same work for nobody."""

    def close_announced(self) -> None:
        """The stream that the callee was told of will not be."""

    def let_callee_go(self) -> None:
        """The callee is free. The caller waits on, as if nobody had been there to ask."""


builder = TypeMachineBuilder(RequestInputs, RequestActions)  # type: ignore[type-abstract]
created = builder.state("created")
asking = builder.state("asking")
silent = builder.state("silent")
opening = builder.state("opening")
settled = builder.state("settled")


@created.upon(RequestInputs.ask).to(asking)
def _ask(_: RequestInputs, request: RequestActions) -> None:
    request.offer()


@created.upon(RequestInputs.hush).to(silent)
def _hush(_: RequestInputs, request: RequestActions) -> None:
    pass


@asking.upon(RequestInputs.accept).to(opening)
def _accept(_: RequestInputs, request: RequestActions) -> None:
    request.announce()


@asking.upon(RequestInputs.refuse).to(settled)
def _refuse(_: RequestInputs, request: RequestActions) -> None:
    request.refuse()


@asking.upon(RequestInputs.excuse).to(silent)
def _excuse(_: RequestInputs, request: RequestActions) -> None:
    request.let_callee_go()


@created.upon(RequestInputs.tell_busy).to(settled)
@asking.upon(RequestInputs.tell_busy).to(settled)
def _tell_busy(_: RequestInputs, request: RequestActions) -> None:
    request.fail(refusals.Busy())


@asking.upon(RequestInputs.dismiss).to(silent)
def _dismiss(_: RequestInputs, request: RequestActions) -> None:
    request.withdraw("gone")
    request.let_callee_go()


@created.upon(RequestInputs.cancel).to(settled)
@silent.upon(RequestInputs.cancel).to(settled)
@asking.upon(RequestInputs.cancel).to(settled)
@opening.upon(RequestInputs.cancel).to(settled)
def _cancel(_: RequestInputs, request: RequestActions) -> None:
    request.withdraw("cancelled")
    request.fail(refusals.Cancelled())


@created.upon(RequestInputs.abandon).to(settled)
@silent.upon(RequestInputs.abandon).to(settled)
@asking.upon(RequestInputs.abandon).to(settled)
@opening.upon(RequestInputs.abandon).to(settled)
def _abandon(_: RequestInputs, request: RequestActions) -> None:
    request.withdraw("gone")
    request.fail(refusals.Cancelled())


@asking.upon(RequestInputs.expire).to(settled)
def _expire(_: RequestInputs, request: RequestActions) -> None:
    request.withdraw("expired")
    request.fail(refusals.NoAnswer())


@asking.upon(RequestInputs.cross).to(settled)
def _cross(
    _: RequestInputs, request: RequestActions, asker: Party, chat_seconds: int | None
) -> bool:
    request.withdraw("crossed")
    request.cross(asker, chat_seconds)
    request.join()
    return True


@created.upon(RequestInputs.expire).to(settled)
@silent.upon(RequestInputs.expire).to(settled)
def _expire_silent(_: RequestInputs, request: RequestActions) -> None:
    request.fail(refusals.NoAnswer())


@created.upon(RequestInputs.cross).to(settled)
@silent.upon(RequestInputs.cross).to(settled)
def _cross_silent(
    _: RequestInputs, request: RequestActions, asker: Party, chat_seconds: int | None
) -> bool:
    request.renew()
    request.cross(asker, chat_seconds)
    request.join()
    return True


@opening.upon(RequestInputs.opened).to(settled)
def _opened(_: RequestInputs, request: RequestActions) -> None:
    request.join()


@opening.upon(RequestInputs.excuse).to(silent)
@opening.upon(RequestInputs.expire).to(silent)
def _lose_opening(_: RequestInputs, request: RequestActions) -> None:
    request.close_announced()
    request.let_callee_go()


@opening.upon(RequestInputs.cross).loop()
@settled.upon(RequestInputs.cross).loop()
def _too_late(
    _: RequestInputs, request: RequestActions, asker: Party, chat_seconds: int | None
) -> bool:
    return False


_from_callee = (
    RequestInputs.accept,
    RequestInputs.refuse,
    RequestInputs.dismiss,
)
_from_caller = (RequestInputs.cancel, RequestInputs.abandon)
_found = (RequestInputs.ask, RequestInputs.hush)
_late = {
    created: (*_from_callee, RequestInputs.excuse, RequestInputs.opened),
    asking: (*_found, RequestInputs.opened),
    silent: (
        *_found,
        *_from_callee,
        RequestInputs.tell_busy,
        RequestInputs.excuse,
        RequestInputs.opened,
    ),
    opening: (*_found, *_from_callee, RequestInputs.tell_busy),
    settled: (
        *_found,
        *_from_callee,
        RequestInputs.tell_busy,
        *_from_caller,
        RequestInputs.excuse,
        RequestInputs.expire,
        RequestInputs.opened,
    ),
}
for _state, _inputs in _late.items():
    for _input in _inputs:
        _state.upon(_input).loop().returns(None)

machine = builder.build()


# --- One chat request on the server: its facts, and what becomes of them; `request_life` says when

#: What the callee's client has been told last, and has not heard to be over.
_Told = Literal["nothing", "offer", "stream"]


class Board(Protocol):
    """What a request needs of the switchboard."""

    def new_chat(self) -> tuple[bytes, int]:
        """A chat id and a stream number that nobody has seen."""

    def refused(self, request: ChatRequest) -> int:
        """The callee said no; seconds until the caller may ask them again."""

    def shows_busy(self, request: ChatRequest) -> bool:
        """The callee lets the caller see when they are busy."""

    def reserves(self, request: ChatRequest) -> bool:
        """The callee is in this request, and not only asked behind another."""

    def unasked(self, request: ChatRequest) -> None:
        """The offer was of no weight to the callee: it does not count against the next caller."""

    def released(self, request: ChatRequest, name: Name) -> None:
        """This person has nothing more to do with the request, if they ever had."""

    def established(self, request: ChatRequest) -> None:
        """The request, with which nobody has anything to do any more, is to become a chat."""


class ChatRequest:
    """The facts of one request, and what its transitions do.

    `answer` is the caller's: it fires with `Opened` or fails with a refusal. `crossing` is the
    callee's, if their own request made this one a chat.

    :param wanted: the name that is asked.
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
        lasts: float,
        chat_seconds: int | None = None,
    ) -> None:
        self.chat, self.stream = board.new_chat()
        self.caller, self.wanted = caller, wanted
        #: Who is asked, once they were found; None: nobody, which the caller must not notice.
        self.callee: Party | None = None
        self._told: _Told = "nothing"
        self.answer: Deferred[Opened] = Deferred()
        self.crossing: Deferred[Opened] = Deferred()
        self.is_crossed = False
        self.chat_seconds = chat_seconds
        self.crossing_seconds: int | None = None
        self._board, self._clock = board, clock
        self._ends = clock.seconds() + lasts
        self.machine: RequestInputs = machine(self)
        self._timer = clock.callLater(lasts, self.machine.expire)

    @property
    def is_offered(self) -> bool:
        """The callee has been asked, and has not answered."""
        return self._told == "offer"

    @property
    def asked(self) -> Party:
        """The callee, where there is one."""
        if self.callee is None:
            raise RuntimeError("a request that nobody was asked")
        return self.callee

    def offer(self) -> None:
        """Ask the callee, behind what is to be withdrawn from them."""
        self._told = "offer"
        self.asked.soon(self._send_offer)

    def _send_offer(self) -> None:
        """Ask the callee; their answer comes back as an input."""
        if not self.is_offered:
            return
        answers: dict[Answer, Callable[[], None]] = {
            "accept": self._accept,
            "refuse": self.machine.refuse,
            "busy": self._busy,
            "unavailable": self.machine.excuse,
        }
        lasts = self._ends - self._clock.seconds()
        caller = self.caller
        facts = (caller.name, caller.key, caller.succession, lasts, self.chat_seconds)
        offered = self.asked.offer(self.chat, *facts)
        offered.addCallbacks(lambda word: answers[word](), lambda _: self.machine.excuse())

    def _accept(self) -> None:
        """Nobody is in two requests: a yes to the one behind is none."""
        if self._board.reserves(self):
            self.machine.accept()
        else:
            self.machine.excuse()

    def _busy(self) -> None:
        """So says the callee's daemon role: for most callers that is as good as nobody there.

        Nor may a friend hear it of somebody who is being asked by another person.
        """
        if self.is_offered:
            self._board.unasked(self)
        if self._board.reserves(self) and self._board.shows_busy(self):
            self.machine.tell_busy()
        else:
            self.machine.excuse()

    def announce(self) -> None:
        """Accepted: callee's stream first."""
        self._told = "stream"
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
        """Take the offer off the callee's screen, or the stream of one that they accepted.

        That is done a moment later, and the work until then is the same if there is nobody: the
        caller may have sent a ping along.
        """
        undo = partial(self._take_back, self.callee, self._told, reason)
        self._told = "nothing"
        (self.callee or self.caller).later(undo)

    def _take_back(self, callee: Party | None, told: _Told, reason: Withdrawn) -> None:
        if callee is None or told == "nothing":
            return
        if told == "stream":
            callee.close_stream(self.stream, tell=True)
            return
        if reason in ("cancelled", "gone"):
            self._board.unasked(self)
        callee.withdraw(self.chat, reason)

    def close_announced(self) -> None:
        """The stream that the callee was told of will not be."""
        self.asked.close_stream(self.stream, tell=True)

    def let_callee_go(self) -> None:
        """The callee is free. The caller waits on, as if nobody had been there to ask."""
        self.callee, self._told = None, "nothing"
        self._board.released(self, self.wanted)
        self._expire_in(max(0.0, self._ends - self._clock.seconds()))

    def tell_opened(self) -> None:
        """Whoever asked hears that it is a chat; if both did, the callee first, to hear the caller.

        Of two requests that crossed, the one of the smaller name is the caller's.
        """
        caller, callee = self.caller, self.asked
        if not self.is_crossed:
            self.answer.callback(self._opened(callee, "caller"))
            return
        asker_calls = caller.name < callee.name
        own, theirs = self.chat_seconds, self.crossing_seconds
        answers = [
            (self.answer, self._opened(callee, _role(asker_calls), own, theirs)),
            (self.crossing, self._opened(caller, _role(not asker_calls), theirs, own)),
        ]
        for answer, opened in sorted(answers, key=lambda pair: pair[1].role):
            answer.callback(opened)

    def _opened(
        self, peer: Party, role: Role, own: int | None = None, theirs: int | None = None
    ) -> Opened:
        """`theirs` of two that crossed: nothing if neither asked for a chat with an end."""
        told = None if own is theirs is None else theirs or 0
        return Opened(self.chat, self.stream, peer.key, role, told, peer.succession)

    def _expire_in(self, seconds: float) -> None:
        if self._timer.active():
            self._timer.cancel()
        self._timer = self._clock.callLater(seconds, self.machine.expire)

    def _settle(self) -> None:
        if self._timer.active():
            self._timer.cancel()
        self._told = "nothing"
        for name in (self.caller.name, self.wanted):
            self._board.released(self, name)


def _role(calls: bool) -> Role:
    return "caller" if calls else "callee"
