#!/bin/bash
# Twisted's TLS loses the answer to a question that comes in one read with the peer's close_notify.
#
# One would expect: a peer that asks, closes its direction of TLS and then reads (as RFC 8446, 6.1,
# allows) gets the answer that a protocol writes in `dataReceived`, however the question and the
# close_notify were cut up on the way.
#
# What happens: it depends on how many bytes one read of the socket brought. `BufferingTLSTransport`,
# which TLSMemoryBIOFactory makes and so every TLS endpoint has, puts small writes off to the next turn
# of the reactor. If the close_notify is behind the question in the same read, the connection is taken
# as over by then, and the answer is dropped without an error. If the close_notify comes a read later,
# the answer arrives. `TLSMemoryBIOProtocol`, which it derives from, answers in both cases.
#
# Why it matters: on loopback and in tests with a connection in memory both come together; over a slow
# line they mostly do not. A transport that writes at once has to choose which of the two it imitates.
#
# Needs python3 and a package index. Exits 0 while Twisted behaves like this.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "twisted[tls]==26.10.0" pyopenssl==26.4.0 cryptography==50.0.2
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from datetime import UTC, datetime, timedelta

import OpenSSL
import twisted
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

key = ec.generate_private_key(ec.SECP256R1())
name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "example.org")])
day, now = timedelta(days=1), datetime.now(UTC)
builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
builder = builder.public_key(key.public_key()).not_valid_before(now - day).not_valid_after(now + day)
context = SSL.Context(SSL.TLS_METHOD)
context.use_certificate(builder.sign(key, hashes.SHA256()))
context.use_privatekey(key)


@implementer(IOpenSSLServerConnectionCreator)
class Creator:
    def serverConnectionForTLS(self, protocol):
        return SSL.Connection(context, None)


class Answers(Protocol):
    def dataReceived(self, data):
        self.transport.write(b"answer")


def sent(peer):
    try:
        return peer.bio_read(2**16)
    except SSL.WantReadError:
        return b""


def answer(kind, is_together):
    """What the peer gets."""
    clock = Clock()
    factory = TLSMemoryBIOFactory(Creator(), False, Factory.forProtocol(Answers), clock)
    wire, transport = StringTransport(), kind(factory, Answers())
    transport.makeConnection(wire)
    peer = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)
    peer.set_connect_state()

    def exchange(*reads):
        for read in filter(None, reads):
            transport.dataReceived(read)
            clock.advance(0)  # the reactor's next turn
        if wire.value():
            peer.bio_write(wire.value())
            wire.clear()

    for _ in range(3):
        try:
            peer.do_handshake()
        except SSL.WantReadError:
            pass
        exchange(sent(peer))
    peer.send(b"question")
    question = sent(peer)
    peer.shutdown()
    close = sent(peer)
    exchange(*([question + close] if is_together else [question, close]))
    try:
        return peer.recv(100)
    except SSL.Error:
        return b""


print("Twisted", twisted.__version__, "pyOpenSSL", OpenSSL.__version__)
found = []
for kind in (BufferingTLSTransport, TLSMemoryBIOProtocol):
    for is_together in (False, True):
        found.append(answer(kind, is_together))
        how = "in one read" if is_together else "in two reads"
        print(f"{kind.__name__}, question and close_notify {how}: the peer gets {found[-1]!r}")
sys.exit(found != [b"answer", b"", b"answer", b"answer"])
PYTHON
