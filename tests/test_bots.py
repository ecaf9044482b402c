"""Programs that answer requests and chat: the examples of docs/bots.md, and worse ones."""

from __future__ import annotations

import json
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

from tests.support.processes import ROOT, environment
from tests.support.programs import Client, Server
from tests.support.shortened import SILENCE, USUAL
from tests.support.system_case import SystemCase

EXAMPLES = ROOT / "docs" / "examples"
FAILED = 216


class OnRequestCase(SystemCase):
    """Bob has a program; alice asks him."""

    async def with_program(self, server: Server, *command: str) -> Client:
        """Bob, available, with this program."""
        words = ("--available", "--on-request", shlex.join(command))
        return await self.client("bob", server, *words).online()

    async def with_script(self, server: Server, script: str) -> Client:
        """Bob, with these lines of Python."""
        path = self.home / "decide.py"
        path.write_text(script)
        return await self.with_program(server, sys.executable, str(path))

    async def asked_after_all(self, bob: Client, why: str) -> None:
        """The program failed, so bob is asked, and says yes."""
        problem = await bob.event("problem", code=FAILED)
        self.assertIn(why, problem["what"])
        await bob.event("asked", name="alice")
        bob.send("accept", name="alice")

    def is_gone(self, pid: int) -> bool:
        """Ended, whether or not its parent has looked."""
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        return state in ("Z", "X")


class ExampleTests(OnRequestCase):
    """docs/examples/on_request.py."""

    # Promise C61
    async def test_accepts_asks_and_dismisses_as_it_says(self) -> None:
        server = await self.server()
        example = (sys.executable, str(EXAMPLES / "on_request.py"))
        bob = await self.with_program(server, *example)
        alice = await self.client("alice", server).online()
        # Somebody new finds nobody at home.
        await server.limits(*SILENCE)
        asking = alice.send("chat", name="bob")
        told = await bob.event("answered-for-you", name="alice")
        self.assertEqual((told["answer"], told["trust"]), ("dismiss", "new"))
        self.assertEqual((await alice.answer(asking))["what"], "bob did not answer")
        await server.limits(*USUAL)
        # Bob asks her, and they compare: from then on she comes in.
        await alice.do("available")
        await self.chat(bob, alice, "alice", "bob")
        for client in (alice, bob):
            await client.do("verify")
            await client.do("verify", word="yes")
        await self.stop(bob, alice)
        asking = alice.send("chat", name="bob")
        told = await bob.event("answered-for-you", name="alice")
        self.assertEqual((told["answer"], told["trust"]), ("accept", "verified"))
        self.assertTrue((await alice.answer(asking))["ok"])
        await self.say(alice, bob, "nobody had to say yes")
        # The comparison was wrong: she is somebody whom he has met.
        await bob.do("verify")
        await bob.do("verify", word="no")
        await alice.event("chat-over")
        asking = alice.send("chat", name="bob")
        await bob.event("asked", name="alice", trust="met")
        await bob.do("refuse")
        self.assertFalse((await alice.answer(asking))["ok"])
        self.assertEqual(len(bob.told("asked")), 1)
        self.assertEqual(bob.told("problem"), [])


