"""Invitations: the link that holds all a client needs to find a server, check it and enrol.

`securecom://HOST[:PORT]/SERVER/TOKEN`: SERVER is the SHA-256 of the server's CA certificate and
TOKEN the one-time secret, both in base32 without padding. Case does not matter: a link in capitals
fits a QR code's alphanumeric mode, which makes the code a quarter smaller.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ipaddress
import re
from dataclasses import dataclass

from securecom import limits
from securecom.errors import BadHost, BadLink

_SCHEME = "securecom://"
_SERVER_BYTES = 32
_PARTS = len(("authority", "server", "token"))
#: Base32 letters of a token, at 5 bits a letter.
_TOKEN_LETTERS = -(-8 * limits.TOKEN_BYTES // 5)
#: What `securecom-admin invite` prints above a link: "alice, once, until 2026-11-29 21:06 UTC:".
_HEADING = re.compile(r"\s*[a-z0-9][a-z0-9._-]*, once, until [0-9: -]{16} UTC:\s*")
#: Punctuation that may follow a link at the end of a sentence.
_STOPS = ".,"
_MAX_PORT = 65535
_LABEL = re.compile(rf"[a-z0-9]([a-z0-9-]{{0,{limits.MAX_LABEL - 2}}}[a-z0-9])?")
_AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]{1,5}))?")


class Host(str):
    """A host name or IP address in canonical form: lower case, IPv6 short and unbracketed."""

    __slots__ = ()

    def __new__(cls, text: str) -> Host:
        """:raises BadHost: if the text is not a host name or an IP address."""
        return super().__new__(cls, _address(text) or _host_name(text))

    @property
    def address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The IP address; None for a host name."""
        return None if _address(self) is None else ipaddress.ip_address(self)

    @property
    def bracketed(self) -> str:
        """The host as written before a port: IPv6 addresses in brackets."""
        return f"[{self}]" if ":" in self else str(self)


def _address(text: str) -> str | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if getattr(address, "scope_id", None) is not None:
        raise BadHost("an IPv6 address with a zone is valid on one machine only")
    return str(address)


def _host_name(text: str) -> str:
    if not text.isascii():
        raise BadHost("a host name with letters outside ASCII is written in its xn-- form")
    name = text.lower()
    labels = name.split(".")
    if len(name) > limits.MAX_HOST or not all(map(_LABEL.fullmatch, labels)):
        raise BadHost("that is not a host name")
    if labels[-1].isdigit():  # resolvers read such names as addresses, each in its own way
        raise BadHost("that is not an IPv4 address")
    return name


@dataclass(frozen=True)
class Invitation:
    """A server's address, its id (32 bytes, `identity.server_id`), and the token."""

    host: Host
    standard_port: int
    server: bytes
    token: bytes

    def __post_init__(self) -> None:
        if not 1 <= self.standard_port <= _MAX_PORT:
            raise BadLink(f"{self.standard_port} is not a port")
        if len(self.server) != _SERVER_BYTES:
            raise BadLink("the server's fingerprint is incomplete")
        if len(self.token) != limits.TOKEN_BYTES:
            raise BadLink("the token is incomplete")

    def link(self) -> str:
        """The link, on one line, to give to the person invited."""
        default = self.standard_port == limits.STANDARD_PORT
        port = "" if default else f":{self.standard_port}"
        return (
            f"{_SCHEME}{self.host.bracketed}{port}/{_to_text(self.server)}/{_to_text(self.token)}"
        )

    @classmethod
    def parse(cls, text: str) -> Invitation:
        """Read the link of an invitation, as `securecom-admin` prints it or a mail contains it.

        It may have the heading that `securecom-admin` prints above it, white space around it and in
        it (mail wraps long lines), a pair of `<>` around it, and a full stop or comma after it.

        :raises BadLink: for anything else.
        """
        text = _unwrapped(text)
        if len(text) > limits.MAX_LINK:
            raise BadLink(f"an invitation link has at most {limits.MAX_LINK} characters")
        if text[: len(_SCHEME)].lower() != _SCHEME:
            raise BadLink(f"an invitation link begins with {_SCHEME}")
        parts = text[len(_SCHEME) :].split("/")
        if len(parts) != _PARTS:
            raise BadLink("an invitation link is a host, a server's fingerprint and a token")
        host, port = _authority(parts[0])
        server = _from_text(parts[1], _SERVER_BYTES, "server's fingerprint")
        return cls(host, port, server, _from_text(parts[2], limits.TOKEN_BYTES, "token"))


def is_unfinished(text: str) -> bool:
    """Whether the text is the start of a link, or its heading, so that more lines may complete it.

    :param text: whole lines, as for `Invitation.parse`.
    """
    text = _unwrapped(text)
    if len(text) > limits.MAX_LINK:
        return False
    if text[: len(_SCHEME)].lower() != _SCHEME:
        return text.endswith(":") or _SCHEME.startswith(text.lower())
    parts = text[len(_SCHEME) :].split("/")
    return len(parts) < _PARTS or (len(parts) == _PARTS and len(parts[-1]) < _TOKEN_LETTERS)


def _unwrapped(text: str) -> str:
    """Strip the white space, heading, brackets and punctuation that often surround a link."""
    heading = _HEADING.match(text)
    text = "".join((text if heading is None else text[heading.end() :]).split())
    text = text.rstrip(_STOPS)
    if text.startswith("<"):
        text = text.removeprefix("<").removesuffix(">")
    return text.rstrip(_STOPS)


def token_hash(token: bytes) -> bytes:
    """The SHA-256 of a token (32 bytes), which is all that the registry keeps of it."""
    return hashlib.sha256(token).digest()


def parse_authority(text: str) -> tuple[Host, int | None]:
    """Parse `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`; a bare IPv6 address is a host too.

    :raises BadHost: for anything else, and for a port outside 1 to 65535.
    """
    if _address(text) is not None:
        return Host(text), None
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        raise BadHost("that is not a host, with or without a port")
    host = Host(match[1].removeprefix("[").removesuffix("]"))
    if (":" in host) != match[1].startswith("["):
        raise BadHost("brackets are for IPv6 addresses")
    if match[2] is None:
        return host, None
    if not 1 <= int(match[2]) <= _MAX_PORT:
        raise BadHost(f"{int(match[2])} is not a port")
    return host, int(match[2])


def _authority(text: str) -> tuple[Host, int]:
    try:
        host, port = parse_authority(text)
    except BadHost as error:
        raise BadLink(f"the link's host is not valid ({error.what})") from None
    if ":" in host and not text.startswith("["):
        raise BadLink("the link's host is not valid (put an IPv6 address in brackets)")
    return host, limits.STANDARD_PORT if port is None else port


def _to_text(data: bytes) -> str:
    return base64.b32encode(data).decode("ascii").rstrip("=").lower()


def _from_text(text: str, length: int, what: str) -> bytes:
    """Decode base32 without padding, and only in the form that `_to_text` writes, in any case."""
    try:
        data = base64.b32decode(text.upper() + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError):
        raise BadLink(f"the link's {what} is mistyped or cut off") from None
    if len(data) != length or _to_text(data) != text.lower():
        raise BadLink(f"the link's {what} is mistyped or cut off")
    return data
