"""docs/examples/frontend.py is a whole front-end, and needs nothing but the seam."""

from __future__ import annotations

import ast
import contextlib
import io
import runpy
from argparse import Namespace
from pathlib import Path
from typing import Any

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SkipTest, SynchronousTestCase

import securecom
from securecom.client.api import ClientState, Launch
from securecom.client.events import ListedUser, Message
from securecom.identity import Name
from securecom.tests.support.memory_client import MemoryClient
from securecom.tests.support.memory_server import MemoryServer

_EXAMPLE = Path(securecom.__file__).parent.parent / "docs" / "examples" / "frontend.py"
BOB = Name("bob")


class ExampleTests(SynchronousTestCase):
    def setUp(self) -> None:
        if not _EXAMPLE.exists():
            raise SkipTest("an installed package has no docs")
        self.server = MemoryServer()
        self.printed = io.StringIO()
        self.alice = MemoryClient(
            self.server.network, self.server.enrolled("alice"), self.server.pin
        ).start()
        self.leaves = 0
        launch = Launch(Namespace(), object(), self.leave)
        small = runpy.run_path(str(_EXAMPLE))["Small"](launch)
        bob = MemoryClient(self.server.network, self.server.enrolled("bob"), self.server.pin)
        small.makeConnection(StringTransport())
        small.begin(bob.main, None)
        bob.notes.on_event = small.show
        self.small: Any = small
        with contextlib.redirect_stdout(self.printed):
            bob.start()

    def leave(self) -> None:
        self.leaves += 1

    def type(self, line: str) -> None:
        with contextlib.redirect_stdout(self.printed):
            self.small.dataReceived(f"{line}\n".encode())
            self.server.network.pump()

    def ask(self) -> None:
        with contextlib.redirect_stdout(self.printed):
            self.alice.main.request_chat(BOB).addErrback(lambda _: None)
            self.server.network.pump()

    def seen(self) -> str:
        text = self.printed.getvalue()
        self.printed.seek(0)
        self.printed.truncate()
        return text

    def test_a_chat(self) -> None:
        self.assertEqual(self.seen(), "online as bob\n")
        self.ask()
        self.assertRegex(self.seen(), r"alice wants to chat \(new key SHA256:.{43}\): /yes or /no")
        self.type("/yes")
        self.assertEqual(self.seen(), "alice's request: accepted\n")
        with contextlib.redirect_stdout(self.printed):
            self.alice.main.say("hi\x1b[2J")
            self.server.network.pump()
        self.assertEqual(self.seen(), "alice: 'hi\\x1b[2J'\n")
        self.type("hello")
        self.assertEqual(self.alice.notes.last(Message).text, "hello")
        self.type("/stop")
        self.assertEqual(self.seen(), "the chat with alice is over\n")
        self.assertIs(self.alice.main.state, ClientState.IDLE)

    def test_a_no_and_what_makes_no_sense(self) -> None:
        self.seen()
        self.type("hello?")
        self.assertIn("SC-203 that makes no sense now: online, with nothing", self.seen())
        self.ask()
        self.type("/no")
        self.assertTrue(self.seen().endswith("alice's request: refused\n"))

    def test_the_way_out(self) -> None:
        self.seen()
        self.type("/exit")
        self.assertEqual(self.leaves, 1)
        self.small.stop()
        self.type("/yes")
        self.assertIn("SC-203", self.seen())
        self.small.connectionLost()
        self.successResultOf(self.small.ended)

    def test_it_needs_nothing_else_of_the_client(self) -> None:
        imported = {
            node.module
            for node in ast.walk(ast.parse(_EXAMPLE.read_text("utf-8")))
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("securecom")
        }
        seam = {"securecom.client", "securecom.client.api", "securecom.errors"}
        self.assertEqual(imported, seam)

    def test_who_we_are_and_whom_we_know(self) -> None:
        api = self.small.api
        self.assertEqual((api.name, api.is_available, api.people), (BOB, True, []))
        self.ask()
        self.type("/yes")
        self.assertEqual(api.people, [ListedUser(Name("alice"), "met")])
