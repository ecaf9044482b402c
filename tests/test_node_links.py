"""Chats between two nodes as processes, over links that are cut, silent for a while, or one-way."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from shutil import which
from subprocess import DEVNULL, run
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest

from securecom import limits
from securecom.server import certificates
from tests.support.intermediaries import HOST, RELAY_HOST, Relay
from tests.support.processes import Process, environment
from tests.support.system_case import SystemCase

NODE = (sys.executable, "-m", "tests.support.node_process")
CHATS = 20
#: Seconds by which a busy machine may be late.
SLACK = 4.0


class NodeProcess(Process):
    """A node that runs by itself."""

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output.split("\n")[:-1]]

    async def said(self, what: str, count: int = 1) -> list[dict[str, Any]]:
        """The lines with this fact, once there are so many."""

        def find() -> list[dict[str, Any]] | None:
            found = [line for line in self.lines() if what in line]
            return found if len(found) >= count else None

        return await self.until(f"{count} times {what}", find)


class Cutting(Relay):
    """Does something to the link whenever so many more bytes have passed."""

    def __init__(self, port: int, every: int, *then: Callable[[], object]) -> None:
        super().__init__(port)
        self.every, self.then = every, list(then)
        self.passed = 0

    def passing(self, data: bytes) -> bytes:
        self.passed += len(data)
        if self.then and self.passed >= self.every:
            self.passed = 0
            self.then.pop(0)()
        return data

    def cut(self) -> None:
        """In the middle of whatever is on its way."""
        for pipe in list(self.pipes):
            pipe.cut()


class NodesCase(SystemCase):
    async def settle(self) -> None:
        """Nobody is enrolled here: there is only a CA."""
        self.ca = self.home / "ca.pem"
        self.ca.write_bytes(certificates.to_pem(certificates.new_ca(time.time())))

    async def node(
        self, own: int, other: int, size: int, interface: str = HOST, *prefix: str
    ) -> tuple[NodeProcess, int]:
        """A node that listens, and its port."""
        how = {"own": own, "other": other, "ca": str(self.ca), "chats": CHATS, "bytes": size}
        argv = (*prefix, *NODE, json.dumps(how | {"interface": interface}))
        process: NodeProcess = self.started(NodeProcess(argv, environment(self.home)))
        (line,) = await process.said("port")
        return process, line["port"]


class LinkTests(NodesCase):
    """What two nodes say over links through a relay, which cuts them."""

    async def check(self, one: NodeProcess, two: NodeProcess) -> None:
        """All has arrived, and the chats end in order."""
        (of_one,), (of_two,) = await one.said("sent"), await two.said("sent")
        self.assertEqual(of_one["received"], of_two["sent"])
        self.assertEqual(of_two["received"], of_one["sent"])
        self.assertEqual(len(set(of_one["sent"])), CHATS)
        one.type("end\n")
        self.assertEqual(len(await two.said("ended", CHATS)), CHATS)
        for process in (one, two):
            process.end_input()
            self.assertEqual(await process.ended(), 0)
        self.assertEqual([line for line in one.lines() if "ended" in line or "lost" in line], [])
        self.assertNotIn("Traceback", one.errors + two.errors)

    async def test_links_that_are_cut_again_and_again(self) -> None:
        size = 500_000
        one, _ = await self.node(1, 2, size)
        two, port = await self.node(2, 1, size)
        relay = Cutting(port, 1_500_000)
        relay.then = [relay.cut] * 8
        self.closes(await relay.open())
        two.type(f"{HOST} 1\n")
        one.type(f"{RELAY_HOST} {port}\n")
        await self.check(one, two)
        self.assertEqual(relay.then, [])
        self.assertGreater(one.errors.count("stands"), 8)

    async def test_a_node_that_is_frozen_for_a_while(self) -> None:
        """Whichever it is, the other one cuts the link, and finds it again."""
        for frozen in (0, 1):
            size = 300_000
            one, _ = await self.node(1, 2, size)
            two, port = await self.node(2, 1, size)
            victim, other = (one, two)[frozen], (two, one)[frozen]
            relay = Cutting(port, 3_000_000, partial(victim.signal, signal.SIGSTOP))
            self.closes(await relay.open())
            two.type(f"{HOST} 1\n")
            one.type(f"{RELAY_HOST} {port}\n")
            await other.text(rf"cut: silence for {limits.NODE_SILENT:g} s")
            self.assertFalse([line for line in other.lines() if "sent" in line])
            victim.signal(signal.SIGCONT)
            await self.check(one, two)
            await relay.close()

    async def test_a_node_that_is_killed(self) -> None:
        """Nothing listens where it was: its chats end soon."""
        one, _ = await self.node(1, 2, 10_000_000)
        two, port = await self.node(2, 1, 10_000_000)
        two.type(f"{HOST} 1\n")
        one.type(f"{HOST} {port}\n")
        await one.text("stands")
        killed = time.monotonic()
        two.signal(signal.SIGKILL)
        ended = await one.said("ended", CHATS)
        self.assertLess(ended[-1]["at"] - killed, limits.NODE_DEAD - SLACK)
        await one.said("lost")


class OneWayTests(NodesCase):
    """Two machines, as far as Linux can pretend: namespaces with a network of their own."""

    first, second = "10.97.31.1", "10.97.31.2"

    async def prepare(self) -> None:
        if os.geteuid() or not which("ip"):
            raise SkipTest("only root, with ip, can make networks")
        await super().prepare()
        mark = f"{os.getpid():x}"
        self.spaces = (f"scn{mark}a", f"scn{mark}b")
        ends = (f"scv{mark}a", f"scv{mark}b")
        for space in self.spaces:
            if self.ip("netns", "add", space):
                raise SkipTest("only root, with ip, can make networks")
            self.addCleanup(self.ip, "netns", "del", space)
        self.network(
            *("link", "add", ends[0], "netns", self.spaces[0]),
            *("type", "veth", "peer", "name", ends[1], "netns", self.spaces[1]),
        )
        addresses = (self.first, self.second)
        for space, end, address in zip(self.spaces, ends, addresses, strict=True):
            self.network("-n", space, "addr", "add", f"{address}/24", "dev", end)
            self.network("-n", space, "link", "set", end, "up")
        self.cables = ends

    @staticmethod
    def ip(*words: str) -> int:
        return run(("ip", *words), stdin=DEVNULL, stderr=DEVNULL, check=False).returncode

    def network(self, *words: str) -> None:
        """Change it, or fail."""
        self.assertEqual(self.ip(*words), 0, words)

    def lose(self, number: int) -> None:
        """Whatever this machine sends arrives nowhere: it has a wrong address of the other one."""
        to = (self.first, self.second)[1 - number]
        wrong = "02:00:00:00:00:99"
        words = ("neigh", "replace", to, "lladdr", wrong, "dev", self.cables[number])
        self.network("-n", self.spaces[number], *words, "nud", "permanent")

    def gate(self, number: int) -> tuple[str, ...]:
        return (which("ip") or "", "netns", "exec", self.spaces[number])

    async def test_a_link_that_is_cut_one_way(self) -> None:
        """Chats of both nodes end in time, whichever way it is."""
        for number in (0, 1):
            size = 1_000_000_000
            one, _ = await self.node(1, 2, size, self.first, *self.gate(0))
            two, port = await self.node(2, 1, size, self.second, *self.gate(1))
            two.type(f"{self.first} 1\n")
            one.type(f"{self.second} {port}\n")
            for node in (one, two):
                await node.text("stands")
            cut = time.monotonic()
            self.lose(number)
            for node in (one, two):
                ended = await node.said("ended", CHATS)
                self.assertLess(ended[-1]["at"] - cut, limits.NODE_DEAD + SLACK)
                self.assertGreater(ended[0]["at"] - cut, limits.NODE_DEAD - 2 * limits.NODE_PING)
                await node.said("lost")
                await self.gone(node)
            to = (self.first, self.second)[1 - number]
            words = ("neigh", "del", to, "dev", self.cables[number])
            self.network("-n", self.spaces[number], *words)

    async def gone(self, node: NodeProcess) -> None:
        killed: Deferred[None] = node.kill()
        await killed
