"""One file on its way out, and one on its way in: what either knows and does with its disk.

    offered -> under way -> checking -> over

Every state goes to "over" when either side closes the transfer, or the chat ends. What is out of
turn is the peer's fault and ends the chat. Work on a disk is done one piece after the other outside
the reactor's thread; a transfer that ends meanwhile closes its file when that piece is done.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.python.failure import Failure

from securecom import limits
from securecom.client.file_events import Direction, Transfer, TransferState
from securecom.client.files.access import FileAccess
from securecom.client.files.parts import Part
from securecom.client.files.sources import Source
from securecom.errors import WireError

#: What becomes of work on a disk: its result, or why it failed.
Then = Callable[[Any], None]
Failed = Callable[[Failure], None]


class Progress:
    """The rate of a transfer, and when it was last shown."""

    def __init__(self, now: float, done: int) -> None:
        self.began = self._at = now
        self._done = done
        self.rate = 0.0

    def measure(self, now: float, done: int) -> None:
        """The mean of the last few seconds, the latest counting most."""
        passed = now - self._at
        if passed > 0:
            latest = (done - self._done) / passed
            share = min(1.0, passed / 2.0) if self.rate else 1.0
            self.rate += (latest - self.rate) * share
            self._at, self._done = now, done

    def left(self, missing: int) -> int | None:
        """Seconds until the rest is there, if that can be told."""
        return round(missing / self.rate) if self.rate >= 1 else None


class FileTransfer:
    """What both directions share.

    :param number: the offering side's, on the wire.
    :param handle: the number that the user sees.
    """

    direction: Direction

    def __init__(self, number: int, handle: int, peer: str, access: FileAccess) -> None:
        self.number, self.handle, self.peer = number, handle, peer
        self.state: TransferState = "offered"
        self.is_over = False
        self.progress: Progress | None = None
        self._access = access
        self._is_working = False
        self._at_rest: Callable[[], None] | None = None
        self.name, self.size, self.sha256 = "", 0, b""

    @property
    def done(self) -> int:
        """Bytes that the receiver has on its disk."""
        raise NotImplementedError

    @property
    def listed(self) -> Transfer:
        """For a list."""
        return Transfer(
            self.peer,
            self.handle,
            self.direction,
            self.name,
            self.state,
            self.done,
            self.size,
            self.sha256.hex(),
        )

    def work(self, call: Callable[[], Any], then: Then, failed: Failed) -> None:
        """Have something done with the disk; nothing becomes of it if we are over by then."""
        self._is_working = True
        done = self._access.elsewhere(call)
        done.addBoth(self._worked)
        done.addCallback(lambda result: None if self.is_over else then(result))
        done.addErrback(lambda failure: None if self.is_over else failed(failure))

    def end(self, let_go: Callable[[], None]) -> None:
        """It is over; `let_go` closes the file as soon as nothing works on it."""
        self.is_over = True
        if self._is_working:
            self._at_rest = let_go
        else:
            let_go()

    def _worked(self, result: Any) -> Any:
        self._is_working = False
        let_go, self._at_rest = self._at_rest, None
        if let_go is not None:
            let_go()
        return result


class Outgoing(FileTransfer):
    """A file of ours."""

    direction: Direction = "out"

    def __init__(
        self, number: int, handle: int, peer: str, access: FileAccess, source: Source
    ) -> None:
        super().__init__(number, handle, peer, access)
        self.name, self.size, self.sha256 = source.name, source.size, source.sha256
        self.source = source
        self.is_begun = False  # the peer knows where the data begin
        self._ahead: deque[bytes] = deque()  # read and not sent, in pieces for one frame
        self._read = self._sent = self._kept = 0
        self.was_fetched = False

    @property
    def done(self) -> int:
        return self._kept

    @property
    def unkept(self) -> int:
        """Bytes under way."""
        return self._sent - self._kept

    @property
    def has_data(self) -> bool:
        """Something can be sent."""
        return bool(self._ahead)

    def begin(self, offset: int) -> None:
        """Data begin here."""
        self.is_begun = True
        self._read = self._sent = self._kept = offset

    @property
    def wants_to_read(self) -> bool:
        """More is to be read, and there is room for it."""
        is_low = len(self._ahead) * limits.FILE_CHUNK < limits.FILE_READ
        return self.is_begun and not self._is_working and self._read < self.size and is_low

    def was_read(self, block: bytes) -> None:
        """From the disk."""
        self._read += len(block)
        size = limits.FILE_CHUNK
        self._ahead.extend(block[at : at + size] for at in range(0, len(block), size))

    def take(self) -> bytes:
        """The next piece to be sent."""
        piece = self._ahead.popleft()
        self._sent += len(piece)
        return piece

    def kept(self, offset: int) -> int:
        """The receiver has it up to here; how much more that is than before.

        :raises WireError: if it cannot.
        """
        if not self.is_begun or not self._kept <= offset <= self._sent:
            raise WireError("a receipt for bytes of a file that were not sent")
        more, self._kept = offset - self._kept, offset
        return more

    def may_be_done(self) -> bool:
        """The receiver can have all of it."""
        return self.is_begun and self._sent == self.size


class Incoming(FileTransfer):
    """A file of the peer's."""

    direction: Direction = "in"

    def __init__(
        self, number: int, handle: int, peer: str, access: FileAccess, offer: tuple[str, int, bytes]
    ) -> None:
        super().__init__(number, handle, peer, access)
        self.name, self.size, self.sha256 = offer
        self.part: Part | None = None
        self.asked: int | None = None  # from where we asked for data; None: we have not
        self.is_begun = False
        self.received = self.kept = self.reported = 0
        self._queue = bytearray()  # pieces of their own would cost much more than small ones hold

    @property
    def done(self) -> int:
        return self.kept

    @property
    def unkept(self) -> int:
        """Bytes that came and are not on the disk."""
        return self.received - self.kept

    def begin(self, offset: int) -> bool:
        """The peer says where its data begin; whether that is where ours end.

        :raises WireError: if they can begin there.
        """
        if self.asked is None or self.is_begun or offset not in (0, self.asked):
            raise WireError("a file that begins where nobody asked for it")
        self.is_begun = True
        self.received = self.kept = self.reported = offset
        return offset == self.asked

    def came(self, data: bytes) -> None:
        """:raises WireError: if nobody asked for it, or it is more than was offered."""
        if not self.is_begun:
            raise WireError("data of a file that nobody asked for")
        if self.received + len(data) > self.size:
            raise WireError("more bytes of a file than were offered")
        self.received += len(data)
        self._queue += data

    @property
    def is_worth_writing(self) -> bool:
        """Enough waits for the disk, or the rest of the file."""
        return len(self._queue) >= limits.FILE_WRITE or self.received == self.size

    @property
    def wants_to_write(self) -> bool:
        """Something waits for the disk."""
        return bool(self._queue) and not self._is_working

    def take(self) -> bytearray:
        """All that waits."""
        queue, self._queue = self._queue, bytearray()
        return queue

    @property
    def is_whole(self) -> bool:
        """All of it is on the disk."""
        return self.is_begun and self.kept == self.size and not self._is_working
