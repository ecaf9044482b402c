"""What the two users find when they compare the safety numbers: sent to the other, and shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.protocols import amp
from twisted.python.failure import Failure

from securecom import vocabulary
from securecom.client.chat.chat_life import ChatLife
from securecom.client.events import ComparisonResult, Event, Word
from securecom.connection import Connection
from securecom.errors import WireError


class Comparing(amp.CommandLocator):
    """Sends and shows a "yes". A "no" ends the chat, and is up to the session."""

    def __init__(
        self, peer: str, session: Connection, life: ChatLife, show: Callable[[Event], None]
    ) -> None:
        self._peer, self._session = peer, session
        self._life, self._show = life, show
        self._has_agreed = self._has_peer_agreed = False

    def agree(self) -> None:
        """Tell the peer, once, that our person found the safety numbers to be the same."""
        if not self._has_agreed:
            self._has_agreed = True
            said = self._session.control.call(vocabulary.Compared, word="yes")
            said.addErrback(self._not_taken)

    @vocabulary.Compared.responder
    def peer_compared(self, word: Word) -> dict[str, Any]:
        """Only shown: it does not change whom we trust.

        :raises WireError: for a second "yes".
        """
        if word == "yes":
            if self._has_peer_agreed:
                raise WireError('a second "yes" to the safety number')
            self._has_peer_agreed = True
            self._life.agreed()
        else:
            self._life.disagreed()
        return {}

    def show_word(self, word: Word) -> None:
        """Show what the other user found."""
        self._show(ComparisonResult(self._peer, "peer", word))

    def _not_taken(self, failure: Failure) -> None:
        if not failure.check(ConnectionLost):
            self._life.misbehaved(WireError("the peer refused what we sent"))
