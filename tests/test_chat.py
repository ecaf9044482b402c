"""Requests and chats between real clients, over either kind of request channel."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError

from tests.support.intermediaries import Stranger, connect
from tests.support.programs import Client, Server
from tests.support.shortened import SOON, USUAL
from tests.support.system_case import SystemCase

if TYPE_CHECKING:
    Base = SystemCase
else:
    Base = object

NO_ANSWER, REFUSED, CANCELLED, NOT_NOW = 601, 602, 603, 203


class ChatCases(Base):
    """The same story whichever way the request channels came to be."""

    how: str

    async def pair(self, *options: str) -> tuple[Server, Client, Client]:
        """A server with alice and bob online."""
        server = await self.server(*options)
        alice, bob = await self.clients(server, "alice", "bob")
        for client in (alice, bob):
            (channel,) = client.told("request-channel")
            self.assertEqual(channel["how"], self.how)
        return server, alice, bob

    async def test_messages_both_ways(self) -> None:
        _, alice, bob = await self.pair()
        users = await self._users(alice)
        self.assertEqual(users, [{"name": "bob", "trust": "new", "introduced_by": None}])
        await self.chat(alice, bob, "bob", "alice")
        for number in range(5):
            await self.say(
                alice, bob, f"from alice, {number}: \u00e4\u65e5\u672c \U0001f512\nline two"
            )
            await self.say(bob, alice, f"from bob, {number}")
        await self.say(alice, bob, "x" * 16_384)
        met = [{"name": "bob", "trust": "met", "introduced_by": None}]
        self.assertEqual(await self._users(alice), met)  # in a chat: which the list does not tell
        await self.stop(bob, alice)
        self.assertEqual(await self._users(alice), met)
        await self.chat(bob, alice, "alice", "bob")
        await self.stop(bob, alice)

    async def test_the_caller_speaks_first_and_early_words_are_kept(self) -> None:
        _, alice, bob = await self.pair()
        await self.chat(alice, bob, "bob", "alice")
        (caller,), (callee,) = alice.told("chat-started"), bob.told("chat-started")
        self.assertEqual((caller["role"], callee["role"]), ("caller", "callee"))
        for early in ("one", "two"):
            await bob.do("say", text=early)
            await bob.event("said", text=early, held=True)
        await self.say(alice, bob, "after you")
        for early in ("one", "two"):
            await alice.event("message", name="bob", text=early)
            await bob.event("delivered")
        self.assertEqual(alice.messages, ["one", "two"])
        kinds = [event["event"] for event in bob.events]
        self.assertLess(kinds.index("message"), kinds.index("delivered"))

    async def test_refused(self) -> None:
        _, alice, bob = await self.pair()
        asking = alice.send("chat", name="bob")
        await bob.event("asked", name="alice")
        await bob.do("refuse")
        self.assertEqual((await alice.answer(asking))["code"], REFUSED)
        await alice.event("request-over", outcome="refused")
        await self.chat(bob, alice, "alice", "bob")

    async def test_cancelled(self) -> None:
        _, alice, bob = await self.pair()
        asking = alice.send("chat", name="bob")
        await bob.event("asked")
        await alice.do("cancel")
        self.assertEqual((await alice.answer(asking))["code"], CANCELLED)
        await bob.event("asked-over", reason="cancelled")
        await bob.refused(NOT_NOW, "accept")
        await self.chat(bob, alice, "alice", "bob")

    async def test_busy_away_off_line_and_unknown_look_alike(self) -> None:
        server, alice, bob = await self.pair()
        carol = await self.client("carol", server).online()
        await self.chat(alice, bob, "bob", "alice")
        await server.limits(*SOON)
        busy = await carol.refused(NO_ANSWER, "chat", name="bob")
        unknown = await carol.refused(NO_ANSWER, "chat", name="nobody")
        await self.stop(alice, bob)
        await bob.do("away")
        away = await carol.refused(NO_ANSWER, "chat", name="bob")
        bob.send("exit")
        await bob.ended()
        off_line = await carol.refused(NO_ANSWER, "chat", name="bob")
        answers = [
            str([one["code"], one["what"], one["hint"]]).replace("nobody", "bob")
            for one in (busy, unknown, away, off_line)
        ]
        self.assertEqual(len(set(answers)), 1)
        self.assertEqual(alice.told("asked"), [])
        await server.limits(*USUAL)
        # One who is away may ask, and those who are back may be asked.
        await self.chat(carol, alice, "alice", "carol")

    async def test_one_who_is_asked_is_busy_for_others(self) -> None:
        server, alice, bob = await self.pair()
        carol = await self.client("carol", server).online()
        asking = alice.send("chat", name="bob")
        await bob.event("asked", name="alice")
        for name in ("bob", "alice"):
            waiting = carol.send("chat", name=name)
            await carol.do("cancel")
            self.assertEqual((await carol.answer(waiting))["code"], CANCELLED)
        await bob.do("accept")
        self.assertTrue((await alice.answer(asking))["ok"])
        self.assertEqual(len(bob.told("asked")), 1)

    async def test_asking_the_caller_back_is_a_yes(self) -> None:
        _, alice, bob = await self.pair()
        asking = bob.send("chat", name="alice")
        await alice.event("asked", name="bob")
        agreeing = alice.send("chat", name="bob")
        for client, number in ((alice, agreeing), (bob, asking)):
            self.assertTrue((await client.answer(number))["ok"])
        await bob.event("chat-started", role="caller")
        await alice.event("chat-started", role="callee")
        await self.say(bob, alice, "you too?")
        await self.say(alice, bob, "me too")

    async def test_requests_that_cross_become_one_chat(self) -> None:
        _, alice, bob = await self.pair()
        for _ in range(5):
            numbers = [alice.send("chat", name="bob"), bob.send("chat", name="alice")]
            for client, number in zip((alice, bob), numbers, strict=True):
                result = await client.answer(number)
                self.assertTrue(result["ok"], f"{result}\n{alice}\n{bob}")
            roles = [(await one.event("chat-started"))["role"] for one in (alice, bob)]
            self.assertEqual(sorted(roles), ["callee", "caller"])
            caller, callee = (alice, bob) if roles[0] == "caller" else (bob, alice)
            await self.say(caller, callee, "you too?")
            await self.stop(callee, caller)

    async def test_expired(self) -> None:
        """The minute of a request is cut to a second: `shortened` is twistd in all else."""
        command = (
            sys.executable,
            "-m",
            "tests.support.shortened",
            "REQUEST_STANDS=1",
            "REQUEST_EXPIRES=1",
        )
        server = await self.server(command=(*command, "-n", "--pidfile=", "securecom"))
        alice, bob = await self.clients(server, "alice", "bob")
        asking = alice.send("chat", name="bob")
        await bob.event("asked-over", name="alice", reason="expired")
        self.assertEqual((await alice.answer(asking))["code"], NO_ANSWER)
        await bob.refused(NOT_NOW, "accept")

    async def _users(self, client: Client) -> list[dict[str, str]]:
        await client.do("users")
        users: list[dict[str, str]] = (await client.event("users"))["users"]
        return users


class ListenTests(ChatCases, SystemCase):
    """The daemon role connects to the server."""

    how = "listen"


class DialTests(ChatCases, SystemCase):
    """The server dials the daemon role."""

    how = "dial"
    client_options = ("--request", "dial")


class DialPolicyTests(SystemCase):
    """What a client sees when the server does not dial, or not that port."""

    server_options = ()

    async def test_a_server_that_does_not_dial(self) -> None:
        server = await self.server("--no-dial")
        await server.limits(*SOON)
        bob = self.client("bob", server, "--request", "dial", "--available")
        await bob.event("problem", code=303)
        await bob.event("online")
        alice = await self.client("alice", server).online()
        await alice.refused(NO_ANSWER, "chat", name="bob")
        self.assertEqual(bob.told("asked"), [])

    async def test_each_listens_somewhere_else(self) -> None:
        server = await self.server("--dial", "0")
        alice = await self.client("alice", server, "--request", "dial").online()
        bob = await self.client("bob", server, "--request", "dial", "--available").online()
        ports = [client.told("request-channel")[0]["port"] for client in (alice, bob)]
        self.assertEqual(len(set(ports)), 2)
        await self.chat(alice, bob, "bob", "alice")

    async def test_nobody_but_the_server_finds_the_port_open(self) -> None:
        server = await self.server("--dial", "0")
        alice = await self.client("alice", server).online()
        bob = await self.client("bob", server, "--request", "dial", "--available").online()
        (channel,) = bob.told("request-channel")
        late = connect(Stranger(), channel["port"])
        await self.assertFailure(Deferred.fromCoroutine(late), ConnectionRefusedError)
        await self.chat(alice, bob, "bob", "alice")

    async def test_one_way_each(self) -> None:
        server = await self.server("--dial", "0")
        alice = await self.client("alice", server, "--request", "dial", "--available").online()
        bob = await self.client("bob", server, "--request", "listen", "--available").online()
        await self.chat(alice, bob, "bob", "alice")
        await self.stop(alice, bob)
        await self.chat(bob, alice, "alice", "bob")
