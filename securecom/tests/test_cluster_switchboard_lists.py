"""Who can be asked, on all nodes."""

from __future__ import annotations

from itertools import chain

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, vocabulary
from securecom.identity import Name
from securecom.server.cluster.membership import NodeCommands
from securecom.tests.support.cluster_case import AVAILABLE
from securecom.tests.support.memory_cluster import MemoryCluster
from securecom.tests.support.memory_server import ManualClient, chatting


class ListTests(SynchronousTestCase):
    """Who can be asked, on all nodes."""

    def setUp(self) -> None:
        self.cluster = MemoryCluster(3)
        self.asker = self.cluster.nodes[0].came(self.cluster.nodes[0].enrolled("asker"))

    def come(self, name: str, node: int, **terms: object) -> ManualClient:
        at = self.cluster.nodes[node]
        client = at.came(at.enrolled(name))
        client.done(client.ask(vocabulary.SetAvailability, **AVAILABLE, **terms))
        return client

    def pages(self) -> list[list[str]]:
        found: list[list[str]] = []
        after = b""
        while True:
            asked = self.asker.ask(vocabulary.ListAvailable, after=after, text=b"")
            page = self.asker.done(asked)
            found.append(page["names"])
            if not page["more"]:
                return found
            after = page["names"][-1].encode()

    def test_in_order_and_once_each(self) -> None:
        self.patch(limits, "USERS_PAGE", 3)
        names = [f"{letter}{node}" for letter in "abcd" for node in range(3)]
        for name in names:
            self.come(name, int(name[1]))
        pages = self.pages()
        self.assertEqual(list(chain(*pages)), names)
        self.assertTrue(all(0 < len(page) <= limits.USERS_PAGE for page in pages))

    def test_each_page_goes_on(self) -> None:
        """Also if all the names that are left are on one node."""
        self.patch(limits, "USERS_PAGE", 2)
        names = [f"n{number}" for number in range(7)]
        for name in names:
            self.come(name, 2)
        self.come("z", 1)
        self.assertEqual(list(chain(*self.pages())), [*names, "z"])

    def test_only_whom_one_can_ask(self) -> None:
        blocker = self.come("blocker", 1)
        blocker.done(blocker.ask(vocabulary.Block, name=Name("asker")))
        self.come("chooser", 2, audience=[Name("blocker")])
        friend = self.come("friend", 2, busy_to=[Name("asker")])
        self.come("other", 1)
        self.assertEqual(self.pages(), [["friend", "other"]])
        chatting(friend, self.come("there", 0), "there")
        asked = self.asker.ask(vocabulary.ListAvailable, after=b"", text=b"")
        self.assertEqual(self.asker.done(asked)["busy"], ["friend"])

    def test_a_node_that_does_not_answer(self) -> None:
        """Its people are left out, and the list comes in time."""
        self.come("here", 0)
        self.come("there", 2)
        self.patch(NodeCommands, "locateResponder", lambda *_: lambda _: Deferred())
        asked = self.asker.ask(vocabulary.ListAvailable, after=b"", text=b"")
        self.assertNoResult(asked)
        self.cluster.network.advance(limits.LINK_DEADLINE)
        self.assertEqual(self.successResultOf(asked)["names"], ["here"])

    def test_a_node_that_is_gone(self) -> None:
        self.come("here", 1)
        self.come("there", 2)
        self.cluster.kill(self.cluster.nodes[2])
        self.assertEqual(self.pages(), [["here"]])
