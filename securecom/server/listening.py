"""A port that listens, as a service."""

from __future__ import annotations

import os
from collections.abc import Generator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, inlineCallbacks, maybeDeferred
from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.logger import Logger

from securecom.server import left_over

_log = Logger()


def socket_path(endpoint: IStreamServerEndpoint) -> Path | None:
    """The path of an endpoint's unix socket, also behind haproxy:; None for other endpoints."""
    inner: Any = endpoint
    while not isinstance(inner, UNIXServerEndpoint):
        inner = getattr(inner, "_wrappedEndpoint", None)
        if inner is None:
            return None
    return Path(os.fsdecode(inner._address))


def believes_anybody(endpoint: IStreamServerEndpoint, host: str) -> bool:
    """Whether strangers could write the PROXY header that a `haproxy:` endpoint believes.

    :param host: the address that it listens on; empty for a unix socket.
    """
    if not host or not hasattr(endpoint, "_wrappedEndpoint"):
        return False
    address = ip_address(host.partition("%")[0])
    return address.is_unspecified or not (address.is_loopback or address.is_private)


class ListeningPort(Service):
    """A port that listens. If it cannot, the server does not start."""

    def __init__(self, endpoint: IStreamServerEndpoint, factory: IProtocolFactory) -> None:
        self._endpoint, self._factory = endpoint, factory
        #: Fires with the real port number, or with 0 for a unix socket.
        self.listening: Deferred[int] = Deferred()
        self._port: IListeningPort | None = None
        self._is_asked = False

    def privilegedStartService(self) -> None:
        super().privilegedStartService()
        self._listen()

    def startService(self) -> None:
        super().startService()
        self._listen()

    def _listen(self) -> None:
        if self._is_asked:
            return
        self._is_asked = True
        if (path := socket_path(self._endpoint)) is not None:
            left_over.remove_socket_lock(path)
        self._endpoint.listen(self._factory).addCallback(self._listens).chainDeferred(
            self.listening
        )

    def _listens(self, port: IListeningPort) -> int:
        self._port = port
        here = port.getHost()
        number = int(getattr(here, "port", 0))
        if believes_anybody(self._endpoint, getattr(here, "host", "")):
            _log.warn(
                "port {number} believes the PROXY header of whoever connects, so anybody can claim "
                "any address there: have it listen on the loopback address (interface= behind "
                "haproxy:tcp:{number}) or on a private network, where only the proxy reaches it",
                number=number,
            )
        return number

    @inlineCallbacks
    def stopService(self) -> Generator[Deferred[Any], Any, None]:
        yield super().stopService()
        if self._port is not None:
            yield maybeDeferred(self._port.stopListening)
