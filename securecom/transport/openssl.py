"""OpenSSL's own functions on buffers that all connections share.

These are private names of pyOpenSSL: `MISSING` lists those that the installed one does not have,
and if there are any, nothing else here may be used. The functions take pyOpenSSL's connections over
memory, those of Twisted and those of a chat inside another connection.

Nothing of ours runs while a buffer is in use: what is in it has been copied, sent or encrypted when
a function returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from OpenSSL import SSL

from securecom import limits

try:
    from cryptography.hazmat.bindings._rust import _openssl
except ImportError:
    _openssl = None  # type: ignore[assignment]

_lib: Any = getattr(SSL, "_lib", None)
_ffi: Any = getattr(SSL, "_ffi", None)

_FUNCTIONS = (
    "SSL_do_handshake",
    "SSL_read",
    "SSL_write",
    "SSL_get_error",
    "SSL_set_bio",
    "BIO_new",
    "BIO_s_mem",
    "BIO_get_mem_data",
    "BIO_read",
    "BIO_write",
    "ERR_clear_error",
    "SSL_ERROR_WANT_READ",
)
_METHODS = ("_raise_ssl_error",)
#: What a connection over memory has, which shows only when one is made.
_ATTRIBUTES = ("_ssl", "_into_ssl", "_from_ssl", "_alpn_select_callback_args")
#: Every private name that is used here.
NAMES = (*_FUNCTIONS, *_METHODS, *_ATTRIBUTES)


def missing_in(functions: object, kind: object, made: object) -> tuple[str, ...]:
    """The private names that are missing.

    :param functions: where pyOpenSSL has OpenSSL's functions.
    :param kind: the class of its connections.
    :param made: a connection over memory.
    """
    owners = ((functions, _FUNCTIONS), (kind, _METHODS), (made, _ATTRIBUTES))
    return tuple(name for owner, names in owners for name in names if not hasattr(owner, name))


def missing_here() -> tuple[str, ...]:
    """The private names that the installed pyOpenSSL does not have."""
    if _lib is None or _ffi is None:
        return ("SSL._lib", "SSL._ffi")
    made = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)
    return missing_in(_lib, SSL.Connection, made)


MISSING = missing_here()
_SEAL, _ROOM = limits.TLS_SEAL, limits.TLS_BUFFER

if not MISSING:
    WANT_READ: int = _lib.SSL_ERROR_WANT_READ
    _plain = _ffi.new("char[]", limits.TLS_BUFFER)
    _encrypted = _ffi.new("char[]", limits.TLS_BUFFER)
    _plain_bytes = _ffi.buffer(_plain)
    _encrypted_view = memoryview(_ffi.buffer(_encrypted))
    #: Where a socket's bytes are received, and the same for `take_received`.
    received = bytearray(limits.LARGE_READ)
    _received = _ffi.from_buffer(received)
    _no_data = _ffi.new("char **")
    _shake, _read, _write = _lib.SSL_do_handshake, _lib.SSL_read, _lib.SSL_write
    _error_of = _lib.SSL_get_error
    _new_bio, _in_memory = _lib.BIO_new, _lib.BIO_s_mem()
    _bio_read, _bio_write, _held = _lib.BIO_read, _lib.BIO_write, _lib.BIO_get_mem_data


def calls() -> tuple[Any, Any, Any, Any]:
    """SSL_read, SSL_write, BIO_read, BIO_write."""
    return _read, _write, _bio_read, _bio_write


def buffers() -> tuple[Any, Any, Any, Any, Any, Any]:
    """What is received, decrypted, encrypted: each as a buffer of Python's, and as OpenSSL's."""
    return received, _received, _plain_bytes, _plain, _encrypted_view, _encrypted


def shake_hands(tls: SSL.Connection) -> tuple[bool, SSL.Error | None]:
    """Go on with the handshake.

    Returns whether it is over, and why it never will be, if that is so.
    """
    result = _shake(tls._ssl)
    return (True, None) if result > 0 else (False, reason_of(tls, result))


def holds_received(tls: SSL.Connection) -> bool:
    """Whether OpenSSL was given bytes that it has not taken in."""
    return bool(_held(tls._into_ssl, _no_data))


def address(pointer: Any) -> int:
    """A pointer of cffi's as a number."""
    return int(_ffi.cast("uintptr_t", pointer))


