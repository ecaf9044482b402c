"""Each of the two may see that the other is writing, if both want that.

A client that wants it says so in HELLO, and only to such a client is anything sent. A notice says
"writing just now" and nothing else; it is over after a few seconds, or with the next message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from securecom import limits, vocabulary
from securecom.client.events import Event, PeerTyping
from securecom.control import ControlLane, Locator
from securecom.errors import WireError

#: What a client says in HELLO if it wants this.
FEATURE = "typing"


class TypingSession(Protocol):
    """What a notice needs of the chat."""

    control: ControlLane
    is_established: bool
    may_speak: bool
    peer_knows: frozenset[str]

    def fault_of_peer(self, error: WireError) -> None:
        """End the chat: the peer broke a rule."""


class TypingNotices(Locator):
    """Sends and shows notices.

    :param wanted: whether our person wants that, at this moment.
    """

    def __init__(
        self,
        peer: str,
        session: TypingSession,
        clock: IReactorTime,
        show: Callable[[Event], None],
        wanted: Callable[[], bool],
    ) -> None:
        self._peer, self._session = peer, session
        self._clock, self._show, self._wanted = clock, show, wanted
        #: Whether we said in HELLO that we want it.
        self.is_offered = wanted()
        self._not_before = 0.0
        self._timer: IDelayedCall | None = None
        #: It shows that they are writing.
        self.is_shown = False

    def tell(self) -> None:
        """Our person is writing; said now and then, however often this is called."""
        session, now = self._session, self._clock.seconds()
        both = self.is_offered and self._wanted() and FEATURE in session.peer_knows
        if not both or not session.may_speak or now < self._not_before:
            return
        self._not_before = now + limits.TYPING_INTERVAL
        session.control.call(vocabulary.Typing).addErrback(self._not_taken)

    @vocabulary.Typing.responder
    def peer_types(self) -> dict[str, Any]:
        """What crosses our goodbye is not shown.

        :raises WireError: before HELLO, or if we never said that we want to know.
        """
        if not self.is_offered or not self._session.is_established:
            raise WireError("a notice that nobody wanted")
        if self._wanted() and self._session.may_speak:
            if not self.is_shown:
                self.is_shown = True
                self._show(PeerTyping(self._peer, True))
            self._wait(limits.TYPING_LASTS)
        return {}

    def stopped(self) -> None:
        """They have sent what they wrote, or write no more."""
        if self.is_shown:
            self.is_shown = False
            self._wait(None)
            self._show(PeerTyping(self._peer, False))

    def end(self) -> None:
        """The chat is over."""
        self._wait(None)

    def _wait(self, seconds: float | None) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        if seconds is not None:
            self._timer = self._clock.callLater(seconds, self.stopped)

    def _not_taken(self, failure: Failure) -> None:
        if not failure.check(ConnectionLost):
            self._session.fault_of_peer(WireError("the peer refused what we sent"))
