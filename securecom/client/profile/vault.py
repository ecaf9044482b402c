"""The pass phrase of our identity, asked for once more before the key is copied or replaced.

Whoever sits down at a terminal that was left on line can read and write there, but not walk away
with the key, or put another one in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks, maybeDeferred, succeed

from securecom import limits
from securecom.client.profile.identity_file import IdentityFile, read_identity_file
from securecom.errors import PassPhraseProblem

#: Shows a question; fires with what is typed, unseen (`Frontend.ask_secret`).
AskSecret = Callable[[str], Deferred[str]]
#: Makes a call that takes its time where nobody waits for it; fires with its result.
Elsewhere = Callable[[Callable[[], Any]], Deferred[Any]]

_AGAIN = "not that one; "
_PREFIXES = ("", *[_AGAIN] * (limits.PASS_ATTEMPTS - 2))  # of all attempts but the last


class Vault:
    """What protects an identity file.

    :param path: the file.
    """

    def __init__(self, path: Path, ask: AskSecret, elsewhere: Elsewhere) -> None:
        self._path, self._ask, self._elsewhere = path, ask, elsewhere

    def pass_phrase(self) -> Deferred[bytes | None]:
        """The pass phrase, which the person has just given again; None: the file has none.

        Asks a few times, so that what is typed again after a slip is no line of a chat. Fails with
        `PassPhraseProblem` for a wrong one, with `IdentityProblem` if the file cannot be
        used, with `NotNow` if nobody says it.
        """
        return maybeDeferred(read_identity_file, self._path).addCallback(self._open)

    def _open(self, file: IdentityFile) -> Deferred[bytes | None]:
        if not file.is_protected:
            return succeed(None)
        return self._attempts(file)

    @inlineCallbacks
    def _attempts(self, file: IdentityFile) -> Generator[Deferred[Any], Any, bytes | None]:
        question = f"the pass phrase of {file.called}"
        phrase: bytes
        for prefix in _PREFIXES:
            try:
                phrase = yield self._attempt(file, prefix + question)
            except PassPhraseProblem:
                continue
            return phrase
        phrase = yield self._attempt(file, _AGAIN + question)
        return phrase

    def _attempt(self, file: IdentityFile, question: str) -> Deferred[bytes]:
        return self._ask(question).addCallback(self._checked, file)

    def _checked(self, typed: str, file: IdentityFile) -> Deferred[bytes]:
        phrase = typed.encode("utf-8")
        opened = self._elsewhere(lambda: file.unlock(phrase))
        return opened.addCallback(lambda _: phrase)
