"""A server with alice, bob and carol enrolled: the fixture of most system tests.

The first test of a run lets alice, bob and carol enrol for real, once for all processes of
`trial --jobs`; every test then works on a copy of that server's state and of these profiles. Each
test has a server of its own.
"""

from __future__ import annotations

import fcntl
import importlib.util
import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import FailTest, TestCase

from tests.support import shortened
from tests.support.ports import OwnPort
from tests.support.processes import Process, environment
from tests.support.programs import ADMIN, CLIENT, SERVER, Client, Server

PEOPLE = ("alice", "bob", "carol")

_TRACES = re.compile(r"Traceback|Unhandled|\[.*#(?:error|critical)\]")
#: What each server says where the compiled relay can be had: there it is what is tested.
_COMPILED = "messages are passed on by securecom_fast"
_HAS_COMPILED = importlib.util.find_spec("securecom_fast") is not None
#: Stands in the folder of a run of trial; with --jobs, that is the parent of each process's own.
_TRIAL_MARKER = "_trial_marker"
_enrolled: list[Path] = []


class SystemCase(TestCase):
    """A folder of its own, and processes that end with the test."""

    timeout = 400.0
    #: What every server gets beside endpoints and state.
    server_options: tuple[str, ...] = ("--dial", "0")
    #: What every client gets.
    client_options: tuple[str, ...] = ()

    def setUp(self) -> Deferred[None]:  # type: ignore[override]
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir(parents=True)
        return Deferred.fromCoroutine(self.prepare())

    async def prepare(self) -> None:
        """For subclasses; call it first to have the server's state and the profiles."""
        await self.settle()

    async def settle(self) -> None:
        """Copy the state of a server at which alice, bob and carol are enrolled."""
        if not _enrolled:
            _enrolled.append(await self._enrol_once())
        shutil.copytree(_enrolled[0], self.home, dirs_exist_ok=True)

    async def _enrol_once(self) -> Path:
        """Enrol them, unless another process of this run has; whoever comes meanwhile waits."""
        here = Path.cwd()
        run = here.parent if (here.parent / _TRIAL_MARKER).exists() else here
        enrolled = run / "enrolled"
        with (run / "enrolled.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not enrolled.exists():
                (await self._enrol_people(run / "enrolled.new")).rename(enrolled)
        return enrolled

    async def _enrol_people(self, place: Path) -> Path:
        shutil.rmtree(place, ignore_errors=True)
        server = await self.server(state=place / "state")
        links = await self.invite(*PEOPLE, state=place / "state")
        arrivals = [
            self.enrolling(link, name, place=place)
            for name, link in zip(PEOPLE, links, strict=True)
        ]
        for newcomer in arrivals:
            await newcomer.online()
            newcomer.end_input()
        for newcomer in arrivals:
            await newcomer.ended()
        await server.stop()
        return place

    # --- processes --------------------------------------------------------------------------

    def own_port(self) -> int:
        """A port that nobody else is given as long as the test runs."""
        own = OwnPort()
        self.addCleanup(own.release)
        return own.number

    def _own_places(self) -> tuple[str, ...]:
        """Options for a server on ports of its own: who is to come back finds them again."""
        standard, request = (f"tcp:{self.own_port()}:interface=127.0.0.1" for _ in range(2))
        return "--standard", standard, "--request", request

    @staticmethod
    def ports_of(server: Server) -> tuple[str, ...]:
        """Options for a later server on the same ports."""
        standard = f"tcp:{server.standard}:interface=127.0.0.1"
        return ("--standard", standard, "--request", f"tcp:{server.request}:interface=127.0.0.1")

    def started(self, process: Any) -> Any:
        """See to it that it ends with the test."""
        self.addCleanup(process.kill)
        return process

    def ends(self, peer: Any) -> Any:
        """See to it that a connection of the test's own ends with the test."""

        def end() -> Any:
            peer.cut()
            return peer.gone

        self.addCleanup(end)
        return peer

    def closes(self, thing: Any) -> Any:
        """The same for what has a coroutine `close`."""
        self.addCleanup(lambda: Deferred.fromCoroutine(thing.close()))
        return thing

    def run_process(self, *argv: str, **named: Any) -> Process:
        """Any process."""
        env = named.pop("env", None) or environment(self.home)
        if named.get("terminal"):  # one that can do nothing: the kernel puts lines together
            env["TERM"] = "dumb"
        process: Process = self.started(Process(argv, env, **named))
        return process

    def start_server(
        self,
        *options: str,
        state: Path | None = None,
        command: Iterable[str] = (*SERVER, "-n", "--pidfile=", "securecom"),
    ) -> Server:
        """A server that is not ready yet."""
        argv = [*command, *self._own_places(), *self.server_options, *options]
        argv += ["--state", str(state or self.home / "state")]
        server: Server = self.started(Server(argv, environment(self.home)))
        return server

    async def server(self, *options: str, **named: Any) -> Server:
        """A server that is ready; at the end of the test its log must be clean."""
        server = await self.start_server(*options, **named).ready()
        self.addCleanup(self.check_log, server)
        if _HAS_COMPILED:
            await server.text(_COMPILED)
        return server

    def check_log(self, server: Server) -> None:
        """Nothing unforeseen happened in it."""
        if found := _TRACES.search(server.output + server.errors):
            raise FailTest(f"{found[0]} in a server's log\n{server}")

    def client(self, name: str, server: Server | None, *options: str, **named: Any) -> Client:
        """A client of somebody who lives here, not yet online."""
        if server is not None:
            self.point(name, server.standard)
        argv = [*CLIENT, "--json", *self.whose(name), *self.client_options, *options]
        env = environment(self.home)
        client: Client = self.started(Client(argv, env, **named))
        return client

    async def clients(self, server: Server, *names: str) -> list[Client]:
        """Clients online and available, started at once."""
        starting = [self.client(name, server, "--available") for name in names]
        return [await one.online() for one in starting]

    async def hasty(self, name: str, server: Server, **limits: float) -> Client:
        """A client online and available, with limits of its own (`tests.support.shortened`)."""
        self.point(name, server.standard)
        shorter = [f"{limit}={value}" for limit, value in limits.items()]
        argv = [*shortened.CLIENT, *shorter, "--json", *self.whose(name), "--available"]
        client: Client = self.started(Client(argv, environment(self.home)))
        return await client.online()

    def plain(self, name: str, server: Server | None, *options: str, **named: Any) -> Process:
        """A client that speaks to people."""
        if server is not None:
            self.point(name, server.standard)
        return self.run_process(*CLIENT, *self.whose(name), *options, **named)

    def enrolling(self, link: str, name: str, *options: str, place: Path | None = None) -> Client:
        """A client that comes with a link."""
        folder = str((place or self.home) / name)
        options = options or ("--no-pass",)
        argv = [*CLIENT, "--json", link, "--data-dir", folder, *options]
        client: Client = self.started(Client(argv, environment(self.home)))
        return client

    def whose(self, name: str) -> tuple[str, ...]:
        """Options that choose somebody's profile."""
        return ("--data-dir", str(self.home / name), "--no-pass")

    async def finished(self, *argv: str, **named: Any) -> Process:
        """A process that has ended by itself."""
        process = self.run_process(*argv, **named)
        await process.ended()
        return process

    # --- the admin --------------------------------------------------------------------------

    async def admin(self, *words: str, state: Path | None = None) -> str:
        """What `securecom-admin` says; it must not fail."""
        where = ("--state", str(state or self.home / "state"))
        done = await self.finished(*ADMIN, *where, *words)
        if done.exit_code:
            raise FailTest(f"securecom-admin failed\n{done}")
        return done.output

    async def invite(self, *names: str, state: Path | None = None) -> list[str]:
        """A link for each name."""
        told = await self.admin("invite", "--json", *names, state=state)
        return [json.loads(line)["link"] for line in told.splitlines()]

    # --- files ------------------------------------------------------------------------------

    def profile(self, name: str) -> Path:
        """Somebody's profile file."""
        (found,) = (self.home / name).glob("profiles/*/profile.toml")
        return found

    def point(self, name: str, port: int) -> None:
        """This server's port, in somebody's profile."""
        path = self.profile(name)
        path.write_text(re.sub(r"(?m)^port = \d+$", f"port = {port}", path.read_text()))

    # --- chats ------------------------------------------------------------------------------

    async def chat(self, caller: Client, callee: Client, name: str, asks: str) -> None:
        """A chat stands; `name` is the callee's, `asks` the caller's."""
        asking = caller.send("chat", name=name)
        await callee.event("asked", name=asks)
        accepting = callee.send("accept", name=asks)
        for client, number in ((caller, asking), (callee, accepting)):
            result = await client.answer(number)
            if not result["ok"]:
                raise FailTest(f"no chat: {result}\n{caller}\n{callee}")
        await caller.event("chat-started")
        await callee.event("chat-started")

    async def say(self, speaker: Client, hearer: Client, text: str) -> None:
        """A message arrives, and its receipt."""
        said = await speaker.do("say", text=text)
        await hearer.event("message", text=text)
        await speaker.event("delivered", number=said["number"])

    async def stop(self, one: Client, other: Client) -> None:
        """`one` ends their chat."""
        await one.do("stop")
        await one.event("chat-over", ending="by-me")
        await other.event("chat-over", ending="by-peer")

    async def check_chat(self, server: Server, caller: str = "alice", callee: str = "bob") -> None:
        """Two people who come, chat both ways, and go."""
        one, other = await self.clients(server, caller, callee)
        await self.chat(one, other, callee, caller)
        await self.say(one, other, "does it still work?")
        await self.say(other, one, "it does")
        await self.stop(one, other)
        for client in (one, other):
            client.send("exit")
            self.assertEqual(await client.ended(), 0)
