"""Two people at real terminals, each with the full screen: what is typed, seen, sent and left."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from twisted.internet.task import deferLater

from tests.support.processes import DEADLINE, reactor
from tests.support.programs import CLIENT
from tests.support.terminal_case import TerminalCase
from tests.support.tmux import Window, cross


class FullScreenCase(TerminalCase):
    async def sit_down(self, name: str, *options: str) -> Window:
        """Somebody starts their client in a shell; nothing names a front-end."""
        self.point(name, self.at.standard)
        window = self.tmux.window()
        await self.shell_state(window, "before")
        await window.run([*CLIENT, *self.whose(name), *options])
        await window.text(f"{name} @ (?s:.*)online as {name}")
        return window

    async def check_left(self, window: Window, code: int) -> None:
        """Nor has the shell been given what was typed while the client ended."""
        await super().check_left(window, code)
        self.assertNotIn("stray", window.all)

    async def in_a_chat(self, caller: Window, callee: Window) -> None:
        caller.enter("/chat bob")
        await callee.text("asks to chat")
        callee.key("M-y")
        await caller.text("chat with bob \\|")
        await callee.text("chat with alice \\|")

    async def six_words(self, window: Window) -> list[str]:
        """What the dialog says."""
        row = r"^\|? *" + r"([a-z]+) +" * 2 + r"([a-z]+)[ |]*$"
        found = await window.text(rf"not verified:\s*[\s|]*?{row}\n{row}[\s|]*read all six")
        return list(found.groups())


class VisitTests(FullScreenCase):
    async def test_from_the_invitation_to_the_end(self) -> None:
        links = await self.invite("dave", "erin")
        dave, erin = self.tmux.window(), self.tmux.window()
        for window, name, link in zip((dave, erin), ("dave", "erin"), links, strict=True):
            await self.shell_state(window, "before")
            folder = str(self.home / name)
            await window.run([*CLIENT, "--data-dir", folder, "--no-pass", "--available", link])
            await window.text(f"you are {name}; the invitation is spent")
            await window.text("AVAILABLE")
        erin.type("half typed")
        await erin.text("> half typed")
        dave.enter("/chat erin")
        await erin.text("dave asks to chat .*s to answer")
        erin.key("M-y")
        await erin.text("Alt\\+C shows dave")
        self.assertIn("> half typed", erin.screen)
        erin.key("M-c")
        await dave.text("chat with erin \\| NOT VERIFIED")
        dave.enter("hello erin")
        await erin.text(r"dave\| hello erin")
        await dave.text(r"ok +me\| hello erin")
        erin.paste("one\ntwo\nthree")
        await erin.text("three")
        erin.key("Enter")
        await erin.text("Send 3 lines to dave as one message")
        erin.key("Enter")
        await dave.text(r"(?s)erin\| one.*erin\| two.*erin\| three")
        dave.key("F6")
        await dave.text("same\\? yes or no")
        dave.enter("words")
        await dave.text("erin\\s+types")
        await erin.text("dave wants to compare six words")
        erin.enter("/verify words")
        self.assertEqual(await self.six_words(dave), await self.six_words(erin))
        for window in (dave, erin):
            window.enter("yes")
        await dave.text("chat with erin \\| verified")
        await erin.text("chat with dave \\| verified")
        sent, got = await cross(self.home, dave, erin)
        self.assertEqual(got, sent)
        dave.key("C-d")
        await dave.text("The chat with erin ends")
        dave.key("C-c")
        await self.check_left(dave, 0)
        await erin.text("dave ended the chat")
        erin.key("C-c")
        await erin.text("Leave\\?")
        erin.key("C-c")
        await self.check_left(erin, 0)

    async def test_somebody_new_gives_link_and_pass_phrase_on_the_screen(self) -> None:
        (link,) = await self.invite("dave")
        dave = self.tmux.window()
        await self.shell_state(dave, "before")
        await dave.run([*CLIENT, "--data-dir", str(self.home / "dave")])
        await dave.text("Paste it here")
        dave.enter("securecom://nonsense")
        await dave.text("SC-\\d+")
        dave.key("C-u")
        dave.paste(link)
        dave.key("Enter")
        for asked in ("A pass phrase for your new", "The same again"):
            await dave.text(asked)
            dave.enter("correct-horse")
        await dave.text("online as dave")
        self.assertNotIn("correct-horse", dave.all)
        dave.enter("/exit")
        await self.check_left(dave, 0)

    async def test_a_signal_at_the_first_screen(self) -> None:
        dave = self.tmux.window()
        await self.shell_state(dave, "before")
        await dave.run([*CLIENT, "--data-dir", str(self.home / "dave")])
        await dave.text("Paste it here")
        dave.type("echo str''ay")
        os.kill(self.client_of(dave), signal.SIGTERM)
        await self.check_left(dave, 128 + signal.SIGTERM)

    async def test_the_connection_comes_back(self) -> None:
        alice = await self.sit_down("alice")
        bob = await self.sit_down("bob", "--available")
        await self.in_a_chat(alice, bob)
        alice.type("half typed")
        ports = self.ports_of(self.at)
        await self.at.stop()
        await alice.text("OFFLINE")
        await alice.text("cut off: the chat with bob")
        self.assertIn("> half typed", alice.screen)
        self.at = await self.server(*ports)
        alice.key("C-c")
        alice.enter("/reconnect")
        await alice.text("online again as alice")
        alice.enter("/exit")
        await self.check_left(alice, 0)

    async def test_a_signal_ends_it_and_what_is_typed_meanwhile_is_gone(self) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            alice = await self.sit_down("alice")
            alice.type("echo str''ay")
            os.kill(self.client_of(alice), number)
            await self.check_left(alice, 128 + number)

    async def test_the_terminal_is_closed(self) -> None:
        alice = await self.sit_down("alice")
        pid = self.client_of(alice)
        alice.close()
        end = reactor.seconds() + DEADLINE
        while not self.is_gone(pid):
            self.assertLess(reactor.seconds(), end)
            await deferLater(reactor, 0.1)

    async def test_stopped_and_back(self) -> None:
        alice = await self.sit_down("alice")
        alice.type("half typed")
        await alice.text("> half typed")
        drawn = alice.screen
        for number in (signal.SIGTSTP, None):
            if number is None:
                alice.key("C-z")
            else:
                os.kill(self.client_of(alice), number)
            await alice.text(r"\[exit \d+\]")
            self.assertEqual(alice.modes, "0 0 1 0")
            alice.enter("clear; fg; echo [exit $?]")
            await alice.text("(?s)alice @ .*> half typed")
            self.assertEqual(alice.screen.splitlines()[-3:], drawn.splitlines()[-3:])
        alice.key("C-c")
        alice.enter("/exit")
        await self.check_left(alice, 0)

    # Promise R129
    async def test_a_terminal_that_stands_still_keeps_nobody_waiting(self) -> None:
        alice = await self.sit_down("alice")
        bob = await self.client("bob", self.at, "--available").online()
        alice.enter("/chat bob")
        await bob.event("asked", name="alice")
        await bob.do("accept")
        await alice.text("chat with bob \\|")
        alice.enter("hello")
        await bob.event("message", text="hello")
        pid = self.client_of(alice)
        terminal = int(self.tmux.do("display-message", "-p", "#{pid}"))
        os.kill(terminal, signal.SIGSTOP)
        try:
            for number in range(100):  # twenty screens, which no terminal holds by itself
                await bob.do("say", text=f"{number}: " + "many words " * 60)
                await bob.event("delivered", number=number + 1)
        finally:
            os.kill(terminal, signal.SIGCONT)
        await alice.text(r"99: many words")
        alice.enter("it goes on")
        await bob.event("message", text="it goes on")
        os.kill(terminal, signal.SIGSTOP)
        try:
            for number in range(100, 150):
                await bob.do("say", text=f"{number}: " + "many words " * 60)
            os.kill(pid, signal.SIGTERM)
            end = reactor.seconds() + DEADLINE
            while not self.is_gone(pid):
                self.assertLess(reactor.seconds(), end)
                await deferLater(reactor, 0.1)
        finally:
            os.kill(terminal, signal.SIGCONT)
        await self.check_left(alice, 128 + signal.SIGTERM)

    def is_gone(self, pid: int) -> bool:
        try:
            return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return True
