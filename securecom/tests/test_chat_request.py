"""The chat request on one server."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, refusals
from securecom.server import chat_request
from securecom.server.chat_request import RequestInputs
from securecom.tests.support import request_contract
from securecom.tests.support.request_case import RequestCase


class AnswerTests(request_contract.AnswerTests):
    """Both on one server."""


class NobodyThereTests(request_contract.NobodyThereTests):
    """Both on one server."""


class EndingTests(request_contract.EndingTests):
    """Both on one server."""


class LateTests(RequestCase):
    """A yes just before the request would end."""

    def test_there_is_time_to_open_the_stream(self) -> None:
        ready: Deferred[Any] = Deferred()
        self.bob.opens = lambda: ready
        asked = self.ask(self.alice, "bob")
        self.server.network.advance(limits.REQUEST_STANDS - 1)
        self.bob.answer("accept")
        [stream] = self.bob.said("open")
        self.server.network.advance(limits.OPENING_DEADLINE - 1)
        ready.callback({})
        self.assertEqual(self.alice.done(asked)["stream"], stream)


class OffersTests(RequestCase):
    def test_none_is_kept_once_it_is_answered(self) -> None:
        asked = self.ask(self.alice, "bob")
        self.bob.answer("refuse")
        self.failureResultOf(asked, refusals.Refused)
        for session in self.server.reception.sessions._by_id.values():
            self.assertFalse(session._offers)


class OpeningTests(request_contract.OpeningTests):
    """Both on one server."""


class CrossingTests(request_contract.CrossingTests):
    """Both on one server."""


class CooldownTests(request_contract.CooldownTests):
    """Both on one server."""


class RateTests(request_contract.RateTests):
    """Both on one server."""


class PressureTests(request_contract.PressureTests):
    """Both on one server."""


class BehindTests(request_contract.BehindTests):
    """Both on one server."""


class CompletenessTests(SynchronousTestCase):
    def test_every_input_that_can_come_is_taken(self) -> None:
        taken: dict[str, set[str]] = {}
        for state, word, *_ in chat_request.machine.__automat_automaton__.allTransitions():
            taken.setdefault(state.name, set()).add(word)
        inputs = {word for word in vars(RequestInputs) if not word.startswith("_")}
        states = {"created", "asking", "silent", "elsewhere", "opening", "settled"}
        self.assertEqual(set(taken), states)
        for name, words in taken.items():
            self.assertEqual(words, inputs, name)
