"""`securecom-admin nodes` and `where`: what the directory says, in lines and in JSON."""

from __future__ import annotations

import json
from typing import Any, cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from securecom.admin import nodes
from securecom.admin.command_line import parser
from securecom.errors import DirectoryAway
from securecom.identity import Name
from securecom.server.cluster.directory import Node, Place
from securecom.server.state import StoredState
from securecom.tests.support.memory_directory import MemoryDirectory, MemoryEngine

NODE = Node(bytes(range(16)), "10.0.0.1", 4245)
IDENT = bytes(range(16)).hex()


class Turned:
    """A reactor that has nothing to do but to stop."""

    def __init__(self) -> None:
        self.is_stopped = self.has_run = False

    def run(self) -> None:
        self.has_run = True

    def stop(self) -> None:
        self.is_stopped = True


class NodesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.engine = MemoryEngine(Clock())
        self.patch(nodes, "_directory", lambda *_: MemoryDirectory(self.engine))
        directory = MemoryDirectory(self.engine)
        self.successResultOf(directory.announce(NODE))
        self.successResultOf(directory.claim(Name("alice"), Place(NODE.ident, bytes(16)), False))

    def asked(self, *words: str) -> list[str]:
        asked = parser().parse_args([*words, "--switchboard", "redis://h"])
        reactor = Turned()
        report = nodes.ask(asked, cast(StoredState, None), reactor)
        self.assertTrue(reactor.has_run and reactor.is_stopped)
        return list(report.lines)

    def data(self, *words: str) -> list[Any]:
        return [json.loads(line) for line in self.asked(*words, "--json")]

    def test_nodes(self) -> None:
        head, line = self.asked("nodes")
        self.assertEqual(head.split(), ["NODE", "ADDRESS"])
        self.assertEqual(line.split(), [IDENT, "10.0.0.1:4245"])
        self.assertEqual(self.data("nodes"), [{"node": IDENT, "host": "10.0.0.1", "port": 4245}])

    def test_no_node(self) -> None:
        self.engine.wipe()
        self.assertEqual(self.asked("nodes"), ["no node lives"])
        self.assertEqual(self.data("nodes"), [])

    def test_where(self) -> None:
        self.assertEqual(self.asked("where", "alice"), [f"alice is on node {IDENT}, 10.0.0.1:4245"])
        [found] = self.data("where", "alice")
        self.assertEqual((found["name"], found["host"]), ("alice", "10.0.0.1"))

    def test_nowhere(self) -> None:
        self.assertEqual(self.asked("where", "bob"), ["bob is not online"])
        self.assertEqual(self.data("where", "bob"), [])

    def test_the_directory_is_away(self) -> None:
        self.engine.is_away = True
        self.assertRaises(DirectoryAway, self.asked, "nodes")
