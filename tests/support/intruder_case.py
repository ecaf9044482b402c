"""What tests of intruders have in common: strangers, and clients that do what they like."""

from __future__ import annotations

from typing import Any

from securecom import peers, tls, vocabulary
from securecom.identity import Identity
from tests.support.intermediaries import Modified, Stranger, connect, identity_of, soon
from tests.support.programs import Server
from tests.support.system_case import SystemCase


class IntruderCase(SystemCase):
    def identity(self, name: str) -> Identity:
        """Somebody's own."""
        (path,) = (self.home / name).rglob("identity")
        return identity_of(path.read_bytes())

    @property
    def pin(self) -> bytes:
        """What clients know the server by."""
        (line,) = (
            line for line in self.profile("alice").read_text().split("\n") if line[:6] == "server"
        )
        return bytes.fromhex(line.split('"')[1])

    async def modified(self, server: Server, name: str) -> Modified:
        """A client that is logged in and may do anything."""
        client: Modified = self.ends(Modified(tls.ALPN_STANDARD))
        identity = self.identity(name)
        options = tls.standard_client(identity, self.pin)
        await connect(client, server.standard, options)
        await soon(client.ready)
        proof = peers.signed_for_server(client.tls, self.pin, identity, peers.LOG_IN)
        welcome = await soon(client.control.call(vocabulary.LogIn, takeover=False, **proof))
        self.assertEqual(welcome["name"], name)
        return client

    async def stranger(self, port: int, options: Any = None) -> Stranger:
        """A peer without rules, connected."""
        stranger: Stranger = self.ends(Stranger())
        await connect(stranger, port, options)
        return stranger
