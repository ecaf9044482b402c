"""One run of the client, from the first line it shows to its exit code.

    enrolling -> logging in, being there -> leaving -> over

Whatever wants to end it (the person, the input, the server, a signal) calls `leave`; the first one
decides the exit code, and a deadline sees to it that there is an end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from securecom import limits
from securecom.client.api import ClientApi
from securecom.client.events import Left, Notice, problem
from securecom.client.frontends.lines import Lines
from securecom.client.frontends.orders import Order, readable
from securecom.client.program import exits
from securecom.client.program.who import Member, Newcomer

#: The core's own deadline, and some time for the output's last lines.
_DEADLINE = limits.EXIT_DEADLINE + limits.CLOSE_DEADLINE


class Core(Protocol):
    """What a visit needs of the client core."""

    done: Deferred[None]

    @property
    def main(self) -> ClientApi:
        """The main role."""

    def start(self) -> None:
        """Begin to reach the server."""

    def leave(self) -> Deferred[None]:
        """End chat, session and client; fires when all is closed."""


class Visit:
    """A run.

    :param counts_errors: what went wrong with orders decides the exit code (a script's input).
    :param join: enrols.
    :param core: makes the client core of a member.
    :param first: orders from the command line.
    """

    def __init__(
        self,
        clock: IReactorTime,
        *,
        counts_errors: bool,
        join: Callable[[Newcomer], Deferred[Member]],
        core: Callable[[Member], Core],
        first: list[Order],
    ) -> None:
        self._clock = clock
        self._counts_errors = counts_errors
        self._join, self._make_core, self._first = join, core, first
        self._lines: Lines | None = None
        self._core: Core | None = None
        self._code: int | None = None
        self._is_signalled = False
        self._deadline: IDelayedCall | None = None
        #: Fires with the exit code.
        self.over: Deferred[int] = Deferred()

    def begin(self, lines: Lines, someone: Member | Newcomer) -> None:
        """Enrol if that is to be done, log in."""
        self._lines = lines
        if isinstance(someone, Member):
            maybeDeferred(self._log_in, someone).addErrback(self._failed)
            return
        if someone.is_resumed:
            lines.show(Notice("using the key of an enrolment that was not finished"))
        where = someone.invitation.host
        lines.show(Notice(f"enrolling at {where}; your key is {_fingerprint(someone)}"))
        self._join(someone).addCallback(self._joined).addErrback(self._failed)

    def leave(self, code: int | None = None) -> None:
        """Come to an orderly end.

        :param code: the exit code; None: what went wrong decides.
        """
        if self._deadline is None and not self.over.called:
            self._code = code
            if self._lines is not None:
                self._lines.stop()
            self._deadline = self._clock.callLater(_DEADLINE, self._end)
            self._clock.callLater(0, self._leave)

    def signalled(self, number: int) -> None:
        """A signal came: leave; the second one is the end."""
        if self._is_signalled:
            self._end()
        self._is_signalled = True
        self.leave(exits.SIGNALLED + number)

    # --- the way in -------------------------------------------------------------------------

    def _joined(self, someone: Member) -> None:
        if self._lines is not None:
            self._lines.show(Notice(f"you are {someone.profile.name}; the invitation is spent"))
        self._log_in(someone)

    def _log_in(self, someone: Member) -> None:
        if self._lines is None or self._deadline is not None:
            return
        for notice in someone.notices:
            self._lines.show(Notice(notice))
        self._core = self._make_core(someone)
        self._core.done.addCallbacks(lambda _: self.leave(), self._failed)
        self._core.start()
        self._lines.begin(self._core.main, self._first)

    def _failed(self, failure: Failure) -> None:
        """Enrolment, log-in or the connection failed for good."""
        error = readable(failure)
        if self._lines is not None and self._deadline is None:
            self._lines.show(problem(error))
        self.leave(exits.exit_code(error))

    # --- the way out ------------------------------------------------------------------------

    def _leave(self) -> None:
        if self._core is None:
            self._close()
        else:
            self._core.leave().addBoth(lambda _: self._close())

    def _close(self) -> None:
        if self._lines is None or self.over.called:
            self._end()
            return
        self._code = self._exit_code()
        self._lines.show(Left(self._code))
        self._lines.close().addBoth(lambda _: self._end())

    def _end(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        if not self.over.called:
            self.over.callback(self._exit_code())

    def _exit_code(self) -> int:
        if self._code is not None:
            return self._code
        if self._lines is None:
            return exits.OK
        if self._lines.is_gone:
            return exits.FIXABLE
        return exits.exit_code(self._lines.first_error if self._counts_errors else None)


def _fingerprint(someone: Newcomer) -> str:
    return someone.identity.public_key.fingerprint
