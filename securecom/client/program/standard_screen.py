"""The full-screen front-end on standard input and output."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any

from textual.drivers.linux_driver import LinuxDriver
from twisted.internet.defer import Deferred

from securecom import limits
from securecom.client.api import Launch
from securecom.client.frontends.attention import Attention, Means
from securecom.client.frontends.fullscreen.app import ChatApp
from securecom.client.frontends.fullscreen.frontend import FullScreen
from securecom.client.frontends.fullscreen.screen_output import ScreenOutput
from securecom.client.frontends.fullscreen.situation import Situation
from securecom.client.frontends.plain import Plain
from securecom.client.frontends.terminal_writer import opened
from securecom.client.program import choosing, standard_io
from securecom.client.program.desktop import desktop_of
from securecom.errors import NoFrontend

if TYPE_CHECKING:
    from textual.app import App


class OutputDriver(LinuxDriver):
    """Draws on standard output, as every other front-end does, and not on standard error.

    Textual's own would wait for a terminal that takes nothing, and everything here with it.
    """

    def __init__(self, app: App[object], **named: Any) -> None:
        super().__init__(app, **named)
        self._file = sys.__stdout__
        self._output: ScreenOutput | None = None
        self._thread: Thread | None = None
        self._number = -1
        self._was_stopped = False

    def start_application_mode(self) -> None:
        """Driver."""
        loop, redraw = asyncio.get_running_loop(), self._app.refresh

        def caught_up() -> None:
            with suppress(RuntimeError):  # the loop is over
                loop.call_soon_threadsafe(partial(redraw, layout=True))

        self._number = opened(standard_io.OUTPUT)
        self._output = ScreenOutput(self._number, caught_up)
        self._thread = Thread(target=self._output.write_all, name="screen-output", daemon=True)
        self._thread.start()
        super().start_application_mode()
        if self._was_stopped:  # Textual draws again only what changes, or if the size is another
            caught_up()

    def stop_application_mode(self) -> None:
        """Driver."""
        self._was_stopped = True
        if self._output is not None:
            self._output.hurry()
        super().stop_application_mode()

    def write(self, data: str) -> None:
        """Driver."""
        if self._output is not None:
            self._output.put(data)

    def close(self) -> None:
        """Driver."""
        if self._output is not None and self._thread is not None:
            self._output.end()
            self._thread.join(limits.TERMINAL_DEADLINE)
            if not self._thread.is_alive():
                os.close(self._number)
            self._output = self._thread = None
        super().close()


class StandardScreen(FullScreen):
    """The whole terminal."""

    def __init__(self, launch: Launch) -> None:
        if not choosing.is_screen():
            hint = "Nothing was sent. Use --plain, or --json."
            raise NoFrontend("the full screen needs a terminal for input and output", hint)
        super().__init__(launch)
        clock, desktop = launch.reactor.seconds, desktop_of(launch.reactor)
        means = Means.of(os.environ)
        self.attention = Attention(self.app.control, means, self.choices, clock, desktop)
        self.app.looked = self.attention.looked

    def make_app(self, situation: Situation) -> ChatApp:
        """FullScreen."""
        app = super().make_app(situation)
        app.driver_class = OutputDriver
        return app

    def start(self) -> Deferred[None]:
        """UserFrontend."""
        self.app.garbage.begin()
        return super().start().addBoth(self._said_last)

    def _said_last(self, result: object) -> object:
        """Say what ended it where it stays: the screen is gone."""
        self.app.garbage.end()
        plain = Plain(lambda: time.strftime("%H:%M"), lambda: standard_io.screen(1))
        rows = [row for event in self.last_words for row in plain.lines(event)]
        with suppress(OSError):  # the terminal may have gone, or take nothing
            number = opened(standard_io.OUTPUT)
            try:
                os.write(number, "".join(f"{row}\n" for row in rows).encode())
            finally:
                os.close(number)
        return result
