"""What a chat request must do, from `RequestChat` to a stream for both, wherever the callee is."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from securecom import limits, refusals, vocabulary
from securecom.identity import Name
from securecom.server.session import Session
from securecom.tests.support.memory_server import ManualClient, chatting
from securecom.tests.support.request_case import RequestCase


class AnswerTests(RequestCase):
    """What the callee can say."""

    def test_offer(self) -> None:
        """The callee hears who, with which key, and for how long; nothing else."""
        self.ask(self.alice, "bob")
        [offer] = self.bob.said("offer")
        told = {"chat", "caller", "key", "seconds", "chat_seconds", "succession"}
        self.assertEqual(set(offer), told)
        self.assertEqual(offer["caller"], "alice")
        self.assertEqual(offer["key"], self.alice.identity.public_key)
        self.assertEqual(offer["seconds"], limits.REQUEST_STANDS + 1)  # drawn, and rounded up

    def test_accepted(self) -> None:
        """The callee's stream opens first; the caller learns the callee's key."""
        asked = self.ask(self.alice, "bob")
        self.assertNoResult(asked)
        self.bob.answer("accept")
        opened = self.alice.done(asked)
        self.assertEqual(self.bob.said("open"), [opened["stream"]])
        self.assertEqual(opened["key"], self.bob.identity.public_key)
        self.assertEqual(opened["role"], "caller")
        self.assertEqual(opened["chat"], self.bob.said("offer")[0]["chat"])

    def test_callee_first(self) -> None:
        """The caller hears nothing until the callee's client is ready."""
        ready: Deferred[Any] = Deferred()
        self.bob.opens = lambda: ready
        asked = self.ask(self.alice, "bob")
        self.bob.answer("accept")
        self.assertNoResult(asked)
        ready.callback({})
        self.assertEqual(self.alice.done(asked)["role"], "caller")

    def test_refused(self) -> None:
        asked = self.ask(self.alice, "bob")
        self.bob.answer("refuse")
        self.failureResultOf(asked, refusals.Refused)
        self.assert_free(self.alice, self.bob)

    def test_busy_and_unavailable_look_alike(self) -> None:
        for word in ("busy", "unavailable"):
            asked = self.ask(self.alice, "bob")
            self.bob.answer(word)
            self.assert_no_answer(asked)
        self.assert_free(self.alice, self.bob)

    def test_unknown_word_is_the_callees_fault(self) -> None:
        """It ends nothing but this request."""
        asked = self.ask(self.alice, "bob")
        self.bob.answer("perhaps")
        self.assert_no_answer(asked)
        self.assert_free(self.alice)

    def test_answer_after_the_end_changes_nothing(self) -> None:
        asked = self.ask(self.alice, "bob")
        self.alice.done(self.alice.ask(vocabulary.CancelRequest))
        self.failureResultOf(asked, refusals.Cancelled)
        self.bob.answer("accept")
        self.assertEqual(self.bob.said("open"), [])
        self.assert_free(self.alice, self.bob)


class NobodyThereTests(RequestCase):
    """Every way of not being there has one answer."""

    def assert_not_there(self, name: str) -> None:
        self.assert_no_answer(self.ask(self.alice, name))

    def test_unknown_name(self) -> None:
        self.assert_not_there("nobody")

    def test_oneself(self) -> None:
        self.assert_not_there("alice")

    def test_enrolled_but_offline(self) -> None:
        self.server.enrolled("dave")
        self.assert_not_there("dave")

    # Promise T99
    def test_away(self) -> None:
        self.bob.done(self.bob.ask(vocabulary.SetAvailability, available=False))
        self.assert_not_there("bob")
        self.assertEqual(self.bob.said("offer"), [])

    def test_without_request_channel(self) -> None:
        self.bob.request_wire.cut()  # type: ignore[union-attr]
        self.server.network.pump()
        self.assert_not_there("bob")

    # Promise T99
    def test_in_a_chat(self) -> None:
        chatting(self.bob, self.carol, "carol")
        before = self.carol.said("offer")
        self.assert_not_there("bob")
        self.assert_not_there("carol")
        self.assertEqual((self.bob.said("offer"), self.carol.said("offer")), ([], before))

    def test_being_asked(self) -> None:
        """Two cannot reserve one at once; the second is the client's to turn down."""
        self.ask(self.carol, "bob").addErrback(lambda _: None)
        asked = self.ask(self.alice, "bob")
        self.bob.answer("busy")
        self.assert_no_answer(asked)
        self.assertEqual(len(self.bob.said("offer")), 2)

    def test_asking(self) -> None:
        self.ask(self.carol, "bob").addErrback(lambda _: None)
        self.assert_not_there("carol")
        self.assertEqual(self.carol.said("offer"), [])


