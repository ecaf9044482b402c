"""Paths, output and system errors while a command starts.

A path may be wrong, the output may be closed, the system may refuse. None of that may end in a
traceback: each becomes one line that says what happened and what to do.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from securecom.errors import BadArgument, OutputFailed, StateUnusable

_HOME = "~"


def path_named(text: str | Path, where: str) -> Path:
    """Make the path that a person named absolute; `~` is a home folder, as in a shell.

    :param where: the option or variable, for the error.
    :raises BadArgument: if it cannot be a path, or the home folder does not exist.
    """
    try:
        path = Path(text).expanduser().absolute()
        os.fsencode(path)
    except RuntimeError:  # pathlib raises it where there is no home folder
        hint = "Nothing was changed or sent. Give the whole path, starting with /."
        what = f"{where}: there is no home folder for {Path(text).parts[0]}"
        raise BadArgument(what, hint) from None
    except OSError as error:  # the current folder has been removed
        hint = "Nothing was changed or sent. Change to a folder that exists, or give a whole path."
        raise BadArgument(f"{where}: {_reason(error)}", hint) from None
    except ValueError:
        raise BadArgument(f"{where}: that cannot be the name of a file") from None
    if "\0" in str(path):
        raise BadArgument(f"{where}: that cannot be the name of a file")
    return path


def usual_path(find: Callable[[], str], instead: str) -> Path:
    """Ask the platform for one of its usual folders.

    :param find: returns it. Without a home folder it raises `RuntimeError`, or, in older versions
        of platformdirs, returns a folder that is literally called `~`.
    :param instead: the option that the error suggests.
    :raises BadArgument: if this user has no home folder.
    """
    try:
        path = find()
    except RuntimeError:
        path = _HOME
    if path.startswith(_HOME):
        what = "this user has no home folder, and HOME is not set"
        raise BadArgument(what, f"Nothing was changed or sent. Name a folder with {instead}.")
    return path_named(path, instead)


@contextlib.contextmanager
def system_errors_told() -> Iterator[None]:
    """Put this around everything that happens before a reactor runs.

    :raises StateUnusable: for every `OSError` and `RuntimeError` that no other code has explained.
    """
    try:
        yield
    except OSError as error:
        named = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        raise StateUnusable(f"this cannot start ({named}{_reason(error)})") from None
    except RuntimeError as error:
        raise StateUnusable(f"this cannot start ({error})") from None


@contextlib.contextmanager
def garbage_left() -> Iterator[None]:
    """Put this around imports and other work that makes what a process keeps until it ends.

    Looking for garbage among it takes an eighth of a client's start and finds next to none. What
    is there afterwards is never searched again.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def print_all(text: str) -> None:
    """Write the whole text to standard output, and flush it.

    :raises OutputFailed: if that is impossible.
    """
    if sys.stdout is None:  # it was closed before we started
        raise OutputFailed("there is no standard output")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a folder's name may be any bytes
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # Otherwise the rest of the buffer would fail again when the interpreter exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OutputFailed(f"the output was cut off ({_reason(error)})") from None


@contextlib.contextmanager
def output_kept() -> Iterator[None]:
    """Put this around argparse, which exits with 0 even if it could not write its help.

    :raises OutputFailed: if argparse's output cannot be written.
    """
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            yield
    finally:
        if printed.getvalue():
            print_all(printed.getvalue())


def _reason(error: OSError) -> str:
    return (error.strerror or str(error) or type(error).__name__).lower()
