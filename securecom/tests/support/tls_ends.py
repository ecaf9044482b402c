"""The two ends of a TLS connection under test: a protocol on the transport, and its peer.

The peer is OpenSSL alone, with nothing of Twisted.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IHandshakeListener, IPullProducer, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from securecom.errors import SecurecomError
from securecom.identity import Identity
from securecom.tests.support.tls_sequences import HEADER, RECORD, Sequence, Step, bytes_of
from securecom.tls import Credentials, TLSOptions

ALPN = b"securecom-test/1"
CLOSE = "close_notify"


@cache
def credentials() -> Credentials:
    """The server's, in both directions: Ed25519, so every handshake has the same length."""
    return Credentials.of(Identity.generate())


@cache
def options(is_client: bool) -> TLSOptions:
    """The contexts that both ends have: those of securecom, without a check of the peer."""
    return TLSOptions((ALPN,), None if is_client else credentials(), None)


@implementer(IHandshakeListener, IPushProducer, IPullProducer)
class Endpoint(Protocol):
    """The protocol on the transport under test. It notes what it is called and does as told.

    It is a producer, too. While registered it writes only when it may, and keeps the rest; so what
    is written has the same order whenever it may.
    """

    def __init__(self, played: Sequence) -> None:
        self.played = played
        self.events: list[Any] = []
        self.faults: list[str] = []
        #: What was received, as it was given to us: joined only when it is compared.
        self.received: list[Any] = []
        self.count = 0
        #: Where in what we receive to do what.
        self.reactions: list[tuple[int, Step]] = []
        self.ignores = self.is_made = self.is_lost = False
        self.breaks_off = self.is_aborted = self.is_cut_short = False
        self.is_closed = self.is_closed_twice = self.is_written_after_close = False
        #: What was given to the transport, in order.
        self.written = bytearray()
        self._writes = 0
        self._streaming: bool | None = None
        self._is_paused = False
        self._kept: list[bytes] = []

    # what the transport calls

    def connectionMade(self) -> None:
        self.is_made = True
        self.events.append("made")
        self.do(self.played.at_first)

    def handshakeCompleted(self) -> None:
        if self.count or self.is_lost:
            self.faults.append("the handshake was complete after data or the end")
        self.events.append("handshake")
        self.do(self.played.when_shaken)

    def dataReceived(self, data: bytes) -> None:
        if self.is_lost or "handshake" not in self.events:
            self.faults.append("data before the handshake or after the end")
        if not data or not isinstance(data, bytes):
            self.faults.append(f"dataReceived with {type(data).__name__}, {len(data)} bytes")
        if self.ignores:
            return
        self.received.append(data)
        self.count += len(data)
        while self.reactions and self.reactions[0][0] <= self.count and not self.ignores:
            at, step = self.reactions.pop(0)
            self.events.append(("at", at))
            if step == ("raise",):
                # Twisted goes on with what it has decrypted, and so do we, but do not look.
                self.ignores = self.breaks_off = True
                self._cut(at)
                raise ReactionError
            self.do(step)
            if step == ("abort",):
                self.is_aborted = True
                self._cut(at)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.is_lost:
            self.faults.append("connectionLost was called twice")
        self.is_lost = True
        why = reason.value
        details = why.args if isinstance(why, SSL.Error) else ()
        self.events.append(("lost", type(why).__name__, details))

    def _cut(self, at: int) -> None:
        """Forget what comes after a byte: whether it does depends on how bytes are joined."""
        self.received, self.count = [b"".join(self.received)[:at]], at

    # what we do

    def do(self, step: Step) -> None:
        """Do one of our own steps, and note what it raises."""
        if step[0] == "none" or not self.is_made:
            return
        try:
            getattr(self, f"_do_{step[0]}")(*step[1:])
        except ReactionError:
            raise
        except Exception as error:
            self.events.append(("raised", step[0], type(error).__name__))

    def _do_raise(self) -> None:
        pass  # only inside dataReceived

    def _do_call(self, function: Callable[[], None]) -> None:
        function()

    def _do_write(self, sizes: tuple[int, ...], joined: bool) -> None:
        assert self.transport is not None
        many = []
        for size in sizes:
            self._writes += 1
            many.append(bytes_of(self._writes, size))
        if self._streaming is False or (self._streaming and self._is_paused):
            self._kept += many
        elif joined:
            self.written += b"".join(many)
            self.is_written_after_close = self.is_written_after_close or self.is_closed
            self.transport.writeSequence(many)
        else:
            for data in many:
                self._write(data)

    def _write(self, data: bytes) -> None:
        assert self.transport is not None
        self.written += data
        self.is_written_after_close = self.is_written_after_close or self.is_closed
        self.transport.write(data)

    def _do_lose(self) -> None:
        assert self.transport is not None
        self.is_closed = True
        self.transport.loseConnection()

    def _do_abort(self) -> None:
        if not self.is_lost:  # after the end, Twisted's own raises AttributeError
            self.ignores = self.breaks_off = True
            self.is_cut_short = not self.is_closed
            self.transport.abortConnection()  # type: ignore[union-attr]

    def _do_pause(self) -> None:
        self.transport.pauseProducing()  # type: ignore[union-attr]

    def _do_resume(self) -> None:
        self.transport.resumeProducing()  # type: ignore[union-attr]

    def _do_register(self, streaming: bool) -> None:
        if self._streaming is None and not self.is_lost:
            self._streaming, self._is_paused = streaming, False
            self.transport.registerProducer(self, streaming)  # type: ignore[union-attr]

    def _do_unregister(self) -> None:
        if self._streaming is not None:
            kept, self._kept = self._kept, []
            for data in kept:
                self._write(data)
            self.is_closed_twice = self.is_closed_twice or self.is_closed
            self._streaming = None
            self.transport.unregisterProducer()  # type: ignore[union-attr]

    # as a producer

    def pauseProducing(self) -> None:
        self.note_producer("pause", self._is_paused)
        self._is_paused = True

    def resumeProducing(self) -> None:
        if self._streaming is False:
            if self._kept:
                self._write(self._kept.pop(0))
            else:
                self._do_unregister()
            return
        self.note_producer("resume", not self._is_paused)
        self._is_paused = False
        while self._kept and not self._is_paused:
            self._write(self._kept.pop(0))

    def stopProducing(self) -> None:
        self.note_producer("stop", self._streaming is None)
        self._streaming = None
        self._kept = []

    def note_producer(self, call: str, is_wrong: bool) -> None:
        """Note a call of the transport to its producer."""
        if is_wrong or self._streaming is None:
            self.faults.append(f"{call}Producing when that makes no sense")
        if call == "stop" or not self.played.on_socket:
            self.events.append(("producer", call))

    def check_producer(self, will_go_on: bool) -> None:
        """Whoever is paused must be resumed by something that is still to come."""
        if self._streaming and self._is_paused and not will_go_on and not self.is_lost:
            self.faults.append("a producer is paused, and nothing will resume it")


