"""The engine's URL, its CA and its password: what is understood, and what is refused in words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.errors import BadArgument, StateDamaged, StateUnusable
from securecom.server.cluster.engine_address import EngineAddress, read_password
from securecom.tests.support.server_certificates import Authority


def address(**facts: Any) -> EngineAddress:
    usual = {"host": "", "port": 0, "path": "", "db": 0, "user": "", "is_tls": False}
    return EngineAddress(**{**usual, **facts})


class URLTests(SynchronousTestCase):
    def test_what_is_understood(self) -> None:
        known = {
            "redis://example.org": address(host="example.org", port=6379),
            "redis://example.org/": address(host="example.org", port=6379),
            "redis://10.0.0.1:6380/3": address(host="10.0.0.1", port=6380, db=3),
            "redis://[::1]:6380": address(host="::1", port=6380),
            "rediss://node@example.org": address(
                host="example.org", port=6379, user="node", is_tls=True
            ),
            "redis://a%40b@example.org": address(host="example.org", port=6379, user="a@b"),
            "unix:///run/redis/sock": address(path="/run/redis/sock"),
            "redis+unix:///run/redis/sock?db=2": address(path="/run/redis/sock", db=2),
            "unix://node@/run/sock": address(path="/run/sock", user="node"),
        }
        for url, meant in known.items():
            self.assertEqual(EngineAddress.parse(url), meant, url)

    def test_what_is_refused(self) -> None:
        for url in (
            "",
            "example.org",
            "redis://",
            "redis:///3",
            "http://example.org",
            "redis://example.org:0",
            "redis://example.org:65536",
            "redis://example.org:port",
            "redis://example.org/x",
            "redis://example.org/-1",
            "redis://example.org/123456",
            "redis://example.org/\u0663",
            "redis://example.org/3?ssl=true",
            "redis://example.org/#3",
            "redis://[::1",
            "unix://example.org/run/sock",
            "unix://",
            "unix:///run/sock?timeout=1",
            "unix:///run/sock#3",
        ):
            self.assertRaises(BadArgument, EngineAddress.parse, url)

    def test_a_password_in_it_is_refused_and_not_shown(self) -> None:
        for url in ("redis://node:secret@example.org", "redis://:secret@example.org"):
            error = self.assertRaises(BadArgument, EngineAddress.parse, url)
            self.assertNotIn("secret", str(error))
            self.assertIn("file", str(error))


class EndpointTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.file = Path(self.mktemp())

    def endpoint(self, url: str, ca: Path | None = None) -> Any:
        return EngineAddress.parse(url).endpoint(self.reactor, ca)

    def test_a_socket(self) -> None:
        self.assertIsInstance(self.endpoint("unix:///run/sock"), UNIXClientEndpoint)
        self.endpoint("unix:///run/sock").connect(None)
        path, _, deadline = self.reactor.unixClients[0][:3]
        self.assertEqual((path, deadline), ("/run/sock", limits.DIRECTORY_DEADLINE))

    def test_a_host(self) -> None:
        self.assertIsInstance(self.endpoint("redis://10.0.0.1"), HostnameEndpoint)

    def test_tls(self) -> None:
        plain = type(self.endpoint("redis://example.org"))
        self.assertNotEqual(type(self.endpoint("rediss://example.org")), plain)

    def test_the_certificates_of_a_file(self) -> None:
        pem = Authority().certificate.public_bytes(Encoding.PEM)
        self.file.write_bytes(pem + pem)
        self.endpoint("rediss://example.org", self.file)

    def test_a_file_without_certificates(self) -> None:
        self.file.write_bytes(b"nothing")
        self.assertRaises(BadArgument, self.endpoint, "rediss://example.org", self.file)

    def test_no_file(self) -> None:
        self.assertRaises(StateUnusable, self.endpoint, "rediss://example.org", self.file)

    def test_certificates_without_tls_are_a_mistake(self) -> None:
        self.file.write_bytes(Authority().certificate.public_bytes(Encoding.PEM))
        for url in ("redis://example.org", "unix:///run/sock"):
            error = self.assertRaises(BadArgument, self.endpoint, url, self.file)
            self.assertIn("rediss://", str(error))


class PasswordTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.file = Path(self.mktemp())

    def write(self, raw: bytes, mode: int = 0o600) -> Path:
        self.file.write_bytes(raw)
        os.chmod(self.file, mode)
        return self.file

    def test_an_end_of_the_line_is_no_part_of_it(self) -> None:
        for raw in (b"secret", b"secret\n", b"secret\r\n"):
            self.assertEqual(read_password(self.write(raw)), "secret")

    def test_blanks_are(self) -> None:
        self.assertEqual(read_password(self.write(b" secret \n")), " secret ")

    def test_what_is_no_password(self) -> None:
        for raw in (b"", b"\n", b"two\nlines\n", b"\xff", b"x" * (limits.MAX_PASS + 1)):
            error = self.assertRaises(BadArgument, read_password, self.write(raw))
            self.assertIn(str(self.file), str(error))

    def test_a_file_that_others_can_read(self) -> None:
        self.assertRaises(StateDamaged, read_password, self.write(b"secret", 0o640))

    def test_no_file(self) -> None:
        self.assertRaises(StateDamaged, read_password, self.file)
