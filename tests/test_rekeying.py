"""Fresh keys in chats between real clients, which get them much sooner than people would."""

from __future__ import annotations

from tests.support.system_case import SystemCase

CUT = 702


class RekeyingTests(SystemCase):
    # Promise C37
    async def test_a_chat_outlives_its_keys_many_times(self) -> None:
        server, often = await self.server(), {"REKEY_BYTES": 4000, "EPOCH_BYTES": 60_000}
        alice = await self.hasty("alice", server, **often)
        bob = await self.hasty("bob", server, **often)
        await self.chat(alice, bob, "bob", "alice")
        said = [f"{number}: " + "x" * 1000 for number in range(150)]
        await self.say(alice, bob, "hello")
        for at in range(0, len(said), 10):  # 150 kB each way, 60 kB to a set of keys at the most
            for client, peer in ((alice, bob), (bob, alice)):
                *texts, last = said[at : at + 10]
                for text in texts:
                    await client.do("say", text=text)
                await self.say(client, peer, last)  # or a slow peer gets too much on old keys
        await self.say(alice, bob, "the end of mine")
        await self.say(bob, alice, "the end of mine")
        self.assertEqual(bob.messages, ["hello", *said, "the end of mine"])
        self.assertEqual(alice.messages, [*said, "the end of mine"])
        await self.stop(bob, alice)

    async def test_a_caller_that_never_renews_its_keys_is_cut_off(self) -> None:
        server = await self.server()
        alice = await self.hasty("alice", server)
        bob = await self.hasty("bob", server, EPOCH_BYTES=60_000)
        await self.chat(alice, bob, "bob", "alice")
        for _ in range(60):
            alice.send("say", text="x" * 1000)  # the last of them are refused: the chat is over
        problem = await bob.event("problem", code=CUT)
        self.assertIn("its keys were used for as much as they may", problem["what"])
        for client in (alice, bob):
            await client.event("chat-over", ending="cut-off")
        self.assertLess(len(bob.messages), 60)
