"""The life of an end-to-end session: what may come when, as a state machine.

    awaiting_handshake -> awaiting_hello -> awaiting_our_word (caller)   -> talking
                                         -> awaiting_their_word (callee) -> talking
    any secure state   -> awaiting_bye_answer -> over        BYE, or "no, not the same number"
    everything         -> over

Inputs are classified before they come here (a HELLO is good or bad), and every state takes every
input: what is late changes nothing, what is out of turn ends the chat.
"""

from __future__ import annotations

from typing import Any, Protocol

from automat import TypeMachineBuilder
from twisted.internet.defer import Deferred

from securecom.client.events import Ending
from securecom.client.key_events import Word
from securecom.errors import SecurecomError, WireError
from securecom.machines import lasting
from securecom.values import Value, field


class Heard(Value):
    """The peer said something; `receipt` is its answer, still to be given."""

    text: str
    receipt: Deferred[dict[str, Any]] = field(default_factory=Deferred)


class ChatLife(Protocol):
    """What can happen to a session."""

    def handshake_done(self) -> None:
        """TLS stands: the peer holds the expected key."""

    def good_hello_from_callee(self) -> None:
        """The peer means this chat; we speak first."""

    def good_hello_from_caller(self) -> None:
        """The peer means this chat, and speaks first."""

    def misbehaved(self, error: Exception) -> None:
        """The peer broke the protocol."""

    def say(self, number: int, text: str) -> None:
        """Our user wrote a message."""

    def heard(self, heard: Heard) -> None:
        """A message of the peer's came."""

    def agreed(self) -> None:
        """The peer says that the safety numbers are the same."""

    def disagreed(self) -> None:
        """The peer says that they are different, which ends the chat."""

    def disagree(self) -> None:
        """Our user says that they are different."""

    def said_bye(self) -> None:
        """The peer ends the chat."""

    def leave(self) -> None:
        """Our user ends the chat."""

    def bye_answered(self) -> None:
        """The peer took our BYE, or our "no", or had its time."""

    def lost(self) -> None:
        """The stream is gone."""


class ChatActions(Protocol):
    """What transitions do."""

    def send_hello(self) -> None:
        """Prove that we mean this chat."""

    def stand(self) -> None:
        """The chat is secure."""

    def send_now(self, number: int, text: str) -> None:
        """Send a message."""

    def hold_back(self, number: int, text: str) -> None:
        """Keep a message until the caller has spoken."""

    def send_held(self) -> None:
        """The caller has spoken."""

    def show(self, heard: Heard) -> None:
        """Show a message, then acknowledge it."""

    def refuse(self, heard: Heard) -> None:
        """Answer a message with `OutOfTurn`."""

    def show_word(self, word: Word) -> None:
        """Show what the peer's user found when comparing."""

    def send_no(self) -> None:
        """Say that the numbers are different, and that this ends the chat."""

    def send_bye(self) -> None:
        """Say that we end the chat."""

    def end(self, ending: Ending | None, error: Exception | None) -> None:
        """It is over. `ending`: None if it never stood; `error`: what the peer did, if it did."""

    def give_up(self, error: SecurecomError) -> None:
        """An output raised: it is over all the same."""


builder = TypeMachineBuilder(ChatLife, ChatActions)  # type: ignore[type-abstract]
awaiting_handshake = builder.state("awaiting_handshake")
awaiting_hello = builder.state("awaiting_hello")
awaiting_our_word = builder.state("awaiting_our_word")
awaiting_their_word = builder.state("awaiting_their_word")
talking = builder.state("talking")
awaiting_bye_answer = builder.state("awaiting_bye_answer")
over = builder.state("over")

_opening = (awaiting_handshake, awaiting_hello)
_secure = (awaiting_our_word, awaiting_their_word, talking)
_all = (*_opening, *_secure, awaiting_bye_answer, over)

# --- opening --------------------------------------------------------------------------------


@awaiting_handshake.upon(ChatLife.handshake_done).to(awaiting_hello)
def _greet(_: ChatLife, session: ChatActions) -> None:
    session.send_hello()


@awaiting_hello.upon(ChatLife.good_hello_from_callee).to(awaiting_our_word)
@awaiting_hello.upon(ChatLife.good_hello_from_caller).to(awaiting_their_word)
def _stand(_: ChatLife, session: ChatActions) -> None:
    session.stand()


def _give_up(_: ChatLife, session: ChatActions) -> None:
    session.end(None, None)


for _state in _opening:
    for _input in (ChatLife.leave, ChatLife.lost, ChatLife.said_bye):
        _state.upon(_input).to(over)(_give_up)

# --- talking --------------------------------------------------------------------------------


@awaiting_our_word.upon(ChatLife.say).to(talking)
@talking.upon(ChatLife.say).loop()
def _send(_: ChatLife, session: ChatActions, number: int, text: str) -> None:
    session.send_now(number, text)


@awaiting_their_word.upon(ChatLife.say).loop()
def _hold_back(_: ChatLife, session: ChatActions, number: int, text: str) -> None:
    session.hold_back(number, text)


