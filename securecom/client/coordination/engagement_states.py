"""What is going on, as a state machine: one request, one offer or one chat at a time.

    offline -> free                                          logged in; lost: back from anywhere
    free -> asking -> opening -> chatting -> free            we asked
    free -> deciding -> accepted -> opening -> ...           we were asked
            deciding -> considering -> accepted              and so was the person
    asking -> crossing -> opening                            both asked

`crossing`: the person whom we ask is asking us. The server makes both requests one
chat and withdraws the offer; if our request ends otherwise, the offer counts.

`deciding`: the program that may answer in the user's name is consulted. Without one, the user is
asked in the same moment.

Every input is taken in every state, and here alone it is decided what does not fit now: an order
of the user's is answered with `NotNow`, an offer with "busy", a chat that nobody wants is ended
at the server, and what comes late changes nothing.

Which state this is for a front-end, `Sides.state` says, and a `StateChanged` event when it is
another one. An output that raises ends whatever is going on (`broke`), so that nobody is engaged
for ever.
"""

# Annotations are values here: Automat would evaluate strings anew for each of some 300 transitions.

from collections.abc import Callable
from dataclasses import dataclass

from automat import TypeMachineBuilder
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from securecom.client.api import ClientState, not_now
from securecom.client.coordination import outcomes
from securecom.client.coordination.asking import AskedSide, AskingSide, DecidingSide
from securecom.client.coordination.chat_side import ChatSide
from securecom.client.coordination.engagement import (
    Engagement,
    Grant,
    Offer,
    OwnRequest,
    Verdict,
    Waiting,
    Withdrawn,
)
from securecom.client.events import Ending, Event, StateChanged
from securecom.control import our_fault
from securecom.errors import ChatFailed, SecurecomError, WasCancelled
from securecom.identity import Name
from securecom.machines import lasting

#: What a front-end may know of each state.
_STATES = {
    "offline": ClientState.OFFLINE,
    "free": ClientState.IDLE,
    "asking": ClientState.ASKING,
    "crossing": ClientState.ASKING,
    "withdrawing": ClientState.ASKING,
    "deciding": ClientState.IDLE,
    "considering": ClientState.ASKED,
    "accepted": ClientState.OPENING,
    "opening": ClientState.OPENING,
    "chatting": ClientState.CHAT,
}


@dataclass(eq=False)
class Sides:
    """What transitions are carried out by, and the state that the last one led to."""

    asking: AskingSide
    deciding: DecidingSide
    asked: AskedSide
    chats: ChatSide
    waiting: Waiting
    show: Callable[[Event], None]
    state: ClientState = ClientState.OFFLINE
    _told: ClientState = ClientState.OFFLINE

    def entered(self, state: str) -> None:
        """The machine is in this state now."""
        self.state = _STATES[state]

    def settled(self) -> None:
        """All that led to the state is done and shown: tell the front-end where that is."""
        if self.state is not self._told:
            before, self._told = self._told, self.state
            self.show(StateChanged(self.state.word, before.word, self._other()))

    def _other(self) -> Name | None:
        """The person whom the state is about."""
        match self.state:
            case ClientState.ASKED:
                return None if self.asked.open is None else self.asked.open.caller
            case ClientState.ASKING:
                return self.asking.callee
            case ClientState.OPENING | ClientState.CHAT:
                if self.chats.chat is not None:
                    return self.chats.chat.peer
                return None if self.asked.accepted is None else self.asked.accepted.caller
        return None

    def give_up(self, error: SecurecomError) -> None:
        """A fault of ours: whatever is going on ends, and everybody who waits hears of it."""
        for part in (self.chats, self.asking, self.deciding, self.asked, self.waiting):
            try:
                part.give_up(error)
            except Exception:  # the other parts have to end all the same
                our_fault(Failure())

    def decline(self, offer: Offer) -> None:
        """Answer "busy". The user need not hear of it if the caller is with us already."""
        chat, accepted = self.chats.chat, self.asked.accepted
        with_us = {chat and chat.peer, accepted and accepted.caller, self.asking.callee}
        self.asked.decline(offer, offer.caller in with_us)


