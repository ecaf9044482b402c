"""From one socket to another in one function: the shortest way of what one person sends another.

Nearly all that a relay does is done here, so this one function does what `native`, `openssl` and
the protocols do in many: it keeps at hand what they look up, and makes no bytes object of what
passes. It takes what comes only as long as nothing else is to be done about it. Whatever is not
whole records of bytes that may pass takes the ordinary way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST

from securecom import limits
from securecom.transport import openssl

if TYPE_CHECKING:
    from securecom.transport.native import NativeTLS

#: Asked for decrypted bytes, the first so many in a buffer: whether they may pass as they are.
Admits = Callable[[Any, int], bool]


# What all connections share is global, and not in closures: each variable of a closure is an object
# of its own, and with many chats none of them is in a near cache.
if not openssl.MISSING:
    _received, _received_c, _plain, _plain_c, _encrypted, _encrypted_c = openssl.buffers()
    _read, _write, _bio_read, _bio_write = openssl.calls()
_SEAL, _MOST, _ROOM = limits.TLS_SEAL, limits.TLS_RECORD, limits.TLS_BUFFER


def reader(source: NativeTLS, target: NativeTLS, admits: Admits) -> Callable[[], Any]:
    """A `doRead` for the source's socket. Both have to be settled, on sockets of their own.

    It may be used for as long as neither is closing or broken: whoever changes that has to take it
    away first (`NativeTLS.unsplice`).
    """
    tls = source._tlsConnection
    ssl, into, receive = tls._ssl, tls._into_ssl, source._tcp.socket.recv_into  # type: ignore[union-attr]
    pass_on = _writer(target)
    #: Whether OpenSSL holds nothing of the source's, as far as we know.
    is_empty = False

    def do_read() -> Any:
        nonlocal is_empty
        try:
            count = receive(_received)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if not count:
            return CONNECTION_DONE
        _bio_write(into, _received_c, count)
        size, more = _read(ssl, _plain_c, _ROOM), False
        if not (is_empty and 0 < size == count - _SEAL):  # anything but one record, and all of it
            size, more, source._end, is_empty = openssl.decrypt_rest(tls, size)
        if not (0 < size <= _MOST and not more and admits(_plain, size) and pass_on(size)):
            source.deliver(_plain[0:size], more)
        return None

    return do_read


def _writer(target: NativeTLS) -> Callable[[int], bool]:
    """Writes so many decrypted bytes, a record at the most, to the target.

    Returns False, having written nothing, if OpenSSL takes none.
    """
    ssl, out = target._tlsConnection._ssl, target._tlsConnection._from_ssl
    tcp: Any = target._tcp
    send = tcp.socket.send

    def pass_on(size: int) -> bool:
        if _write(ssl, _plain_c, size) != size:
            return False
        sealed, sent = _bio_read(out, _encrypted_c, _ROOM), 0
        if not tcp.dataBuffer and not tcp._tempDataLen:  # nothing waits before them
            try:
                sent = send(_encrypted[:sealed])
            except OSError:  # full; or broken, which the reactor's own try will show
                sent = 0
        if sent < sealed:
            tcp.write(bytes(_encrypted[sent:sealed]))
        return True

    return pass_on
