"""Control lanes without a connection under them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.protocols import amp

from securecom import framing, limits, vocabulary
from securecom.control import ControlLane, parse_box
from securecom.vocabulary import CancelRequest, ListAvailable, Ping, Say

Box = dict[bytes, bytes]
SECRET = b"a word of the peer's"


class Responders(amp.CommandLocator):
    """Answers with what the test says."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.act: Callable[[], Any] = dict

    @Ping.responder
    def ping(self) -> Any:
        self.asked.append(Ping)
        return self.act()

    @Say.responder
    def say(self, text: str) -> Any:
        self.asked.append(text)
        return self.act()

    @CancelRequest.responder
    def cancel(self) -> Any:
        self.asked.append(CancelRequest)
        return self.act()

    @vocabulary.SetAvailability.responder
    def set_availability(self, available: bool, seconds: Any, audience: Any) -> Any:
        self.asked.append(available)
        return self.act()

    @ListAvailable.responder
    def list_available(self, after: bytes, text: bytes) -> Any:
        self.asked.append((after, text))
        return self.act()

    @vocabulary.StreamClosed.responder
    def stream_closed(self, stream: int) -> Any:
        self.asked.append(stream)
        return self.act()


class Side:
    """One end: a control lane, and what it sent."""

    def __init__(self, pad_to: int = 0) -> None:
        self.responders = Responders()
        self.sent: list[bytes] = []
        self.faults: list[Exception] = []
        self.lane = ControlLane(self, self.responders, pad_to)

    def send(self, frame: bytes) -> None:
        self.sent.append(frame)

    def fault(self, error: Exception) -> None:
        self.faults.append(error)

    def boxes(self) -> list[amp.AmpBox]:
        """What was sent since the last look, as boxes."""
        frames, self.sent = self.sent, []
        return [parse_box(frame[limits.FRAME_HEADER :]) for frame in frames]

    def receive(self, **box: bytes) -> None:
        """A box from the peer; keys without their underscores where AMP has them."""
        reserved = {"command", "ask", "answer", "error", "error_code", "error_description"}
        keys = {(f"_{k}" if k in reserved else k).encode(): v for k, v in box.items()}
        self.lane.receive(serialized(keys))


def serialized(box: Box) -> bytes:
    result: bytes = amp.AmpBox(box).serialize()
    return result


def join(one: Side, other: Side) -> None:
    """Hand over what both sent, until neither sends."""
    while one.sent or other.sent:
        for here, there in ((one, other), (other, one)):
            frames, here.sent = here.sent, []
            for item in framing.Decoder(frozenset({framing.CONTROL})).feed(b"".join(frames)):
                there.lane.receive(item.body)  # type: ignore[union-attr]
