"""People one knows come before strangers, with real clients at a real server."""

from __future__ import annotations

from tests.support.processes import reactor
from tests.support.shortened import SILENCE, USUAL
from tests.support.system_case import SystemCase

NO_ANSWER = 601
#: Seconds that the stranger's request stands at the least.
STANDS = float(SILENCE[0].partition("=")[2])


class StrangersTests(SystemCase):
    """Bob has met Alice, and Carol is a stranger."""

    # Promise R92
    async def test_a_friend_takes_the_place_of_a_stranger_who_sees_only_silence(self) -> None:
        server = await self.server()
        alice, bob, carol = await self.clients(server, "alice", "bob", "carol")
        await self.chat(alice, bob, "bob", "alice")
        await self.stop(alice, bob)
        await server.limits(*SILENCE)
        start = reactor.seconds()
        carols = carol.send("chat", name="bob")
        await bob.event("asked", name="carol")
        await server.limits(*USUAL)
        alices = alice.send("chat", name="bob")
        await bob.event("asked-over", name="carol", reason="gone")
        await bob.event("asked", name="alice", trust="met")
        self.assertEqual([one["name"] for one in bob.told("asked")], ["alice", "carol", "alice"])
        await bob.do("accept", name="alice")
        self.assertTrue((await alice.answer(alices))["ok"])
        for client in (alice, bob):
            await client.event("chat-started")
        await self.say(alice, bob, "you took your time")
        refusal = await carol.answer(carols)
        self.assertEqual(refusal["code"], NO_ANSWER)
        self.assertGreaterEqual(reactor.seconds() - start, STANDS)
        await bob.do("requests")
        missed = (await bob.event("requests"))["missed"]
        self.assertEqual([one["name"] for one in missed], ["carol"])

    # Promise R92
    async def test_a_stranger_takes_nobodys_place(self) -> None:
        server = await self.server()
        alice, bob, carol = await self.clients(server, "alice", "bob", "carol")
        await self.chat(alice, bob, "bob", "alice")
        await self.stop(alice, bob)
        alices = alice.send("chat", name="bob")
        await bob.event("asked", name="alice")
        await server.limits(*SILENCE)
        carols = carol.send("chat", name="bob")
        await bob.event("refused-for-you", name="carol")
        await bob.do("accept", name="alice")
        self.assertTrue((await alice.answer(alices))["ok"])
        self.assertEqual((await carol.answer(carols))["code"], NO_ANSWER)
        self.assertEqual([one["name"] for one in bob.told("asked")], ["alice", "alice"])
