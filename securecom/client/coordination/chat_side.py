"""The chat of the moment: set up, standing, ended.

What a chat is made of is imported with the first one, and not while a client starts.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from securecom import limits
from securecom.client.chat.agreement import Agreement
from securecom.client.coordination import outcomes
from securecom.client.coordination.engagement import Engagement, Grant
from securecom.client.coordination.introducing import Introducing
from securecom.client.coordination.station import Station
from securecom.client.events import (
    ChatEvent,
    ChatOpening,
    ChatOver,
    ChatStarted,
    Ending,
    Event,
    RequestOver,
    Trust,
    problem,
)
from securecom.client.key_events import (
    ComparisonResult,
    KeyCompleted,
    KeyFollowed,
    RetirementDiffers,
    WordsToCompare,
)
from securecom.errors import NotNow, SecurecomError, WasCancelled
from securecom.identity import Name
from securecom.introduction import Person
from securecom.values import replace


class OpenChat:
    """A chat that both agreed to, from its open stream on (a `ChatOwner`).

    :param grant: its stream, what we knew of the peer's key before, and what led to it.
    :param stands: fires when it stands.
    :param number: of the chats since the client was started, this is which one.
    """

    def __init__(
        self,
        agreement: Agreement,
        grant: Grant,
        stands: Deferred[None],
        station: Station,
        life: Engagement,
        number: int,
    ) -> None:
        from securecom.client.chat.chat_session import ChatSession

        self.peer = agreement.peer
        self.stands = stands
        self._number = number
        #: What the two say of introductions.
        self.introducing = Introducing(station, Person(agreement.peer, agreement.peer_key))
        more = (self.introducing, station.access, station.contacts.own_retirement)
        self.session = ChatSession(
            agreement, self, station.clock, station.logs, *more, station.wants_typing
        )
        self.introducing.line = self.session
        self._agreement, self._grant = agreement, grant
        self._station, self._life = station, life
        self._line = station.line
        self._was_number_seen = self._is_given_up = False
        #: The front-end knows of this chat, and has to hear of its end.
        self.is_shown = False
        self._stream = self._line.open_stream(grant.stream)

    def show(self, event: Event) -> None:
        """Tell the person; what belongs to this chat says so, and when it happened."""
        if isinstance(event, ChatEvent):
            event = replace(event, chat=self._number, at=int(self._station.unix_time()))
        self._station.show(event)

    def begin(self) -> None:
        """Set up the end-to-end session in the stream."""
        self.session.open(self._stream, self._station.identity)

    def peer_proved(self) -> None:
        """Pin the key, or check that it is the pinned one or follows from it."""
        key = self._agreement.peer_key
        former = self._station.contacts.meet(self.peer, key, self._grant.chain)
        if former is not None:
            trust = self._station.contacts.trust(self.peer, key)
            old, new = former.key.fingerprint, key.fingerprint
            if key.completes(former.key):
                self.show(KeyCompleted(self.peer, old, new, trust, former.trust == "verified"))
            else:
                self.show(KeyFollowed(self.peer, old, new, trust))
        if self._grant.trust == "new":
            self._station.met_somebody()
        self._station.people_changed()

    def chat_stands(self) -> None:
        """Both have proved who they are."""
        if not self._is_given_up:
            self._life.stood()

    def stood(self) -> None:
        """Tell the person, and whoever waits for it."""
        agreement, fingerprint = self._agreement, self._agreement.peer_key.fingerprint
        trust = self._grant.trust
        facts = (agreement.role, trust, fingerprint, agreement.terms.seconds)
        self.is_shown = True
        self.show(ChatStarted(self.peer, *facts, self._station.introducer(self.peer, trust)))
        self._station.missed.forget(self.peer)
        self._learn_retirement()
        self.introducing.go_on()
        self.stands.callback(None)

    def _learn_retirement(self) -> None:
        """Keep what can retire the peer's key, if they have said it."""
        public, contacts = self.session.peer_retirement, self._station.contacts
        if public is None:
            return
        try:
            if not contacts.learn_retirement(self.peer, self._agreement.peer_key, public):
                self.show(RetirementDiffers(self.peer, contacts.trust(self.peer)))
        except SecurecomError as error:  # the chat goes on
            self.show(problem(error))

    def chat_over(
        self, ending: Ending | None, undelivered: list[int], error: Exception | None
    ) -> None:
        """Let go of the stream; session and keys go with this object."""
        if self._is_given_up:
            return
        try:
            self._let_go()
        finally:  # whatever becomes of the stream, this chat is over
            self._life.over(ending, undelivered, error)

    def give_up(self, error: SecurecomError) -> None:
        """A fault of ours: cut the chat off; it says nothing more to anybody."""
        self._is_given_up = True
        try:
            self.session.fault(error)
        finally:
            self._let_go()

    def _let_go(self) -> None:
        self._stream.loseConnection()
        self._line.end_stream(self._stream.number)

    # --- comparing --------------------------------------------------------------------------

    def safety_number(self) -> tuple[str, Trust]:
        """The 60 digits, which are shown now, and how far the key is trusted."""
        trust = self._station.contacts.trust(self.peer, self._agreement.peer_key)
        self._was_number_seen = True
        return self._agreement.safety_number, trust

    def ask_for_words(self) -> WordsToCompare:
        """Ask the peer for six words; they are shown when the peer's user asks for them too.

        :raises NotNow: if there can be none; then nothing was sent.
        """
        from securecom.client.chat.comparing import WORDS

        session, tries = self.session, self._station.word_tries
        if WORDS not in session.peer_knows:
            what = f"{self.peer}'s client cannot compare words"
            raise NotNow(what, "Nothing was sent. Compare the number.", ("verify", ""))
        if session.words.state in ("off", "asked-by-peer"):
            if tries[self.peer] >= limits.MAX_WORD_TRIES:
                what = f"{tries[self.peer]} comparisons of words with {self.peer} came to nothing"
                raise NotNow(what, "Nothing was sent. Compare the number.", ("verify", ""))
            session.words.ask()
            tries[self.peer] += 1
        return self._words()

    def words_changed(self) -> None:
        """The peer asked for words, or showed its part of them."""
        if self.session.words.state != "agreed":  # the words come in a moment
            self.show(self._words())

    def _words(self) -> WordsToCompare:
        exchange = self.session.words
        if exchange.words:
            self._was_number_seen = True
        trust = self._station.contacts.trust(self.peer, self._agreement.peer_key)
        tries = self._station.word_tries[self.peer]
        return WordsToCompare(self.peer, exchange.state, exchange.words, tries, trust)

    def same(self) -> None:
        """The user found the numbers or words to be the same: pin that, then tell the peer.

        :raises NotNow: if neither was shown in this chat.
        :raises SecurecomError: if it cannot be pinned; then nothing was sent.
        """
        if not self._was_number_seen:
            hint = "Nothing was sent. Compare all of it first."
            raise NotNow("you have not seen the safety number of this chat", hint, ("verify", ""))
        self._station.contacts.compared(self.peer, self._agreement.peer_key, same=True)
        self._station.word_tries.pop(self.peer, None)
        self.session.agree()
        self.show(ComparisonResult(self.peer, "me", "yes"))
        self._station.people_changed()

    def different(self) -> None:
        """The user found that they are different: the key is no longer verified, if it was.

        :raises SecurecomError: if that cannot be pinned.
        """
        self.show(ComparisonResult(self.peer, "me", "no"))
        self._station.contacts.compared(self.peer, self._agreement.peer_key, same=False)
        self._station.people_changed()


