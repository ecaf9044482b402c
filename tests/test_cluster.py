"""Several nodes as one server: what people notice of it, and of a node or engine that fails."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import time
from importlib.util import find_spec
from pathlib import Path

from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest

from securecom import limits
from securecom.tests.support.memory_engine import NO_TXREDISAPI
from tests.support.cluster_nodes import ClusterNode, met
from tests.support.engines import RunningEngine
from tests.support.intermediaries import HOST
from tests.support.postgres_case import shared
from tests.support.postgres_server import missing
from tests.support.processes import Process, reactor
from tests.support.programs import Client, Server
from tests.support.system_case import SystemCase

LOGIN_REFUSED, REFUSED = 501, 602
LOOPBACK = f"tcp:0:interface={HOST}"
_BALANCED = f"haproxy:{LOOPBACK}"
#: As etc/haproxy.cfg, on other ports and without its health checks.
_BALANCER = """
defaults
    mode tcp
    timeout connect 3s
    timeout client 120s
    timeout server 120s
    retries 3
    option redispatch 1
    retry-on conn-failure
"""


class NodesCase(SystemCase):
    """Two nodes with one registry and one engine; alice, bob and carol are enrolled."""

    where: tuple[tuple[str, ...], ...] = (("--standard", LOOPBACK, "--request", LOOPBACK),) * 2

    async def prepare(self) -> None:
        if why := missing():
            raise SkipTest(why)
        if find_spec("txredisapi") is None:
            raise SkipTest(NO_TXREDISAPI)
        self.engine = RunningEngine()
        self.addCleanup(self.engine.close)
        await super().prepare()
        postgres = await deferToThread(shared)
        self.postgres = postgres
        await self.admin("migrate", "--to", postgres.url(postgres.database()))
        await self.engine.ready()
        self.nodes = [await self.node(number, *self.more(number)) for number in range(2)]
        for node in self.nodes:
            await met(node)

    def more(self, number: int) -> tuple[str, ...]:
        """Options of a node, once those before it run."""
        return ()

    async def node(self, number: int, *options: str) -> ClusterNode:
        made = ClusterNode(
            number, self.home, self.home / "state", self.engine.url, where=self.where[number]
        )
        self.closes(made)
        process = made.begin(*options)
        await process.text("room for")
        if "--standard" in self.where[number] and "--request" in self.where[number]:
            await process.ready()
        self.addCleanup(self.check_log, process)
        return made

    async def at(self, name: str, node: int) -> Client:
        """Somebody at this node, available."""
        client: Client = await self.client(name, self.process(node), "--available").online()
        return client

    def process(self, node: int) -> Server:
        return self.nodes[node].process

    async def about(self, *words: str) -> list[dict[str, object]]:
        """What the admin hears of nodes."""
        told = await self.admin(
            *words, "--json", "--switchboard", self.engine.url, state=self.nodes[0].state
        )
        return [json.loads(line) for line in told.splitlines()]

    async def is_on(self, name: str) -> int:
        """The number of the node that somebody is on."""
        [found] = await self.about("where", name)
        [number] = [one.number for one in self.nodes if one.port == found["port"]]
        return number


class PeopleTests(NodesCase):
    async def test_people_on_two_nodes(self) -> None:
        """They enrol at one node and log in at another; ask, refuse, chat and hang up."""
        [link] = await self.invite("dave", state=self.nodes[0].state)
        dave = await self.enrolling(link, "dave").online()
        dave.send("exit")
        await dave.ended()
        dave = await self.at("dave", 1)
        alice = await self.at("alice", 0)
        self.assertEqual([await self.is_on(name) for name in ("alice", "dave")], [0, 1])
        await self.chat(alice, dave, "dave", "alice")
        await self.say(alice, dave, "from node to node")
        await self.say(dave, alice, "and back")
        await self.stop(dave, alice)
        await self.chat(dave, alice, "alice", "dave")
        await self.say(dave, alice, "the other way round")
        await self.stop(dave, alice)
        asking = alice.send("chat", name="dave")
        await dave.event("asked", name="alice")
        await dave.do("refuse", name="alice")
        self.assertEqual((await alice.answer(asking))["code"], REFUSED)

    async def test_a_session_taken_over_from_node_to_node(self) -> None:
        alice, bob = await self.at("alice", 0), await self.at("bob", 1)
        await self.chat(alice, bob, "bob", "alice")
        second = self.client("alice", self.process(1))
        await second.event("problem", code=LOGIN_REFUSED)
        self.assertEqual(await second.ended(), 5)
        third = await self.client("alice", self.process(1), "--takeover", "--available").online()
        self.assertEqual(await alice.ended(), 5)
        await bob.event("chat-over", ending="cut-off")
        await self.chat(bob, third, "alice", "bob")
        self.assertEqual(await self.is_on("alice"), 1)
        third.send("exit")
        await third.ended()
        await deferLater(reactor, 4.0)  # a heartbeat of the first node
        await self.at("alice", 0)

    async def test_the_admin(self) -> None:
        """What they change is felt on all nodes, and they see who is where."""
        ports = sorted(node.port for node in self.nodes)
        self.assertEqual(sorted(one["port"] for one in await self.about("nodes")), ports)
        alice, bob = await self.at("alice", 0), await self.at("bob", 1)
        for client, name in ((alice, "alice"), (bob, "bob")):
            await self.admin("disable", name, state=self.nodes[0].state)
            start = time.monotonic()
            await client.event("problem", code=LOGIN_REFUSED)
            self.assertLess(time.monotonic() - start, limits.QUIET_LOOK / 2)
            self.assertEqual(await client.ended(), 5)
            self.assertEqual(await self.about("where", name), [])

    async def test_a_node_is_killed(self) -> None:
        """Whoever chatted with its people is free soon, and they log in elsewhere."""
        alice, bob = await self.at("alice", 0), await self.at("bob", 1)
        await self.chat(alice, bob, "bob", "alice")
        await self.process(1).kill()
        start = time.monotonic()
        await alice.event("chat-over", ending="cut-off")
        self.assertLess(time.monotonic() - start, limits.NODE_LAPSE)
        bob.send("exit")
        await bob.ended()
        bob = await self.client("bob", self.process(0), "--takeover", "--available").online()
        await self.chat(alice, bob, "bob", "alice")


class AwayTests(NodesCase):
    def check_log(self, server: Server) -> None:
        """That the engine is away is an error for the operator."""
        self.assertNotIn("Traceback", server.output + server.errors)

    async def test_the_engine_is_away(self) -> None:
        """Nobody can log in, and hears why; chats go on."""
        alice, bob = await self.at("alice", 0), await self.at("bob", 1)
        await self.chat(alice, bob, "bob", "alice")
        await self.engine.kill()
        carol = self.client("carol", self.process(1), "--available")
        why = await carol.event("offline")
        self.assertIn("internal problem", why["why"])
        await self.say(alice, bob, "still here")
        await self.say(bob, alice, "me too")
        await self.engine.restart()
        await carol.online()
        await self.say(alice, bob, "nothing happened")
        await self.stop(alice, bob)
        while not await self.about("where", "alice"):  # the engine forgot, and nodes tell it again
            await deferLater(reactor, 0.2)
        await self.chat(carol, alice, "alice", "carol")


class TwoProcessesTests(NodesCase):
    """One process has only the standard port, the other one only the request port."""

    async def prepare(self) -> None:
        self.request = self.own_port()
        self.where = (
            ("--standard", LOOPBACK, "--request-port", str(self.request)),
            ("--request", f"tcp:{self.request}:interface={HOST}"),
        )
        await super().prepare()

    async def test_people_are_asked_through_the_other_process(self) -> None:
        first = self.process(0)
        first.standard = int((await first.text(r"standard channel on port (\d+)"))[1])
        alice, bob = await self.clients(first, "alice", "bob")
        await self.chat(alice, bob, "bob", "alice")
        await self.say(alice, bob, "in two processes")
        await self.stop(alice, bob)
        await self.process(1).kill()
        for client in (alice, bob):
            await client.event("request-channel", up=False)


class BalancedTests(NodesCase):
    """Behind HAProxy, which sends standard channels to one node and request channels to another."""

    where = (("--standard", _BALANCED, "--request", _BALANCED),) * 2

    async def prepare(self) -> None:
        if shutil.which("haproxy") is None:
            raise SkipTest("there is no haproxy")
        self.ports = {"standard": self.own_port(), "request": self.own_port()}
        await super().prepare()

    def more(self, number: int) -> tuple[str, ...]:
        return ("--request-port", str(self.ports["request"]))

    async def balance(self, **servers: tuple[int, ...]) -> None:
        """HAProxy, with these nodes for each channel."""
        text = [_BALANCER]
        for name, numbers in servers.items():
            text.append(
                f"listen {name}\n    bind {HOST}:{self.ports[name]}\n    balance roundrobin"
            )
            for number in numbers:
                port = getattr(self.process(number), name)
                text.append(f"    server node{number} {HOST}:{port} send-proxy-v2")
        path: Path = self.home / "haproxy.cfg"
        path.write_text("\n".join(text) + "\n")
        program = shutil.which("haproxy") or ""
        self.balancer: Process = self.run_process(program, "-db", "-V", "-f", str(path))
        while not await self._is_up():
            await deferLater(reactor, 0.05)

    async def _is_up(self) -> bool:
        if self.balancer.exit_code is not None:
            self.fail(str(self.balancer))
        try:
            with await deferToThread(_connected, self.ports["request"]):
                return True
        except OSError:
            return False

    async def come(self, name: str) -> Client:
        self.point(name, self.ports["standard"])
        client: Client = await self.client(name, None, "--available").online()
        return client

    async def test_a_request_channel_at_another_node_than_the_session(self) -> None:
        await self.balance(standard=(0,), request=(1,))
        alice, bob = await self.come("alice"), await self.come("bob")
        self.assertEqual([await self.is_on(name) for name in ("alice", "bob")], [0, 0])
        await self.chat(alice, bob, "bob", "alice")
        await self.say(alice, bob, "asked through the other node")
        await self.stop(alice, bob)
        asking = alice.send("chat", name="bob")
        await bob.event("asked", name="alice")
        await bob.do("refuse", name="alice")
        self.assertEqual((await alice.answer(asking))["code"], REFUSED)

    async def test_a_node_is_restarted(self) -> None:
        """Its people are on the other one soon, with their request channels."""
        await self.balance(standard=(0, 1), request=(0, 1))
        alice, bob = await self.come("alice"), await self.come("bob")
        leaving = await self.is_on("alice")
        start = time.monotonic()
        self.process(leaving).signal(signal.SIGTERM)
        await alice.event("offline")
        await alice.online()
        self.assertLess(time.monotonic() - start, limits.NODE_DEAD)
        await self.process(leaving).ended()
        self.assertEqual(await self.is_on("alice"), 1 - leaving)
        await bob.until("bob's request channel", lambda: _last_up(bob) or None)
        await self.chat(bob, alice, "alice", "bob")


def _connected(port: int) -> socket.socket:
    return socket.create_connection((HOST, port))


def _last_up(client: Client) -> bool:
    return bool(client.told("request-channel")[-1]["up"])
