"""The two ends of a chat, with a relay between them that the test controls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock

from securecom import framing
from securecom.client.chat.agreed_log import Logs
from securecom.client.chat.agreement import Agreement, Role
from securecom.client.chat.chat_session import ChatSession
from securecom.client.chat.stream import Stream
from securecom.client.events import Delivered, Ending, Event, Message, Said
from securecom.client.files.access import FileAccess
from securecom.errors import SecurecomError
from securecom.identity import Identity, Name
from securecom.values import replace

SERVER, CHAT, STREAM = b"\x05" * 32, b"\x06" * 16, 7


class Leg:
    """The standard channel of one end, a `StreamCarrier`: what is sent waits for the relay."""

    def __init__(self) -> None:
        self.is_congested = False
        self.outgoing = b""
        self.holders: set[str] = set()

    def send(self, frame: bytes) -> None:
        self.outgoing += frame

    def hold(self, who: str) -> None:
        self.holders.add(who)

    def release(self, who: str) -> None:
        self.holders.discard(who)


class End:
    """One person's end, and its notes (`chat.ChatOwner`)."""

    def __init__(
        self,
        identity: Identity,
        agreement: Agreement,
        clock: Clock,
        logs: Logs | None = None,
        access: FileAccess | None = None,
    ) -> None:
        self.identity, self.clock = identity, clock
        self.leg = Leg()
        self.stream = Stream(STREAM, self.leg, clock)
        self.session = ChatSession(agreement, self, clock, logs, access=access)
        self.events: list[Event] = []
        self.on_event: Callable[[Event], object] = lambda event: None
        self.words: list[tuple[str, list[str]]] = []
        self.is_pinned = self.stands = False
        self.pin_error: SecurecomError | None = None
        self.over: list[tuple[Ending | None, list[int]]] = []
        self.error: Exception | None = None

    def open(self) -> None:
        self.session.open(self.stream, self.identity)

    def peer_proved(self) -> None:
        if self.pin_error is not None:
            raise self.pin_error
        self.is_pinned = True

    def chat_stands(self) -> None:
        self.stands = True

    def show(self, event: Event) -> None:
        self.events.append(event)
        self.on_event(event)

    def words_changed(self) -> None:
        exchange = self.session.words
        self.words.append((exchange.state, exchange.words))

    def chat_over(
        self, ending: Ending | None, undelivered: list[int], error: Exception | None
    ) -> None:
        self.over.append((ending, undelivered))
        self.error = error
        self.stream.loseConnection()

    @property
    def messages(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Message)]

    @property
    def delivered(self) -> list[int]:
        return [event.number for event in self.events if isinstance(event, Delivered)]

    @property
    def said(self) -> list[tuple[int, bool]]:
        return [(event.number, event.held) for event in self.events if isinstance(event, Said)]


class Pair:
    """Alice calls Bob. `tap` sees, and may change, the opaque bytes on their way."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.alice_key, self.bob_key = Identity.generate(), Identity.generate()
        self.alice = self.end("caller")
        self.bob = self.end("callee")
        self.tap: Callable[[End, bytes], bytes] = lambda source, data: data
        self.relayed = b""

    def agreement(self, role: Role) -> Agreement:
        """What an honest end means."""
        alice, bob = self.alice_key.public_key, self.bob_key.public_key
        if role == "caller":
            return Agreement(SERVER, CHAT, role, Name("alice"), alice, Name("bob"), bob)
        return Agreement(SERVER, CHAT, role, Name("bob"), bob, Name("alice"), alice)

    def end(self, role: Role, identity: Identity | None = None, **lies: Any) -> End:
        """One end, whose notes or identity may differ from the honest ones."""
        own = identity or (self.alice_key if role == "caller" else self.bob_key)
        return End(own, replace(self.agreement(role), **lies), self.clock)

    def open(self) -> Pair:
        self.bob.open()
        self.alice.open()
        self.pump()
        return self

    def pump(self) -> None:
        """Relay until nothing moves; time stands still."""
        for _ in range(1000):
            self.clock.advance(0)
            moved = [self._relay(*way) for way in ((self.alice, self.bob), (self.bob, self.alice))]
            if not any(moved) and not self._due():
                return
        raise RuntimeError("the relay never comes to rest")

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.pump()

    def _relay(self, source: End, target: End) -> bool:
        if not source.leg.outgoing or target.leg.holders:
            return False
        data, source.leg.outgoing = source.leg.outgoing, b""
        for run in framing.Decoder(frozenset({framing.CHAT})).feed(data):
            assert isinstance(run, framing.Run)
            opaque = self.tap(source, framing.chat_bytes(run))
            self.relayed += opaque
            if opaque:
                target.stream.received(opaque)
        return True

    def _due(self) -> bool:
        return any(call.getTime() <= self.clock.seconds() for call in self.clock.getDelayedCalls())
