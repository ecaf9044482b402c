"""Ports that a test knows before anybody listens there, or needs again after a while."""

from __future__ import annotations

import socket


class OwnPort:
    """A port of this machine that is a test's own until it is released.

    A socket is bound to it and never listens. So the kernel gives the port to nobody who asks for
    any, nor to a connection that goes out; whoever names it may listen there, as often as they
    like, if they set SO_REUSEADDR, as servers do.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("", 0))
        self.number: int = self._socket.getsockname()[1]

    def release(self) -> None:
        """From now on it may be anybody's."""
        self._socket.close()
