"""The compiled way of `splice`, if it is installed: the module `securecom_fast`.

It does the same for messages that pass as they are, and asks `Back` about everything else. It has
no OpenSSL of its own: it is told the addresses of the functions and buffers that `openssl` uses.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST

from securecom import limits
from securecom.transport import openssl, splice

if TYPE_CHECKING:
    from collections.abc import Callable

    from securecom.transport.native import NativeTLS

#: What we ask of the module, and what it asks of `Back`.
INTERFACE = 3
#: The functions that it calls, with the types that it calls them by.
FUNCTIONS = {
    "SSL_read": "int(*)(SSL *, void *, int)",
    "SSL_write": "int(*)(SSL *, void *, int)",
    "SSL_get_error": "int(*)(SSL *, int)",
    "BIO_read": "int(*)(BIO *, void *, int)",
    "BIO_write": "int(*)(BIO *, void *, int)",
    "BIO_get_mem_data": "long(*)(BIO *, char * *)",
    "ERR_clear_error": "void(*)()",
}


class FrameAdmission(splice.Admission, Protocol):
    """A gate for chat frames of one stream, which says so much that frames need not be shown.

    What is to pass stands in a buffer of all connections' while it is asked, so none of its methods
    may read or write anything.
    """

    #: Its number, and bytes of the longest body.
    stream: int
    most: int
    #: Whose `is_heard` becomes true whenever something passes.
    source: Any

    def keep(self, rest: bytes) -> bool:
        """Take the beginning of a frame, or nothing, instead of `begun`; False: it is neither."""

    def grant(self, frames: int) -> int:
        """The work that may pass unasked after a run of so many frames; -1: that may not pass."""


class Back:
    """What the compiled way leaves to Python."""

    __slots__ = ("_source", "_target", "_tls", "begun", "grant", "keep")

    def __init__(self, source: NativeTLS, target: NativeTLS, gate: FrameAdmission) -> None:
        self._source, self._target, self._tls = source, target, source._tlsConnection
        self.begun, self.grant, self.keep = gate.begun, gate.grant, gate.keep

    def deliver(self, begun: int, end: int, more: int) -> None:
        """This part of what was decrypted does not pass."""
        self._source.deliver(splice.decrypted(begun, end), bool(more))

    def broken(self, begun: int, end: int, got: int) -> None:
        """Behind it, `SSL_read` returned something else than "more has to come"."""
        self._source._end = openssl.reason_of(self._tls, got)
        self._source.deliver(splice.decrypted(begun, end), True)

    def rest(self, data: bytes) -> None:
        """These bytes were to pass, but OpenSSL takes no more for the target."""
        self._target.write(data)


def load() -> tuple[Any, str]:
    """The module, ready for use; or None, and why it cannot be used: "" if it is not installed."""
    try:
        module = importlib.import_module("securecom_fast")
    except ModuleNotFoundError:
        return None, ""
    except ImportError as error:
        return None, f"securecom_fast cannot be loaded: {error}"
    if module.INTERFACE != INTERFACE:
        return None, "securecom_fast is of another version of securecom"
    functions = openssl.addresses(FUNCTIONS)
    if functions is None:
        return None, "securecom_fast does not know this OpenSSL"
    module.setup(
        functions,
        openssl.buffer_addresses(),
        (
            *(limits.READ_AT_ONCE, limits.TLS_BUFFER, limits.TLS_RECORD, limits.TLS_SEAL),
            limits.TLS_PIECE,
        ),
        (limits.FRAMES_A_RUN, limits.RUN_WORK),
        openssl.WANT_READ,
        CONNECTION_DONE,
        CONNECTION_LOST,
    )
    return module, ""


#: The module, or None; and what an operator should know about that.
MODULE: Any
WHY_NOT: str
MODULE, WHY_NOT = (None, "") if openssl.MISSING else load()


def reader(source: NativeTLS, target: NativeTLS, gate: splice.Admission) -> Callable[[], Any]:
    """A `doRead` for the source's socket: the compiled one, if it can be had."""
    if MODULE is None or getattr(gate, "grant", None) is None:
        return splice.Splice(source, target, gate).read
    frames: FrameAdmission = gate  # type: ignore[assignment]
    incoming, outgoing = source._tlsConnection, target._tlsConnection
    read: Callable[[], Any] = MODULE.Passer(
        *(source._tcp.fileno(), target._tcp.fileno()),  # type: ignore[union-attr]
        *map(openssl.address, (incoming._ssl, incoming._into_ssl, incoming._from_ssl)),
        *map(openssl.address, (outgoing._ssl, outgoing._from_ssl)),
        *(frames.stream, frames.most, Back(source, target, frames), frames.source),
        *(target._tcp, (incoming, outgoing)),
    ).read
    return read
