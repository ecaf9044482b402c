"""Standard input, output and error as we find them, and as we leave them.

Their file descriptions are shared: with the shell, with the other end of a pipeline. What we change
there (Twisted makes them non-blocking) outlives us unless it is undone.
"""

from __future__ import annotations

import fcntl
import os
import termios
from collections.abc import Iterator
from contextlib import contextmanager

INPUT, OUTPUT, ERROR = 0, 1, 2
_NUMBERS = (INPUT, OUTPUT, ERROR)
_LOCAL = 3  # the local modes, in what termios gives


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
    """Afterwards the descriptors block, or do not, as before, and typing shows."""
    modes = {number: fcntl.fcntl(number, fcntl.F_GETFL) for number in _NUMBERS}
    try:
        yield
    finally:
        hide_typing(False)
        for number, mode in modes.items():
            try:
                fcntl.fcntl(number, fcntl.F_SETFL, mode)
            except OSError:  # closed meanwhile: nobody minds
                continue


def hide_typing(hidden: bool) -> None:
    """What is typed at the terminal does not show, or shows again; its line feed always does.

    In the background the terminal is a shell's, which would stop us for it.
    """
    if not os.isatty(INPUT) or _is_in_background():
        return
    mode = termios.tcgetattr(INPUT)
    is_hidden = not mode[_LOCAL] & termios.ECHO
    if is_hidden == hidden:
        return
    mode[_LOCAL] ^= termios.ECHO
    mode[_LOCAL] |= termios.ECHONL
    termios.tcsetattr(INPUT, termios.TCSANOW, mode)


def _is_in_background() -> bool:
    try:
        return os.tcgetpgrp(INPUT) != os.getpgrp()
    except OSError:  # a terminal that is not ours to be stopped by
        return False


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
