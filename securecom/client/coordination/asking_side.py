"""Our own chat request: sent, answered, withdrawn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from securecom import commands, limits, refusals
from securecom.client.chat.agreement import Role, Span, crossed_span
from securecom.client.coordination import outcomes
from securecom.client.coordination.engagement import Engagement
from securecom.client.coordination.requests import Grant, Request
from securecom.client.coordination.station import Station
from securecom.client.events import Asking, RequestOver, Trust
from securecom.control import our_fault
from securecom.errors import (
    ChatFailed,
    ConnectionWasLost,
    NotNow,
    PeerKeyChanged,
    SecurecomError,
    WasCancelled,
)
from securecom.identity import Name

_log = Logger()

_PATIENCE = limits.REQUEST_EXPIRES + limits.OPENING_DEADLINE + limits.ANSWER_DEADLINE


class AskingSide:
    """What is done about our request; `life` is told what the server answers."""

    life: Engagement

    def __init__(self, station: Station) -> None:
        self._station = station
        self._request: Request | None = None
        self._ends: list[Deferred[None]] = []

    @property
    def callee(self) -> Name | None:
        """Whom we ask."""
        return self._request.callee if self._request is not None else None

    def send(self, request: Request) -> None:
        """Ask the server; its answer, or why it could not be asked, comes back as an input."""
        self._request = request
        answer = maybeDeferred(self._ask, request)
        answer.addCallbacks(
            self._answered, self._denied, callbackArgs=(request,), errbackArgs=(request,)
        )
        answer.addErrback(lambda failure: _log.failure("a chat request broke", failure))

    def withdraw(self, done: Deferred[None]) -> None:
        """What becomes of it is the answer to the request itself; then `done` fires."""
        self.await_end(done)
        self._station.line.ask(commands.CancelRequest).addErrback(lambda _: None)

    def await_end(self, done: Deferred[None]) -> None:
        """`done` fires when the request is over."""
        self._ends.append(done)

    def end_unwanted(self, grant: Grant) -> None:
        """A chat that we must not, or no longer want to, have."""
        if self._station.is_online:  # else it is over already
            ended = self._station.line.ask(commands.EndChat, stream=grant.stream)
            ended.addErrback(lambda _: None)

    def take(self) -> Request:
        """It became a chat. :raises NotNow: if there is none."""
        request, self._request = self._request, None
        if request is None:
            raise NotNow("there is no request")
        return request

    def failed(self, error: SecurecomError) -> None:
        """It came to nothing."""
        request, wait = self.take(), getattr(error, "wait", None)
        self._station.show(RequestOver(request.callee, outcomes.word_of(error), wait))
        request.stands.errback(Failure(error))
        ends, self._ends = self._ends, []
        for done in ends:
            done.callback(None)

    def cancelled(self) -> None:
        """We withdrew it, and it is over."""
        self.failed(WasCancelled("you withdrew your request"))

    def lost(self) -> None:
        """The server that was to answer is gone, or we have left it."""
        if self._station.is_leaving:
            self.failed(WasCancelled("you left, and your request with you"))
            return
        self.failed(ConnectionWasLost("the connection to the server was lost"))

    def _ask(self, request: Request) -> Deferred[dict[str, Any]]:
        line, callee, lasts = self._station.line, request.callee, request.chat_seconds
        trust = self._station.trust(callee)
        self._station.show(Asking(callee, trust, int(limits.REQUEST_EXPIRES), lasts))
        return line.ask(commands.RequestChat, _PATIENCE, callee=callee, chat_seconds=lasts)

    def _answered(self, answer: dict[str, Any], request: Request) -> None:
        span = _span(request, answer["role"], answer.pop("their_seconds"))
        grant = Grant(**answer, span=span)
        try:
            trust = self._check(grant, request.callee)
        except SecurecomError as error:
            self.life.misgranted(grant, error)
        else:
            self.life.granted(replace(grant, trust=trust))

    def _denied(self, failure: Failure, request: Request) -> None:
        error = failure.value
        if isinstance(error, ConnectionWasLost) or self._station.is_closing:
            return  # that is `lost`'s to tell
        if isinstance(error, refusals.Refusal):
            error = outcomes.denial(error, request.callee)
        elif not isinstance(error, SecurecomError):
            error = our_fault(failure)
        self.life.denied(error)

    def _check(self, grant: Grant, callee: Name) -> Trust:
        """The pin goes before the server's word; so does the rule for crossing requests.

        A server that gives us the callee's role although our name is the smaller one lies: such a
        chat would wait for ever. One that gives it where both had to ask anyway can choose no
        more than who speaks first, and HELLO binds the roles of both.
        """
        if grant.key == self._station.identity.public_key:
            raise PeerKeyChanged(f"the server gives your own key for {callee}'s")
        trust = self._station.contacts.trust(callee, grant.key, grant.chain)
        if not self._station.contacts.may_be(callee, grant.key, grant.chain):
            raise outcomes.key_changed(callee, grant.key)
        if grant.role == "callee" and self._station.name < callee:
            raise ChatFailed("the server mixed up who asked whom")
        return trust


def _span(request: Request, role: Role, theirs: int | None) -> Span:
    """How long the chat may last. What the server says of the other's request, HELLO proves."""
    if theirs is not None:
        return crossed_span(role, request.chat_seconds, theirs)
    return () if request.chat_seconds is None else (request.chat_seconds,)
