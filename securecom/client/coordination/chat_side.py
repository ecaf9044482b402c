"""The one chat: begun, standing, ended; and whoever waits for it to end."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from securecom.client.chat.agreement import Agreement
from securecom.client.chat.chat_session import ChatSession
from securecom.client.coordination import outcomes
from securecom.client.coordination.engagement import Engagement, Grant
from securecom.client.coordination.station import Station
from securecom.client.events import (
    ChatOpening,
    ChatOver,
    ChatStarted,
    ComparisonResult,
    Ending,
    Event,
    KeyFollowed,
    RequestOver,
    Trust,
    problem,
)
from securecom.errors import NotNow, WasCancelled
from securecom.identity import Name


class OpenChat:
    """A chat that both agreed to, from its open stream on (`chat.ChatOwner`).

    :param grant: its stream, what we knew of the peer's key before, and what led to it.
    :param stands: fires when it stands.
    """

    def __init__(
        self,
        agreement: Agreement,
        grant: Grant,
        stands: Deferred[None],
        station: Station,
        life: Engagement,
    ) -> None:
        self.peer = agreement.peer
        self.stands = stands
        self.is_standing = False
        self.session = ChatSession(agreement, self, station.clock, station.logs)
        self._agreement, self._grant = agreement, grant
        self._station, self._life = station, life
        self._line = station.line
        self._was_number_seen = False
        self._stream = self._line.open_stream(grant.stream)

    def begin(self) -> None:
        """Set the end-to-end session up in the stream."""
        self.session.open(self._stream, self._station.identity)

    def peer_proved(self) -> None:
        """Pin the key, follow the pinned one to it, or see that it is the pinned one."""
        key = self._agreement.peer_key
        former = self._station.contacts.meet(self.peer, key, self._grant.chain)
        if former is not None:
            trust = self._station.contacts.trust(self.peer, key)
            old, new = former.key.fingerprint, key.fingerprint
            self.show(KeyFollowed(self.peer, old, new, trust))
        if self._grant.trust == "new":
            self._station.met_somebody()

    def chat_stands(self) -> None:
        """Say so; then the person may speak."""
        self.is_standing = True
        agreement, fingerprint = self._agreement, self._agreement.peer_key.fingerprint
        facts = (agreement.role, self._grant.trust, fingerprint, agreement.seconds)
        self.show(ChatStarted(self.peer, *facts))
        self._life.stood()

    def show(self, event: Event) -> None:
        """Tell the person."""
        self._station.show(event)

    def chat_over(
        self, ending: Ending | None, undelivered: list[int], error: Exception | None
    ) -> None:
        """Let go of the stream; session and keys go with this object."""
        self._stream.loseConnection()
        self._line.end_stream(self._stream.number)
        self._life.over(ending, undelivered, error)

    # --- comparing --------------------------------------------------------------------------

    def safety_number(self) -> tuple[str, Trust]:
        """The 60 digits, which the person sees now, and how the key is trusted."""
        trust = self._station.contacts.trust(self.peer, self._agreement.peer_key)
        self._was_number_seen = True
        return self._agreement.safety_number, trust

    def same(self) -> None:
        """The person found the numbers to be the same: pin that, then tell the peer.

        :raises NotNow: if the person has not seen the number in this chat.
        :raises SecurecomError: if it cannot be pinned; then nothing was sent.
        """
        if not self._was_number_seen:
            hint = "Nothing was sent. /verify shows it; compare all of it."
            raise NotNow("you have not seen the safety number of this chat", hint)
        self._station.contacts.compared(self.peer, self._agreement.peer_key, same=True)
        self.session.comparing.agree()
        self.show(ComparisonResult(self.peer, "me", "yes"))

    def different(self) -> None:
        """The person found that they are not: the key is not verified, if it ever was.

        :raises SecurecomError: if that cannot be pinned.
        """
        self.show(ComparisonResult(self.peer, "me", "no"))
        self._station.contacts.compared(self.peer, self._agreement.peer_key, same=False)


class ChatSide:
    """What is done about the chat of the moment."""

    life: Engagement

    def __init__(self, station: Station) -> None:
        self._station = station
        self._chat: OpenChat | None = None
        self._was_asked_for = False
        self._ends: list[Deferred[None]] = []

    @property
    def chat(self) -> OpenChat | None:
        """The chat that is open, standing or being set up."""
        return self._chat

    @property
    def session(self) -> ChatSession:
        """Of the chat that stands. :raises NotNow: if none does."""
        return self.standing.session

    @property
    def standing(self) -> OpenChat:
        """The chat that stands. :raises NotNow: if none does."""
        if not self._open.is_standing:
            raise NotNow("the chat is still being set up")
        return self._open

    @property
    def _open(self) -> OpenChat:
        if self._chat is None:
            raise NotNow("you are in no chat")
        return self._chat

    def begin(self, grant: Grant, peer: Name, stands: Deferred[None], asked_for: bool) -> None:
        """Name and roles are from our own notes, the key from our pin if there is one."""
        station, identity = self._station, self._station.identity
        agreement = Agreement(
            station.server,
            grant.chat,
            grant.role,
            station.name,
            identity.public_key,
            peer,
            grant.key,
            grant.span,
        )
        self._was_asked_for = asked_for
        self._chat = OpenChat(agreement, grant, stands, station, self.life)
        station.show(ChatOpening(peer))
        self._chat.begin()

    def stands(self) -> None:
        """Tell whoever asked for it."""
        self._station.missed.forget(self._open.peer)
        self._open.stands.callback(None)

    def leave(self, done: Deferred[None]) -> None:
        """Say BYE, or give the handshake up; `done` fires when the chat is over."""
        self._ends.append(done)
        self._open.session.leave()

    def over(self, ending: Ending | None, undelivered: list[int], error: Exception | None) -> None:
        """Tell the person, or whoever waits for it to stand."""
        chat, self._chat = self._open, None
        ends, self._ends = self._ends, []
        if ending is None:
            self._never_stood(chat, error, left=bool(ends))
        else:
            if error is not None:
                failed = outcomes.chat_failed(f"the chat with {chat.peer} was cut", error)
                self._station.show(problem(failed))
            unsent = chat.session.unsent
            self._station.show(ChatOver(chat.peer, ending, undelivered, unsent))
            self._station.tell_missed()
        for done in ends:
            done.callback(None)

    def _never_stood(self, chat: OpenChat, error: Exception | None, left: bool) -> None:
        what = f"the end-to-end session with {chat.peer} could not be set up"
        failed = outcomes.chat_failed(what, error)
        if left:
            failed = WasCancelled(f"you ended the chat with {chat.peer}")
        if self._was_asked_for:
            self._station.show(RequestOver(chat.peer, outcomes.word_of(failed)))
        chat.stands.errback(Failure(failed))