class ReactionError(Exception):
    """What a protocol raises inside `dataReceived`."""


class Peer:
    """The other end: an OpenSSL connection in memory, and the wire to the transport under test."""

    def __init__(self, is_client: bool) -> None:
        self._tls = options(is_client).in_memory(is_client, self)
        self._shaken = False
        #: What waits for the handshake, and what is on the wire and not delivered.
        self._waiting: list[Callable[[], None]] = []
        self.wire = bytearray()
        #: The lengths of the records on the wire; of the first, what is left.
        self.records: list[int] = []
        self.received = bytearray()
        self.end = ""
        self._go_on()

    def certificate_refused(self, why: SecurecomError) -> None:
        raise AssertionError(why)

    def when_shaken(self, do: Callable[[], None]) -> None:
        """Do it now, or as soon as the handshake is complete."""
        if self._shaken:
            do()
        else:
            self._waiting.append(do)

    def send(self, size: int, number: int) -> None:
        """Send one record."""
        self.write(bytes_of(number, size))

    def write(self, data: bytes) -> None:
        """Send these bytes in one record."""
        if not data:
            return
        try:
            self._tls.send(data)
        except SSL.Error:
            return  # after our close, or theirs with an alert
        self._flush()

    def close(self) -> None:
        try:
            self._tls.shutdown()
        except SSL.Error:
            return
        self._flush()

    def feed(self, data: bytes) -> None:
        """Take what the transport under test has sent."""
        if data and not self.end:
            self._tls.bio_write(data)
            self._go_on()

    def _go_on(self) -> None:
        try:
            if not self._shaken:
                self._tls.do_handshake()
                self._shaken = True
                for do in self._waiting:
                    do()
            while True:
                self.received += self._tls.recv(RECORD)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.end = CLOSE
        except SSL.Error as why:
            self.end = repr(why.args)
        self._flush()

    def _flush(self) -> None:
        sent = bytearray()
        try:
            while True:
                sent += self._tls.bio_read(RECORD)
        except SSL.WantReadError:
            pass
        self.wire += sent
        at = 0
        while at < len(sent):
            self.records.append(HEADER + int.from_bytes(sent[at + 3 : at + HEADER], "big"))
            at += self.records[-1]

    def garble(self, data: bytes) -> None:
        """Put bytes on the wire that no TLS made."""
        self.wire += data
        self.records.append(len(data))

    def take(self, size: int) -> bytes:
        """Take bytes off the wire."""
        data = bytes(self.wire[:size])
        del self.wire[:size]
        size = len(data)
        while size:
            part = min(size, self.records[0])
            size -= part
            self.records[0] -= part
            if not self.records[0]:
                del self.records[0]
        return data
