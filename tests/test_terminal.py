"""A client at a real terminal: what is seen, what is sent, and what is left to the shell."""

from __future__ import annotations

import os
import re
import signal
import termios
from pathlib import Path

from twisted.internet.task import deferLater

from securecom import limits
from tests.support import shortened
from tests.support.processes import Process, reactor
from tests.support.programs import CLIENT, Client, Server
from tests.support.system_case import SystemCase

IDENTITYS, BACKUPS, WRONG = "correct-horse", "battery-staple", "wrong-donkey"


class PassPhraseTests(SystemCase):
    async def at_a_terminal(self, server: Server) -> Process:
        """Dave enrols, with a pass phrase, and is online."""
        (link,) = await self.invite("dave")
        folder = str(self.home / "dave")
        dave = self.run_process(*CLIENT, "--data-dir", folder, link, terminal=True)
        await dave.text("A pass phrase for your new identity key: ")
        dave.type(f"{IDENTITYS}\n")
        await dave.text("The same again: ")
        dave.type(f"{IDENTITYS}\n")
        await dave.text("online as dave")
        return dave

    async def in_a_chat(self, dave: Process, bob: Client) -> None:
        dave.type("/chat bob\n")
        await bob.event("asked", name="dave")
        await bob.do("accept")
        await dave.text("you asked, so you write first")
        dave.type("hello\n")
        await bob.event("message", text="hello")

    # Promise R44
    async def test_in_a_chat_it_is_neither_shown_nor_said(self) -> None:
        server = await self.server()
        (bob,) = await self.clients(server, "bob")
        dave = await self.at_a_terminal(server)
        await self.in_a_chat(dave, bob)
        copy = self.home / "copy.age"
        dave.type(f"/backup {copy}\n")
        for number, phrase in enumerate((WRONG, IDENTITYS, BACKUPS, BACKUPS), 1):
            await dave.text(rf"(?s)(hidden; press.*?){{{number}}}")
            dave.type(f"{phrase}\n")
        dave.type(f"{BACKUPS}\n")  # once too often, while the backup is being encrypted
        await dave.text("the backup is written")
        await dave.until("echo", lambda: dave.terminal_modes()[3] & termios.ECHO or None)
        dave.type("all done\n")
        await bob.event("message", text="all done")
        self.assertEqual(bob.messages, ["hello", "all done"])
        for phrase in (IDENTITYS, BACKUPS, WRONG):
            self.assertNotIn(phrase, dave.output)
        self.assertIn("all done", dave.output, "what is typed shows again")

    # Promise R44
    async def test_while_one_is_checked_the_next_is_not_shown(self) -> None:
        server = await self.server()
        dave = await self.at_a_terminal(server)
        dave.type("/backup copy.age\n")
        await dave.text("hidden; press Enter")
        for number, phrase in enumerate((WRONG, IDENTITYS), 2):
            dave.type(f"{phrase}\n")
            asked = await self.unseen_until(dave, rf"(?s)(hidden; press.*?){{{number}}}")
            self.assertGreater(asked, 0)
        self.assertTrue(dave.terminal_modes()[3] & termios.ECHO == 0)
        dave.type("\n")
        await dave.text("no pass phrase was given")
        await dave.until("echo", lambda: dave.terminal_modes()[3] & termios.ECHO or None)

    # Promise R44
    async def test_neither_when_the_client_starts(self) -> None:
        server = await self.server()
        dave = await self.at_a_terminal(server)
        dave.type("/exit\n")
        await dave.ended()
        again = self.run_process(*CLIENT, "--data-dir", str(self.home / "dave"), terminal=True)
        await again.text("(?i)pass phrase of .*: ")
        again.type(f"{WRONG}\n")
        self.assertGreater(await self.unseen_until(again, "(?is)(pass phrase of .*: .*){2}"), 0)
        again.type(f"{IDENTITYS}\n")
        await again.text("online as dave")
        self.assertTrue(again.terminal_modes()[3] & termios.ECHO)

    async def unseen_until(self, process: Process, pattern: str) -> int:
        """Look, as often as the reactor lets us, that nothing shows until the text is there."""
        looks = 0
        while not re.search(pattern, process.output):
            self.assertFalse(process.terminal_modes()[3] & termios.ECHO, process.output)
            looks += 1
            await deferLater(reactor, 0.005)
        return looks


