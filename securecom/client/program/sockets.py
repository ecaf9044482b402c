"""TCP towards the server and, in dial mode, from it: the endpoints of a client with a reactor."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ServerEndpoint,
    TCP6ServerEndpoint,
)
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from zope.interface import implementer

from securecom import limits
from securecom.client.channels.request_ways import ServerDials, ServerListens, Way
from securecom.client.profile.profile import RequestMode


@implementer(IStreamClientEndpoint)
class Route:
    """To the server's standard port; notes the address of ours that it was reached from."""

    def __init__(self, reactor: Any, host: str, port: int) -> None:
        self._reactor = reactor
        self.host, self.port = host, port
        self._standard = self.to(port)
        #: Where the server sees us, unless there is a NAT between.
        self.own_address = "127.0.0.1"

    def to(self, port: int) -> IStreamClientEndpoint:
        """Another port of the same server."""
        endpoint: IStreamClientEndpoint = HostnameEndpoint(
            self._reactor, self.host, port, timeout=limits.LOGIN_DEADLINE
        )
        return endpoint

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803
        """IStreamClientEndpoint."""
        return self._standard.connect(protocolFactory).addCallback(self._connected)

    def _connected(self, protocol: Any) -> IProtocol:
        self.own_address = protocol.transport.getHost().host
        connected: IProtocol = protocol
        return connected

    def listen(self, port: int) -> IStreamServerEndpoint:
        """Where the server may dial us: on that one address of ours and no other."""
        kind = TCP6ServerEndpoint if ":" in self.own_address else TCP4ServerEndpoint
        endpoint: IStreamServerEndpoint = kind(self._reactor, port, interface=self.own_address)
        return endpoint

    def way(self, mode: RequestMode) -> Way:
        """How the request channel comes to be."""
        return ServerListens(self.to) if mode == "listen" else ServerDials(self.listen)
