"""The life of one chat request on the server, as a state machine.

created --ask--> asking --accept--> opening --opened--> settled. A request is *created* until the
server looks for the callee, a drawn moment after the caller sent it: until then nothing that is
done for it depends on who the callee is. Whatever else becomes of the callee, or if there
never was one, the request is *silent*: it stands on for the caller alone until its time is up, so
that the caller cannot tell one reason from another; but those whom a callee lets see that they are
busy are told. Every input is taken in every state: what comes late changes nothing.
"""

from __future__ import annotations

from typing import Protocol

from automat import TypeMachineBuilder

from securecom import refusals
from securecom.server.switchboard import Party, Withdrawn


class ChatRequest(Protocol):
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


class Actions(Protocol):
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


builder = TypeMachineBuilder(ChatRequest, Actions)  # type: ignore[type-abstract]
created = builder.state("created")
asking = builder.state("asking")
silent = builder.state("silent")
opening = builder.state("opening")
settled = builder.state("settled")


@created.upon(ChatRequest.ask).to(asking)
def _ask(_: ChatRequest, request: Actions) -> None:
    request.offer()


@created.upon(ChatRequest.hush).to(silent)
def _hush(_: ChatRequest, request: Actions) -> None:
    pass


@asking.upon(ChatRequest.accept).to(opening)
def _accept(_: ChatRequest, request: Actions) -> None:
    request.announce()


@asking.upon(ChatRequest.refuse).to(settled)
def _refuse(_: ChatRequest, request: Actions) -> None:
    request.refuse()


@asking.upon(ChatRequest.excuse).to(silent)
def _excuse(_: ChatRequest, request: Actions) -> None:
    request.let_callee_go()


@created.upon(ChatRequest.tell_busy).to(settled)
@asking.upon(ChatRequest.tell_busy).to(settled)
def _tell_busy(_: ChatRequest, request: Actions) -> None:
    request.fail(refusals.Busy())


@asking.upon(ChatRequest.dismiss).to(silent)
def _dismiss(_: ChatRequest, request: Actions) -> None:
    request.withdraw("gone")
    request.let_callee_go()


@created.upon(ChatRequest.cancel).to(settled)
@silent.upon(ChatRequest.cancel).to(settled)
@asking.upon(ChatRequest.cancel).to(settled)
@opening.upon(ChatRequest.cancel).to(settled)
def _cancel(_: ChatRequest, request: Actions) -> None:
    request.withdraw("cancelled")
    request.fail(refusals.Cancelled())


@created.upon(ChatRequest.abandon).to(settled)
@silent.upon(ChatRequest.abandon).to(settled)
@asking.upon(ChatRequest.abandon).to(settled)
@opening.upon(ChatRequest.abandon).to(settled)
def _abandon(_: ChatRequest, request: Actions) -> None:
    request.withdraw("gone")
    request.fail(refusals.Cancelled())


@asking.upon(ChatRequest.expire).to(settled)
def _expire(_: ChatRequest, request: Actions) -> None:
    request.withdraw("expired")
    request.fail(refusals.NoAnswer())


@asking.upon(ChatRequest.cross).to(settled)
def _cross(_: ChatRequest, request: Actions, asker: Party, chat_seconds: int | None) -> bool:
    request.withdraw("crossed")
    request.cross(asker, chat_seconds)
    request.join()
    return True


@created.upon(ChatRequest.expire).to(settled)
@silent.upon(ChatRequest.expire).to(settled)
def _expire_silent(_: ChatRequest, request: Actions) -> None:
    request.fail(refusals.NoAnswer())


@created.upon(ChatRequest.cross).to(settled)
@silent.upon(ChatRequest.cross).to(settled)
def _cross_silent(_: ChatRequest, request: Actions, asker: Party, chat_seconds: int | None) -> bool:
    request.renew()
    request.cross(asker, chat_seconds)
    request.join()
    return True


@opening.upon(ChatRequest.opened).to(settled)
def _opened(_: ChatRequest, request: Actions) -> None:
    request.join()


@opening.upon(ChatRequest.excuse).to(silent)
@opening.upon(ChatRequest.expire).to(silent)
def _lose_opening(_: ChatRequest, request: Actions) -> None:
    request.close_announced()
    request.let_callee_go()


@opening.upon(ChatRequest.cross).loop()
@settled.upon(ChatRequest.cross).loop()
def _too_late(_: ChatRequest, request: Actions, asker: Party, chat_seconds: int | None) -> bool:
    return False


_from_callee = (
    ChatRequest.accept,
    ChatRequest.refuse,
    ChatRequest.dismiss,
)
_from_caller = (ChatRequest.cancel, ChatRequest.abandon)
_found = (ChatRequest.ask, ChatRequest.hush)
_late = {
    created: (*_from_callee, ChatRequest.excuse, ChatRequest.opened),
    asking: (*_found, ChatRequest.opened),
    silent: (*_found, *_from_callee, ChatRequest.tell_busy, ChatRequest.excuse, ChatRequest.opened),
    opening: (*_found, *_from_callee, ChatRequest.tell_busy),
    settled: (
        *_found,
        *_from_callee,
        ChatRequest.tell_busy,
        *_from_caller,
        ChatRequest.excuse,
        ChatRequest.expire,
        ChatRequest.opened,
    ),
}
for _state, _inputs in _late.items():
    for _input in _inputs:
        _state.upon(_input).loop().returns(None)

machine = builder.build()