class EndingTests(RequestCase):
    """How a request ends without an answer."""

    def test_cancelled(self) -> None:
        """The caller withdraws; it goes from the callee's screen."""
        asked = self.ask(self.alice, "bob")
        self.assertEqual(self.alice.done(self.alice.ask(vocabulary.CancelRequest)), {})
        self.failureResultOf(asked, refusals.Cancelled)
        self.assertEqual(self.bob.said("withdrawn"), ["cancelled"])
        self.assert_free(self.alice, self.bob)

    def test_nothing_to_cancel(self) -> None:
        self.failureResultOf(self.alice.ask(vocabulary.CancelRequest), refusals.NothingToEnd)
        self.ask(self.alice, "bob").addErrback(lambda _: None)
        not_bobs = self.bob.ask(vocabulary.CancelRequest)
        self.failureResultOf(not_bobs, refusals.NothingToEnd)

    def test_expired(self) -> None:
        asked = self.ask(self.alice, "bob")
        self.server.network.advance(limits.REQUEST_STANDS - 1)
        self.assert_no_answer(asked)
        self.assertEqual(self.bob.said("withdrawn"), ["expired"])

    # Promise R100
    def test_offer_that_is_never_answered(self) -> None:
        """Withdrawn, it needs no answer; one that comes all the same is passed over."""
        asked = self.ask(self.alice, "bob")
        self._wait()
        self.failureResultOf(asked, refusals.NoAnswer)
        self.assertEqual(self.bob.said("withdrawn"), ["expired"])
        self.assertIsNone(self.bob.request.lost_reason)
        self.bob.answer("accept")
        self.assertEqual((self.bob.said("open"), self.bob.request.lost_reason), ([], None))
        self.assert_free(self.alice, self.bob)

    # Promise R100
    def test_offer_that_is_neither_answered_nor_withdrawn(self) -> None:
        """Such a channel goes, or offers would pile up."""
        asked = self.ask(self.alice, "bob")
        self.patch(Session, "withdraw", lambda *_: None)
        self._wait()
        self.failureResultOf(asked, refusals.NoAnswer)
        self.assertIsNotNone(self.bob.request.lost_reason)
        self.assertIsNone(self.bob.standard.lost_reason)

    def _wait(self) -> None:
        """Longer than a request stands, with everybody's pings."""
        for _ in range(3):
            self.server.network.advance(limits.PING_INTERVAL)
            for client in (self.alice, self.bob):
                client.ask(vocabulary.Ping)
                client.request.control.call(vocabulary.Ping).addErrback(lambda _: None)

    def test_caller_vanishes(self) -> None:
        asked = self.ask(self.alice, "bob")
        self.alice.standard_wire.cut()
        self.server.network.pump()
        self.failureResultOf(asked)
        self.assertEqual(self.bob.said("withdrawn"), ["gone"])
        self.assert_free(self.bob)

    def test_callee_vanishes(self) -> None:
        asked = self.ask(self.alice, "bob")
        self.bob.standard_wire.cut()
        self.server.network.pump()
        self.assert_no_answer(asked)
        self.assert_free(self.alice)

    def test_callees_request_channel_goes(self) -> None:
        asked = self.ask(self.alice, "bob")
        self.bob.request_wire.cut()  # type: ignore[union-attr]
        self.server.network.pump()
        self.assert_no_answer(asked)
        self.assert_free(self.alice)

    # Promise C22
    def test_one_request_at_a_time(self) -> None:
        self.ask(self.alice, "bob")
        self.failureResultOf(self.ask(self.alice, "carol"), refusals.Occupied)
        self.assertEqual(self.carol.said("offer"), [])

    def test_no_request_in_a_chat(self) -> None:
        chatting(self.alice, self.bob, "bob")
        self.failureResultOf(self.ask(self.alice, "carol"), refusals.Occupied)
        self.failureResultOf(self.ask(self.bob, "carol"), refusals.Occupied)

    def test_asked_person_may_not_ask_somebody_else(self) -> None:
        self.ask(self.alice, "bob")
        self.failureResultOf(self.ask(self.bob, "carol"), refusals.Occupied)


