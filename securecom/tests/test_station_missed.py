"""Requests that nobody answered: recorded by name, time and count, and shown on return."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from securecom import limits, vocabulary
from securecom.client.coordination.station import MissedRequests
from securecom.client.events import ListedUser, Missed, MissedCaller, RefusedForYou, Requests, Trust
from securecom.errors import NotNow
from securecom.identity import Name
from securecom.tests.support.memory_server import ManualClient, chatting
from securecom.tests.support.request_case import RequestCase
from securecom.tests.support.scripted_server_case import BOB, CAROL, OTHER_CHAT, AliceTestCase


class NotedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.missed = MissedRequests(self.clock.seconds, self.trust)

    @staticmethod
    def trust(name: Name) -> Trust:
        return "verified" if name == BOB else "met"

    # Promise C29
    def test_by_name_the_latest_first(self) -> None:
        self.assertTrue(self.missed.note(BOB))
        self.clock.advance(5)
        self.assertTrue(self.missed.note(CAROL))
        self.clock.advance(5)
        self.assertFalse(self.missed.note(BOB))
        self.clock.advance(2.5)
        expected = [MissedCaller(BOB, "verified", 2, 2), MissedCaller(CAROL, "met", 1, 7)]
        self.assertEqual(self.missed.all(), expected)

    def test_news_are_told_once_and_with_everything(self) -> None:
        self.assertEqual(self.missed.news(), [])
        self.missed.note(BOB)
        self.assertEqual(len(self.missed.news()), 1)
        self.assertEqual(self.missed.news(), [])
        self.missed.note(CAROL)
        self.assertEqual([one.name for one in self.missed.news()], [CAROL, BOB])

    def test_forgotten(self) -> None:
        self.missed.note(BOB)
        self.missed.forget(BOB)
        self.missed.forget(CAROL)
        self.assertEqual(self.missed.all(), [])

    def test_bounded(self) -> None:
        for number in range(limits.MAX_MISSED + 5):
            self.missed.note(Name(f"u{number}"))
        names = [one.name for one in self.missed.all()]
        self.assertEqual(len(names), limits.MAX_MISSED)
        self.assertNotIn("u4", names)
        self.assertIn("u5", names)


class ServerTests(RequestCase):
    """Who is online and cannot be asked is told that somebody tried."""

    def missed(self, name: str = "bob") -> list[str]:
        self.ask(self.alice, name).addErrback(lambda _: None)
        return self.bob.said("missed")

    def test_away(self) -> None:
        self.bob.done(self.bob.ask(vocabulary.SetAvailability, available=False))
        self.assertEqual(self.missed(), ["alice"])
        self.assertEqual(self.bob.said("offer"), [])

    def test_in_a_chat(self) -> None:
        chatting(self.bob, self.carol, "carol")
        self.assertEqual(self.missed(), ["alice"])

    def test_not_by_those_who_are_blocked(self) -> None:
        self.bob.done(self.bob.ask(vocabulary.Block, name=Name("alice")))
        self.bob.done(self.bob.ask(vocabulary.SetAvailability, available=False))
        self.assertEqual(self.missed(), [])

    def test_not_by_one_who_asked_too_often(self) -> None:
        """They were missed often enough for their name to be known."""
        self.patch(self.server.switchboard.restraints.by_pair, "_count", 0)
        self.bob.done(self.bob.ask(vocabulary.SetAvailability, available=False))
        self.assertEqual(self.missed(), [])

    # Promise T93, R95
    def test_when_all_together_asked_too_often(self) -> None:
        """Or nobody could tell who keeps the others away."""
        self.patch(self.server.switchboard.restraints.to_callee, "_count", 0)
        self.assertEqual(self.missed(), ["alice"])
        self.assertEqual(self.bob.said("offer"), [])

    def test_not_what_was_put_before_them(self) -> None:
        self.assertEqual(self.missed(), [])
        self.assertEqual(len(self.bob.said("offer")), 1)

    def test_not_without_a_request_channel(self) -> None:
        self.bob.request_wire.cut()  # type: ignore[union-attr]
        self.server.network.pump()
        self.assertEqual(self.missed(), [])

    def test_nobody_misses_themselves(self) -> None:
        bob: ManualClient = self.bob
        bob.ask(vocabulary.RequestChat, callee=BOB).addErrback(lambda _: None)
        self.assertEqual(bob.said("missed"), [])


class ClientTests(AliceTestCase):
    def miss(self, name: Name = BOB) -> None:
        assert self.end.request is not None
        self.end.request.control.tell(vocabulary.MissedRequest, caller=name)
        self.pump()

    def requests(self) -> Requests:
        requests: Requests = self.alice.requests()
        return requests

    def test_what_the_server_reported_is_shown_when_we_are_back(self) -> None:
        self.told(self.alice.set_away())
        self.miss()
        self.miss()
        self.network.advance(60)
        self.assertEqual(self.notes.of(Missed) + self.notes.of(RefusedForYou), [])
        self.told(self.alice.set_available())
        self.assertEqual(self.notes.of(Missed), [Missed([MissedCaller(BOB, "new", 2, 60)])])
        self.told(self.alice.set_available())
        self.assertEqual(len(self.notes.of(Missed)), 1)

    def test_in_a_chat_the_first_of_each_is_told_at_once_and_all_at_its_end(self) -> None:
        self.reach("chatting")
        for _ in range(3):
            self.miss(CAROL)
        self.assertEqual(self.notes.of(RefusedForYou), [RefusedForYou(CAROL, "new", "busy")])
        self.chatting.session.leave()
        self.pump()
        self.assertEqual(self.notes.of(Missed), [Missed([MissedCaller(CAROL, "new", 3, 0)])])

    # Promise T93, C25, R95
    def test_offers_that_ended_without_our_word(self) -> None:
        for reason in ("cancelled", "expired", "gone"):
            self.offer()
            self.withdraw(reason)
        self.assertEqual(self.requests().missed, [MissedCaller(BOB, "new", 3, 0)])

    def test_what_we_answered_was_not_missed(self) -> None:
        for answer in (self.alice.refuse, self.alice.dismiss):
            self.offer()
            self.told(answer())
        self.offer()
        self.withdraw("crossed")
        self.offer()
        self.told(self.alice.accept())
        self.assertEqual(self.requests().missed, [])

    def test_refused_for_us_because_we_are_busy(self) -> None:
        self.offer()
        self.offer(OTHER_CHAT, "carol")
        self.assertEqual(self.requests().missed, [MissedCaller(CAROL, "new", 1, 0)])

    def test_a_chat_makes_up_for_it(self) -> None:
        self.miss()
        self.reach("chatting")
        self.assertEqual(self.requests().missed, [])

    # Promise C29
    def test_all_that_is_open(self) -> None:
        self.assertEqual(self.requests(), Requests(None, None, []))
        self.offer()
        self.assertEqual(self.requests(), Requests(None, ListedUser(BOB, "new"), []))
        self.told(self.alice.refuse())
        self.ask(CAROL)
        self.assertEqual(self.requests(), Requests(ListedUser(CAROL, "new"), None, []))

    def test_a_missed_request_of_our_own_is_nonsense(self) -> None:
        self.miss(Name("alice"))
        self.assertEqual(self.requests().missed, [])

    # Promise C23
    def test_refuse_all(self) -> None:
        self.fails(self.told(self.alice.refuse(Name("all"))), NotNow)
        answer = self.offer()
        self.assertEqual(self.told(self.alice.refuse(Name("all"))), [None])
        self.assertEqual(answer, ["refuse"])
