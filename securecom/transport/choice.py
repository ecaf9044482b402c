"""Which TLS transport this installation can have."""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    IReactorTime,
)
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory, TLSMemoryBIOProtocol

from securecom.transport import fast, openssl, sieve
from securecom.transport.direct import DirectTLS
from securecom.transport.native import NativeTLS

#: What the variants use of Twisted's private parts: methods, and what its methods read or set.
_TLS_METHODS = (
    "_bufferedWrite",
    "_checkHandshakeStatus",
    "_flushReceiveBIO",
    "_flushSendBIO",
    "_shutdownTLS",
    "_tlsShutdownFinished",
    "_unbufferPendingWrites",
    "_write",
)
_TLS_STATE = (
    "_aborted",
    "_appSendBuffer",
    "_connectWrapped",
    "_creatorCallable",
    "_handshakeDone",
    "_lostTLSConnection",
    "_tlsConnection",
)
_TCP_STATE = ("dataBuffer", "_tempDataLen")

#: The transports by name; the first that can be had is the one that is used.
VARIANTS: dict[str, type[TLSMemoryBIOProtocol]] = {
    "native": NativeTLS,
    "direct": DirectTLS,
    "Twisted's": BufferingTLSTransport,
}


def _names_in(functions: Iterable[object]) -> set[str]:
    """The attributes that functions read or set."""
    codes = (getattr(function, "__code__", None) for function in functions)
    return {name for code in codes if code is not None for name in code.co_names}


def missing_in(tls: type, descriptor: type) -> tuple[str, ...]:
    """The private names that these classes of Twisted's do not have.

    :param tls: `TLSMemoryBIOProtocol`.
    :param descriptor: `FileDescriptor`, which TCP connections are.
    """
    missing = [name for name in _TLS_METHODS if name not in vars(tls)]
    missing += sorted(set(_TLS_STATE) - _names_in(vars(tls).values()))
    missing += sorted(set(_TCP_STATE) - _names_in(vars(descriptor).values()))
    return tuple(missing)


def choose(of_twisted: tuple[str, ...], of_openssl: tuple[str, ...]) -> str:
    """The name of the best variant where these private names are missing."""
    if of_twisted:
        return "Twisted's"
    return "direct" if of_openssl else "native"


def warnings(missing: tuple[str, ...], why_not: str = "") -> list[str]:
    """What to tell an operator about missing names: a line, or none.

    :param why_not: why the compiled way cannot be used, if it is installed.
    """
    lines = []
    if missing:
        lines.append(
            f"this Twisted or pyOpenSSL has no {', '.join(missing)}, so TLS takes a slower way. "
            "Nothing else changes; a newer securecom may know these versions"
        )
    if why_not:
        lines.append(
            f"{why_not}, so messages take a slower way. Nothing else changes; install the "
            "securecom-chat-fast of this version, or remove it"
        )
    return lines


def facts() -> list[str]:
    """What an operator may want to know of the way that messages take: a line, or none."""
    return [] if fast.MODULE is None else ["messages are passed on by securecom_fast"]


_OF_TWISTED = missing_in(TLSMemoryBIOProtocol, FileDescriptor)
#: The private names that are missing here.
MISSING = (*_OF_TWISTED, *openssl.MISSING, *sieve.MISSING)
#: The variant that this process uses.
CHOSEN = choose(_OF_TWISTED, openssl.MISSING)


class TLSFactory(TLSMemoryBIOFactory):
    """Makes connections of the chosen variant, and tells them which side they are.

    Otherwise it is Twisted's.
    """

    protocol = VARIANTS[CHOSEN]

    def __init__(
        self,
        options: IOpenSSLClientConnectionCreator | IOpenSSLServerConnectionCreator,
        is_client: bool,
        inner: IProtocolFactory,
        clock: IReactorTime | None = None,
    ) -> None:
        super().__init__(options, is_client, inner, clock)
        #: Whether the connections begin the handshake.
        self.is_client = is_client

    def registerProtocol(self, p: TLSMemoryBIOProtocol) -> None:
        """Twisted's keeps a list of all connections, which nobody looks at."""

    def unregisterProtocol(self, p: TLSMemoryBIOProtocol) -> None:
        """The same."""
