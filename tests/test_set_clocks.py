"""Wall clocks that are set under a server, and under clients, that run."""

from __future__ import annotations

import sys
import time

from tests.support.processes import environment
from tests.support.programs import Client, Server
from tests.support.set_clock import WallClock
from tests.support.system_case import SystemCase
from tests.support.tmux import Tmux

HOUR, DAY = 3600, 86_400


class SetClockTests(SystemCase):
    def clocked(self, clock: WallClock, what: str, *words: str) -> tuple[str, ...]:
        """A program's command line, with that clock."""
        return (sys.executable, "-m", "tests.support.set_clock", str(clock.path), what, *words)

    def clock(self, name: str, ahead: float = 0.0) -> WallClock:
        return WallClock(self.home / f"{name}.clock", ahead)

    async def set_server(self, clock: WallClock, *shorter: str) -> Server:
        """A server with that clock."""
        return await self.server(command=self.server_command(clock, *shorter))

    def server_command(
        self, clock: WallClock, *shorter: str, reactor: str = "default"
    ) -> tuple[str, ...]:
        words = (*shorter, "-n", "--pidfile=", "--reactor", reactor, "securecom")
        return self.clocked(clock, "server", *words)

    def set_client(self, clock: WallClock, name: str, server: Server, *shorter: str) -> Client:
        """A client with that clock, not yet online."""
        self.point(name, server.standard)
        argv = [*self.clocked(clock, "client", *shorter), "--json", *self.whose(name)]
        client: Client = self.started(Client([*argv, "--available"], environment(self.home)))
        return client

    # Promise R5
    async def test_an_hour_back_on_a_server(self) -> None:
        """Whoever is disabled is put out as soon as ever."""
        clock = self.clock("server")
        server = await self.set_server(clock)
        alice = await self.client("alice", server).online()
        clock.set(-HOUR)
        await self.admin("disable", "alice")
        await alice.ended()

    # Promise R5
    async def test_an_hour_back_under_every_reactor(self) -> None:
        """Its timers go on: the one that looks at the clock says so."""
        clock = self.clock("all")
        servers = [
            self.start_server(
                state=self.home / reactor, command=self.server_command(clock, reactor=reactor)
            )
            for reactor in ("epoll", "poll", "select", "asyncio")
        ]
        for server in servers:
            await server.ready()
        clock.set(-HOUR)
        for server in servers:
            await server.text("clock was set by -3600 s")
            self.check_log(server)

    # Promise R6
    async def test_a_chat_goes_on_whatever_is_set(self) -> None:
        """Forward and back, by an hour and by 100 days, on each of the three and on all."""
        clocks = {name: self.clock(name) for name in ("server", "alice", "bob")}
        server = await self.set_server(clocks["server"])
        alice, bob = [self.set_client(clocks[name], name, server) for name in ("alice", "bob")]
        await alice.online()
        await bob.online()
        await self.chat(alice, bob, "bob", "alice")
        for who in (["server"], ["alice"], ["bob"], ["server", "alice", "bob"]):
            for seconds in (HOUR, 100 * DAY, -HOUR, -100 * DAY, 60, -60, 1, -1, 0):
                for name in who:
                    clocks[name].set(seconds)
                await self.say(alice, bob, f"{who} {seconds}")
                await self.say(bob, alice, "still here")
            await self.admin("users")  # for some time to pass
        await self.stop(alice, bob)
        for one in (alice, bob):
            self.assertEqual(one.told("offline"), [])

    # Promise R8
    async def test_a_client_that_was_set_back_comes_back(self) -> None:
        clock = self.clock("alice")
        server = await self.server()
        alice = await self.set_client(clock, "alice", server).online()
        await server.stop()
        await alice.event("offline")
        clock.set(-HOUR)  # while it waits for its next attempt
        await self.server(*self.ports_of(server))
        await alice.event("online", again=True)

    # Promise R9
    async def test_a_chat_with_an_end_ends(self) -> None:
        """Each side counts for itself; both clocks were set back by an hour meanwhile."""
        clocks = {name: self.clock(name) for name in ("server", "alice", "bob")}
        server = await self.set_server(clocks["server"], "MIN_CHAT_SECONDS=2")
        alice, bob = [
            self.set_client(clocks[name], name, server, "MIN_CHAT_SECONDS=2")
            for name in ("alice", "bob")
        ]
        await alice.online()
        await bob.online()
        asking = alice.send("chat", name="bob for 4s")
        await bob.event("asked", name="alice", chat_seconds=4)
        await bob.do("accept", name="alice")
        await alice.answer(asking)
        for client in (alice, bob):
            await client.event("chat-started", chat_seconds=4)
        for clock in clocks.values():
            clock.set(-HOUR)
        for client in (alice, bob):
            await client.event("chat-over", ending="time-up")

    # Promise R5
    async def test_a_chat_with_an_end_under_the_line_editor(self) -> None:
        """Which needs the reactor of asyncio: its timers too are nobody's to set."""
        tmux = Tmux(self.home)
        self.addCleanup(tmux.close)
        clock, shorter = self.clock("alice"), "MIN_CHAT_SECONDS=2"
        server = await self.set_server(self.clock("server"), shorter)
        bob = await self.set_client(self.clock("bob"), "bob", server, shorter).online()
        self.point("alice", server.standard)
        window = tmux.window()
        argv = self.clocked(clock, "client", shorter)
        await window.run([*argv, "--plain", *self.whose("alice")])
        await window.text("^alice>")
        window.enter("/chat bob for 4s")
        await window.text("asking bob")
        await bob.event("asked", name="alice", chat_seconds=4)
        await bob.do("accept", name="alice")
        await window.text(r"chat with bob, NOT VERIFIED\)>")
        clock.set(-HOUR)
        await window.text("the time of the chat with bob is up")
        await bob.event("chat-over", ending="time-up")
        window.enter("/fingerprint")
        await window.text("alice, your key: SHA256")

    # Promise R10
    async def test_a_server_that_was_100_days_ahead_and_is_set_right(self) -> None:
        """Without a restart. Until then its certificate is of a time to come."""
        clock = self.clock("server", 100 * DAY)
        server = await self.set_server(clock)
        alice = self.client("alice", server, "--stay")
        await alice.event("offline")
        clock.set(0)
        await server.text("clock was set by -8640000 s")
        await alice.online()

    # Promise R12
    async def test_a_time_of_day_is_what_the_wall_shows(self) -> None:
        clock = self.clock("alice")
        server = await self.server()
        alice = await self.set_client(clock, "alice", server).online()
        at = time.strftime("%H:%M", time.localtime(time.time() + HOUR))
        await alice.do("away", pause=f"until {at}")
        await alice.event("availability", available=False)
        clock.set(HOUR + 120)
        await alice.event("availability", available=True)
