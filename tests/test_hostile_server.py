"""Servers that meddle with chats, or lie about names and keys (`tests.support.hostile_server`)."""

from __future__ import annotations

import re
import signal
import sys

from tests.support.programs import Client, Server
from tests.support.system_case import SystemCase

REFUSED, CHAT_FAILED, KEY_CHANGED = 602, 702, 701
SECRET = "a word that must not come out of order"


class HostileCase(SystemCase):
    async def hostile(self, how: str) -> Server:
        """A server that will do something else once it is armed."""
        command = (sys.executable, "-m", "tests.support.hostile_server", how)
        return await self.server(command=(*command, "-n", "--pidfile=", "securecom"))

    async def arm(self, server: Server) -> None:
        server.signal(signal.SIGUSR1)
        await server.text("armed")

    @staticmethod
    def relayed(server: Server) -> int:
        """Runs of frames that it has passed on."""
        return len(re.findall(r"relayed \d+ bytes", server.output))


class MeddlingTests(HostileCase):
    """The chat ends "cut off" at once, and nobody is shown what was not said."""

    async def test_a_flipped_bit(self) -> None:
        await self._is_found_out("flip", [])

    async def test_a_lost_run(self) -> None:
        await self._is_found_out("drop", [])

    async def test_a_run_that_comes_twice(self) -> None:
        await self._is_found_out("double", ["first"])

    async def test_runs_in_another_order(self) -> None:
        await self._is_found_out("swap", [])

    async def test_a_forged_record(self) -> None:
        await self._is_found_out("add", [])

    async def test_a_forged_end(self) -> None:
        """Only the peer's BYE ends a chat; a server that says so has cut it off."""
        server = await self.hostile("hang_up")
        alice, bob = await self._talking(server)
        await self.arm(server)
        await alice.do("say", text=SECRET)
        for client in (alice, bob):
            await client.event("chat-over", ending="cut-off")
        self.assertEqual(bob.messages, ["hello"])

    async def _is_found_out(self, how: str, shown: list[str]) -> None:
        server = await self.hostile(how)
        alice, bob = await self._talking(server)
        await self.arm(server)
        await alice.do("say", text="first")
        await server.text("meddled")  # so the second is no part of the run that is meddled with
        await alice.ask("say", text="second")
        for client in (alice, bob):
            await client.event("chat-over", ending="cut-off")
        self.assertEqual(bob.messages[1:], shown)
        self.assertEqual(alice.messages, ["hello"])
        self._nothing_was_broken(alice, bob)
        await self.chat(alice, bob, "bob", "alice")
        await self.say(alice, bob, "once more, untouched")

    async def test_our_own_words_sent_back(self) -> None:
        server = await self.hostile("reflect")
        alice, bob = await self._talking(server)
        await self.arm(server)
        await alice.do("say", text=SECRET)
        for client in (alice, bob):
            await client.event("chat-over", ending="cut-off")
        self.assertEqual(alice.messages, ["hello"])

    async def test_a_flipped_bit_in_the_handshake(self) -> None:
        await self._never_stands("flip")

    async def test_a_handshake_sent_back(self) -> None:
        await self._never_stands("reflect")

    async def _never_stands(self, how: str) -> None:
        server = await self.hostile(how)
        alice, bob = await self.clients(server, "alice", "bob")
        await self.arm(server)
        asking = alice.send("chat", name="bob")
        await bob.event("asked")
        accepting = bob.send("accept")
        alice.send("say", text=SECRET)
        for client, number in ((alice, asking), (bob, accepting)):
            self.assertEqual((await client.answer(number))["code"], CHAT_FAILED)
        self.assertEqual(alice.told("chat-started") + bob.told("chat-started"), [])
        self.assertEqual(bob.messages, [])
        for name in ("alice", "bob"):  # and nobody was pinned
            self.assertFalse((self.profile(name).parent / "known_peers").exists())

    async def _talking(self, server: Server) -> tuple[Client, Client]:
        alice, bob = await self.clients(server, "alice", "bob")
        await self.chat(alice, bob, "bob", "alice")
        await self.say(alice, bob, "hello")
        await self.say(bob, alice, "hello")
        return alice, bob

    def _nothing_was_broken(self, *clients: Client) -> None:
        """Only the chat is over, not the session of who was in it."""
        for client in clients:
            self.assertEqual(client.told("offline"), [])
            self.assertEqual(client.errors, "")


