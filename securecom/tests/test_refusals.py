"""Each refusal that a command of the person's can end with is an error that they can read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import fail
from twisted.protocols import amp

from securecom import refusals, vocabulary
from securecom.client.channels.standard_channel import StandardChannel
from securecom.errors import OurFault, SecurecomError
from securecom.tests.support.every_command import COMMANDS
from securecom.tests.support.scripted_server_case import ALICE, BOB, AliceTestCase

#: Commands that no person waits for, or whose refusals are looked at one by one elsewhere.
ELSEWHERE = {
    vocabulary.LogIn: "test_client_service",
    vocabulary.Enrol: "test_enrol",
    vocabulary.NewKey: "test_rotation",
    vocabulary.SetRetirement: "test_retiring",
    vocabulary.Retire: "likewise",
    vocabulary.DialMe: "test_daemon_role",
    vocabulary.ProveSession: "test_request_channel",
    vocabulary.CancelRequest: "what it is about ends by itself",
    vocabulary.EndChat: "likewise",
    vocabulary.OpenStream: "the server's",
    vocabulary.Hello: "ends the chat: test_chat",
    vocabulary.Say: "likewise",
}


class RefusalsTests(AliceTestCase):
    def orders(self) -> dict[type[amp.Command], Callable[[], Any]]:
        """What sends each of the others."""
        alice = self.alice
        return {
            vocabulary.SetAvailability: alice.set_available,
            vocabulary.ListAvailable: alice.users,
            vocabulary.RequestChat: lambda: alice.request_chat(BOB),
            vocabulary.Block: lambda: alice.block(BOB),
            vocabulary.Unblock: lambda: alice.unblock(BOB),
            vocabulary.ListBlocked: alice.blocked,
            vocabulary.MyData: alice.account.my_data,
            vocabulary.ForgetMe: lambda: alice.account.forget_me(ALICE),
        }

    def test_every_command_that_can_be_refused_is_here(self) -> None:
        refusing = {command for command in COMMANDS if command.errors}
        self.assertEqual(refusing, self.orders().keys() | ELSEWHERE.keys())

    def test_none_is_a_mistake_of_ours(self) -> None:
        for command, order in self.orders().items():
            for refusal in command.errors:
                self.patch(StandardChannel, "ask", lambda *_, why=refusal, **__: fail(why()))
                (error,) = self.told(order())
                self.assertIsInstance(error, SecurecomError, (command, refusal))
                self.assertFalse(isinstance(error, OurFault), (command, refusal))

    # Promise R81
    def test_none_says_that_nothing_was_sent(self) -> None:
        """The command was, and whoever it was for may have seen it."""
        for command, order in self.orders().items():
            for refusal in command.errors:
                self.patch(StandardChannel, "ask", lambda *_, why=refusal, **__: fail(why()))
                (error,) = self.told(order())
                self.assertNotIn("othing was sent", str(error), (command, refusal))

    # Promise R81
    def test_a_no_says_that_the_request_was_seen(self) -> None:
        self.patch(StandardChannel, "ask", lambda *_, **__: fail(refusals.Refused("60")))
        (error,) = self.told(self.alice.request_chat(BOB))
        told = "SC-602 bob said no. They saw your request; no chat began. Ask again in 60 s."
        self.assertEqual(str(error), told)
