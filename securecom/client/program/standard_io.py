"""Standard input, output and error as we find them, and as we leave them.

Their file descriptions are shared: with the shell, with the other end of a pipeline. What we change
there (Twisted makes them non-blocking) outlives us unless it is undone.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

INPUT, OUTPUT, ERROR = 0, 1, 2
_NUMBERS = (INPUT, OUTPUT, ERROR)


def fill_missing() -> None:
    """Open the null device where there is no descriptor, or a socket of ours would be taken for it.

    Call it before anything else is opened.
    """
    for number in _NUMBERS:
        try:
            os.fstat(number)
        except OSError:
            _open_null(number)


def _open_null(number: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != number:
        os.dup2(null, number)
        os.close(null)


@contextmanager
def modes_kept() -> Iterator[None]:
    """Afterwards the descriptors block, or do not, as before."""
    modes = {number: fcntl.fcntl(number, fcntl.F_GETFL) for number in _NUMBERS}
    try:
        yield
    finally:
        for number, mode in modes.items():
            try:
                fcntl.fcntl(number, fcntl.F_SETFL, mode)
            except OSError:  # closed meanwhile: nobody minds
                continue


def first_line(most: int) -> str:
    """The first line of the input, of which nothing else is read; asked for on a terminal.

    :param most: bytes that are read at all.
    """
    if os.isatty(INPUT):
        os.write(ERROR, b"invitation link: ")
    line = b""
    while len(line) <= most and not line.endswith(b"\n") and (byte := os.read(INPUT, 1)):
        line += byte
    return line.decode("utf-8", "replace").strip()


def columns(number: int) -> int | None:
    """The width of a terminal, None if it is none."""
    try:
        return os.get_terminal_size(number).columns or None
    except OSError:
        return None
