"""/mydata and /forget-me over real processes: what is shown, and what is left afterwards."""

from __future__ import annotations

import json
import time
from pathlib import Path

from securecom import limits
from securecom.identity import Identity
from tests.support.intruder_case import IntruderCase
from tests.support.processes import Process
from tests.support.programs import ADMIN, CLIENT, Client

BAD_ARGUMENT, NOT_NOW, LOGIN_REFUSED, IN_QUARANTINE = 202, 203, 501, "SC-226"
REFUSED = 5


class LeavingTests(IntruderCase):
    def registry(self) -> bytes:
        """The whole file."""
        return (self.home / "state" / "server" / "registry.sqlite").read_bytes()

    async def facts(self, client: Client) -> list[tuple[str, str, str]]:
        """What /mydata shows."""
        await client.do("mydata")
        event = await client.event("my-data", name="alice")
        return [(fact["part"], fact["what"], fact["value"]) for fact in event["facts"]]

    async def admin_refused(self, *words: str) -> str:
        """What `securecom-admin` says on standard error when it fails."""
        done: Process = await self.finished(*ADMIN, "--state", str(self.home / "state"), *words)
        self.assertEqual(done.exit_code, 1)
        return done.errors

    # Promise C49, C54
    async def test_shown_erased_and_not_inherited(self) -> None:
        server = await self.server()
        alice, bob = await self.clients(server, "alice", "bob")
        key: Identity = self.identity("alice")
        raw = key.public_key.raw
        await alice.do("block", name="mallory-the-marked")
        await bob.do("block", name="alice")
        facts = await self.facts(alice)
        self.assertIn(("account", "key", key.public_key.to_openssh()), facts)
        self.assertIn(("blocked by you", "name", "mallory-the-marked"), facts)
        self.assertIn(("session", "your address", "127.0.0.1"), facts)
        self.assertIn(("availability", "to", "everybody"), facts)
        self.assertNotIn("bob", json.dumps([fact for fact in facts if fact[0] != "not shown"]))
        for mark in (raw, b"mallory-the-marked"):
            self.assertTrue(mark in self.registry())

        await bob.refused(BAD_ARGUMENT, "forget-me", name="alice")
        await alice.do("forget-me")
        await alice.event("forget-me-means", name="alice", days=90)
        self.assertTrue(raw in self.registry())
        await alice.do("forget-me", name="alice")
        forgotten = await alice.event("forgotten", name="alice")
        self.assertEqual(await alice.ended(), 0)
        for mark in (raw, b"mallory-the-marked"):
            self.assertFalse(mark in self.registry())
        kept = {path.name for path in Path(forgotten["folder"]).iterdir()}
        self.assertLessEqual({"profile.toml", "identity"}, kept)

        said = await self.admin_refused("invite", "alice")
        until = time.strftime("%Y-%m-%d", time.gmtime(time.time() + limits.NAME_QUARANTINE))
        self.assertIn(IN_QUARANTINE, said)
        self.assertIn(until[:7], said)
        again = self.client("alice", server)
        await again.event("problem", code=LOGIN_REFUSED)
        self.assertEqual(await again.ended(), REFUSED)
        self.assertEqual(json.loads(await self.admin("quarantine", "--json"))["name"], "alice")

    async def test_released_and_given_to_somebody_else(self) -> None:
        """Who has met the last one is shown a changed key; blocks of the name are gone."""
        server = await self.server()
        alice, bob = await self.clients(server, "alice", "bob")
        await self.chat(alice, bob, "bob", "alice")
        await bob.refused(NOT_NOW, "forget-me", name="bob")
        await self.stop(alice, bob)
        await bob.do("block", name="alice")
        await alice.do("forget-me", name="alice")
        self.assertEqual(await alice.ended(), 0)
        await self.admin("release", "alice", "--yes")
        await bob.do("blocked")  # the server reads the list now, and not half a second later
        (link,) = await self.invite("alice")
        other = await self.enrolling(link, "other", "--no-pass", "--available").online()
        other.send("chat", name="bob")
        asked = await bob.event("asked", name="alice")
        self.assertEqual(asked["trust"], "changed")

    async def test_as_people_see_it(self) -> None:
        server = await self.server()
        self.point("alice", server.standard)
        script = "/mydata\n/forget-me\n/forget-me bob\n/forget-me alice\n"
        alice = self.run_process(*CLIENT, *self.whose("alice"))
        alice.type(script)
        alice.end_input()
        await alice.text(r"account:\n.*    name: alice")
        await alice.text(r"to do it: /forget-me alice")
        await alice.text(r"SC-202 that is not your name\. Nothing was sent")
        await alice.text(r"the server has forgotten alice")
        await alice.text(r"left on this machine, for you to delete: \S+")
        self.assertEqual(await alice.ended(), 1)  # for the wrong name
