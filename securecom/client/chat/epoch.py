"""One TLS session of a chat: bytes in, bytes out. Knows no transport and no time."""

from __future__ import annotations

from collections.abc import Iterator

from OpenSSL import SSL

_READ = 64 * 1024


class EpochOver(Exception):
    """TLS cannot go on: the peer closed it, or its bytes are not what they must be."""


class Epoch:
    """From a handshake to the keys that it made.

    :param number: 0 for the first epoch of a chat, one more for each that follows.
    """

    def __init__(self, number: int, tls: SSL.Connection) -> None:
        self.number = number
        self.tls = tls
        #: The handshake is done: from now on it carries what the peers say.
        self.is_open = False
        #: Bytes of TLS so far, by direction.
        self.sent = 0
        self.received = 0

    def start(self) -> None:
        """Begin the handshake; a TLS client has bytes to `take` then."""
        self._read()

    def feed(self, data: bytes) -> bytes:
        """The peer's bytes; what they say, which is nothing until the epoch is open.

        :raises EpochOver: if TLS cannot go on; there may be an alert to `take`.
        """
        self.received += len(data)
        self.tls.bio_write(data)
        return self._read()

    def seal(self, data: bytes) -> None:
        """Something to say, to `take` in sealed form."""
        self.tls.sendall(data)

    def close(self) -> None:
        """Tell the peer's TLS that nothing more comes."""
        try:
            self.tls.shutdown()
        except SSL.Error:  # in the middle of a handshake there is nothing to close
            return

    def take(self) -> bytes:
        """What is to be sent."""
        data = b"".join(self._outgoing())
        self.sent += len(data)
        return data

    def _outgoing(self) -> Iterator[bytes]:
        try:
            while True:
                yield self.tls.bio_read(_READ)
        except SSL.WantReadError:
            return

    def _read(self) -> bytes:
        parts: list[bytes] = []
        try:
            if not self.is_open:
                self.tls.do_handshake()
                self.is_open = True
            while True:
                parts.append(self.tls.recv(_READ))
        except SSL.WantReadError:
            return b"".join(parts)
        except SSL.Error:
            raise EpochOver from None
