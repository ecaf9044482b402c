"""People and servers that vanish, at any moment; and people who leave in good order."""

from __future__ import annotations

import signal

from tests.support.programs import Client, Server
from tests.support.shortened import SILENCE, USUAL
from tests.support.system_case import SystemCase

NO_ANSWER = 601


class KilledTests(SystemCase):
    async def pair(self) -> tuple[Server, Client, Client]:
        server = await self.server()
        alice, bob = await self.clients(server, "alice", "bob")
        return server, alice, bob

    async def test_in_a_chat(self) -> None:
        server, alice, bob = await self.pair()
        carol = await self.client("carol", server).online()
        await self.chat(alice, bob, "bob", "alice")
        await self.say(alice, bob, "wait a moment")
        alice.signal(signal.SIGKILL)
        await bob.event("chat-over", name="alice", ending="cut-off")
        await self.chat(carol, bob, "bob", "carol")  # free again
        await self.say(carol, bob, "what happened?")
        await carol.refused(203, "chat", name="alice")
        await self.stop(carol, bob)
        alice = await self.client("alice", server).online()  # no trace of the old session
        await self.chat(alice, bob, "bob", "alice")

    async def test_with_a_message_on_its_way(self) -> None:
        _, alice, bob = await self.pair()
        await self.chat(alice, bob, "bob", "alice")
        bob.signal(signal.SIGSTOP)
        said = await alice.do("say", text="nobody will read this")
        bob.signal(signal.SIGKILL)
        over = await alice.event("chat-over", ending="cut-off")
        self.assertEqual(over["undelivered"], [said["number"]])
        self.assertEqual(alice.told("delivered"), [])

    async def test_while_asking(self) -> None:
        server, alice, bob = await self.pair()
        alice.send("chat", name="bob")
        await bob.event("asked")
        alice.signal(signal.SIGKILL)
        await bob.event("asked-over", reason="gone")
        carol = await self.client("carol", server).online()
        await self.chat(carol, bob, "bob", "carol")

    async def test_while_being_asked(self) -> None:
        server, alice, bob = await self.pair()
        await server.limits(*SILENCE)
        asking = alice.send("chat", name="bob")
        await bob.event("asked")
        await server.limits(*USUAL)
        bob.signal(signal.SIGKILL)
        self.assertEqual((await alice.answer(asking))["code"], NO_ANSWER)
        carol = await self.client("carol", server, "--available").online()
        await self.chat(alice, carol, "carol", "alice")


class ServerGoneTests(SystemCase):
    async def test_killed_in_a_chat(self) -> None:
        await self._comes_back(signal.SIGKILL)

    async def test_stopped_in_a_chat(self) -> None:
        await self._comes_back(signal.SIGTERM)

    async def _comes_back(self, how: signal.Signals) -> None:
        server = await self.server()
        alice, bob = await self.clients(server, "alice", "bob")
        await self.chat(alice, bob, "bob", "alice")
        await self.say(alice, bob, "before")
        server.signal(how)
        await server.ended()
        for client in (alice, bob):
            await client.event("chat-over", ending="cut-off")
            self.assertIsNotNone((await client.event("offline"))["retry_in"])
        await self.server(*self.ports_of(server))
        for client in (alice, bob):
            await client.event("online", again=True)
            await client.event("availability", available=True)
        await self.chat(alice, bob, "bob", "alice")
        await self.say(alice, bob, "after")
        await self.say(bob, alice, "well done")


class OrderlyTests(SystemCase):
    async def test_interrupted_in_a_chat(self) -> None:
        await self._leaves(signal.SIGINT, 130)

    async def test_terminated_in_a_chat(self) -> None:
        await self._leaves(signal.SIGTERM, 143)

    async def test_hung_up_in_a_chat(self) -> None:
        await self._leaves(signal.SIGHUP, 129)

    async def _leaves(self, number: signal.Signals, code: int) -> None:
        server = await self.server()
        alice, bob = await self.clients(server, "alice", "bob")
        await self.chat(alice, bob, "bob", "alice")
        await self.say(alice, bob, "just a moment")
        alice.signal(number)
        await bob.event("chat-over", name="alice", ending="by-peer", undelivered=[])
        self.assertEqual(await alice.ended(), code)
        self.assertEqual(alice.events[-1], {"event": "left", "exit_code": code})
        self.assertEqual(alice.errors, "")

    async def test_exit_in_a_chat(self) -> None:
        server = await self.server()
        alice, bob = await self.clients(server, "alice", "bob")
        await self.chat(alice, bob, "bob", "alice")
        alice.send("exit")
        await bob.event("chat-over", ending="by-peer")
        self.assertEqual(await alice.ended(), 0)

    async def test_interrupted_while_nobody_answers(self) -> None:
        server = await self.server()
        alice = await self.client("alice", server).online()
        server.signal(signal.SIGSTOP)
        self.addCleanup(server.signal, signal.SIGCONT)
        alice.signal(signal.SIGINT)
        self.assertEqual(await alice.ended(), 130)
