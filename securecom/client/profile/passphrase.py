"""Where the pass phrases of identity files and backups come from: never the command line.

A terminal is asked before the reactor runs. A bot names a file, a file descriptor, or says that
there is none; a new key is then not protected by anything but the file's mode. Where two are
needed, a backup's and then that of the identity in it, they are two lines.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from twisted.internet.defer import Deferred, inlineCallbacks, maybeDeferred, succeed

from securecom import limits
from securecom.client.profile import private_files
from securecom.client.profile.identity_file import IdentityFile, read_identity_file
from securecom.client.profile.spelling import composed
from securecom.errors import PassPhraseProblem
from securecom.values import Value

if TYPE_CHECKING:
    from securecom.client.profile.backup import SealedFile

#: Bytes of two pass phrases with their ends of line.
_TWO_LINES = 2 * (limits.MAX_PASS + len("\r\n"))
#: What some editors put before text.
_MARKS = (
    (b"\xef\xbb\xbf", "a byte order mark (BOM)"),
    (b"\xff\xfe", "the byte order mark (BOM) of UTF-16"),
    (b"\xfe\xff", "the byte order mark (BOM) of UTF-16"),
)
_OPTIONS = "Use a terminal, or --pass-fd N or --pass-file FILE."
_OPTIONS_FOR_NEW = "Use a terminal, or --pass-fd N, --pass-file FILE or --no-pass."


T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Locked(Protocol[T_co]):
    """What a pass phrase opens: an `IdentityFile`, or several at once."""

    @property
    def is_protected(self) -> bool:
        """It has one."""

    @property
    def called(self) -> str:
        """As a question or an error names it."""

    def unlock(self, pass_phrase: bytes | None) -> T_co:
        """What is inside. :raises IdentityProblem:"""


class PassPhrases(Protocol):
    """One way to come by pass phrases."""

    def unlock(self, file: Locked[T]) -> T:
        """What a file holds. :raises IdentityProblem:"""

    def unseal(self, file: SealedFile) -> bytes:
        """What is in a backup. :raises PassPhraseProblem, BackupProblem:"""

    def new(self) -> bytes | None:
        """For a key to be made; None leaves it without. :raises PassPhraseProblem:"""


class NoPassPhrase(Value):
    """`--no-pass`: files have none."""

    def unlock(self, file: Locked[T]) -> T:
        """PassPhrases."""
        if file.is_protected:
            what = f"{file.called} has a pass phrase, and --no-pass says that there is none"
            raise PassPhraseProblem(what, f"Nothing was sent. {_OPTIONS}")
        return file.unlock(None)

    def unseal(self, file: SealedFile) -> bytes:
        """PassPhrases."""
        what = "a backup has a pass phrase, and --no-pass says that there is none"
        raise PassPhraseProblem(what, f"Nothing was changed or sent. {_OPTIONS}")

    def new(self) -> bytes | None:
        """PassPhrases."""
        return None


class Given(Value):
    """`--pass-fd` and `--pass-file`: a line of something, each time the next."""

    read: Callable[[], bytes]

    def unlock(self, file: Locked[T]) -> T:
        """PassPhrases."""
        return file.unlock(self.read() if file.is_protected else None)

    def unseal(self, file: SealedFile) -> bytes:
        """PassPhrases."""
        return file.unseal(self.read())

    def new(self) -> bytes | None:
        """PassPhrases."""
        return self.read()


class Nowhere(Value):
    """No terminal and no option."""

    def unlock(self, file: Locked[T]) -> T:
        """PassPhrases."""
        if file.is_protected:
            what = f"{file.called} has a pass phrase, and there is no terminal to ask for it"
            raise PassPhraseProblem(what, f"Nothing was sent. {_OPTIONS}")
        return file.unlock(None)

    def unseal(self, file: SealedFile) -> bytes:
        """PassPhrases."""
        what = "a backup has a pass phrase, and there is no terminal to ask for it"
        raise PassPhraseProblem(what, f"Nothing was changed or sent. {_OPTIONS}")

    def new(self) -> bytes | None:
        """PassPhrases."""
        what = "a new identity key needs a pass phrase, and there is no terminal to ask for it"
        raise PassPhraseProblem(what, f"Nothing was sent. {_OPTIONS_FOR_NEW}")


class Terminal(Value):
    """The person at the terminal.

    :param hidden: while this is entered nothing that is typed shows.
    """

    secret: Callable[[str], str] = getpass.getpass
    ask: Callable[[str], str] = input
    tell: Callable[[str], None] = print
    hidden: Callable[[], AbstractContextManager[None]] = nullcontext

    def unlock(self, file: Locked[T]) -> T:
        """PassPhrases: a few attempts."""
        if not file.is_protected:
            return file.unlock(None)
        return self._attempts(f"Pass phrase of {file.called}: ", file.unlock)

    def unseal(self, file: SealedFile) -> bytes:
        """PassPhrases: a few attempts."""
        return self._attempts(f"Pass phrase of the backup {file.path}: ", file.unseal)

    def new(self) -> bytes | None:
        """PassPhrases: twice, and none only if that is meant."""
        for _ in range(limits.PASS_ATTEMPTS):
            phrase = self._secret("A pass phrase for your new identity key: ")
            if not phrase:
                if self._wants_none():
                    return None
            elif composed(phrase) == composed(self._secret("The same again: ")):
                return phrase
            else:
                self.tell("These were two different ones.")
        raise PassPhraseProblem("no pass phrase was agreed on; nothing was made")

    def _attempts(self, prompt: str, use: Callable[[bytes], T]) -> T:
        with self.hidden():  # what is typed ahead while the last one is being checked, too
            return self._tried(prompt, use)

    def _tried(self, prompt: str, use: Callable[[bytes], T]) -> T:
        for _ in range(limits.PASS_ATTEMPTS - 1):
            try:
                return use(self._secret(prompt))
            except PassPhraseProblem as error:
                self.tell(str(error))
        return use(self._secret(prompt))

    def _wants_none(self) -> bool:
        self.tell("Without one, whoever can read the file can be you.")
        return self.ask("Really no pass phrase? [y/N] ").strip().lower() in ("y", "yes")

    def _secret(self, prompt: str) -> bytes:
        return self.secret(prompt).encode("utf-8", "surrogateescape")


def lines_of(path: Path) -> Callable[[], bytes]:
    """The first line of a file, then its second one, each checked when it is asked for.

    The file is read once: the second line of a pipe is gone when it is opened again.
    """
    return _Lines(path).next


class _Lines:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: Iterator[bytes] | None = None

    def next(self) -> bytes:
        """:raises PassPhraseProblem: if others may read the file, or it has no such line."""
        if self._lines is None:
            self._lines = iter(_private(self._path).split(b"\n"))
        return _line(next(self._lines, b""), str(self._path))


def from_file(path: Path) -> bytes:
    """The first line of a file.

    :raises PassPhraseProblem: if others may read it, or it has no such line.
    """
    return lines_of(path)()


def _private(path: Path) -> bytes:
    try:
        data, is_open = private_files.read(path, _TWO_LINES)
    except OSError as error:
        raise PassPhraseProblem(f"{path} cannot be read ({error.strerror})") from None
    if is_open:
        what = f"others on this machine may read {path}; it was not used"
        raise PassPhraseProblem(what, f"Nothing was sent. Type: chmod 600 {path}")
    return data


def from_descriptor(number: int) -> bytes:
    """The first line of an open file descriptor; what follows it stays unread.

    :raises PassPhraseProblem: if there is none.
    """
    data = bytearray()
    try:
        while len(data) <= limits.MAX_PASS and (byte := os.read(number, 1)) not in (b"", b"\n"):
            data += byte
    except OSError as error:
        what = f"file descriptor {number} cannot be read ({error.strerror})"
        raise PassPhraseProblem(what) from None
    return _line(bytes(data), f"file descriptor {number}")


def _line(line: bytes, where: str) -> bytes:
    line = line.removesuffix(b"\r")
    for mark, what in _MARKS:
        if line.startswith(mark):
            hint = "Nothing was sent. Save it as UTF-8 without a byte order mark."
            raise PassPhraseProblem(f"{where} begins with {what}, which is no pass phrase", hint)
    if not line:
        raise PassPhraseProblem(f"{where} holds no pass phrase")
    if len(line) > limits.MAX_PASS:
        raise PassPhraseProblem(f"{where} holds a line too long for a pass phrase")
    return line


# --- The identity's pass phrase, asked for again before the key is copied or replaced ----------
# Whoever finds a terminal that was left online can read and write there, but can neither take the
# key along nor replace it.

#: Shows a question; fires with what is typed, unseen (`Frontend.ask_secret`).
AskSecret = Callable[[str], Deferred[str]]
#: Makes a call that takes its time where nobody waits for it; fires with its result.
Elsewhere = Callable[[Callable[[], Any]], Deferred[Any]]

_AGAIN = "not that one; "
_PREFIXES = ("", *[_AGAIN] * (limits.PASS_ATTEMPTS - 2))  # of all attempts but the last


class Vault:
    """Asks again for the pass phrase of an identity file.

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