@awaiting_their_word.upon(ChatLife.heard).to(talking)
def _show_first(_: ChatLife, session: ChatActions, heard: Heard) -> None:
    session.show(heard)
    session.send_held()


@talking.upon(ChatLife.heard).loop()
def _show(_: ChatLife, session: ChatActions, heard: Heard) -> None:
    session.show(heard)


# --- comparing ------------------------------------------------------------------------------


def _show_yes(_: ChatLife, session: ChatActions) -> None:
    session.show_word("yes")


def _end_by_their_no(_: ChatLife, session: ChatActions) -> None:
    session.show_word("no")
    session.end("by-peer", None)


def _end_by_our_no(_: ChatLife, session: ChatActions) -> None:
    session.send_no()


for _state in _secure:
    _state.upon(ChatLife.agreed).loop()(_show_yes)
    _state.upon(ChatLife.disagreed).to(over)(_end_by_their_no)
    _state.upon(ChatLife.disagree).to(awaiting_bye_answer)(_end_by_our_no)

# --- the end --------------------------------------------------------------------------------


def _leave(_: ChatLife, session: ChatActions) -> None:
    session.send_bye()


def _end_by_peer(_: ChatLife, session: ChatActions) -> None:
    session.end("by-peer", None)


def _cut_off(_: ChatLife, session: ChatActions) -> None:
    session.end("cut-off", None)


for _state in _secure:
    _state.upon(ChatLife.leave).to(awaiting_bye_answer)(_leave)
    _state.upon(ChatLife.said_bye).to(over)(_end_by_peer)
for _state in (*_secure, awaiting_bye_answer):
    _state.upon(ChatLife.lost).to(over)(_cut_off)


@awaiting_bye_answer.upon(ChatLife.bye_answered).to(over)
@awaiting_bye_answer.upon(ChatLife.said_bye).to(over)
def _end_by_me(_: ChatLife, session: ChatActions) -> None:
    session.end("by-me", None)


@awaiting_bye_answer.upon(ChatLife.disagreed).to(over)
def _end_by_both(_: ChatLife, session: ChatActions) -> None:
    session.show_word("no")
    session.end("by-me", None)


# --- out of turn ----------------------------------------------------------------------------


def _refuse_early(_: ChatLife, session: ChatActions, heard: Heard) -> None:
    session.refuse(heard)
    session.end(None, WireError("the peer spoke before HELLO"))


@awaiting_our_word.upon(ChatLife.heard).to(over)
def _refuse_first(_: ChatLife, session: ChatActions, heard: Heard) -> None:
    session.refuse(heard)
    session.end("cut-off", WireError("the peer spoke out of turn"))


# What crosses our BYE is not shown, and its sender sees that it was not.
@awaiting_bye_answer.upon(ChatLife.heard).loop()
@over.upon(ChatLife.heard).loop()
def _refuse_late(_: ChatLife, session: ChatActions, heard: Heard) -> None:
    session.refuse(heard)


def _fail_early(_: ChatLife, session: ChatActions) -> None:
    session.end(None, WireError("the peer spoke before HELLO"))


def _fail(_: ChatLife, session: ChatActions, error: Exception) -> None:
    session.end(None, error)


def _break(_: ChatLife, session: ChatActions, error: Exception) -> None:
    session.end("cut-off", error)


for _state in _opening:
    _state.upon(ChatLife.heard).to(over)(_refuse_early)
    _state.upon(ChatLife.agreed).to(over)(_fail_early)
    _state.upon(ChatLife.disagreed).to(over)(_fail_early)
    _state.upon(ChatLife.misbehaved).to(over)(_fail)
for _state in (*_secure, awaiting_bye_answer):
    _state.upon(ChatLife.misbehaved).to(over)(_break)

# --- what changes nothing -------------------------------------------------------------------

for _state in _all:
    if _state is not awaiting_handshake:
        _state.upon(ChatLife.handshake_done).loop().returns(None)
    if _state is not awaiting_hello:
        _state.upon(ChatLife.good_hello_from_callee).loop().returns(None)
        _state.upon(ChatLife.good_hello_from_caller).loop().returns(None)
    if _state is not awaiting_bye_answer:
        _state.upon(ChatLife.bye_answered).loop().returns(None)
for _state in (*_opening, awaiting_bye_answer, over):
    _state.upon(ChatLife.say).loop().returns(None)
    _state.upon(ChatLife.disagree).loop().returns(None)
for _state in (awaiting_bye_answer, over):
    _state.upon(ChatLife.agreed).loop().returns(None)
over.upon(ChatLife.disagreed).loop().returns(None)
awaiting_bye_answer.upon(ChatLife.leave).loop().returns(None)
over.upon(ChatLife.leave).loop().returns(None)
over.upon(ChatLife.said_bye).loop().returns(None)
over.upon(ChatLife.lost).loop().returns(None)
over.upon(ChatLife.misbehaved).loop().returns(None)

machine = builder.build()


def _mend(life: ChatLife, session: ChatActions, error: SecurecomError) -> None:
    try:
        life.misbehaved(error)
    finally:  # it may be the end that raised
        session.give_up(error)


#: The life of a session, from its handshake on.
begin = lasting(machine, _mend)
