from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, refusals
from securecom.client.channels.enrol import enrol
from securecom.errors import CannotReach, InvitationRefused, LoginRefused, ServerMismatch
from securecom.identity import Identity, Name
from securecom.tests.support.network import Wire
from securecom.tests.support.scripted_server import STANDARD, ScriptedServer, StandardEnd, outcome
from securecom.tests.support.server_certificates import Authority


class EnrolTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = ScriptedServer()
        self.network = self.server.network

    def enrol(self, token: bytes = b"alice") -> list[Any]:
        """What it comes to; this server's tokens are the names."""
        endpoint, clock = self.network.client_endpoint(STANDARD), self.network.clock
        came = outcome(enrol(endpoint, Identity.generate(), self.server.pin, token, clock, "here"))
        self.network.pump()
        return came

    def fails(self, came: list[Any], kind: type[BaseException]) -> Any:
        self.assertEqual([type(one) for one in came], [kind])
        self.assertEqual(self.network.clock.getDelayedCalls(), [])
        return came[0]

    def test_the_invitation_gives_the_name(self) -> None:
        self.assertEqual(self.enrol(), [Name("alice")])
        self.assertEqual(self.network.wires, [])
        self.assertEqual(self.network.clock.getDelayedCalls(), [])

    def test_a_bad_invitation(self) -> None:
        self.server.refusal = refusals.BadInvitation()
        self.fails(self.enrol(), InvitationRefused)

    def test_a_key_that_is_taken(self) -> None:
        self.server.refusal = refusals.KeyInUse()
        self.fails(self.enrol(), LoginRefused)

    def test_a_server_in_trouble(self) -> None:
        self.server.refusal = refusals.ServerTrouble()
        self.assertIn("internal problem", self.fails(self.enrol(), CannotReach).what)

    def test_another_server_does_not_get_the_token(self) -> None:
        self.server.listen(Authority().credentials())
        self.server.refusal = refusals.BadInvitation()
        self.fails(self.enrol(), ServerMismatch)

    def test_nobody_there(self) -> None:
        self.server.shut()
        self.assertIn("here (refused)", self.fails(self.enrol(), CannotReach).what)

    # Promise R23
    def test_nobody_who_answers(self) -> None:
        self.network.ports[STANDARD] = Factory.forProtocol(Protocol)
        came = self.enrol()
        self.network.advance(limits.LOGIN_PATIENCE - 1)
        self.assertEqual(came, [])  # a server with a long line of people looks like this
        self.network.advance(1)
        self.fails(came, CannotReach)

    def test_an_invalid_name_is_refused(self) -> None:
        self.fails(self.enrol(b"Not A Name"), CannotReach)

    def cut_after(self, meddle: Callable[[Wire], object]) -> list[Any]:
        """What it comes to if something happens between request and answer."""
        endpoint, clock = self.network.client_endpoint(STANDARD), self.network.clock
        came = outcome(enrol(endpoint, Identity.generate(), self.server.pin, b"alice", clock))
        meddle(self.network.wires[-1])
        self.network.pump()
        return came

    def test_a_server_that_hangs_up_instead_of_answering(self) -> None:
        self.server.instead = StandardEnd.close
        self.fails(self.enrol(), CannotReach)

    def test_a_connection_that_is_cut(self) -> None:
        self.fails(self.cut_after(Wire.cut), CannotReach)
