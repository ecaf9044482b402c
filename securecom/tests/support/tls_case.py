"""Two ends, each of them ours or a stranger, and TLS between them."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL

from securecom import tls
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
