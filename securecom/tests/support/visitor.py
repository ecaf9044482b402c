"""Whole visits: typed lines, the real client, a real server, all in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits
from securecom.client.channels.enrol import enrol
from securecom.client.channels.request_ways import ServerListens
from securecom.client.contacts import Contacts
from securecom.client.frontends.lines import Lines
from securecom.client.frontends.orders import Order
from securecom.client.frontends.plain import Plain
from securecom.client.profile.profile import IDENTITY_FILE, Profile
from securecom.client.program.running import NameHeard, join
from securecom.client.program.visit import Core, Visit
from securecom.client.program.who import Member, Newcomer
from securecom.client.service import Client
from securecom.identity import Identity, Name
from securecom.invitation import Host
from securecom.tests.support.memory_server import STANDARD, MemoryServer


class Visitor:
    """A person or script with a client of their own."""

    def __init__(
        self,
        server: MemoryServer,
        *,
        patient: bool = False,
        attempts: int | None = None,
        first: list[Order] | None = None,
    ) -> None:
        self.server, self.attempts = server, attempts
        clock = server.network.clock
        self.codes: list[int] = []
        self.make_visit(clock, self.core)
        self.lines = Lines(
            Plain(lambda: "08:05"), clock, self.visit.leave, patient=patient, first=first or ()
        )
        self.transport = StringTransport()
        self.lines.makeConnection(self.transport)

    def make_visit(self, clock: Clock, core: Callable[[Member], Core]) -> None:
        self.visit = Visit(clock, join=self.join, core=core)
        self.visit.over.addCallback(self.codes.append)

    def core(self, member: Member) -> Client:
        self.identity, profile = member.identity, member.profile
        self.client = self._client(profile.name, member.identity, profile.server, self.lines)
        return self.client

    def _client(
        self,
        name: Name | None,
        identity: Identity,
        server: bytes,
        frontend: Lines | NameHeard,
    ) -> Client:
        network = self.server.network
        self.contacts = Contacts(None, server, lambda: 0.0)
        return Client(
            name=name,
            identity=identity,
            server=server,
            contacts=self.contacts,
            frontend=frontend,
            host="chat.example.org",
            port=STANDARD,
            endpoint=network.client_endpoint(STANDARD),
            way=ServerListens(network.client_endpoint),
            clock=network.clock,
            random=lambda: 0.0,
            attempts=self.attempts,
        )

    def join(self, newcomer: Newcomer) -> Deferred[Member]:
        return join(newcomer, self._enrol, self._known_name)

    def _enrol(self, newcomer: Newcomer) -> Deferred[Name]:
        network, invitation = self.server.network, newcomer.invitation
        endpoint = network.client_endpoint(invitation.standard_port)
        return enrol(
            endpoint, newcomer.identity, invitation.server, invitation.token, network.clock
        )

    def _known_name(self, newcomer: Newcomer) -> Deferred[Name]:
        heard = NameHeard()
        self.attempts = 1
        client = self._client(None, newcomer.identity, newcomer.invitation.server, heard)
        client.done.addErrback(heard.failed)
        client.start()
        return heard.name.addCallback(lambda name: client.leave().addCallback(lambda _: name))

    def begin(self, someone: Member | Newcomer) -> None:
        self.visit.open(self.lines)
        self.visit.begin(self.lines, someone)
        self.server.network.pump()

    def type(self, text: str) -> None:
        self.lines.dataReceived(text.encode("utf-8"))
        self.server.network.pump()

    def end_input(self) -> None:
        self.lines.readConnectionLost()
        self.server.network.pump()
        self.finish()

    def finish(self) -> None:
        """Let time pass, and the output's end arrive."""
        self.server.network.advance(limits.CLOSE_DEADLINE + 1)
        if self.transport.disconnecting:
            self.lines.connectionLost(Failure(ConnectionDone()))
        self.server.network.pump()

    def seen(self) -> str:
        text: str = self.transport.value().decode("utf-8")
        self.transport.clear()
        return text


class VisitCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = MemoryServer()
        self.folder = Path(self.mktemp())

    def member(self, name: str, identity: Identity | None = None) -> Member:
        identity = identity or self.server.enrolled(name)
        host = Host("chat.example.org")
        profile = Profile(
            self.folder, Name(name), host, STANDARD, self.server.pin, Path(IDENTITY_FILE)
        )
        return Member(profile, identity)

    def visitor(self, name: str) -> Visitor:
        visitor = Visitor(self.server)
        visitor.begin(self.member(name))
        return visitor

    def script(self, name: str, first: list[Order] | None = None) -> Visitor:
        visitor = Visitor(self.server, patient=True, attempts=3, first=first)
        visitor.begin(self.member(name))
        return visitor