class LongLineTests(SystemCase):
    """The kernel keeps 4095 bytes of a line, and says nothing about the rest."""

    # Promise R38
    async def test_a_line_is_sent_whole_or_not_at_all(self) -> None:
        server = await self.server()
        (bob,) = await self.clients(server, "bob")
        alice = self.plain("alice", server, terminal=True)
        await alice.text("online as alice")
        alice.type("/chat bob\n")
        await bob.event("asked", name="alice")
        await bob.do("accept")
        await alice.text("you asked, so you write first")
        longest = "x" * (limits.TERMINAL_LINE - 1)
        alice.type(f"{longest}\n")
        await bob.event("message", text=longest)
        for number, c in enumerate(("x", "\u00e9", "\u4e00", "\U0001f600"), 1):
            alice.type(c * 5000 + "\n")
            await alice.text(rf"(?s)(SC-205.*?){{{number}}}")
        self.assertNotIn("UTF-8", alice.output)
        alice.type("in two \x04parts\n")
        await bob.event("message", text="in two parts")
        alice.type("half a draft\x04\x04")
        await alice.text("was not finished")
        self.assertEqual(await alice.ended(), 0)
        await bob.event("chat-over", ending="by-peer")
        self.assertEqual(bob.messages, [longest, "in two parts"])


class LeftForTheShellTests(SystemCase):
    """What was typed and not read is not for the shell that the client returns to."""

    SHELL = (
        '"$@"; printf "[exit %s]\\n" $?; IFS= read -r line; printf "[shell got <%s>]\\n" "$line"'
    )

    async def prepare(self) -> None:
        await super().prepare()
        self.at = await self.server()

    def in_a_shell(self, *argv: str) -> Process:
        return self.run_process("/bin/sh", "-c", self.SHELL, "sh", *argv, terminal=True)

    async def alice(self, *options: str) -> Process:
        self.point("alice", self.at.standard)
        alice = self.in_a_shell(*CLIENT, *self.whose("alice"), *options)
        await alice.text("online as alice")
        return alice

    def client_of(self, shell: Process) -> int:
        """The process id of the client in a shell."""
        (pid,) = Path(f"/proc/{shell.pid}/task/{shell.pid}/children").read_text().split()
        return int(pid)

    async def check(self, shell: Process, code: int, *, got: str = "") -> None:
        await shell.text(rf"\[exit {code}\]")
        self.assertTrue(shell.terminal_modes()[3] & termios.ICANON)
        self.assertTrue(shell.terminal_modes()[3] & termios.ECHO)
        shell.type("\n")
        await shell.text(rf"\[shell got <{got}>\]")

    # Promise R40
    async def test_ended_by_a_signal(self) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT):
            alice = await self.alice()
            alice.type("touch /tmp/pwned")
            await alice.text("pwned")  # echoed, so it is in the kernel
            os.kill(self.client_of(alice), number)
            await self.check(alice, 128 + number)
            self.assertNotIn("lost", alice.output)

    # Promise R40
    async def test_taken_over(self) -> None:
        alice = await self.alice()
        alice.type("touch /tmp/pwned")
        await alice.text("pwned")
        await self.client("alice", self.at, "--takeover").online()
        await self.check(alice, 5)

    # Promise R40
    async def test_the_server_gone(self) -> None:
        alice = await self.alice("--attempts", "1")
        alice.type("touch /tmp/pwned")
        await alice.text("pwned")
        await self.at.stop()
        await self.check(alice, 3)

    # Promise R40
    async def test_an_end_in_the_middle_of_a_paste(self) -> None:
        """Lines that come after the end of the client belong to the same paste."""
        self.point("alice", self.at.standard)
        patient = ("PASTE_QUIET=3", "PASTE_DEADLINE=60")  # a slow test is no end of a paste
        alice = self.in_a_shell(*shortened.CLIENT, *patient, *self.whose("alice"))
        await alice.text("online as alice")
        os.kill(self.client_of(alice), signal.SIGTERM)
        for _ in range(20):
            alice.type("touch /tmp/pwned\n")
            await deferLater(reactor, limits.PASTE_QUIET / 4)
        await self.check(alice, 143)

    # Promise R41
    async def test_while_a_pass_phrase_is_asked_for(self) -> None:
        (link,) = await self.invite("dave")
        dave = self.in_a_shell(*CLIENT, "--data-dir", str(self.home / "dave"), link)
        await dave.text("A pass phrase for your new identity key: ")
        dave.type("half a pass phrase")
        os.kill(self.client_of(dave), signal.SIGTERM)
        await self.check(dave, 143)

    # Promise R42
    async def test_a_link_that_was_pasted_in_pieces(self) -> None:
        dave = self.in_a_shell(*CLIENT, "--data-dir", str(self.home / "dave"), "-")
        await dave.text("invitation link: ")
        dave.type("this is no link\ntouch /tmp/pwned\ntouch /tmp/pwned\nand a rest")
        await self.check(dave, 1)

    # Promise R43
    async def test_what_is_typed_behind_exit_is_for_the_shell(self) -> None:
        for leave in ("/exit\n", "\x04"):
            alice = await self.alice()
            alice.type(f"{leave}ls -l\n")
            await alice.text(r"\[exit 0\]")
            await alice.text(r"\[shell got <ls -l>\]")
