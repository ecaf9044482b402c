"""One node, with chats whose other legs are on another node: what `tests.test_node_links` runs.

It sends so many bytes in each chat and prints their digests, and those of what it received, as
lines of JSON. The line "end" ends its chats; the end of its input stops it.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.endpoints import HostnameEndpoint, TCP4ServerEndpoint
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Protocol
from twisted.internet.stdio import StandardIO
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher
from twisted.protocols import amp

from securecom import framing, limits
from securecom.server import certificates
from securecom.server.cluster.carrier import Carrier
from securecom.server.cluster.directory import Node
from securecom.server.cluster.links import Links

reactor: Any = _reactor


def say(**facts: Any) -> None:
    """One line for the test."""
    print(json.dumps(facts | {"at": time.monotonic()}), flush=True)


def log(event: LogEvent) -> None:
    """A line of the log, for the test to wait for."""
    if event["log_level"] >= LogLevel.info:
        print(formatEvent(event), file=sys.stderr, flush=True)


class Chat:
    """Sends random frames as long as there is room, and digests what comes."""

    def __init__(self, program: Program, number: int, size: int) -> None:
        self.program, self.number = program, number
        self.left = self.missing = size
        self.sent, self.received = hashlib.sha256(), hashlib.sha256()
        self.random = random.Random(os.urandom(8))
        self.carrier: Carrier = program.links.carrier(
            program.other, number.to_bytes(16, "big"), self.take, self.congested, self.ended
        )

    def go_on(self) -> None:
        while self.left and not self.carrier.is_congested:
            count = min(self.left, self.random.choice((50, 1000, limits.MAX_CHAT_CHUNK)))
            frame = framing.encode_chat(1, self.random.randbytes(count))
            self.left -= count
            self.sent.update(frame)
            self.carrier.send(frame)
        self.program.look()

    def congested(self, is_so: bool) -> None:
        if not is_so:
            reactor.callLater(0, self.go_on)

    def take(self, raw: bytes) -> None:
        self.received.update(raw)
        at = 0
        while at < len(raw):
            length = int.from_bytes(raw[at + 1 : at + limits.FRAME_HEADER], "big")
            self.missing -= length - 4
            at += limits.FRAME_HEADER + length
        self.program.look()

    def ended(self) -> None:
        say(ended=self.number)


class Program(Protocol):
    """The node; its own standard input."""

    def __init__(self, how: dict[str, Any]) -> None:
        self.how, self.is_done = how, False
        self.other = bytes([how["other"]]) * 16
        own = Node(bytes([how["own"]]) * 16, "", 0)
        ca = certificates.from_pem(Path(how["ca"]).read_bytes(), "the test's CA")
        credentials = certificates.new_node_leaf(ca, time.time())
        self.links = Links(
            reactor, own, credentials, lambda h, p: HostnameEndpoint(reactor, h, p, 5.0), self
        )
        self.chats: list[Chat] = []

    def start(self) -> None:
        """Listen, and meet the other node."""
        listening = TCP4ServerEndpoint(reactor, 0, interface=self.how["interface"])
        listening.listen(self.links.factory).addCallback(self.listens)

    def listens(self, port: IListeningPort) -> None:
        say(port=port.getHost().port)  # type: ignore[attr-defined]

    def dataReceived(self, data: bytes) -> None:
        """Lines that say where the other node is, and when the chats end."""
        for line in data.decode("ascii").split("\n"):
            if line == "end":
                for chat in self.chats:
                    chat.carrier.end()
            elif line:
                host, port = line.split()
                self.links.meet([Node(self.other, host, int(port))])
                # Before there is a link: neither node may hear of a chat that it does not have.
                self.chats = [
                    Chat(self, number, self.how["bytes"]) for number in range(self.how["chats"])
                ]
                for chat in self.chats:
                    chat.go_on()

    def connectionLost(self, reason: Any = None) -> None:
        self.links.stop()
        reactor.stop()

    def look(self) -> None:
        """Say so once all has been sent and received."""
        if (
            self.chats
            and not self.is_done
            and not any(chat.left or chat.missing for chat in self.chats)
        ):
            self.is_done = True
            say(
                sent=[chat.sent.hexdigest() for chat in self.chats],
                received=[chat.received.hexdigest() for chat in self.chats],
                processor=time.process_time(),
            )

    # --- links.NodeHandler ------------------------------------------------------------------

    def responders(self, node: bytes) -> amp.IResponderLocator:
        return amp.CommandLocator()

    def node_lost(self, node: bytes) -> None:
        say(lost=node.hex())


if __name__ == "__main__":
    globalLogPublisher.addObserver(log)  # type: ignore[arg-type]
    program = Program(json.loads(sys.argv[1]))
    StandardIO(program)
    program.start()
    reactor.run()
