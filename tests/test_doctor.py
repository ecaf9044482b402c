"""`securecom --doctor` at a real server, beside a real client, and where nothing answers."""

from __future__ import annotations

import json
import signal
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol

from tests.support.processes import reactor
from tests.support.system_case import SystemCase


class Silent(Protocol):
    """A server that says nothing."""

    factory: Any

    def connectionMade(self) -> None:
        called, self.factory.called = self.factory.called, None
        if called is not None:
            called.callback(None)


class DoctorTests(SystemCase):
    async def test_all_is_well_and_said(self) -> None:
        server = await self.server()
        doctor = self.plain("alice", server, "--doctor", "--json")
        self.assertEqual(await doctor.ended(), 0, str(doctor))
        found = {one["finding"]: one for one in map(json.loads, doctor.output.splitlines())}
        checks = ("key", "people", "network", "certificate", "log-in", "request-channel", "clock")
        for check in checks:
            self.assertIn(found[check]["state"], ("fine", "note"), check)
        self.assertEqual(found["clock"]["state"], "fine")

    async def test_a_client_that_is_online_stays_online(self) -> None:
        server = await self.server()
        (alice,) = await self.clients(server, "alice")
        doctor = self.plain("alice", server, "--doctor")
        self.assertEqual(await doctor.ended(), 0, str(doctor))
        self.assertIn("a client of yours is online, and was left alone", doctor.output)
        await alice.do("users")
        self.assertEqual([e for e in alice.events if e["event"] == "offline"], [])

    async def test_a_server_that_is_gone(self) -> None:
        server = await self.server()
        self.point("alice", server.standard)
        server.signal(signal.SIGTERM)
        await server.ended()
        doctor = self.plain("alice", None, "--doctor")
        self.assertEqual(await doctor.ended(), 1, str(doctor))
        self.assertIn("!!  network", doctor.output)
        self.assertIn("to put right: 1", doctor.output)
        self.assertEqual(doctor.errors, "")

    async def test_interrupted_it_gives_no_verdict(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            called: Deferred[None] = Deferred()
            silent: Any = Factory.forProtocol(Silent)
            silent.called = called
            port = reactor.listenTCP(0, silent, interface="127.0.0.1")
            self.addCleanup(port.stopListening)
            self.point("alice", port.getHost().port)
            doctor = self.plain("alice", None, "--doctor")
            await called
            doctor.signal(number)
            self.assertEqual(await doctor.ended(), 128 + number, str(doctor))
            self.assertEqual((doctor.output, doctor.errors), ("", ""))
