"""What a server holds on to for somebody who is online and silent, which most people are."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from securecom import peers
from securecom.errors import WireError
from securecom.server.admission import Visitor
from securecom.tests.support.memory_server import MemoryServer
from securecom.transport.native import NativeTLS


class SilentUsersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = server = MemoryServer()
        self.alice, self.bob = server.client("alice"), server.client("bob")
        self.visitors: list[Visitor] = [*server.standard._visitors, *server.request._visitors]

    def transports(self) -> list[NativeTLS]:
        found = [one._secure for one in self.visitors if isinstance(one._secure, NativeTLS)]
        self.assertEqual(len(found), 4)
        return found

    def test_no_address_but_the_one_that_it_is_counted_under(self) -> None:
        self.assertEqual({(one.peer, one._address) for one in self.visitors}, {(None, None)})
        self.assertEqual({one.site for one in self.visitors}, {"192.0.2.1"})

    def test_no_key_that_was_looked_up(self) -> None:
        for transport in self.transports():
            self.assertRaises(WireError, peers.peer_key, transport.getHandle())

    def test_nothing_that_only_the_handshake_needed(self) -> None:
        for transport in self.transports():
            self.assertIsNone(transport.getHandle()._alpn_select_callback_args)
            self.assertEqual(transport._appSendBuffer, ())

    def test_no_list_of_all_connections_beside_the_one_that_is_needed(self) -> None:
        for factory in (self.server.standard, self.server.request):
            self.assertEqual(factory._tls.protocols, {})

    def test_sessions_share_what_is_the_same_for_all(self) -> None:
        one, other = self.server.reception.sessions._by_id.values()
        for name in ("_new_account", "_change_key", "_dial", "_pause", "_retirements"):
            self.assertIs(getattr(one, name), getattr(other, name), name)
