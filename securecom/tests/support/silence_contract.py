"""What the asker must not be able to tell, wherever the callee is."""

from __future__ import annotations

import gc
import math
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, refusals, vocabulary
from securecom.identity import Name
from securecom.server.session import Session
from securecom.tests.support.silent_paths import (
    BOB,
    PATHS,
    SAMPLES,
    AcceptsAndCannot,
    Away,
    Blocking,
    Dismisses,
    Empty,
    Silent,
)


class Seen:
    """What Alice sees of requests by one path: answers, their times, and frames by their bytes."""

    def __init__(self, server: Empty, count: int) -> None:
        self.times: list[float] = []
        self.answers: list[tuple[Any, str]] = []
        self.frames: list[list[int]] = []
        for _ in range(count):
            server.before()
            self._ask(server)

    def _ask(self, server: Empty) -> None:
        clock, standard = server.clock, server.alice.standard
        start, frames, answers = clock.seconds(), self.frames, len(self.answers)
        frames.append([])
        received = type(standard).dataReceived

        def counted(data: bytes) -> None:
            frames[-1].append(len(data))
            received(standard, data)

        standard.dataReceived = counted  # type: ignore[method-assign]
        asked = server.alice.ask(vocabulary.RequestChat, callee=BOB, **server.more)

        def answered(failure: Failure) -> None:
            self.times.append(clock.seconds() - start)
            self.answers.append((type(failure.value), str(failure.value)))

        asked.addErrback(answered)
        server.meanwhile()
        server.until(lambda: len(self.answers) > answers)
        server.after()
        server.to(start + 2 * limits.REQUEST_EXPIRES)
        server.after()
        del standard.dataReceived