class ChatSide:
    """Carries out what becomes of a chat."""

    life: Engagement

    def __init__(self, station: Station) -> None:
        self._station = station
        #: The chat that stands or is being set up.
        self.chat: OpenChat | None = None
        self._grant: Grant | None = None  # until the chat is over
        self._was_asked_for = False
        self._count = 0  # of chats so far
        self._ends: list[Deferred[None]] = []

    def begin(self, grant: Grant, peer: Name, stands: Deferred[None], asked_for: bool) -> None:
        """Set the chat up. Name and role come from our own notes, the key from our pin if any."""
        station, identity = self._station, self._station.identity
        agreement = Agreement(
            station.server,
            grant.chat,
            grant.role,
            station.name,
            identity.public_key,
            peer,
            grant.key,
            grant.terms,
        )
        self._grant, self._was_asked_for = grant, asked_for
        self._count += 1
        self.chat = OpenChat(agreement, grant, stands, station, self.life, self._count)
        self.chat.show(ChatOpening(peer))
        self.chat.begin()

    def stood(self) -> None:
        """Both have proved who they are."""
        if self.chat is not None:
            self.chat.stood()

    def leave(self, done: Deferred[None]) -> None:
        """Say BYE, or give the handshake up; `done` fires when the chat is over."""
        self._ends.append(done)
        if self.chat is not None:
            self.chat.session.leave()

    def give_up(self, error: SecurecomError) -> None:
        """A fault of ours: there is no chat any more."""
        chat, self.chat = self.chat, None
        grant, self._grant = self._grant, None
        self._ends.clear()
        if chat is not None:
            if chat.is_shown:
                self._station.show(problem(error))
                unsent = chat.session.unsent
                chat.show(ChatOver(chat.peer, "cut-off", chat.session.undelivered, unsent))
            elif self._was_asked_for:
                self._station.show(RequestOver(chat.peer, outcomes.word_of(error)))
            chat.give_up(error)
        elif grant is not None:
            self._station.end_chat(grant.stream)

    def over(self, ending: Ending | None, undelivered: list[int], error: Exception | None) -> None:
        """Show that it ended, or fail what waits for it to stand."""
        chat, self.chat, self._grant = self.chat, None, None
        if chat is None:
            return
        ends, self._ends = self._ends, []
        if ending is None or not chat.is_shown:
            self._never_stood(chat, error, left=bool(ends))
        else:
            if error is not None:
                failed = outcomes.chat_failed(f"the chat with {chat.peer} was cut", error)
                self._station.show(problem(failed))
            unsent = chat.session.unsent
            chat.show(ChatOver(chat.peer, ending, undelivered, unsent))
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
