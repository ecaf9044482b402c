"""Attempts to reach the server: how long to wait between them, and why one failed, for people."""

from __future__ import annotations

import errno
from collections.abc import Callable

from OpenSSL import SSL
from twisted.internet import error
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from securecom import limits
from securecom.errors import (
    CannotReach,
    ConnectionWasLost,
    LoginRefused,
    NotDialled,
    OurFault,
    PeerFault,
    PortTaken,
    SecurecomError,
    ServerMismatch,
)

#: More doublings than any wait has.
_MANY = 64


class Backoff:
    """Waits that grow from failure to failure, and differ from client to client.

    :param random: uniform in [0, 1).
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self.failures = 0

    def succeeded(self) -> None:
        """Begin again with the shortest wait."""
        self.failures = 0

    def failed(self) -> float:
        """Seconds to wait now."""
        steps = min(self.failures, _MANY)
        self.failures += 1
        wait = min(limits.RECONNECT_FIRST * limits.RECONNECT_FACTOR**steps, limits.RECONNECT_LAST)
        return wait * (1 - limits.RECONNECT_JITTER * self._random())


# --- Why a connection failed, or ended ---------------------------------------------------------

_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (error.ConnectionRefusedError, "refused"),
    (error.DNSLookupError, "no such host"),
    (error.TimeoutError, "no answer"),
    (error.TCPTimedOutError, "no answer"),
    (error.NoRouteError, "no route"),
    (error.CannotListenError, "our port cannot be used"),
    (error.ConnectionClosed, "the connection was closed"),
    (error.ConnectError, "no connection"),
    (CancelledError, "given up"),
    (SSL.Error, "TLS failed"),
)

#: OpenSSL's name of the alert with which a server ends a wait before TLS (docs/protocol.md).
_TURNED_AWAY = "alert internal error"


def cannot_reach(failure: Failure, where: str) -> SecurecomError:
    """The error to show.

    :param where: `host:port`, or what it is that cannot be reached.
    """
    reason = failure.value
    if isinstance(reason, ServerMismatch | LoginRefused | CannotReach | NotDialled):
        return reason
    if isinstance(reason, PeerFault):
        return CannotReach(f"cannot reach {where} ({reason.what})")
    if isinstance(reason, SecurecomError):
        return reason
    if isinstance(reason, error.CannotListenError) and _is_taken(reason):
        return PortTaken(f"port {reason.port} on this machine is taken")
    if isinstance(reason, SSL.Error) and _TURNED_AWAY in str(reason):
        return CannotReach(f"cannot reach {where} (too many people are logging in just now)")
    words = (words for kind, words in _WORDS if isinstance(reason, kind))
    return CannotReach(f"cannot reach {where} ({next(words, type(reason).__name__)})")


def _is_taken(reason: error.CannotListenError) -> bool:
    return getattr(reason.socketError, "errno", None) in (None, errno.EADDRINUSE)


def farewell(reason: str | None, cut: Exception | None) -> SecurecomError:
    """Why a session is over.

    :param reason: the server's last word (`vocabulary.Goodbye`).
    :param cut: why we cut the connection, if we did.
    """
    match reason:
        case "taken-over":
            return LoginRefused("another client took this session over", "You are online there.")
        case "disabled":  # or removed, or another key is to come
            return LoginRefused(
                "your access here has ended",
                "You are disabled or removed, or your key was reset or retired. "
                "Ask the server's admin.",
            )
        case "forgotten":
            return LoginRefused("the server has forgotten you", "You asked it to.")
        case "logged-out":
            return LoginRefused("the server logged you out")
        case "violation":
            return OurFault("the server ended the session: it was sent what it does not allow")
        case "shutdown":
            return ConnectionWasLost("the server is shutting down")
    if isinstance(cut, SecurecomError):
        return ConnectionWasLost(f"the connection to the server was cut ({cut.what})")
    return ConnectionWasLost("the connection to the server was lost")
