"""What somebody on the way sees of chats, and what is left of them anywhere: nothing that was said.

The relays stand at another address of this machine, on the server's own port numbers; clients go
there because their profiles say so.
"""

from __future__ import annotations

import re
import secrets
import sys
from collections.abc import Iterator

from twisted.internet.error import CannotListenError
from twisted.trial.unittest import SkipTest

from tests.support.intermediaries import RELAY_HOST, Relay
from tests.support.programs import Client, Server
from tests.support.shortened import SILENCE, USUAL
from tests.support.system_case import SystemCase

CHATS = 100


class RelayCase(SystemCase):
    async def relays(self, server: Server) -> tuple[Relay, Relay]:
        """Before the standard and the request channel of alice and bob."""
        made = []
        for port in (server.standard, server.request):
            try:
                made.append(await self.closes(Relay(port)).open())
            except CannotListenError as error:
                raise SkipTest(f"no second loopback address here ({error})") from error
        for name in ("alice", "bob"):
            path = self.profile(name)
            path.write_text(re.sub(r"(?m)^host = .*$", f'host = "{RELAY_HOST}"', path.read_text()))
        return made[0], made[1]


class RecordingTests(RelayCase):
    async def test_a_hundred_chats(self) -> None:
        """More than a caller may ask for in a minute: that limit alone is lifted."""
        more = ("REQUESTS_BY_CALLER=1000", "REQUESTS_TO_CALLEE=1000")
        command = (sys.executable, "-m", "tests.support.shortened", *more)
        server = await self.server(command=(*command, "-n", "--pidfile=", "securecom"))
        standard, request = await self.relays(server)
        logs = ("--log-file", str(self.home / "client.log"))
        alice = await self.client("alice", server, "--available", *logs).online()
        bob = await self.client("bob", server, "--available", *logs).online()
        markers = [secrets.token_hex(12) for _ in range(2 * CHATS)]
        for there, back in zip(markers[::2], markers[1::2], strict=True):
            await self._one_chat(alice, bob, there, back)
        self.assertEqual(bob.messages, [f"{word} alice speaking" for word in markers[::2]])
        self.assertEqual(alice.messages, [f"{word} bob speaking" for word in markers[1::2]])
        for client in (alice, bob):
            client.send("exit")
            await client.ended()
        await server.stop()
        # An identity key passes in every handshake, so what is looked for would be found.
        self.assertGreater(len(standard.recorded), CHATS * 5000)
        self.assertGreater(len(request.recorded), CHATS * 100)
        self._is_nowhere(markers, dict(self._places(server, standard, request)))

    async def _one_chat(self, alice: Client, bob: Client, there: str, back: str) -> None:
        asking = alice.send("chat", name="bob")
        await bob.event("asked", name="alice")
        bob.send("accept")
        self.assertTrue((await alice.answer(asking))["ok"], f"{alice}")
        await bob.event("chat-started")
        await self.say(alice, bob, f"{there} alice speaking")
        await self.say(bob, alice, f"{back} bob speaking")
        await self.stop(alice, bob)

    def _places(
        self, server: Server, standard: Relay, request: Relay
    ) -> Iterator[tuple[str, bytes]]:
        yield "the standard channels", bytes(standard.recorded)
        yield "the request channels", bytes(request.recorded)
        yield "the server's log", bytes(server.written[1] + server.written[2])
        files = [path for path in self.home.rglob("*") if path.is_file()]
        self.assertGreater(len(files), 10)
        for path in files:
            yield str(path), path.read_bytes()

    def _is_nowhere(self, markers: list[str], places: dict[str, bytes]) -> None:
        words = [*(word.encode("ascii") for word in markers), b"speaking"]
        words += [bytes.fromhex(word) for word in markers]
        for place, data in places.items():
            for word in words:
                self.assertNotIn(word, data, place)


class DamagingTests(RelayCase):
    async def test_a_flipped_bit_on_the_way_to_the_server(self) -> None:
        server = await self.server()
        standard, _ = await self.relays(server)
        alice, bob = await self.clients(server, "alice", "bob")
        await self.chat(alice, bob, "bob", "alice")
        await self.say(alice, bob, "whole")
        standard.flips = 1
        alice.send("say", text="damaged")
        for client in (alice, bob):
            await client.event("chat-over", ending="cut-off")
        await alice.event("online", again=True)
        await alice.event("availability", available=True)
        self.assertEqual(bob.messages, ["whole"])
        await self.chat(alice, bob, "bob", "alice")
        await self.say(alice, bob, "whole again")

    async def test_flipped_bits_in_the_handshake(self) -> None:
        server = await self.server()
        standard, _ = await self.relays(server)
        standard.flips = 2  # the first two attempts
        alice = self.client("alice", server)
        offline = await alice.event("offline")
        self.assertIsNotNone(offline["retry_in"])
        await alice.event("online")

    async def test_a_damaged_request_channel_comes_back(self) -> None:
        server = await self.server()
        _, request = await self.relays(server)
        alice, bob = await self.clients(server, "alice", "bob")
        request.flips = 1
        await server.limits(*SILENCE)
        await alice.refused(601, "chat", name="bob")  # the offer is what is damaged
        await server.limits(*USUAL)
        await bob.event("request-channel", up=False)
        await bob.event("request-channel", up=True)
        await self.chat(alice, bob, "bob", "alice")
        await self.say(alice, bob, "whole again")
