"""The lines and JSON front-ends on standard input and output, whatever these are."""

from __future__ import annotations

import os
import signal
import time

from twisted.internet.defer import Deferred
from twisted.internet.stdio import StandardIO

from securecom import __version__
from securecom.client.api import Launch
from securecom.client.events import Welcome
from securecom.client.frontends.attention import Attention, Means
from securecom.client.frontends.jsonl import INTERFACE, Json
from securecom.client.frontends.lines import Language, Lines
from securecom.client.frontends.orders import orders_of
from securecom.client.frontends.output import Splitter, TerminalLines
from securecom.client.program import standard_io
from securecom.client.program.choosing import is_screen
from securecom.client.program.desktop import desktop_of
from securecom.signals import on_signal


class StandardLines(Lines):
    """Lines of text, appended and never changed."""

    def __init__(self, launch: Launch) -> None:
        self._reactor = launch.reactor
        is_terminal = os.isatty(standard_io.INPUT)
        super().__init__(
            self.language(is_terminal),
            launch.reactor,
            launch.leave,
            patient=self.is_patient(is_terminal),
            stay=launch.arguments.stay,
            hide=standard_io.hide_typing if is_terminal else None,
            source=TerminalLines() if standard_io.is_line_mode() else Splitter(),
            first=orders_of(launch),
        )
        if is_terminal and not isinstance(self._language, Json) and is_screen():
            self.attention = Attention(
                self.control,
                Means.of(os.environ),
                self.choices,
                launch.reactor.seconds,
                desktop_of(launch.reactor),
            )

    def language(self, is_terminal: bool) -> Language:
        """What is spoken here; a program needs none of the words."""
        from securecom.client.frontends.plain import Plain

        return Plain(
            lambda: time.strftime("%H:%M"),
            lambda: standard_io.screen(standard_io.OUTPUT),
            echoes=is_terminal and os.isatty(standard_io.OUTPUT),
        )

    def is_patient(self, is_terminal: bool) -> bool:
        """Orders wait for their time: a script cannot look before it writes."""
        return not is_terminal

    def start(self) -> Deferred[None]:
        """UserFrontend."""
        on_signal(self._reactor, signal.SIGCONT, self.continued)
        StandardIO(self, reactor=self._reactor)
        self.show(Welcome(INTERFACE, __version__))
        return super().start()


class JsonLines(StandardLines):
    """One JSON object a line, in and out."""

    def language(self, is_terminal: bool) -> Language:
        """What is spoken here."""
        return Json()

    def is_patient(self, is_terminal: bool) -> bool:
        """Orders wait: a program answers no question."""
        return True
