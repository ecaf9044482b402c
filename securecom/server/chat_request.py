"""One chat request on the server: its facts, and its life as a state machine.

created --ask--> asking --accept--> opening --opened--> settled. A request is *created* until the
server looks for the callee, a drawn moment after the caller sent it; until then nothing that is
done for it depends on who the callee is. A request is *silent* when it can no longer reach anybody:
it lasts on for the caller alone until its time is up, so that the caller cannot tell whether the
callee is away, has blocked them, or does not exist. Only callers who may see that the callee is
busy are told so at once. A request is *elsewhere* when another node of the server looks for the
callee, and says what becomes of it (`securecom.server.cluster`). Every input is taken in every
state; one that comes too late changes nothing. If an output raises, nobody stays engaged: see
`_mend`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Protocol

from automat import TypeMachineBuilder
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from securecom import limits, refusals
from securecom.control import our_fault
from securecom.errors import SecurecomError
from securecom.identity import Name
from securecom.machines import lasting
from securecom.server.switchboard import Answer, Opened, Party, Role, Withdrawn


class RequestInputs(Protocol):
    """What can happen to a chat request."""

    def ask(self) -> None:
        """The callee was found and can be asked."""

    def hush(self) -> None:
        """There is nobody to ask."""

    def look_elsewhere(self) -> None:
        """The callee is not on this node."""

    def joined_elsewhere(self, opened: OpenedElsewhere) -> None:
        """The callee's node made a chat of it."""

    def give_way(self, theirs: ChatRequest) -> None:
        """The callee asks the caller, from another node; their request is the one to be joined."""

    def accept(self) -> None:
        """The callee says yes."""

    def refuse(self) -> None:
        """The callee says no."""

    def excuse(self) -> None:
        """The callee's daemon role says busy or unavailable, or the callee has gone."""

    def tell_busy(self) -> None:
        """The callee is busy, and the caller may know."""

    def dismiss(self) -> None:
        """The callee does not want to hear from this caller, who gets no answer."""

    def cancel(self) -> None:
        """The caller withdraws."""

    def abandon(self) -> None:
        """The caller has gone."""

    def expire(self) -> None:
        """Its time is up."""

    def cross(self, asker: Party, chat_seconds: int | None) -> None:
        """The callee asked the caller, too. Both consent, so this becomes a chat at once."""

    def opened(self) -> None:
        """The callee's client is ready for the stream."""

    def broke(self) -> None:
        """An output has raised."""


#: What the callee's client has of this request: nothing, an offer to answer, or a stream to open;
#: "elsewhere": another node has the request, and knows.
_Shown = Literal["nothing", "offer", "stream", "elsewhere"]


@dataclass(frozen=True)
class OpenedElsewhere:
    """A chat that the callee's node has made of a request.

    :param callee: the callee, as this node sees them.
    :param opened: what the caller hears.
    """

    callee: Party
    opened: Opened


class Board(Protocol):
    """What a request needs of the switchboard."""

    def new_chat(self) -> tuple[bytes, int]:
        """An unused chat id and stream number."""

    def refused(self, request: ChatRequest) -> int:
        """The callee said no. Returns the seconds until the caller may ask them again."""

    def shows_busy(self, request: ChatRequest) -> bool:
        """Whether the callee lets the caller see that they are busy."""

    def reserves(self, request: ChatRequest) -> bool:
        """Whether the callee is engaged in this request, and not only asked alongside another."""

    def unasked(self, request: ChatRequest) -> None:
        """The callee was hardly bothered: do not count the offer against the next caller."""

    def released(self, request: ChatRequest, name: Name) -> None:
        """This person is no longer engaged in the request, if they ever were."""

    def ask_elsewhere(self, request: ChatRequest, lasts: float) -> Deferred[OpenedElsewhere]:
        """Pass the request on to the node that the callee is on, if there is one.

        Fails with `Refused` or `Busy` if the caller may hear that now, and with anything else if
        there is nobody who could answer.
        """

    def withdraw_elsewhere(self, request: ChatRequest, reason: Withdrawn) -> None:
        """Take back what was passed on."""

    def end_elsewhere(self, there: OpenedElsewhere) -> None:
        """This chat came too late: end it."""

    def established(self, request: ChatRequest) -> None:
        """Make a chat of the request, in which nobody is engaged any more."""

    def broken(self, request: ChatRequest) -> None:
        """Free both people of the request, and of what may have become of it as a chat."""


