"""State and profiles from before there were second keys, with real processes of this version."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from securecom.client.known_peers import FIRST_LINE, OLD_FIRST_LINE
from securecom.server import database
from tests.support.programs import Client
from tests.support.system_case import SystemCase

#: The registry's tables as 0.2.0 had them.
OLD_STEPS = database.STEPS[:4]


class UpgradeTests(SystemCase):
    # Promise T130, T133
    async def test_a_server_and_people_with_one_key_each_get_their_second(self) -> None:
        server = await self.server()
        alice, bob = await self.clients(server, "alice", "bob")
        await self.chat(alice, bob, "bob", "alice")
        for client in (alice, bob):
            await client.do("verify")
            await client.do("verify", word="yes")
        await self.stop(alice, bob)
        for client in (alice, bob):
            client.send("exit")
            self.assertEqual(await client.ended(), 0)
        await server.stop()
        self.make_old()
        server = await self.server(*self.ports_of(server))
        self.assertEqual(self.second_keys(), {"alice": False, "bob": False, "carol": False})
        alice, bob = await self.clients(server, "alice", "bob")
        self.assertEqual(self.second_keys(), {"alice": True, "bob": True, "carol": False})
        await self.chat(alice, bob, "bob", "alice")
        for client, other in ((alice, "bob"), (bob, "alice")):
            (completed,) = client.told("key-completed")
            self.assertEqual((completed["name"], completed["compared"]), (other, True))
            await self.check_trust(client, other, "met")
            await client.do("verify")
            await client.do("verify", word="yes")
            await self.check_trust(client, other, "verified")
        await self.stop(alice, bob)
        await self.chat(alice, bob, "bob", "alice")
        for client in (alice, bob):
            self.assertEqual(len(client.told("key-completed")), 1)
            self.assertEqual(client.told("chat-started")[-1]["trust"], "verified")
        for path in self.pins():
            self.assertEqual(path.read_text().split("\n")[0], FIRST_LINE)

    async def check_trust(self, client: Client, name: str, trust: str) -> None:
        await client.do("whois", name=name)
        self.assertEqual(client.told("whois")[-1]["trust"], trust)

    # --- the files of 0.2.0 -----------------------------------------------------------------

    def make_old(self) -> None:
        """What these files would be if no program had known of second keys."""
        self.make_old_registry()
        for path in self.pins():
            lines = path.read_text().splitlines()[1:]
            words = [line.split(" ") for line in lines]
            old = [" ".join((*line[:4], *line[5:])) for line in words]
            path.write_text("\n".join((OLD_FIRST_LINE, *old)) + "\n")
            self.assertTrue(old)

    def make_old_registry(self) -> None:
        new = self.registry.with_suffix(".new")
        self.registry.rename(new)
        with closing(sqlite3.connect(self.registry, isolation_level=None)) as old:
            old.execute(f"PRAGMA application_id = {database.APPLICATION}")
            for step in OLD_STEPS:
                for statement in step:
                    old.execute(statement)
            old.execute("ATTACH ? AS new", (str(new),))
            old.execute("INSERT INTO users SELECT name, key, disabled, created FROM new.users")
            old.execute(f"PRAGMA user_version = {len(OLD_STEPS)}")
        self.registry.chmod(0o600)
        new.unlink()

    @property
    def registry(self) -> Path:
        return self.home / "state" / "server" / "registry.sqlite"

    def pins(self) -> list[Path]:
        paths = sorted(self.home.glob("[ab]*/**/known_peers"))
        self.assertEqual(len(paths), 2)
        return paths

    def second_keys(self) -> dict[str, bool]:
        """Who has one at the server."""
        with closing(sqlite3.connect(self.registry)) as connection:
            rows = connection.execute("SELECT name, second IS NOT NULL FROM users").fetchall()
        return {name: bool(has) for name, has in rows}