class OpeningTests(RequestCase):
    """Between the callee's yes and the stream."""

    def setUp(self) -> None:
        super().setUp()
        self.ready: Deferred[Any] = Deferred()
        self.bob.opens = lambda: self.ready
        self.asked = self.ask(self.alice, "bob")
        self.bob.answer("accept")
        [self.stream] = self.bob.said("open")

    def test_client_never_ready(self) -> None:
        self.server.network.advance(limits.OPENING_DEADLINE + 1)
        self.assertEqual(self.bob.said("closed"), [self.stream])
        self.ready.callback({})
        self.assert_no_answer(self.asked)
        self.assert_free(self.alice, self.bob)

    def test_client_declines(self) -> None:
        self.ready.errback(refusals.NothingToEnd())
        self.server.network.pump()
        self.assert_no_answer(self.asked)
        self.assert_free(self.alice)

    def test_caller_cancels(self) -> None:
        self.alice.done(self.alice.ask(vocabulary.CancelRequest))
        self.failureResultOf(self.asked, refusals.Cancelled)
        self.assertEqual(self.bob.said("closed"), [self.stream])
        self.ready.callback({})
        self.server.network.pump()
        self.bob.opens = True
        self.assert_free(self.alice, self.bob)

    def test_caller_vanishes(self) -> None:
        self.alice.standard_wire.cut()
        self.server.network.pump()
        self.assertEqual(self.bob.said("closed"), [self.stream])
        self.failureResultOf(self.asked)

    def test_callee_vanishes(self) -> None:
        self.bob.standard_wire.cut()
        self.server.network.pump()
        self.assert_no_answer(self.asked)
        self.assert_free(self.alice)

    def test_callees_own_request_comes_too_late_to_cross(self) -> None:
        self.failureResultOf(self.ask(self.bob, "alice"), refusals.Occupied)
        self.ready.callback({})
        self.assertEqual(self.alice.done(self.asked)["role"], "caller")

    def test_second_answer_changes_nothing(self) -> None:
        """A daemon role that could answer twice could not take its word back."""
        request = self.server.switchboard._engaged[Name("bob")]
        request.machine.refuse()  # type: ignore[union-attr]
        request.machine.accept()  # type: ignore[union-attr]
        self.ready.callback({})
        self.assertEqual(self.alice.done(self.asked)["stream"], self.stream)

    # Promise T60
    def test_no_bytes_before_the_stream_is_open(self) -> None:
        """Not even from the callee, who knows its number already."""
        self.bob.send(self.stream, b"x")
        self.assertEqual(self.bob.said("goodbye"), ["violation"])
        self.assert_no_answer(self.asked)
        self.assertEqual(self.alice.received, b"")


