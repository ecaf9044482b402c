"""The partner that a demo provides."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from securecom.client.events import Asked, Message, Online
from securecom.demo import Partner
from securecom.errors import (
    NotNow,
)
from securecom.tests.support.scripted_core import Failing, ScriptedCore


class PartnerTests(SynchronousTestCase):
    """The partner of the demo."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.partner = Partner(self.clock)
        self.role = ScriptedCore()
        self.partner.role = self.role

    def test_it_accepts_and_repeats(self) -> None:
        self.partner.show(Online("robin", "K", False))
        self.clock.advance(0)
        self.successResultOf(self.partner.ready)
        self.role.offer = object()
        self.partner.show(Asked("you", "new", "SHA256:x", 60))
        self.assertEqual(self.role.calls, [], "not from inside the core")
        self.clock.advance(0)
        self.assertEqual(self.role.calls, [("accept", None)])
        self.role.begin_chat("you")
        self.partner.show(Message("you", "x" * 5000))
        self.partner.show(Message("you", "again"))
        self.clock.advance(0)
        first, second = (text for _, text in self.role.calls[1:])
        self.assertIn("program", first)
        self.assertLess(len(first), 1100)
        self.assertEqual(second, "You said: again")

    def test_what_came_too_late_is_left(self) -> None:
        self.partner.show(Asked("you", "new", "SHA256:x", 60))
        self.partner.show(Message("you", "x"))
        self.clock.advance(0)
        self.assertEqual(self.role.calls, [])

    def test_a_chat_that_is_being_ended_needs_no_answer(self) -> None:
        self.role.begin_chat("you")
        self.role.error = NotNow("closing")
        self.partner.show(Message("you", "x"))
        self.clock.advance(0)
        self.assertEqual(self.role.calls, [])

    def test_it_may_fail_to_come(self) -> None:
        failed: Deferred[None] = self.partner.ready
        self.partner.failed(Failure(Failing("no")))
        self.failureResultOf(failed, Failing)
        self.partner.failed(Failure(Failing("no")))