class ChatRequest:
    """The facts of one request, and what the transitions of its machine do.

    `answer` is the caller's: it fires with `Opened` or fails with a refusal. `crossing` is the
    callee's, if their own request made this one a chat.

    :param wanted: the name that the caller asked for.
    :param lasts: seconds until the caller hears that there was no answer.
    :param chat_seconds: how long the caller wants the chat to last; `crossing_seconds` is what the
        callee wants. Nothing here depends on them.
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
        #: The person who is asked, once found. None: nobody, which the caller must not notice.
        self.callee: Party | None = None
        self._shown: _Shown = "nothing"
        self.answer: Deferred[Opened] = Deferred()
        self.crossing: Deferred[Opened] = Deferred()
        self.is_crossed = False
        self.chat_seconds = chat_seconds
        self.crossing_seconds: int | None = None
        self._opened_elsewhere: Opened | None = None
        self._board, self._clock = board, clock
        self._ends = clock.seconds() + lasts
        self.machine = begin(self)
        self._timer = clock.callLater(lasts, self.machine.expire)

    @property
    def is_offered(self) -> bool:
        """Whether the callee has been asked and has not answered."""
        return self._shown == "offer"

    @property
    def is_elsewhere(self) -> bool:
        """Whether another node has the request, or is to get it."""
        return self._shown == "elsewhere"

    @property
    def asked(self) -> Party:
        """The callee, in states in which there is one."""
        if self.callee is None:
            raise RuntimeError("nobody was asked")
        return self.callee

    # --- what transitions do ----------------------------------------------------------------

    def offer(self) -> None:
        """Ask the callee, once earlier offers have been withdrawn; the answer is an input."""
        self._shown = "offer"
        self.asked.soon(self._send_offer)

    def _send_offer(self) -> None:
        if not self.is_offered:
            return
        lasts = self._ends - self._clock.seconds()
        caller = self.caller
        facts = (caller.name, caller.key, caller.succession, lasts, self.chat_seconds)
        offered = self.asked.offer(self.chat, *facts)
        offered.addCallbacks(self._answered, lambda _: self.machine.excuse())

    def _answered(self, answer: Answer) -> None:
        if answer == "accept":
            self._accept()
        elif answer == "refuse":
            self.machine.refuse()
        elif answer == "busy":
            self._busy()
        else:
            self.machine.excuse()

    def look_elsewhere(self) -> None:
        """Have the callee's node ask them; what becomes of that is an input."""
        self._shown = "elsewhere"
        asked = self._board.ask_elsewhere(self, self._ends - self._clock.seconds())
        asked.addCallbacks(self._joined_elsewhere, self._not_joined)
        asked.addErrback(our_fault)

    def _joined_elsewhere(self, there: OpenedElsewhere) -> None:
        if self.is_elsewhere:
            self.machine.joined_elsewhere(there)
        else:
            self._board.end_elsewhere(there)

    def _not_joined(self, failure: Failure) -> None:
        if not self.is_elsewhere:
            return
        if failure.check(refusals.Refused):
            self.machine.refuse()
        elif failure.check(refusals.Busy):
            self.machine.tell_busy()
        else:
            self.machine.hush()

    def meet_elsewhere(self, there: OpenedElsewhere) -> None:
        """Take over the chat that the callee's node has made."""
        opened = there.opened
        self.callee, self._opened_elsewhere = there.callee, opened
        self.chat, self.stream = opened.chat, opened.stream

    def forget_elsewhere(self) -> None:
        """No other node has the request any more."""
        self._shown = "nothing"

    def give_way(self, theirs: ChatRequest) -> None:
        """Have the callee's own request joined, and answer the caller with its outcome."""
        self._settle()
        theirs.machine.cross(self.caller, self.chat_seconds)
        theirs.crossing.chainDeferred(self.answer)

    def _accept(self) -> None:
        """A yes counts only from a callee who is not engaged in another request."""
        if self._board.reserves(self):
            self.machine.accept()
        else:
            self.machine.excuse()

    def _busy(self) -> None:
        """The callee's daemon role says busy; most callers must not be able to tell that from away.

        Nor may a friend learn it while the callee is being asked by somebody else.
        """
        if self.is_offered:
            self._board.unasked(self)
        if self._board.reserves(self) and self._board.shows_busy(self):
            self.machine.tell_busy()
        else:
            self.machine.excuse()

    def announce(self) -> None:
        """The callee accepted: open their stream before the caller's."""
        self._shown = "stream"
        self._expire_in(limits.OPENING_DEADLINE)
        self.asked.announce_stream(self.chat, self.stream).addCallbacks(
            lambda _: self.machine.opened(), lambda _: self.machine.excuse()
        )

    def join(self) -> None:
        """Both are ready: make the request a chat."""
        self._settle()
        self._board.established(self)

    def cross(self, asker: Party, chat_seconds: int | None) -> None:
        """The callee, whether asked by now or not, asked the caller."""
        self.callee, self.is_crossed = asker, True
        self.crossing_seconds = chat_seconds

    def renew(self) -> None:
        """Take a new chat id and stream: the callee may have seen the old ones come and go."""
        self.chat, self.stream = self._board.new_chat()

    def refuse(self) -> None:
        """The callee said no; the caller hears it at once."""
        self.fail(refusals.Refused(str(self._board.refused(self))))

    def fail(self, refusal: refusals.Refusal) -> None:
        """End the request. Both people are free before the caller hears of it."""
        self._settle()
        self.answer.errback(Failure(refusal))

    def withdraw(self, reason: Withdrawn) -> None:
        """Take back the offer to the callee, or the stream if they accepted it.

        This happens a moment later, and until then the work is the same if there is no callee: a
        caller who sent a ping along could otherwise measure the difference. Nor does it put off
        the caller's next request in one case and not in the other.
        """
        undo = partial(self._take_back, self.callee, self._shown, reason)
        (self.callee or self.caller).later(undo, for_nobody=self.callee is None)
        self._shown = "nothing"

    def _take_back(self, callee: Party | None, shown: _Shown, reason: Withdrawn) -> None:
        if shown == "elsewhere":
            self._board.withdraw_elsewhere(self, reason)
            return
        if callee is None or shown == "nothing":
            return
        if shown == "stream":
            callee.close_stream(self.stream, tell=True)
            return
        if reason in ("cancelled", "gone"):
            self._board.unasked(self)
        callee.withdraw(self.chat, reason)

    def close_announced(self) -> None:
        """Close the stream that was announced to the callee."""
        self.asked.close_stream(self.stream, tell=True)

    def let_callee_go(self) -> None:
        """Free the callee. The caller waits on, as if there had been nobody to ask."""
        self.callee, self._shown = None, "nothing"
        self._board.released(self, self.wanted)
        self._expire_in(max(0.0, self._ends - self._clock.seconds()))

    def tell_opened(self) -> None:
        """Tell whoever asked that there is a chat now.

        If both asked, the person with the smaller name is the caller. The callee hears it first,
        and so is ready when the caller speaks.
        """
        caller, callee = self.caller, self.asked
        if self._opened_elsewhere is not None:
            self.answer.callback(self._opened_elsewhere)
            return
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
        """`own` and `theirs`: the time limits of two requests that crossed."""
        their_seconds = None if own is theirs is None else theirs or 0
        return Opened(self.chat, self.stream, peer.key, role, their_seconds, peer.succession)

    # --- after an output that raised --------------------------------------------------------

    def rescue_callee(self) -> None:
        """The caller still waits: only free the callee, and take back what they were shown."""
        _each(self._retract, self.let_callee_go)

    def rescue_both(self) -> None:
        """The request is over: free both, and answer whoever has had no answer."""
        broken = partial(self._board.broken, self)
        _each(self._retract, self._settle, broken, self._answer_nobody_there)

    def _retract(self) -> None:
        shown, self._shown = self._shown, "nothing"
        self._take_back(self.callee, shown, "gone")

    def _answer_nobody_there(self) -> None:
        for answer in (self.answer, self.crossing) if self.is_crossed else (self.answer,):
            if not answer.called:
                answer.errback(Failure(refusals.NoAnswer()))

    # --- insides ----------------------------------------------------------------------------

    def _expire_in(self, seconds: float) -> None:
        if self._timer.active():
            self._timer.reset(seconds)
        else:
            self._timer = self._clock.callLater(seconds, self.machine.expire)

    def _settle(self) -> None:
        if self._timer.active():
            self._timer.cancel()
        self._shown = "nothing"
        for name in (self.caller.name, self.wanted):
            self._board.released(self, name)


