"""The TLS transports that must all keep one contract, by name; Twisted's own are the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory, TLSMemoryBIOProtocol

from securecom.transport.direct import DirectTLS
from securecom.transport.native import NativeTLS

Make = Callable[[TLSMemoryBIOFactory, Any], TLSMemoryBIOProtocol]

#: How each makes a transport from a `TLSMemoryBIOFactory` and the protocol on it.
OURS: dict[str, Make] = {"direct": DirectTLS, "native": NativeTLS}
VARIANTS: dict[str, Make] = {
    "Twisted's": BufferingTLSTransport,
    "Twisted's, unbuffered": TLSMemoryBIOProtocol,
    **OURS,
}
