#!/bin/bash
# Twisted's PROXY parser refuses the line that HAProxy sends when it has no client to name.
#
# One would expect: the PROXY protocol, version 1, says of the family UNKNOWN that "PROXY UNKNOWN" and
# CRLF directly behind it is a whole header, and that a receiver takes the connection and keeps the
# addresses of the socket. HAProxy sends just this with `send-proxy` for its health checks and for
# clients on a unix socket.
#
# What happens: twisted.protocols.haproxy wants a space behind UNKNOWN. Without one it raises
# InvalidNetworkProtocol, so its wrapper closes the connection. With a space, or anything behind it,
# the same header is taken. Version 2's LOCAL is taken.
#
# Why it matters: clients who come to HAProxy by a unix socket cannot connect with `send-proxy`, and
# checks that speak after connecting fail. `send-proxy-v2` works.
#
# Needs python3 and a package index. Exits 0 while Twisted behaves like this.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet twisted==26.10.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import twisted
from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.protocols.haproxy import proxyEndpoint


class Endpoint:
    """Hands out the factory that it is told to listen with."""

    def listen(self, factory):
        self.factory = factory


def is_taken(header):
    """Whether bytes behind this header reach the protocol."""
    seen = []

    class Seen(Protocol):
        def dataReceived(self, data):
            seen.append(data)

    endpoint = Endpoint()
    proxyEndpoint(endpoint).listen(Factory.forProtocol(Seen))
    transport = StringTransport(peerAddress=IPv4Address("TCP", "192.0.2.1", 1))
    wrapper = endpoint.factory.buildProtocol(transport.getPeer())
    wrapper.makeConnection(transport)
    wrapper.dataReceived(header + b"hello")
    return seen == [b"hello"] and not transport.disconnecting


print("Twisted", twisted.__version__)
headers = {
    "PROXY UNKNOWN": b"PROXY UNKNOWN\r\n",
    "PROXY UNKNOWN and a space": b"PROXY UNKNOWN \r\n",
    "PROXY UNKNOWN with addresses": b"PROXY UNKNOWN ::1 ::1 1 2\r\n",
    "version 2, LOCAL": b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00",
}
taken = {name: is_taken(header) for name, header in headers.items()}
for name, is_it in taken.items():
    print(f"{name}: {'taken' if is_it else 'closed'}")
sys.exit(list(taken.values()) != [False, True, True, True])
PYTHON
