"""Busy is silence, but to those whom one lets see it; and they learn nothing of anybody else."""

from __future__ import annotations

from typing import Any

from securecom import limits, refusals, vocabulary
from securecom.identity import Name
from securecom.tests.support.memory_server import ManualClient, chatting
from securecom.tests.support.request_case import RequestCase

ALICE, BOB, CAROL = Name("alice"), Name("bob"), Name("carol")


class BusyCase(RequestCase):
    """Bob lets Alice see when he is busy."""

    def setUp(self) -> None:
        super().setUp()
        self.show(ALICE)

    def show(self, *names: Name, **terms: Any) -> None:
        terms = {"available": True, "busy_to": list(names), **terms}
        self.bob.done(self.bob.ask(vocabulary.SetAvailability, **terms))

    def listed(self, who: ManualClient) -> Any:
        return who.done(who.ask(vocabulary.ListAvailable, after=b"", text=b""))


class ToldTests(BusyCase):
    # Promise C32
    def test_in_a_chat(self) -> None:
        """At once, and the one who asks is free."""
        stream = chatting(self.bob, self.carol, "carol")
        self.failureResultOf(self.ask(self.alice, "bob"), refusals.Busy)
        self.carol.done(self.carol.ask(vocabulary.EndChat, stream=stream))
        self.assert_free(self.alice)

    def test_in_a_chat_that_they_were_asked_for(self) -> None:
        chatting(self.carol, self.bob, "bob")
        self.failureResultOf(self.ask(self.alice, "bob"), refusals.Busy)

    def test_while_they_ask_somebody(self) -> None:
        for name in ("carol", "nobody"):
            self.ask(self.bob, name).addErrback(lambda _: None)
            self.failureResultOf(self.ask(self.alice, "bob"), refusals.Busy)
            self.bob.done(self.bob.ask(vocabulary.CancelRequest))

    def test_by_the_word_of_their_client(self) -> None:
        asked = self.ask(self.alice, "bob")
        self.bob.answer("busy")
        self.failureResultOf(asked, refusals.Busy)
        self.assert_free(self.alice, self.bob)

    def test_the_word_comes_too_late(self) -> None:
        asked = self.ask(self.alice, "bob")
        self.alice.done(self.alice.ask(vocabulary.CancelRequest))
        self.bob.answer("busy")
        self.failureResultOf(asked, refusals.Cancelled)

    def test_in_the_list(self) -> None:
        self.assertIsNone(self.listed(self.alice)["busy"])
        chatting(self.bob, self.carol, "carol")
        self.assertEqual(
            self.listed(self.alice), {"names": [BOB, CAROL], "more": False, "busy": [BOB]}
        )

    def test_who_is_free_is_asked(self) -> None:
        chatting(self.alice, self.bob, "bob")

    def test_whom_they_ask_themselves_hears_no_busy(self) -> None:
        """The two meet."""
        asked = self.ask(self.bob, "alice")
        self.assertEqual(self.alice.done(self.ask(self.alice, "bob"))["role"], "caller")
        self.assertEqual(self.bob.done(asked)["role"], "callee")

    def test_the_one_who_is_busy_hears_who_asked(self) -> None:
        chatting(self.bob, self.carol, "carol")
        self.ask(self.alice, "bob").addErrback(lambda _: None)
        self.assertEqual((self.bob.said("missed"), self.carol.said("missed")), ([ALICE], []))

    def test_it_brings_no_cool_down_and_counts_as_a_request(self) -> None:
        stream = chatting(self.bob, self.carol, "carol")
        for _ in range(limits.REQUESTS_BY_PAIR):
            self.failureResultOf(self.ask(self.alice, "bob"), refusals.Busy)
        self.assert_no_answer(self.ask(self.alice, "bob"))
        self.patch(self.home.switchboard.restraints.by_caller, "_count", 0)
        self.failureResultOf(self.ask(self.alice, "bob"), refusals.TooManyRequests)
        self.bob.done(self.bob.ask(vocabulary.EndChat, stream=stream))

    def test_it_ends_with_the_lease(self) -> None:
        self.show(ALICE, seconds=20)
        chatting(self.bob, self.carol, "carol")
        self.server.network.advance(20)
        self.assert_no_answer(self.ask(self.alice, "bob"))

    def test_a_later_word_takes_the_place_of_the_former(self) -> None:
        self.show(CAROL)
        chatting(self.bob, self.carol, "carol")
        self.assert_no_answer(self.ask(self.alice, "bob"))

    def test_bounds(self) -> None:
        names = [Name(f"u{number}") for number in range(limits.MAX_AUDIENCE + 1)]
        full = self.bob.ask(vocabulary.SetAvailability, available=True, busy_to=names)
        self.failureResultOf(full, refusals.ListFull)
        self.show(*names[1:], audience=names[1:])


class OthersTests(BusyCase):
    """What is not for them. That silence is one, test_silence shows for every path."""

    def setUp(self) -> None:
        super().setUp()
        self.dave = self.server.client("dave")

    # Promise T106, C32
    def test_who_is_not_in_the_list(self) -> None:
        before = self.listed(self.dave)
        chatting(self.bob, self.carol, "carol")
        self.assertEqual(self.listed(self.dave), before)
        self.assert_no_answer(self.ask(self.dave, "bob"))

    def test_the_other_one_in_the_chat(self) -> None:
        """Carol shows nothing to Alice."""
        chatting(self.bob, self.carol, "carol")
        self.assertNotIn(CAROL, self.listed(self.alice)["busy"])
        self.assert_no_answer(self.ask(self.alice, "carol"))

    # Promise T107
    def test_who_is_asked_just_now_does_not_look_busy(self) -> None:
        """Neither before nor after the yes, while it is not yet a chat."""
        self.ask(self.carol, "bob").addErrback(lambda _: None)
        self.assertIsNone(self.listed(self.alice)["busy"])
        self.bob.opens = False
        self.bob.answer("accept")
        self.assertIsNone(self.listed(self.alice)["busy"])
        self.assert_no_answer(self.ask(self.dave, "bob"))
