"""Bytes to frames and back, without Twisted.

A frame is one lane byte, three length bytes (big-endian), and the body. On the chat lane a body
is a stream number (4 bytes, big-endian, never 0) and at least one opaque byte. The decoder returns
consecutive chat frames of one stream as one untouched run, so that a relay forwards them whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from securecom import limits
from securecom.errors import WireError

CONTROL = 0
CHAT = 1
#: Pieces of files, each behind the number of its transfer.
DATA = 2
#: Bytes of a chat's next TLS session, carried inside the current one.
EPOCH = 3

_HEADER = limits.FRAME_HEADER
_STREAM = 4


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame on any lane but the chat lane."""

    lane: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Run:
    """Whole chat frames of one stream, as received, headers included.

    :param frames: how many, at most `limits.FRAMES_A_RUN`.
    """

    stream: int
    raw: bytes
    frames: int = field(default=1, compare=False)


def encode(lane: int, body: bytes, most: int = limits.MAX_BODY) -> bytes:
    """Encode one frame, whose body has at most so many bytes."""
    if len(body) > most:
        raise ValueError(f"a frame of {len(body)} bytes was about to be sent")
    return bytes((lane,)) + len(body).to_bytes(3, "big") + body


def encode_chat(stream: int, data: bytes) -> bytes:
    """Cut opaque bytes into chunks and encode each as a chat frame of this stream."""
    number = stream.to_bytes(_STREAM, "big")
    size = limits.MAX_CHAT_CHUNK
    chunks = (data[at : at + size] for at in range(0, len(data), size))
    return b"".join(encode(CHAT, number + chunk) for chunk in chunks)


def encode_data(transfer: int, piece: bytes) -> bytes:
    """Encode a piece of a file as a frame of the data lane."""
    return encode(DATA, transfer.to_bytes(4, "big") + piece)


def chat_bytes(run: Run) -> bytes:
    """Return the opaque bytes of a run, without headers and stream numbers."""
    raw, parts, at = run.raw, [], 0
    if _HEADER + int.from_bytes(raw[1:_HEADER], "big") == len(raw):  # one frame, as it mostly is
        return raw[_HEADER + _STREAM :]
    while at < len(raw):
        end = at + _HEADER + int.from_bytes(raw[at + 1 : at + 4], "big")
        parts.append(raw[at + _HEADER + _STREAM : end])
        at = end
    return b"".join(parts)


class Decoder:
    """Collects bytes and returns whole frames; holds at most one unfinished frame.

    :param lanes: the lanes that are allowed here; any other lane byte is a `WireError`.
    :param most: bytes of a body; more are a `WireError`.
    """

    def __init__(self, lanes: frozenset[int], most: int = limits.MAX_BODY) -> None:
        self._lanes, self._most = lanes, most
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Frame | Run]:
        """Yield the frames that `data` completes.

        :raises WireError: at the first malformed frame, after yielding the frames before it.
        """
        data = self._rest + data if self._rest else data
        self._rest = b""
        at, run_start, run_stream, frames = 0, 0, 0, 0
        while (end := self._end(data, at)) is not None:
            stream = self._stream(data, at, end) if data[at] == CHAT else 0
            if stream != run_stream or frames == limits.FRAMES_A_RUN:
                if run_stream:
                    yield Run(run_stream, data[run_start:at], frames)
                run_start, run_stream, frames = at, stream, 0
            frames += 1
            if data[at] != CHAT:
                yield Frame(data[at], data[at + _HEADER : end])
            elif not stream:
                raise WireError("a chat frame without a stream or without bytes")
            at = end
        if run_stream:
            yield Run(run_stream, data[run_start:at], frames)
        self._check_unfinished(data, at)
        self._rest = data[at:]

    @property
    def held(self) -> int:
        """How many bytes of an unfinished frame are held."""
        return len(self._rest)

    def _end(self, data: bytes, at: int) -> int | None:
        """Where the frame at `at` ends, or None if it is incomplete or malformed."""
        if len(data) - at < _HEADER:
            return None
        end = at + _HEADER + int.from_bytes(data[at + 1 : at + 4], "big")
        if data[at] not in self._lanes or end - at - _HEADER > self._most:
            return None
        return end if end <= len(data) else None

    @staticmethod
    def _stream(data: bytes, at: int, end: int) -> int:
        """The stream number of the chat frame at `at`; 0 if the frame is malformed."""
        if end - at - _HEADER <= _STREAM:
            return 0
        return int.from_bytes(data[at + _HEADER : at + _HEADER + _STREAM], "big")

    def _check_unfinished(self, data: bytes, at: int) -> None:
        """Refuse an unfinished frame as soon as its header shows that it is malformed."""
        if at < len(data) and data[at] not in self._lanes:
            raise WireError(f"a frame on lane {data[at]}, which does not exist here")
        if len(data) - at >= _HEADER:
            length = int.from_bytes(data[at + 1 : at + _HEADER], "big")
            if length > self._most:
                raise WireError(f"a frame of {length} bytes")