class SilenceContract(SynchronousTestCase):
    """The whole server in memory, at its own times. Subclasses say which server."""

    def setUp(self) -> None:
        self.patch(limits, "PEER_GONE", math.inf)  # nobody pings here

    # Promise T101, T106, C30, C36, R97
    def test_every_path_has_the_same_answer_in_the_same_bytes(self) -> None:
        expected = Seen(Silent("frames"), 20)
        self.assertEqual(set(expected.answers), {(refusals.NoAnswer, "")})
        for path in PATHS:
            seen = Seen(path("frames"), 20)
            self.assertEqual(seen.answers, expected.answers, path.__name__)
            self.assertEqual(seen.frames, expected.frames, path.__name__)

    def test_asking_for_a_chat_with_an_end_changes_nothing(self) -> None:
        self.patch(Empty, "more", {"chat_seconds": limits.MIN_CHAT_SECONDS})
        timed = {path: Seen(path("frames"), 5) for path in PATHS}
        self.patch(Empty, "more", {})
        expected = Seen(Silent("frames"), 5)
        for path, seen in timed.items():
            self.assertEqual(seen.answers, expected.answers, path.__name__)
            self.assertEqual(seen.frames, expected.frames, path.__name__)

    # Promise T103, C31
    def test_no_path_adds_to_the_time_that_was_drawn_or_takes_from_it(self) -> None:
        """A moment that a few hundred times between 30 and 60 s would not show."""
        drawn = 41.5
        for path in PATHS:
            server = path("drawn")
            self.patch(server.home.switchboard, "_drawn_time", lambda: drawn)
            self.assertEqual({round(time, 6) for time in Seen(server, 5).times}, {drawn})

    # Promise T104, C33, R98
    def test_the_turn_of_a_request_is_the_same_work_whatever_the_path(self) -> None:
        """Every function that is called, in order: or a ping sent along would tell."""
        expected = self._work(Silent("work"))
        self.assertIn("request_chat", expected)
        self.assertGreater(len(expected), 20)
        for path in PATHS:
            self.assertEqual(self._work(path("work")), expected, path.__name__)

    # Promise T104, C33, R99
    def test_so_is_the_turn_in_which_it_is_withdrawn(self) -> None:
        """While the callee is asked, and when they are not: the same functions of ours."""
        expected = self._work(Silent("work"), "CancelRequest")
        self.assertIn("cancel_request", expected)
        for path in PATHS:
            self.assertEqual(self._work(path("work"), "CancelRequest"), expected, path.__name__)

    @staticmethod
    def _work(server: Empty, word: str = "RequestChat") -> list[str]:
        """The functions that the server calls in the turn in which Alice says this to it."""
        server.before()
        alice = server.home.switchboard._parties[Name("alice")]
        assert isinstance(alice, Session)
        # Rates forget what is old, whoever it is about: here there is always something to look at.
        server.home.switchboard.restraints.by_caller.allow(Name("somebody"))
        called: list[str] = []
        events = ("call", "c_call") if word == "RequestChat" else ("call",)

        def note(frame: Any, event: str, argument: Any) -> None:
            is_ours = "/server/" in frame.f_code.co_filename
            if is_ours and event in events:
                called.append(frame.f_code.co_name if event == "call" else argument.__name__)

        if word == "CancelRequest":
            server.alice.ask(vocabulary.RequestChat, callee=BOB).addErrback(lambda _: None)
            server.meanwhile()
            work: Callable[[], Any] = alice.cancel_request
        else:
            work = partial(alice.request_chat, BOB, None)
        gc.collect()  # or generators of earlier tests could end in this turn
        sys.setprofile(note)
        try:
            answer = work()
        finally:
            sys.setprofile(None)
        answer.addErrback(lambda _: None)
        return called

    # Promise T105, C35
    def test_the_list_of_who_is_available_tells_no_more_while_one_waits(self) -> None:
        for path in PATHS:
            server = path("list")
            server.before()
            server.alice.ask(vocabulary.RequestChat, callee=BOB).addErrback(lambda _: None)
            server.meanwhile()
            self.assertEqual("bob" in server.names(), server.listed, path.__name__)

    # Promise T105, C35
    def test_who_waits_is_engaged_whatever_the_path(self) -> None:
        """Neither their own next request nor what others ask of them tells."""
        for path in PATHS:
            server = path("engaged")
            dave = server.server.client("dave")
            server.before()
            server.alice.ask(vocabulary.RequestChat, callee=BOB).addErrback(lambda _: None)
            server.meanwhile()
            again = server.alice.ask(vocabulary.RequestChat, callee=Name("dave"))
            self.failureResultOf(again, refusals.Occupied)
            dave.ask(vocabulary.RequestChat, callee=Name("alice")).addErrback(lambda _: None)
            self.assertEqual(server.alice.said("offer"), [], path.__name__)
            server.alice.done(server.alice.ask(vocabulary.CancelRequest))

    # Promise T107, C34
    def test_to_her_own_friends_she_is_busy_whatever_the_path(self) -> None:
        """So they cannot tell her, either."""
        for path in PATHS:
            server = path("friends")
            dave = server.server.client("dave")
            server.befriend(server.alice, "dave")
            server.before()
            server.alice.ask(vocabulary.RequestChat, callee=BOB).addErrback(lambda _: None)
            server.meanwhile()
            restraints = server.home.switchboard.restraints
            restraints.to_callee._count = SAMPLES  # as far as Dave goes
            for one in (server.server, server.home):
                one.switchboard.restraints.by_pair._count = SAMPLES
            asked = dave.ask(vocabulary.RequestChat, callee=Name("alice"))
            self.failureResultOf(asked, refusals.Busy)

    # Promise T107, C34
    def test_bobs_friends_see_no_trace_of_her_request(self) -> None:
        """A list tells them the same before it and while it stands."""
        for path in PATHS:
            server = path("traces")
            frank = server.server.client("frank")
            server.before()
            lists = [frank.done(frank.ask(vocabulary.ListAvailable, after=b"b", text=b"bob"))]
            server.alice.ask(vocabulary.RequestChat, callee=BOB).addErrback(lambda _: None)
            lists.append(frank.done(frank.ask(vocabulary.ListAvailable, after=b"b", text=b"bob")))
            self.assertEqual(lists[1], lists[0], path.__name__)

    def test_a_request_can_be_withdrawn_whatever_the_path(self) -> None:
        for path in PATHS:
            server = path("cancelled")
            server.before()
            asked = server.alice.ask(vocabulary.RequestChat, callee=BOB)
            server.meanwhile()
            self.assertEqual(server.alice.done(server.alice.ask(vocabulary.CancelRequest)), {})
            self.failureResultOf(asked, refusals.Cancelled)

    def test_who_is_silent_meets_who_asks_them_back(self) -> None:
        """Two consents, whatever came before: even a block, which is about being asked."""
        for path in (Away, Blocking, Dismisses, AcceptsAndCannot):
            server = path("crossing")
            server.before()
            asked = server.alice.ask(vocabulary.RequestChat, callee=BOB)
            server.meanwhile()
            back = server.bob.ask(vocabulary.RequestChat, callee=Name("alice"))
            alices, bobs = self.successResultOf(asked), self.successResultOf(back)
            self.assertEqual((alices["role"], bobs["role"]), ("caller", "callee"))
            self.assertEqual(alices["chat"], bobs["chat"])
            self.assertNotIn(bobs["stream"], server.bob.said("open"), "a number used before")
            server.alice.send(alices["stream"], b"hello")
            self.assertEqual(server.bob.received, b"hello")