class CrossingTests(RequestCase):
    """Alice asks Bob while Bob asks Alice: two consents, one chat."""

    def crossed(
        self, first: ManualClient, second: ManualClient, one: str, other: str
    ) -> list[dict[str, Any]]:
        """`first` asks `one`, then `second` asks `other`; the answers in that order."""
        asked, back = self.ask(first, one), self.ask(second, other)
        return [self.successResultOf(asked), self.successResultOf(back)]

    def test_smaller_name_calls(self) -> None:
        """Whoever asked first."""
        alices, bobs = self.crossed(self.alice, self.bob, "bob", "alice")
        self.assertEqual((alices["role"], bobs["role"]), ("caller", "callee"))
        self.alice.done(self.alice.ask(vocabulary.EndChat, stream=alices["stream"]))
        bobs, alices = self.crossed(self.bob, self.alice, "alice", "bob")
        self.assertEqual((alices["role"], bobs["role"]), ("caller", "callee"))

    def test_who_is_in_something_else_crosses_nothing(self) -> None:
        """Not in a second chat by asking back, nor beside a request of their own."""
        stream = chatting(self.alice, self.carol, "carol")
        asked = self.ask(self.bob, "alice")
        self.failureResultOf(self.ask(self.alice, "bob"), refusals.Occupied)
        self.alice.done(self.alice.ask(vocabulary.EndChat, stream=stream))
        self.ask(self.alice, "carol").addErrback(lambda _: None)
        self.failureResultOf(self.ask(self.alice, "bob"), refusals.Occupied)
        self.assert_no_answer(asked)

    def test_asking_oneself_is_not_asking_the_caller(self) -> None:
        asked = self.ask(self.bob, "alice")
        self.failureResultOf(self.ask(self.alice, "alice"), refusals.Occupied)
        self.assertNoResult(asked)

    def test_nobody_meets_themselves(self) -> None:
        """Who asks themselves hears nothing, and a second time is one too many."""
        asked = self.ask(self.alice, "alice")
        self.failureResultOf(self.ask(self.alice, "alice"), refusals.Occupied)
        self.assert_no_answer(asked)
        self.assertEqual(self.alice.heard, [])

    # Promise C22
    def test_one_chat(self) -> None:
        """The same chat and stream, each with the other's key, and the offer withdrawn."""
        alices, bobs = self.crossed(self.alice, self.bob, "bob", "alice")
        self.assertEqual(alices["chat"], bobs["chat"])
        self.assertEqual(alices["stream"], bobs["stream"])
        self.assertEqual(alices["key"], self.bob.identity.public_key)
        self.assertEqual(bobs["key"], self.alice.identity.public_key)
        self.assertEqual(self.bob.said("withdrawn"), ["crossed"])
        self.alice.send(alices["stream"], b"hello")
        self.assertEqual(self.bob.received, b"hello")

    def test_late_answer_to_the_crossed_offer(self) -> None:
        alices, _ = self.crossed(self.alice, self.bob, "bob", "alice")
        self.bob.answer("refuse")
        self.alice.send(alices["stream"], b"hello")
        self.assertEqual(self.bob.received, b"hello")

    def test_away_people_may_cross(self) -> None:
        """Who asks has consented, available or not."""
        self.ask(self.alice, "bob")
        self.bob.done(self.bob.ask(vocabulary.SetAvailability, available=False))
        self.successResultOf(self.ask(self.bob, "alice"))


