"""The two ways in which a request channel comes to be; the channel itself is the same.

*listen*: the server listens and we connect, which passes NAT. *dial*: we listen and the server
connects to us. TLS roles do not change: the server is TLS server in both.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, Literal
from typing import Protocol as Interface

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Factory, Protocol

from securecom import limits, vocabulary
from securecom.client.channels.standard_channel import Login
from securecom.client.coordination.station import ServerLine
from securecom.client.denials import denied
from securecom.errors import NotDialled

How = Literal["listen", "dial"]

#: The server first tries the TCP connection, then waits for our proof.
_PATIENCE = limits.ANSWER_DEADLINE + limits.DIAL_DEADLINE


class Way(Interface):
    """How the request channel is opened."""

    how: How
    #: Our own port, where we listen.
    port: int | None

    def open(self, session: Login, line: ServerLine, factory: IProtocolFactory) -> Deferred[object]:
        """Fires when a connection is there; it may not be proven yet."""

    def close(self) -> None:
        """No further connection is wanted."""


class ServerListens:
    """We connect to the server's request port.

    :param connect: the port -> an endpoint that connects to the server there.
    """

    how: How = "listen"
    port: int | None = None

    def __init__(self, connect: Callable[[int], IStreamClientEndpoint]) -> None:
        self._connect = connect
        self._connecting: Deferred[IProtocol] | None = None

    def open(self, session: Login, line: ServerLine, factory: IProtocolFactory) -> Deferred[object]:
        """Connect to the server's request port."""
        connecting = self._connecting = self._connect(session.request_port).connect(factory)
        return connecting.addBoth(self._connected)

    def close(self) -> None:
        """Give up an attempt that is under way."""
        connecting, self._connecting = self._connecting, None
        if connecting is not None:
            connecting.cancel()

    def _connected(self, result: object) -> object:
        self._connecting = None
        return result


class ServerDials:
    """We listen, and ask the server to connect to us.

    :param listen: the port (0: any free one) -> an endpoint that listens there.
    """

    how: How = "dial"

    def __init__(self, listen: Callable[[int], IStreamServerEndpoint]) -> None:
        self._listen = listen
        self._listening: IListeningPort | None = None
        self.port: int | None = None

    def open(self, session: Login, line: ServerLine, factory: IProtocolFactory) -> Deferred[object]:
        """Listen, and have the server dial. Fails with `NotDialled` if it dials nobody."""
        if session.dial_port is None:
            return fail(NotDialled("this server does not dial its clients"))
        listening = self._listen(session.dial_port).listen(factory)
        return listening.addCallback(self._ask, line)

    def close(self) -> None:
        """Stop listening."""
        listening, self._listening = self._listening, None
        if listening is not None:
            maybeDeferred(listening.stopListening).addErrback(lambda _: None)

    def _ask(self, listening: IListeningPort, line: ServerLine) -> Deferred[dict[str, Any]]:
        self._listening = listening
        self.port = listening.getHost().port  # type: ignore[attr-defined]
        answer = line.ask(vocabulary.DialMe, _PATIENCE, port=self.port)
        return answer.addErrback(denied, vocabulary.DialMe, where="the request channel")


class OneAtATime(Factory):
    """Turns connections away, before any TLS, while there is one, and strangers always.

    :param build: makes the protocol of one that is let in.
    :param taken: whether there is one.
    :param only: the address of those who may come; None: it is we who connect.
    """

    noisy = False

    def __init__(
        self,
        build: Callable[[IAddress | None], Protocol],
        taken: Callable[[], bool],
        only: str | None = None,
    ) -> None:
        self._build, self._taken = build, taken
        self._only = None if only is None else _address(only)

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        if self._only not in (None, _address(getattr(addr, "host", ""))) or self._taken():
            return None
        return self._build(addr)


def _address(host: str) -> object:
    """The same for both spellings of an IPv4 address on an IPv6 socket."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    return getattr(address, "ipv4_mapped", None) or address
