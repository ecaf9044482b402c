"""Comparing safety numbers, and a key that changed, with real processes."""

from __future__ import annotations

import json

from securecom import limits, spoken_words
from tests.support.processes import environment
from tests.support.programs import CLIENT, Client
from tests.support.system_case import SystemCase

KEY_CHANGED, WRONG_PASS_PHRASE, LOGIN_REFUSED = 701, 213, 5
NOT_NOW = 203


class KeysTests(SystemCase):
    # Promise C2
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

    # Promise C100, C101
    async def test_two_people_compare_six_words(self) -> None:
        server = await self.server()
        alice, bob = await self.clients(server, "alice", "bob")
        await self.chat(alice, bob, "bob", "alice")
        await alice.refused(NOT_NOW, "verify", word="yes")  # nothing was shown yet
        await alice.do("verify", word="words")
        await bob.event("words", name="alice", state="asked-by-peer", words=[])
        await bob.refused(NOT_NOW, "verify", word="yes")
        await bob.do("verify", word="words")
        seen = [await client.event("words", state="shown") for client in (alice, bob)]
        self.assertEqual(seen[0]["words"], seen[1]["words"])
        self.assertEqual(len(seen[0]["words"]), spoken_words.WORDS)
        for client in (alice, bob):
            await client.do("verify", word="yes")
        for client, name in ((alice, "bob"), (bob, "alice")):
            await client.event("compared", by="peer", word="yes")
            self.assertEqual(await self._trust(client, name), "verified")
        await self.stop(alice, bob)
        await self.chat(bob, alice, "alice", "bob")
        await alice.do("verify", word="words")
        await bob.do("verify", word="words")
        again = await alice.event("words", state="shown")
        self.assertNotEqual(again["words"], seen[0]["words"])

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
        await self.admin("reset-key", "bob", "--yes")
        await bob.ended()
        (link,) = await self.invite("bob")
        new = await self.enrolling(link, "bob2", "--no-pass", "--available", "--stay").online()
        asking = alice.send("chat", name="bob")
        await new.event("asked", trust="new")
        accepting = new.send("accept")
        failed = await alice.answer(asking)
        self.assertEqual(failed["code"], KEY_CHANGED)
        await new.answer(accepting)  # till then they are busy
        (suggested,) = failed["suggested"]
        self.assertEqual(suggested["command"], "trust")
        pin = suggested["argument"]
        await alice.do("trust", pin=pin)
        await self.chat(alice, new, "bob", "alice")
        self.assertEqual(alice.told("chat-started")[-1]["trust"], "changed")
        await self.say(alice, new, "is it you?")
        await alice.do("whois", name="bob")
        whois = alice.told("whois")[-1]
        self.assertEqual((whois["trust"], len(whois["earlier"])), ("met", 1))
        self.assertEqual(whois["fingerprint"], pin.split()[1])

    # Promise C140, C141
    async def test_a_stolen_key_is_retired_from_another_machine(self) -> None:
        server = await self.server()
        alice, bob = await self.clients(server, "alice", "bob")
        await alice.do("retirement")
        words = " ".join(alice.told("retirement-made")[0]["words"])
        await self.chat(alice, bob, "bob", "alice")
        owner = self.run_process(*CLIENT, "--retire", "alice", *self.whose("bob"))
        owner.type(f"{words}\n")
        self.assertEqual(await owner.ended(), 0)
        self.assertEqual(await alice.ended(), LOGIN_REFUSED)
        await bob.event("chat-over", ending="cut-off")
        asking = bob.send("retire", name="alice")
        await bob.event("secret-wanted")
        bob.type(json.dumps({"secret": words}) + "\n")
        self.assertTrue((await bob.answer(asking))["ok"])
        self.assertEqual(await self._trust(bob, "alice"), "retired")
        again = self.client("alice", server)
        self.assertEqual(await again.ended(), LOGIN_REFUSED)

    # Promise C13, C16
    async def test_a_new_key_is_followed_and_a_reset_one_is_not(self) -> None:
        server = await self.server()
        alice, bob = await self.clients(server, "alice", "bob")
        await self.chat(alice, bob, "bob", "alice")
        for client in (alice, bob):
            await client.do("verify")
            await client.do("verify", word="yes")
        await self.stop(alice, bob)
        await bob.do("newkey")
        (renewed,) = bob.told("key-renewed")
        told = {key: renewed[key] for key in ("former", "fingerprint")}
        followed = {"event": "key-followed", "name": "bob", "trust": "verified", **told}
        await self._talk(alice, bob, "followed-verified")
        self.assertEqual(alice.told("key-followed"), [followed])
        for client in (alice, bob):
            client.send("exit")
            self.assertEqual(await client.ended(), 0)
        alice, bob = await self.clients(server, "alice", "bob")
        await self._talk(alice, bob, "verified")
        self.assertEqual(alice.told("key-followed"), [])
        await self._reset(alice, bob)

    async def _talk(self, alice: Client, bob: Client, trust: str) -> None:
        await self.chat(alice, bob, "bob", "alice")
        self.assertEqual(alice.told("chat-started")[-1]["trust"], trust)
        await self.say(alice, bob, "still you")
        await self.stop(alice, bob)
        self.assertEqual(await self._trust(alice, "bob"), "verified")

    async def _reset(self, alice: Client, bob: Client) -> None:
        """The admin gives bob's name another key: nothing leads there, and nothing is sent."""
        await self.admin("reset-key", "bob", "--yes")
        await bob.ended()
        (link,) = await self.invite("bob")
        new = await self.enrolling(link, "bob2", "--no-pass", "--available", "--stay").online()
        before = len(alice.told("chat-started"))
        asking = alice.send("chat", name="bob")
        await new.event("asked", trust="new")
        new.send("accept")
        self.assertEqual((await alice.answer(asking))["code"], KEY_CHANGED)
        self.assertEqual(len(alice.told("chat-started")), before)
        self.assertEqual(alice.told("key-followed"), [])
        self.assertEqual(new.told("chat-started") + new.told("message"), [])

    async def test_a_new_key_has_the_pass_phrase_of_the_old_one(self) -> None:
        server = await self.server()
        (link,) = await self.invite("dora")
        phrase = self.home / "phrase"
        phrase.write_text("correct horse\n")
        phrase.chmod(0o600)
        given = ("--pass-file", str(phrase))
        dora = await self.enrolling(link, "dora", *given, "--stay").online()
        wrong, right = "battery staple", "correct horse"
        for typed, code in (
            ([wrong] * limits.PASS_ATTEMPTS, WRONG_PASS_PHRASE),
            ([wrong, right], None),
        ):
            renewing = dora.send("newkey")
            for phrase_typed in typed:
                await dora.event("secret-wanted")
                dora.type(json.dumps({"secret": phrase_typed}) + "\n")
            self.assertEqual((await dora.answer(renewing)).get("code"), code)
        dora.send("exit")
        self.assertEqual(await dora.ended(), 0)
        self.point("dora", server.standard)
        argv = [*CLIENT, "--json", "--data-dir", str(self.home / "dora"), *given]
        again: Client = self.started(Client(argv, environment(self.home)))
        await again.online()
        await again.do("fingerprint")
        fingerprint = again.told("fingerprints")[-1]["fingerprint"]
        self.assertEqual(fingerprint, dora.told("key-renewed")[-1]["fingerprint"])

    async def _number(self, client: Client) -> str:
        await client.do("verify")
        number = client.told("safety-number")[-1]["number"]
        self.assertRegex(number, r"\A\d{5}( \d{5}){11}\Z")
        return str(number)

    async def _trust(self, client: Client, name: str) -> str:
        await client.do("whois", name=name)
        return str(client.told("whois")[-1]["trust"])