builder = TypeMachineBuilder(Engagement, Sides)
offline = builder.state("offline")
free = builder.state("free")
asking = builder.state("asking")
crossing = builder.state("crossing")
withdrawing = builder.state("withdrawing")
deciding = builder.state("deciding")
considering = builder.state("considering")
accepted = builder.state("accepted")
opening = builder.state("opening")
chatting = builder.state("chatting")

_asked = (deciding, considering, accepted)
_all = (offline, free, asking, crossing, withdrawing, *_asked, opening, chatting)

# --- we ask ---------------------------------------------------------------------------------


@free.upon(Engagement.ask).to(asking)
def _ask(_: Engagement, sides: Sides, request: OwnRequest) -> None:
    sides.asking.send(request)


@asking.upon(Engagement.granted).to(opening)
@crossing.upon(Engagement.granted).to(opening)
def _open(_: Engagement, sides: Sides, grant: Grant) -> None:
    sides.asked.drop_held("busy")
    request = sides.asking.take()
    sides.chats.begin(grant, request.callee, request.stands, asked_for=True)


@asking.upon(Engagement.misgranted).to(free)
def _reject(_: Engagement, sides: Sides, grant: Grant, error: SecurecomError) -> None:
    sides.asking.end_unwanted(grant)
    sides.asking.failed(error)


@crossing.upon(Engagement.misgranted).to(free)
def _reject_both(_: Engagement, sides: Sides, grant: Grant, error: SecurecomError) -> None:
    sides.asked.drop_held("unavailable")
    sides.asking.end_unwanted(grant)
    sides.asking.failed(error)


@asking.upon(Engagement.denied).to(free)
def _denied(_: Engagement, sides: Sides, error: SecurecomError) -> None:
    sides.asking.failed(error)


@asking.upon(Engagement.cancel).to(withdrawing)
@crossing.upon(Engagement.cancel).to(withdrawing)
def _cancel(_: Engagement, sides: Sides, done: Deferred[None]) -> None:
    sides.asked.drop_held("busy")
    sides.asking.withdraw(done)


@withdrawing.upon(Engagement.cancel).loop()
def _cancel_again(_: Engagement, sides: Sides, done: Deferred[None]) -> None:
    sides.asking.await_end(done)


@withdrawing.upon(Engagement.granted).to(free)
def _too_late(_: Engagement, sides: Sides, grant: Grant) -> None:
    sides.asking.end_unwanted(grant)
    sides.asking.cancelled()


@withdrawing.upon(Engagement.misgranted).to(free)
def _too_late_too(_: Engagement, sides: Sides, grant: Grant, error: SecurecomError) -> None:
    sides.asking.end_unwanted(grant)
    sides.asking.cancelled()


@withdrawing.upon(Engagement.denied).to(free)
def _withdrawn(_: Engagement, sides: Sides, error: SecurecomError) -> None:
    sides.asking.cancelled()


# --- both ask -------------------------------------------------------------------------------


@asking.upon(Engagement.offered_by_callee).to(crossing)
def _hold(_: Engagement, sides: Sides, offer: Offer) -> None:
    sides.asked.hold(offer)


@crossing.upon(Engagement.withdrawn).to(asking)
def _drop(_: Engagement, sides: Sides, reason: Withdrawn) -> None:
    sides.asked.drop_held("unavailable")


@crossing.upon(Engagement.denied).to(deciding)
def _consult_about_held(_: Engagement, sides: Sides, error: SecurecomError) -> None:
    held = sides.asked.take_held()
    sides.asking.failed(error)
    sides.deciding.consult(held)


# --- we are asked ---------------------------------------------------------------------------


@free.upon(Engagement.offered).to(deciding)
@free.upon(Engagement.offered_by_callee).to(deciding)
def _consult(_: Engagement, sides: Sides, offer: Offer) -> None:
    sides.deciding.consult(offer)


@deciding.upon(Engagement.undecided).to(considering)
def _consider(_: Engagement, sides: Sides) -> None:
    sides.asked.consider(sides.deciding.take())


@deciding.upon(Engagement.agreed).to(accepted)
def _agree(_: Engagement, sides: Sides) -> None:
    sides.asked.accept_unasked(sides.deciding.agree())