def buffer_addresses() -> tuple[int, int, int]:
    """The addresses of `buffers`."""
    return address(_received), address(_plain), address(_encrypted)


def addresses(functions: Mapping[str, str]) -> tuple[int, ...] | None:
    """The addresses of functions; None if one is missing, or has another type.

    :param functions: cffi's name of each one's type.
    """
    lib = getattr(_openssl, "lib", None)
    found = []
    for name, kind in functions.items():
        try:
            function = _ffi.addressof(lib, name)
        except (AttributeError, TypeError):
            return None
        if _ffi.typeof(function).cname != kind:
            return None
        found.append(address(function))
    return tuple(found)


def take_received(tls: SSL.Connection, count: int) -> None:
    """Hand OpenSSL that many bytes of `received`."""
    _bio_write(tls._into_ssl, _received, count)


def decrypt(tls: SSL.Connection) -> tuple[bytes, bool, SSL.Error | None]:
    """Decrypt what has come, `limits.TLS_BUFFER` bytes of it at the most.

    Returns the bytes; whether there may be more, so that it has to be called again; and why nothing
    will ever follow, if that is so.
    """
    ssl, size, most = tls._ssl, 0, limits.TLS_BUFFER
    while most - size >= limits.TLS_RECORD:  # so a whole record has room, and none stays in part
        got = _read(ssl, _plain + size, most - size)
        if got <= 0:
            why = reason_of(tls, got)
            return _plain_bytes[0:size], why is not None, why
        size += got
        if not _held(tls._into_ssl, _no_data):
            return _plain_bytes[0:size], False, None
    return _plain_bytes[0:size], True, None


def decrypt_received(tls: SSL.Connection, count: int) -> tuple[bytes, bool, SSL.Error | None]:
    """`take_received` and `decrypt` in one, for the usual case: whole records of bytes.

    Returns what `decrypt` does. Bytes for the peer that nobody wrote count as more, too: OpenSSL
    answers a new key of the peer's with one of its own.
    """
    given = min(count, limits.TLS_PIECE)
    _bio_write(tls._into_ssl, _received, given)
    got = _read(tls._ssl, _plain, limits.TLS_BUFFER)
    size, more, why, _ = decrypt_rest(tls, got, 0, given, count, is_fresh=False)
    return _plain_bytes[0:size], more, why


def decrypt_rest(
    tls: SSL.Connection, got: int, begin: int, given: int, count: int, *, is_fresh: bool
) -> tuple[int, bool, SSL.Error | None, bool]:
    """Decrypt what has come behind a first record.

    :param got: what `SSL_read` returned of that.
    :param begin: where in the buffer it stands.
    :param given: how many of the `count` bytes of `received` OpenSSL was given before.
    :param is_fresh: OpenSSL held nothing before these bytes.
    :returns: where the decrypted bytes end; then what `decrypt_received` does; and whether
        OpenSSL has taken in all that came.
    """
    into, ssl, end, left = tls._into_ssl, tls._ssl, begin, count if is_fresh else 0
    while True:
        why = None
        while got > 0:
            end += got
            left -= got + _SEAL  # of the record, or less if it is padded: so 0 is the end of all
            if not left or (left < 0 and not _held(into, _no_data)):
                break
            got = _read(ssl, _plain + end, _ROOM - end)
        else:
            why = reason_of(tls, got)
        if given == count or why is not None:
            return end, why is not None or bool(_held(tls._from_ssl, _no_data)), why, got > 0
        piece = min(count - given, limits.TLS_PIECE)
        _bio_write(into, _received + given, piece)
        given += piece
        got = _read(ssl, _plain + end, _ROOM - end)


