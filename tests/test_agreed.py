"""What two real clients agreed to: a log that both keep, and a chat that ends by itself."""

from __future__ import annotations

import re
import stat
import sys
from pathlib import Path

from tests.support.programs import Client
from tests.support.system_case import SystemCase

_ROW = re.compile(r"\d\d:\d\d:\d\d  (.*)")
NOT_NOW = 203


class LogTests(SystemCase):
    """Alice and Bob, in a chat."""

    async def begin(self) -> tuple[Client, Client]:
        server = await self.server()
        alice, bob = await self.clients(server, "alice", "bob")
        await self.chat(alice, bob, "bob", "alice")
        await self.say(alice, bob, "before")
        return alice, bob

    async def agree(self, asks: Client, agrees: Client) -> list[Path]:
        """Both said so; the two files, in this order."""
        await asks.do("log", word="on")
        await agrees.event("log", state="asked-by-peer")
        await agrees.do("log", word="on")
        return [Path((await one.event("log", state="on"))["file"]) for one in (asks, agrees)]

    def rows(self, path: Path) -> list[str]:
        found = [_ROW.fullmatch(line) for line in path.read_text().splitlines()]
        return [row[1] for row in found if row]

    # Promise C40
    async def test_both_keep_exactly_what_was_agreed_to(self) -> None:
        alice, bob = await self.begin()
        files = await self.agree(alice, bob)
        await self.say(alice, bob, "one\nbob| no, I did not say that")
        await self.say(bob, alice, "two")
        await bob.do("log", word="off")
        await alice.event("log", state="off", by="peer")
        await self.say(alice, bob, "after")
        await self.say(bob, alice, "after too")
        await self.stop(alice, bob)
        said = ["alice| one", "alice| bob| no, I did not say that", "bob| two"]
        for path, name, other in zip(files, ("alice", "bob"), ("bob", "alice"), strict=True):
            first, *rest = self.rows(path)
            self.assertIn(f"{name} with {other}: alice asked for it, bob agreed", first)
            self.assertEqual(rest, [*said, "-- the log ends: bob ended it"])
            self.assertEqual(path.parent, self.profile(name).parent / "logs" / other)
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
            for folder in (path.parent, path.parent.parent):
                self.assertEqual(stat.S_IMODE(folder.stat().st_mode), 0o700)
            self.assertEqual(list((self.home / name).rglob("*.txt")), [path])

    # Promise C39
    async def test_nothing_is_kept_by_one_alone(self) -> None:
        alice, bob = await self.begin()
        await alice.do("log", word="on")
        await bob.event("log", state="asked-by-peer")
        await self.say(bob, alice, "rather not")
        await bob.do("log", word="off")
        await alice.event("log", state="off", before="asked-by-me")
        await alice.refused(NOT_NOW, "log", word="off")
        await self.stop(bob, alice)
        self.assertEqual(list(self.home.rglob("*.txt")), [])

    async def test_a_client_that_is_killed_leaves_what_was_kept(self) -> None:
        alice, bob = await self.begin()
        files = await self.agree(bob, alice)
        await self.say(bob, alice, "the last words")
        alice.kill()
        await bob.event("chat-over", ending="cut-off")
        self.assertEqual(self.rows(files[1])[1:], ["bob| the last words"])
        ends = ["bob| the last words", "-- the log ends: the chat is over"]
        self.assertEqual(self.rows(files[0])[1:], ends)

    async def test_a_place_that_cannot_be_written_is_no_log(self) -> None:
        alice, bob = await self.begin()
        (self.profile("bob").parent / "logs").symlink_to(self.home / "alice")
        await alice.do("log", word="on")
        await bob.event("log", state="asked-by-peer")
        await bob.refused(704, "log", word="on")
        await self.say(alice, bob, "we talk on")
        self.assertEqual(list(self.home.rglob("*.txt")), [])


class TimeTests(SystemCase):
    # Promise C46
    async def test_a_chat_ends_by_itself_on_both_sides(self) -> None:
        command = (sys.executable, "-m", "tests.support.shortened", "MIN_CHAT_SECONDS=2")
        server = await self.server(command=(*command, "-n", "--pidfile=", "securecom"))
        short = {"MIN_CHAT_SECONDS": 2, "TIME_WARNING": 1}
        alice = await self.hasty("alice", server, **short)
        bob = await self.hasty("bob", server, **short)
        asking = alice.send("chat", name="bob for 4s")
        await bob.event("asked", name="alice", chat_seconds=4)
        await bob.do("accept", name="alice")
        self.assertTrue((await alice.answer(asking))["ok"])
        for client in (alice, bob):
            await client.event("chat-started", chat_seconds=4)
        await self.say(alice, bob, "quickly, then")
        for client in (alice, bob):
            await client.event("time-left", seconds=1)
            await client.event("chat-over", ending="time-up")
        await self.chat(bob, alice, "alice", "bob")
        started = bob.told("chat-started")[-1]
        self.assertIsNone(started["chat_seconds"])
        await self.stop(bob, alice)
