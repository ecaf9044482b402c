"""Peers that break the server's rules: each is turned away, and nobody else notices.

After everything here an ordinary chat still works, and the server's log is clean (`SystemCase`).
"""

from __future__ import annotations

import os
import sys
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from twisted.protocols import amp

from securecom import framing, peers, refusals, tls, vocabulary
from securecom.tests.support.joined_connections import PlainTLS
from securecom.tests.support.second_keys import UNPROVED
from tests.support.intermediaries import Modified, connect, soon
from tests.support.intruder_case import IntruderCase
from tests.support.programs import Server


def _frame(command: bytes, **fields: bytes) -> bytes:
    told = {key.encode("ascii"): value for key, value in fields.items()}
    box = amp.AmpBox({b"_ask": b"1", b"_command": command, **told})
    return framing.encode(framing.CONTROL, box.serialize())


#: What a channel answers, the standard one with a welcome and the other with a refusal.
_LOG_IN = _frame(b"LogIn", takeover=b"True", second_key=bytes(1952), signature=bytes(3309))
_PROVE = _frame(b"ProveSession", session=bytes(16), proof=bytes(32))


class TLSTests(IntruderCase):
    """TLS that is not as it must be: no word of the protocol is spoken."""

    async def test_strangers(self) -> None:
        server = await self.server()
        carol = self.identity("carol")
        shown: dict[str, Any] = {"chain": [carol.certificate], "key": carol.private_key}
        curve = ec.SECP256R1()
        old = SSL.TLS1_2_VERSION
        standard, request = tls.ALPN_STANDARD, tls.ALPN_REQUEST
        cases: list[tuple[str, int, PlainTLS]] = [
            ("no post-quantum group", server.standard, PlainTLS(curve=curve, **shown)),
            ("TLS 1.2", server.standard, PlainTLS(newest=old, **shown)),
            ("no ALPN", server.standard, PlainTLS((), **shown)),
            ("a chat's ALPN", server.standard, PlainTLS((tls.ALPN_CHAT,), **shown)),
            ("the other channel's ALPN", server.standard, PlainTLS((request,), **shown)),
            ("no certificate", server.standard, PlainTLS()),
            ("no post-quantum group", server.request, PlainTLS((request,), curve=curve)),
            ("TLS 1.2", server.request, PlainTLS((request,), newest=old)),
            ("no ALPN", server.request, PlainTLS(())),
            ("the standard channel's ALPN", server.request, PlainTLS((standard,), **shown)),
            ("enrolment's ALPN", server.request, PlainTLS((tls.ALPN_ENROL,), **shown)),
        ]
        for why, port, options in cases:
            stranger = await self.stranger(port, options)
            stranger.write(_LOG_IN if port == server.standard else _PROVE)
            await soon(stranger.gone)
            self.assertEqual(stranger.received, b"", why)
        await self.check_chat(server)

    async def test_the_same_stranger_with_nothing_wrong_is_heard(self) -> None:
        """So it is what is wrong that turns the others away."""
        server = await self.server()
        carol = self.identity("carol")
        shown: dict[str, Any] = {"chain": [carol.certificate], "key": carol.private_key}
        for port, options in (
            (server.standard, PlainTLS(**shown)),
            (server.request, PlainTLS((tls.ALPN_REQUEST,))),
        ):
            stranger = await self.stranger(port, options)
            stranger.write(_LOG_IN if port == server.standard else _PROVE)
            await soon(stranger.answered)


