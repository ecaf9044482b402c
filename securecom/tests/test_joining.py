"""A node is put together from its operator's options, or says in one line why not."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from securecom.errors import BadArgument, StateDamaged
from securecom.server.cluster import joining
from securecom.server.cluster.node_service import NodeService
from securecom.server.database import SynchronousPool, in_memory
from securecom.server.reception import Reception
from securecom.server.service import ServerContext
from securecom.server.sqlite_registry import SQLiteRegistry
from securecom.server.state import open_state


class JoiningTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.state = open_state(Path(self.mktemp()), [], time.time())
        self.addCleanup(self.state.close)
        self.around = ServerContext(
            self.reactor,
            time.time,
            bytes,
            lambda host, port: None,  # type: ignore[arg-type, return-value]
        )

    def node(self, url: str, **chosen: Any) -> NodeService:
        facts = {"password_file": None, "ca": None, "host": "node.example.org", **chosen}
        listen = TCP4ServerEndpoint(self.reactor, 4245)
        choice = joining.ChosenNode(url=url, listen=listen, **facts)
        return joining.node_service(choice, self.state, self.around, self.reactor)

    def test_where_the_engine_is(self) -> None:
        """It is asked as soon as the node has its port."""
        node = self.node("redis://10.1.2.3:7000/2")
        registry = SQLiteRegistry(SynchronousPool(in_memory()))
        node.join(Reception(self.reactor, time.time, registry, node.switchboard, bytes(32)))
        node.begin(4245).addErrback(lambda _: None)
        [(_, port, *_)] = self.reactor.tcpClients  # this reactor knows no host but one
        self.assertEqual(port, 7000)

    def test_a_url_that_is_none(self) -> None:
        self.assertRaises(BadArgument, self.node, "http://10.1.2.3")

    def test_a_password_that_others_can_read(self) -> None:
        path = Path(self.mktemp())
        path.write_text("secret\n")
        path.chmod(0o644)
        self.assertRaises(StateDamaged, self.node, "redis://10.1.2.3", password_file=path)

    def test_a_ca_without_tls(self) -> None:
        self.assertRaises(BadArgument, self.node, "redis://10.1.2.3", ca=Path("ca.pem"))
