#!/bin/bash
# txredisapi never connects again once a connection was lost while it logged in.
#
# One would expect: a connection made with reconnect=True, which is the default, is made again whenever
# it is lost. That is so while it is idle and while commands are under way, and when nobody listens.
#
# What happens: with a password or a database number, the protocol sends AUTH or SELECT first. If the
# connection is lost before the answer, or the answer is an error of the moment (too many clients), it
# calls stopTrying() on its factory. From then on no attempt is made, and every command fails with "Not
# connected", until the program starts again. Without a password and a database the same loss is
# repaired.
#
# Why it matters: an engine that restarts, or a proxy in front of it that has no engine for a moment,
# accepts connections and drops them. Each client that logs in at that moment is lost for good.
#
# Needs python3 and a package index. Exits 0 while txredisapi behaves like this.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet txredisapi==1.6.0 twisted==26.10.0
timeout 60 "$folder/venv/bin/python" - <<'PYTHON'
import sys

import txredisapi
from twisted.internet import protocol, reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import deferLater
from twisted.protocols.basic import LineReceiver


class Engine(LineReceiver):
    """Drops its first connection at the first command, and answers all others."""

    def lineReceived(self, line):
        if line in (b"AUTH", b"PING"):
            if self.factory.connections == 1:
                self.transport.loseConnection()
            else:
                self.transport.write(b"+OK\r\n" if line == b"AUTH" else b"+PONG\r\n")

    def connectionMade(self):
        self.factory.connections += 1


async def trial(**options):
    """Whether a client is answered in the 8 s after its first connection was dropped."""
    factory = protocol.Factory.forProtocol(Engine)
    factory.connections = 0
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    client = txredisapi.lazyConnection("127.0.0.1", port.getHost().port, reconnect=True, **options)
    answer = None
    for _ in range(16):
        await deferLater(reactor, 0.5)
        try:
            asked = client.ping()
            asked.addTimeout(0.4, reactor)
            answer = await asked
        except Exception as error:
            answer = f"{type(error).__name__}: {error}"
    await client.disconnect()
    await port.stopListening()
    print(f"{options or 'no password'}: {factory.connections} connections, then {answer!r}")
    return factory.connections, answer


async def main():
    plain, with_password = await trial(), await trial(password="secret")
    global expected
    expected = plain == (2, "PONG") and with_password[0] == 1 and "Not connected" in with_password[1]
    reactor.stop()


expected = False
print("txredisapi", txredisapi.version)
reactor.callWhenRunning(lambda: ensureDeferred(main()).addErrback(lambda f: (print(f), reactor.stop())))
reactor.run()
sys.exit(0 if expected else 1)
PYTHON
echo "as described: after the drop during AUTH it never connects again"
