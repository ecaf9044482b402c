"""The connection to the engine (Redis or Valkey) that the nodes of one server share.

txredisapi puts commands into bytes and takes answers apart. It does not connect: its own factory
gives up for ever when a connection is lost during the log-in, and lets a command wait without end
between two attempts. Here nothing waits longer than `limits.DIRECTORY_DEADLINE`:

- A question opens the connection if there is none. One attempt serves all who wait for it.
- If the last attempt failed, they wait for the next one no longer than `limits.DIRECTORY_HASTE`.
- A question without an answer ends the connection, since answers come in the order of questions.

So no timer runs while nobody asks. A node that announces itself keeps the connection alive.

Importing txredisapi installs Twisted's default reactor: have installed yours before this module.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import txredisapi
from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    DeferredList,
    TimeoutError,
    fail,
    maybeDeferred,
    succeed,
)
from twisted.internet.interfaces import IAddress, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from securecom import limits
from securecom.errors import DirectoryAway

_log = Logger()


class _Wire(Factory):
    """Makes what speaks the engine's protocol, and leaves connecting to others."""

    noisy = False

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock

    def buildProtocol(self, _address: IAddress | None) -> Any:
        # Without both, "007" becomes 7, and bytes become text.
        line = txredisapi.BaseRedisProtocol(charset=None, convertNumbers=False)
        line.callLater = self._clock.callLater
        #: Why it was lost; txredisapi tells nobody.
        line.ended = None
        line.connectionLost = partial(_end, line, line.connectionLost)
        return line


def _end(line: Any, lost: Callable[[Failure], None], reason: Failure) -> None:
    line.ended = reason
    lost(reason)


