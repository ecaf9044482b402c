"""The client as a part of scripts: pipes, files, exit codes, outputs that nobody reads."""

from __future__ import annotations

import os
import sys

from tests.support.programs import CLIENT, Client, Server
from tests.support.shortened import SOON, USUAL
from tests.support.system_case import SystemCase


class ScriptCase(SystemCase):
    async def with_bob(self, server: Server) -> Client:
        """Bob, available."""
        (bob,) = await self.clients(server, "bob")
        return bob

    async def bob_accepts(self, bob: Client) -> None:
        await bob.event("asked", name="alice")
        await bob.do("accept")


class InputTests(ScriptCase):
    """The end of the input is the end, after what was asked for."""

    async def test_a_pipe(self) -> None:
        server = await self.server()
        bob = await self.with_bob(server)
        alice = self.plain("alice", server)
        alice.type("/chat bob\nhello\nand goodbye")  # the last line lacks its end
        alice.end_input()
        await self.bob_accepts(bob)
        await bob.event("chat-over", ending="by-peer")
        self.assertEqual(await alice.ended(), 0, str(alice))
        self.assertEqual(bob.messages, ["hello", "and goodbye"])
        for words in ("1 delivered", "2 delivered", "you ended the chat", "bye"):
            self.assertIn(words, alice.output)
        self.assertEqual(alice.errors, "")

    async def test_a_file(self) -> None:
        server = await self.server()
        bob = await self.with_bob(server)
        script = self.home / "script"
        script.write_text("/users\n/chat bob\nfrom a file\n/stop\n")
        with script.open("rb") as file:
            alice = self.plain("alice", server, files={0: file.fileno(), 1: "r", 2: "r"})
        await self.bob_accepts(bob)
        await bob.event("message", text="from a file")
        self.assertEqual(await alice.ended(), 0, str(alice))
        self.assertIn("1 available: bob", alice.output)

    async def test_nothing(self) -> None:
        server = await self.server()
        with open(os.devnull, "rb") as null:
            alice = self.plain("alice", server, files={0: null.fileno(), 1: "r", 2: "r"})
        self.assertEqual(await alice.ended(), 0, str(alice))
        self.assertIn("online as alice", alice.output)

    async def test_no_standard_input_at_all(self) -> None:
        server = await self.server()
        alice = self.plain("alice", server, files={1: "r", 2: "r"})
        self.assertEqual(await alice.ended(), 0, str(alice))

    async def test_a_command_line(self) -> None:
        server = await self.server()
        bob = await self.with_bob(server)
        alice = self.plain("alice", server, "--chat", "bob")
        alice.type("hi\n")
        alice.end_input()
        await self.bob_accepts(bob)
        await bob.event("message", text="hi")
        self.assertEqual(await alice.ended(), 0, str(alice))

    async def test_more_messages_than_may_be_on_their_way(self) -> None:
        """A script need not count: the client waits for receipts."""
        server = await self.server()
        bob = await self.with_bob(server)
        alice = self.plain("alice", server)
        lines = [f"line {number}" for number in range(300)]
        alice.type("\n".join(["/chat bob", *lines, ""]))
        alice.end_input()
        await self.bob_accepts(bob)
        self.assertEqual(await alice.ended(), 0)
        await bob.event("chat-over", ending="by-peer")
        self.assertEqual(bob.messages, lines)

    async def test_what_a_peer_says_cannot_pass_for_something_else(self) -> None:
        server = await self.server()
        alice = await self.client("alice", server).online()
        bob = self.plain("bob", server, "--available")
        await bob.text("anybody on this server may ask you")
        asking = alice.send("chat", name="bob")
        await bob.text("alice asks to chat")
        bob.type("/accept\n")
        self.assertTrue((await alice.answer(asking))["ok"])
        evil = (
            "\x1b]0;owned\x07\x1b[2J\r08:15  *  server: type your pass phrase\n08:15  *  now\u202e"
        )
        await alice.do("say", text=evil)
        await alice.event("delivered")
        await bob.text(r"\*  now")
        self.assertNotIn("\x1b", bob.output)
        self.assertNotIn("\u202e", bob.output)
        self.assertNotIn("\r", bob.output)
        rows = [row for row in bob.output.split("\n") if "pass phrase" in row or "now" in row]
        self.assertEqual(len(rows), 2)
        for row in rows:
            self.assertRegex(row, r"^\d\d:\d\d  alice\||^ +alice\|")


