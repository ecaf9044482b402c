"""What the product is compared with. `python -m benchmarks.servers WHAT OPTION…` runs one of

- `frames`: the product, its relay changed to forward frame by frame; options are twistd's;
- `unshared`: the product without paces and turns, its registry used one thing after the other;
- `unpaused`: the product, which looks callees up at once, however often somebody asks; options are
  twistd's;
- `bytes`: Twisted's TLS as it comes, joining each two connections byte by byte, no frames, no
  checks, no client certificates; the same server certificate and key agreement;
- `handshakes`: the same, joining nothing;
- `sampled FILE`: the product, looked at by `sampling`; options are twistd's.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from OpenSSL import crypto
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import CertificateOptions, TLSVersion
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.scripts.twistd import run

from benchmarks import sampling
from securecom import limits
from securecom.server import database
from securecom.server.database import GatheringPool
from securecom.server.pools import Interaction
from securecom.server.reception import Reception
from securecom.server.relay import Leg, Relay
from securecom.server.state import read_state
from securecom.tls import Credentials

reactor: Any = _reactor
_ANY_NUMBER = 10_000


# --- frame by frame -------------------------------------------------------------------------


def forward_frames(relay: Relay, source: Leg, raw: bytes) -> None:
    """`Relay.forward`, but each frame by itself."""
    target = relay._other.get(source)
    if target is None:
        return
    at = 0
    while at < len(raw):
        end = (
            at + limits.FRAME_HEADER + int.from_bytes(raw[at + 1 : at + limits.FRAME_HEADER], "big")
        )
        target.send(raw[at:end])
        at = end


# --- unshared -------------------------------------------------------------------------------


class OneByOne(GatheringPool):
    """Reads and writes in the order in which they were wanted, each write with its own commit."""

    def read(self, interaction: Interaction, *args: Any) -> Deferred[Any]:
        return self.write(interaction, *args)


def unshare() -> None:
    """Whoever's bytes come is worked on until they are through."""
    limits.TASKS_GATHERED = 1
    database.threaded_pool = one_by_one
    Reception.turns = property(lambda _: None, lambda *_: None)  # type: ignore[assignment]


def one_by_one(path: Path, reactor: Any = None) -> OneByOne:
    """See `database.threaded_pool`."""
    return OneByOne(database.connections(path, reactor))


# --- unpaused -------------------------------------------------------------------------------


def unpause() -> None:
    """Callees are looked up at once, and nobody asks too often: limits that work would run into."""
    limits.REQUEST_PAUSE = 0.0
    limits.REQUESTS_BY_CALLER = limits.REQUESTS_TO_CALLEE = _ANY_NUMBER


# --- bare TLS-------------------------------------------------------------------------------


class Half(Protocol):
    """One of two connections that are joined."""

    other: Half | None = None

    def join(self, other: Half) -> None:
        """Each writes to the other, and stops reading when the other is full."""
        self.other, other.other = other, self
        for one, two in ((self, other), (other, self)):
            one.transport.registerProducer(two.transport, True)  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.other is not None:
            self.other.transport.unregisterProducer()  # type: ignore[union-attr]
            self.other.transport.loseConnection()  # type: ignore[union-attr]


class JoiningFactory(Factory):
    """Joins every second connection to the one before."""

    noisy = False

    def __init__(self) -> None:
        self._alone: Half | None = None

    def buildProtocol(self, addr: object) -> Half:
        made = Half()
        reactor.callLater(0, self._place, made)  # when it has a transport
        return made

    def _place(self, made: Half) -> None:
        alone, self._alone = self._alone, None
        if alone is None:
            self._alone = made
        else:
            alone.join(made)


def stock_options(credentials: Credentials) -> CertificateOptions:
    """Twisted's own, TLS 1.3, with the product's certificate."""
    chain = [] if credentials.ca is None else [crypto.X509.from_cryptography(credentials.ca)]
    return CertificateOptions(
        privateKey=crypto.PKey.from_cryptography_key(credentials.key),
        certificate=crypto.X509.from_cryptography(credentials.certificate),
        extraCertChain=chain,
        raiseMinimumTo=TLSVersion.TLSv1_3,
    )


def serve_bare(inner: Factory, words: list[str]) -> None:
    """Listen, say where, run until ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--standard", required=True)
    parser.add_argument("--request")
    parser.add_argument("--no-dial", action="store_true")
    parser.add_argument("--state", type=Path, required=True)
    options = parser.parse_args(words)
    credentials = read_state(options.state, time.time()).credentials
    factory = TLSMemoryBIOFactory(stock_options(credentials), False, inner, reactor)

    def opened(port: Any) -> None:
        number = port.getHost().port
        print(f"standard channel on port {number}, request channel on port {number}", flush=True)

    serverFromString(reactor, options.standard).listen(factory).addCallback(opened)
    reactor.run()


# --- which ----------------------------------------------------------------------------------


def main() -> None:
    """See above."""
    what = sys.argv.pop(1)
    if what == "bytes":
        serve_bare(JoiningFactory(), sys.argv[1:])
    elif what == "handshakes":
        serve_bare(Factory.forProtocol(Protocol), sys.argv[1:])
    elif what == "frames":
        Relay.forward = forward_frames  # type: ignore[method-assign, assignment]
        Relay.beyond = lambda _relay, _leg: None  # type: ignore[method-assign, assignment]
        run()
    elif what == "unshared":
        unshare()
        run()
    elif what == "unpaused":
        unpause()
        run()
    elif what == "sampled":
        sampling.watch(Path(sys.argv.pop(1)))
        run()
    else:
        raise SystemExit(f"no server {what!r}")


if __name__ == "__main__":
    main()