class ProofTests(IntruderCase):
    """The request channel belongs to who holds the session key of this very connection."""

    async def test_bad_proofs(self) -> None:
        server = await self.server()
        carol = await self.modified(server, "carol")
        ident, key = peers.session_id(carol.tls), peers.request_key(carol.tls)
        recorded: list[bytes] = []
        for why in ("wrong", "of another session", "the server's", "replayed", "good"):
            channel = await self._channel(server)
            binding = peers.request_binding(channel.tls)
            good = peers.mac(key, b"daemon", binding)
            proof = {
                "wrong": bytes(32),
                "of another session": peers.mac(bytes(32), b"daemon", binding),
                "the server's": peers.mac(key, b"server", binding),
                "replayed": recorded[0] if recorded else bytes(32),
                "good": good,
            }[why]
            recorded = recorded or [good]
            answer = channel.control.call(vocabulary.ProveSession, session=ident, proof=proof)
            if why == "good":
                self.assertEqual((await soon(answer))["proof"], peers.mac(key, b"server", binding))
                continue
            await self.assertFailure(answer, refusals.BadProof)
            await soon(channel.gone)
        await self.check_chat(server)

    async def test_a_proof_that_was_good_on_another_connection(self) -> None:
        server = await self.server()
        carol = await self.modified(server, "carol")
        ident, key = peers.session_id(carol.tls), peers.request_key(carol.tls)
        first = await self._channel(server)
        proof = peers.mac(key, b"daemon", peers.request_binding(first.tls))
        await soon(first.control.call(vocabulary.ProveSession, session=ident, proof=proof))
        second = await self._channel(server)
        replayed = second.control.call(vocabulary.ProveSession, session=ident, proof=proof)
        await self.assertFailure(replayed, refusals.BadProof)
        await soon(second.gone)
        await soon(first.control.call(vocabulary.Ping))  # undisturbed

    async def test_a_session_that_is_over(self) -> None:
        server = await self.server()
        carol = await self.modified(server, "carol")
        ident, key = peers.session_id(carol.tls), peers.request_key(carol.tls)
        carol.cut()
        await soon(carol.gone)
        await self.client("carol", server).online()  # the server has noticed
        channel = await self._channel(server)
        proof = peers.mac(key, b"daemon", peers.request_binding(channel.tls))
        answer = channel.control.call(vocabulary.ProveSession, session=ident, proof=proof)
        await self.assertFailure(answer, refusals.BadProof)
        await soon(channel.gone)

    async def test_commands_before_the_proof(self) -> None:
        server = await self.server()
        channel = await self._channel(server)
        login = channel.control.call(vocabulary.LogIn, takeover=False, **UNPROVED)
        login.addErrback(lambda _: None)
        await soon(channel.gone)
        await self.check_chat(server)

    async def _channel(self, server: Server) -> Modified:
        channel: Modified = self.ends(Modified(tls.ALPN_REQUEST))
        await connect(channel, server.request, tls.request_client(self.pin))
        await soon(channel.ready)
        return channel


class SilentTests(IntruderCase):
    async def test_who_does_not_log_in_is_dropped(self) -> None:
        """At every stage; the ten seconds of each are cut to two (`tests.support.shortened`)."""
        shorter = ("LOGIN_DEADLINE=2", "HELLO_DEADLINE=2")
        command = (sys.executable, "-m", "tests.support.shortened", *shorter)
        server = await self.server(command=(*command, "-n", "--pidfile=", "securecom"))
        carol = self.identity("carol")
        waiting: list[Any] = [
            await self.stranger(server.standard),
            await self.stranger(server.request),
        ]
        half = await self.stranger(server.standard)
        half.write(b"\x16\x03\x01\x02\x00\x01")
        waiting.append(half)
        secured = (
            (server.standard, tls.ALPN_STANDARD, tls.standard_client(carol, self.pin)),
            (server.standard, tls.ALPN_ENROL, tls.enrol_client(carol, self.pin)),
            (server.request, tls.ALPN_REQUEST, tls.request_client(self.pin)),
        )
        for port, alpn, options in secured:
            client = self.ends(Modified(alpn))
            waiting.append(await connect(client, port, options))
        for silent in waiting:
            await soon(silent.gone)
        await self.check_chat(server)

    async def test_garbage(self) -> None:
        server = await self.server()
        for port in (server.standard, server.request):
            for data in (
                b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                b"SSH-2.0-OpenSSH_9.2\r\n",
                bytes(5000),
                os.urandom(50_000),
            ):
                stranger = await self.stranger(port)
                stranger.write(data)
                await soon(stranger.gone)
        await self.check_chat(server)

    async def test_garbage_inside_tls(self) -> None:
        server = await self.server()
        carol = self.identity("carol")
        for data in (
            b"\xff" * 100,
            bytes(4) + b"\0\0",
            framing.encode(0, b"\0\1x"),
            os.urandom(9000),
        ):
            client = self.ends(Modified(tls.ALPN_STANDARD))
            await connect(client, server.standard, tls.standard_client(carol, self.pin))
            await soon(client.ready)
            client.send(b"\7" + data)
            await soon(client.gone)
            channel = self.ends(Modified(tls.ALPN_REQUEST))
            await connect(channel, server.request, tls.request_client(self.pin))
            await soon(channel.ready)
            channel.send(b"\7" + data)
            await soon(channel.gone)
        await self.check_chat(server)