def _each(*steps: Callable[[], None]) -> None:
    """Take every step, whether or not an earlier one raises."""
    for step in steps:
        try:
            step()
        except Exception:
            our_fault(Failure())


def _role(calls: bool) -> Role:
    return "caller" if calls else "callee"


# --- the machine ----------------------------------------------------------------------------

builder = TypeMachineBuilder(RequestInputs, ChatRequest)
created = builder.state("created")
asking = builder.state("asking")
silent = builder.state("silent")
elsewhere = builder.state("elsewhere")
opening = builder.state("opening")
settled = builder.state("settled")


@created.upon(RequestInputs.ask).to(asking)
def _ask(_: RequestInputs, request: ChatRequest) -> None:
    request.offer()


@created.upon(RequestInputs.hush).to(silent)
@elsewhere.upon(RequestInputs.hush).to(silent)
def _hush(_: RequestInputs, request: ChatRequest) -> None:
    request.forget_elsewhere()


@created.upon(RequestInputs.look_elsewhere).to(elsewhere)
def _look_elsewhere(_: RequestInputs, request: ChatRequest) -> None:
    request.look_elsewhere()


@elsewhere.upon(RequestInputs.joined_elsewhere).to(settled)
def _joined_elsewhere(_: RequestInputs, request: ChatRequest, opened: OpenedElsewhere) -> None:
    request.meet_elsewhere(opened)
    request.join()


