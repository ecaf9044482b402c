"""A pass phrase that somebody waits for: the next line of the input, unseen."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from securecom.errors import NotNow, SecurecomError

_LATER = "Nothing was sent. Try again in a moment."


class Secrets:
    """At most one question at a time.

    :param hide: stops showing what is typed, or shows it again; None where nothing shows it.
    """

    def __init__(self, hide: Callable[[bool], None] | None) -> None:
        self._hide = hide
        self._answer: Deferred[str] | None = None
        self._is_hidden = False

    @property
    def is_wanted(self) -> bool:
        """The next line is an answer, and nothing else."""
        return self._answer is not None

    def ask(self) -> Deferred[str]:
        """What the next line says; fails with `NotNow` if that is nothing."""
        if self._answer is not None:
            return fail(NotNow("another pass phrase is being asked for", _LATER))
        self._answer = Deferred()
        self._show_typing(False)
        return self._answer

    def answered(self, secret: str) -> None:
        """Here it is; an empty one is none."""
        if not secret:
            self.give_up(NotNow("no pass phrase was given", "Nothing was sent or changed."))
        elif (answer := self._take()) is not None:
            answer.callback(secret)

    def give_up(self, error: SecurecomError) -> None:
        """There will be no answer."""
        if (answer := self._take()) is not None:
            answer.errback(Failure(error))

    def over(self) -> None:
        """What asked is done. Until then typing stays hidden: the next question may be asked while
        its answer is being typed already.
        """
        if self._is_hidden:
            self._show_typing(True)

    def continued(self) -> None:
        """We had been stopped, and a shell has made what is typed show meanwhile."""
        if self._is_hidden:
            self._show_typing(False)

    def _take(self) -> Deferred[str] | None:
        answer, self._answer = self._answer, None
        return answer

    def _show_typing(self, shown: bool) -> None:
        self._is_hidden = not shown
        if self._hide is not None:
            self._hide(not shown)
