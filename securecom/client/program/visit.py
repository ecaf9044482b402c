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
from securecom.client.api import ClientApi, UserFrontend
from securecom.client.events import Left, Notice, problem
from securecom.client.frontends.orders import readable
from securecom.client.program import exits
from securecom.client.program.who import Member, Newcomer
from securecom.errors import SecurecomError

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

    :param join: enrols.
    :param core: makes the client core of a member.
    """

    def __init__(
        self,
        clock: IReactorTime,
        *,
        join: Callable[[Newcomer], Deferred[Member]],
        core: Callable[[Member], Core],
    ) -> None:
        self._clock = clock
        self._join, self._make_core = join, core
        self._frontend: UserFrontend | None = None
        self._is_gone = False  # the front-end ended before it was asked to
        self._is_closing = False
        self._core: Core | None = None
        self._code: int | None = None
        self._is_signalled = False
        self._deadline: IDelayedCall | None = None
        #: Why the front-end broke, for whoever can still tell the user.
        self.fault: SecurecomError | None = None
        #: Fires with the exit code.
        self.over: Deferred[int] = Deferred()

    def open(self, frontend: UserFrontend) -> None:
        """The front-end starts."""
        self._frontend = frontend
        ended = maybeDeferred(frontend.start)
        ended.addErrback(self._broke).addCallback(self._frontend_ended)

    def begin(self, frontend: UserFrontend, someone: Member | Newcomer) -> None:
        """Enrol if that is to be done, log in."""
        if isinstance(someone, Member):
            maybeDeferred(self._log_in, someone).addErrback(self._failed)
            return
        if someone.is_resumed:
            frontend.show(Notice("using the key of an enrolment that was not finished"))
        where = someone.invitation.host
        frontend.show(Notice(f"enrolling at {where}; your key is {_fingerprint(someone)}"))
        self._join(someone).addCallback(self._joined).addErrback(self._failed)

    def leave(self, code: int | None = None) -> None:
        """Come to an orderly end.

        :param code: the exit code; None: what went wrong decides.
        """
        if self._deadline is None and not self.over.called:
            self._code = code
            if self._frontend is not None:
                self._frontend.stop()
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
        if self._frontend is not None:
            self._frontend.show(Notice(f"you are {someone.profile.name}; the invitation is spent"))
        self._log_in(someone)

    def _log_in(self, someone: Member) -> None:
        if self._frontend is None or self._deadline is not None:
            return
        for notice in someone.notices:
            self._frontend.show(Notice(notice))
        self._core = self._make_core(someone)
        self._core.done.addCallbacks(lambda _: self.leave(), self._failed)
        self._core.start()
        self._frontend.begin(self._core.main, someone.profile.folder)

    def _failed(self, failure: Failure) -> None:
        """Enrolment, log-in or the connection failed for good."""
        error = readable(failure)
        if self._frontend is not None and self._deadline is None:
            self._frontend.show(problem(error))
        self.leave(exits.exit_code(error))

    # --- the way out ------------------------------------------------------------------------

    def _leave(self) -> None:
        if self._core is None:
            self._close()
        else:
            self._core.leave().addBoth(lambda _: self._close())

    def _close(self) -> None:
        if self._frontend is None or self.over.called:
            self._end()
            return
        self._code = self._exit_code()
        self._is_closing = True
        self._frontend.show(Left(self._code))
        if self._is_gone:
            self._end()
        else:
            self._frontend.close()

    def _broke(self, failure: Failure) -> None:
        self.fault = readable(failure)

    def _frontend_ended(self, _: None) -> None:
        self._is_gone = True
        if self._is_closing:
            self._end()
        else:
            self.leave()

    def _end(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        if not self.over.called:
            self.over.callback(self._exit_code())

    def _exit_code(self) -> int:
        if self._code is not None:
            return self._code
        if self._frontend is None:
            return exits.OK
        return exits.FIXABLE if self._is_gone else exits.exit_code(self._frontend.failure)


def _fingerprint(someone: Newcomer) -> str:
    return someone.identity.public_key.fingerprint
