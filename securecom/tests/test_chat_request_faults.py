"""A chat request whose transitions raise: nobody stays engaged, and everybody gets an answer.

Every transition of the machine is made to raise at every step that it takes, one at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from twisted.internet.defer import Deferred

from securecom import limits, vocabulary
from securecom.errors import OurFault
from securecom.identity import Name
from securecom.server import chat_request
from securecom.server.chat_request import ChatRequest
from securecom.server.local_switchboard import LocalSwitchboard
from securecom.server.relay import Relay
from securecom.server.restraints import Restraints
from securecom.server.session import Session
from securecom.tests.support.request_case import RequestCase

ALICE, BOB = Name("alice"), Name("bob")

#: What transitions call, each of which may raise.
STEPS: dict[type, tuple[str, ...]] = {
    ChatRequest: (
        "offer",
        "announce",
        "join",
        "cross",
        "renew",
        "refuse",
        "fail",
        "withdraw",
        "close_announced",
        "let_callee_go",
        "tell_opened",
        "_settle",
        "_expire_in",
    ),
    LocalSwitchboard: ("refused", "released", "established"),
    Relay: ("__init__",),
    Restraints: ("lift",),
    Session: ("later", "soon", "announce_stream", "open_stream", "close_stream", "withdraw"),
}


class Broken(Exception):
    """What a step raises; its text is in no log."""


class FaultTests(RequestCase):
    """From every state, with every input."""

    def transitions(self) -> list[tuple[str, str]]:
        automaton = chat_request.machine.__automat_automaton__
        every = [(state.name, word) for state, word, *_ in automaton.allTransitions()]
        # A request that is over is not crossed any more: what the callee asks is a new one.
        return [one for one in every if one != ("settled", "cross")]

    def reach(self, state: str) -> tuple[ChatRequest, Deferred[Any]]:
        """Alice's request to Bob, in this state, and its answer."""
        self.setUp()
        session = self.server.reception.sessions.of(ALICE)
        assert session is not None
        if state == "created":
            self.patch(session._aside(), "_pause", lambda: 5.0)
        if state == "opening":
            self.opening: Deferred[Any] = Deferred()
            self.bob.opens = lambda: self.opening
        asked = self.ask(self.alice, "bob")
        request = self.server.switchboard._standing[ALICE, BOB]
        if state == "silent":
            self.bob.answer("unavailable")
        elif state == "opening":
            self.bob.answer("accept")
        elif state == "settled":
            self.bob.answer("refuse")
        return request, asked

    def put(self, request: ChatRequest, word: str) -> Deferred[Any] | None:
        """Make the input, as the switchboard does; an answer that somebody else than Alice gets."""
        board = self.server.switchboard
        if word in ("ask", "hush") and request.callee is None:
            if word == "hush":
                self.server.switchboard._leases.end(BOB)
            board._look(request)
        elif word == "cross":
            bob = self.server.reception.sessions.of(BOB)
            assert bob is not None
            return board.request(bob, ALICE)
        else:
            getattr(request.machine, word)()
        return None

    def count_or_raise(self, raise_at: int | None, run: Callable[[], Any]) -> int:
        """Run with all steps counted, and the one of this number raising. Returns the count."""
        count = 0

        def watched(step: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(step)
            def call(*args: Any, **kwargs: Any) -> Any:
                nonlocal count
                count += 1
                if count - 1 == raise_at:
                    raise Broken("alice asks bob")
                return step(*args, **kwargs)

            return call

        patches = [
            self.patch(kind, name, watched(getattr(kind, name)))
            for kind, names in STEPS.items()
            for name in names
        ]
        try:
            self.crossed = run()
        finally:
            for patch in patches:
                patch.restore()
        return count

    def test_every_step_of_every_transition(self) -> None:
        tried = 0
        for state, word in self.transitions():
            steps, step = 1, 0
            while step < steps:
                steps, step = self.one(state, word, step), step + 1
                tried += 1
        self.assertGreater(tried, 60)

    def one(self, state: str, word: str, step: int) -> int:
        """One step of one transition raises. Returns how many there are at the least."""
        where = f"{state}, {word}, step {step}"
        request, asked = self.reach(state)
        answers: list[Any] = []
        asked.addBoth(answers.append)
        count = self.count_or_raise(step, lambda: self.put(request, word))
        awaited = 1
        if self.crossed is not None:
            awaited += 1
            self.crossed.addBoth(answers.append)
        if state == "opening":
            self.opening.callback({})  # or a client that says nothing for so long would be cut off
        self.server.network.advance(limits.REQUEST_STANDS + 1)
        logged = self.flushLoggedErrors(OurFault)
        self.assertEqual(bool(logged), count > step, where)
        if not logged:  # there is no such step
            return 0
        self.assertEqual(len(self.server.reception.sessions), 3, where)
        self.assertEqual(len(answers), awaited, where)
        board = self.server.switchboard
        self.assertEqual((board._engaged, board._standing, board._behind), ({}, {}, {}), where)
        for failure in logged:
            self.assertNotIn("alice", str(failure), where)
            self.assertNotIn("bob", str(failure), where)
        return count

    def test_both_can_chat_with_others_afterwards(self) -> None:
        for state, word in (("asking", "accept"), ("asking", "cross"), ("opening", "opened")):
            self.one(state, word, 0)
            self.assert_free(self.alice, self.bob)

    def test_the_caller_waits_on_where_a_fault_must_not_show(self) -> None:
        """What fails while the callee is asked looks like any other silence."""
        request, asked = self.reach("asking")
        self.count_or_raise(0, lambda: self.put(request, "accept"))
        self.assertNotIn(BOB, self.server.switchboard._engaged)
        self.assert_no_answer(asked)
        self.flushLoggedErrors(OurFault)

    def test_a_chat_that_was_half_made_is_over_for_both(self) -> None:
        request, asked = self.reach("opening")
        asked.addErrback(lambda _: None)
        stream = request.stream
        patch = self.patch(ChatRequest, "tell_opened", lambda _: 1 / 0)
        request.machine.opened()
        patch.restore()
        self.server.network.pump()
        self.flushLoggedErrors(OurFault)
        self.assertIn(stream, self.bob.said("closed"))
        self.assert_free(self.alice)

    def test_an_unreachable_client_keeps_nobody_else_in_a_chat(self) -> None:
        asked = self.ask(self.alice, "bob")
        self.bob.answer("accept")
        stream = self.alice.done(asked)["stream"]
        alice = self.server.reception.sessions.of(ALICE)
        patch = self.patch(alice, "close_stream", lambda *_, **__: 1 / 0)
        self.bob.done(self.bob.ask(vocabulary.EndChat, stream=stream))
        patch.restore()
        self.flushLoggedErrors(OurFault)
        self.assertEqual(self.server.switchboard._engaged, {})