class CooldownTests(RequestCase):
    """After a no the same person is not asked again at once by the same."""

    def refused(self) -> int | None:
        asked = self.ask(self.alice, "bob")
        self.bob.answer("refuse")
        refusal: refusals.Refused = self.failureResultOf(asked, refusals.Refused).value
        return refusal.seconds

    def too_soon(self) -> int | None:
        asked = self.ask(self.alice, "bob")
        refusal: refusals.TooSoon = self.failureResultOf(asked, refusals.TooSoon).value
        return refusal.seconds

    # Promise T100, C23
    def test_the_one_who_asks_hears_how_long(self) -> None:
        self.assertEqual(self.refused(), limits.COOLDOWN_FIRST)
        self.server.network.advance(10)
        self.assertEqual(self.too_soon(), limits.COOLDOWN_FIRST - 10)
        self.assertEqual(len(self.bob.said("offer")), 1)
        self.server.network.advance(limits.COOLDOWN_FIRST - 10)
        self.assertEqual(self.refused(), 2 * limits.COOLDOWN_FIRST)

    def test_other_pairs_are_not_concerned(self) -> None:
        self.refused()
        asked = self.ask(self.carol, "bob")
        self.bob.answer("refuse")
        self.failureResultOf(asked, refusals.Refused)
        chatting(self.alice, self.carol, "carol")

    def test_nor_the_other_direction_and_a_chat_makes_up_for_it(self) -> None:
        self.refused()
        stream = chatting(self.bob, self.alice, "alice")
        self.bob.done(self.bob.ask(vocabulary.EndChat, stream=stream))
        chatting(self.alice, self.bob, "bob")

    def test_it_tells_nothing_new(self) -> None:
        """Not even whether the one who said no has gone, or blocks them now."""
        self.refused()
        self.bob.done(self.bob.ask(vocabulary.Block, name=Name("alice")))
        self.assertEqual(self.too_soon(), limits.COOLDOWN_FIRST)
        self.bob.standard_wire.cut()
        self.server.network.pump()
        self.assertEqual(self.too_soon(), limits.COOLDOWN_FIRST)

    def test_no_answer_brings_none(self) -> None:
        asked = self.ask(self.alice, "bob")
        self.bob.answer("unavailable")
        self.assert_no_answer(asked)
        self.ask(self.alice, "bob").addErrback(lambda _: None)
        self.assertEqual(len(self.bob.said("offer")), 2)


class RateTests(RequestCase):
    """How often one may ask, and be asked."""

    def refused(self, who: ManualClient, name: str, by: ManualClient) -> None:
        asked = self.ask(who, name)
        by.answer("refuse")
        self.failureResultOf(asked, refusals.Refused)

    # Promise T94, C24, R90
    def test_by_caller(self) -> None:
        self.patch(self.home.switchboard.restraints.by_caller, "_count", 2)
        self.refused(self.alice, "bob", self.bob)
        self.refused(self.alice, "carol", self.carol)
        self.failureResultOf(self.ask(self.alice, "bob"), refusals.TooManyRequests)
        self.refused(self.carol, "bob", self.bob)
        self.server.network.clock.advance(limits.REQUEST_WINDOW)
        self.refused(self.alice, "bob", self.bob)

    def test_names_that_nobody_has_count_too(self) -> None:
        """Or they could be tried one by one."""
        self.patch(self.home.switchboard.restraints.by_caller, "_count", 1)
        self.assert_no_answer(self.ask(self.alice, "x"))
        self.failureResultOf(self.ask(self.alice, "y"), refusals.TooManyRequests)

    # Promise T90, C24
    def test_by_pair(self) -> None:
        """One who asks again and again does not keep others away for long."""
        for _ in range(limits.REQUESTS_BY_PAIR):
            asked = self.ask(self.alice, "bob")
            self.alice.done(self.alice.ask(vocabulary.CancelRequest))
            self.failureResultOf(asked, refusals.Cancelled)
        self.assert_no_answer(self.ask(self.alice, "bob"))
        self.assertEqual(len(self.bob.said("offer")), limits.REQUESTS_BY_PAIR)
        self.refused(self.carol, "bob", self.bob)

    def test_accepted_requests_are_not_counted(self) -> None:
        for _ in range(limits.REQUESTS_BY_PAIR + 1):
            stream = chatting(self.alice, self.bob, "bob")
            self.alice.done(self.alice.ask(vocabulary.EndChat, stream=stream))

    # Promise T94, C24
    def test_to_callee(self) -> None:
        """The callee is spared; the caller cannot tell it from absence."""
        self.patch(self.server.switchboard.restraints.to_callee, "_count", 1)
        self.refused(self.alice, "bob", self.bob)
        self.assert_no_answer(self.ask(self.carol, "bob"))
        self.assertEqual(len(self.bob.said("offer")), 1)


