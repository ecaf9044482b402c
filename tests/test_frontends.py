"""A front-end of another package, by its name: the example of the documentation."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.support.processes import ROOT, Process, environment
from tests.support.programs import CLIENT, Server
from tests.support.system_case import SystemCase


class OtherFrontendTests(SystemCase):
    def installed(self) -> Path:
        """A folder with a package that has the example as an entry point."""
        place = self.home / "packages"
        metadata = place / "small_frontend-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: small-frontend\n")
        (metadata / "entry_points.txt").write_text(
            "[securecom.frontends]\nsmall = small_frontend:Small\nbroken = small_frontend:Nothing\n"
        )
        example = (ROOT / "docs" / "examples" / "frontend.py").read_text()
        (place / "small_frontend.py").write_text(example)
        return place

    def small(self, name: str, server: Server) -> Process:
        self.point(name, server.standard)
        env = environment(self.home)
        env["PYTHONPATH"] = f"{self.installed()}:{env['PYTHONPATH']}"
        env["PYTHONUNBUFFERED"] = "1"
        words = (*CLIENT, *self.whose(name), "--available", "--frontend", "small")
        return self.run_process(*words, env=env)

    async def test_a_chat(self) -> None:
        server = await self.server()
        small = self.small("bob", server)
        await small.text("online as bob")
        alice = await self.client("alice", server).online()
        asking = alice.send("chat", name="bob")
        await small.text("alice wants to chat")
        small.type("/yes\n")
        await alice.answer(asking)
        await alice.do("say", text="hi")
        await small.text("alice: 'hi'")
        small.type("hello\n")
        await alice.event("message", text="hello")
        small.type("/exit\n")
        self.assertEqual(await small.ended(), 0)
        await alice.event("chat-over", ending="by-peer")

    async def test_its_ends(self) -> None:
        server = await self.server()
        small = self.small("bob", server)
        await small.text("online as bob")
        small.signal(signal.SIGTERM)
        self.assertEqual(await small.ended(), 128 + signal.SIGTERM)

    async def test_a_name_that_is_none(self) -> None:
        done = await self.finished(*CLIENT, "--frontend", "smal")
        self.assertEqual(done.exit_code, 2)
        self.assertIn("SC-217 there is no front-end smal", done.errors)