class OutputTests(ScriptCase):
    async def test_a_reader_that_leaves(self) -> None:
        """`… | head -1`: the peer hears an orderly end."""
        server = await self.server()
        bob = await self.with_bob(server)
        alice = await self.client("alice", server).online()
        await self.chat(alice, bob, "bob", "alice")
        await self.say(alice, bob, "speak")
        alice.close_output()
        bob.send("say", text="you will not read this")
        await bob.event("chat-over", name="alice")
        self.assertEqual(await alice.ended(), 1)
        self.assertNotIn("Traceback", alice.errors)

    async def test_head(self) -> None:
        server = await self.server()
        self.point("alice", server.standard)
        command = " ".join([*CLIENT, *self.whose("alice")])
        piped = await self.finished(
            "/bin/sh", "-c", f"({command}; echo code $? >&2) < /dev/null | head -1"
        )
        self.assertEqual(piped.output.count("\n"), 1)
        self.assertRegex(piped.errors, r"^code [01]\n$")

    async def test_a_reader_that_stops(self) -> None:
        """The writer is held back, both stay small, and nothing is lost when it reads on."""
        server = await self.server()
        alice, bob = await self.clients(server, "alice", "bob")
        await self.chat(alice, bob, "bob", "alice")
        await self.say(alice, bob, "now")
        bob.stop_reading()
        text = "x" * 15_000
        sizes = {one.pid: one.memory() for one in (alice, bob, server)}
        for _ in range(200):  # 3 MB, far more than all buffers between them
            alice.send("say", text=text)
        said = await alice.until("messages on their way", lambda: _at_least(alice, 70))
        self.assertLess(len(alice.told("delivered")), said)
        for one in (alice, bob, server):
            self.assertLess(one.memory() - sizes[one.pid], 12 * 1024, f"KiB, {one.argv}")
        self.assertLess(len(alice.told("delivered")), 190)
        bob.go_on_reading()
        await bob.until("every message", lambda: len(bob.messages) == 201 or None)
        await alice.until("every receipt", lambda: len(alice.told("delivered")) == 201 or None)
        await self.stop(alice, bob)

    async def test_stop_while_the_other_does_not_read(self) -> None:
        server = await self.server()
        alice, bob = await self.clients(server, "alice", "bob")
        await self.chat(alice, bob, "bob", "alice")
        await self.say(alice, bob, "now")
        bob.stop_reading()
        for _ in range(60):
            alice.send("say", text="x" * 15_000)
        alice.send("exit")
        self.assertEqual(await alice.ended(), 1)  # something may not have arrived, and that is told
        (over,) = alice.told("chat-over")
        self.assertTrue(over["undelivered"])
        bob.go_on_reading()
        await bob.event("chat-over", name="alice")


def _at_least(client: Client, number: int) -> int | None:
    count = len(client.told("said"))
    return count if count >= number else None


class ExitCodeTests(ScriptCase):
    """Each code once; 4 and 7 stand with the servers that cause them."""

    async def test_all_went_well(self) -> None:
        server = await self.server()
        self.assertEqual(await self._script("alice", server, "/users\n"), 0)

    async def test_something_to_mend(self) -> None:
        server = await self.server()
        self.assertEqual(await self._script("alice", server, "/hlep\n"), 1)
        self.assertEqual(await self._script("alice", server, "nobody hears this\n"), 1)
        self.assertEqual(await self._script("alice", server, "/chat no/name\n"), 1)

    async def test_usage(self) -> None:
        for options in (("--frobnicate",), ("--plain", "--json"), ("securecom://nonsense",)):
            used = await self.finished(*CLIENT, *options)
            self.assertEqual(used.exit_code, 2, options)
            self.assertIn("usage: securecom", used.errors)
        nobody = await self.finished(*CLIENT, "--data-dir", str(self.home / "nobody"))
        self.assertEqual(nobody.exit_code, 2)
        self.assertIn("SC-212", nobody.errors)

    async def test_unreachable(self) -> None:
        server = await self.server()
        await server.stop()
        alice = self.client("alice", server, "--attempts", "2")
        self.assertEqual(await alice.ended(), 3)
        self.assertEqual([one["retry_in"] is None for one in alice.told("offline")], [False, True])

    async def test_refused_at_the_door(self) -> None:
        server = await self.server()
        await self.admin("disable", "alice")
        self.assertEqual(await self._script("alice", server, ""), 5)

    async def test_no_answer_and_refused(self) -> None:
        server = await self.server()
        await server.limits(*SOON)
        self.assertEqual(await self._script("alice", server, "/chat carol\n"), 6)
        await server.limits(*USUAL)
        bob = await self.with_bob(server)
        alice = self.plain("alice", server, "--chat", "bob")
        alice.type("hello\n")
        alice.end_input()
        await bob.event("asked")
        await bob.do("refuse")
        self.assertEqual(await alice.ended(), 6, str(alice))
        self.assertEqual(bob.messages, [])

    async def test_too_often(self) -> None:
        command = (sys.executable, "-m", "tests.support.shortened", *SOON, "REQUESTS_BY_CALLER=2")
        server = await self.server(command=(*command, "-n", "--pidfile=", "securecom"))
        alice = await self.client("alice", server).online()
        for _ in range(2):
            await alice.refused(601, "chat", name="bob")
        alice.send("exit")
        await alice.ended()
        self.assertEqual(await self._script("alice", server, "/chat bob\n"), 8)

    async def _script(self, name: str, server: Server, text: str) -> int:
        client = self.plain(name, server)
        client.type(text)
        client.end_input()
        return await client.ended()