class ProgramTests(OnRequestCase):
    """What real processes do."""

    async def test_what_it_has_around_it(self) -> None:
        """No settings of ours, no folder of ours, no descriptor but three, no terminal."""
        told = self.home / "told"
        server = await self.server()
        bob = await self.with_script(
            server,
            f"""
import json, os, sys
numbers = os.listdir("/proc/self/fd")
facts = {{
    "request": json.loads(sys.stdin.read()),
    "environment": sorted(os.environ),
    "folder": os.getcwd(),
    "descriptors": [int(n) for n in numbers if os.path.exists("/proc/self/fd/" + n)],
    "leads": os.getpid() == os.getpgrp() == os.getsid(0),
}}
open({str(told)!r}, "w").write(json.dumps(facts))
print("this is nobody's to read", file=sys.stderr)
print('{{"answer": "refuse"}}')
""",
        )
        alice = await self.client("alice", server).online()
        refused = await alice.ask("chat", name="bob")
        self.assertEqual(refused["what"], "bob said no")
        facts: dict[str, Any] = json.loads(told.read_text())
        request = facts["request"]
        self.assertEqual(
            list(request),
            [
                "event",
                "interface",
                "name",
                "trust",
                "fingerprint",
                "seconds",
                "missed",
                "ago",
                "chat_seconds",
            ],
        )
        self.assertEqual((request["name"], request["trust"]), ("alice", "new"))
        self.assertLessEqual(
            set(facts["environment"]),
            {"PATH", "HOME", "TMPDIR", "TZ", "LANG", "LC_ALL", "LC_CTYPE"},
        )
        self.assertEqual((facts["folder"], facts["leads"]), ("/", True))
        self.assertEqual(sorted(facts["descriptors"]), [0, 1, 2])
        self.assertEqual(bob.errors, "")

    # Promise C58
    async def test_junk_is_not_shown_and_bob_is_asked(self) -> None:
        server = await self.server()
        bob = await self.with_script(server, r'print("\x1b[2Jyour pass phrase: ")')
        alice = await self.client("alice", server).online()
        asking = alice.send("chat", name="bob")
        await self.asked_after_all(bob, "not one JSON object")
        self.assertTrue((await alice.answer(asking))["ok"])
        self.assertNotIn("pass phrase", bob.output)

    # Promise C58
    async def test_one_that_falls_over(self) -> None:
        server = await self.server()
        bob = await self.with_script(server, 'print(\'{"answer": "accept"}\', flush=True)\n1 / 0')
        alice = await self.client("alice", server).online()
        alice.send("chat", name="bob")
        await self.asked_after_all(bob, "exit code 1")
        self.assertEqual(bob.errors, "")

    async def test_one_that_is_not_there_any_more(self) -> None:
        server = await self.server()
        bob = await self.with_script(server, "")
        (self.home / "decide.py").unlink()
        alice = await self.client("alice", server).online()
        alice.send("chat", name="bob")
        await self.asked_after_all(bob, "exit code 2")

    # Promise C58
    async def test_one_that_takes_for_ever_is_ended_with_what_it_started(self) -> None:
        server = await self.server()
        bob, pids = await self._sleeper(server)
        alice = await self.client("alice", server).online()
        alice.send("chat", name="bob")
        await self.asked_after_all(bob, "longer than 5 s")
        await self._are_gone(bob, pids)

    # Promise C60
    async def test_one_whose_request_is_withdrawn_is_ended(self) -> None:
        server = await self.server()
        bob, pids = await self._sleeper(server)
        alice = await self.client("alice", server).online()
        asking = alice.send("chat", name="bob")
        await self._runs(alice, pids)
        await alice.do("cancel")
        await alice.answer(asking)
        await self._are_gone(bob, pids)
        self.assertEqual(bob.told("asked") + bob.told("problem"), [])

    async def test_one_whose_client_ends_is_ended(self) -> None:
        server = await self.server()
        bob, pids = await self._sleeper(server)
        alice = await self.client("alice", server).online()
        alice.send("chat", name="bob")
        await self._runs(alice, pids)
        bob.signal(signal.SIGTERM)
        await bob.ended()
        await self._are_gone(alice, pids)

    async def _sleeper(self, server: Server) -> tuple[Client, Path]:
        """Bob's program starts another one and waits; the file with their numbers."""
        pids, new = self.home / "pids", self.home / "pids.new"
        script = f"""
import os, subprocess
other = subprocess.Popen(["sleep", "1000"])
open({str(new)!r}, "w").write(f"{{os.getpid()}} {{other.pid}}")
os.rename({str(new)!r}, {str(pids)!r})
other.wait()
"""
        return await self.with_script(server, script), pids

    async def _runs(self, alive: Client, pids: Path) -> None:
        """The program and what it has started; `alive` gives us the time to look."""
        while not pids.exists():
            await alive.do("requests")

    async def _are_gone(self, alive: Client, pids: Path) -> None:
        """Both of them."""
        numbers = [int(word) for word in pids.read_text().split()]
        while not all(map(self.is_gone, numbers)):
            await alive.do("requests")
        self.assertEqual(len(numbers), 2)


class EchoTests(SystemCase):
    """docs/examples/echo_bot.py."""

    # Promise C61
    async def test_it_answers_and_its_client_ends_with_it(self) -> None:
        server = await self.server()
        self.point("bob", server.standard)
        folder = f"{Path(sys.executable).parent}:/usr/bin:/bin"
        bot = self.run_process(
            sys.executable,
            str(EXAMPLES / "echo_bot.py"),
            *self.whose("bob")[:2],
            env=environment(self.home, PATH=folder),
        )
        alice = await self.client("alice", server).online()
        await bot.text("^available$")
        await alice.do("chat", name="bob")
        for text in ("is there an echo?", "zwei\nZeilen, ä \x1b[2J"):
            await alice.do("say", text=text)
            await alice.event("message", name="bob", text=text)
        bot.signal(signal.SIGKILL)
        await alice.event("chat-over", name="bob")
        self.assertEqual(bot.errors, "available\n")


class JsonBotTests(SystemCase):
    """A program that answers `asked` by itself, as docs/json.md says."""

    async def test_accept_refuse_and_dismiss(self) -> None:
        server = await self.server()
        alice, bob = await self.clients(server, "alice", "bob")
        for word, reason, what, stands in (
            ("dismiss", "dismissed", "bob did not answer", SILENCE),
            ("refuse", "refused", "bob said no", USUAL),
        ):
            await server.limits(*stands)
            asking = alice.send("chat", name="bob")
            asked = await bob.event("asked", name="alice")
            told = ["event", "name", "trust", "fingerprint", "seconds", "chat_seconds"]
            self.assertEqual(list(asked), [*told, "introduced_by"])
            await bob.do(word, name="alice")
            await bob.event("asked-over", name="alice", reason=reason)
            self.assertEqual((await alice.answer(asking))["what"], what)
        # Now alice has to wait; bob asks, and her program accepts.
        await self.chat(bob, alice, "alice", "bob")
        await alice.event("asked-over", name="bob", reason="accepted")
        await self.say(bob, alice, "hello")
        await self.stop(alice, bob)
