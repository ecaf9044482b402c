"""One chat request on the server: its facts, and what becomes of them; `request_life` says when."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from securecom import limits, refusals
from securecom.identity import Name
from securecom.server import request_life
from securecom.server.request_life import ChatRequest
from securecom.server.switchboard import Answer, Opened, Party, Role, Withdrawn

#: What the callee's client has been told last, and has not heard to be over.
_Told = Literal["nothing", "offer", "stream"]


class Board(Protocol):
    """What a request needs of the switchboard."""

    def new_chat(self) -> tuple[bytes, int]:
        """A chat id and a stream number that nobody has seen."""

    def refused(self, request: Request) -> int:
        """The callee said no; seconds until the caller may ask them again."""

    def shows_busy(self, request: Request) -> bool:
        """The callee lets the caller see when they are busy."""

    def reserves(self, request: Request) -> bool:
        """The callee is in this request, and not only asked behind another."""

    def unasked(self, request: Request) -> None:
        """The offer was of no weight to the callee: it does not count against the next caller."""

    def released(self, request: Request, name: Name) -> None:
        """This person has nothing more to do with the request, if they ever had."""

    def established(self, request: Request) -> None:
        """The request, with which nobody has anything to do any more, is to become a chat."""


class Request:
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
        self.machine: ChatRequest = request_life.machine(self)
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