@created.upon(RequestInputs.give_way).to(settled)
@silent.upon(RequestInputs.give_way).to(settled)
def _give_way(_: RequestInputs, request: ChatRequest, theirs: ChatRequest) -> None:
    request.give_way(theirs)


@elsewhere.upon(RequestInputs.give_way).to(settled)
def _give_way_elsewhere(_: RequestInputs, request: ChatRequest, theirs: ChatRequest) -> None:
    request.withdraw("crossed")
    request.give_way(theirs)


@asking.upon(RequestInputs.accept).to(opening)
def _accept(_: RequestInputs, request: ChatRequest) -> None:
    request.announce()


@elsewhere.upon(RequestInputs.refuse).to(settled)
@asking.upon(RequestInputs.refuse).to(settled)
def _refuse(_: RequestInputs, request: ChatRequest) -> None:
    request.refuse()


@asking.upon(RequestInputs.excuse).to(silent)
def _excuse(_: RequestInputs, request: ChatRequest) -> None:
    request.let_callee_go()


@created.upon(RequestInputs.tell_busy).to(settled)
@elsewhere.upon(RequestInputs.tell_busy).to(settled)
@asking.upon(RequestInputs.tell_busy).to(settled)
def _tell_busy(_: RequestInputs, request: ChatRequest) -> None:
    request.fail(refusals.Busy())


@asking.upon(RequestInputs.dismiss).to(silent)
def _dismiss(_: RequestInputs, request: ChatRequest) -> None:
    request.withdraw("gone")
    request.let_callee_go()


@created.upon(RequestInputs.cancel).to(settled)
@silent.upon(RequestInputs.cancel).to(settled)
@elsewhere.upon(RequestInputs.cancel).to(settled)
@asking.upon(RequestInputs.cancel).to(settled)
@opening.upon(RequestInputs.cancel).to(settled)
def _cancel(_: RequestInputs, request: ChatRequest) -> None:
    request.withdraw("cancelled")
    request.fail(refusals.Cancelled())


@created.upon(RequestInputs.abandon).to(settled)
@silent.upon(RequestInputs.abandon).to(settled)
@elsewhere.upon(RequestInputs.abandon).to(settled)
@asking.upon(RequestInputs.abandon).to(settled)
@opening.upon(RequestInputs.abandon).to(settled)
def _abandon(_: RequestInputs, request: ChatRequest) -> None:
    request.withdraw("gone")
    request.fail(refusals.Cancelled())


@elsewhere.upon(RequestInputs.expire).to(settled)
@asking.upon(RequestInputs.expire).to(settled)
def _expire(_: RequestInputs, request: ChatRequest) -> None:
    request.withdraw("expired")
    request.fail(refusals.NoAnswer())


