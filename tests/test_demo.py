"""`securecom --demo`: everything on this machine, and a chat that goes through."""

from __future__ import annotations

import os

from tests.support.processes import environment
from tests.support.programs import CLIENT, Client
from tests.support.system_case import SystemCase


class DemoTests(SystemCase):
    async def prepare(self) -> None:
        """The demo brings its own server and people."""

    async def test_piped(self) -> None:
        demo = self.run_process(*CLIENT, "--demo")
        demo.type("hello, who are you?\n")
        demo.end_input()
        self.assertEqual(await demo.ended(), 0, str(demo))
        self.assertIn("hello, who are you?", demo.output)
        self.assertNotIn("Traceback", demo.errors)
        self._left_nothing()

    async def test_with_nothing_to_say(self) -> None:
        with open(os.devnull, "rb") as null:
            demo = self.run_process(*CLIENT, "--demo", files={0: null.fileno(), 1: "r", 2: "r"})
        self.assertEqual(await demo.ended(), 0, str(demo))
        self._left_nothing()

    async def test_json(self) -> None:
        argv = [*CLIENT, "--demo", "--json"]
        demo: Client = self.started(Client(argv, environment(self.home)))
        demo.end_input()
        self.assertEqual(await demo.ended(), 0, str(demo))
        for kind in ("chat-started", "delivered", "message", "chat-over"):
            self.assertTrue(demo.told(kind), kind)

    def _left_nothing(self) -> None:
        self.assertEqual([path for path in self.home.rglob("*") if path.is_file()], [])