def encrypt(tls: SSL.Connection, data: bytes) -> tuple[memoryview, int, SSL.Error | None]:
    """Encrypt bytes, a good part of them at least.

    Returns what is to be sent, good until the next call as with `encrypted`; how many bytes are in
    it; and what stopped it before the end.
    """
    # pyOpenSSL asks for partial writes: one call writes one record, whatever it is given, and a
    # short one if the peer asked for such (RFC 6066, 4). Each is taken out at once, since OpenSSL's
    # memory never shrinks.
    ssl, out, end, at, size = tls._ssl, tls._from_ssl, len(data), 0, 0
    start: Any = _ffi.from_buffer(data)
    most = limits.TLS_BUFFER - limits.TLS_RECORD - limits.TLS_SEAL
    while at < end and size <= most:
        done = _write(ssl, start + at, min(end - at, limits.TLS_RECORD))
        if done <= 0:
            return _encrypted_view[:size], at, reason_of(tls, done) or SSL.WantReadError()
        at += done
        size += max(0, _bio_read(out, _encrypted + size, limits.TLS_BUFFER - size))
    return _encrypted_view[:size], at, None


def seal(tls: SSL.Connection, data: bytes) -> memoryview | None:
    """`encrypt` and `encrypted` in one, for bytes that fit into a record, if the peer takes such.

    None: they do not, or there is something in the way, and nothing was encrypted.
    """
    if not 0 < len(data) <= limits.TLS_RECORD:
        return None
    done = _write(tls._ssl, data, len(data))
    if done != len(data):  # with what OpenSSL has sealed already comes the rest
        return encrypt(tls, data[done:])[0] if done > 0 else None
    return _encrypted_view[: max(0, _bio_read(tls._from_ssl, _encrypted, limits.TLS_BUFFER))]


def encrypted(tls: SSL.Connection) -> memoryview | None:
    """Return what is to be sent, at most `limits.TLS_BUFFER` bytes; None if there is nothing.

    What it returns is good until the next call, for whatever connection.
    """
    size = _bio_read(tls._from_ssl, _encrypted, limits.TLS_BUFFER)
    return _encrypted_view[:size] if size > 0 else None


def renew_memory(tls: SSL.Connection) -> bool:
    """Give a connection new memory for bytes to and fro: the handshake's has grown, for good.

    Returns False, and does nothing, while there are bytes in it.
    """
    if _held(tls._into_ssl, _no_data) or _held(tls._from_ssl, _no_data):
        return False
    into, out = _new_bio(_in_memory), _new_bio(_in_memory)
    if _ffi.NULL in (into, out):
        raise MemoryError("no memory for a TLS connection")
    _lib.SSL_set_bio(tls._ssl, into, out)  # which frees the old ones
    tls._into_ssl, tls._from_ssl = into, out
    # What the server chose as protocol: pyOpenSSL keeps it for as long as OpenSSL may read it.
    tls._alpn_select_callback_args = None
    return True


def forget_errors() -> None:
    """Forget why OpenSSL did not do what it was asked, if `reason_of` is not asked for that."""
    _lib.ERR_clear_error()


def reason_of(tls: SSL.Connection, result: int) -> SSL.Error | None:
    """Why OpenSSL returned this; None if more has to come first.

    It is asked at once, before anything of ours runs: OpenSSL keeps errors in one queue for all
    connections, which has to be empty when the next one is asked (SSL_get_error(3)).
    """
    if _error_of(tls._ssl, result) == WANT_READ:
        return None
    try:
        tls._raise_ssl_error(tls._ssl, result)
    except SSL.WantReadError:
        return None
    except SSL.Error as error:  # without the frames that led here, which it would keep alive
        return error.with_traceback(None)
    return None
