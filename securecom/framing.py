"""Bytes to frames and back, without Twisted.

A frame is one lane byte, three length bytes (big-endian), and the body. On the chat lane a body
is a stream number (4 bytes, big-endian, never 0) and at least one opaque byte. The decoder returns
consecutive chat frames of one stream as one untouched run, so that a relay forwards them whole.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from securecom import limits
from securecom.errors import WireError

CONTROL = 0
CHAT = 1
#: Pieces of files, each behind the number of its transfer.
DATA = 2
#: Bytes of a chat's next TLS session, carried inside the current one.
EPOCH = 3
#: Chat bytes between two nodes of a server.
NODE = 4

_HEADER = limits.FRAME_HEADER
_STREAM = 4
#: The header of a chat frame as one number, but for the length; and with the stream behind it.
_CHAT_HEADER = CHAT << 24
_header_and_stream = struct.Struct(">II").unpack_from


class Frame(NamedTuple):
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
    return header(lane, len(body)) + body


def header(lane: int, length: int) -> bytes:
    """What stands before a body of so many bytes."""
    return bytes((lane,)) + length.to_bytes(3, "big")


def encode_chat(stream: int, data: bytes) -> bytes:
    """Cut opaque bytes into chunks and encode each as a chat frame of this stream."""
    number = stream.to_bytes(_STREAM, "big")
    size = limits.MAX_CHAT_CHUNK
    chunks = (data[at : at + size] for at in range(0, len(data), size))
    return b"".join(encode(CHAT, number + chunk) for chunk in chunks)


def whole_parts(raw: bytes, most: int) -> Iterator[bytes]:
    """Cut whole frames into parts of whole frames, each as long as `most` allows.

    A frame that is longer is a part of its own.
    """
    begin = end = 0
    while end < len(raw):
        after = end + _HEADER + int.from_bytes(raw[end + 1 : end + _HEADER], "big")
        if after - begin > most and end > begin:
            yield raw[begin:end]
            begin = end
        end = after
    yield raw[begin:]


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


def whole_run(
    data: bytes, stream: int, most: int, at: int = 0, length: int | None = None
) -> tuple[int, int]:
    """Find the whole chat frames of this stream that stand at `at`, one behind the other.

    :param most: bytes of a body; a frame of more is none of them.
    :param length: where the bytes end; None: they are all of `data`.
    :returns: where they end, and how many they are, at most `limits.FRAMES_A_RUN`.
    """
    frames, most_frames, before, several = 0, limits.FRAMES_A_RUN, 0, limits.EVEN_FRAMES
    if length is None:
        length = len(data)
    while frames < most_frames and length - at > _HEADER + _STREAM:
        header, number = _header_and_stream(data, at)
        body = header - _CHAT_HEADER
        end = at + _HEADER + body
        if number != stream or not _STREAM < body <= most or end > length:
            break
        at = end
        frames += 1
        if header == before:  # one more of the same length: then there are mostly many
            step, before = several * (_HEADER + body), -1
            if at + step <= length:
                heads, same = _heads(body), (header << 32 | number,) * several
                while (
                    frames + several <= most_frames
                    and at + step <= length
                    and heads(data, at) == same
                ):
                    at += step
                    frames += several
        elif before >= 0:
            before = header
    return at, frames


@functools.lru_cache(limits.EVEN_LENGTHS)
def _heads(body: int) -> Callable[[bytes, int], tuple[Any, ...]]:
    """Reads header and stream of several frames with bodies of so many bytes."""
    return struct.Struct(">" + f"Q{body - _STREAM}x" * limits.EVEN_FRAMES).unpack_from


class Decoder:
    """Collects bytes and returns whole frames; holds at most one unfinished frame.

    :param lanes: the lanes that are allowed here; any other lane byte is a `WireError`.
    :param most: bytes of a body; more are a `WireError`.
    """

    __slots__ = ("_lanes", "_most", "begun")

    def __init__(self, lanes: frozenset[int], most: int = limits.MAX_BODY) -> None:
        self._lanes, self._most = lanes, most
        #: The bytes of an unfinished frame that are held.
        self.begun = b""

    def feed(self, data: bytes) -> Iterator[Frame | Run]:
        """Yield the frames that `data` completes.

        :raises WireError: at the first malformed frame, after yielding the frames before it.
        """
        data = self.begun + data if self.begun else data
        self.begun = b""
        at = 0
        while (end := self._end(data, at)) is not None:
            if data[at] == CHAT:
                stream = int.from_bytes(data[at + _HEADER : at + _HEADER + _STREAM], "big")
                end, frames = whole_run(data, stream, self._most, at)
                if not (stream and frames):
                    raise WireError("a chat frame without a stream or without bytes")
                yield Run(stream, data[at:end], frames)
            else:
                yield Frame(data[at], data[at + _HEADER : end])
            at = end
        self._check_unfinished(data, at)
        self.begun = data[at:]

    def alone(self, data: bytes) -> Frame | None:
        """The frame that `data` is, as commands mostly come; None: it is for `feed`."""
        size = len(data) - _HEADER
        if self.begun or not 0 <= size <= self._most or data[0] == CHAT:
            return None
        if data[0] not in self._lanes or int.from_bytes(data[1:_HEADER], "big") != size:
            return None
        return Frame(data[0], data[_HEADER:])

    @property
    def held(self) -> int:
        """How many bytes of an unfinished frame are held."""
        return len(self.begun)

    def is_begun(self, head: bytes, size: int) -> bool:
        """Whether that many bytes are the beginning of a frame: neither a whole one nor malformed.

        :param head: the first ones, as many as a header has if there are so many.
        """
        if not head or head[0] not in self._lanes:
            return False
        if len(head) < _HEADER:
            return True
        length = int.from_bytes(head[1:_HEADER], "big")
        return length <= self._most and size < _HEADER + length

    def hold(self, begun: bytes) -> None:
        """Hold the beginning of a frame (`is_begun`), or nothing, instead of what is held.

        What was held has been taken (`begun`), and was worked on.
        """
        self.begun = begun

    def _end(self, data: bytes, at: int) -> int | None:
        """Where the frame at `at` ends, or None if it is incomplete or malformed."""
        if len(data) - at < _HEADER:
            return None
        end = at + _HEADER + int.from_bytes(data[at + 1 : at + 4], "big")
        if data[at] not in self._lanes or end - at - _HEADER > self._most:
            return None
        return end if end <= len(data) else None

    def _check_unfinished(self, data: bytes, at: int) -> None:
        """Refuse an unfinished frame as soon as its header shows that it is malformed."""
        if at < len(data) and data[at] not in self._lanes:
            raise WireError(f"a frame on lane {data[at]}, which does not exist here")
        if len(data) - at >= _HEADER:
            length = int.from_bytes(data[at + 1 : at + _HEADER], "big")
            if length > self._most:
                raise WireError(f"a frame of {length} bytes")
