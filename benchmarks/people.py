"""Who has an account: enrolled in the registry before any server starts; then logged in."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from benchmarks.channel import Channel, context
from benchmarks.loop import Loop
from benchmarks.process import Server
from securecom import peers, tls, vocabulary
from securecom.identity import Identity, Name, server_id
from securecom.invitation import token_hash
from securecom.server import database
from securecom.server.sqlite_registry import SQLiteRegistry
from securecom.server.state import open_state
from securecom.tls import Credentials

_BY_SOURCE = 250
_request_context = context(tls.ALPN_REQUEST)


@dataclass(frozen=True)
class Person:
    """Somebody with an account, on a machine of their own.

    :param source: the loopback address of that machine.
    """

    name: Name
    identity: Identity
    source: str

    @cached_property
    def context(self) -> SSL.Context:
        """For the standard channel."""
        return context(tls.ALPN_STANDARD, Credentials.of(self.identity))


def settle(state: Path, count: int) -> list[Person]:
    """A new state folder, and so many people in its registry."""
    now = time.time()
    made = open_state(state, (), now)
    made.close()
    people = [_person(number) for number in range(count)]
    connection = database.connect(made.registry_path)
    registry = SQLiteRegistry(database.SynchronousPool(connection))
    with contextlib.closing(registry):
        for one in people:
            token = os.urandom(20)
            _result(registry.invite(one.name, token_hash(token), now + 3600))
            _result(registry.spend(token_hash(token), one.identity.public_key, now))
    return people


def _person(number: int) -> Person:
    site, machine = divmod(number, _BY_SOURCE)
    return Person(Name(f"user{number:05}"), Identity.generate(), f"127.1.{site}.{machine + 1}")


def _result(deferred: Deferred[Any]) -> None:
    """Of a pool that works at once."""
    results: list[object] = []
    deferred.addBoth(results.append)
    if isinstance(results[0], Failure):
        results[0].raiseException()


class Visit:
    """One log-in of one person: a standard channel, and a request channel if asked for."""

    def __init__(self, loop: Loop, server: Server, person: Person) -> None:
        self.person = person
        self._loop, self._server = loop, server
        self.standard = Channel(loop, person.context, person.source, server.standard)
        self._request: Channel | None = None

    @property
    def request(self) -> Channel:
        """The request channel; `prove` has opened it."""
        if self._request is None:
            raise RuntimeError("no request channel")
        return self._request

    async def log_in(self) -> None:
        """Handshake and LogIn."""
        await self.standard.handshake()
        await self.standard.call(vocabulary.LogIn, **self.login())

    def login(self, takeover: bool = False) -> dict[str, Any]:
        """What `LogIn` takes on this connection."""
        tls_end = self.standard.tls
        _, ca = tls_end.get_peer_cert_chain(as_cryptography=True) or (None, None)
        if ca is None:
            raise RuntimeError("the server showed no CA")
        server, identity = server_id(ca), self.person.identity
        proof = peers.signed_for_server(tls_end, server, identity, peers.LOG_IN)
        return {"takeover": takeover, **proof}

    async def prove(self) -> None:
        """Open the request channel with the session's key."""
        self._request = channel = Channel(
            self._loop, _request_context, self.person.source, self._server.request
        )
        await channel.handshake()
        key, binding = peers.request_key(self.standard.tls), peers.request_binding(channel.tls)
        proof, session = peers.mac(key, b"daemon", binding), peers.session_id(self.standard.tls)
        answer = await channel.call(vocabulary.ProveSession, session=session, proof=proof)
        if answer["proof"] != peers.mac(key, b"server", binding):
            raise RuntimeError("the server's proof is wrong")

    def close(self) -> None:
        """Leave."""
        self.standard.close()
        if self._request is not None:
            self._request.close()
