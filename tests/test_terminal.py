"""A client at a real terminal: a pass phrase is seen by nobody, wherever it is asked for."""

from __future__ import annotations

from tests.processes import Process
from tests.programs import CLIENT, Client, Server
from tests.town import TownCase

IDENTITYS, BACKUPS, WRONG = "correct-horse", "battery-staple", "wrong-donkey"


class PassPhraseTests(TownCase):
    async def at_a_terminal(self, server: Server) -> Process:
        """Dave enrols, with a pass phrase, and is on line."""
        (link,) = await self.invite("dave")
        folder = str(self.home / "dave")
        dave = self.run_process(*CLIENT, "--data-dir", folder, link, terminal=True)
        await dave.text("A pass phrase for your new identity key: ")
        dave.type(f"{IDENTITYS}\n")
        await dave.text("The same again: ")
        dave.type(f"{IDENTITYS}\n")
        await dave.text("on line as dave")
        return dave

    async def in_a_chat(self, dave: Process, bob: Client) -> None:
        dave.type("/chat bob\n")
        await bob.event("asked", name="dave")
        await bob.do("accept")
        await dave.text("you start")
        dave.type("hello\n")
        await bob.event("message", text="hello")

    async def test_in_a_chat_it_is_neither_shown_nor_said(self) -> None:
        server = await self.server()
        (bob,) = await self.clients(server, "bob")
        dave = await self.at_a_terminal(server)
        await self.in_a_chat(dave, bob)
        copy = self.home / "copy.age"
        dave.type(f"/backup {copy}\n")
        for number, phrase in enumerate((WRONG, IDENTITYS, BACKUPS, BACKUPS), 1):
            await dave.text(rf"(?s)(not shown.*?){{{number}}}")
            dave.type(f"{phrase}\n")
        await dave.until("backup", lambda: copy.exists() or None)
        dave.type("all done\n")
        await bob.event("message", text="all done")
        self.assertEqual(bob.messages, ["hello", "all done"])
        for phrase in (IDENTITYS, BACKUPS, WRONG):
            self.assertNotIn(phrase, dave.output)
        self.assertIn("all done", dave.output, "what is typed shows again")
