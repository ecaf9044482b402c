"""The files of one chat: offers, data, credit, ends.

Commands go over the control lane, data over the data lane, each piece with the number of its
transfer. Data leave only while the standard channel has room and `Window` allows it, a few pieces
at a time, so that whatever else is said overtakes them. The receiver grants credit by saying how
far a file is on its disk.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.protocols import amp
from twisted.python.failure import Failure

from securecom import framing, limits, vocabulary
from securecom.client.events import Event, problem
from securecom.client.file_events import (
    FileOffered,
    FileOver,
    FileProgress,
    TransferEnding,
    Transfers,
)
from securecom.client.files.access import FileAccess
from securecom.client.files.names import safe_name
from securecom.client.files.parts import Part, place_for
from securecom.client.files.sources import FileChanged, Source, opened, piped
from securecom.client.files.transfer import FileTransfer, Incoming, Outgoing, Progress
from securecom.client.files.window import Window
from securecom.control import ControlLane, Locator, our_fault
from securecom.errors import NotNow, SecurecomError, WireError

#: The word for these commands in the `knows` of HELLO.
FEATURE = "files"
_NUMBER = 4
#: What the peer may say about the end of our file, and of its own.
_RECEIVER_SAYS: dict[str, TransferEnding] = {
    "done": "done",
    "declined": "declined",
    "cancelled": "cancelled-by-peer",
    "failed": "failed-there",
    "damaged": "damaged",
}
_SENDER_SAYS: dict[str, TransferEnding] = {
    "cancelled": "cancelled-by-peer",
    "failed": "failed-there",
    "changed": "changed",
}


class FileSession(Protocol):
    """What files need of the session of their chat (`chat_session.ChatSession`)."""

    is_established: bool
    is_congested: bool
    #: A message of ours has left; one of the peer's has come.
    has_said: bool
    has_heard: bool
    peer_knows: frozenset[str]
    control: ControlLane

    def send_frames(self, frames: list[bytes]) -> None:
        """Write whole frames, each sealed by itself."""

    def fault(self, error: Exception) -> None:
        """End the chat for what the peer did."""


class FileExchange(Locator):
    """One side of it.

    :param about: what tells this peer, at this server, from others.
    :param is_callee: we offer nothing before the caller has written, or offered a file.
    :param access: None: this client has no place for files.
    """

    def __init__(
        self,
        peer: str,
        about: bytes,
        is_callee: bool,
        session: FileSession,
        clock: IReactorTime,
        show: Callable[[Event], None],
        access: FileAccess | None,
    ) -> None:
        self._peer, self._about, self._session = peer, about, session
        self._clock, self._show, self._access = clock, show, access
        self._is_callee = is_callee
        self._last_handle = self._last_sent = self._last_came = 0
        self._outgoing: dict[int, Outgoing] = {}
        self._incoming: dict[int, Incoming] = {}
        self._ended: deque[int] = deque(maxlen=limits.ENDED_TRANSFERS)  # theirs that had data
        self._window = Window()
        self._turn = 0  # whose piece was sent last
        self._preparing = 0
        self._pump_soon: IDelayedCall | None = None
        self._report_soon: IDelayedCall | None = None
        self._tick: IDelayedCall | None = None
        self._is_over = False

    # --- what the session says --------------------------------------------------------------

    def end(self) -> None:
        """The chat is over, or about to be."""
        if self._is_over:
            return
        self._is_over = True
        for transfer in self._open():
            self._close(transfer, "chat-over")
        for call in (self._pump_soon, self._report_soon, self._tick):
            if call is not None and call.active():
                call.cancel()

    def congestion_changed(self) -> None:
        """The standard channel is full, or has room again."""
        self._pump()

    # --- what the user wants ----------------------------------------------------------------

    def all(self) -> Transfers:
        """What is not over."""
        return Transfers([transfer.listed for transfer in self._open()])

    def send(self, file: str | int) -> Deferred[int]:
        """Offer a file, folder or pipe; fires with its number.

        :raises NotNow, FileProblem: also through the Deferred. Nothing was sent then.
        """
        access = self._check_offer()
        self._preparing += 1
        wanted = self._is_wanted
        if isinstance(file, str):
            ready = access.elsewhere(lambda: opened(file, access.spool, wanted))
        else:
            ready = access.elsewhere(lambda: piped(file, access.spool, wanted))
        ready.addBoth(self._prepared)
        return ready.addCallback(self._offer, access)

    def get(self, number: int, downloads: Path, path: str | None = None) -> None:
        """Fetch a file. :raises NotNow, FileProblem: if that cannot be."""
        transfer = self._numbered(number)
        if not isinstance(transfer, Incoming):
            raise NotNow(f"{number} is a file that you send", "Nothing was written.")
        if transfer.state != "offered" or self._access is None:
            raise NotNow(f"{number} is being fetched already", "Nothing was changed.")
        place = place_for(transfer.name, downloads, path)
        about = b"\0".join((self._about, transfer.sha256, b"%d" % transfer.size))
        part = transfer.part = Part(place, about, transfer.size, transfer.sha256)
        transfer.state = "under-way"
        transfer.work(
            lambda: part.open(lambda: not transfer.is_over),
            lambda digest: self._ask(transfer, part, digest),
            lambda failure: self._failed_here(transfer, failure),
        )

    def decline(self, number: int) -> None:
        """Say no to an offer. :raises NotNow: if there is none, or it is being fetched."""
        transfer = self._numbered(number)
        if not isinstance(transfer, Incoming) or transfer.state != "offered":
            raise NotNow(
                f"{number} is not an offer that waits for you",
                "Nothing was sent.",
                ("cancel", str(number)),
            )
        self._tell_end(transfer, "declined")
        self._close(transfer, "declined")

    def cancel(self, number: int) -> None:
        """End a transfer, or withdraw an offer. :raises NotNow: if there is none."""
        transfer = self._numbered(number)
        self._tell_end(transfer, "cancelled")
        self._close(transfer, "cancelled-by-me", keep=False)

    # --- offers, ours -----------------------------------------------------------------------

    def _check_offer(self) -> FileAccess:
        if self._is_over:
            raise NotNow("the chat is over")
        if self._access is None:
            raise NotNow("this client has no place for files", "Nothing was sent.")
        if FEATURE not in self._session.peer_knows:
            raise NotNow(f"{self._peer}'s client cannot receive files", "Nothing was sent.")
        if self._is_callee and not (self._session.has_heard or self._last_came):
            hint = "Nothing was sent. You may offer files after that."
            raise NotNow(f"{self._peer} has not written anything yet", hint)
        if len(self._outgoing) + self._preparing >= limits.MAX_OFFERS:
            hint = "Nothing was sent. Wait until one is over, or cancel one."
            raise NotNow(f"{limits.MAX_OFFERS} of your files are open already", hint, ("files", ""))
        return self._access

    def _prepared(self, result: Any) -> Any:
        self._preparing -= 1
        return result

    def _offer(self, source: Source, access: FileAccess) -> int:
        if self._is_over:
            source.close()
            raise NotNow("the chat ended before the file was offered")
        self._last_sent += 1
        transfer = Outgoing(self._last_sent, self._next_handle(), self._peer, access, source)
        self._outgoing[transfer.number] = transfer
        self._say(
            vocabulary.OfferFile,
            number=transfer.number,
            name=transfer.name,
            size=transfer.size,
            sha256=transfer.sha256,
        )
        self._show_offer(transfer)
        return transfer.handle

    @vocabulary.GetFile.responder
    def peer_gets(self, number: int, offset: int, sha256: bytes) -> dict[str, Any]:
        """Our file is wanted."""
        self._check_time()
        transfer = self._ours(number)
        if transfer is None or self._is_over:
            return {}
        if transfer.was_fetched or offset > transfer.size:
            raise WireError("a file that is fetched twice, or from behind its end")
        transfer.was_fetched = True
        transfer.state = "under-way"
        transfer.work(
            lambda: transfer.source.begin(offset, sha256, lambda: not transfer.is_over),
            lambda start: self._begin(transfer, start),
            lambda failure: self._failed_here(transfer, failure),
        )
        return {}

    def _begin(self, transfer: Outgoing, offset: int) -> None:
        transfer.begin(offset)
        transfer.progress = Progress(self._clock.seconds(), offset)
        self._session.control.tell(vocabulary.BeginFile, number=transfer.number, offset=offset)
        self._start_ticking()
        self._read(transfer)

    def _read(self, transfer: Outgoing) -> None:
        if transfer.wants_to_read:
            transfer.work(
                transfer.source.read,
                lambda block: self._was_read(transfer, block),
                lambda failure: self._failed_here(transfer, failure),
            )

    def _was_read(self, transfer: Outgoing, block: bytes) -> None:
        transfer.was_read(block)
        self._pump()
        self._read(transfer)

    # --- data, ours -------------------------------------------------------------------------

    def _pump(self) -> None:
        """Send what may be sent now, at most a burst: the rest in the reactor's next turn."""
        left = limits.FILE_BURST
        while left > 0 and not (self._is_over or self._session.is_congested):
            frames, left = self._pieces(left)
            if not frames:
                return
            self._session.send_frames(frames)
        if left <= 0 and self._pump_soon is None:
            self._pump_soon = self._clock.callLater(0, self._pump_later)

    def _pump_later(self) -> None:
        self._pump_soon = None
        self._pump()

    def _pieces(self, left: int) -> tuple[list[bytes], int]:
        """A few frames, of one transfer after the other, and what is left of the burst."""
        frames: list[bytes] = []
        total = 0
        while total < limits.FILE_BURST // 2 and self._window.room - total >= limits.FILE_CHUNK:
            transfer = self._next_with_data()
            if transfer is None:
                break
            piece = transfer.take()
            total += len(piece)
            frames.append(framing.encode_data(transfer.number, piece))
            self._read(transfer)
        if total:
            self._window.sent(total, self._clock.seconds())
        return frames, left - total

    def _next_with_data(self) -> Outgoing | None:
        ready = [number for number, one in self._outgoing.items() if one.has_data]
        if not ready:
            return None
        self._turn = next((number for number in ready if number > self._turn), ready[0])
        return self._outgoing[self._turn]

    @vocabulary.KeptFile.responder
    def peer_kept(self, number: int, offset: int) -> dict[str, Any]:
        """Credit."""
        self._check_time()
        transfer = self._ours(number)
        if transfer is not None:
            self._window.kept(transfer.kept(offset), self._clock.seconds())
            if offset == transfer.size:
                transfer.state = "checking"
            self._pump()
        return {}

    # --- offers, theirs ---------------------------------------------------------------------

    @vocabulary.OfferFile.responder
    def peer_offers(self, number: int, name: str, size: int, sha256: bytes) -> dict[str, Any]:
        """Nothing of it is fetched before the user says so."""
        self._check_time()
        if not (self._is_callee or self._session.has_said or self._last_sent):
            raise WireError("a file before the caller has written anything")
        if number != self._last_came + 1:
            raise WireError("an offer whose number is not the next")
        if len(self._incoming) >= limits.MAX_OFFERS:
            raise WireError("more open offers of files than there may be")
        self._last_came = number
        if self._is_over:
            return {}
        access = self._access
        if access is None:
            self._tell_closed(number, "yours", "declined")
            return {}
        offer = (safe_name(name), size, sha256)
        transfer = Incoming(number, self._next_handle(), self._peer, access, offer)
        self._incoming[number] = transfer
        self._show_offer(transfer)
        return {}

    def _ask(self, transfer: Incoming, part: Part, digest: bytes) -> None:
        transfer.asked = part.at
        self._session.control.tell(
            vocabulary.GetFile, number=transfer.number, offset=part.at, sha256=digest
        )

    @vocabulary.BeginFile.responder
    def peer_begins(self, number: int, offset: int) -> dict[str, Any]:
        """Its data come."""
        self._check_time()
        transfer = self._theirs(number)
        if transfer is None:
            return {}
        part = transfer.part
        is_right = transfer.begin(offset)
        transfer.progress = Progress(self._clock.seconds(), offset)
        self._start_ticking()
        if is_right or part is None:
            self._write(transfer)
        else:
            transfer.work(
                part.restart,
                lambda _: self._write(transfer),
                lambda failure: self._failed_here(transfer, failure),
            )
        return {}

    def received(self, body: bytes) -> None:
        """A frame of the data lane. :raises WireError: if it may not come."""
        self._check_time()
        number = int.from_bytes(body[:_NUMBER], "big")
        if len(body) <= _NUMBER:
            raise WireError("a frame of a file without data")
        transfer = self._incoming.get(number)
        if transfer is None:
            if number not in self._ended and not self._is_over:
                raise WireError("data of a file that nobody asked for")
            return
        transfer.came(body[_NUMBER:])
        if sum(one.unkept for one in self._incoming.values()) > limits.FILE_WINDOW:
            raise WireError("more data of files than there was credit for")
        if transfer.is_worth_writing:
            self._write(transfer)
        elif self._report_soon is None:
            self._report_soon = self._clock.callLater(limits.FILE_KEPT_WAIT, self._report_all)

    def _write(self, transfer: Incoming) -> None:
        part = transfer.part
        if part is None:
            return
        if transfer.wants_to_write:
            data = transfer.take()
            transfer.work(
                lambda: part.write(data),
                lambda _: self._wrote(transfer, part),
                lambda failure: self._failed_here(transfer, failure),
            )
        elif transfer.is_whole and transfer.state == "under-way":
            transfer.state = "checking"
            transfer.work(
                part.finish,
                lambda path: self._finished(transfer, path),
                lambda failure: self._failed_here(transfer, failure),
            )

    def _wrote(self, transfer: Incoming, part: Part) -> None:
        transfer.kept = part.at
        unreported = sum(one.kept - one.reported for one in self._incoming.values())
        if unreported >= limits.FILE_KEPT_EVERY or transfer.is_whole:
            self._report_now()
        elif self._report_soon is None:
            self._report_soon = self._clock.callLater(limits.FILE_KEPT_WAIT, self._report_all)
        if transfer.is_worth_writing or transfer.is_whole:
            self._write(transfer)

    def _report_all(self) -> None:
        """Write what has waited, and say what is written."""
        self._report_soon = None
        for transfer in list(self._incoming.values()):
            if transfer.is_begun:
                self._write(transfer)
        self._report_now()

    def _report_now(self) -> None:
        for transfer in self._incoming.values():
            self._report(transfer)

    def _report(self, transfer: Incoming) -> None:
        if transfer.kept > transfer.reported:
            transfer.reported = transfer.kept
            self._session.control.tell(
                vocabulary.KeptFile, number=transfer.number, offset=transfer.kept
            )

    def _finished(self, transfer: Incoming, path: str | None) -> None:
        if path is None:
            self._tell_end(transfer, "damaged")
            self._close(transfer, "damaged", keep=False)
        else:
            self._tell_end(transfer, "done")
            self._close(transfer, "done", path=path)

    # --- ends -------------------------------------------------------------------------------

    @vocabulary.CloseFile.responder
    def peer_closes(self, number: int, owner: str, why: str) -> dict[str, Any]:
        """A transfer is over, by the peer's word."""
        self._check_time()
        is_theirs = owner == "mine"
        words = _SENDER_SAYS if is_theirs else _RECEIVER_SAYS
        if why not in words:
            raise WireError("an end of a transfer that this side cannot tell")
        transfer = self._theirs(number) if is_theirs else self._ours(number)
        if transfer is None:
            return {}
        if isinstance(transfer, Outgoing) and why in ("done", "damaged"):
            if not transfer.may_be_done():
                raise WireError("the end of a file that was not sent")
            self._window.kept(transfer.kept(transfer.size), self._clock.seconds())
        self._close(transfer, words[why])
        return {}

    def _failed_here(self, transfer: FileTransfer, failure: Failure) -> None:
        """Our disk, or our file: both are told, and the chat goes on."""
        error = failure.value
        known = error if isinstance(error, SecurecomError) else our_fault(failure)
        is_changed = isinstance(error, FileChanged)
        self._show(problem(known))
        self._tell_end(transfer, "changed" if is_changed else "failed")
        self._close(transfer, "changed" if is_changed else "failed-here", why=known.what)

    def _tell_end(self, transfer: FileTransfer, why: str) -> None:
        owner = "mine" if isinstance(transfer, Outgoing) else "yours"
        self._tell_closed(transfer.number, owner, why)

    def _tell_closed(self, number: int, owner: str, why: str) -> None:
        self._say(vocabulary.CloseFile, number=number, owner=owner, why=why)

    def _say(self, command: type[amp.Command], **arguments: Any) -> None:
        """Send a command that is answered, so that it looks like a message and its receipt."""
        self._session.control.call(command, **arguments).addErrback(_cut)

    def _close(
        self,
        transfer: FileTransfer,
        ending: TransferEnding,
        *,
        path: str | None = None,
        why: str | None = None,
        keep: bool = True,
    ) -> None:
        """Forget it, let go of its file, and say how it ended."""
        is_kept = False
        if isinstance(transfer, Outgoing):
            del self._outgoing[transfer.number]
            self._window.forget(transfer.unkept)
            transfer.end(transfer.source.close)
        elif isinstance(transfer, Incoming):
            del self._incoming[transfer.number]
            if transfer.asked is not None:
                self._ended.append(transfer.number)
            is_kept = self._let_go(transfer, keep and ending not in ("done", "changed"))
        self._show(
            FileOver(
                self._peer,
                transfer.handle,
                transfer.direction,
                transfer.name,
                ending,
                transfer.done,
                transfer.size,
                path,
                why,
                is_kept,
            )
        )
        self._pump()

    def _let_go(self, transfer: Incoming, keep: bool) -> bool:
        """Close or remove the part; whether something of it is there to go on with."""
        part = transfer.part
        if part is None:
            transfer.end(lambda: None)
            return False
        transfer.end((lambda: _leave(part)) if keep else part.discard)
        return keep and transfer.kept > 0

    # --- insides ----------------------------------------------------------------------------

    def _check_time(self) -> None:
        if not self._session.is_established:
            raise WireError("a word about files before HELLO")

    def _is_wanted(self) -> bool:
        """Asked from other threads."""
        return not self._is_over

    def _next_handle(self) -> int:
        self._last_handle += 1
        return self._last_handle

    def _ours(self, number: int) -> Outgoing | None:
        """One of ours; None: it is over. :raises WireError: if there never was one."""
        if number > self._last_sent:
            raise WireError("a word about a file that was not offered")
        return self._outgoing.get(number)

    def _theirs(self, number: int) -> Incoming | None:
        if number > self._last_came:
            raise WireError("a word about a file that was not offered")
        return self._incoming.get(number)

    def _open(self) -> list[FileTransfer]:
        """By the numbers that the user sees."""
        both: list[FileTransfer] = [*self._outgoing.values(), *self._incoming.values()]
        return sorted(both, key=lambda transfer: transfer.handle)

    def _numbered(self, number: int) -> FileTransfer:
        for transfer in self._open():
            if transfer.handle == number:
                return transfer
        raise NotNow(f"there is no open file {number}", "Nothing was changed.", ("files", ""))

    def _show_offer(self, transfer: FileTransfer) -> None:
        digest = transfer.sha256.hex()
        facts = (transfer.handle, transfer.direction, transfer.name, transfer.size, digest)
        self._show(FileOffered(self._peer, *facts))

    def _start_ticking(self) -> None:
        if self._tick is None:
            self._tick = self._clock.callLater(limits.FILE_PROGRESS, self._show_progress)

    def _show_progress(self) -> None:
        self._tick = None
        now = self._clock.seconds()
        for transfer in self._open():
            if (progress := transfer.progress) is None:
                continue
            progress.measure(now, transfer.done)
            self._show(
                FileProgress(
                    self._peer,
                    transfer.handle,
                    transfer.direction,
                    transfer.name,
                    transfer.done,
                    transfer.size,
                    round(progress.rate),
                    progress.left(transfer.size - transfer.done),
                    int(now - progress.began),
                )
            )
            self._start_ticking()


def _cut(_: object) -> None:
    """The chat is over, or was cut for what the peer answered."""


def _leave(part: Part) -> None:
    part.leave()