class PressureTests(RequestCase):
    """Many ask Bob, some of them to keep others away."""

    def withdrawn(self, who: ManualClient) -> None:
        """`who` asks Bob, is put before him, and withdraws."""
        offers = len(self.bob.said("offer"))
        asked = self.ask(who, "bob")
        self.assertEqual(len(self.bob.said("offer")), offers + 1)
        who.done(who.ask(vocabulary.CancelRequest))
        self.failureResultOf(asked, refusals.Cancelled)
        self.bob.answer("unavailable")  # as a client does that counts what waits for its answer

    # Promise T91, C25, R89
    def test_those_who_withdraw_keep_nobody_away(self) -> None:
        """So many, three times each, as may reach somebody in a minute."""
        people = limits.REQUESTS_TO_CALLEE // limits.REQUESTS_BY_PAIR
        crowd = [self.server.client(f"crowd{n}", f"192.0.2.{n}") for n in range(people)]
        for one in crowd:
            for _ in range(limits.REQUESTS_BY_PAIR):
                self.withdrawn(one)
        self.assertGreaterEqual(len(self.bob.said("offer")), limits.REQUESTS_TO_CALLEE)
        asked = self.ask(self.carol, "bob")
        self.bob.answer("accept")
        self.assertEqual(self.carol.done(asked)["role"], "caller")

    # Promise T91, R89
    def test_nor_do_those_who_vanish_while_they_ask(self) -> None:
        self.patch(self.server.switchboard.restraints.to_callee, "_count", 1)
        self.ask(self.alice, "bob").addErrback(lambda _: None)
        self.alice.standard_wire.cut()
        self.server.network.pump()
        self.ask(self.carol, "bob")
        self.assertEqual(self.bob.said("offer")[-1]["caller"], "carol")

    # Promise R90
    def test_what_was_withdrawn_costs_its_sender(self) -> None:
        for _ in range(limits.REQUESTS_BY_PAIR):
            self.withdrawn(self.alice)
        self.assert_no_answer(self.ask(self.alice, "bob"))
        self.assertEqual(len(self.bob.said("offer")), limits.REQUESTS_BY_PAIR)

    # Promise R91
    def test_what_stood_or_was_answered_counts(self) -> None:
        self.patch(self.server.switchboard.restraints.to_callee, "_count", 2)
        for word in ("refuse", "unavailable"):
            self.ask(self.alice, "bob").addErrback(lambda _: None)
            self.bob.answer(word)
            self.server.network.advance(0)
            self.alice.ask(vocabulary.CancelRequest).addErrback(lambda _: None)
            self.home.switchboard.restraints.cooldowns.forget(Name("alice"), Name("bob"))
        self.assert_no_answer(self.ask(self.carol, "bob"))
        self.assertEqual(len(self.bob.said("offer")), 2)
        self.assertEqual(self.bob.said("missed"), ["carol"])

    # Promise R91
    def test_what_the_client_turned_down_as_busy_does_not_count(self) -> None:
        self.patch(self.server.switchboard.restraints.to_callee, "_count", 1)
        self.ask(self.alice, "bob").addErrback(lambda _: None)
        self.bob.answer("busy")
        self.ask(self.carol, "bob")
        self.assertEqual(self.bob.said("offer")[-1]["caller"], "carol")


