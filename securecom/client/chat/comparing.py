"""Two users compare, so that nobody is between them: what they found, and six words to read aloud.

For the words each side sends a commitment to a random number, and shows the number only after it
has the other side's commitment. So nobody can choose a number that fits one already seen. There is
one exchange in a chat: whoever breaks it off needs another chat, and another request from both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.protocols import amp
from twisted.python.failure import Failure

from securecom import peers, spoken_words, vocabulary
from securecom.client.chat.agreement import Agreement
from securecom.client.chat.chat_life import ChatLife
from securecom.client.events import Event
from securecom.client.key_events import ComparisonResult, Word, WordsState
from securecom.connection import Connection
from securecom.control import Locator
from securecom.errors import NotNow, WireError


class Comparing(Locator):
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


# --- Six words ---------------------------------------------------------------------------------

#: What a client says in HELLO if it can do this.
WORDS = "words"


class WordExchange(Locator):
    """One side of it.

    :param changed: called when the other side has moved it on.
    :param random: makes a nonce of so many bytes.
    """

    def __init__(
        self,
        agreement: Agreement,
        session: Connection,
        changed: Callable[[], None],
        random: Callable[[int], bytes],
    ) -> None:
        self._agreement, self._session = agreement, session
        self._changed, self._random = changed, random
        self._context = b""  # until HELLO is good
        self._nonce: bytes | None = None  # ours, from when we are asked to
        self._their_commitment: bytes | None = None
        #: The six words, once both have shown their numbers.
        self.words: list[str] = []
        self.is_over = False

    @property
    def state(self) -> WordsState:
        """How far it is."""
        if self.words:
            return "shown"
        if self._nonce is not None:
            return "asked-by-me" if self._their_commitment is None else "agreed"
        return "off" if self._their_commitment is None else "asked-by-peer"

    def begin(self, binding: bytes) -> None:
        """HELLO is good. :param binding: the chat-binding of the first epoch."""
        self._context = self._agreement.words_context(binding)

    def ask(self) -> None:
        """Our person wants the words; asking again changes nothing.

        :raises NotNow: if the chat is over.
        """
        if self.is_over:
            raise NotNow("the chat is over")
        if self._nonce is None:
            self._nonce = self._random(spoken_words.NONCE_BYTES)
            said = spoken_words.commitment(self._context, self._agreement.role, self._nonce)
            self._send(vocabulary.CommitWords, commitment=said)
            if self._their_commitment is not None:
                self._reveal(self._nonce)

    @vocabulary.CommitWords.responder
    def peer_commits(self, commitment: bytes) -> dict[str, Any]:
        """Their person wants the words. If ours does too, show our number.

        :raises WireError: before HELLO, or for a second commitment.
        """
        if not self._session.is_established:
            raise WireError("a commitment before HELLO")
        if self._their_commitment is not None:
            raise WireError("a second commitment in one chat")
        self._their_commitment = commitment
        if not self.is_over:
            if self._nonce is not None:
                self._reveal(self._nonce)
            self._changed()
        return {}

    @vocabulary.RevealWords.responder
    def peer_reveals(self, nonce: bytes) -> dict[str, Any]:
        """Their number, after ours was on its way: now there are words.

        :raises WireError: if it came too soon or twice, or is not the one they committed to.
        """
        if self._nonce is None or self._their_commitment is None or self.words:
            raise WireError("a number out of turn while comparing words")
        role = self._agreement.peer_role
        expected = spoken_words.commitment(self._context, role, nonce)
        if not peers.same(expected, self._their_commitment):
            raise WireError("the peer showed another number than it committed to")
        ours_first = self._agreement.role == "caller"
        nonces = (self._nonce, nonce) if ours_first else (nonce, self._nonce)
        self.words = spoken_words.spoken_words(self._context, *nonces)
        if not self.is_over:
            self._changed()
        return {}

    def _reveal(self, nonce: bytes) -> None:
        self._send(vocabulary.RevealWords, nonce=nonce)

    def _send(self, command: type[amp.Command], **arguments: Any) -> None:
        self._session.control.call(command, **arguments).addErrback(_cut)


def _cut(_: object) -> None:
    """The chat is over, or was cut for what the peer answered."""
