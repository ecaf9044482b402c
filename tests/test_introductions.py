"""Somebody introduces two people to each other: three real clients at a real server."""

from __future__ import annotations

from tests.support.programs import Client
from tests.support.system_case import SystemCase


class IntroductionTests(SystemCase):
    # Promise C103, C104, C107
    async def test_two_people_who_never_met_get_each_others_keys_from_a_third(self) -> None:
        server = await self.server()
        alice, bob, carol = await self.clients(server, "alice", "bob", "carol")
        for client, name in ((bob, "bob"), (carol, "carol")):
            await self.verify(alice, client, name)
        await alice.do("introduce", introduction="bob to carol")
        await self.asked(alice, bob, "bob", "carol")
        await self.asked(alice, carol, "carol", "bob")
        bobs = await carol.event("introduced", name="bob", by="alice", trust="introduced")
        self.assertEqual(bob.told("introduced"), [])
        await self.chat(alice, bob, "bob", "alice")
        carols = await bob.event("introduced", name="carol", by="alice", trust="introduced")
        await self.stop(alice, bob)
        for client, other, told in ((bob, carol, carols), (carol, bob, bobs)):
            await other.do("fingerprint")
            self.assertEqual(other.told("fingerprints")[-1]["fingerprint"], told["fingerprint"])
            await client.do("whois", name=told["name"])
            whois = client.told("whois")[-1]
            self.assertEqual((whois["trust"], whois["introduced_by"]), ("introduced", "alice"))
        await self.chat(bob, carol, "carol", "bob")
        for client in (bob, carol):
            self.assertEqual(client.told("chat-started")[-1]["trust"], "introduced")
        await self.say(bob, carol, "alice says you are you")

    # Promise C104
    async def test_after_a_no_nobody_gets_a_key(self) -> None:
        server = await self.server()
        alice, bob, carol = await self.clients(server, "alice", "bob", "carol")
        for client, name in ((bob, "bob"), (carol, "carol")):
            await self.verify(alice, client, name)
        await alice.do("introduce", introduction="bob to carol")
        await self.asked(alice, bob, "bob", "carol")
        await self.asked(alice, carol, "carol", "bob", "no")
        await self.chat(alice, bob, "bob", "alice")
        await self.stop(alice, bob)
        self.assertEqual(bob.told("introduced") + carol.told("introduced"), [])
        await alice.do("introduce")
        self.assertEqual(alice.told("introductions")[-1]["pending"], [])

    # --- steps ------------------------------------------------------------------------------

    async def verify(self, alice: Client, other: Client, name: str) -> None:
        """Alice and this person compare their safety numbers."""
        await self.chat(alice, other, name, "alice")
        for client in (alice, other):
            await client.do("verify")
            await client.do("verify", word="yes")
        for client in (alice, other):
            await client.event("compared", by="peer", word="yes")
        await self.stop(alice, other)

    async def asked(
        self, alice: Client, one: Client, name: str, other: str, word: str = "yes"
    ) -> None:
        """In a chat with Alice, this person is asked, and answers."""
        await self.chat(alice, one, name, "alice")
        await one.event("introduction-offered", name="alice", other=other, trust="verified")
        await one.do("introduce", introduction=f"{word} {other}")
        await alice.event("introduction", name=name, other=other, stage=word)
        await self.stop(alice, one)
