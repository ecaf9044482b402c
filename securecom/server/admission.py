"""The caps on connections, outside TLS: who is turned away costs no handshake."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv6Address, ip_address

from twisted.internet.interfaces import IAddress, IProtocolFactory, IReactorTime
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol

from securecom import limits
from securecom.connection import Connection
from securecom.tls import TLSOptions

_IPV6_SITE = 64  # bits that one customer of a provider has for themselves


class AdmittingFactory(TLSMemoryBIOFactory):
    """A TLS factory that lets in so many connections, in all and from one address.

    Addresses without a host (unix sockets) share the cap in all only.
    """

    def __init__(self, options: TLSOptions, inner: IProtocolFactory, clock: IReactorTime) -> None:
        super().__init__(options, False, inner, clock)
        self._by_site: Counter[str] = Counter()
        self._sites: dict[TLSMemoryBIOProtocol, str] = {}
        self._pending: Counter[str] = Counter()

    def buildProtocol(self, addr: IAddress | None) -> TLSMemoryBIOProtocol | None:  # type: ignore[override]
        site = site_of(addr)
        if len(self._sites) >= limits.MAX_CONNECTIONS or (site and self._is_full(site)):
            return None
        protocol: TLSMemoryBIOProtocol = super().buildProtocol(addr)
        self._enter(protocol, site)
        return protocol

    def unregisterProtocol(self, p: TLSMemoryBIOProtocol) -> None:
        super().unregisterProtocol(p)
        self._leave(p)

    def _is_full(self, site: str) -> bool:
        return (
            self._by_site[site] >= limits.MAX_CONNECTIONS_BY_ADDRESS
            or self._pending[site] >= limits.MAX_PENDING_BY_ADDRESS
        )

    def _enter(self, protocol: TLSMemoryBIOProtocol, site: str) -> None:
        self._sites[protocol] = site
        self._by_site[site] += 1
        self._pending[site] += 1
        connection = protocol.wrappedProtocol
        if isinstance(connection, Connection):
            connection.on_established = lambda: self._established(site)

    def _established(self, site: str) -> None:
        _drop(self._pending, site)

    def _leave(self, protocol: TLSMemoryBIOProtocol) -> None:
        site = self._sites.pop(protocol)
        _drop(self._by_site, site)
        connection = protocol.wrappedProtocol
        if not getattr(connection, "is_established", False):
            _drop(self._pending, site)


def site_of(address: IAddress | None) -> str:
    """What counts as one place: an IPv4 address, or an IPv6 network of 64 bits."""
    host = getattr(address, "host", None)
    if host is None:
        return ""
    try:
        ip = ip_address(str(host).partition("%")[0])
    except ValueError:
        return str(host)
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(int(ip) >> (128 - _IPV6_SITE))
    return str(ip)


def _drop(counter: Counter[str], site: str) -> None:
    counter[site] -= 1
    if counter[site] <= 0:
        del counter[site]