@deciding.upon(Engagement.declined).to(free)
def _decline(_: Engagement, sides: Sides, verdict: Verdict) -> None:
    sides.deciding.decline(verdict)


@deciding.upon(Engagement.withdrawn).to(free)
def _forget_undecided(_: Engagement, sides: Sides, reason: Withdrawn) -> None:
    sides.deciding.void(reason)


@deciding.upon(Engagement.expired).to(free)
def _expire_undecided(_: Engagement, sides: Sides) -> None:
    sides.deciding.void("expired")


@considering.upon(Engagement.accept).to(accepted)
def _accept(_: Engagement, sides: Sides, done: Deferred[None]) -> None:
    sides.asked.accept(done)


@considering.upon(Engagement.refuse).to(free)
def _refuse(_: Engagement, sides: Sides, done: Deferred[None]) -> None:
    sides.asked.refuse()
    done.callback(None)


@considering.upon(Engagement.dismiss).to(free)
def _dismiss(_: Engagement, sides: Sides, done: Deferred[None]) -> None:
    sides.asked.dismiss()
    done.callback(None)


@considering.upon(Engagement.withdrawn).to(free)
def _forget(_: Engagement, sides: Sides, reason: Withdrawn) -> None:
    sides.asked.void(reason)


@considering.upon(Engagement.expired).to(free)
def _expire(_: Engagement, sides: Sides) -> None:
    sides.asked.void("expired")


@accepted.upon(Engagement.stream_opened).to(opening)
def _open_accepted(_: Engagement, sides: Sides, number: int) -> None:
    offer, stands = sides.asked.take_accepted()
    facts = (offer.trust, offer.chain, offer.terms)
    grant = Grant(offer.chat, number, offer.key, "callee", *facts)
    sides.chats.begin(grant, offer.caller, stands, asked_for=False)


@accepted.upon(Engagement.withdrawn).to(free)
def _withdrawn_after_yes(_: Engagement, sides: Sides, reason: Withdrawn) -> None:
    sides.asked.opening_failed(ChatFailed("the request was withdrawn"))


@accepted.upon(Engagement.expired).to(free)
def _never_opened(_: Engagement, sides: Sides) -> None:
    sides.asked.opening_failed(ChatFailed("the server did not open the chat in time"))


@accepted.upon(Engagement.stop).to(free)
def _stop_accepted(_: Engagement, sides: Sides, done: Deferred[None]) -> None:
    sides.asked.opening_failed(WasCancelled("you ended the chat"))
    done.callback(None)


# --- in the chat ----------------------------------------------------------------------------


@opening.upon(Engagement.stood).to(chatting)
def _stood(_: Engagement, sides: Sides) -> None:
    sides.chats.stood()


@opening.upon(Engagement.over).to(free)
@chatting.upon(Engagement.over).to(free)
def _over(
    _: Engagement,
    sides: Sides,
    ending: Ending | None,
    undelivered: list[int],
    error: Exception | None,
) -> None:
    sides.chats.over(ending, undelivered, error)


@opening.upon(Engagement.stop).loop()
@chatting.upon(Engagement.stop).loop()
def _stop(_: Engagement, sides: Sides, done: Deferred[None]) -> None:
    sides.chats.leave(done)


# --- the standard channel -------------------------------------------------------------------

offline.upon(Engagement.connected).to(free).returns(None)
free.upon(Engagement.lost).to(offline).returns(None)


@asking.upon(Engagement.lost).to(offline)
@crossing.upon(Engagement.lost).to(offline)
@withdrawing.upon(Engagement.lost).to(offline)
def _lost_asking(_: Engagement, sides: Sides) -> None:
    sides.asked.drop_held("unavailable")
    sides.asking.lost()


@deciding.upon(Engagement.lost).to(offline)
def _lost_deciding(_: Engagement, sides: Sides) -> None:
    sides.deciding.void("gone")


@considering.upon(Engagement.lost).to(offline)
def _lost_considering(_: Engagement, sides: Sides) -> None:
    sides.asked.void("gone")