class Engine:
    """Asks the engine, in time.

    :param user: of the engine's access lists; "" is its default user.
    :param password: None if it needs none.
    """

    def __init__(
        self,
        clock: IReactorTime,
        endpoint: IStreamClientEndpoint,
        *,
        db: int = 0,
        user: str = "",
        password: str | None = None,
    ) -> None:
        self._clock, self._endpoint = clock, endpoint
        self._db, self._user, self._password = db, user, password
        self._is_closed = False
        #: What speaks to the engine, once it has logged in.
        self._line: Any = None
        self._attempt: Deferred[None] | None = None
        #: The connection of that attempt, which has not logged in.
        self._joining: Any = None
        #: All that are open, and those that are ending.
        self._open: set[Any] = set()
        #: Those who wait for it.
        self._waiting: list[Deferred[Any]] = []
        #: Why the last attempt failed; None if it did not.
        self._trouble: str | None = None

    def ask(self, *words: str | bytes | int, by: float | None = None) -> Deferred[Any]:
        """Send a command. Fires with its answer, which may be an error of the engine's.

        Fails with `DirectoryAway`, and with `EngineError` if the engine answers with an error.

        :param by: when the answer has to be here; DIRECTORY_DEADLINE from now if None.
        """
        if by is None:
            by = self._clock.seconds() + limits.DIRECTORY_DEADLINE
        line = self._connected(by)
        return line.addCallback(self._send, words, by).addErrback(_explained)

    def close(self) -> Deferred[None]:
        """Close the connection. What is still unanswered fails, and so does all that follows."""
        self._is_closed = True
        gone = [line.whenDisconnected() for line in self._open]
        if self._attempt is not None:
            self._attempt.cancel()
        if self._line is not None:
            self._line.transport.abortConnection()
        return DeferredList(gone).addCallback(lambda _: None)

    # --- connecting -------------------------------------------------------------------------

    def _connected(self, by: float) -> Deferred[Any]:
        """The connection, logged in."""
        if self._is_closed:
            return fail(DirectoryAway("the directory is closed; it was not asked"))
        if self._line is not None:
            return succeed(self._line)
        left = by - self._clock.seconds()
        if self._trouble is not None:
            left = min(left, limits.DIRECTORY_HASTE)
        waiting: Deferred[Any] = Deferred()
        waiting.addTimeout(max(left, 0.0), self._clock)
        waiting.addErrback(self._not_connected)
        self._waiting.append(waiting)
        if self._attempt is None:
            self._connect()
        return waiting

    def _connect(self) -> None:
        attempt: Deferred[Any] = maybeDeferred(self._endpoint.connect, _Wire(self._clock))
        attempt.addCallback(self._log_in)
        attempt.addTimeout(limits.DIRECTORY_DEADLINE, self._clock)
        self._attempt = attempt
        attempt.addCallbacks(self._joined, self._failed)

    def _log_in(self, line: Any) -> Deferred[Any]:
        """Log in, in order. The engine has to answer, even if it wants to know nothing."""
        self._joining = line
        self._open.add(line)
        line.whenDisconnected().addCallback(self._lost, line)
        asked: list[tuple[str | int, ...]] = [("PING",)]
        if self._db:
            asked.insert(0, ("SELECT", self._db))
        if self._password is not None:
            who = (self._user,) if self._user else ()
            asked.insert(0, ("AUTH", *who, self._password))
        answered: Deferred[Any] = succeed(None)
        for words in asked:
            answered.addCallback(partial(_next, line, words))
        return answered.addCallback(lambda _: line)

    def _joined(self, line: Any) -> None:
        if self._trouble is not None:
            _log.info("directory: the engine is back")
        self._attempt, self._joining, self._trouble = None, None, None
        self._line = line
        self._tell(line)

    def _failed(self, failure: Failure) -> None:
        line, self._joining = self._joining, None
        if line is not None:
            if failure.check(txredisapi.ConnectionError):
                failure = line.ended or failure
            line.transport.abortConnection()
        trouble = _reason(failure)
        if self._trouble is None and not self._is_closed:
            _log.error("directory: the engine cannot be reached: {reason}", reason=trouble)
        self._attempt, self._trouble = None, trouble
        self._tell(failure)

    def _tell(self, outcome: Any) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.called:
                one.callback(outcome)

    def _not_connected(self, failure: Failure) -> Failure:
        reason = self._trouble or _reason(failure)
        return Failure(DirectoryAway(f"the engine cannot be reached ({reason})"))

    def _lost(self, _: object, line: Any) -> None:
        self._open.discard(line)
        self._leave(line)

    def _leave(self, line: Any) -> None:
        """Ask nothing more on this connection."""
        if self._line is line:
            self._line = None

    # --- asking -----------------------------------------------------------------------------

    def _send(self, line: Any, words: tuple[str | bytes | int, ...], by: float) -> Deferred[Any]:
        answer: Deferred[Any] = maybeDeferred(line.execute_command, *words)
        left = max(by - self._clock.seconds(), 0.0)
        return answer.addTimeout(left, self._clock, self._unanswered(line))

    def _unanswered(self, line: Any) -> Any:
        """What to do when an answer does not come in time."""

        def cut(result: Any, _seconds: float) -> Any:
            if not isinstance(result, Failure):
                return result
            self._leave(line)
            line.transport.abortConnection()
            return Failure(DirectoryAway("the engine does not answer; it may still do as asked"))

        return cut


def _next(line: Any, words: tuple[str | int, ...], _answer: object) -> Any:
    return line.execute_command(*words)


class EngineError(DirectoryAway):
    """The engine answered with an error of its own.

    :param word: the first one of its answer, such as OOM, READONLY or NOPERM.
    """

    def __init__(self, answer: str) -> None:
        super().__init__(f"the engine refused ({answer}); nothing was done")
        self.word = answer.partition(" ")[0]


def _reason(failure: Failure) -> str:
    """What went wrong, in a few words."""
    error = failure.value
    if isinstance(error, (TimeoutError, CancelledError)):
        return "no answer in time"
    if isinstance(error, VerificationError):
        return "its certificate is for another name"
    if isinstance(error, SSL.Error) and error.args and error.args[0]:
        return f"TLS: {error.args[0][-1][-1]}"  # OpenSSL: library, function, reason
    return str(error).rstrip(".") or type(error).__name__


def _explained(failure: Failure) -> Failure:
    """Make an error of ours of whatever it was."""
    if failure.check(DirectoryAway):
        return failure
    if failure.check(txredisapi.ResponseError):
        return Failure(EngineError(str(failure.value)))
    if failure.check(txredisapi.ConnectionError):
        what = "the connection to the engine was lost; it may still do as asked"
        return Failure(DirectoryAway(what))
    return Failure(DirectoryAway(f"the engine was not asked ({_reason(failure)})"))
