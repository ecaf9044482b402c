#!/bin/bash
# A TLS connection of Twisted's that ends without close_notify is freed by the garbage collector only.
#
# One would expect: when a connection is over and nobody refers to its protocol, reference counts free
# protocol, transport and OpenSSL's connection at once. Twisted clears `wrappedProtocol` in
# `connectionLost` for just that.
#
# What happens: that is so only if the peer closed TLS properly and nobody registered a producer.
# - If the peer just closes its socket, as many clients do, the error that pyOpenSSL raises for it keeps
#   its traceback, and so the frames in which the connection was read; the TLS connection stays.
# - If the protocol registered a push producer and did not unregister it in `connectionLost`, transport
#   and protocol know each other, and the protocol stays, however the connection was closed.
#
# Why it matters: OpenSSL's connection has tens of KiB and the keys of the session, of which Python's
# collector knows nothing: it waits for a number of Python objects. A server with many short
# connections has hundreds of these in memory, and its keys live longer than its sessions.
#
# Needs python3 and a package index. Exits 0 while Twisted behaves like this.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "twisted[tls]==26.10.0" pyopenssl==26.4.0 cryptography==50.0.2
timeout 120 "$folder/venv/bin/python" - <<'PYTHON'
import gc
import platform
import socket
import ssl
import sys
from datetime import UTC, datetime, timedelta

import OpenSSL
import twisted
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.task import deferLater, react
from twisted.internet.threads import deferToThread
from zope.interface import implementer

VISITS = 20

key = ec.generate_private_key(ec.SECP256R1())
name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "example.org")])
day, now = timedelta(days=1), datetime.now(UTC)
builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
builder = builder.public_key(key.public_key()).not_valid_before(now - day).not_valid_after(now + day)
pem = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
pem += key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
options = PrivateCertificate.loadPEM(pem).options()


class Answers(Protocol):
    def dataReceived(self, data):
        self.transport.write(b"answer")


@implementer(IPushProducer)
class Produces(Answers):
    def connectionMade(self):
        self.transport.registerProducer(self, True)

    def pauseProducing(self):
        pass

    def resumeProducing(self):
        pass

    def stopProducing(self):
        pass


def visit(port, is_proper):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port)) as plain:
        peer = context.wrap_socket(plain)
        peer.sendall(b"question")
        peer.recv(100)
        if is_proper:
            peer.unwrap()
        peer.close()


def living(kind):
    return sum(type(one) is kind for one in gc.get_objects())


async def left(kind, is_proper):
    """How many TLS connections and protocols are left after so many visits, and after a search."""
    port = reactor.listenSSL(0, Factory.forProtocol(kind), options, interface="127.0.0.1")
    gc.collect()
    gc.disable()
    for _ in range(VISITS):
        await deferToThread(visit, port.getHost().port, is_proper)
    await deferLater(reactor, 0.5)
    before = living(SSL.Connection), living(kind)
    gc.enable()
    gc.collect()
    after = living(SSL.Connection), living(kind)
    await port.stopListening()
    return before, after


async def main(_):
    found = []
    for kind in (Answers, Produces):
        for is_proper in (True, False):
            before, after = await left(kind, is_proper)
            found.append((before, after))
            how = "a proper close" if is_proper else "no close_notify"
            print(f"{VISITS} visits, {kind.__name__}, {how}: TLS connections and protocols left:", end=" ")
            print(f"{before}, and after gc.collect() {after}")
    all_, none = VISITS, (0, 0)
    expected = [((0, 0), none), ((all_, 0), none), ((0, all_), none), ((all_, all_), none)]
    sys.exit(found != expected)


print("Python", platform.python_version(), "Twisted", twisted.__version__, end=" ")
print("pyOpenSSL", OpenSSL.__version__)
react(main)
PYTHON
