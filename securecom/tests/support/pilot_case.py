"""The full screen in memory: its application, a scripted core, and what stands on the screen."""

from __future__ import annotations

import asyncio
import os
import time
from argparse import Namespace
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar
from unittest.mock import patch

from textual.pilot import Pilot
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from securecom.client import events as e
from securecom.client.api import Launch
from securecom.client.events import Event, ListedUser
from securecom.client.frontends.fullscreen.frontend import FullScreen
from securecom.tests.support.scripted_core import ScriptedCore

#: Friday, 28 November 2025, 08:05 UTC.
WHEN = 1764317100.0
KEY = "SHA256:lP9eFAzrGsg5ntyGuRmJNQkzjpWDvo111rVlMLsMlBQ"
OTHER_KEY = "SHA256:9Qm3XyZ0aaBcDdEeFfGgHhIiJjKkLlMmNnOoPpQqRrS"
SERVER = "K7QD-9M2X-4TPA-ZC3E"


_T = TypeVar("_T")


def in_memory(screen: Coroutine[Any, Any, _T]) -> _T:
    """What a screen gives back that runs without a client, in an event loop of its own."""
    return asyncio.run(screen)


class Seen:
    """A running full screen: what a test does to it, and what it sees."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.clock = Clock()
        self.left: list[bool] = []
        self.wall = WHEN
        self.core = ScriptedCore()
        self.core.people = [  # type: ignore[misc]
            ListedUser("bob", "verified"),
            ListedUser("carol", "met"),
            ListedUser("dave", "new"),
        ]
        launch = Launch(Namespace(), self.clock, lambda: self.left.append(True))
        self.screen = FullScreen(launch, lambda: self.wall)
        self.app = self.screen.app
        self.size = size
        self.pilot: Pilot[Any]

    async def happens(self, *events: Event) -> None:
        """The core shows these; they are drawn."""
        for event in events:
            self.screen.show(event)
        await self.settle()

    async def settle(self) -> None:
        """A second passes, and everything that is due is drawn."""
        self.clock.advance(1)
        await self.pilot.pause()
        self.app.tick()
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        """Press keys."""
        await self.pilot.press(*keys)
        await self.settle()

    async def type(self, text: str) -> None:
        """Type a text and Enter."""
        self.app.composer.insert(text)
        await self.press("enter")

    async def online(self) -> None:
        """The client is there and logged in."""
        self.screen.begin(self.core)
        where = e.Connecting("chat.example.org", 4241)
        await self.happens(where, e.Online("alice", SERVER, False), e.Availability(True))

    async def chat(self, name: str = "bob", trust: e.Trust = "met") -> None:
        """A chat begins."""
        self.core.begin_chat(name)
        await self.happens(e.ChatStarted(name, "caller", trust, KEY))

    @property
    def calls(self) -> list[Any]:
        """What the core was asked for by the user."""
        return [call for call in self.core.calls if call[0] not in ("watch_people", "typing")]

    @property
    def rows(self) -> list[str]:
        """The screen, row by row."""
        strips = self.app.screen._compositor.render_strips()
        return [strip.text.rstrip() for strip in strips]

    @property
    def text(self) -> str:
        """The screen, as one text."""
        return "\n".join(self.rows)

    @property
    def said(self) -> str:
        """The conversation's rows as one line."""
        column = self.app.scrollback.region.x
        return " ".join(" ".join(row[column:] for row in self.rows).split())


class PilotCase(SynchronousTestCase):
    """Tests of the full screen. Each has an event loop of its own, and no terminal."""

    def setUp(self) -> None:
        zone = os.environ.get("TZ")
        os.environ["TZ"] = "UTC"
        time.tzset()
        self.addCleanup(self._restore_zone, zone)

    def _restore_zone(self, zone: str | None) -> None:
        if zone is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = zone
        time.tzset()

    def drive(
        self,
        scenario: Callable[[Seen], Awaitable[None]],
        size: tuple[int, int] = (80, 24),
        *,
        has_colours: bool = True,
    ) -> Seen:
        """Run a scenario on a screen of this size."""
        colours = {} if has_colours else {"NO_COLOR": "1"}
        kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        with patch.dict(os.environ, {**kept, **colours}, clear=True):
            seen = Seen(size)

        async def run() -> None:
            async with seen.app.run_test(size=size) as pilot:
                seen.pilot = pilot
                await seen.settle()
                await scenario(seen)

        asyncio.run(run())
        return seen
