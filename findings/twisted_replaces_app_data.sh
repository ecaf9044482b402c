#!/bin/bash
# Twisted replaces what a connection creator has put into pyOpenSSL's app data.
#
# One would expect: whoever makes the `OpenSSL.SSL.Connection` for Twisted, an
# IOpenSSLServerConnectionCreator for instance, can keep something of its own with it by `set_app_data`,
# the place that pyOpenSSL has for that, and find it there in a verify callback of the context.
#
# What happens: `twisted.protocols.tls` calls `set_app_data` with its own protocol on every connection
# that a creator returns. The callback gets a TLSMemoryBIOProtocol, which passes on unknown attributes
# to its transport, so that the mistake shows as an AttributeError far away, or not at all. The
# interface's documentation does not mention it.
#
# Why it matters: one verify callback a context saves a callback for each connection, and has to find
# out which connection it is asked about. A subclass of `SSL.Connection` works.
#
# Needs python3 and a package index. Exits 0 while Twisted behaves like this.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "twisted[tls]==26.10.0" pyopenssl==26.4.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import OpenSSL
import twisted
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer


@implementer(IOpenSSLServerConnectionCreator)
class Creator:
    def serverConnectionForTLS(self, protocol):
        connection = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)
        connection.set_app_data("ours")
        return connection


factory = TLSMemoryBIOFactory(Creator(), False, Factory.forProtocol(Protocol), MemoryReactorClock())
protocol = factory.buildProtocol(None)
protocol.makeConnection(StringTransport())
found = protocol.getHandle().get_app_data()
print("Twisted", twisted.__version__, "pyOpenSSL", OpenSSL.__version__)
print("put in: 'ours'; found:", type(found).__name__)
sys.exit(found is not protocol)
PYTHON
