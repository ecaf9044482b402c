"""A gate for chat frames of one stream, and what a protocol does without one."""

from __future__ import annotations

from typing import Any

from securecom import framing, limits

STREAM = 7


def frame(size: int, number: int = 0, stream: int = STREAM) -> bytes:
    """A chat frame with so many bytes, which differ from those of another number."""
    return framing.encode_chat(stream, bytes((number + at) % 251 for at in range(size)))


def _is_more(rest: bytes) -> bool:
    """Whether this begins with a whole frame, of whatever kind."""
    head = limits.FRAME_HEADER
    return len(rest) >= head and head + int.from_bytes(rest[1:head], "big") <= len(rest)


class FrameGate:
    """Lets whole frames pass; notes what it is asked.

    :param granted: what each question for work gets; the last one goes on. 0 if there is none.
    """

    stream, most = STREAM, limits.MAX_BODY

    def __init__(self, *granted: int) -> None:
        self._decoder = framing.Decoder(frozenset({framing.CONTROL, framing.CHAT}))
        self.source = self
        self.is_heard = False
        self.is_open = True
        self.granted = list(granted) or [0]
        #: The frames of each run that was asked for.
        self.asked: list[int] = []

    def begun(self) -> bytes | None:
        return self._decoder.begun if self.is_open else None

    def _grant(self, frames: int) -> int:
        self.asked.append(frames)
        return self.granted.pop(0) if len(self.granted) > 1 else self.granted[0]

    def grant(self, frames: int) -> int:
        return self._grant(frames)

    def keep(self, rest: bytes) -> bool:
        if rest and not self._decoder.is_begun(rest[: limits.FRAME_HEADER], len(rest)):
            return False
        self._decoder.hold(rest)
        return True

    def admit(self, data: Any, begun: int, size: int) -> int:
        if not self.is_open or begun != self._decoder.held:
            return 0
        end, frames = framing.whole_run(data, self.stream, self.most, 0, size)
        rest = bytes(data[end:size])
        if not frames or _is_more(rest) or self._grant(frames) < 0:
            return 0
        if (begun or rest) and not self.keep(rest):
            return 0
        self.is_heard = True
        return end

    def ordinary(self, data: bytes) -> bytes:
        """Whole frames of what came, as the ordinary way forwards them."""
        return b"".join(
            item.raw for item in self._decoder.feed(data) if isinstance(item, framing.Run)
        )


class SplicedOnly(FrameGate):
    """One that the compiled way cannot ask."""

    grant = None  # type: ignore[assignment]
