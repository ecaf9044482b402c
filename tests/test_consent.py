"""Nothing passes between two people without a chat that both agreed to."""

from __future__ import annotations

import signal
import sys

from securecom import framing, tls, vocabulary
from securecom.identity import Name
from tests.support.intermediaries import Modified, connect, soon
from tests.support.intruder_case import IntruderCase
from tests.support.programs import Client


class ConsentTests(IntruderCase):
    """Chat frames without an accepted chat end the offender's session and reach nobody."""

    async def test_a_stream_that_never_was(self) -> None:
        server = await self.server()
        mallory = await self.modified(server, "carol")
        alice, bob = await self.clients(server, "alice", "bob")
        mallory.send(framing.encode_chat(7, b"hello?"))
        await self._is_thrown_out(mallory)
        await self.chat(alice, bob, "bob", "alice")
        await self.say(alice, bob, "nothing happened")

    async def test_a_stream_of_others(self) -> None:
        """Mallory even knows its number, from a chat with each of them."""
        command = (sys.executable, "-m", "tests.support.counting_server")
        server = await self.server(command=(*command, "-n", "--pidfile=", "securecom"))
        mallory = await self.modified(server, "carol")
        alice, bob = await self.clients(server, "alice", "bob")
        await self.chat(alice, bob, "bob", "alice")
        mallory.send(framing.encode_chat(1, b"\x17\x03\x03\x00\x20" + bytes(32)))
        await self._is_thrown_out(mallory)
        await self._is_undisturbed(alice, bob)

    async def test_a_stream_of_others_from_within_a_chat(self) -> None:
        """An accepted chat opens its own stream and no other."""
        server = await self.server()
        mallory = await self.modified(server, "carol")
        (bob,) = await self.clients(server, "bob")
        asking = mallory.control.call(vocabulary.RequestChat, callee=Name("bob"))
        await bob.event("asked", name="carol")
        bob.send("accept")
        stream = (await soon(asking))["stream"]
        mallory.send(framing.encode_chat(stream ^ 1 or 2, b"past the relay"))
        await self._is_thrown_out(mallory)
        await self.check_chat(server, "alice", "carol")

    async def test_before_the_other_has_agreed(self) -> None:
        command = (sys.executable, "-m", "tests.support.counting_server")
        server = await self.server(command=(*command, "-n", "--pidfile=", "securecom"))
        mallory = await self.modified(server, "carol")
        (bob,) = await self.clients(server, "bob")
        asking = mallory.control.call(vocabulary.RequestChat, callee=Name("bob"))
        asking.addErrback(lambda _: None)
        await bob.event("asked", name="carol")
        mallory.send(framing.encode_chat(1, b"let me in"))
        await self._is_thrown_out(mallory)
        await bob.event("asked-over", reason="gone")
        (alice,) = await self.clients(server, "alice")
        await self.chat(alice, bob, "bob", "alice")
        await self._is_undisturbed(alice, bob)

    async def test_late_frames_of_a_chat_just_ended_are_dropped(self) -> None:
        server = await self.server()
        mallory = await self.modified(server, "carol")
        (bob,) = await self.clients(server, "bob")
        asking = mallory.control.call(vocabulary.RequestChat, callee=Name("bob"))
        await bob.event("asked", name="carol")
        bob.send("accept")
        stream = (await soon(asking))["stream"]
        await soon(mallory.control.call(vocabulary.EndChat, stream=stream))
        mallory.send(framing.encode_chat(stream, b"one more thing") * 3)
        await soon(mallory.control.call(vocabulary.Ping))
        self.assertEqual(bob.messages, [])
        mallory.send(framing.encode_chat(stream + 1 or 1, b"and another"))
        await self._is_thrown_out(mallory)

    async def test_a_flood_for_a_peer_who_does_not_read(self) -> None:
        """The sender is held, not the server's memory filled; the peer has 2 s to take something.

        The 30 s of that are cut short (`tests.support.shortened`).
        """
        command = (sys.executable, "-m", "tests.support.shortened", "NO_PROGRESS=2")
        server = await self.server(command=(*command, "-n", "--pidfile=", "securecom"))
        mallory = await self.modified(server, "carol")
        (bob,) = await self.clients(server, "bob")
        asking = mallory.control.call(vocabulary.RequestChat, callee=Name("bob"))
        await bob.event("asked", name="carol")
        bob.send("accept")
        stream = (await soon(asking))["stream"]
        bob.signal(signal.SIGSTOP)
        before = server.memory()
        mallory.send(framing.encode_chat(stream, bytes(16_384)) * 2_000)  # 32 MB
        self.assertEqual(await soon(mallory.stream_closed), stream)
        self.assertLess(server.memory() - before, 12 * 1024, "KiB")
        bob.signal(signal.SIGKILL)
        mallory.cut()
        await self.check_chat(server, "alice", "carol")

    async def test_before_log_in(self) -> None:
        server = await self.server()
        client = self.ends(Modified(tls.ALPN_STANDARD))
        await connect(
            client, server.standard, tls.standard_client(self.identity("carol"), self.pin)
        )
        await soon(client.ready)
        client.send(framing.encode_chat(1, b"hello?"))
        await soon(client.gone)
        await self.check_chat(server)

    async def test_a_command_that_is_not_a_clients(self) -> None:
        server = await self.server()
        mallory = await self.modified(server, "carol")
        mallory.control.tell(vocabulary.StreamClosed, stream=1)
        await self._is_thrown_out(mallory)
        await self.check_chat(server)

    async def _is_thrown_out(self, mallory: Modified) -> None:
        await soon(mallory.gone)
        self.assertEqual(mallory.goodbye, "violation")

    async def _is_undisturbed(self, alice: Client, bob: Client) -> None:
        await self.say(alice, bob, "did you hear something?")
        await self.say(bob, alice, "no")
        await self.stop(alice, bob)
