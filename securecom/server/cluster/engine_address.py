"""Where the engine is that the nodes of one server share, and what proves it and us.

The engine is Redis or Valkey; `engine` speaks to it. It is given as a URL, without a password.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from cryptography import x509
from OpenSSL import crypto
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.ssl import (
    Certificate,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)

from securecom import limits
from securecom.errors import BadArgument
from securecom.server import files
from securecom.values import Value

_URL_HINT = (
    "Nothing was started. It looks like redis://HOST:PORT/DB, rediss://HOST:PORT/DB (with TLS) or "
    "unix:///PATH?db=DB; a user of the engine stands in front: redis://USER@HOST."
)
_PORT = 6379
_MAX_DB_DIGITS = 5


class EngineAddress(Value):
    """Where the engine is, and as whom to log in.

    :param host: a name or an address; "" if there is a `path`.
    :param path: of a unix socket.
    :param is_tls: whether the connection is encrypted, and the host's name checked.
    :param user: of the engine's access lists; "" is its default user.
    """

    host: str
    port: int
    path: str
    db: int
    user: str
    is_tls: bool

    @classmethod
    def parse(cls, url: str) -> EngineAddress:
        """Take a URL apart.

        :raises BadArgument: if it is none of ours.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise BadArgument(f"{url!r} is not a URL: {error}", _URL_HINT) from error
        if parts.password is not None:
            hint = "Nothing was started. Put the password into a file, where no list shows it."
            raise BadArgument("the URL of the engine has a password in it", hint)
        user = unquote(parts.username or "")
        if parts.scheme in ("unix", "redis+unix"):
            if parts.hostname or not parts.path or parts.fragment:
                raise BadArgument(f"{url!r} names no unix socket", _URL_HINT)
            db = _database(url, parts.query.removeprefix("db=") if parts.query else "")
            return cls("", 0, unquote(parts.path), db, user, False)
        if parts.scheme not in ("redis", "rediss") or not parts.hostname:
            raise BadArgument(f"{url!r} names no engine", _URL_HINT)
        if parts.query or parts.fragment or port == 0:
            raise BadArgument(f"{url!r} says what is not understood", _URL_HINT)
        db, is_tls = _database(url, parts.path.removeprefix("/")), parts.scheme == "rediss"
        return cls(parts.hostname, port or _PORT, "", db, user, is_tls)

    def endpoint(self, reactor: Any, ca: Path | None = None) -> IStreamClientEndpoint:
        """Where to connect.

        :param ca: a file of the certificates to trust, instead of the system's.
        :raises BadArgument: if the file has none, or there is no TLS that it could be for.
        :raises StateUnusable: if it cannot be read.
        """
        if ca is not None and not self.is_tls:
            hint = "Nothing was started. Say rediss:// for TLS."
            raise BadArgument("a CA is given, but the engine's URL is without TLS", hint)
        deadline = limits.DIRECTORY_DEADLINE
        if self.path:
            return UNIXClientEndpoint(reactor, self.path, deadline)
        plain = HostnameEndpoint(reactor, self.host, self.port, deadline)
        if not self.is_tls:
            return plain
        trusted = platformTrust() if ca is None else trustRootFromCertificates(_certificates(ca))
        options = optionsForClientTLS(self.host, trustRoot=trusted)
        return wrapClientTLS(options, plain)


def _database(url: str, digits: str) -> int:
    """The number of the engine's database; 0 if there is none."""
    if not digits:
        return 0
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DB_DIGITS):
        raise BadArgument(f"{url!r} has no number for the database", _URL_HINT)
    return int(digits)


def _certificates(path: Path) -> list[Certificate]:
    with files.telling(path):
        raw = path.read_bytes()
    try:
        found = x509.load_pem_x509_certificates(raw)
    except ValueError as error:
        hint = "Nothing was started. It holds the certificates of the engine's CA, as PEM."
        raise BadArgument(f"{path} has no certificates", hint) from error
    return [Certificate(crypto.X509.from_cryptography(one)) for one in found]


def read_password(path: Path) -> str:
    """The engine's password: all of a private file, which may end with a line feed.

    :raises StateDamaged: if it cannot be read, or others can.
    :raises BadArgument: if it holds no password.
    """
    raw = files.read(path).removesuffix(b"\n").removesuffix(b"\r")
    if not raw or len(raw) > limits.MAX_PASS or not raw.isascii() or b"\n" in raw:
        hint = "Nothing was started. It holds the password in ASCII, in one line, and nothing else."
        raise BadArgument(f"{path} holds no password", hint)
    return raw.decode("ascii")
