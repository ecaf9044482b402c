"""Events about the files of a chat: what is offered, under way, over."""

from __future__ import annotations

from typing import ClassVar, Literal

from securecom.client.events import ChatEvent, Event

#: Whether we receive a file or send it.
Direction = Literal["in", "out"]
#: How a transfer stands that is not over: on offer; being prepared or under way; all bytes are
#: there and the SHA-256 is being compared.
TransferState = Literal["offered", "under-way", "checking"]
#: How a transfer ended. "changed": the file is no longer the offered one; "damaged": what arrived
#: has another SHA-256; "failed-here", "failed-there": a disk or file could not be used.
TransferEnding = Literal[
    "done",
    "declined",
    "cancelled-by-me",
    "cancelled-by-peer",
    "chat-over",
    "changed",
    "damaged",
    "failed-here",
    "failed-there",
]


class FileOffered(ChatEvent):
    """A file is on offer: theirs, which `/get` fetches, or ours. `number`: of the transfer, from 1
    in each chat; `name`: the peer; `size`: in bytes; `sha256`: in hexadecimal digits.
    """

    kind: ClassVar[str] = "file-offered"
    name: str
    number: int
    direction: Direction
    file: str
    size: int
    sha256: str


class FileProgress(ChatEvent):
    """A transfer goes on, twice a second at most. `done`: bytes that the receiver has on disk, of
    `size`; `rate`: bytes a second; `seconds_left`: None while that cannot be told; `seconds`: since
    it began.
    """

    kind: ClassVar[str] = "file-progress"
    name: str
    number: int
    direction: Direction
    file: str
    done: int
    size: int
    rate: int
    seconds_left: int | None
    seconds: int


class FileOver(ChatEvent):
    """A transfer is over. `done`: bytes that the receiver has on disk; `path`: where we saved it,
    None unless it is "done" and came to us; `why`: what the disk said, or None; `resumable`: what
    we received is kept, and the same file goes on from there when it is offered again.
    """

    kind: ClassVar[str] = "file-over"
    name: str
    number: int
    direction: Direction
    file: str
    ending: TransferEnding
    done: int
    size: int
    path: str | None = None
    why: str | None = None
    resumable: bool = False


class Transfer(Event):
    """In a list: a transfer that is not over."""

    kind: ClassVar[str] = "transfer"
    name: str
    number: int
    direction: Direction
    file: str
    state: TransferState
    done: int
    size: int
    sha256: str


class Transfers(Event):
    """All transfers of this chat that are not over, in the order of their numbers."""

    kind: ClassVar[str] = "transfers"
    transfers: list[Transfer]
