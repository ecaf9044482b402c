"""What another's request brings somebody comes a moment later, in order, with nobody's answer."""

from __future__ import annotations

from functools import partial

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, refusals, vocabulary
from securecom.identity import Name
from securecom.server.session import Aside, drawn_pause
from securecom.tests.support.memory_server import MemoryServer

ALICE, BOB = Name("alice"), Name("bob")
PAUSE = 0.2


class AsideTests(SynchronousTestCase):
    def test_after_its_pause_and_never_before_what_came_before(self) -> None:
        clock, pauses, done = Clock(), [0.3, 0.1, 0.2], list[str]()
        aside = Aside(clock, lambda: pauses.pop(0))
        for word in "abc":
            aside.do(lambda word=word: done.append(word))  # type: ignore[misc]
        clock.advance(0.29)
        self.assertEqual(done, [])
        clock.advance(0.02)
        self.assertEqual(done, ["a", "b", "c"])

    def test_a_pause_is_drawn_and_short(self) -> None:
        self.assertEqual(drawn_pause(bytes), 0.0)
        self.assertEqual(drawn_pause(lambda _: b"\x80\0"), limits.REQUEST_PAUSE / 2)
        self.assertLess(drawn_pause(lambda _: b"\xff\xff"), limits.REQUEST_PAUSE)


class RequestTests(SynchronousTestCase):
    """Alice asks Bob, and sends a ping along to see whether that was work."""

    def setUp(self) -> None:
        self.server = MemoryServer()
        self.server.reception.pause = lambda: PAUSE
        self.alice, self.bob = self.server.client("alice"), self.server.client("bob")
        self.wait = self.server.network.advance

    def heard(self) -> list[str]:
        return [what for what, _ in self.bob.heard]

    # Promise T104
    def test_the_ping_is_answered_before_anybody_is_asked(self) -> None:
        asked = self.alice.ask(vocabulary.RequestChat, callee=BOB)
        self.alice.done(self.alice.ask(vocabulary.Ping))
        self.assertEqual(self.heard(), [])
        self.wait(PAUSE)
        self.assertEqual(self.heard(), ["offer"])
        self.bob.answer("accept")
        self.assertEqual(self.alice.done(asked)["role"], "caller")

    def test_so_it_is_when_the_request_is_withdrawn(self) -> None:
        asked = self.alice.ask(vocabulary.RequestChat, callee=BOB)
        self.wait(PAUSE)
        self.alice.done(self.alice.ask(vocabulary.CancelRequest))
        self.failureResultOf(asked, refusals.Cancelled)
        self.assertEqual(self.heard(), ["offer"])
        self.wait(PAUSE)
        self.assertEqual(self.heard(), ["offer", "withdrawn"])

    # Promise T104
    def test_and_when_it_is_noted_as_missed(self) -> None:
        self.bob.done(self.bob.ask(vocabulary.SetAvailability, available=False))
        self.alice.ask(vocabulary.RequestChat, callee=BOB).addErrback(lambda _: None)
        self.alice.done(self.alice.ask(vocabulary.Ping))
        self.assertEqual(self.heard(), [])
        self.wait(PAUSE)
        self.assertEqual(self.heard(), ["missed"])

    # Promise T104
    def test_a_withdrawn_request_does_not_put_off_the_next_one(self) -> None:
        """Whoever is asked next would tell the caller whether Bob was there."""
        for is_there in (True, False):
            pauses = [PAUSE, 4 * PAUSE, PAUSE]  # asked, withdrawn, asked again
            server = MemoryServer()
            server.reception.pause = partial(pauses.pop, 0)
            alice, bob, carol = (server.client(name) for name in ("alice", "bob", "carol"))
            bob.done(bob.ask(vocabulary.SetAvailability, available=is_there))
            alice.ask(vocabulary.RequestChat, callee=BOB).addErrback(lambda _: None)
            server.network.advance(PAUSE)
            alice.done(alice.ask(vocabulary.CancelRequest))
            alice.ask(vocabulary.RequestChat, callee=Name("carol"))
            server.network.advance(PAUSE)
            self.assertEqual(([what for what, _ in carol.heard], pauses), (["offer"], []), is_there)

    def test_withdrawn_before_it_was_put(self) -> None:
        asked = self.alice.ask(vocabulary.RequestChat, callee=BOB)
        self.alice.done(self.alice.ask(vocabulary.CancelRequest))
        self.failureResultOf(asked, refusals.Cancelled)
        self.wait(2 * PAUSE)
        self.assertEqual(self.heard(), [])
        self.alice.ask(vocabulary.RequestChat, callee=BOB).addErrback(lambda _: None)
        self.wait(PAUSE)
        self.assertEqual(self.heard(), ["offer"])

    def test_crossed_before_it_was_put(self) -> None:
        """Or it would come when the chat that it became is over, and pass for a new one."""
        asked = self.alice.ask(vocabulary.RequestChat, callee=BOB)
        crossing = self.bob.done(self.bob.ask(vocabulary.RequestChat, callee=ALICE))
        self.assertEqual(self.alice.done(asked)["stream"], crossing["stream"])
        self.bob.done(self.bob.ask(vocabulary.EndChat, stream=crossing["stream"]))
        self.wait(2 * PAUSE)
        self.assertEqual(self.heard(), [])

    def test_a_request_channel_that_is_gone_by_then(self) -> None:
        """As if nobody had been there."""
        self.patch(limits, "PEER_GONE", float("inf"))  # nobody pings here
        asked = self.alice.ask(vocabulary.RequestChat, callee=BOB)
        self.bob.request_wire.cut()  # type: ignore[union-attr]
        self.server.network.pump()
        self.wait(PAUSE)
        self.assertEqual(self.heard(), [])
        self.assertNoResult(asked)
        self.bob.prove()
        self.alice.ask(vocabulary.CancelRequest)
        self.failureResultOf(asked, refusals.Cancelled)
        self.alice.ask(vocabulary.RequestChat, callee=BOB).addErrback(lambda _: None)
        self.wait(PAUSE)
        self.assertEqual(self.heard(), ["offer"])
