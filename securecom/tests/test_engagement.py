"""Crossing requests, and every input in every state of an engagement."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securecom import commands, limits
from securecom.client.coordination import engagement_states
from securecom.client.coordination.asked_side import AskedSide
from securecom.client.coordination.asking_side import AskingSide
from securecom.client.coordination.engagement import Engagement
from securecom.client.events import (
    Asked,
    AskedOver,
    ChatStarted,
    RefusedForYou,
)
from securecom.errors import (
    ChatFailed,
    NotAnswered,
    NotNow,
)
from securecom.tests.engaged import BOB, CAROL, STATES, AliceTestCase


class CrossingTests(AliceTestCase):
    """Alice asks Bob while Bob asks Alice."""

    def test_two_requests_become_one_chat_and_nobody_is_asked(self) -> None:
        stands = self.reach("crossing")
        self.withdraw("crossed")
        self.peer("callee").open()
        self.grant()
        self.assertEqual(stands, [None])
        self.assertEqual(self.notes.of(Asked) + self.notes.of(AskedOver), [])

    def test_the_offer_waits_until_our_request_is_over(self) -> None:
        stands = self.ask()
        answer = self.offer()
        self.assertEqual((answer, self.notes.of(Asked)), ([], []))
        self.deny(commands.NoAnswer())
        self.fails(stands, NotAnswered)
        self.assertEqual(len(self.notes.of(Asked)), 1)
        self.told(self.alice.accept())
        self.assertEqual(answer, ["accept"])

    def test_a_chat_granted_before_the_withdrawal_counts(self) -> None:
        self.ask()
        answer = self.offer()
        self.peer("callee").open()
        self.grant()
        self.assertEqual(answer, ["busy"])
        self.withdraw("crossed")
        self.assertEqual(self.alice.peer, BOB)
        self.assertEqual(self.notes.of(RefusedForYou) + self.notes.of(AskedOver), [])

    def test_a_held_offer_that_is_withdrawn_is_forgotten(self) -> None:
        self.reach("crossing")
        self.withdraw("cancelled")
        self.deny(commands.NoAnswer())
        self.assertEqual(self.notes.of(Asked), [])
        self.assertIsNone(self.alice.offer)

    def test_a_held_offer_ends_with_the_request_channel(self) -> None:
        self.reach("crossing")
        assert self.end.request is not None
        self.end.request.close()
        self.pump()
        self.deny(commands.NoAnswer())
        self.assertEqual(self.notes.of(Asked), [])

    def test_withdrawing_our_request_declines_theirs(self) -> None:
        self.ask()
        answer = self.offer()
        self.told(self.alice.cancel())
        self.assertEqual(answer, ["busy"])

    def test_a_chat_that_must_not_be_ends_both(self) -> None:
        stands = self.ask()
        answer = self.offer()
        self.grant(role="callee")
        self.fails(stands, ChatFailed)
        self.assertEqual(answer, ["unavailable"])
        self.assertIsNone(self.alice.offer)


class GreaterNameTests(AliceTestCase):
    """Zoe's name is greater than Bob's."""

    name = "zoe"

    def test_the_greater_name_is_the_callee_when_requests_cross(self) -> None:
        stands = self.ask()
        bob = self.peer("caller")
        self.grant(role="callee")
        bob.open()
        self.pump()
        self.assertEqual(stands, [None])
        self.assertEqual(self.notes.last(ChatStarted).role, "callee")

    def test_a_server_that_makes_both_callees_gains_nothing_but_a_timeout(self) -> None:
        stands = self.ask()
        self.peer("callee").open()
        self.grant(role="callee")
        self.network.advance(limits.CHAT_HANDSHAKE_DEADLINE)
        self.fails(stands, ChatFailed)
        self.assertEqual(self.notes.of(ChatStarted), [])


class NotNowTests(AliceTestCase):
    """What the person may order in which state; everything else is refused and sends nothing."""

    allowed = {
        "free": {"request"},
        "asking": {"cancel"},
        "crossing": {"cancel"},
        "withdrawing": {"cancel"},
        "considering": {"accept", "refuse"},
        "accepted": {"stop"},
        "opening": {"stop"},
        "chatting": {"stop", "say"},
    }

    def order(self, order: str) -> Any:
        calls: dict[str, Any] = {
            "request": lambda: self.alice.request_chat(CAROL),
            "cancel": self.alice.cancel,
            "accept": self.alice.accept,
            "refuse": self.alice.refuse,
            "stop": self.alice.stop,
        }
        return calls[order]()

    def test_every_order_in_every_state(self) -> None:
        for state in STATES:
            for order in ("request", "cancel", "accept", "refuse", "stop"):
                self.setUp()
                self.reach(state)
                heard = (list(self.end.heard), len(self.end.requests), list(self.notes.events))
                came = self.told(self.order(order))
                if order in self.allowed[state]:
                    self.assertNotIn(NotNow, map(type, came), (state, order))
                    continue
                self.fails(came, NotNow)
                after = (list(self.end.heard), len(self.end.requests), list(self.notes.events))
                self.assertEqual(heard, after, (state, order))

    def test_what_is_said_outside_a_chat_is_refused(self) -> None:
        for state in STATES:
            self.setUp()
            self.reach(state)
            if "say" in self.allowed[state]:
                self.assertEqual(self.alice.say("hi"), 1)
            else:
                self.assertRaises(NotNow, self.alice.say, "hi")

    def test_the_facts_for_a_prompt(self) -> None:
        facts = {
            "free": (None, None, False, None),
            "asking": (BOB, None, False, None),
            "crossing": (BOB, None, False, None),
            "withdrawing": (BOB, None, False, None),
            "considering": (None, BOB, False, None),
            "accepted": (None, None, True, None),
            "opening": (None, None, True, None),
            "chatting": (None, None, False, BOB),
        }
        for state in STATES:
            self.setUp()
            self.reach(state)
            offer = self.alice.offer and self.alice.offer.caller
            seen = (self.alice.asking, offer, self.alice.is_opening, self.alice.peer)
            self.assertEqual(seen, facts[state], state)


class CompletenessTests(SynchronousTestCase):
    """Which inputs a state takes, and why the others cannot come."""

    #: Only the side whose turn it is can cause these, and only then.
    impossible = {
        "free": {
            "granted",  # no request of ours is out
            "misgranted",
            "denied",
            "offered_by_callee",
            "withdrawn",  # there is no offer
            "expired",
            "stream_opened",  # we accepted none
            "stood",  # there is no session
            "over",
        },
        "asking": {"withdrawn", "expired", "stream_opened", "stood", "over"},
        "crossing": {"expired", "stream_opened", "stood", "over"},
        "withdrawing": {"withdrawn", "expired", "stream_opened", "stood", "over"},
        "considering": {
            "granted",
            "misgranted",
            "denied",
            "offered_by_callee",
            "stream_opened",
            "stood",
            "over",
        },
        "accepted": {"granted", "misgranted", "denied", "offered_by_callee", "stood", "over"},
    }
    in_chat = {
        "granted",
        "misgranted",
        "denied",
        "offered_by_callee",
        "withdrawn",
        "expired",
        "stream_opened",
    }

    def test_the_sides_say_so_when_there_is_nothing_to_take(self) -> None:
        station: Any = None
        self.assertRaises(NotNow, AskingSide(station).take)
        self.assertRaises(NotNow, AskedSide(station).take_held)

    def test_every_input_that_can_come_is_taken(self) -> None:
        automaton = engagement_states.machine.__automat_automaton__
        taken: dict[str, set[str]] = {name: set() for name in STATES}
        for state, word, *_ in automaton.allTransitions():
            taken[state.name].add(word)
        words = {word for word in vars(Engagement) if not word.startswith("_")}
        impossible = {
            **self.impossible,
            "opening": self.in_chat,
            "chatting": self.in_chat | {"stood"},
        }
        for name in STATES:
            self.assertEqual(taken[name], words - impossible[name], name)
