"""What each of our commands does before it begins to work.

People name paths, output has to reach somebody, and the system may refuse. None of that may end in
a traceback: each becomes one line that says what happened and what to do.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from securecom.errors import BadArgument, OutputFailed, StateUnusable

_HOME = "~"


def path_named(text: str | Path, where: str) -> Path:
    """The absolute path that a person named; a `~` is a home folder, as in a shell.

    :param where: the option or variable, for the error.
    :raises BadArgument: if it cannot be a path, or nobody has such a home folder.
    """
    try:
        path = Path(text).expanduser().absolute()
        os.fsencode(path)
    except RuntimeError:  # what pathlib raises where there is no home folder
        hint = "Nothing was changed or sent. Give the whole path, from / on."
        what = f"{where}: there is no home folder for {Path(text).parts[0]}"
        raise BadArgument(what, hint) from None
    except OSError as error:  # the folder we are in has been removed
        hint = "Nothing was changed or sent. Change to a folder that exists, or give a whole path."
        raise BadArgument(f"{where}: {_reason(error)}", hint) from None
    except ValueError:
        raise BadArgument(f"{where}: that cannot be the name of a file") from None
    if "\0" in str(path):
        raise BadArgument(f"{where}: that cannot be the name of a file")
    return path


def usual_path(find: Callable[[], str], instead: str) -> Path:
    """A folder that the platform names for us.

    :param find: names it. Without a home folder it raises `RuntimeError`, or, in older versions of
        platformdirs, names a folder that is really called `~`.
    :param instead: what to use where it names none.
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
    """Around everything that happens before a reactor runs.

    :raises StateUnusable: for every `OSError` and `RuntimeError` that nobody else has explained.
    """
    try:
        yield
    except OSError as error:
        named = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        raise StateUnusable(f"this cannot start ({named}{_reason(error)})") from None
    except RuntimeError as error:
        raise StateUnusable(f"this cannot start ({error})") from None


def print_all(text: str) -> None:
    """Text on standard output, all of it, now. :raises OutputFailed: if that is impossible."""
    if sys.stdout is None:  # closed before we were started
        raise OutputFailed("there is no standard output")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a folder's name may be any bytes
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # What is left in the buffer must not fail once more when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OutputFailed(f"the output was cut off ({_reason(error)})") from None


@contextlib.contextmanager
def output_kept() -> Iterator[None]:
    """Around argparse, which prints help and leaves with 0 though nothing could be written.

    :raises OutputFailed: if what it printed cannot be written.
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
