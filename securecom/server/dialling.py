"""Opens request channels to clients.

The server dials only the address that the client's own standard channel comes from, and only the
port that the operator allows. Otherwise any client could make it connect to third parties.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import cast

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IProtocol, IReactorTime, IStreamClientEndpoint
from twisted.python.failure import Failure

from securecom import refusals
from securecom.server.reception import Reception
from securecom.server.request_channel import RequestConnection, RequestFactory
from securecom.server.session import Session
from securecom.tls import TLSOptions
from securecom.transport.choice import TLSFactory

#: Allows any port, but only for clients on the server's own machine.
ANY_LOCAL_PORT = 0


class Dialler:
    """Dials clients.

    :param endpoint: makes an endpoint for host and port, with a deadline of its own.
    :param allowed: the operator's port, `ANY_LOCAL_PORT`, or None: no dialling.
    """

    def __init__(
        self,
        clock: IReactorTime,
        endpoint: Callable[[str, int], IStreamClientEndpoint],
        options: TLSOptions,
        allowed: int | None,
    ) -> None:
        self._clock, self._endpoint, self._options = clock, endpoint, options
        self._allowed = allowed
        self._dialling: set[Session] = set()

    def dial(self, reception: Reception, session: Session, port: int) -> Deferred[object]:
        """Dial this client. Fires when the channel is proven, or fails with `NotDialling`."""
        host = session.host
        if session in self._dialling or not self._may_dial(host, port):
            return fail(refusals.NotDialling())
        self._dialling.add(session)
        factory = TLSFactory(
            self._options, False, RequestFactory(reception, only=session), self._clock
        )
        channel = self._endpoint(host, port).connect(factory)
        return channel.addCallback(_proven).addErrback(_not_dialling).addBoth(self._done, session)

    def _may_dial(self, host: str, port: int) -> bool:
        if not host or self._allowed is None:
            return False
        if self._allowed == ANY_LOCAL_PORT:
            return _is_loopback(host)
        return port == self._allowed

    def _done(self, result: object, session: Session) -> object:
        self._dialling.discard(session)
        return result


def _is_loopback(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    # A dual-stack socket shows IPv4 addresses mapped into IPv6.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _proven(channel: IProtocol) -> Deferred[None]:
    connection = cast(RequestConnection, getattr(channel, "wrappedProtocol", channel))
    return cast("Deferred[None]", connection.proven)  # as it was dialled


def _not_dialling(_: Failure) -> Failure:
    return Failure(refusals.NotDialling())
