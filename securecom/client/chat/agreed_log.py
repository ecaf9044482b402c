"""The log of a chat that both agreed to: asked for, agreed to, written, ended.

It is cooperative. Each client keeps to it because its person, and the other's, said so; nothing
here can keep a changed client from logging what it likes, and the words say so.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

from twisted.protocols import amp

from securecom import commands
from securecom.client.chat.agreement import Agreement
from securecom.client.chat.log_consent import LogConsent
from securecom.client.chat.transcript import Logs, Transcript
from securecom.client.events import Event, Log, LogState, problem
from securecom.control import ControlLane
from securecom.errors import LogFailed, NotNow, WireError
from securecom.identity import Name

Word = Literal["on", "off"]
By = Literal["me", "peer", "nobody"]


class Session(Protocol):
    """The chat that is logged."""

    control: ControlLane
    is_established: bool
    awaits_caller: bool


class Person(Protocol):
    """Who is told."""

    def show(self, event: Event) -> None:
        """Tell them."""


class AgreedLog(amp.CommandLocator):
    """One side of it.

    :param logs: where files are; None: this client keeps none, and agrees to none.
    """

    def __init__(
        self, agreement: Agreement, session: Session, person: Person, logs: Logs | None
    ) -> None:
        self._agreement, self._session = agreement, session
        self._person, self._logs = person, logs
        self._consent = LogConsent()
        self._transcript: Transcript | None = None
        self._unreceipted: dict[int, str] = {}  # ours that are to be kept
        self._is_over = False

    # --- what the person wants --------------------------------------------------------------

    def status(self) -> Log:
        """How it stands."""
        return self._event(self._consent.state, "nobody", self._transcript)

    def on(self) -> None:
        """Ask for a log, or agree to the one that the peer asks for.

        :raises NotNow, LogFailed: if nothing was sent.
        """
        before = self._consent.state
        self._check_on(before)
        if before == "asked-by-peer":
            self._begin(asked=self._agreement.peer, agreed=self._agreement.own)
        number = self._consent.say_on()
        answered = self._session.control.call(commands.Log, word="on")
        answered.addCallbacks(lambda _: self._consent.on_answered(number), _cut)
        self._tell(before, "me", self._transcript)

    def off(self) -> None:
        """End the log, for both; or decline, or withdraw, the question.

        :raises NotNow: if there is nothing to end.
        """
        before = self._consent.state
        if self._is_over or before == "off":
            raise NotNow("no log is kept, and nobody asks for one")
        self._say_off()
        self._tell(before, "me", self._finish(f"{self._agreement.own} ended it"))

    def _check_on(self, state: LogState) -> None:
        if self._is_over:
            raise NotNow("the chat is over")
        if state == "on":
            raise NotNow("the log is on already", "/log off ends it, for both.")
        if state == "asked-by-me":
            raise NotNow("you asked for a log already", "It begins when the other agrees.")
        if self._session.awaits_caller:
            hint = "Nothing was sent. What you typed until then waits, and would be in the log."
            raise NotNow(f"{self._agreement.peer} has not written anything yet", hint)
        if self._logs is None:
            hint = "Nothing was sent. Only a client with a profile can keep a log."
            raise NotNow("this client has no place for a log", hint)
        if not self._consent.may_ask:
            raise NotNow("you asked for a log too often in this chat", "Nothing was sent.")

    # --- what the peer says -----------------------------------------------------------------

    @commands.Log.responder
    def peer_says(self, word: Word) -> dict[str, Any]:
        """The answer is at once; what the person makes of it is a word of their own."""
        if not self._session.is_established:
            raise WireError("a word about a log before HELLO")
        if not self._is_over:
            self._heard(word)
        return {}

    def _heard(self, word: Word) -> None:
        before, kept = self._consent.state, self._transcript
        if word == "off":
            self._consent.heard_off()
            self._finish(f"{self._agreement.peer} ended it")
        else:
            self._consent.heard_on()
            if before != "on" and self._consent.state == "on":
                try:
                    kept = self._begin(asked=self._agreement.own, agreed=self._agreement.peer)
                except LogFailed as error:
                    self._fail(error, before)
                    return
        if self._consent.state != before:
            self._tell(before, "peer", kept)

    # --- what is said in the chat -----------------------------------------------------------

    def said(self, number: int, text: str) -> None:
        """A message of ours is on its way; it is kept when it has arrived."""
        if self._consent.keeps_mine:
            self._unreceipted[number] = text

    def delivered(self, number: int) -> None:
        """It has. An "off" of the peer's would have come before its receipt."""
        text = self._unreceipted.pop(number, None)
        if text is not None:
            self._write(self._agreement.own, text)

    def heard(self, text: str) -> None:
        """A message of the peer's was shown."""
        if self._consent.keeps_theirs:
            self._write(self._agreement.peer, text)

    def end(self) -> None:
        """The chat is over, or about to be: nothing more is kept."""
        self._is_over = True
        kept = self._finish("the chat is over")
        if kept is not None:
            self._person.show(
                Log(self._agreement.peer, "off", "on", "nobody", kept.path, kept.since)
            )

    # --- insides ----------------------------------------------------------------------------

    def _begin(self, asked: Name, agreed: Name) -> Transcript | None:
        """Both said so. Who has no place for a log never did."""
        if self._logs is not None:
            what = f"log of the chat of {self._agreement.own} with {self._agreement.peer}"
            first = f"{what}: {asked} asked for it, {agreed} agreed"
            self._transcript = Transcript(self._logs, self._agreement.peer, first)
        return self._transcript

    def _write(self, who: Name, text: str) -> None:
        if self._transcript is not None:
            try:
                self._transcript.message(who, text)
            except LogFailed as error:
                self._fail(error, "on")

    def _fail(self, error: LogFailed, before: LogState) -> None:
        """The disk says no: that is an "off" for both, and not the end of the chat."""
        self._say_off()
        kept = self._finish("it could not be written any further")
        self._person.show(problem(error))
        self._tell(before, "me", kept)

    def _finish(self, why: str) -> Transcript | None:
        """Write the last row, if there is a log; it."""
        self._unreceipted.clear()
        kept, self._transcript = self._transcript, None
        if kept is not None:
            kept.end(why)
        return kept

    def _say_off(self) -> None:
        self._consent.say_off()
        answered = self._session.control.call(commands.Log, word="off")
        answered.addCallbacks(lambda _: self._consent.off_answered(), _cut)

    def _tell(self, before: LogState, by: By, kept: Transcript | None) -> None:
        self._person.show(self._event(before, by, kept))

    def _event(self, before: LogState, by: By, kept: Transcript | None) -> Log:
        path, since = (None, None) if kept is None else (kept.path, kept.since)
        return Log(self._agreement.peer, self._consent.state, before, by, path, since)


def _cut(_: object) -> None:
    """The chat is over, or was cut for what the peer answered."""
