"""TLS between two ends, each of which is securecom's or a stranger's."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL

from securecom import limits, tls
from securecom.tests.support.joined_connections import NetworkCase, PlainTLS, Recorder
from securecom.tests.support.network import Wire


class TLSCase(NetworkCase):
    """Joins a client and a server, each of them ours or a stranger, and lets TLS run."""

    def ours(self) -> Recorder:
        return Recorder(self.clock)

    def meet(self, client: Any, client_tls: Any, server: Any, server_tls: Any) -> Wire:
        wire = self.join(client, client_tls, server, server_tls)
        self.network.pump()
        return wire

    def client_tls(self) -> tls.TLSOptions:
        return tls.standard_client(self.identity, self.pin)

    def server_tls(self) -> tls.TLSOptions:
        return tls.standard_server(self.credentials)

    def assert_refused(self, end: Recorder, kind: type[Exception], why: str = "") -> None:
        self.assertIsInstance(end.end, kind)
        self.assertIn(why, str(end.end))
        self.assertEqual((end.is_secured, end.protocols), (False, []))

    def assert_alerted(self, end: Recorder) -> None:
        """It learns that TLS failed, and not more."""
        self.assertIsInstance(end.end, SSL.Error)

    def impostor(self, credentials: tls.Credentials) -> PlainTLS:
        """A server that shows these, and knows our ALPN."""
        chain = [credentials.certificate] + [credentials.ca] * (credentials.ca is not None)
        return PlainTLS(chain=[one for one in chain if one], key=credentials.key)


def shake_hands(one: SSL.Connection, other: SSL.Connection) -> None:
    """Carry bytes to and fro until both have finished. :raises SSL.Error: if either refuses."""
    is_done: set[SSL.Connection] = set()
    while len(is_done) < 2:
        for end, peer in ((one, other), (other, one)):
            try:
                end.do_handshake()
                is_done.add(end)
            except SSL.WantReadError:
                is_done.discard(end)
            while True:
                try:
                    peer.bio_write(end.bio_read(limits.MAX_CHAT_CHUNK))
                except SSL.WantReadError:
                    break