@asking.upon(RequestInputs.cross).to(settled)
def _cross(_: RequestInputs, request: ChatRequest, asker: Party, chat_seconds: int | None) -> None:
    request.withdraw("crossed")
    request.cross(asker, chat_seconds)
    request.join()


@elsewhere.upon(RequestInputs.cross).to(settled)
def _cross_elsewhere(
    _: RequestInputs, request: ChatRequest, asker: Party, chat_seconds: int | None
) -> None:
    request.withdraw("crossed")
    request.renew()
    request.cross(asker, chat_seconds)
    request.join()


@created.upon(RequestInputs.expire).to(settled)
@silent.upon(RequestInputs.expire).to(settled)
def _expire_silent(_: RequestInputs, request: ChatRequest) -> None:
    request.fail(refusals.NoAnswer())


@created.upon(RequestInputs.cross).to(settled)
@silent.upon(RequestInputs.cross).to(settled)
def _cross_silent(
    _: RequestInputs, request: ChatRequest, asker: Party, chat_seconds: int | None
) -> None:
    request.renew()
    request.cross(asker, chat_seconds)
    request.join()


@opening.upon(RequestInputs.opened).to(settled)
def _opened(_: RequestInputs, request: ChatRequest) -> None:
    request.join()


@opening.upon(RequestInputs.excuse).to(silent)
@opening.upon(RequestInputs.expire).to(silent)
def _lose_opening(_: RequestInputs, request: ChatRequest) -> None:
    request.close_announced()
    request.let_callee_go()


@created.upon(RequestInputs.broke).to(silent)
@elsewhere.upon(RequestInputs.broke).to(silent)
@asking.upon(RequestInputs.broke).to(silent)
@silent.upon(RequestInputs.broke).to(silent)
@opening.upon(RequestInputs.broke).to(silent)
def _broke(_: RequestInputs, request: ChatRequest) -> None:
    request.rescue_callee()


@settled.upon(RequestInputs.broke).loop()
def _broke_at_the_end(_: RequestInputs, request: ChatRequest) -> None:
    request.rescue_both()


_from_callee = (
    RequestInputs.accept,
    RequestInputs.refuse,
    RequestInputs.dismiss,
)
_from_caller = (RequestInputs.cancel, RequestInputs.abandon)
_found = (RequestInputs.ask, RequestInputs.hush)
_from_elsewhere = (RequestInputs.joined_elsewhere,)
_elsewhere = (RequestInputs.look_elsewhere, *_from_elsewhere, RequestInputs.give_way)
_late: dict[Any, tuple[Any, ...]] = {
    created: (*_from_callee, RequestInputs.excuse, RequestInputs.opened, *_from_elsewhere),
    asking: (*_found, RequestInputs.opened, *_elsewhere),
    silent: (
        *_found,
        *_from_callee,
        RequestInputs.tell_busy,
        RequestInputs.excuse,
        RequestInputs.opened,
        RequestInputs.look_elsewhere,
        *_from_elsewhere,
    ),
    elsewhere: (
        RequestInputs.ask,
        RequestInputs.accept,
        RequestInputs.dismiss,
        RequestInputs.excuse,
        RequestInputs.opened,
        RequestInputs.look_elsewhere,
    ),
    opening: (
        *_found,
        *_from_callee,
        RequestInputs.tell_busy,
        RequestInputs.cross,
        *_elsewhere,
    ),
    settled: (
        *_found,
        *_from_callee,
        RequestInputs.tell_busy,
        *_from_caller,
        RequestInputs.cross,
        RequestInputs.excuse,
        RequestInputs.expire,
        RequestInputs.opened,
        *_elsewhere,
    ),
}
for _state, _inputs in _late.items():
    for _input in _inputs:
        _state.upon(_input).loop().returns(None)

machine = builder.build()


def _mend(inputs: RequestInputs, _request: ChatRequest, _error: SecurecomError) -> None:
    """After a fault of ours, caller and callee are free, at once or when the time is up.

    While the request lasts, the caller must not notice that anybody was asked: it turns silent. If
    the fault is in what ends it, it has ended: both are freed, and the caller gets `NoAnswer`.
    """
    inputs.broke()


#: Makes the machine of a request.
begin = lasting(machine, _mend)
