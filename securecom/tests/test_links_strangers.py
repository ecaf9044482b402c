"""Who is no node of the server: what a link refuses in the handshake."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory

from securecom import peers, tls
from securecom.errors import ServerMismatch, TLSRefused
from securecom.identity import Identity, server_id
from securecom.server import certificates
from securecom.tests.support.joined_connections import PlainTLS
from securecom.tests.support.logged_warnings import warnings
from securecom.tests.support.memory_nodes import (
    BOTH,
    NodesCase,
)
from securecom.tests.support.server_certificates import CLIENT, SERVER, Authority
from securecom.tls import Credentials
from securecom.transport.choice import TLSFactory

NEVER = b"\x7f" * 16


class _Nobody(Factory[Any]):
    noisy = False


class StrangerTests(NodesCase):
    """Whoever has no node's certificate of this CA is refused at either end."""

    def strangers(self) -> dict[str, Credentials]:
        good, stale = self.credentials(), Authority(days=(-9, -1))
        forged = self.credentials(Authority())
        below = Authority(parent=self.authority, name="an intermediate")
        return {
            "a client": Credentials.of(Identity.generate()),
            "the server": self.authority.credentials(),
            "the server, also for clients": self.authority.credentials(usage=BOTH),
            "another CA's node": forged,
            "another CA's server": Authority().credentials(),
            "forged": Credentials(forged.key, forged.certificate, self.authority.certificate),
            "expired": self.credentials(days=(-90, -1)),
            "not valid yet": self.credentials(days=(1, 90)),
            "an expired CA's": self.credentials(stale),
            "for servers only": self.credentials(usage=SERVER),
            "for clients only": self.credentials(usage=CLIENT),
            "for no use": self.credentials(usage=()),
            "without a name": self.credentials(names=()),
            "of another name": self.credentials(names=("node.example.org",)),
            "without its CA": Credentials(good.key, good.certificate),
            "an intermediate's": self.credentials(below),
        }

    def options(self, credentials: Credentials) -> PlainTLS:
        chain = [one for one in (credentials.certificate, credentials.ca) if one is not None]
        return PlainTLS(alpn=(tls.ALPN_NODE,), chain=chain, key=credentials.key)

    def test_a_node_is_refused_for_nothing_else(self) -> None:
        self.assertTrue(self.meets(2, self.options(self.credentials())))
        self.assertTrue(self.meets(1, self.options(self.credentials())))

    # Promise T292
    def test_each_is_refused_as_the_one_who_dials(self) -> None:
        for name, credentials in self.strangers().items():
            self.assertFalse(self.meets(1, self.options(credentials)), name)

    # Promise T292
    def test_each_is_refused_as_the_one_who_is_dialled(self) -> None:
        for name, credentials in self.strangers().items():
            self.assertFalse(self.meets(2, self.options(credentials)), name)

    # Promise T292
    def test_without_a_certificate(self) -> None:
        self.assertFalse(self.meets(1, PlainTLS(alpn=(tls.ALPN_NODE,))))

    def test_another_alpn(self) -> None:
        good = self.credentials()
        for alpn in (tls.ALPN_STANDARD, tls.ALPN_REQUEST, b"h2"):
            for number in (1, 2):
                options = self.options(good)
                options.alpn = (alpn,)
                options.context.set_alpn_select_callback(lambda _tls, offered: offered[0])
                self.assertFalse(self.meets(number, options) and number == 1, alpn)

    def test_a_client_on_the_standard_port_cannot_be_a_node(self) -> None:
        """Nor can a node's certificate stand for the server's."""
        now = self.clock.seconds() + 1e9
        ca = certificates.new_ca(now)
        node = certificates.new_node_leaf(ca, now)
        pin = server_id(ca.certificate)
        check = peers.pinned_server(pin)
        why = self.assertRaises(ServerMismatch, check, node.certificate, 0, 0)
        self.assertIn("another name", str(why))
        leaf = certificates.new_leaf(ca, [], now)
        own = peers.node_of(pin)
        self.assertIsNone(own(node.certificate, 0, 0))
        self.assertIsNone(own(ca.certificate, 0, 1))
        self.assertRaises(TLSRefused, own, leaf.certificate, 0, 0)
        self.assertRaises(TLSRefused, own, ca.certificate, 0, 2)

    def meets(self, number: int, options: Any) -> bool:
        """Whether a process with this TLS, in the place of this node, is met by the other one.

        It does all that a node does, but for the check of its peer.
        """
        self.nodes.clear()
        honest = self.node(3 - number)
        other = self.node(number)
        other.links.options = options
        made = other.links._factory._tls
        made._creatorCallable = TLSFactory(options, False, _Nobody(), self.clock)._creatorCallable
        with warnings():
            self.meet()
        met = honest.links.is_linked(other.ident)
        for node in (honest, other):
            node.links.stop()
            del self.network.ports[node.node.port]
        self.network.pump()
        return met
