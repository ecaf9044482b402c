"""Standard input, output and error as we find them, and as we leave them.

Their file descriptions are shared: with the shell, with the other end of a pipeline. What we change
there (Twisted makes them non-blocking) outlives us unless it is undone. So does what was typed and
not read: the shell that comes next would run it.
"""

from __future__ import annotations

import fcntl
import functools
import os
import select
import signal
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, ParamSpec

from securecom import limits
from securecom.client.program import exits

if TYPE_CHECKING:
    from securecom.client.frontends.qr import Screen

INPUT, OUTPUT, ERROR = 0, 1, 2
_NUMBERS = (INPUT, OUTPUT, ERROR)
_LOCAL, _CHARACTERS = 3, 6  # the local modes and the control characters, in what termios gives

#: Terminals that show the sequences for colours instead of obeying them.
_PLAIN = (None, "", "dumb", "unknown")

P = ParamSpec("P")


def fill_missing() -> None:
    """Open the null device where there is no descriptor, or a socket of ours would be taken for it.

    Call it before anything else is opened.
    """
    for number in _NUMBERS:
        try:
            os.fstat(number)
        except OSError:
            _open_null(number)


def input_moved() -> int:
    """The descriptor of what is standard input, which holds nothing from now on."""
    moved = os.dup(INPUT)
    _open_null_over(INPUT)
    return moved


def _open_null_over(number: int) -> None:
    os.close(number)
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


def hide_typing(hidden: bool, *, line_feeds: bool = True) -> None:
    """What is typed at the terminal does not show, or shows again.

    When it shows again, what was typed unseen and is not read yet is thrown away: it may be a pass
    phrase typed once too often. In the background the terminal is a shell's, which would stop us.

    :param line_feeds: these show all the same.
    """
    if not os.isatty(INPUT) or _is_in_background():
        return
    mode = termios.tcgetattr(INPUT)
    is_hidden = not mode[_LOCAL] & termios.ECHO
    if is_hidden == hidden:
        return
    mode[_LOCAL] ^= termios.ECHO
    if line_feeds and hidden:
        mode[_LOCAL] |= termios.ECHONL
    elif line_feeds:  # or it would show the line feed of each pass phrase that others ask for
        mode[_LOCAL] &= ~termios.ECHONL
    termios.tcsetattr(INPUT, termios.TCSANOW if hidden else termios.TCSAFLUSH, mode)


@contextmanager
def typing_hidden() -> Iterator[None]:
    """What is typed in here does not show, nor does its line feed."""
    hide_typing(True, line_feeds=False)
    try:
        yield
    finally:
        hide_typing(False, line_feeds=False)


def is_line_mode() -> bool:
    """The input is a terminal whose lines the kernel puts together: a read brings one at most."""
    if not os.isatty(INPUT):
        return False
    return bool(termios.tcgetattr(INPUT)[_LOCAL] & termios.ICANON)


def discard_input() -> None:
    """Throw away what was typed at the terminal and not read, to the end of what is being pasted.

    Nothing of it shows. Takes `limits.PASTE_QUIET` seconds, or as long as more comes.
    """
    if not os.isatty(INPUT) or _is_in_background():
        return
    with suppress(OSError, termios.error):  # a terminal that went away holds nothing for a shell
        mode = termios.tcgetattr(INPUT)
        raw = [*mode[:_CHARACTERS], list(mode[_CHARACTERS])]
        raw[_LOCAL] &= ~(termios.ICANON | termios.ECHO | termios.ECHONL)
        raw[_CHARACTERS][termios.VMIN], raw[_CHARACTERS][termios.VTIME] = 1, 0
        termios.tcsetattr(INPUT, termios.TCSAFLUSH, raw)
        try:
            _read_until_quiet()
        finally:
            termios.tcsetattr(INPUT, termios.TCSAFLUSH, mode)


def _read_until_quiet() -> None:
    end = time.monotonic() + limits.PASTE_DEADLINE
    while time.monotonic() < end and select.select([INPUT], [], [], limits.PASTE_QUIET)[0]:
        if not os.read(INPUT, limits.MAX_LINE):
            return


class _SignalledError(BaseException):
    """A signal that ends us came before the reactor ran, perhaps while a pass phrase is hidden."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def leaves_no_input(main: Callable[P, int]) -> Callable[P, int]:
    """A program that leaves nothing typed to the shell when it ends otherwise than by its person.

    Whoever ends it with a command, or with the end of the input, ends it with exit code 0; what
    they typed behind that was meant for the shell.
    """

    @functools.wraps(main)
    def run(*args: P.args, **named: P.kwargs) -> int:
        code = exits.FIXABLE
        try:
            with _signals_raised():
                code = main(*args, **named)
        except _SignalledError as ending:
            code = exits.SIGNALLED + ending.number
        except SystemExit as ending:
            code = exits.USAGE if ending.code else exits.OK
            raise
        finally:
            if code != exits.OK:
                discard_input()
        return code

    return run


@contextmanager
def _signals_raised() -> Iterator[None]:
    """So that nothing is left as it must not stay. Who has us ignore a signal is obeyed."""

    def end(number: int, _: object) -> None:
        raise _SignalledError(number)

    numbers = [
        number
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
        if signal.getsignal(number) is signal.SIG_DFL
    ]
    for number in numbers:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def _is_in_background() -> bool:
    try:
        return os.tcgetpgrp(INPUT) != os.getpgrp()
    except OSError:  # a terminal that is not ours to be stopped by
        return False


def first_line(most: int, question: str = "invitation link: ") -> str:
    """The first line of the input, of which nothing else is read; asked for on a terminal.

    :param most: bytes that are read at all.
    :param question: what the terminal shows.
    """
    if os.isatty(INPUT):
        os.write(ERROR, question.encode("ascii"))
    line = b""
    while len(line) <= most and not line.endswith(b"\n") and (byte := os.read(INPUT, 1)):
        line += byte
    return line.decode("utf-8", "replace").strip()


def screen(number: int) -> Screen:
    """The terminal's size and whether it knows colours; neither if it is none."""
    from securecom.client.frontends.qr import (
        Screen,
    )  # brings Twisted, which `--help` can do without

    try:
        size = os.get_terminal_size(number)
    except OSError:
        return Screen()
    return Screen(size.columns or None, size.lines or None, os.environ.get("TERM") not in _PLAIN)