class LyingTests(HostileCase):
    async def test_another_key_for_a_callee_we_know(self) -> None:
        server = await self.hostile("lie_to_caller")
        alice, bob = await self.clients(server, "alice", "bob")
        await self.chat(alice, bob, "bob", "alice")
        await self.stop(alice, bob)
        await self.arm(server)
        before = self.relayed(server)  # by now the log has all of the chat before
        asking = alice.send("chat", name="bob")
        await bob.event("asked", trust="met")
        bob.send("accept")
        self.assertEqual((await alice.answer(asking))["code"], KEY_CHANGED)
        await bob.event("result", command="accept", ok=False)
        self.assertEqual(len(alice.told("chat-opening")), 1)
        alice.send("exit")
        await alice.ended()
        self.assertEqual(self.relayed(server), before)  # not a byte of either
        script = self.client("alice", server, "--chat", "bob")
        script.send("say", text=SECRET)
        script.end_input()
        await bob.event("asked")
        bob.send("accept")
        self.assertEqual(await script.ended(), 7)
        self.assertNotIn(SECRET, "".join(bob.messages))

    async def test_another_key_for_a_caller_we_know(self) -> None:
        server = await self.hostile("lie_to_callee")
        alice, bob = await self.clients(server, "alice", "bob")
        await self.chat(alice, bob, "bob", "alice")
        await self.stop(alice, bob)
        await self.arm(server)
        before = self.relayed(server)  # by now the log has all of the chat before
        asking = alice.send("chat", name="bob")
        await bob.event("asked", name="alice", trust="changed")
        await bob.refused(KEY_CHANGED, "accept")
        await bob.do("refuse")
        self.assertEqual((await alice.answer(asking))["code"], REFUSED)
        self.assertEqual(len(bob.told("chat-opening")), 1)
        self.assertEqual(self.relayed(server), before)

    async def test_another_key_at_first_contact_told_to_one(self) -> None:
        """Nothing is pinned yet; still the callee's certificate is not the one of that key."""
        server = await self.hostile("lie_to_caller")
        await self.arm(server)
        await self._fails(server, "bob", KEY_CHANGED, CHAT_FAILED)

    async def test_another_key_at_first_contact_told_to_the_other(self) -> None:
        server = await self.hostile("lie_to_callee")
        await self.arm(server)
        await self._fails(server, "bob", CHAT_FAILED, KEY_CHANGED)

    async def test_somebody_else_under_the_callees_name(self) -> None:
        server = await self.hostile("lead_to_carol")
        await self._fails(server, "carol")

    async def test_somebody_else_under_the_callers_name(self) -> None:
        server = await self.hostile("call_alice_carol")
        await self._fails(server, "bob")

    async def _fails(
        self, server: Server, callee: str, hers: int = CHAT_FAILED, theirs: int = CHAT_FAILED
    ) -> None:
        """Alice asks bob, `callee` accepts, and no chat comes of it.

        Who was told another key says so: it is refused in the handshake, before a certificate and
        a signature of one's own go to its holder.
        """
        alice, other = await self.clients(server, "alice", callee)
        await self.client("bob" if callee == "carol" else "carol", server, "--available").online()
        asking = alice.send("chat", name="bob")
        await other.event("asked")
        accepting = other.send("accept")
        alice.send("say", text=SECRET)
        for client, number, code in ((alice, asking, hers), (other, accepting, theirs)):
            self.assertEqual((await client.answer(number))["code"], code)
        self.assertEqual(other.messages, [])
        self.assertEqual(alice.told("chat-started") + other.told("chat-started"), [])
        for name in ("alice", callee):
            self.assertFalse((self.profile(name).parent / "known_peers").exists())