@accepted.upon(Engagement.lost).to(offline)
def _lost_accepted(_: Engagement, sides: Sides) -> None:
    sides.asked.line_lost()


# The chat's stream is gone as well: its session ends a moment later.
opening.upon(Engagement.lost).to(offline).returns(None)
chatting.upon(Engagement.lost).to(offline).returns(None)
for _state in (offline, free):
    _state.upon(Engagement.over).loop()(_over)

# --- a fault of ours ------------------------------------------------------------------------


def _give_up(_: Engagement, sides: Sides, error: SecurecomError) -> None:
    sides.give_up(error)


for _state in _all:
    if _state is not offline:
        _state.upon(Engagement.broke).to(free)(_give_up)
offline.upon(Engagement.broke).loop()(_give_up)

# --- not now --------------------------------------------------------------------------------


def _busy(_: Engagement, sides: Sides, offer: Offer) -> None:
    sides.decline(offer)


def _not_while(_: Engagement, sides: Sides, done: Deferred[None]) -> None:
    done.errback(Failure(not_now(sides.state)))


def _no_request_now(_: Engagement, sides: Sides, request: OwnRequest) -> None:
    request.stands.errback(Failure(not_now(sides.state)))


@deciding.upon(Engagement.ask).loop()
def _no_request_while_deciding(_: Engagement, sides: Sides, request: OwnRequest) -> None:
    request.stands.errback(Failure(outcomes.somebody_asks()))


@considering.upon(Engagement.ask).loop()
def _no_request_while_asked(_: Engagement, sides: Sides, request: OwnRequest) -> None:
    request.stands.errback(Failure(outcomes.asks_already(sides.asked.caller)))


for _state in _all:
    if _state not in (free, deciding, considering):
        _state.upon(Engagement.ask).loop()(_no_request_now)
    if _state is not free:
        _state.upon(Engagement.offered).loop()(_busy)
    if _state not in (asking, crossing, withdrawing):
        _state.upon(Engagement.cancel).loop()(_not_while)
    if _state is not considering:
        _state.upon(Engagement.accept).loop()(_not_while)
        _state.upon(Engagement.refuse).loop()(_not_while)
        _state.upon(Engagement.dismiss).loop()(_not_while)
    if _state not in (accepted, opening, chatting):
        _state.upon(Engagement.stop).loop()(_not_while)
    if _state not in (free, asking):
        _state.upon(Engagement.offered_by_callee).loop()(_busy)

# --- out of turn ----------------------------------------------------------------------------


def _end_granted(_: Engagement, sides: Sides, grant: Grant) -> None:
    sides.asking.end_unwanted(grant)


def _end_misgranted(_: Engagement, sides: Sides, grant: Grant, error: SecurecomError) -> None:
    sides.asking.end_unwanted(grant)


for _state in _all:
    if _state not in (asking, crossing, withdrawing):
        _state.upon(Engagement.granted).loop()(_end_granted)
        _state.upon(Engagement.misgranted).loop()(_end_misgranted)
        _state.upon(Engagement.denied).loop().returns(None)
    if _state not in (crossing, *_asked):
        _state.upon(Engagement.withdrawn).loop().returns(None)
    if _state not in _asked:
        _state.upon(Engagement.expired).loop().returns(None)
    if _state is not deciding:
        _state.upon(Engagement.undecided).loop().returns(None)
        _state.upon(Engagement.agreed).loop().returns(None)
        _state.upon(Engagement.declined).loop().returns(None)
    if _state is not accepted:
        _state.upon(Engagement.stream_opened).loop().returns(None)
    if _state is not opening:
        _state.upon(Engagement.stood).loop().returns(None)
    if _state not in (offline, free, opening, chatting):
        _state.upon(Engagement.over).loop().returns(None)
    if _state is not offline:
        _state.upon(Engagement.connected).loop().returns(None)
offline.upon(Engagement.lost).loop().returns(None)

machine = builder.build()


def _mend(engagement: Engagement, _: Sides, error: SecurecomError) -> None:
    engagement.broke(error)


#: An engagement of these sides, off line.
begin = lasting(machine, _mend, Sides.entered, Sides.settled)
