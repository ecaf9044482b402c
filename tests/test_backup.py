"""A backup, and the machine after the next: real processes, real encryption."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pyrage

from securecom import limits
from tests.support.processes import environment
from tests.support.programs import CLIENT, Client
from tests.support.system_case import SystemCase

PHRASE = "sixteen old oaks"
IS_THERE, WRONG = 214, 213
#: How often pyrage may time this machine before we believe that it is too slow.
_MEASUREMENTS = 10


def _opened_by_pyrage(data: bytes) -> bytes:
    """The content. pyrage times this machine for 3 ms at each call, and may catch a bad moment."""
    for _ in range(_MEASUREMENTS - 1):
        try:
            return pyrage.passphrase.decrypt(data, PHRASE)
        except pyrage.DecryptError as error:
            if not str(error).startswith("Excessive work"):
                raise
    return pyrage.passphrase.decrypt(data, PHRASE)


class BackupTests(SystemCase):
    # Promise C62, C63
    async def test_a_backup_restored_on_another_machine_is_the_same_person(self) -> None:
        server = await self.server()
        alice, bob = await self.clients(server, "alice", "bob")
        await self._verify(alice, bob)
        kept = self.home / "kept.age"
        await self._back_up(alice, kept)
        await self.say(alice, bob, "the chat went on meanwhile")
        await self.stop(alice, bob)
        self._check_file(kept)
        here = await self._restored(kept, "--takeover", "--available")
        await alice.event("left")  # one session a key
        told = [event["text"] for event in here.told("notice")]
        self.assertIn("restored as alice@127.0.0.1", told[0])
        self.assertIn("--takeover", told[1])
        await here.do("whois", name="bob")
        self.assertEqual(here.told("whois")[-1]["trust"], "verified")
        await self.chat(bob, here, "alice", "bob")
        for client in (bob, here):
            self.assertEqual(client.told("chat-started")[-1]["trust"], "verified")
        await self.say(bob, here, "still you?")
        await self.say(here, bob, "still me")

    # Promise C65
    async def test_a_key_that_was_replaced_since_is_told_as_such(self) -> None:
        server = await self.server()
        alice = await self.client("alice", server).online()
        kept = self.home / "kept.age"
        await self._back_up(alice, kept)
        await self.admin("reset-key", "alice", "--yes")
        await alice.ended()
        here = self._restoring(kept)
        problem = await here.event("problem")
        self.assertIn("from a backup may be older", problem["hint"])
        self.assertEqual(await here.ended(), 5)

    async def test_what_goes_wrong_leaves_nothing(self) -> None:
        server = await self.server()
        alice = await self.client("alice", server).online()
        kept = self.home / "kept.age"
        number = alice.send("backup", file=str(kept))
        for phrase in (PHRASE, PHRASE.upper()) * limits.PASS_ATTEMPTS:
            await alice.event("secret-wanted")
            alice.type(f'{{"secret":"{phrase}"}}\n')
        result = await alice.answer(number)
        self.assertEqual((result["ok"], result["code"]), (False, WRONG))
        self.assertFalse(kept.exists())
        await self._back_up(alice, kept)
        data = kept.read_bytes()
        await alice.refused(IS_THERE, "backup", file=str(kept))
        self.assertEqual(kept.read_bytes(), data)
        here = self._restoring(kept, phrase="wrong")
        self.assertEqual(await here.ended(), 1)
        self.assertIn(f"SC-{WRONG}", here.errors)
        self.assertFalse((self.home / "elsewhere").exists())

    async def test_a_chat_goes_on_while_a_backup_is_encrypted(self) -> None:
        server = await self.server()
        alice, bob = await self.clients(server, "alice", "bob")
        await self.chat(bob, alice, "alice", "bob")
        number = await self._asked_for(alice, self.home / "kept.age")
        for text in map(str, range(10)):
            await self.say(bob, alice, text)
        await alice.answer(number)
        order = [event["event"] for event in alice.events]
        last = max(at for at, kind in enumerate(order) if kind == "message")
        self.assertLess(last, order.index("backed-up"))

    # --- steps ------------------------------------------------------------------------------

    async def _verify(self, one: Client, other: Client) -> None:
        await self.chat(one, other, "bob", "alice")
        for client in (one, other):
            await client.do("verify")
            await client.do("verify", word="yes")
        await one.event("compared", by="peer")

    async def _asked_for(self, client: Client, file: Path) -> int:
        number = client.send("backup", file=str(file))
        for _ in range(2):
            await client.event("secret-wanted")
            client.type(f'{{"secret":"{PHRASE}"}}\n')
        return number

    async def _back_up(self, client: Client, file: Path) -> None:
        result = await client.answer(await self._asked_for(client, file))
        self.assertTrue(result["ok"], result)
        await client.event("backed-up", file=str(file))

    def _check_file(self, file: Path) -> None:
        """The tools of others open it."""
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        data = _opened_by_pyrage(file.read_bytes())
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            names = tar.getnames()
            identity: Any = tar.extractfile("identity")
            kept = identity.read()
        self.assertEqual(names, ["securecom-backup", "profile.toml", "identity", "known_peers"])
        self.assertEqual(kept, self.profile("alice").with_name("identity").read_bytes())

    def _restoring(self, file: Path, *options: str, phrase: str = PHRASE) -> Client:
        """A client on a machine where nobody was yet."""
        argv = [*CLIENT, "--json", "--data-dir", str(self.home / "elsewhere"), "--pass-fd", "3"]
        argv += ["--restore", str(file), *options]
        files = {0: "w", 1: "r", 2: "r", 3: "w"}
        client: Client = self.started(Client(argv, environment(self.home), files=files))
        client.give(3, f"{phrase}\n".encode())
        return client

    async def _restored(self, file: Path, *options: str) -> Client:
        return await self._restoring(file, *options).online()
