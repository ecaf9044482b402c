"""From one socket to another in one function: the shortest way of what one person sends another.

Nearly all that a relay does is done here, so this one class does what `native`, `openssl` and the
protocols do in many: it keeps at hand what they look up, and makes no bytes object of what passes.
It takes what comes only as long as nothing else is to be done about it. Whatever may not pass takes
the ordinary way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST

from securecom import limits
from securecom.transport import openssl

if TYPE_CHECKING:
    from securecom.transport.native import NativeTLS


class Admission(Protocol):
    """Asked whether decrypted bytes may pass as they are."""

    def begun(self) -> bytes | None:
        """Bytes that were taken earlier, and belong before the next. None: nothing may pass."""

    def admit(self, data: Any, begun: int, size: int) -> int:
        """How many bytes may pass; those behind them are taken then. 0: none, and none are taken.

        :param data: a buffer.
        :param begun: so many bytes at its beginning are those that `begun` returned.
        :param size: only the first so many count.
        """


# What all connections share is global: with many chats, what each has of its own is in no near
# cache, so it is little, and in one object.
if not openssl.MISSING:
    _received, _received_c, _plain, _plain_c, _encrypted, _encrypted_c = openssl.buffers()
    _read, _write, _bio_read, _bio_write = openssl.calls()
_SEAL, _RECORD, _ROOM = limits.TLS_SEAL, limits.TLS_RECORD, limits.TLS_BUFFER
_PIECE, _USUAL, _LARGE = limits.TLS_PIECE, limits.READ_AT_ONCE, limits.LARGE_READ


def decrypted(begin: int, end: int) -> bytes:
    """This part of what was decrypted last."""
    data: bytes = _plain[begin:end]
    return data


class Splice:
    """From the source's socket to the target's. Both have to be settled, on sockets of their own.

    It may be used for as long as neither is closing or broken: whoever changes that has to take it
    away first (`NativeTLS.unsplice`).
    """

    __slots__ = (
        *("_gate", "_into", "_is_fresh", "_most", "_out", "_read_tls", "_receive", "_send"),
        *("_source", "_target", "_tcp", "_tls", "_usual_reads", "_write_tls"),
    )

    def __init__(self, source: NativeTLS, target: NativeTLS, gate: Admission) -> None:
        self._source, self._target, self._gate = source, target, gate
        self._tls = tls = source._tlsConnection
        self._read_tls, self._into = tls._ssl, tls._into_ssl
        self._write_tls, self._out = target._tlsConnection._ssl, target._tlsConnection._from_ssl
        self._receive = source._tcp.socket.recv_into  # type: ignore[union-attr]
        self._send = target._tcp.socket.send  # type: ignore[union-attr]
        self._tcp: Any = target._tcp
        #: Neither OpenSSL nor the gate holds anything of the source's, as far as we know.
        self._is_fresh = False
        #: Bytes of the next read at the most, and reads that have to be usual ones before it.
        self._most, self._usual_reads = _USUAL, 0

    def read(self) -> Any:
        """IReadDescriptor.doRead."""
        try:
            count = self._receive(_received, self._most)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if not count:
            return CONNECTION_DONE
        given = count if count <= _PIECE else _PIECE
        _bio_write(self._into, _received_c, given)
        begun, was_fresh = 0, self._is_fresh
        if was_fresh:
            end = _read(self._read_tls, _plain_c, _ROOM)
            is_one = 0 < end == count - _SEAL  # one record, and all of it
        else:
            before = self._gate.begun() or b""
            begun, is_one = len(before), False
            _plain[0:begun] = before
            end = _read(self._read_tls, _plain_c + begun, _ROOM - begun)
        more = False
        if not is_one:
            end, more, self._source._end, self._is_fresh = openssl.decrypt_rest(
                self._tls, end, begun, given, count, is_fresh=was_fresh
            )
        size = self._gate.admit(_plain, begun, end) if end > begun and not more else 0
        if count >= _USUAL:
            self._choose_read(bool(size), 3 * (end - begun) > 2 * count)
        if size:
            if size != end:
                self._is_fresh = False
            self._pass_on(size)
        else:
            self._is_fresh = False
            self._source.deliver(_plain[begun:end], more)
        return None

    def _choose_read(self, has_passed: bool, is_dense: bool) -> None:
        """After a full read: decide how much the next one may take.

        :param is_dense: its records are not tiny, so they are not too many. One of them came in
            part, and that may have been a quarter of the read.
        """
        if has_passed:
            self._usual_reads = max(0, self._usual_reads - 1)
        elif self._most == _LARGE:  # mostly since it has more frames than pass in one run
            self._usual_reads = limits.READS_BEFORE_LARGE
        is_large = has_passed and is_dense and not self._usual_reads
        self._most = _LARGE if is_large else _USUAL

    def _pass_on(self, size: int) -> None:
        """Write so many decrypted bytes to the target."""
        left = b""
        done = _write(self._write_tls, _plain_c, size) if size <= _RECORD else 0
        if done == size:
            count = _bio_read(self._out, _encrypted_c, _ROOM)
        else:
            count, left = self._encrypt(max(0, done), size)
        tcp, sent = self._tcp, 0
        if not tcp.dataBuffer and not tcp._tempDataLen:  # nothing waits before them
            try:
                sent = self._send(_encrypted[:count])
            except OSError:  # full; or broken, which the reactor's own try will show
                sent = 0
        if sent < count:
            self._most = _USUAL  # so that no more has to wait for a slow reader
            tcp.write(bytes(_encrypted[sent:count]))
        if left:  # OpenSSL takes no more, and the target sees what is to be done
            self._target.write(left)

    def _encrypt(self, at: int, size: int) -> tuple[int, bytes]:
        """Encrypt so many decrypted bytes, in as many records as they need.

        :param at: so many of them OpenSSL has already.

        Returns how many bytes are to be sent, and those that OpenSSL did not take.
        """
        ssl, out, count = self._write_tls, self._out, 0
        while at < size:
            # A record each: pyOpenSSL asks for partial writes. It is taken out at once, since
            # OpenSSL's memory never shrinks.
            done = _write(ssl, _plain_c + at, size - at)
            if done <= 0:
                openssl.forget_errors()  # or the next connection's would seem to be one
                break
            at += done
            count += _bio_read(out, _encrypted_c + count, _ROOM - count)
        left: bytes = _plain[at:size]
        return count, left
