"""The end-to-end session of a chat: TLS in a stream, HELLO, messages, receipts, comparing, BYE.

The peer must show exactly the expected key in the handshake and then prove, over this very TLS
session, that it means the same two names, keys, roles, server and chat (`Agreement.hello`). Before
that nothing it says is heard.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, ClassVar, Protocol, cast

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.protocols import amp
from twisted.python.failure import Failure

from securecom import framing, limits, peers, refusals, tls, vocabulary
from securecom.client.chat import chat_life
from securecom.client.chat.agreed_log import AgreedLog, Logs
from securecom.client.chat.agreement import Agreement
from securecom.client.chat.chat_life import ChatLife, Heard
from securecom.client.chat.comparing import WORDS, Comparing, WordExchange
from securecom.client.chat.epochs import Epochs
from securecom.client.chat.rekeying import Rekeying
from securecom.client.chat.stream import Stream
from securecom.client.chat.typing_notice import FEATURE as TYPING
from securecom.client.chat.typing_notice import TypingNotices
from securecom.client.denials import denied
from securecom.client.events import Delivered, Ending, Event, Message, Said, TimeLeft
from securecom.client.files.access import FileAccess
from securecom.client.files.exchange import FEATURE as FILES
from securecom.client.files.exchange import FileExchange
from securecom.client.key_events import Word
from securecom.connection import Connection
from securecom.control import Locator, Responders
from securecom.errors import BadArgument, NotNow, ProofRefused, SecurecomError, TooLong, WireError
from securecom.identity import Identity, Name, SecondKey

#: What we say in HELLO that this client can do.
KNOWS = [Name(WORDS), Name("introductions"), Name(FILES)]


class ChatOwner(Protocol):
    """What a session needs of its owner."""

    def peer_proved(self) -> None:
        """Key and HELLO are good: pin the key. :raises SecurecomError: if that cannot be done."""

    def chat_stands(self) -> None:
        """Both may speak, the caller first."""

    def show(self, event: Event) -> None:
        """Tell the person."""

    def words_changed(self) -> None:
        """The peer has asked for words to compare, or has shown its number for them."""

    def chat_over(
        self, ending: Ending | None, undelivered: list[int], error: Exception | None
    ) -> None:
        """Called once. `ending`: None if the chat never stood."""


class ChatSession(Connection, Locator):
    """One end of a chat.

    :param logs: where a log goes that both agree to; None: to no log.
    :param access: what files need of this machine; None: none are sent or received.
    :param more: answers what is said in the chat besides.
    :param retirement: the public half of what can retire our key.
    :param wants_typing: whether our person wants each to see when the other is writing.
    """

    lanes: ClassVar[frozenset[int]] = frozenset({framing.CONTROL, framing.EPOCH, framing.DATA})
    alpn: ClassVar[frozenset[bytes]] = frozenset({tls.ALPN_CHAT})
    awaits: ClassVar[str] = "the handshake of the chat"
    padding: ClassVar[int] = limits.CHAT_PADDING
    patience: ClassVar[float] = limits.CLIENT_PATIENCE

    def __init__(
        self,
        agreement: Agreement,
        owner: ChatOwner,
        clock: IReactorTime,
        logs: Logs | None = None,
        more: amp.CommandLocator | None = None,
        access: FileAccess | None = None,
        retirement: bytes | None = None,
        wants_typing: Callable[[], bool] = lambda: False,
    ) -> None:
        self._retirement = retirement
        #: What can retire the peer's key, as they say in HELLO.
        self.peer_retirement: bytes | None = None
        self._more = more
        self._life: ChatLife = chat_life.begin(self)
        #: What the two say about their safety numbers, and about keeping a log.
        self.comparing = Comparing(agreement.peer, self, self._life, owner.show)
        self.log = AgreedLog(agreement, self, owner.show, logs)
        self.words = WordExchange(agreement, self, owner.words_changed, os.urandom)
        #: What the peer's client can do that not every client can.
        self.peer_knows: frozenset[str] = frozenset()
        #: Who is writing.
        self.typing = TypingNotices(agreement.peer, self, clock, owner.show, wants_typing)
        #: The files that the two send each other.
        self.files = FileExchange(
            agreement.peer,
            agreement.about_peer,
            agreement.role == "callee",
            self,
            clock,
            owner.show,
            access,
        )
        self.may_speak = self.has_said = self.has_heard = False
        super().__init__(clock, limits.CHAT_HANDSHAKE_DEADLINE)
        self._agreement = agreement
        self._owner = owner
        self._epochs = Epochs(self, agreement.role == "caller", clock)
        self._rekeying = Rekeying(agreement, self, self._epochs, clock)
        self._time = TimeLimit(agreement, clock, owner.show, self._life.leave)
        self._outbox = Outbox()
        self._unsent_receipts = 0
        self._bye_deadline: IDelayedCall | None = None
        self._has_stood = False

    def open(self, stream: Stream, identity: Identity) -> None:
        """Begin the handshake in a stream; the caller is TLS client."""
        self._identity = self._rekeying.identity = identity
        self._epochs.options = tls.chat_end(identity, self._agreement.peer_key)
        stream.carry(self._epochs)

    # --- what the person does ---------------------------------------------------------------

    def say(self, text: str) -> int:
        """Send a message, or keep it until the caller has spoken; its number.

        :raises NotNow, TooLong, BadArgument: if nothing was sent.
        """
        if not self.may_speak:
            raise NotNow("there is no chat to say that in")
        number = self._outbox.number(text)
        self._life.say(number, text)
        return number

    def agree(self) -> None:
        """Tell the peer that the safety numbers are the same, as long as anything can be said."""
        if self.may_speak:
            self.comparing.agree()

    def disagree(self) -> None:
        """Tell the peer that they are not, and end the chat by it, as `leave` does."""
        self._life.disagree()

    def ask(self, command: type[amp.Command], **arguments: Any) -> Deferred[dict[str, Any]]:
        """Send a command of those that `more` answers; its answer."""
        return self.control.call(command, **arguments)

    def leave(self) -> None:
        """End the chat; the owner hears of it within `limits.BYE_DEADLINE`."""
        self._life.leave()

    @property
    def unsent(self) -> list[int]:
        """The numbers of messages that wait until the caller has spoken."""
        return self._outbox.unsent

    @property
    def undelivered(self) -> list[int]:
        """The numbers of messages without a receipt, held or sent."""
        return self._outbox.undelivered

    # --- what the peer says -----------------------------------------------------------------

    def responders(self) -> amp.IResponderLocator:
        """What this class, comparing, words, the log and files take, and what `more` does."""
        locators: list[amp.CommandLocator] = [self, self.comparing, self.words, self.log]
        locators += [self.files, self.typing]
        return Responders(*locators, *([] if self._more is None else [self._more]))

    @vocabulary.Hello.responder
    def hello(
        self,
        proof: bytes,
        second_key: SecondKey,
        signature: bytes,
        knows: list[Name] | None = None,
        retirement: bytes | None = None,
    ) -> dict[str, Any]:
        """Check that the peer means this chat; pin its key. In a rekey: that it is still there."""
        try:
            if self.is_established:
                self._rekeying.hello(proof, second_key, signature)
                return {}
            self._check_hello(proof, second_key, signature)
            self.peer_knows = frozenset(knows or ())
            self.peer_retirement = retirement
        except SecurecomError as error:
            self._life.misbehaved(error)
            raise refusals.BadProof() from None
        if self._agreement.role == "caller":
            self._life.good_hello_from_callee()
        else:
            self._life.good_hello_from_caller()
        return {}

    @vocabulary.Say.responder
    def peer_says(self, text: str) -> Deferred[dict[str, Any]]:
        """Answered when it has been shown."""
        if len(text.encode("utf-8")) > limits.MAX_TEXT:
            raise WireError("a message that is too long")
        self._count_receipt()
        heard = Heard(text)
        self._life.heard(heard)
        return heard.receipt

    @vocabulary.Switch.responder
    def peer_switches(self) -> dict[str, Any]:
        """What it says next is in the next epoch."""
        self._rekeying.peer_switched()
        return {}

    @vocabulary.Bye.responder
    def peer_leaves(self) -> dict[str, Any]:
        """The chat was ended, and not cut off."""
        self._life.said_bye()
        return {}

    def _count_receipt(self) -> None:
        """What we answer in this turn leaves at its end, so the peer has not had any of it.

        :raises WireError: if the peer must have more messages without receipt than it may.
        """
        if self._unsent_receipts >= limits.MAX_UNDELIVERED:
            raise WireError("more messages without a receipt than there may be")
        if not self._unsent_receipts:
            self.clock.callLater(0, self._receipts_left)
        self._unsent_receipts += 1

    def _receipts_left(self) -> None:
        self._unsent_receipts = 0

    def _check_hello(self, proof: bytes, second_key: SecondKey, signature: bytes) -> None:
        agreement, binding = self._agreement, peers.chat_binding(self.tls)
        key, role = agreement.peer_key, agreement.peer_role
        if peers.peer_key(self.tls) != key.first:
            raise ProofRefused("the peer's key is not the one of the handshake")
        if not peers.same(proof, agreement.hello(binding, role)):
            raise ProofRefused("the peer does not mean this chat")
        said = agreement.hello_said(binding, role)
        peers.check_second(key, second_key, signature, said, peers.HELLO)
        self._owner.peer_proved()

    @property
    def _knows(self) -> list[Name]:
        return [*KNOWS, Name(TYPING)] if self.typing.is_offered else KNOWS

    def fault_of_peer(self, error: WireError) -> None:
        """The peer broke a rule: the chat is cut off."""
        self._life.misbehaved(error)

    # --- what transitions do (ChatActions) --------------------------------------------------

    def send_hello(self) -> None:
        """Ours is the first command, so what else we send comes after it."""
        agreement, identity = self._agreement, self._identity
        binding = peers.chat_binding(self.tls)
        said = agreement.hello_said(binding, agreement.role)
        self.control.call(
            vocabulary.Hello,
            proof=agreement.hello(binding, agreement.role),
            second_key=identity.second_key,
            signature=identity.sign_second(said, peers.HELLO),
            knows=self._knows,
            retirement=self._retirement,
        ).addErrback(self._not_taken, vocabulary.Hello)

    def stand(self) -> None:
        """The deadline is lifted."""
        self.established()
        self.words.begin(peers.chat_binding(self.tls))
        self._rekeying.begin()
        self._time.begin()
        self.may_speak = self._has_stood = True
        self._owner.chat_stands()

    def send_now(self, number: int, text: str) -> None:
        """Show that it is on its way, and later that it arrived."""
        self._owner.show(Said(self._agreement.peer, number, text, held=False))
        self._send(number, text)

    def hold_back(self, number: int, text: str) -> None:
        """Show that it waits."""
        self._outbox.hold_back(number, text)
        self._owner.show(Said(self._agreement.peer, number, text, held=True))

    def send_held(self) -> None:
        """In the order in which it was typed."""
        for number, text in self._outbox.take_held():
            self._send(number, text)

    def show(self, heard: Heard) -> None:
        """The receipt says that the front-end has it."""
        if self.typing.is_shown:
            self.typing.stopped()
        self._owner.show(Message(self._agreement.peer, heard.text))
        self.log.heard(heard.text)
        self.has_heard = True
        heard.receipt.callback({})

    def refuse(self, heard: Heard) -> None:
        """Nobody sees it."""
        heard.receipt.errback(Failure(refusals.OutOfTurn()))

    def show_word(self, word: Word) -> None:
        """A "no" is the end, whatever time is left."""
        if word == "no":
            self._time.stop()
        self.comparing.show_word(word)

    def send_no(self) -> None:
        """A goodbye with its reason."""
        self._send_last(vocabulary.Compared, word="no")

    def send_bye(self) -> None:
        """Goodbye."""
        self._send_last(vocabulary.Bye)

    def _send_last(self, command: type[amp.Command], **arguments: Any) -> None:
        """The answer, or the end of our patience, ends the chat."""
        self.may_speak = False
        self._time.stop()
        self.words.is_over = True
        self.log.end()
        self.files.end()
        call = self.clock.callLater(limits.BYE_DEADLINE, self._life.bye_answered)
        self._bye_deadline = call
        answered = self.control.call(command, **arguments)
        answered.addCallbacks(
            lambda _: self._life.bye_answered(), self._not_taken, errbackArgs=(command,)
        )

    def end(self, ending: Ending | None, error: Exception | None) -> None:
        """Over; the owner hears of it when our last answers are on their way."""
        self._end_soon(self._time.ending(ending), error)
        self._stop()

    def give_up(self, error: SecurecomError) -> None:
        """A fault of ours, perhaps in the middle of the end."""
        self._end_soon("cut-off" if self._has_stood else None, error)
        self._time.stop()
        self._stop()

    def _end_soon(self, ending: Ending | None, error: Exception | None) -> None:
        self.may_speak = False
        self.reason = self.reason or error
        if not self._epochs.is_over:
            self._epochs.is_over = True
            self.clock.callLater(0, self._report, ending)

    def _stop(self) -> None:
        self._cancel("_bye_deadline")
        self._rekeying.end()
        self.typing.end()
        self.words.is_over = True
        self.log.end()
        self.files.end()

    # --- epochs and files -------------------------------------------------------------------

    def frame_received(self, frame: framing.Frame) -> None:
        """Bytes of the next epoch, or of a file."""
        if frame.lane == framing.DATA:
            self.files.received(frame.body)
        else:
            self._rekeying.received(frame.body)

    def send_frames(self, frames: list[bytes]) -> None:
        """Write whole frames, each sealed by itself."""
        if not self.is_closing and self.transport is not None:
            self.transport.writeSequence(frames)

    def congestion_changed(self) -> None:
        """The standard channel is full, or has room again."""
        self.files.congestion_changed()

    def _received(self, item: framing.Frame | framing.Run) -> None:
        if self._epochs.is_over:  # behind it may be the rest of a rekey, which is none any more
            return
        if self._epochs.is_switching:
            raise WireError("a frame behind SWITCH in its epoch")
        super()._received(item)

    # --- ends -------------------------------------------------------------------------------

    def secured(self, alpn: bytes) -> None:
        """TLS stands, with the expected key."""
        self._life.handshake_done()

    def lost(self, reason: Failure) -> None:
        """The stream is gone, or we cut it."""
        if self.reason is not None:
            self._life.misbehaved(self.reason)
        else:
            self._life.lost()

    def _report(self, ending: Ending | None) -> None:
        try:
            self.close()
        finally:  # whatever becomes of the stream
            self._owner.chat_over(ending, self.undelivered, self.reason)

    def _send(self, number: int, text: str) -> None:
        self.log.said(number, text)
        self.has_said = True
        receipt = self.control.call(vocabulary.Say, text=text)
        receipt.addCallbacks(
            lambda _: self._receipted(number), self._not_taken, errbackArgs=(vocabulary.Say,)
        )

    def _receipted(self, number: int) -> None:
        self._outbox.delivered(number)
        self.log.delivered(number)
        self._owner.show(Delivered(self._agreement.peer, number))

    def _not_taken(self, failure: Failure, command: type[amp.Command]) -> None:
        """A refusal ends the chat; for a lost connection `lost` does."""
        if not failure.check(ConnectionLost):
            error = denied(failure, command, sent="what we sent").value
            self._life.misbehaved(cast(Exception, error))


# --- Our messages: their numbers, and which wait for the caller or for their receipt ----------


def check(text: str) -> None:
    """:raises TooLong, BadArgument: if this cannot be one message."""
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        raise BadArgument("the message holds what is no text") from None
    if size > limits.MAX_TEXT:
        raise TooLong(f"a message has {limits.MAX_TEXT} bytes at the most, not {size}")


class Outbox:
    """Numbers count from 1 in each chat."""

    def __init__(self) -> None:
        self._last = 0
        self._unreceipted: list[int] = []
        self._held: list[tuple[int, str]] = []

    def number(self, text: str) -> int:
        """The number of a new message. :raises TooLong, BadArgument, NotNow: if it may not be."""
        check(text)
        if len(self._unreceipted) >= limits.MAX_UNDELIVERED:
            raise NotNow(f"{len(self._unreceipted)} messages wait for their receipts already")
        self._last += 1
        self._unreceipted.append(self._last)
        return self._last

    def hold_back(self, number: int, text: str) -> None:
        """It waits until the caller has spoken."""
        self._held.append((number, text))

    def take_held(self) -> list[tuple[int, str]]:
        """The caller has spoken: what waited, in order."""
        held, self._held = self._held, []
        return held

    def delivered(self, number: int) -> None:
        """Its receipt came."""
        self._unreceipted.remove(number)

    @property
    def undelivered(self) -> list[int]:
        """The numbers without a receipt, held or sent."""
        return list(self._unreceipted)

    @property
    def unsent(self) -> list[int]:
        """The numbers of those that are held."""
        return [number for number, _ in self._held]


# --- The end of a chat that both limited in time ----------------------------------------------
# Each client ends its own side, by its own clock, which neither peer nor server can turn back.


class TimeLimit:
    """Counts from when the chat stands.

    :param show: tells the person, `limits.TIME_WARNING` before the end of a chat longer than that.
    :param leave: ends the chat.
    """

    def __init__(
        self,
        agreement: Agreement,
        clock: IReactorTime,
        show: Callable[[Event], None],
        leave: Callable[[], None],
    ) -> None:
        self._seconds, self._peer = agreement.terms.seconds, agreement.peer
        self._clock, self._show, self._leave = clock, show, leave
        self._timers: list[IDelayedCall] = []
        self._ends: float | None = None
        self._is_up = False

    def begin(self) -> None:
        """The chat stands."""
        if self._seconds is None:
            return
        self._ends = self._clock.seconds() + self._seconds
        self._timers = [self._clock.callLater(self._seconds, self._end)]
        if self._seconds > limits.TIME_WARNING:
            before = self._seconds - limits.TIME_WARNING
            self._timers.append(self._clock.callLater(before, self._warn))

    def stop(self) -> None:
        """Somebody ends the chat before its time."""
        self._ends = None
        timers, self._timers = self._timers, []
        for timer in timers:
            if timer.active():
                timer.cancel()

    def ending(self, ending: Ending | None) -> Ending | None:
        """The chat ends: was it its time? A peer's clock may be a little ahead of ours."""
        ends = self._ends
        self.stop()
        if ending == "by-me" and self._is_up:
            return "time-up"
        if ending == "by-peer" and ends is not None:
            is_close = ends - self._clock.seconds() <= limits.TIME_UP_MARGIN
            return "time-up" if is_close else ending
        return ending

    def _warn(self) -> None:
        self._show(TimeLeft(self._peer, int(limits.TIME_WARNING)))

    def _end(self) -> None:
        self._is_up = True
        self._leave()
