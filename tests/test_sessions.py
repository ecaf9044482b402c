"""Who may stay: people whom the admin puts out, second sessions, several profiles."""

from __future__ import annotations

import os
import re

from tests.support.processes import environment
from tests.support.programs import CLIENT, Client
from tests.support.system_case import SystemCase

LOGIN_REFUSED = 501


class PutOutTests(SystemCase):
    async def test_removed(self) -> None:
        server = await self.server()
        await self.admin("remove", "alice", "--yes")
        await self._may_not_log_in(server.standard)

    async def test_disabled(self) -> None:
        server = await self.server()
        await self.admin("disable", "alice")
        await self._may_not_log_in(server.standard)
        await self.admin("enable", "alice")
        await self.client("alice", server).online()

    async def test_disabled_in_a_chat(self) -> None:
        await self._is_put_out("disable")

    async def test_removed_in_a_chat(self) -> None:
        await self._is_put_out("remove", "--yes")

    async def test_key_reset_in_a_chat(self) -> None:
        await self._is_put_out("reset-key", "--yes")

    async def _is_put_out(self, command: str, *more: str) -> None:
        server = await self.server()
        alice, bob = await self.clients(server, "alice", "bob")
        await self.chat(alice, bob, "bob", "alice")
        await self.say(alice, bob, "here I am")
        await self.admin(command, "alice", *more)
        await bob.event("chat-over", ending="cut-off")
        await alice.event("problem", code=LOGIN_REFUSED)
        self.assertEqual(await alice.ended(), 5)
        carol = await self.client("carol", server).online()
        await self.chat(carol, bob, "bob", "carol")

    async def _may_not_log_in(self, port: int) -> None:
        self.point("alice", port)
        alice = self.client("alice", None)
        await alice.event("problem", code=LOGIN_REFUSED)
        self.assertEqual(await alice.ended(), 5)
        self.assertEqual(alice.told("online"), [])


class TwoSessionsTests(SystemCase):
    async def test_a_second_one_is_refused_unless_it_takes_over(self) -> None:
        server = await self.server()
        first, bob = await self.clients(server, "alice", "bob")
        second = self.client("alice", server)
        await second.event("problem", code=LOGIN_REFUSED)
        self.assertEqual(await second.ended(), 5)
        await self.chat(first, bob, "bob", "alice")
        third = await self.client("alice", server, "--takeover").online()
        self.assertEqual(await first.ended(), 5)
        await bob.event("chat-over", ending="cut-off")
        await self.chat(third, bob, "bob", "alice")

    async def test_several_profiles_in_one_folder(self) -> None:
        server = await self.server()
        for name in ("bob", "carol"):
            (place,) = (self.home / name / "profiles").iterdir()
            self.point(name, server.standard)
            os.rename(place, self.home / "alice" / "profiles" / place.name)
        self.point_all(server.standard)
        listed = await self.finished(*self._all("--profiles"))
        self.assertEqual(
            listed.output.split(), [f"{n}@127.0.0.1" for n in ("alice", "bob", "carol")]
        )
        which = await self.finished(*self._all())
        self.assertEqual(which.exit_code, 2)
        folder = self.home / "alice"
        self.assertIn(f"securecom --data-dir {folder} --profile bob@127.0.0.1\n", which.errors)
        unknown = await self.finished(*self._all("--profile", "dave"))
        self.assertEqual(unknown.exit_code, 2)
        pair = []
        for name in ("alice", "bob"):
            argv = self._all("--json", "--available", "--profile", f"{name}@127.0.0.1")
            client: Client = self.started(Client(argv, environment(self.home)))
            pair.append(await client.online())
        await self.chat(pair[0], pair[1], "bob", "alice")

    def point_all(self, port: int) -> None:
        for path in (self.home / "alice").glob("profiles/*/profile.toml"):
            path.write_text(re.sub(r"(?m)^port = \d+$", f"port = {port}", path.read_text()))

    def _all(self, *options: str) -> tuple[str, ...]:
        return (*CLIENT, *self.whose("alice"), *options)
