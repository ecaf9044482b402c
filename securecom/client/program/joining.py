"""From an invitation to a profile.

The key was on the disk before; when the server has taken it, the profile is written. If that was
interrupted in between, the next try finds the invitation spent, and the server knows the key: then
a log-in tells the name.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

from twisted.internet.defer import Deferred, fail, inlineCallbacks
from twisted.python.failure import Failure

from securecom.client.events import Event, Online
from securecom.client.program.account import Member, Newcomer
from securecom.errors import LoginRefused, NotNow, ProfileProblem, SecurecomError
from securecom.identity import Name

_NOT_WRITTEN = (
    "The invitation is spent, and the server knows your key, which is kept. Mend that; then start "
    "with the same link again."
)


class NameHeard:
    """A `Frontend` that waits for the log-in, to hear our name."""

    def __init__(self) -> None:
        self.name: Deferred[Name] = Deferred()

    def show(self, event: Event) -> None:
        """Frontend."""
        if isinstance(event, Online) and not self.name.called:
            self.name.callback(Name(event.name))

    def ask_secret(self, question: str) -> Deferred[str]:
        """Frontend."""
        return fail(NotNow("nobody can be asked while enrolling"))

    def failed(self, failure: Failure) -> None:
        """There will be no log-in."""
        if not self.name.called:
            self.name.errback(failure)


@inlineCallbacks
def join(
    someone: Newcomer,
    enrol: Callable[[Newcomer], Deferred[Name]],
    log_in: Callable[[Newcomer], Deferred[Name]],
) -> Generator[Deferred[Name], Name, Member]:
    """A member's profile, written. Fails with a `SecurecomError`.

    :param enrol: spends the invitation.
    :param log_in: logs in and out again, for a key that the server may know already.
    """
    try:
        name = yield enrol(someone)
    except LoginRefused as refusal:
        if not someone.is_old:
            raise
        try:
            name = yield log_in(someone)
        except SecurecomError:
            raise refusal from None
    try:
        return someone.enrolled(name)
    except ProfileProblem as error:
        raise ProfileProblem(error.what, _NOT_WRITTEN) from None