class BehindTests(RequestCase):
    """Carol asks Bob while Alice does: his client may give Alice's request up for hers."""

    def setUp(self) -> None:
        super().setUp()
        self.alices, self.carols = self.ask(self.alice, "bob"), self.ask(self.carol, "bob")
        for asked in (self.alices, self.carols):
            self.addCleanup(asked.addErrback, lambda _: None)

    def test_both_are_put_to_the_client(self) -> None:
        callers = [offer["caller"] for offer in self.bob.said("offer")]
        self.assertEqual((callers, self.bob.said("missed")), (["alice", "carol"], []))

    def test_no_third(self) -> None:
        dave = self.server.client("dave")
        self.ask(dave, "bob").addErrback(lambda _: None)
        self.assertEqual((len(self.bob.said("offer")), self.bob.said("missed")), (2, ["dave"]))

    # Promise T92, R92
    def test_the_client_prefers_the_second(self) -> None:
        """Alice's request stands on, as if Bob had dismissed it."""
        self.bob.offers.pop(0).callback({"answer": "unavailable"})
        self.server.network.pump()
        self.failureResultOf(self.ask(self.bob, "dave"), refusals.Occupied)
        self.bob.answer("accept")
        self.assertEqual(self.carol.done(self.carols)["role"], "caller")
        self.assert_no_answer(self.alices)

    def test_the_client_keeps_the_first(self) -> None:
        self.bob.answer("busy")
        self.bob.answer("accept")
        self.assertEqual(self.alice.done(self.alices)["role"], "caller")
        self.assert_no_answer(self.carols)

    def test_the_second_takes_the_place_of_one_that_is_withdrawn(self) -> None:
        self.alice.done(self.alice.ask(vocabulary.CancelRequest))
        self.failureResultOf(self.alices, refusals.Cancelled)
        self.bob.answer("accept")
        self.assertEqual(self.carol.done(self.carols)["role"], "caller")

    def test_a_yes_to_a_second_question_does_not_count_while_the_first_stands(self) -> None:
        """Nobody is in two things at once."""
        self.bob.answer("accept")
        self.assertEqual(self.bob.said("open"), [])
        self.bob.answer("accept")
        self.assertEqual(self.alice.done(self.alices)["role"], "caller")
        self.assert_no_answer(self.carols)

    def test_nor_after_the_first_became_a_chat(self) -> None:
        self.bob.offers.pop(0).callback({"answer": "accept"})
        self.alice.done(self.alices)
        self.bob.answer("accept")
        self.assertEqual(len(self.bob.said("open")), 1)
        self.assert_no_answer(self.carols)

    def test_the_second_is_withdrawn(self) -> None:
        self.carol.done(self.carol.ask(vocabulary.CancelRequest))
        self.failureResultOf(self.carols, refusals.Cancelled)
        self.assertEqual(self.bob.said("withdrawn"), ["cancelled"])
        self.bob.offers.pop(0).callback({"answer": "accept"})
        self.assertEqual(self.alice.done(self.alices)["role"], "caller")

    def test_the_callee_vanishes(self) -> None:
        self.bob.standard_wire.cut()
        self.server.network.pump()
        self.assertNoResult(self.alices)
        self.assert_no_answer(self.carols)
        self.assert_free(self.alice, self.carol)

    def test_the_second_is_blocked(self) -> None:
        self.bob.done(self.bob.ask(vocabulary.Block, name=Name("carol")))
        self.assertEqual(self.bob.said("withdrawn"), ["gone"])
        self.assert_no_answer(self.carols)

    # Promise R92
    def test_a_friend_does_not_hear_that_somebody_else_asks(self) -> None:
        """Carol may see when Bob is busy, but not that he is being asked."""
        terms = {"available": True, "busy_to": [Name("carol")]}
        self.bob.done(self.bob.ask(vocabulary.SetAvailability, **terms))
        self.bob.answer("busy")
        self.assert_no_answer(self.carols)

    def test_bob_is_shown_both(self) -> None:
        facts = self.bob.done(self.bob.ask(vocabulary.MyData, further=False))["facts"]
        asking = [fact.value for fact in facts if fact.what == "asks you"]
        self.assertEqual(asking, ["alice", "carol"])
