"""The log of a chat that both people agreed to: asked for, agreed to, written, ended.

It is cooperative. Each client keeps to it because both users said so; nothing here can keep a
changed client from logging what it likes, and the screens say so.

Words cross on the wire, so each side keeps to three rules:

1. An "off", whoever says it, takes back every "on" of both.
2. An "on" that comes while an "off" of ours has no answer was said by somebody who had not heard
   it: it counts for nothing. Their "on" is wiped on their side too, as soon as they hear.
3. What they say is kept from the answer to our "on" on: what came before the answer they said
   without knowing that both wanted it.

Both directions keep their order, and so do answers among what is said; nothing else is needed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal, Protocol

from securecom import limits, vocabulary
from securecom.client.chat.agreement import Agreement
from securecom.client.events import ChatLogState, Event, LogState, problem
from securecom.connection import Connection
from securecom.control import Locator
from securecom.errors import LogFailed, NotNow, WireError
from securecom.identity import Name
from securecom.text import shown


class LogConsent:
    """What one side knows of whether both want a log.

    Nothing is kept until both have said so, and again after each "off".
    """

    def __init__(self) -> None:
        self._mine = self._theirs = self._is_known = False
        self._unheard_offs = 0  # offs of ours without an answer
        self._round = 0  # grows with every off
        self._my_ons = self._their_ons = self._their_offs = 0

    # --- how it stands ----------------------------------------------------------------------

    @property
    def state(self) -> LogState:
        """For people."""
        if self._mine:
            return "on" if self._theirs else "asked-by-me"
        return "asked-by-peer" if self._theirs else "off"

    @property
    def keeps_mine(self) -> bool:
        """What we say now is said by somebody who knows that both want it kept."""
        return self._mine and self._theirs

    @property
    def keeps_theirs(self) -> bool:
        """So is what they say."""
        return self._mine and self._theirs and self._is_known

    @property
    def may_ask(self) -> bool:
        """The peer takes another "on" of ours."""
        return self._my_ons < limits.MAX_LOG_ASKS

    # --- our words --------------------------------------------------------------------------

    def say_on(self) -> int:
        """Our person wants it; the number is for `on_answered`."""
        self._mine = True
        self._my_ons += 1
        return self._round

    def on_answered(self, number: int) -> None:
        """They have heard our "on"; if an "off" came meanwhile, it is no longer ours."""
        if number == self._round:
            self._is_known = True

    def say_off(self) -> None:
        """Our person does not, or no longer, want it."""
        self._unheard_offs += 1
        self._wipe()

    def off_answered(self) -> None:
        """They have heard our "off": from here on their "on" is meant anew."""
        self._unheard_offs -= 1

    # --- their words ------------------------------------------------------------------------

    def heard_on(self) -> None:
        """:raises WireError: if they said it too often."""
        self._their_ons += 1
        if self._their_ons > limits.MAX_LOG_ASKS:
            raise WireError("a peer that asks for a log again and again")
        if not self._unheard_offs:
            self._theirs = True

    def heard_off(self) -> None:
        """:raises WireError: if there was nothing that it could have ended."""
        self._their_offs += 1
        if self._their_offs > self._my_ons + self._their_ons:
            raise WireError("a peer that ends what nobody began")
        self._wipe()

    def _wipe(self) -> None:
        self._mine = self._theirs = self._is_known = False
        self._round += 1


# --- Its rows: time, who, text ----------------------------------------------------------------
# A peer's text cannot stand in another's place: every row of it, its second lines too, begins with
# the time, the name and a bar, and what a terminal would obey is made visible.

_OURS = "--"  # no name begins like that


class LogFile(Protocol):
    """Where rows go; both methods may raise OSError."""

    @property
    def path(self) -> str:
        """Where people find it."""

    def append(self, data: bytes) -> None:
        """At its end, at once."""

    def close(self) -> None:
        """There is no more."""


class Logs(Protocol):
    """Where the files of agreed logs are."""

    def now(self) -> float:
        """Seconds since 1970."""

    def open(self, peer: Name) -> LogFile:
        """A new file. :raises OSError:"""


class Transcript:
    """One log, from both having said so to its end.

    :param peer: with whom.
    :raises LogFailed: if there can be no file.
    """

    def __init__(self, logs: Logs, peer: Name, first: str) -> None:
        self._now: Callable[[], float] = logs.now
        self.since = int(logs.now())
        self._size = 0
        try:
            self._file = logs.open(peer)
        except OSError as error:
            raise _failed(error) from None
        self.path = self._file.path
        day = time.strftime("%Y-%m-%d", time.localtime(self.since))
        try:
            self._write(_OURS, f"{day}: {first}")
        except LogFailed:
            self.end("it could not be written")
            raise

    def message(self, who: Name, text: str) -> None:
        """:raises LogFailed: if it cannot be written, or the log is as long as it may be."""
        self._write(f"{who}|", text)

    def end(self, why: str) -> None:
        """Say so, if that is still possible, and close the file."""
        with suppress(OSError):  # it may be the disk that ends it
            self._file.append(self._rows(_OURS, f"the log ends: {why}"))
        with suppress(OSError):
            self._file.close()

    def _write(self, mark: str, text: str) -> None:
        data = self._rows(mark, text)
        if self._size + len(data) > limits.MAX_LOG_BYTES:
            raise LogFailed(f"the log has {limits.MAX_LOG_BYTES} bytes, which is the most")
        try:
            self._file.append(data)
        except OSError as error:
            raise _failed(error) from None
        self._size += len(data)

    def _rows(self, mark: str, text: str) -> bytes:
        at = time.strftime("%H:%M:%S", time.localtime(self._now()))
        lines = text.split("\n", limits.MAX_LINES_SHOWN)
        return "".join(f"{at}  {mark} {shown(line)}\n" for line in lines).encode("utf-8")


def _failed(error: OSError) -> LogFailed:
    return LogFailed(f"the log cannot be written ({(error.strerror or str(error)).lower()})")


# --- One side of it -----------------------------------------------------------------------------

LogWord = Literal["on", "off"]
By = Literal["me", "peer", "nobody"]


class AgreedLog(Locator):
    """One side of an agreed log.

    :param logs: where files are; None: this client keeps none, and agrees to none.
    """

    def __init__(
        self,
        agreement: Agreement,
        session: Connection,
        show: Callable[[Event], None],
        logs: Logs | None,
    ) -> None:
        self._agreement, self._session = agreement, session
        self._show, self._logs = show, logs
        self._awaits_caller = agreement.role == "callee"
        self._consent = LogConsent()
        self._transcript: Transcript | None = None
        self._unreceipted: dict[int, str] = {}  # ours that are to be kept
        self._is_over = False

    # --- what the person wants --------------------------------------------------------------

    def status(self) -> ChatLogState:
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
        answered = self._session.control.call(vocabulary.Log, word="on")
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
            raise NotNow("the log is already on", "Either of you can end it.", ("log", "off"))
        if state == "asked-by-me":
            raise NotNow("you asked for a log already", "It begins when the other agrees.")
        if self._awaits_caller:
            hint = "Nothing was sent. What you typed until then waits, and would be in the log."
            raise NotNow(f"{self._agreement.peer} has not written anything yet", hint)
        if self._logs is None:
            hint = "Nothing was sent. Only a client with a profile can keep a log."
            raise NotNow("this client has no place for a log", hint)
        if not self._consent.may_ask:
            raise NotNow("you asked for a log too often in this chat", "Nothing was sent.")

    # --- what the peer says -----------------------------------------------------------------

    @vocabulary.Log.responder
    def peer_says(self, word: LogWord) -> dict[str, Any]:
        """The answer is at once; what the person makes of it is a word of their own."""
        if not self._session.is_established:
            raise WireError("a word about a log before HELLO")
        if not self._is_over:
            self._heard(word)
        return {}

    def _heard(self, word: LogWord) -> None:
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
        self._awaits_caller = False
        if self._consent.keeps_theirs:
            self._write(self._agreement.peer, text)

    def end(self) -> None:
        """The chat is over, or about to be: nothing more is kept."""
        self._is_over = True
        kept = self._finish("the chat is over")
        if kept is not None:
            self._show(
                ChatLogState(self._agreement.peer, "off", "on", "nobody", kept.path, kept.since)
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
        self._show(problem(error))
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
        answered = self._session.control.call(vocabulary.Log, word="off")
        answered.addCallbacks(lambda _: self._consent.off_answered(), _cut)

    def _tell(self, before: LogState, by: By, kept: Transcript | None) -> None:
        self._show(self._event(before, by, kept))

    def _event(self, before: LogState, by: By, kept: Transcript | None) -> ChatLogState:
        path, since = (None, None) if kept is None else (kept.path, kept.since)
        return ChatLogState(self._agreement.peer, self._consent.state, before, by, path, since)


def _cut(_: object) -> None:
    """The chat is over, or was cut for what the peer answered."""
