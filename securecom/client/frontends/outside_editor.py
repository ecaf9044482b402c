"""A message written in the user's own editor: `$VISUAL`, `$EDITOR`, or the first usual one.

The text is in a file of a folder that nobody else may enter, in memory where the system has such a
place. The folder goes when the editor ends, and when we end before it, with all that the editor has
put there.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from securecom import limits
from securecom.errors import BadArgument, ProgramFailed, TooLong

_USUAL = ("editor", "nano", "vi")
_NOTHING = "Nothing was sent; your text is as it was."


def command(environment: Mapping[str, str]) -> list[str]:
    """The user's editor. :raises ProgramFailed: if there is none."""
    named = environment.get("VISUAL") or environment.get("EDITOR")
    try:
        words = shlex.split(named) if named else []
    except ValueError as error:
        raise ProgramFailed(f"EDITOR cannot be read ({error})".lower(), _NOTHING) from None
    path = environment.get("PATH")
    for name in [words[0]] if words else _USUAL:
        if found := shutil.which(name, path=path):
            return [found, *words[1:]]
    what = f"the editor {words[0]} was not found" if words else "no editor was found"
    raise ProgramFailed(what, f"{_NOTHING} Set EDITOR to the one you want.")


class _Editing(ProcessProtocol):
    def __init__(self) -> None:
        self.ended: Deferred[None] = Deferred()

    def processEnded(self, reason: Failure) -> None:
        if reason.check(ProcessDone):
            self.ended.callback(None)
        else:
            self.ended.errback(ProgramFailed("the editor ended with an error", _NOTHING))


async def edited(text: str, reactor: Any, environment: Mapping[str, str]) -> str:
    """The text as the user leaves it. The terminal is the editor's until then.

    :raises SecurecomError: if there is no editor, it fails, or what it leaves is no message.
    """
    argv = command(environment)
    try:
        folder = Path(tempfile.mkdtemp(prefix="securecom-", dir=_memory(environment)))
        try:
            file = folder / "message.txt"
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                out.write(text.encode("utf-8", "replace"))
            await _run([*argv, str(file)], reactor, environment)
            return _read(file)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:  # no room for the file, no process to be had
        reason = (error.strerror or type(error).__name__).lower()
        raise ProgramFailed(f"the editor cannot be started ({reason})", _NOTHING) from None


async def _run(argv: list[str], reactor: Any, environment: Mapping[str, str]) -> None:
    import asyncio

    editing = _Editing()
    descriptors = {0: 0, 1: 1, 2: 2}
    process = reactor.spawnProcess(editing, argv[0], argv, dict(environment), childFDs=descriptors)
    ended = editing.ended.asFuture(asyncio.get_running_loop())
    try:
        await asyncio.shield(ended)
    except asyncio.CancelledError:  # we are leaving: the terminal must be ours again
        ended.add_done_callback(lambda done: done.exception())  # whatever it is now
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                process.signalProcess(number)
            except ProcessExitedAlready:
                break
            await asyncio.wait([ended], timeout=limits.EDITOR_DEADLINE)
        raise


def _read(file: Path) -> str:
    try:
        with file.open("rb") as written:
            data = written.read(limits.MAX_LINE + 1)
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise ProgramFailed(f"what the editor wrote cannot be read ({reason})", _NOTHING) from None
    if len(data) > limits.MAX_LINE:
        raise TooLong(f"the editor wrote more than {limits.MAX_LINE} bytes", _NOTHING)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise BadArgument("what the editor wrote is not UTF-8", _NOTHING) from None
    return text.replace("\r\n", "\n").rstrip("\n")


def _memory(environment: Mapping[str, str]) -> str | None:
    """A folder in memory that is ours alone, if the system has made one."""
    folder = environment.get("XDG_RUNTIME_DIR", "")
    return folder if folder and os.access(folder, os.W_OK | os.X_OK) else None
