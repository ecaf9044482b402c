"""The front-end of lines, with its editor, on the standard terminal."""

from __future__ import annotations

import os
import signal
import time

from twisted.internet.defer import Deferred

from securecom import __version__
from securecom.client.api import Launch
from securecom.client.events import Welcome
from securecom.client.frontends.attention import Attention, Means
from securecom.client.frontends.edited_lines import EditedLines
from securecom.client.frontends.jsonl import INTERFACE
from securecom.client.frontends.plain import Plain
from securecom.client.frontends.terminal_writer import opened
from securecom.client.program import standard_io
from securecom.client.program.desktop import desktop_of
from securecom.signals import on_signal

#: Where a terminal does not tell its size.
_COLUMNS, _ROWS = 80, 24


class TerminalFrontend(EditedLines):
    """Lines and their editor on standard input and output, which are a terminal."""

    def __init__(self, launch: Launch) -> None:
        self._reactor = launch.reactor
        plain = Plain(_now, lambda: standard_io.screen(standard_io.OUTPUT), echoes=True)
        super().__init__(launch, plain, _now, opened(standard_io.OUTPUT), _size)
        means, desktop = Means.of(os.environ), desktop_of(launch.reactor)
        clock = launch.reactor.seconds
        self.heed(Attention(self.control, means, self.choices, clock, desktop))

    def start(self) -> Deferred[None]:
        """UserFrontend."""
        on_signal(self._reactor, signal.SIGCONT, self.continued)
        ended = super().start()
        self.show(Welcome(INTERFACE, __version__))
        return ended


def _now() -> str:
    return time.strftime("%H:%M")


def _size() -> tuple[int, int]:
    try:
        size = os.get_terminal_size(standard_io.OUTPUT)
    except OSError:
        return _COLUMNS, _ROWS
    return size.columns or _COLUMNS, size.lines or _ROWS
