"""Comparing safety numbers, and a key that changed, with real processes."""

from __future__ import annotations

import re

from tests.programs import Client
from tests.town import TownCase

KEY_CHANGED = 701


class KeysTests(TownCase):
    async def test_two_people_compare_and_each_sees_the_others_word(self) -> None:
        server = await self.server()
        alice, bob = await self.clients(server, "alice", "bob")
        await self.chat(alice, bob, "bob", "alice")
        numbers = [await self._number(client) for client in (alice, bob)]
        self.assertEqual(numbers[0], numbers[1])
        await alice.do("verify", word="yes")
        await bob.event("compared", name="alice", by="peer", word="yes")
        self.assertEqual(await self._trust(bob, "alice"), "met")
        await bob.do("verify", word="yes")
        await alice.event("compared", name="bob", by="peer", word="yes")
        await self.stop(alice, bob)
        await self.chat(bob, alice, "alice", "bob")
        for client, name in ((alice, "bob"), (bob, "alice")):
            self.assertEqual(client.told("chat-started")[-1]["trust"], "verified")
            self.assertEqual(await self._trust(client, name), "verified")

    async def test_a_no_ends_the_chat_and_says_why(self) -> None:
        server = await self.server()
        alice, bob = await self.clients(server, "alice", "bob")
        await self.chat(alice, bob, "bob", "alice")
        await bob.do("verify", word="no")
        await alice.event("compared", by="peer", word="no")
        await alice.event("chat-over", ending="by-peer")
        await bob.event("chat-over", ending="by-me")

    async def test_a_key_that_was_reset_is_taken_in_so_many_words(self) -> None:
        server = await self.server()
        alice, bob = await self.clients(server, "alice", "bob")
        await self.chat(alice, bob, "bob", "alice")
        await self.stop(alice, bob)
        await self.admin("reset-key", "bob")
        await bob.ended()
        (link,) = await self.invite("bob")
        new = await self.enrolling(link, "bob2", "--no-pass", "--available", "--stay").online()
        asking = alice.send("chat", name="bob")
        await new.event("asked", trust="new")
        new.send("accept")
        failed = await alice.answer(asking)
        self.assertEqual(failed["code"], KEY_CHANGED)
        (pin,) = re.findall(r"/trust (bob SHA256:\S+)$", failed["hint"])
        await alice.do("trust", pin=pin)
        await self.chat(alice, new, "bob", "alice")
        self.assertEqual(alice.told("chat-started")[-1]["trust"], "changed")
        await self.say(alice, new, "is it you?")
        await alice.do("whois", name="bob")
        whois = alice.told("whois")[-1]
        self.assertEqual((whois["trust"], len(whois["earlier"])), ("met", 1))
        self.assertEqual(whois["fingerprint"], pin.split()[1])

    async def _number(self, client: Client) -> str:
        await client.do("verify")
        number = client.told("safety-number")[-1]["number"]
        self.assertRegex(number, r"\A\d{5}( \d{5}){11}\Z")
        return str(number)

    async def _trust(self, client: Client, name: str) -> str:
        await client.do("whois", name=name)
        return str(client.told("whois")[-1]["trust"])
